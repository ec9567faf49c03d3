/* SPDX-License-Identifier: Apache-2.0 */
/* x25519 and ed25519: RFC 7748 and RFC 8032, refusals, purposes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/crypto/x25519.h"
#include "common/secret.h"

static void from_hex(uint8_t *out, const char *text)
{
    assert_int_equal(hex_decode(out, text, strlen(text)), ERR_OK);
}

static void assert_hex(const uint8_t *got, size_t len, const char *want)
{
    char text[129];

    hex_encode(text, got, len);
    assert_string_equal(text, want);
}

/* RFC 7748 section 6.1 */
static void test_x25519_example(void **state)
{
    static const char shared[] = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    uint8_t a[32], b[32], a_public[32], b_public[32], out[32];

    (void)state;
    from_hex(a, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    from_hex(b, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    assert_int_equal(x25519_public(a_public, a), ERR_OK);
    assert_hex(a_public, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_int_equal(x25519_public(b_public, b), ERR_OK);
    assert_hex(b_public, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_int_equal(x25519_shared(out, a, b_public), ERR_OK);
    assert_hex(out, 32, shared);
    assert_int_equal(x25519_shared(out, b, a_public), ERR_OK);
    assert_hex(out, 32, shared);
}

static void test_x25519_refuses_points_of_small_order(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    const uint8_t private_key[32] = {9, 8, 7};
    uint8_t point[32], out[32], untouched[32];

    (void)state;
    memset(out, 0xee, sizeof(out));
    memcpy(untouched, out, sizeof(out));
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        from_hex(point, points[i]);
        assert_int_equal(x25519_shared(out, private_key, point), ERR_INTEGRITY);
        assert_memory_equal(out, untouched, sizeof(out));
    }
}

/* RFC 8032 section 7.1, tests 1 and 2 */
static void test_ed25519_examples(void **state)
{
    static const struct {
        const char *seed, *public_key, *msg, *sig;
    } table[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9"
         "b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f1"
         "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint8_t seed[32], public_key[32], sig[64];

        from_hex(seed, table[i].seed);
        assert_int_equal(ed25519_public(public_key, seed), ERR_OK);
        assert_hex(public_key, 32, table[i].public_key);
        assert_int_equal(ed25519_sign(sig, seed, part_str(table[i].msg)), ERR_OK);
        assert_hex(sig, 64, table[i].sig);
        assert_int_equal(ed25519_verify(public_key, sig, part_str(table[i].msg)), ERR_OK);
    }
}

static void test_a_ready_key_signs_as_its_seed_does(void **state)
{
    static const char long_purpose[] =
        "a purpose that is longer than any that there is, and longer than labels may be at all";
    const uint8_t seed[32] = {1, 2, 3}, other[32] = {3, 2, 1};
    uint8_t public_key[32], ready_public[32], sig[64], ready_sig[64];
    struct ed25519_key *key = NULL;

    (void)state;
    assert_int_equal(ed25519_public(public_key, seed), ERR_OK);
    assert_int_equal(ed25519_key_new(&key, seed), ERR_OK);
    ed25519_key_public(key, ready_public);
    assert_memory_equal(ready_public, public_key, 32);
    for (int i = 0; i < 2; i++) { /* it is good for more than one */
        const char *msg = i == 0 ? "abc" : "";

        assert_int_equal(ed25519_sign_for(sig, seed, "transfer", part_str(msg)), ERR_OK);
        assert_int_equal(ed25519_key_sign_for(ready_sig, key, "transfer", part_str(msg)), ERR_OK);
        assert_memory_equal(ready_sig, sig, 64);
    }
    memset(ready_sig, 0xee, sizeof(ready_sig));
    assert_int_equal(ed25519_key_sign_for(ready_sig, key, long_purpose, part_str("a")),
                     ERR_INVALID);
    assert_int_equal(ready_sig[0], 0xee);
    ed25519_key_free(key);
    assert_int_equal(ed25519_key_new(&key, other), ERR_OK);
    assert_int_equal(ed25519_key_sign_for(ready_sig, key, "transfer", part_str("")), ERR_OK);
    assert_int_equal(ed25519_verify_for(public_key, ready_sig, "transfer", part_str("")),
                     ERR_INTEGRITY);
    ed25519_key_free(key);
    ed25519_key_free(NULL);
}

/* The seed inside lies where secrets do. */
static void test_a_ready_key_takes_of_the_memory_for_secrets(void **state)
{
    const uint8_t seed[32] = {1, 2, 3};
    struct ed25519_key *key = NULL;
    size_t before;

    (void)state;
    assert_true(secret_setup());
    before = CRYPTO_secure_used();
    assert_int_equal(ed25519_key_new(&key, seed), ERR_OK);
    assert_true(CRYPTO_secure_used() >= before + sizeof(seed));
    ed25519_key_free(key);
    assert_int_equal(CRYPTO_secure_used(), before);
}

static void test_ed25519_any_flipped_bit_is_noticed(void **state)
{
    const uint8_t seed[32] = {1, 2, 3};
    uint8_t public_key[32], sig[64], msg[4] = {1, 2, 3, 4};
    struct {
        uint8_t *data;
        size_t len;
    } all[] = {{sig, sizeof(sig)}, {msg, sizeof(msg)}, {public_key, sizeof(public_key)}};

    (void)state;
    assert_int_equal(ed25519_public(public_key, seed), ERR_OK);
    assert_int_equal(ed25519_sign(sig, seed, PART_OF(msg)), ERR_OK);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t bit = 0; bit < 8 * all[i].len; bit++) {
            all[i].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(ed25519_verify(public_key, sig, PART_OF(msg)), ERR_INTEGRITY);
            all[i].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    assert_int_equal(ed25519_verify(public_key, sig, part(msg, 3)), ERR_INTEGRITY);
    assert_int_equal(ed25519_verify(public_key, sig, PART_OF(msg)), ERR_OK);
}

static void test_signatures_are_for_one_purpose(void **state)
{
    const uint8_t seed[32] = {1, 2, 3};
    uint8_t public_key[32], sig[64], plain[64], digest[HASH_SHA512_LEN], msg[22 + HASH_SHA512_LEN];
    char purpose[66] = {0};

    (void)state;
    memset(purpose, 'p', sizeof(purpose) - 1);
    assert_int_equal(ed25519_public(public_key, seed), ERR_OK);
    assert_int_equal(ed25519_sign_for(sig, seed, "transfer", part_str("bytes")), ERR_OK);
    assert_int_equal(ed25519_verify_for(public_key, sig, "transfer", part_str("bytes")), ERR_OK);
    assert_int_equal(ed25519_verify_for(public_key, sig, "manifest", part_str("bytes")),
                     ERR_INTEGRITY);
    assert_int_equal(ed25519_verify_for(public_key, sig, "transfer", part_str("byte")),
                     ERR_INTEGRITY);
    assert_int_equal(ed25519_verify(public_key, sig, part_str("bytes")), ERR_INTEGRITY);
    assert_int_equal(ed25519_sign_for(sig, seed, purpose, part_str("bytes")), ERR_INVALID);
    assert_int_equal(ed25519_verify_for(public_key, sig, purpose, part_str("bytes")), ERR_INVALID);

    /* The bytes that are signed, by the definition. */
    assert_int_equal(hash_sha512(digest, "bytes", 5), ERR_OK);
    memcpy(msg, "\0\0\0\022satchel/1 transfer", 22);
    memcpy(msg + 22, digest, sizeof(digest));
    assert_int_equal(ed25519_sign(plain, seed, PART_OF(msg)), ERR_OK);
    assert_memory_equal(plain, sig, sizeof(sig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x25519_example),
        cmocka_unit_test(test_x25519_refuses_points_of_small_order),
        cmocka_unit_test(test_ed25519_examples),
        cmocka_unit_test(test_ed25519_any_flipped_bit_is_noticed),
        cmocka_unit_test(test_a_ready_key_signs_as_its_seed_does),
        cmocka_unit_test(test_a_ready_key_takes_of_the_memory_for_secrets),
        cmocka_unit_test(test_signatures_are_for_one_purpose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
