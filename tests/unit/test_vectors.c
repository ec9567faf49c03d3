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
#include "common/transfer/preview.h"
#include "common/transfer/statement.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors.h"
#include "tests/unit/vector_file.h"

/* ---- writing ---- */

static void test_made_anew(void **state)
{
    (void)state;
    for (size_t i = 0; vectors_names[i] != NULL; i++) {
        struct vector_file f;
        char *made = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&made, &len);

        vectors_write(vectors_names[i], out);
        assert_int_equal(fclose(out), 0);
        vector_load(vectors_names[i], &f);
        if (len + 1 != f.raw.len || memcmp(made, f.raw.data, len) != 0)
            fail_msg("%s.json is not what the code makes: a format has changed", vectors_names[i]);
        free(made);
        buf_free(&f.raw);
    }
}

/* ---- reading ---- */

static void test_identifiers(void **state)
{
    struct vector_file f;
    int n = 0;

    (void)state;
    vector_load("identifiers", &f);
    while (vector_next(&f, "user")) {
        char text[IDS_UID_TEXT];
        struct uid uid, from_text;
        struct device_id device;
        struct ek_id ek;

        assert_int_equal(
            ids_uid(vector_get(&f, "identity_key").data, vector_get(&f, "recovery_key").data, &uid),
            ERR_OK);
        VECTOR_ASSERT(&f, "user_id", uid);
        vector_text(&f, "user_id_text", text, sizeof(text));
        assert_int_equal(ids_uid_from_text(text, &from_text, NULL), ERR_OK);
        assert_memory_equal(&uid, &from_text, sizeof(uid));
        assert_int_equal(ids_device(vector_get(&f, "device_key").data, &device), ERR_OK);
        VECTOR_ASSERT(&f, "device", device);
        assert_int_equal(
            ids_ek((uint32_t)vector_number(&f, "suite"), vector_get(&f, "ek_public"), &ek), ERR_OK);
        VECTOR_ASSERT(&f, "ek_id", ek);
        n++;
    }
    assert_int_equal(n, 3);
    buf_free(&f.raw);
}

