/* SPDX-License-Identifier: Apache-2.0 */
/* vectors: proto/vectors made anew, and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/join.h"
#include "common/buf.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/transfer/event_log.h"
#include "common/transfer/login.h"
#include "common/transfer/next_pin.h"
#include "common/transfer/statement.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors.h"
#include "tests/unit/vector_file.h"

/* ---- writing ---- */

static void test_made_anew(void **state)
{
    (void)state;
    for (size_t i = 0; vectors_names[i] != NULL; i++) {
        struct file f;
        char *made = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&made, &len);

        vectors_write(vectors_names[i], out);
        assert_int_equal(fclose(out), 0);
        load(vectors_names[i], &f);
        if (len + 1 != f.raw.len || memcmp(made, f.raw.data, len) != 0)
            fail_msg("%s.json is not what the code makes: a format has changed", vectors_names[i]);
        free(made);
        buf_free(&f.raw);
    }
}

/* ---- reading ---- */

static void test_identifiers(void **state)
{
    struct file f;
    int n = 0;

    (void)state;
    load("identifiers", &f);
    while (next_case(&f, "user")) {
        char text[IDS_UID_TEXT];
        struct uid uid, from_text;
        struct device_id device;
        struct ek_id ek;

        assert_int_equal(ids_uid(get(&f, "identity_key").data, get(&f, "recovery_key").data, &uid),
                         ERR_OK);
        ASSERT_BYTES(&f, "user_id", uid);
        get_text(&f, "user_id_text", text, sizeof(text));
        assert_int_equal(ids_uid_from_text(text, &from_text, NULL), ERR_OK);
        assert_memory_equal(&uid, &from_text, sizeof(uid));
        assert_int_equal(ids_device(get(&f, "device_key").data, &device), ERR_OK);
        ASSERT_BYTES(&f, "device", device);
        assert_int_equal(ids_ek((uint32_t)get_number(&f, "suite"), get(&f, "ek_public"), &ek),
                         ERR_OK);
        ASSERT_BYTES(&f, "ek_id", ek);
        n++;
    }
    assert_int_equal(n, 3);
    buf_free(&f.raw);
}

static void test_manifests(void **state)
{
    static const char *const names[] = {"first", "second", "third"};
    struct manifest *m[3] = {NULL};
    struct file f;

    (void)state;
    load("manifest", &f);
    for (size_t i = 0; i < 3; i++) {
        assert_true(next_case(&f, names[i]));
        assert_int_equal(manifest_parse(get(&f, "body"), get(&f, "signature"), &m[i], NULL),
                         ERR_OK);
        ASSERT_BYTES(&f, "hash", m[i]->hash);
        ASSERT_BYTES(&f, "user_id", m[i]->uid);
        ASSERT_BYTES(&f, "identity_key", m[i]->identity_key);
        assert_int_equal(m[i]->sequence, get_number(&f, "sequence"));
        assert_int_equal(m[i]->n_devices, get_number(&f, "devices"));
        assert_int_equal(m[i]->n_eks, get_number(&f, "keys"));
        assert_int_equal(m[i]->n_successions, get_number(&f, "successions"));
        if (i > 0)
            assert_int_equal(manifest_follows(m[i - 1], m[i], NULL), ERR_OK);
    }
    for (size_t i = 0; i < 3; i++)
        manifest_free(m[i]);
    buf_free(&f.raw);
}

