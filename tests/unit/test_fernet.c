/* SPDX-License-Identifier: Apache-2.0 */
/* fernet, its key files, and the two layers of a preview. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/fernet_keys.h"
#include "common/crypto/b64url.h"
#include "common/crypto/fernet.h"
#include "common/crypto/mac.h"
#include "common/crypto/pbkdf2.h"
#include "common/transfer/preview.h"
#include "tests/sample/sample.h"

/* The specification's generate.json. */
#define SECRET "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define TOKEN                                                                                      \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU" \
    "4IwqDA=="
#define MADE ((uint64_t)499162800)

static const uint8_t iv[FERNET_IV_LEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const struct fernet_age any_age;
static uint8_t keys[2 * FERNET_KEY_LEN]; /* the specification's, then another */

static int setup(void **state)
{
    (void)state;
    memset(keys + FERNET_KEY_LEN, 7, FERNET_KEY_LEN);
    return fernet_key_read(keys, part_str(SECRET));
}

static struct part first(void)
{
    return part(keys, FERNET_KEY_LEN);
}

static struct part second(void)
{
    return part(keys + FERNET_KEY_LEN, FERNET_KEY_LEN);
}

static int open_text(struct part k, const struct fernet_age *age, const char *token)
{
    uint8_t out[512];
    struct fernet_opened got;

    memset(out, 0xee, sizeof(out));
    int rc = fernet_open(k, age, part_str(token), out, &got);

    for (size_t i = rc == ERR_OK ? got.len : 0; i < strlen(token); i++)
        assert_int_equal(out[i], 0);
    return rc;
}

static void test_the_published_token(void **state)
{
    struct buf out = {0};
    uint8_t plain[sizeof(TOKEN)];
    struct fernet_opened got = {0};
    char text[FERNET_KEY_TEXT + 1];

    (void)state;
    assert_int_equal(fernet_seal(first(), MADE, iv, part_str("hello"), &out), ERR_OK);
    assert_int_equal(out.len, strlen(TOKEN));
    assert_int_equal(out.len, fernet_token_len(5));
    assert_memory_equal(out.data, TOKEN, out.len);
    assert_int_equal(fernet_open(first(), &any_age, part(out.data, out.len), plain, &got), ERR_OK);
    assert_int_equal(got.len, 5);
    assert_int_equal(got.key, 0);
    assert_true(got.at == MADE);
    assert_memory_equal(plain, "hello", 5);
    fernet_key_write(text, keys);
    assert_string_equal(text, SECRET);
    buf_free(&out);
}

static void test_every_length_and_drawn_ivs(void **state)
{
    uint8_t message[70], plain[256];

    (void)state;
    memset(message, 16, sizeof(message)); /* looks like padding */
    for (size_t len = 0; len <= sizeof(message); len++) {
        struct buf a = {0}, b = {0};
        struct fernet_opened got = {0};

        assert_int_equal(fernet_seal(first(), len, NULL, part(message, len), &a), ERR_OK);
        assert_int_equal(fernet_seal(first(), len, NULL, part(message, len), &b), ERR_OK);
        assert_int_equal(a.len, fernet_token_len(len));
        assert_memory_not_equal(a.data, b.data, a.len);
        assert_int_equal(fernet_open(first(), &any_age, part(a.data, a.len), plain, &got), ERR_OK);
        assert_int_equal(got.len, len);
        assert_memory_equal(plain, message, len);
        buf_free(&a);
        buf_free(&b);
    }
}

static void test_age_and_skew(void **state)
{
    struct fernet_age age = {.limited = true, .ttl = 60, .now = MADE + 60};

    (void)state;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_OK);
    age.now = MADE + 61;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_EXPIRED);
    assert_int_equal(open_text(second(), &age, TOKEN), ERR_INTEGRITY);
    age.ttl = UINT64_MAX;
    age.now = UINT64_MAX;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_OK);
    age.now = MADE - FERNET_SKEW;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_OK);
    age.now--;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_INTEGRITY);
    age.limited = false;
    assert_int_equal(open_text(first(), &age, TOKEN), ERR_OK);
}