static void test_manifests(void **state)
{
    static const char *const names[] = {"first", "second", "third"};
    struct manifest *m[3] = {NULL};
    struct vector_file f;

    (void)state;
    vector_load("manifest", &f);
    for (size_t i = 0; i < 3; i++) {
        assert_true(vector_next(&f, names[i]));
        assert_int_equal(
            manifest_parse(vector_get(&f, "body"), vector_get(&f, "signature"), &m[i], NULL),
            ERR_OK);
        VECTOR_ASSERT(&f, "hash", m[i]->hash);
        VECTOR_ASSERT(&f, "user_id", m[i]->uid);
        VECTOR_ASSERT(&f, "identity_key", m[i]->identity_key);
        assert_int_equal(m[i]->sequence, vector_number(&f, "sequence"));
        assert_int_equal(m[i]->n_devices, vector_number(&f, "devices"));
        assert_int_equal(m[i]->n_eks, vector_number(&f, "keys"));
        assert_int_equal(m[i]->n_successions, vector_number(&f, "successions"));
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
    struct vector_file f;

    (void)state;
    vector_load("login", &f);
    assert_true(vector_next(&f, "register"));
    VECTOR_GET(&f, "server_id", r.server);
    VECTOR_GET(&f, "exporter", r.exporter);
    VECTOR_GET(&f, "manifest_hash", r.manifest);
    vector_text(&f, "username", username, sizeof(username));
    vector_text(&f, "email", email, sizeof(email));
    r.username = username;
    r.email = email;
    assert_int_equal(ed25519_public(key, vector_get(&f, "identity_seed").data), ERR_OK);
    assert_int_equal(login_register_check(&r, key, vector_get(&f, "signature"), NULL), ERR_OK);
    assert_true(vector_next(&f, "login"));
    VECTOR_GET(&f, "server_id", l.server);
    VECTOR_GET(&f, "nonce", l.nonce);
    VECTOR_GET(&f, "exporter", l.exporter);
    VECTOR_GET(&f, "user_id", l.uid);
    VECTOR_GET(&f, "device", l.device);
    l.time = vector_number(&f, "time");
    assert_int_equal(ed25519_public(key, vector_get(&f, "device_seed").data), ERR_OK);
    assert_int_equal(login_check(&l, key, vector_get(&f, "signature"), NULL), ERR_OK);
    assert_true(vector_next(&f, "next pin"));
    VECTOR_GET(&f, "server_id", n.server);
    VECTOR_GET(&f, "pin", n.now);
    VECTOR_GET(&f, "next_pin", n.next);
    assert_int_equal(
        next_pin_check(&n, vector_get(&f, "server_key").data, vector_get(&f, "signature"), NULL),
        ERR_OK);
    buf_free(&f.raw);
}

static void get_place(const struct vector_file *f, struct share_place *place)
{
    VECTOR_GET(f, "tid", place->tid);
    VECTOR_GET(f, "user_id", place->uid);
    VECTOR_GET(f, "ek_id", place->ek_id);
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
    struct vector_file f;
    int n = 0;

    (void)state;
    vector_load("share", &f);
    while (vector_next(&f, "share")) {
        get_place(&f, &place);
        vector_secret(&f, "seed", &seed);
        VECTOR_GET(&f, "instance_id", instance);
        VECTOR_GET(&f, "o", o);
        assert_int_equal(share_input(&seed, &place, a), ERR_OK);
        VECTOR_ASSERT(&f, "a", a);
        assert_int_equal(share_output(&seed, &place, &instance, o, &pair), ERR_OK);
        vector_assert(&f, "share_meta", pair.meta.data, SHARE_LEN);
        vector_assert(&f, "share_body", pair.body.data, SHARE_LEN);
        assert_int_equal(share_commit(SHARE_BODY, &place, &pair.body, &commit), ERR_OK);
        VECTOR_ASSERT(&f, "share_commit_body", commit);
        n++;
    }
    assert_int_equal(n, 2);
    assert_true(vector_next(&f, "sealed seed"));
    get_place(&f, &place);
    vector_secret(&f, "day_key", &day);
    vector_secret(&f, "slot_key", &slot);
    assert_int_equal(share_open_seed(&cells, &place, vector_get(&f, "sealed_seed"), &seed, NULL),
                     ERR_OK);
    vector_assert(&f, "seed", seed.data, SHARE_SEED_LEN);
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
    struct vector_file f;

    (void)state;
    vector_load("slot", &f);
    for (size_t i = 0; i < 3; i++) {
        struct header h;
        struct slot s;
        struct uid to;
        struct slot_open in = {.header = &h, .to = &to, .slot = &s, .ek = &ek};

        assert_true(vector_next(&f, names[i]));
        assert_int_equal(header_parse(vector_get(&f, "header"), &h, NULL), ERR_OK);
        assert_int_equal(slot_parse(vector_get(&f, "slot"), &s, NULL), ERR_OK);
        VECTOR_GET(&f, "recipient", to);
        vector_secret(&f, "ek_private", &ek);
        vector_secret(&f, "share_meta", &share);
        assert_int_equal(slot_open(&in, SHARE_META, &share, &key, NULL), ERR_OK);
        vector_assert(&f, "mek", key.data, key.len);
        vector_secret(&f, "share_body", &share);
        assert_int_equal(slot_open(&in, SHARE_BODY, &share, &key, NULL), ERR_OK);
        vector_assert(&f, "cek", key.data, key.len);
    }
    secret_free(&ek);
    secret_free(&share);
    secret_free(&key);
    buf_free(&f.raw);
}

static void check_tree_row(const struct vector_file *f, const struct header *h)
{
    struct part path[SLOT_PROOF_MAX];
    struct part all = vector_get(f, "proof");
    struct slot_proof p = {.slot = vector_get(f, "slot"),
                           .index = (uint32_t)vector_number(f, "slot_index"),
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
    struct vector_file f;
    int n = 0;

    (void)state;
    vector_load("header", &f);
    assert_true(vector_next(&f, "header"));
    assert_int_equal(header_parse(vector_get(&f, "header"), &h, NULL), ERR_OK);
    assert_int_equal(header_check(&h, NULL), ERR_OK);
    assert_int_equal(ed25519_public(key, vector_get(&f, "device_seed").data), ERR_OK);
    assert_int_equal(
        header_verify(vector_get(&f, "header"), vector_get(&f, "signature"), key, NULL), ERR_OK);
    VECTOR_ASSERT(&f, "tid", h.tid);
    VECTOR_ASSERT(&f, "sender", h.sender);
    VECTOR_ASSERT(&f, "manifest", h.manifest);
    VECTOR_ASSERT(&f, "device", h.device);
    VECTOR_ASSERT(&f, "kid", h.kid);
    VECTOR_ASSERT(&f, "cid", h.cid);
    VECTOR_ASSERT(&f, "mkid", h.mkid);
    VECTOR_ASSERT(&f, "salt", h.salt);
    VECTOR_ASSERT(&f, "commitment", h.commitment);
    VECTOR_ASSERT(&f, "body_root", h.body_root);
    VECTOR_ASSERT(&f, "metadata_hash", h.metadata_hash);
    VECTOR_ASSERT(&f, "slots_root", h.slots_root);
    assert_true(h.created == vector_number(&f, "created") &&
                h.expires == vector_number(&f, "expires"));
    assert_true(h.opens == vector_number(&f, "opens") && h.tweak == vector_number(&f, "tweak"));
    assert_true(h.body_length == vector_number(&f, "body_length"));
    while (vector_next(&f, "slot in its tree")) {
        check_tree_row(&f, &h);
        n++;
    }
    assert_int_equal(n, 3);
    buf_free(&f.raw);
}

static void check_preview(const struct vector_file *f, const struct metadata *m,
                          const struct secret *mek, const struct tid *tid)
{
    uint8_t latent[PREVIEW_LATENT_MAX];
    size_t len = 0;

    assert_true(m->weights_told);
    VECTOR_ASSERT(f, "preview_weights", m->preview_weights);
    assert_int_equal(preview_open(m, mek, tid, latent, &len, NULL), ERR_OK);
    vector_assert(f, "latent", latent, len);
}

static void test_metadata(void **state)
{
    struct vector_file f;

    (void)state;
    vector_load("metadata", &f);
    for (int preview = 0; preview < 2; preview++) {
        struct metadata m = {0};
        struct secret mek = {0};
        struct hash32 mkid;
        struct tid tid;

        assert_true(vector_next(&f, preview ? "metadata with a preview" : "metadata"));
        vector_secret(&f, "mek", &mek);
        VECTOR_GET(&f, "tid", tid);
        assert_int_equal(metadata_mkid(&mek, &tid, &mkid), ERR_OK);
        VECTOR_ASSERT(&f, "mkid", mkid);
        assert_int_equal(metadata_open(&mek, &tid, vector_get(&f, "sealed"), &m, NULL), ERR_OK);
        vector_assert(&f, "name", m.name, strlen(m.name));
        assert_true(m.length == vector_number(&f, "length") &&
                    m.modified == vector_number(&f, "modified"));
        assert_true(preview == (m.preview != NULL));
        if (preview)
            check_preview(&f, &m, &mek, &tid);
        metadata_free(&m);
        secret_free(&mek);
    }
    buf_free(&f.raw);
}

static void open_body(const struct vector_file *f, const struct header *h, const struct body *b)
{
    uint8_t *out = malloc(BODY_PIECE_SEALED);

    for (uint32_t i = 0; i < body_pieces(h->body_length); i++) {
        char name[32];
        struct hash32 leaf;
        struct part piece;

        if (body_sealed_len(h->body_length, i) > 100)
            continue; /* the file has its hash only, which test_made_anew() compares */
        (void)snprintf(name, sizeof(name), "piece_%u_leaf", i);
        VECTOR_GET(f, name, leaf);
        (void)snprintf(name, sizeof(name), "piece_%u", i);
        piece = vector_get(f, name);
        assert_int_equal(body_open_piece(b, i, &leaf, piece, out), ERR_OK);
        for (size_t k = 0; k < body_plain_len(h->body_length, i); k++)
            assert_int_equal(out[k], ((size_t)i * BODY_PIECE_PLAIN + k) % 251);
    }
    free(out);
}

static void test_bodies(void **state)
{
    struct secret cek = {0};
    struct vector_file f;
    int n = 0;

    (void)state;
    vector_load("body", &f);
    while (vector_next(&f, "byte i")) {
        struct header h = {.tweak = (uint32_t)vector_number(&f, "tweak"),
                           .body_length = vector_number(&f, "body_length")};
        struct body *b = NULL;

        VECTOR_GET(&f, "tid", h.tid);
        VECTOR_GET(&f, "sender", h.sender);
        VECTOR_GET(&f, "salt", h.salt);
        VECTOR_GET(&f, "kid", h.kid);
        VECTOR_GET(&f, "cid", h.cid);
        VECTOR_GET(&f, "commitment", h.commitment);
        vector_secret(&f, "cek", &cek);
        assert_int_equal(body_match(&cek, &h, &b, NULL), ERR_OK);
        assert_int_equal(body_pieces(h.body_length), vector_number(&f, "pieces"));
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
    struct vector_file f;
    int n = 0;

    (void)state;
    vector_load("statement", &f);
    for (; vector_next(&f, n == 0 ? "receipt" : "extend"); n++) {
        struct part raw = vector_get(&f, "signed");
        uint8_t key[IDS_KEY_LEN];
        struct statement s;

        assert_int_equal(statement_read(raw, &s, NULL), ERR_OK);
        VECTOR_ASSERT(&f, "user_id", s.user);
        assert_int_equal(s.expires, vector_number(&f, "expires"));
        assert_int_equal(ed25519_public(key, vector_get(&f, "device_seed").data), ERR_OK);
        assert_int_equal(statement_verify(purposes[n], raw, key, NULL), ERR_OK);
    }
    assert_int_equal(n, 2);
    buf_free(&f.raw);
}

static void test_events(void **state)
{
    struct event_log_head head;
    struct hash32 last = {0};
    struct vector_file f;
    uint32_t n = 0;

    (void)state;
    vector_load("events", &f);
    while (vector_next(&f, "event")) {
        struct event_log_row row = {.number = ++n,
                                    .time = vector_number(&f, "time"),
                                    .kind = (uint16_t)vector_number(&f, "kind"),
                                    .data = vector_get(&f, "data")};
        struct hash32 prev = last;
        struct tid tid;

        VECTOR_GET(&f, "tid", tid);
        VECTOR_GET(&f, "user_id", row.uid);
        assert_int_equal(event_log_hash(&tid, &row, &prev, &last), ERR_OK);
        VECTOR_ASSERT(&f, "hash", last);
    }
    assert_int_equal(n, 5);
    assert_true(vector_next(&f, "head"));
    assert_int_equal(event_log_head_read(vector_get(&f, "body"), &head, NULL), ERR_OK);
    assert_int_equal(head.number, n);
    assert_memory_equal(&head.hash, &last, sizeof(last));
    VECTOR_ASSERT(&f, "server_id", head.server);
    buf_free(&f.raw);
}

/* ---- a second device ---- */

/* The code of the case, as whoever has read it knows it. */
static void get_code(const struct vector_file *f, struct join_code *ret)
{
    vector_secret(f, "secret", &ret->secret);
    VECTOR_GET(f, "id", ret->id);
}

static void read_request(struct vector_file *f, const char *kind)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    struct join_request r;
    char name[IDENTITY_NAME_SIZE];

    assert_true(vector_next(f, kind));
    get_code(f, &c);
    VECTOR_GET(f, "server_id", m.server);
    m.request = vector_get(f, "request");
    assert_int_equal(join_request_open(&r, &m, NULL), ERR_OK);
    VECTOR_ASSERT(f, "device_key", r.device_key);
    VECTOR_ASSERT(f, "box", r.box);
    VECTOR_ASSERT(f, "key", r.key);
    vector_text(f, "name", name, sizeof(name));
    assert_string_equal(r.name, name);
    assert_int_equal(r.has_pin, vector_get(f, "pin").len > 0);
    if (r.has_pin)
        VECTOR_ASSERT(f, "pin", r.pin);
    join_code_free(&c);
}

static void read_opening(struct vector_file *f)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    char check[JOIN_CHECK_TEXT], shown[JOIN_CHECK_TEXT];

    assert_true(vector_next(f, "opening"));
    get_code(f, &c);
    VECTOR_GET(f, "server_id", m.server);
    m.request = vector_get(f, "request");
    assert_int_equal(join_opening_open(&c, &m, vector_get(f, "opening"), NULL), ERR_OK);
    vector_assert(f, "nonce", c.nonce.data, c.nonce.len);
    VECTOR_ASSERT(f, "user_id", c.uid);
    assert_int_equal(join_check(&m, check, NULL), ERR_OK);
    vector_text(f, "check", shown, sizeof(shown));
    assert_string_equal(check, shown);
    join_code_free(&c);
}

static void read_answer(struct vector_file *f)
{
    struct join_code c = {0};
    struct join_meeting m = {.code = &c};
    struct join_answer a = {0};
    struct secret key = {0};
    char text[IDS_EMAIL_TEXT];

    assert_true(vector_next(f, "answer"));
    get_code(f, &c);
    vector_secret(f, "key_private", &key);
    VECTOR_GET(f, "server_id", m.server);
    m.request = vector_get(f, "request");
    assert_int_equal(join_answer_open(&a, &m, &key, vector_get(f, "answer"), NULL), ERR_OK);
    vector_assert(f, "identity_seed", a.isk.data, a.isk.len);
    vector_assert(f, "account", a.account.data, a.account.len);
    assert_true(a.has_box);
    VECTOR_ASSERT(f, "recovery_box", a.recovery_box);
    VECTOR_ASSERT(f, "manifest", a.manifest);
    vector_text(f, "username", text, sizeof(text));
    assert_string_equal(a.username, text);
    vector_text(f, "email", text, sizeof(text));
    assert_string_equal(a.email, text);
    vector_text(f, "name", text, sizeof(text));
    assert_string_equal(a.name, text);
    join_answer_free(&a);
    join_code_free(&c);
    secret_free(&key);
}

static void test_join(void **state)
{
    struct join_code c = {0};
    struct vector_file f;
    char text[JOIN_CODE_TEXT];

    (void)state;
    vector_load("join", &f);
    assert_true(vector_next(&f, "code"));
    vector_text(&f, "code", text, sizeof(text));
    assert_int_equal(join_code_read(&c, text, NULL), ERR_OK);
    vector_assert(&f, "secret", c.secret.data, c.secret.len);
    VECTOR_ASSERT(&f, "id", c.id);
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