static void test_login(void **state)
{
    struct login_registration r = {0};
    struct login l = {.time = 0};
    struct next_pin n;
    char username[64], email[64];
    uint8_t key[32];
    struct file f;

    (void)state;
    load("login", &f);
    assert_true(next_case(&f, "register"));
    GET(&f, "server_id", r.server);
    GET(&f, "exporter", r.exporter);
    GET(&f, "manifest_hash", r.manifest);
    get_text(&f, "username", username, sizeof(username));
    get_text(&f, "email", email, sizeof(email));
    r.username = username;
    r.email = email;
    assert_int_equal(ed25519_public(key, get(&f, "identity_seed").data), ERR_OK);
    assert_int_equal(login_register_check(&r, key, get(&f, "signature"), NULL), ERR_OK);
    assert_true(next_case(&f, "login"));
    GET(&f, "server_id", l.server);
    GET(&f, "nonce", l.nonce);
    GET(&f, "exporter", l.exporter);
    GET(&f, "user_id", l.uid);
    GET(&f, "device", l.device);
    l.time = get_number(&f, "time");
    assert_int_equal(ed25519_public(key, get(&f, "device_seed").data), ERR_OK);
    assert_int_equal(login_check(&l, key, get(&f, "signature"), NULL), ERR_OK);
    assert_true(next_case(&f, "next pin"));
    GET(&f, "server_id", n.server);
    GET(&f, "pin", n.now);
    GET(&f, "next_pin", n.next);
    assert_int_equal(next_pin_check(&n, get(&f, "server_key").data, get(&f, "signature"), NULL),
                     ERR_OK);
    buf_free(&f.raw);
}

static void get_place(const struct file *f, struct share_place *place)
{
    GET(f, "tid", place->tid);
    GET(f, "user_id", place->uid);
    GET(f, "ek_id", place->ek_id);
}

static void test_shares(void **state)
{
    struct share_place place;
    struct share_pair pair = {0};
    struct instance_id instance;
    struct secret seed = {0}, day = {0}, slot = {0};
    struct share_cells cells = {&day, &slot};
    uint8_t o[SHARE_OUTPUT_LEN], a[SHARE_INPUT_LEN];
    struct hash32 commit;
    struct file f;
    int n = 0;

    (void)state;
    load("share", &f);
    while (next_case(&f, "share")) {
        get_place(&f, &place);
        get_secret(&f, "seed", &seed);
        GET(&f, "instance_id", instance);
        GET(&f, "o", o);
        assert_int_equal(share_input(&seed, &place, a), ERR_OK);
        ASSERT_BYTES(&f, "a", a);
        assert_int_equal(share_output(&seed, &place, &instance, o, &pair), ERR_OK);
        assert_bytes(&f, "share_meta", pair.meta.data, SHARE_LEN);
        assert_bytes(&f, "share_body", pair.body.data, SHARE_LEN);
        assert_int_equal(share_commit(SHARE_BODY, &place, &pair.body, &commit), ERR_OK);
        ASSERT_BYTES(&f, "share_commit_body", commit);
        n++;
    }
    assert_int_equal(n, 2);
    assert_true(next_case(&f, "sealed seed"));
    get_place(&f, &place);
    get_secret(&f, "day_key", &day);
    get_secret(&f, "slot_key", &slot);
    assert_int_equal(share_open_seed(&cells, &place, get(&f, "sealed_seed"), &seed, NULL), ERR_OK);
    assert_bytes(&f, "seed", seed.data, SHARE_SEED_LEN);
    share_pair_free(&pair);
    secret_free(&seed);
    secret_free(&day);
    secret_free(&slot);
    buf_free(&f.raw);
}

static void test_slots(void **state)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    struct secret ek = {0}, share = {0}, key = {0};
    struct file f;

    (void)state;
    load("slot", &f);
    for (size_t i = 0; i < 3; i++) {
        struct header h;
        struct slot s;
        struct uid to;
        struct slot_open in = {.header = &h, .to = &to, .slot = &s, .ek = &ek};

        assert_true(next_case(&f, names[i]));
        assert_int_equal(header_parse(get(&f, "header"), &h, NULL), ERR_OK);
        assert_int_equal(slot_parse(get(&f, "slot"), &s, NULL), ERR_OK);
        GET(&f, "recipient", to);
        get_secret(&f, "ek_private", &ek);
        get_secret(&f, "share_meta", &share);
        assert_int_equal(slot_open(&in, SHARE_META, &share, &key, NULL), ERR_OK);
        assert_bytes(&f, "mek", key.data, key.len);
        get_secret(&f, "share_body", &share);
        assert_int_equal(slot_open(&in, SHARE_BODY, &share, &key, NULL), ERR_OK);
        assert_bytes(&f, "cek", key.data, key.len);
    }
    secret_free(&ek);
    secret_free(&share);
    secret_free(&key);
    buf_free(&f.raw);
}