/* One text a token: what else would decode to the same bytes is refused. */
static void test_strict_text(void **state)
{
    static const char *const others[] = {"=", "==", "\n", " ", "A"};
    char text[sizeof(TOKEN) + 4];

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", TOKEN, others[i]);
        assert_int_equal(open_text(first(), &any_age, text), ERR_INTEGRITY);
        (void)snprintf(text, sizeof(text), "%s%s", others[i], TOKEN);
        assert_int_equal(open_text(first(), &any_age, text), ERR_INTEGRITY);
    }
    for (size_t cut = 1; cut <= strlen(TOKEN); cut++) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)(strlen(TOKEN) - cut), TOKEN);
        assert_int_equal(open_text(first(), &any_age, text), ERR_INTEGRITY);
    }
    for (size_t i = 0; i < strlen(TOKEN); i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, TOKEN, sizeof(TOKEN));
            text[i] = (char)(text[i] ^ 1 << bit);
            if (text[i] != '\0')
                assert_int_equal(open_text(first(), &any_age, text), ERR_INTEGRITY);
        }
}

/* Another version, or a bad padding, under a tag that is right. */
static void test_genuine_but_wrong(void **state)
{
    uint8_t raw[128], bad[128];
    char text[200];
    size_t len = 0;

    (void)state;
    assert_int_equal(b64url_decode(raw, &len, TOKEN, strlen(TOKEN) - 2), ERR_OK);
    assert_int_equal(len, 73);
    for (int what = 0; what < 3; what++) {
        memcpy(bad, raw, len);
        if (what == 1)
            bad[0] = 0x81;
        if (what == 2)
            bad[24] ^= 0x80; /* of the IV: turns the last byte of padding over */
        assert_int_equal(
            mac_parts(HASH_SHA256, bad + len - 32, part(keys, 16), PARTS(part(bad, len - 32))),
            ERR_OK);
        b64url_encode(text, bad, len);
        memcpy(text + b64url_len(len), "==", 3);
        assert_int_equal(open_text(first(), &any_age, text), what == 0 ? ERR_OK : ERR_INTEGRITY);
    }
}

