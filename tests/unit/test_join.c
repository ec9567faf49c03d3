/* SPDX-License-Identifier: Apache-2.0 */
/* What is sealed under codes for new devices, and who comes with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/join.h"
#include "client/op/device_guest.h"
#include "common/crypto/gcm.h"
#include "common/crypto/kdf.h"
#include "common/crypto/x25519.h"
#include "tests/unit/join_fix.h"
#include "tests/unit/locked_heap.h"
#include <proto/satchel.pb-c.h>

static const struct server_id server = {{7, 7, 7}}, elsewhere = {{8}};

/* ---- requests ---- */

static const uint8_t salt[JOIN_SALT_LEN] = "salt";

static struct join_request a_request(void)
{
    struct join_request r = {.has_pin = true, .name = "lap\xc3\xa9top"};

    memset(r.device_key, 1, sizeof(r.device_key));
    memset(r.box, 2, sizeof(r.box));
    memset(r.pin.b, 4, sizeof(r.pin.b));
    return r;
}

static int open_request(struct join_meeting *m, const struct buf *b, size_t len,
                        struct join_request *ret)
{
    m->request = part(b->data, len);
    return join_request_open(ret, m, NULL);
}

static void test_requests(void **state)
{
    static const uint8_t other_salt[JOIN_SALT_LEN] = "pepper";
    struct join_request r = a_request(), back;
    struct join_code c = {0}, other = {0};
    struct join_meeting m = {.code = &c, .server = server};
    struct buf one = {0}, two = {0};

    (void)state;
    join_fix_code(&c, 1);
    join_fix_code(&other, 2);
    assert_int_equal(join_request_seal(&r, &m, salt, &one, NULL), ERR_OK);
    assert_int_equal(join_request_seal(&r, &m, other_salt, &two, NULL), ERR_OK);
    assert_int_equal(one.len, two.len);
    assert_memory_not_equal(one.data + JOIN_SALT_LEN, two.data + JOIN_SALT_LEN,
                            one.len - JOIN_SALT_LEN);
    assert_int_equal(open_request(&m, &one, one.len, &back), ERR_OK);
    assert_memory_equal(&back, &r, sizeof(r));
    m.code = &other;
    assert_int_equal(open_request(&m, &one, one.len, &back), ERR_INTEGRITY);
    m.code = &c;
    m.server = elsewhere;
    assert_int_equal(open_request(&m, &one, one.len, &back), ERR_INTEGRITY);
    m.server = server;
    for (size_t i = 0; i < one.len; i++) {
        one.data[i] ^= 1;
        assert_int_equal(open_request(&m, &one, one.len, &back), ERR_INTEGRITY);
        one.data[i] ^= 1;
        assert_int_not_equal(open_request(&m, &one, i, &back), ERR_OK);
    }
    buf_free(&one);
    (void)snprintf(r.name, sizeof(r.name), "a\nb"); /* a name that moves a cursor */
    assert_int_equal(join_request_seal(&r, &m, salt, &one, NULL), ERR_OK);
    assert_int_equal(open_request(&m, &one, one.len, &back), ERR_INVALID);
    buf_free(&one);
    buf_free(&two);
    join_code_free(&c);
    join_code_free(&other);
}

/* ---- what is of another version ---- */

/* A request that says it is of ${version}, sealed as one of ours. */
static void seal_version(const struct join_meeting *m, uint32_t version, struct buf *out)
{
    static const uint8_t zero[GCM_NONCE_LEN];
    struct join_request r = a_request();
    uint8_t key[KDF_LEN];
    struct buf plain = {0}, aad = {0};
    Satchel__JoinRequest msg = SATCHEL__JOIN_REQUEST__INIT;

    msg.version = version;
    msg.device_key = msg.box = msg.key = (ProtobufCBinaryData){sizeof(r.device_key), r.device_key};
    msg.name = r.name;
    plain.len = satchel__join_request__pack(
        &msg, buf_reserve(&plain, satchel__join_request__get_packed_size(&msg)));
    buf_lp_str(&aad, KDF_PREFIX "join request");
    buf_lp(&aad, m->server.b, sizeof(m->server.b));
    buf_lp(&aad, m->code->id, sizeof(m->code->id));
    assert_int_equal(
        kdf_f(key, part_secret(&m->code->secret), "join request", PARTS(PART_OF(salt))), ERR_OK);
    buf_put(out, salt, sizeof(salt));
    assert_int_equal(gcm_seal_once(key, zero, part(aad.data, aad.len), part(plain.data, plain.len),
                                   buf_reserve(out, plain.len + GCM_TAG_LEN)),
                     ERR_OK);
    out->len += plain.len + GCM_TAG_LEN;
    buf_free(&plain);
    buf_free(&aad);
}