static void check_tree_row(const struct file *f, const struct header *h)
{
    struct part path[SLOT_PROOF_MAX];
    struct part all = get(f, "proof");
    struct slot_proof p = {.slot = get(f, "slot"),
                           .index = (uint32_t)get_number(f, "slot_index"),
                           .path = path,
                           .path_len = all.len / IDS_HASH_LEN};

    for (size_t i = 0; i < p.path_len; i++)
        path[i] = part((const uint8_t *)all.data + i * IDS_HASH_LEN, IDS_HASH_LEN);
    assert_int_equal(slot_in_root(&p, h, NULL), ERR_OK);
}

static void test_header(void **state)
{
    struct header h;
    uint8_t key[32];
    struct file f;
    int n = 0;

    (void)state;
    load("header", &f);
    assert_true(next_case(&f, "header"));
    assert_int_equal(header_parse(get(&f, "header"), &h, NULL), ERR_OK);
    assert_int_equal(header_check(&h, NULL), ERR_OK);
    assert_int_equal(ed25519_public(key, get(&f, "device_seed").data), ERR_OK);
    assert_int_equal(header_verify(get(&f, "header"), get(&f, "signature"), key, NULL), ERR_OK);
    ASSERT_BYTES(&f, "tid", h.tid);
    ASSERT_BYTES(&f, "sender", h.sender);
    ASSERT_BYTES(&f, "manifest", h.manifest);
    ASSERT_BYTES(&f, "device", h.device);
    ASSERT_BYTES(&f, "kid", h.kid);
    ASSERT_BYTES(&f, "cid", h.cid);
    ASSERT_BYTES(&f, "mkid", h.mkid);
    ASSERT_BYTES(&f, "salt", h.salt);
    ASSERT_BYTES(&f, "commitment", h.commitment);
    ASSERT_BYTES(&f, "body_root", h.body_root);
    ASSERT_BYTES(&f, "metadata_hash", h.metadata_hash);
    ASSERT_BYTES(&f, "slots_root", h.slots_root);
    assert_true(h.created == get_number(&f, "created") && h.expires == get_number(&f, "expires"));
    assert_true(h.opens == get_number(&f, "opens") && h.tweak == get_number(&f, "tweak"));
    assert_true(h.body_length == get_number(&f, "body_length"));
    while (next_case(&f, "slot in its tree")) {
        check_tree_row(&f, &h);
        n++;
    }
    assert_int_equal(n, 3);
    buf_free(&f.raw);
}

static void test_metadata(void **state)
{
    struct metadata m = {0};
    struct secret mek = {0};
    struct hash32 mkid;
    struct tid tid;
    struct file f;

    (void)state;
    load("metadata", &f);
    assert_true(next_case(&f, "metadata"));
    get_secret(&f, "mek", &mek);
    GET(&f, "tid", tid);
    assert_int_equal(metadata_mkid(&mek, &tid, &mkid), ERR_OK);
    ASSERT_BYTES(&f, "mkid", mkid);
    assert_int_equal(metadata_open(&mek, &tid, get(&f, "sealed"), &m, NULL), ERR_OK);
    assert_bytes(&f, "name", m.name, strlen(m.name));
    assert_true(m.length == get_number(&f, "length") && m.modified == get_number(&f, "modified"));
    metadata_free(&m);
    secret_free(&mek);
    buf_free(&f.raw);
}