static void test_several_keys_and_rotation(void **state)
{
    uint8_t swapped[2 * FERNET_KEY_LEN], plain[sizeof(TOKEN)];
    struct fernet_opened got = {0};
    struct buf out = {0};

    (void)state;
    memcpy(swapped, second().data, FERNET_KEY_LEN);
    memcpy(swapped + FERNET_KEY_LEN, keys, FERNET_KEY_LEN);
    assert_int_equal(open_text(second(), &any_age, TOKEN), ERR_INTEGRITY);
    assert_int_equal(fernet_open(PART_OF(swapped), &any_age, part_str(TOKEN), plain, &got), ERR_OK);
    assert_int_equal(got.key, 1);
    assert_int_equal(fernet_rotate(PART_OF(swapped), part_str(TOKEN), NULL, &out), ERR_OK);
    assert_int_equal(fernet_open(second(), &any_age, part(out.data, out.len), plain, &got), ERR_OK);
    assert_true(got.at == MADE && got.key == 0 && got.len == 5);
    assert_memory_equal(plain, "hello", 5);
    out.len = 0;
    assert_int_equal(fernet_rotate(second(), part_str(TOKEN), NULL, &out), ERR_INTEGRITY);
    assert_int_equal(fernet_rotate(part(NULL, 0), part_str(TOKEN), NULL, &out), ERR_INVALID);
    assert_int_equal(fernet_open(part(keys, 33), &any_age, part_str(TOKEN), plain, &got),
                     ERR_INVALID);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void test_key_text(void **state)
{
    static const char *const bad[] = {
        "",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e5=",
        "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4e",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4g==",
    };
    uint8_t key[FERNET_KEY_LEN] = {3};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(fernet_key_read(key, part_str(bad[i])), ERR_INVALID);
    assert_int_equal(key[0], 3);
}

/* RFC 7914 section 11. */
static void test_pbkdf2(void **state)
{
    static const uint8_t one[64] = {
        0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25,
        0x44, 0xb6, 0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b,
        0x9d, 0x57, 0xc2, 0x0d, 0xac, 0xbc, 0x49, 0xca, 0x9c, 0xcc, 0xf1, 0x79, 0xb6,
        0x45, 0x99, 0x16, 0x64, 0xb3, 0x9d, 0x77, 0xef, 0x31, 0x7c, 0x71, 0xb8, 0x45,
        0xb1, 0xe3, 0x0b, 0xd5, 0x09, 0x11, 0x20, 0x41, 0xd3, 0xa1, 0x97, 0x83};
    static const uint8_t many[8] = {0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21};
    uint8_t out[64] = {9};

    (void)state;
    assert_int_equal(pbkdf2_sha256(part_str("x"), part_str("y"), 0, out, 64), ERR_INVALID);
    assert_int_equal(pbkdf2_sha256(part_str("x"), part_str("y"), 1, out, 0), ERR_INVALID);
    assert_int_equal(out[0], 9);
    assert_int_equal(pbkdf2_sha256(part_str("passwd"), part_str("salt"), 1, out, 64), ERR_OK);
    assert_memory_equal(out, one, 64);
    assert_int_equal(pbkdf2_sha256(part_str("Password"), part_str("NaCl"), 80000, out, 64), ERR_OK);
    assert_memory_equal(out, many, sizeof(many));
}

/* ---- key files ---- */

static int give(void *cookie, struct secret *ret, struct err *err)
{
    return secret_copy(ret, cookie, strlen(cookie), err);
}

static int add(struct fernet_keys *k, const char *file)
{
    const struct fernet_keys_file f = {.bytes = part_str(file),
                                       .name = "file",
                                       .ask = give,
                                       .cookie = (void *)(uintptr_t) "passphrase"};

    return fernet_keys_add(k, &f, NULL);
}

static void test_files_of_keys(void **state)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      SECRET "\n\n",
                                      SECRET SECRET "\n",
                                      SECRET "\n ",
                                      SECRET "\n" SECRET "x",
                                      "# a comment that is 44 characters long, no key",
                                      "satchel fernet passphrase 1\n"};
    struct fernet_keys k = {0};
    struct fernet_keys_file file = {.name = "fresh", .ask = give};
    struct secret fresh = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fernet_keys none = {0};

        assert_int_equal(add(&none, bad[i]), ERR_INVALID);
        fernet_keys_free(&none);
    }
    assert_int_equal(add(&k, SECRET), ERR_OK);
    assert_int_equal(fernet_keys_new_file(&fresh, NULL), ERR_OK);
    file.bytes = part_secret(&fresh);
    assert_int_equal(fernet_keys_add(&k, &file, NULL), ERR_OK);
    assert_int_equal(add(&k, SECRET "\n" SECRET "\n"), ERR_OK);
    assert_int_equal(k.bytes.len, 4 * FERNET_KEY_LEN);
    assert_memory_equal(k.bytes.data, keys, FERNET_KEY_LEN);
    assert_memory_equal(k.bytes.data + 3 * FERNET_KEY_LEN, keys, FERNET_KEY_LEN);
    for (int i = 4; i < FERNET_KEYS_MAX; i++)
        assert_int_equal(add(&k, SECRET), ERR_OK);
    assert_int_equal(add(&k, SECRET), ERR_INVALID);
    secret_free(&fresh);
    fernet_keys_free(&k);
}

