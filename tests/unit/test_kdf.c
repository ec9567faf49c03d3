/* SPDX-License-Identifier: Apache-2.0 */
/* kdf, mac, hkdf, scrypt, totp: from one key to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/crypto/hkdf.h"
#include "common/crypto/kdf.h"
#include "common/crypto/mac.h"
#include "common/crypto/scrypt.h"
#include "common/crypto/totp.h"

static const uint8_t key[32] = {1, 2, 3};

static void test_f_is_the_hmac_of_its_definition(void **state)
{
    static const uint8_t message[] = "\0\0\0\016satchel/1 base\0\0\0\2ab\0\0\0\0\0\0\0\1c";
    const struct part whole = part(message, sizeof(message) - 1);
    uint8_t tag[HASH_SHA512_LEN], a[KDF_LEN], b[KDF_LEN];

    (void)state;
    assert_int_equal(mac_parts(HASH_SHA512, tag, PART_OF(key), &whole, 1), ERR_OK);
    assert_int_equal(
        kdf_f(a, PART_OF(key), "base", PARTS(part_str("ab"), part(NULL, 0), part_str("c"))),
        ERR_OK);
    assert_memory_equal(a, tag, KDF_LEN);
    assert_int_equal(
        kdf_f(b, PART_OF(key), "base", PARTS(part_str("a"), part_str("b"), part_str("c"))), ERR_OK);
    assert_memory_not_equal(a, b, KDF_LEN);
}

static void test_f_without_parts_and_into_its_key(void **state)
{
    uint8_t chain[KDF_LEN] = {0}, want[KDF_LEN], other[KDF_LEN];

    (void)state;
    assert_int_equal(kdf_f(want, PART_OF(chain), "cid", NULL, 0), ERR_OK);
    assert_int_equal(kdf_f(other, PART_OF(chain), "kid", NULL, 0), ERR_OK);
    assert_memory_not_equal(want, other, KDF_LEN);
    assert_int_equal(kdf_f(chain, PART_OF(chain), "cid", NULL, 0), ERR_OK);
    assert_memory_equal(chain, want, KDF_LEN);
}

static void test_f_limits(void **state)
{
    struct part many[KDF_PARTS_MAX + 1] = {{"x", 1}};
    char name[LABEL_NAME_MAX + 2];
    uint8_t out[KDF_LEN] = {7}, untouched[KDF_LEN] = {7};

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[LABEL_NAME_MAX + 1] = '\0';
    assert_int_equal(kdf_f(out, PART_OF(key), name, NULL, 0), ERR_INVALID);
    assert_int_equal(kdf_f(out, PART_OF(key), "n", many, KDF_PARTS_MAX + 1), ERR_INVALID);
    assert_int_equal(kdf_f(out, PART_OF(key), "n", PARTS({"", (size_t)UINT32_MAX + 1})),
                     ERR_INVALID);
    assert_int_equal(kdf_xpd(PART_OF(key), name, part(NULL, 0), out, sizeof(out)), ERR_INVALID);
    assert_int_equal(kdf_xpd(PART_OF(key), "n", part(name, KDF_CTX_MAX + 1), out, sizeof(out)),
                     ERR_INVALID);
    assert_int_equal(kdf_xpd(PART_OF(key), "n", part(NULL, 0), out, 0), ERR_INVALID);
    assert_memory_equal(out, untouched, sizeof(out));
    name[LABEL_NAME_MAX] = '\0';
    assert_int_equal(kdf_f(out, PART_OF(key), name, many, KDF_PARTS_MAX), ERR_OK);
    assert_memory_not_equal(out, untouched, sizeof(out));
}

static void test_xpd_is_the_hkdf_of_its_definition(void **state)
{
    static const uint8_t info[] = "\0\0\0\014satchel/1 nn\0\0\0\3ctx";
    uint8_t a[256], b[256];

    (void)state;
    assert_int_equal(kdf_xpd(PART_OF(key), "nn", part_str("ctx"), a, sizeof(a)), ERR_OK);
    assert_int_equal(hkdf_expand(HASH_SHA512, PART_OF(key), part(info, sizeof(info) - 1), b, 256),
                     ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(kdf_xpd(PART_OF(key), "nn", part(NULL, 0), b, sizeof(b)), ERR_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void test_hkdf_limits(void **state)
{
    static uint8_t big[HKDF_INFO_MAX + 1], out[255 * HASH_MAX_LEN + 1];

    (void)state;
    for (int i = 0; i < HASH_COUNT; i++) {
        const enum hash_id id = (enum hash_id)i;
        const size_t most = 255 * hash_len(id);

        assert_int_equal(hkdf_expand(id, PART_OF(key), part(NULL, 0), out, most), ERR_OK);
        assert_int_equal(hkdf_expand(id, PART_OF(key), part(NULL, 0), out, most + 1), ERR_INVALID);
        assert_int_equal(hkdf_expand(id, PART_OF(key), part(NULL, 0), out, 0), ERR_INVALID);
    }
    assert_int_equal(hkdf_expand(HASH_SHA256, PART_OF(key), part(big, HKDF_INFO_MAX), out, 32),
                     ERR_OK);
    assert_int_equal(hkdf_expand(HASH_SHA256, PART_OF(key), PART_OF(big), out, 32), ERR_INVALID);
}

static void test_hkdf_without_salt(void **state)
{
    static const uint8_t zeros[HASH_SHA512_LEN];
    uint8_t a[HASH_SHA512_LEN], b[HASH_SHA512_LEN];

    (void)state;
    assert_int_equal(hkdf_extract(HASH_SHA512, a, part(NULL, 0), PART_OF(key)), ERR_OK);
    assert_int_equal(hkdf_extract(HASH_SHA512, b, PART_OF(zeros), PART_OF(key)), ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
}

static void test_mac_of_a_list(void **state)
{
    uint8_t a[HASH_MAX_LEN], b[HASH_MAX_LEN];

    (void)state;
    assert_int_equal(mac_parts(HASH_SHA256, a, part(NULL, 0), PARTS(part_str("ab"))), ERR_OK);
    assert_int_equal(mac_parts(HASH_SHA256, b, part(NULL, 0),
                               PARTS(part_str("a"), part(NULL, 0), part_str("b"))),
                     ERR_OK);
    assert_memory_equal(a, b, HASH_SHA256_LEN);
    assert_int_equal(mac_parts(HASH_SHA256, b, part(NULL, 0), NULL, 0), ERR_OK);
    assert_memory_not_equal(a, b, HASH_SHA256_LEN);
    assert_int_equal(mac_lp(HASH_SHA256, b, part(NULL, 0), PARTS({"", (size_t)UINT32_MAX + 1})),
                     ERR_INVALID);
}

static void test_scrypt_checks_its_cost(void **state)
{
    static const struct {
        struct scrypt_cost cost;
        int want;
    } table[] = {
        {{1024, 8, 1, 2 << 20}, ERR_OK},
        {{1024, 8, 1, 1 << 20}, ERR_LIMIT}, /* 1 MiB and a little more */
        {{2, 1, 1, 4096}, ERR_OK},
        {{0, 8, 1, 1 << 30}, ERR_INVALID},
        {{1, 8, 1, 1 << 30}, ERR_INVALID},
        {{1000, 8, 1, 1 << 30}, ERR_INVALID},
        {{(uint64_t)1 << 33, 8, 1, UINT64_MAX - 1}, ERR_INVALID},
        {{65536, 1, 1, 1 << 30}, ERR_INVALID}, /* RFC 7914: N under 2^(128 * r / 8) */
        {{1024, 0, 1, 1 << 30}, ERR_INVALID},
        {{1024, 8, 0, 1 << 30}, ERR_INVALID},
        {{1024, 1 << 15, 1 << 15, UINT64_MAX}, ERR_INVALID},
        {{(uint64_t)1 << 32, (1 << 30) - 1, 1, UINT64_MAX - 1}, ERR_INVALID}, /* over 2^64 bytes */
    };
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(
            scrypt_derive(&table[i].cost, part_str("p"), part_str("s"), out, sizeof(out)),
            table[i].want);
    assert_int_equal(scrypt_derive(&table[0].cost, part_str("p"), part_str("s"), out, 0),
                     ERR_INVALID);
    assert_true(scrypt_memory(&table[0].cost) == 1024 * 1024 + 3 * 1024);
}