static void open_body(const struct file *f, const struct header *h, const struct body *b)
{
    uint8_t *out = malloc(BODY_PIECE_SEALED);

    for (uint32_t i = 0; i < body_pieces(h->body_length); i++) {
        char name[32];
        struct hash32 leaf;
        struct part piece;

        if (body_sealed_len(h->body_length, i) > 100)
            continue; /* the file has its hash only, which test_made_anew() compares */
        (void)snprintf(name, sizeof(name), "piece_%u_leaf", i);
        GET(f, name, leaf);
        (void)snprintf(name, sizeof(name), "piece_%u", i);
        piece = get(f, name);
        assert_int_equal(body_open_piece(b, i, &leaf, piece, out), ERR_OK);
        for (size_t k = 0; k < body_plain_len(h->body_length, i); k++)
            assert_int_equal(out[k], ((size_t)i * BODY_PIECE_PLAIN + k) % 251);
    }
    free(out);
}

static void test_bodies(void **state)
{
    struct secret cek = {0};
    struct file f;
    int n = 0;

    (void)state;
    load("body", &f);
    while (next_case(&f, "byte i")) {
        struct header h = {.tweak = (uint32_t)get_number(&f, "tweak"),
                           .body_length = get_number(&f, "body_length")};
        struct body *b = NULL;

        GET(&f, "tid", h.tid);
        GET(&f, "sender", h.sender);
        GET(&f, "salt", h.salt);
        GET(&f, "kid", h.kid);
        GET(&f, "cid", h.cid);
        GET(&f, "commitment", h.commitment);
        get_secret(&f, "cek", &cek);
        assert_int_equal(body_match(&cek, &h, &b, NULL), ERR_OK);
        assert_int_equal(body_pieces(h.body_length), get_number(&f, "pieces"));
        open_body(&f, &h, b);
        body_free(b);
        n++;
    }
    assert_int_equal(n, 5);
    secret_free(&cek);
    buf_free(&f.raw);
}

static void test_statements(void **state)
{
    static const enum signed_purpose purposes[] = {SIGNED_RECEIPT, SIGNED_EXTEND};
    struct file f;
    int n = 0;

    (void)state;
    load("statement", &f);
    for (; next_case(&f, n == 0 ? "receipt" : "extend"); n++) {
        struct part raw = get(&f, "signed");
        uint8_t key[IDS_KEY_LEN];
        struct statement s;

        assert_int_equal(statement_read(raw, &s, NULL), ERR_OK);
        ASSERT_BYTES(&f, "user_id", s.user);
        assert_int_equal(s.expires, get_number(&f, "expires"));
        assert_int_equal(ed25519_public(key, get(&f, "device_seed").data), ERR_OK);
        assert_int_equal(statement_verify(purposes[n], raw, key, NULL), ERR_OK);
    }
    assert_int_equal(n, 2);
    buf_free(&f.raw);
}

static void test_events(void **state)
{
    struct event_log_head head;
    struct hash32 last = {0};
    struct file f;
    uint32_t n = 0;

    (void)state;
    load("events", &f);
    while (next_case(&f, "event")) {
        struct event_log_row row = {.number = ++n,
                                    .time = get_number(&f, "time"),
                                    .kind = (uint16_t)get_number(&f, "kind"),
                                    .data = get(&f, "data")};
        struct hash32 prev = last;
        struct tid tid;

        GET(&f, "tid", tid);
        GET(&f, "user_id", row.uid);
        assert_int_equal(event_log_hash(&tid, &row, &prev, &last), ERR_OK);
        ASSERT_BYTES(&f, "hash", last);
    }
    assert_int_equal(n, 5);
    assert_true(next_case(&f, "head"));
    assert_int_equal(event_log_head_read(get(&f, "body"), &head, NULL), ERR_OK);
    assert_int_equal(head.number, n);
    assert_memory_equal(&head.hash, &last, sizeof(last));
    ASSERT_BYTES(&f, "server_id", head.server);
    buf_free(&f.raw);
}