static void test_versions(void **state)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c, .server = server};
    struct device_guest g = {.code = &c, .server = server};

    (void)state;
    join_fix_code(&c, 1);
    for (uint32_t version = 0; version < 4; version++) {
        struct join_request back;
        struct err err = {0};
        struct buf b = {0};
        int want = version == JOIN_VERSION ? ERR_OK : ERR_UNSUPPORTED;

        seal_version(&m, version, &b);
        assert_int_equal(open_request(&m, &b, b.len, &back), want);
        assert_int_equal(device_guest_take(&g, part(b.data, b.len), &err), want);
        if (want != ERR_OK) {
            assert_string_equal(err.msg, "the new machine has another version of Satchel");
            assert_string_equal(err.hint, "bring both up to date, and begin anew");
        }
        buf_free(&b);
    }
    device_guest_free(&g);
    join_code_free(&c);
}

/* ---- the opening ---- */

static void test_openings(void **state)
{
    struct join_code ours = {0}, theirs = {0}, other = {0};
    struct join_meeting m = {.code = &ours, .server = server, .request = part_str("request")};
    struct join_meeting at = m;
    char one[JOIN_CHECK_TEXT], two[JOIN_CHECK_TEXT];
    struct buf out = {0}, again = {0};

    (void)state;
    join_fix_code(&ours, 4);
    join_fix_code(&other, 5);
    join_fix_read(&ours, &theirs);
    at.code = &theirs;
    assert_int_equal(join_check(&at, two, NULL), ERR_INTERNAL); /* not without the nonce */
    assert_int_equal(join_opening_seal(&at, &out, NULL), ERR_INTERNAL);
    assert_int_equal(join_opening_seal(&m, &out, NULL), ERR_OK);
    assert_int_equal(join_opening_seal(&m, &again, NULL),
                     ERR_OK); /* as it was, for who asks again */
    assert_int_equal(out.len, again.len);
    assert_memory_equal(out.data, again.data, out.len);
    for (size_t i = 0; i < out.len; i++) {
        out.data[i] ^= 1;
        assert_int_equal(join_opening_open(&theirs, &at, part(out.data, out.len), NULL),
                         ERR_INTEGRITY);
        out.data[i] ^= 1;
        assert_int_equal(join_opening_open(&theirs, &at, part(out.data, i), NULL), ERR_INVALID);
    }
    at.request = part_str("Request");
    assert_int_equal(join_opening_open(&theirs, &at, part(out.data, out.len), NULL), ERR_INTEGRITY);
    at.request = m.request;
    at.server = elsewhere;
    assert_int_equal(join_opening_open(&theirs, &at, part(out.data, out.len), NULL), ERR_INTEGRITY);
    at.server = server;
    assert_int_equal(theirs.nonce.len, 0);
    assert_int_equal(join_opening_open(&theirs, &at, part(out.data, out.len), NULL), ERR_OK);
    assert_memory_equal(&theirs.uid, &join_fix_owner, sizeof(join_fix_owner));
    assert_int_equal(join_check(&m, one, NULL), ERR_OK);
    assert_int_equal(join_check(&at, two, NULL), ERR_OK);
    assert_string_equal(one, two);
    buf_free(&out);
    buf_free(&again);
    join_code_free(&ours);
    join_code_free(&theirs);
    join_code_free(&other);
}

/* Who knows the secret can seal anything; but it was made of one nonce and one user. */
static void test_wrong_openings(void **state)
{
    struct join_code ours = {0}, theirs = {0}, forged = {0};
    struct join_meeting m = {.code = &forged, .server = server, .request = part_str("request")};
    struct join_meeting at = m;
    struct err err = {0};

    (void)state;
    join_fix_code(&ours, 4);
    for (int i = 0; i < 3; i++) {
        struct buf out = {0};

        join_fix_read(&ours, &theirs);
        join_fix_read(&ours, &forged);
        join_fix_nonce(&forged.nonce, i == 0 ? 5 : 4);
        forged.uid = i == 1 ? join_fix_somebody : join_fix_owner;
        assert_int_equal(join_opening_seal(&m, &out, NULL), ERR_OK);
        at.code = &theirs;
        assert_int_equal(join_opening_open(&theirs, &at, part(out.data, out.len), &err),
                         i == 2 ? ERR_OK : ERR_INTEGRITY);
        assert_int_equal(theirs.nonce.len, i == 2 ? JOIN_NONCE_LEN : 0);
        if (i < 2)
            assert_string_equal(err.msg, "the code was not made by the device that answers");
        buf_free(&out);
        join_code_free(&theirs);
        join_code_free(&forged);
    }
    join_code_free(&ours);
}

