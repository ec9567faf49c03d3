/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation of common/crypto with its first, second, third... allocation
 * failing inside OpenSSL, until it passes untouched: an error, nothing written,
 * nothing leaked (the address sanitizer looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/fernet.h"
#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/crypto/merkle.h"
#include "common/crypto/pbkdf2.h"
#include "common/crypto/rng.h"
#include "common/crypto/scrypt.h"
#include "common/crypto/words.h"
#include "tests/chunked_msg.h"

enum { NEVER = -1, OUT_MAX = 128 };

static int countdown = NEVER; /* allocations until one fails */
static bool fired;

static bool fails_now(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    fired = true;
    return true;
}

static void *counted_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(len);
}

static void *counted_realloc(void *p, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(p, len);
}

static void plain_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static const uint8_t key[32] = {1, 2, 3};
static uint8_t peer[32], signature[64];

static int op_hash(uint8_t *out)
{
    return hash_sha512(out, "abc", 3);
}

static int op_f(uint8_t *out)
{
    return kdf_f(out, PART_OF(key), "base", PARTS(part_str("abc")));
}

static int op_xpd(uint8_t *out)
{
    return kdf_xpd(PART_OF(key), "nn", part(NULL, 0), out, 100);
}

static int op_gcm(uint8_t *out)
{
    return gcm_seal_once(key, key, part_str("aad"), part_str("abc"), out);
}

static int op_chunked(uint8_t *out)
{
    return chunked_msg_seal(key, key, part(NULL, 0), part_str("abc"), out);
}

static int op_x25519_public(uint8_t *out)
{
    return x25519_public(out, key);
}

static int op_x25519(uint8_t *out)
{
    return x25519_shared(out, key, peer);
}

static int op_sign(uint8_t *out)
{
    return ed25519_sign_for(out, key, "transfer", part_str("abc"));
}

static int op_key_sign(uint8_t *out)
{
    struct ed25519_key *ready = NULL;
    int rc = ed25519_key_new(&ready, key);

    if (rc == ERR_OK)
        rc = ed25519_key_sign_for(out, ready, "transfer", part_str("abc"));
    ed25519_key_free(ready);
    return rc;
}

static int op_verify(uint8_t *out)
{
    int rc = ed25519_verify_for(peer, signature, "transfer", part_str("abc"));

    if (rc == ERR_OK)
        out[0] = 1;
    return rc;
}

static int op_encap(uint8_t *out)
{
    struct hpke h = {0};
    int rc = hpke_encap(&h, out, peer, part_str("info"), key);

    hpke_free(&h);
    return rc;
}

static int op_scrypt(uint8_t *out)
{
    const struct scrypt_cost cost = {16, 1, 1, 1 << 20};

    return scrypt_derive(&cost, part_str("p"), part_str("s"), out, 32);
}

static int op_pbkdf2(uint8_t *out)
{
    return pbkdf2_sha256(part_str("p"), part_str("s"), 1, out, 32);
}

static int op_fernet(uint8_t *out)
{
    struct fernet_opened got;
    struct buf token = {0};
    uint8_t plain[OUT_MAX];
    int rc = fernet_seal(PART_OF(key), 1, key, part_str("abc"), &token);

    if (rc == ERR_OK)
        rc = fernet_open(PART_OF(key), &(struct fernet_age){0}, part(token.data, token.len), plain,
                         &got);
    if (rc == ERR_OK)
        memcpy(out, plain, got.len);
    buf_free(&token);
    return rc;
}

static int op_merkle(uint8_t *out)
{
    merkle_hash leaves[3] = {{1}, {2}, {3}};

    return merkle_root(out, (const merkle_hash *)leaves, 3);
}

static int op_words(uint8_t *out)
{
    struct secret text = {0};
    int rc = words_from_seed(key, &text, NULL);

    if (rc == ERR_OK)
        memcpy(out, text.data, 20);
    secret_free(&text);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(uint8_t *out);
} ops[] = {
    {"hash", op_hash},
    {"kdf_f", op_f},
    {"kdf_xpd", op_xpd},
    {"gcm", op_gcm},
    {"chunked", op_chunked},
    {"x25519_public", op_x25519_public},
    {"x25519_shared", op_x25519},
    {"ed25519_sign_for", op_sign},
    {"ed25519_key_sign_for", op_key_sign},
    {"ed25519_verify_for", op_verify},
    {"hpke_encap", op_encap},
    {"scrypt", op_scrypt},
    {"pbkdf2", op_pbkdf2},
    {"fernet", op_fernet},
    {"merkle", op_merkle},
    {"words", op_words},
};

/* As it was, or wiped. */
static void assert_nothing_written(const uint8_t *out)
{
    for (size_t i = 0; i < OUT_MAX; i++)
        assert_true(out[i] == 0xee || out[i] == 0);
}

static void run_until_it_passes(int (*run)(uint8_t *out), const uint8_t *want)
{
    uint8_t out[OUT_MAX];
    int n = 0;

    do {
        int rc;

        memset(out, 0xee, sizeof(out));
        fired = false;
        countdown = n++;
        rc = run(out);
        countdown = NEVER;
        assert_true(rc == ERR_OK || fired);
        if (rc == ERR_OK)
            assert_memory_equal(out, want, sizeof(out));
        else
            assert_nothing_written(out);
    } while (fired && n < 1000);
    assert_false(fired);
    assert_true(n > 1); /* at least one failure was tried */
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        uint8_t want[OUT_MAX];

        print_message("  %s\n", ops[i].name);
        memset(want, 0xee, sizeof(want));
        /* Untouched first: what the library fetches once and keeps is not part of the operation. */
        assert_int_equal(ops[i].run(want), ERR_OK);
        run_until_it_passes(ops[i].run, want);
    }
}

static int setup(void **state)
{
    (void)state;
    return ed25519_public(peer, key) |
           ed25519_sign_for(signature, key, "transfer", part_str("abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
    };

    /* Only before the library has allocated anything. */
    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