/* ---- a second device ---- */

/* The code of the case, as whoever has read it knows it. */
static void get_code(const struct file *f, struct join_code *ret)
{
    get_secret(f, "secret", &ret->secret);
    GET(f, "id", ret->id);
}

static void read_request(struct file *f, const char *kind)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    struct join_request r;
    char name[IDENTITY_NAME_SIZE];

    assert_true(next_case(f, kind));
    get_code(f, &c);
    GET(f, "server_id", m.server);
    m.request = get(f, "request");
    assert_int_equal(join_request_open(&r, &m, NULL), ERR_OK);
    ASSERT_BYTES(f, "device_key", r.device_key);
    ASSERT_BYTES(f, "box", r.box);
    ASSERT_BYTES(f, "key", r.key);
    get_text(f, "name", name, sizeof(name));
    assert_string_equal(r.name, name);
    assert_int_equal(r.has_pin, get(f, "pin").len > 0);
    if (r.has_pin)
        ASSERT_BYTES(f, "pin", r.pin);
    join_code_free(&c);
}

static void read_opening(struct file *f)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    char check[JOIN_CHECK_TEXT], shown[JOIN_CHECK_TEXT];

    assert_true(next_case(f, "opening"));
    get_code(f, &c);
    GET(f, "server_id", m.server);
    m.request = get(f, "request");
    assert_int_equal(join_opening_open(&c, &m, get(f, "opening"), NULL), ERR_OK);
    assert_bytes(f, "nonce", c.nonce.data, c.nonce.len);
    ASSERT_BYTES(f, "user_id", c.uid);
    assert_int_equal(join_check(&m, check, NULL), ERR_OK);
    get_text(f, "check", shown, sizeof(shown));
    assert_string_equal(check, shown);
    join_code_free(&c);
}

static void read_answer(struct file *f)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    struct join_answer a = {0};
    struct secret key = {0};
    char text[IDS_EMAIL_TEXT];

    assert_true(next_case(f, "answer"));
    get_code(f, &c);
    get_secret(f, "key_private", &key);
    GET(f, "server_id", m.server);
    m.request = get(f, "request");
    assert_int_equal(join_answer_open(&a, &m, &key, get(f, "answer"), NULL), ERR_OK);
    assert_bytes(f, "identity_seed", a.isk.data, a.isk.len);
    assert_bytes(f, "account", a.account.data, a.account.len);
    assert_true(a.has_box);
    ASSERT_BYTES(f, "recovery_box", a.recovery_box);
    ASSERT_BYTES(f, "manifest", a.manifest);
    get_text(f, "username", text, sizeof(text));
    assert_string_equal(a.username, text);
    get_text(f, "email", text, sizeof(text));
    assert_string_equal(a.email, text);
    get_text(f, "name", text, sizeof(text));
    assert_string_equal(a.name, text);
    join_answer_free(&a);
    join_code_free(&c);
    secret_free(&key);
}

static void test_join(void **state)
{
    struct join_code c = {0};
    struct file f;
    char text[JOIN_CODE_TEXT];

    (void)state;
    load("join", &f);
    assert_true(next_case(&f, "code"));
    get_text(&f, "code", text, sizeof(text));
    assert_int_equal(join_code_read(&c, text, NULL), ERR_OK);
    assert_bytes(&f, "secret", c.secret.data, c.secret.len);
    ASSERT_BYTES(&f, "id", c.id);
    join_code_free(&c);
    read_request(&f, "request without a pin");
    read_request(&f, "request");
    read_opening(&f);
    read_answer(&f);
    buf_free(&f.raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_anew), cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_manifests), cmocka_unit_test(test_login),
        cmocka_unit_test(test_shares),    cmocka_unit_test(test_slots),
        cmocka_unit_test(test_header),    cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_bodies),    cmocka_unit_test(test_statements),
        cmocka_unit_test(test_events),    cmocka_unit_test(test_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