/* ---- who has come ---- */

static void seal_guest(const struct join_code *c, uint8_t salted, struct buf *out)
{
    struct join_meeting m = {.code = c, .server = server};
    struct join_request r = a_request();
    uint8_t s[JOIN_SALT_LEN] = {salted};

    buf_free(out);
    assert_int_equal(join_request_seal(&r, &m, s, out, NULL), ERR_OK);
}

/* Until the code is opened another one may come in somebody's place; then nobody else. */
static void test_one_guest(void **state)
{
    struct join_code c = {0}, other = {0};
    struct device_guest g = {.code = &c, .server = server};
    char first[JOIN_CHECK_TEXT];
    struct buf b = {0};

    (void)state;
    join_fix_code(&c, 1);
    join_fix_code(&other, 2);
    seal_guest(&c, 1, &b);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_OK);
    memcpy(first, g.check, sizeof(first));
    seal_guest(&other, 2, &b);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_INTEGRITY);
    assert_string_equal(g.check, first);
    seal_guest(&c, 2, &b);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_OK);
    assert_string_not_equal(g.check, first);
    memcpy(first, g.check, sizeof(first));
    assert_int_equal(device_guest_open(&g, NULL), ERR_OK);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_OK); /* said again */
    seal_guest(&c, 3, &b);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_EXISTS);
    seal_guest(&other, 2, &b);
    assert_int_equal(device_guest_take(&g, part(b.data, b.len), NULL), ERR_EXISTS);
    assert_string_equal(g.check, first);
    buf_free(&b);
    device_guest_free(&g);
    join_code_free(&c);
    join_code_free(&other);
}

/* ---- answers ---- */

struct scene {
    struct join_code code;
    struct join_meeting m;
    struct secret key, ephemeral;
    struct join_request joiner;
    struct join_answer a;
};

static void make_scene(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    join_fix_code(&s->code, 9);
    s->m = (struct join_meeting){.code = &s->code,
                                 .server = server,
                                 .request = part_str("the request"),
                                 .joiner = &s->joiner};
    assert_int_equal(secret_copy(&s->key, "0123456789abcdef0123456789abcdef", 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&s->ephemeral, "fedcba9876543210fedcba9876543210", 32, NULL),
                     ERR_OK);
    assert_int_equal(x25519_public(s->joiner.key, s->key.data), ERR_OK);
    assert_int_equal(secret_copy(&s->a.isk, "iskiskiskiskiskiskiskiskiskiskis", 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&s->a.account, "plaintext", 9, NULL), ERR_OK);
    (void)snprintf(s->a.username, sizeof(s->a.username), "alice");
    (void)snprintf(s->a.email, sizeof(s->a.email), "alice@example.org");
    (void)snprintf(s->a.name, sizeof(s->a.name), "desk");
    s->a.has_box = true;
    memset(s->a.manifest.b, 5, sizeof(s->a.manifest.b));
}

static void free_scene(struct scene *s)
{
    join_code_free(&s->code);
    join_answer_free(&s->a);
    secret_free(&s->key);
    secret_free(&s->ephemeral);
}

static int open_it(const struct scene *s, const struct buf *b, size_t len)
{
    struct join_answer back = {0};
    int rc = join_answer_open(&back, &s->m, &s->key, part(b->data, len), NULL);

    join_answer_free(&back);
    return rc;
}