static void test_scrypt_vault_cost(void **state)
{
    const struct scrypt_cost vault = {1 << 17, 8, 1, 0};

    (void)state;
    assert_true(scrypt_memory(&vault) == ((uint64_t)128 << 20) + 3 * 1024);
}

static void test_totp_refuses_other_parameters(void **state)
{
    struct totp good = {HASH_SHA1, 6, 30}, bad;
    char code[TOTP_CODE_SIZE] = "x";

    (void)state;
    bad = good, bad.digits = 5;
    assert_int_equal(totp_code(code, &bad, part_str("k"), 0), ERR_INVALID);
    bad = good, bad.digits = 9;
    assert_int_equal(totp_code(code, &bad, part_str("k"), 0), ERR_INVALID);
    bad = good, bad.step = 0;
    assert_int_equal(totp_code(code, &bad, part_str("k"), 0), ERR_INVALID);
    bad = good, bad.hash = HASH_SHA384;
    assert_int_equal(totp_code(code, &bad, part_str("k"), 0), ERR_INVALID);
    assert_int_equal(totp_code(code, &good, part(NULL, 0), 0), ERR_INVALID);
    assert_string_equal(code, "x");
    /* RFC 4226 appendix D, count 0 and 1; the code changes with the step and not before. */
    assert_int_equal(totp_code(code, &good, part_str("12345678901234567890"), 29), ERR_OK);
    assert_string_equal(code, "755224");
    assert_int_equal(totp_code(code, &good, part_str("12345678901234567890"), 30), ERR_OK);
    assert_string_equal(code, "287082");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f_is_the_hmac_of_its_definition),
        cmocka_unit_test(test_f_without_parts_and_into_its_key),
        cmocka_unit_test(test_f_limits),
        cmocka_unit_test(test_xpd_is_the_hkdf_of_its_definition),
        cmocka_unit_test(test_hkdf_limits),
        cmocka_unit_test(test_hkdf_without_salt),
        cmocka_unit_test(test_mac_of_a_list),
        cmocka_unit_test(test_scrypt_checks_its_cost),
        cmocka_unit_test(test_scrypt_vault_cost),
        cmocka_unit_test(test_totp_refuses_other_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
