/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation of common/transfer with its first, second, third ...
 * allocation failing, ours and OpenSSL's, until it passes untouched: an error,
 * nothing handed out, nothing leaked (the address sanitizer looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "common/transfer/login.h"
#include "common/transfer/manifest_build.h"
#include "common/transfer/safety.h"
#include "tests/sample/sample.h"
#include "tests/unit/alloc_fail.h"

static bool in_openssl; /* it was one of OpenSSL's */

static bool fails_in_openssl(void)
{
    bool now = alloc_fail_now();

    in_openssl = in_openssl || now;
    return now;
}

static void *openssl_malloc(size_t len, const char *file, int line)
{
    bool fails = fails_in_openssl();
    long left = alloc_fail_at(-1); /* it has been counted */
    void *p = fails ? NULL : malloc(len);

    (void)file;
    (void)line;
    (void)alloc_fail_at(left);
    return p;
}

static void *openssl_realloc(void *p, size_t len, const char *file, int line)
{
    bool fails = fails_in_openssl();
    long left = alloc_fail_at(-1);
    void *to = fails ? NULL : realloc(p, len);

    (void)file;
    (void)line;
    (void)alloc_fail_at(left);
    return to;
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static struct sample s;
static struct err err;

static int op_manifest_parse(void)
{
    struct manifest *m = NULL;
    struct buf raw = {0};
    int rc = manifest_pack(s.user[0].first, &raw, &err);

    if (rc == ERR_OK)
        rc = manifest_parse_signed(part(raw.data, raw.len), &m, &err);
    assert_true((rc == ERR_OK) == (m != NULL));
    manifest_free(m);
    buf_free(&raw);
    return rc;
}

static int op_manifest_build(void)
{
    const struct sample_user *u = &s.user[SAMPLE_ALICE];
    struct manifest_build_plan plan = {
        .previous = u->first, .devices = &u->device, .n_devices = 1, .eks = &u->key, .n_eks = 1};
    struct manifest_build_succession succession = {
        .uid = u->uid, .number = 1, .last_manifest = u->first->hash};
    struct manifest *m = NULL;
    struct buf raw = {0};
    int rc;

    memcpy(succession.identity_key, s.user[SAMPLE_BOB].isk_public, IDS_KEY_LEN);
    rc = manifest_build_succession(&succession, &u->rk, &raw, &err);
    plan.succession = part(raw.data, raw.len);
    if (rc == ERR_OK)
        rc = manifest_build(&plan, &s.user[SAMPLE_BOB].isk, &m, &err);
    assert_true((rc == ERR_OK) == (m != NULL));
    manifest_free(m);
    buf_free(&raw);
    return rc;
}

static int op_chain(void)
{
    struct chain c = {.uid = s.user[0].uid};
    enum chain_change change;
    struct manifest *m = NULL;
    int rc = manifest_parse(s.user[0].first->body, PART_OF(s.user[0].first->signature), &m, &err);

    if (rc == ERR_OK)
        rc = chain_add(&c, m, &change, &err);
    assert_true((rc == ERR_OK) == (c.n == 1));
    chain_free(&c);
    return rc;
}

static int op_safety(void)
{
    char text[SAFETY_TEXT];

    return safety_number(s.user[0].first, s.user[1].first, text);
}

static int op_login(void)
{
    struct login l = {.uid = s.user[0].uid};
    struct login_registration r = {.username = "alice", .email = "a@b"};
    uint8_t sig[SIGNED_SIG_LEN];
    int rc = login_sign(&l, &s.user[0].dsk, sig, &err);

    if (rc == ERR_OK)
        rc = login_check(&l, s.user[0].device.key, PART_OF(sig), &err);
    if (rc == ERR_OK)
        rc = login_register_sign(&r, &s.user[0].isk, sig, &err);
    if (rc == ERR_OK)
        rc = login_register_check(&r, s.user[0].isk_public, PART_OF(sig), &err);
    return rc;
}

static int op_share(void)
{
    struct share_place place = {.uid = s.user[0].uid};
    struct share_cells cells = {&s.cek, &s.mek};
    struct instance_id instance = {{0}};
    struct share_pair pair = {0};
    struct secret seed = {0};
    uint8_t a[SHARE_INPUT_LEN], o[SHARE_OUTPUT_LEN] = {0}, nonce[SHARE_NONCE_LEN] = {0};
    uint8_t sealed[SHARE_SEALED_LEN];
    int rc = share_input(&s.cek, &place, a);

    if (rc == ERR_OK)
        rc = share_output(&s.cek, &place, &instance, o, &pair);
    if (rc == ERR_OK)
        rc = share_seal_seed(&cells, &place, &s.cek, nonce, sealed);
    if (rc == ERR_OK)
        rc = share_open_seed(&cells, &place, PART_OF(sealed), &seed, &err);
    assert_true((rc == ERR_OK) == (seed.data != NULL));
    share_pair_free(&pair);
    secret_free(&seed);
    return rc;
}

static int op_slot_seal(void)
{
    struct slot_seal in = {.header = &s.header,
                           .to = &s.user[1].uid,
                           .ek = &s.user[1].key,
                           .share = {&s.share[1].meta, &s.share[1].body},
                           .mek = &s.mek,
                           .cek = &s.cek,
                           .ephemeral = &s.cek};
    struct hash32 root, path[SLOT_PROOF_MAX];
    struct buf raw = {0};
    struct slot slot;
    size_t n;
    int rc = slot_seal(&in, &slot, &err);

    if (rc == ERR_OK)
        rc = slot_pack(&slot, &raw, &err);
    if (rc == ERR_OK)
        rc = slot_root(s.slot_part, SAMPLE_RECIPIENTS, &root);
    if (rc == ERR_OK)
        rc = slot_path(s.slot_part, SAMPLE_RECIPIENTS, 1, path, &n);
    buf_free(&raw);
    return rc;
}

static int op_header(void)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf raw = {0};
    int rc = header_pack(&s.header, &raw, &err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_TRANSFER, &s.user[0].dsk, part(raw.data, raw.len), sig, &err);
    buf_free(&raw);
    return rc;
}

static int op_metadata_seal(void)
{
    struct secret preview = {0};
    struct buf out = {0};
    int rc = metadata_seal(&s.mek, &s.header.tid, &s.metadata, &out, &err);

    assert_true((rc == ERR_OK) == (out.len > 0));
    if (rc == ERR_OK)
        rc = metadata_preview_key(&s.mek, &s.header.tid, &preview, &err);
    secret_free(&preview);
    buf_free(&out);
    return rc;
}

static struct sample_row row; /* Bob's, made before anything fails */

static int op_receive(void)
{
    struct receive r = {0};
    struct body *b = NULL;
    int rc = receive_check(&row.in, &r, &err);

    assert_true(rc == ERR_OK || (r.mek.data == NULL && r.metadata.message == NULL));
    if (rc == ERR_OK)
        rc = receive_body(&row.in, &r, &s.share[SAMPLE_BOB].body, &b, &err);
    assert_true((rc == ERR_OK) == (b != NULL));
    receive_free(&r);
    body_free(b);
    return rc;
}

static int op_piece(void)
{
    uint8_t out[BODY_PAD_MIN + 16];
    struct body *b = NULL;
    struct hash32 leaf;
    int rc = body_match(&s.cek, &s.header, &b, &err);

    if (rc == ERR_OK)
        rc = body_seal_piece(b, 0, part(s.plain, BODY_PAD_MIN), out, &leaf);
    if (rc == ERR_OK)
        rc = body_open_piece(b, 0, &leaf, PART_OF(out), out);
    body_free(b);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(void);
} ops[] = {
    {"manifest_parse", op_manifest_parse},
    {"manifest_build", op_manifest_build},
    {"chain", op_chain},
    {"safety", op_safety},
    {"login", op_login},
    {"share", op_share},
    {"slot_seal", op_slot_seal},
    {"header", op_header},
    {"metadata_seal", op_metadata_seal},
    {"receive", op_receive},
    {"piece", op_piece},
};

/*
 * Out of memory and nothing else, least of all "damaged": that would be told to
 * people.  OpenSSL alone cannot tell a signature that it could not check for want
 * of memory from a bad one.
 */
static void test_every_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        long n = 0;

        assert_int_equal(ops[i].run(), ERR_OK); /* whatever is made once, is made now */
        for (bool done = false; !done; n++) {
            int rc;

            (void)alloc_fail_at(n);
            in_openssl = false;
            rc = ops[i].run();
            done = alloc_fail_at(-1) >= 0;
            if (rc != ERR_NOMEM && rc != ERR_INTERNAL && rc != ERR_OK &&
                !(rc == ERR_INTEGRITY && in_openssl))
                fail_msg("%s: %s at allocation %ld", ops[i].name, err_name(rc), n);
            assert_true(!done || rc == ERR_OK);
            assert_true(n < 10000);
        }
        assert_true(n > 1);
    }
}

static int setup(void **state)
{
    (void)state;
    sample_make(&s, 5);
    sample_row(&s, SAMPLE_BOB, &row);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sample_free(&s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
    };

    /* Before OpenSSL allocates for the first time. */
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