/* From Python: hashlib.pbkdf2_hmac("sha256", b"passphrase", bytes(16), 600000). */
static void test_files_of_a_passphrase(void **state)
{
    static const char *const bad[] = {
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 599999 AAAAAAAAAAAAAAAAAAAAAA\n",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 100000001 AAAAAAAAAAAAAAAAAAAAAA\n",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 0600000 AAAAAAAAAAAAAAAAAAAAAA\n",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 600000 AAAAAAAAAAAAAAAAAAAAAB\n",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 600000 AAAAAAAAAAAAAAAAAAAAAA",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha256 600000  AAAAAAAAAAAAAAAAAAAAAA\n",
        "satchel fernet passphrase 1\npbkdf2-hmac-sha512 600000 AAAAAAAAAAAAAAAAAAAAAA\n",
    };
    struct fernet_keys k = {0};
    struct buf file = {0};
    uint8_t want[FERNET_KEY_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(add(&k, bad[i]), ERR_INVALID);
    assert_int_equal(add(&k, "satchel fernet passphrase 2\nnew\n"), ERR_UNSUPPORTED);
    assert_int_equal(
        add(&k, "satchel fernet passphrase 1\npbkdf2-hmac-sha256 600000 AAAAAAAAAAAAAAAAAAAAAA\n"),
        ERR_OK);
    assert_int_equal(pbkdf2_sha256(part_str("passphrase"),
                                   part("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 600000, want,
                                   sizeof(want)),
                     ERR_OK);
    assert_memory_equal(k.bytes.data, want, sizeof(want));
    assert_int_equal(fernet_keys_salt_file(&file, NULL), ERR_OK);
    buf_u8(&file, 0);
    assert_int_equal(add(&k, (const char *)file.data), ERR_OK);
    assert_memory_not_equal(k.bytes.data + FERNET_KEY_LEN, want, sizeof(want));
    buf_free(&file);
    fernet_keys_free(&k);
}

/* ---- previews ---- */

static void test_preview_layers(void **state)
{
    struct metadata m = {.length = 1}, back = {0};
    struct secret mek = {0}, other = {0};
    struct tid tid = {{9}}, wrong = {{8}};
    uint8_t latent[PREVIEW_LATENT_MAX] = {1, 2, 3}, got[PREVIEW_LATENT_MAX];
    struct buf sealed = {0};
    size_t len = 0;

    (void)state;
    sample_secret("mek", &mek);
    sample_secret("other", &other);
    memcpy(m.name, "x", 2);
    assert_int_equal(preview_open(&m, &mek, &tid, got, &len, NULL), ERR_NOTFOUND);
    assert_int_equal(preview_seal(&m, &mek, &tid, MADE, part(latent, 0), NULL), ERR_INVALID);
    assert_int_equal(preview_seal(&m, &mek, &tid, MADE, part(latent, PREVIEW_LATENT_MAX + 1), NULL),
                     ERR_INVALID);
    assert_int_equal(preview_seal(&m, &mek, &tid, MADE, PART_OF(latent), NULL), ERR_OK);
    assert_int_equal(preview_seal(&m, &mek, &tid, MADE, part(latent, 512), NULL), ERR_OK);
    assert_int_equal(metadata_seal(&mek, &tid, &m, &sealed, NULL), ERR_OK);
    assert_int_equal(metadata_open(&mek, &tid, part(sealed.data, sealed.len), &back, NULL), ERR_OK);
    assert_int_equal(preview_open(&back, &mek, &tid, got, &len, NULL), ERR_OK);
    assert_int_equal(len, 512);
    assert_memory_equal(got, latent, 512);
    len = 7;
    assert_int_equal(preview_open(&back, &other, &tid, got, &len, NULL), ERR_INTEGRITY);
    assert_int_equal(preview_open(&back, &mek, &wrong, got, &len, NULL), ERR_INTEGRITY);
    back.preview[30] ^= 1;
    assert_int_equal(preview_open(&back, &mek, &tid, got, &len, NULL), ERR_INTEGRITY);
    assert_int_equal(len, 7);
    metadata_free(&m);
    metadata_free(&back);
    buf_free(&sealed);
    secret_free(&mek);
    secret_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_published_token),
        cmocka_unit_test(test_every_length_and_drawn_ivs),
        cmocka_unit_test(test_age_and_skew),
        cmocka_unit_test(test_strict_text),
        cmocka_unit_test(test_genuine_but_wrong),
        cmocka_unit_test(test_several_keys_and_rotation),
        cmocka_unit_test(test_key_text),
        cmocka_unit_test(test_pbkdf2),
        cmocka_unit_test(test_files_of_keys),
        cmocka_unit_test(test_files_of_a_passphrase),
        cmocka_unit_test(test_preview_layers),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