static void test_answers(void **state)
{
    struct scene s;
    struct join_answer back = {0};
    struct join_code other = {0};
    struct buf out = {0};

    (void)state;
    make_scene(&s);
    assert_int_equal(join_answer_seal(&s.a, &s.m, &s.ephemeral, &out, NULL), ERR_OK);
    assert_int_equal(out.len, 32 + 4096 + 16);
    assert_int_equal(join_answer_open(&back, &s.m, &s.key, part(out.data, out.len), NULL), ERR_OK);
    assert_true(back.isk.len == 32 && secret_equal(back.isk.data, s.a.isk.data, 32));
    assert_true(back.account.len == 9 && secret_equal(back.account.data, "plaintext", 9));
    assert_string_equal(back.username, "alice");
    assert_string_equal(back.email, "alice@example.org");
    assert_string_equal(back.name, "desk");
    assert_true(back.has_box);
    join_answer_free(&back);
    for (size_t i = 0; i < out.len; i += i < 64 ? 1 : 97) {
        out.data[i] ^= 4;
        assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
        out.data[i] ^= 4;
        assert_int_not_equal(open_it(&s, &out, i), ERR_OK);
    }
    /* Another request, another server, another code, another key. */
    s.m.request = part_str("The request");
    assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
    s.m.request = part_str("the request");
    s.m.server = elsewhere;
    assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
    s.m.server = server;
    join_fix_code(&other, 10);
    s.m.code = &other;
    assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
    memcpy(other.id, s.code.id, sizeof(other.id)); /* the secret counts, not its name */
    assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
    s.m.code = &s.code;
    s.key.data[5] ^= 1;
    assert_int_equal(open_it(&s, &out, out.len), ERR_INTEGRITY);
    s.key.data[5] ^= 1;
    assert_int_equal(open_it(&s, &out, out.len), ERR_OK);
    join_code_free(&other);
    buf_free(&out);
    free_scene(&s);
}

/* ---- without memory for secrets ---- */

static struct scene short_of_memory;
static struct buf short_answer, short_opening;

/* What there is no room for is not called damaged, and it is said what is missing. */
static int told(int rc, const struct err *err)
{
    if (rc == ERR_NOMEM)
        assert_non_null(strstr(err->msg, "memory"));
    return rc;
}

static int open_short_answer(void)
{
    const struct scene *s = &short_of_memory;
    struct join_answer back = {0};
    struct err err = {0};
    int rc =
        join_answer_open(&back, &s->m, &s->key, part(short_answer.data, short_answer.len), &err);

    assert_int_equal(back.isk.len, rc == ERR_OK ? 32 : 0);
    join_answer_free(&back);
    return told(rc, &err);
}

static int open_short_opening(void)
{
    struct join_code theirs = {0};
    struct join_meeting at = short_of_memory.m;
    struct err err = {0};
    int rc = secret_copy(&theirs.secret, short_of_memory.code.secret.data,
                         short_of_memory.code.secret.len, &err);

    memcpy(theirs.id, short_of_memory.code.id, sizeof(theirs.id));
    at.code = &theirs;
    if (rc == ERR_OK)
        rc = join_opening_open(&theirs, &at, part(short_opening.data, short_opening.len), &err);
    join_code_free(&theirs);
    return told(rc, &err);
}

static void test_without_locked_memory(void **state)
{
    struct scene *s = &short_of_memory;

    (void)state;
    make_scene(s);
    assert_int_equal(join_answer_seal(&s->a, &s->m, &s->ephemeral, &short_answer, NULL), ERR_OK);
    assert_int_equal(join_opening_seal(&s->m, &short_opening, NULL), ERR_OK);
    locked_heap_run(open_short_answer);
    locked_heap_run(open_short_opening);
    buf_free(&short_answer);
    buf_free(&short_opening);
    free_scene(s);
}

/* The number that people compare belongs to nonce, user, server and request. */
static void test_the_number(void **state)
{
    struct join_code c = {0}, other = {0};
    struct join_meeting m = {.code = &c, .server = server, .request = part("request", 7)};
    char one[JOIN_CHECK_TEXT], two[JOIN_CHECK_TEXT];

    (void)state;
    join_fix_code(&c, 1);
    join_fix_code(&other, 2);
    assert_int_equal(join_check(&m, one, NULL), ERR_OK);
    assert_int_equal(strlen(one), 7);
    assert_int_equal(one[3], ' ');
    assert_int_equal(strspn(one, "0123456789 "), 7);
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_equal(one, two);
    m.request = part("another", 7);
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_not_equal(one, two);
    m.request = part("request", 7);
    m.server = elsewhere;
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_not_equal(one, two);
    m.server = server;
    m.code = &other;
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_not_equal(one, two);
    m.code = &c;
    c.uid = join_fix_somebody;
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_not_equal(one, two);
    c.uid = join_fix_owner;
    c.nonce.data[31] ^= 1; /* the secret alone says nothing on it */
    assert_int_equal(join_check(&m, two, NULL), ERR_OK);
    assert_string_not_equal(one, two);
    join_code_free(&c);
    join_code_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_number),     cmocka_unit_test(test_requests),
        cmocka_unit_test(test_versions),       cmocka_unit_test(test_openings),
        cmocka_unit_test(test_wrong_openings), cmocka_unit_test(test_one_guest),
        cmocka_unit_test(test_answers),        cmocka_unit_test(test_without_locked_memory),
    };

    (void)secret_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
