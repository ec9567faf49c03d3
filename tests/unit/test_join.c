/* SPDX-License-Identifier: Apache-2.0 */
/* Codes for new devices, and what is sealed under them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/join.h"
#include "common/crypto/base32.h"
#include "common/crypto/x25519.h"

static const struct server_id server = {{7, 7, 7}}, elsewhere = {{8}};

static void make_code(struct join_code *c, uint8_t fill)
{
    struct secret s = {0};

    assert_int_equal(secret_new(&s, JOIN_SECRET_LEN, NULL), ERR_OK);
    memset(s.data, fill, s.len);
    assert_int_equal(join_code_make(c, &s, NULL), ERR_OK);
    assert_int_equal(s.len, 0);
}

/* ---- the code ---- */

static void test_base32(void **state)
{
    uint8_t back[8];

    (void)state;
    assert_true(base32_decode(back, 6, "MZXW6YTBOI"));
    assert_memory_equal(back, "foobar", 6);
    assert_false(base32_decode(back, 6, "MZXW6YTBOj"));
    assert_false(base32_decode(back, 6, "MZXW6YTB"));
    assert_true(base32_decode(back, 1, "MY"));
    assert_false(base32_decode(back, 1, "MZ")); /* a bit that is left over */
}

static void test_a_code_as_it_is_typed(void **state)
{
    struct join_code c = {0}, back = {0};
    struct secret text = {0};
    char typed[128];
    size_t n = 0;

    (void)state;
    make_code(&c, 0x5a);
    assert_int_equal(join_code_show(&c, &text, NULL), ERR_OK);
    assert_int_equal(text.len, JOIN_CODE_TEXT);
    assert_int_equal(strlen((char *)text.data), JOIN_CODE_TEXT - 1);
    assert_int_equal(join_code_read(&back, (char *)text.data, NULL), ERR_OK);
    assert_memory_equal(back.id, c.id, JOIN_ID_LEN);
    join_code_free(&back);
    for (const char *p = (char *)text.data; *p != '\0'; p++) {
        char ch = *p == 'O' ? '0' : *p == 'I' ? '1' : *p == 'B' ? '8' : *p;

        typed[n++] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch == '-' ? ' ' : ch);
    }
    memcpy(typed + n, " \r", 3);
    assert_int_equal(join_code_read(&back, typed, NULL), ERR_OK);
    assert_memory_equal(back.id, c.id, JOIN_ID_LEN);
    join_code_free(&back);
    secret_free(&text);
    join_code_free(&c);
}

/* Every letter that is another one is noticed, and nothing else is taken for a code. */
static void test_codes_that_are_none(void **state)
{
    static const char *const bad[] = {"",
                                      "ABCD",
                                      "!",
                                      "ABCD-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFG",
                                      "ABCD-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFGHA",
                                      "AB\xc3\xa4-EFGH-ABCD-EFGH-ABCD-EFGH-ABCD-EFGH"};
    struct join_code c = {0}, back = {0};
    struct secret text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(join_code_read(&back, bad[i], NULL), ERR_INVALID);
    make_code(&c, 3);
    assert_int_equal(join_code_show(&c, &text, NULL), ERR_OK);
    for (size_t i = 0; i + 1 < text.len; i++) {
        uint8_t was = text.data[i];

        if (was == '-')
            continue;
        text.data[i] = was == 'A' ? 'C' : 'A';
        assert_int_equal(join_code_read(&back, (char *)text.data, NULL), ERR_INVALID);
        text.data[i] = was;
    }
    secret_free(&text);
    join_code_free(&c);
}

/* ---- requests ---- */

static struct join_request a_request(void)
{
    struct join_request r = {.has_pin = true, .name = "lap\xc3\xa9top"};

    memset(r.device_key, 1, sizeof(r.device_key));
    memset(r.box, 2, sizeof(r.box));
    memset(r.pin.b, 4, sizeof(r.pin.b));
    return r;
}

static void test_requests(void **state)
{
    struct join_request r = a_request(), back;
    struct join_code c = {0}, other = {0};
    struct buf one = {0}, two = {0};

    (void)state;
    make_code(&c, 1);
    make_code(&other, 2);
    assert_int_equal(join_request_seal(&r, &c, &server, &one, NULL), ERR_OK);
    assert_int_equal(join_request_seal(&r, &c, &server, &two, NULL), ERR_OK);
    assert_int_equal(one.len, two.len);
    assert_memory_not_equal(one.data, two.data, one.len);
    assert_int_equal(join_request_open(&back, &c, &server, part(one.data, one.len), NULL), ERR_OK);
    assert_memory_equal(&back, &r, sizeof(r));
    assert_int_equal(join_request_open(&back, &other, &server, part(one.data, one.len), NULL),
                     ERR_INTEGRITY);
    assert_int_equal(join_request_open(&back, &c, &elsewhere, part(one.data, one.len), NULL),
                     ERR_INTEGRITY);
    for (size_t i = 0; i < one.len; i++) {
        one.data[i] ^= 1;
        assert_int_equal(join_request_open(&back, &c, &server, part(one.data, one.len), NULL),
                         ERR_INTEGRITY);
        one.data[i] ^= 1;
        assert_int_not_equal(join_request_open(&back, &c, &server, part(one.data, i), NULL),
                             ERR_OK);
    }
    buf_free(&one);
    (void)snprintf(r.name, sizeof(r.name), "a\nb"); /* a name that moves a cursor */
    assert_int_equal(join_request_seal(&r, &c, &server, &one, NULL), ERR_OK);
    assert_int_equal(join_request_open(&back, &c, &server, part(one.data, one.len), NULL),
                     ERR_INVALID);
    buf_free(&one);
    buf_free(&two);
    join_code_free(&c);
    join_code_free(&other);
}

/* ---- answers ---- */

struct scene {
    struct join_code code;
    struct join_meeting m;
    struct secret key, ephemeral;
    uint8_t public[IDS_KEY_LEN];
    struct join_answer a;
};

static void make_scene(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    make_code(&s->code, 9);
    s->m = (struct join_meeting){
        .code = &s->code, .server = server, .request = part_str("the request")};
    assert_int_equal(secret_copy(&s->key, "0123456789abcdef0123456789abcdef", 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&s->ephemeral, "fedcba9876543210fedcba9876543210", 32, NULL),
                     ERR_OK);
    assert_int_equal(x25519_public(s->public, s->key.data), ERR_OK);
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
    assert_int_equal(join_answer_seal(&s.a, &s.m, s.public, &s.ephemeral, &out, NULL), ERR_OK);
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
    make_code(&other, 10);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_a_code_as_it_is_typed),
        cmocka_unit_test(test_codes_that_are_none),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
    };

    (void)secret_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
