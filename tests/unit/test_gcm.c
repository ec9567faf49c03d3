/* SPDX-License-Identifier: Apache-2.0 */
/* gcm: what Wycheproof does not say: one key for many, in place, nothing left after a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hex.h"

static const uint8_t key[GCM_KEY_LEN] = {1, 2, 3};
static const uint8_t nonce_a[GCM_NONCE_LEN] = {1}, nonce_b[GCM_NONCE_LEN] = {2};

/* SP 800-38D's test case 14: zero key, zero nonce, 16 zero bytes. */
static void test_known_answer(void **state)
{
    static const uint8_t zeros[32];
    uint8_t out[32];
    char text[65];

    (void)state;
    assert_int_equal(gcm_seal_once(zeros, zeros, part(NULL, 0), part(zeros, 16), out), ERR_OK);
    hex_encode(text, out, sizeof(out));
    assert_string_equal(text, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

static void test_one_key_for_many(void **state)
{
    struct gcm *g = NULL;
    uint8_t a[5 + GCM_TAG_LEN], b[5 + GCM_TAG_LEN], once[5 + GCM_TAG_LEN], out[5];

    (void)state;
    assert_int_equal(gcm_new(&g, key), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gcm_seal(g, nonce_a, part_str("aad"), part_str("hello"), a), ERR_OK);
        assert_int_equal(gcm_seal(g, nonce_b, part(NULL, 0), part_str("world"), b), ERR_OK);
        assert_int_equal(gcm_open(g, nonce_a, part_str("aad"), PART_OF(a), out), ERR_OK);
        assert_memory_equal(out, "hello", 5);
        /* A failed opening does not spoil what follows. */
        assert_int_equal(gcm_open(g, nonce_a, part_str("aad"), PART_OF(b), out), ERR_INTEGRITY);
        assert_int_equal(gcm_open(g, nonce_b, part(NULL, 0), PART_OF(b), out), ERR_OK);
        assert_memory_equal(out, "world", 5);
    }
    assert_int_equal(gcm_seal_once(key, nonce_a, part_str("aad"), part_str("hello"), once), ERR_OK);
    assert_memory_equal(a, once, sizeof(a));
    gcm_free(g);
    gcm_free(NULL);
}

static void test_in_place(void **state)
{
    uint8_t text[1000 + GCM_TAG_LEN], apart[1000 + GCM_TAG_LEN];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(gcm_seal_once(key, nonce_a, part(NULL, 0), part(text, 1000), apart), ERR_OK);
    assert_int_equal(gcm_seal_once(key, nonce_a, part(NULL, 0), part(text, 1000), text), ERR_OK);
    assert_memory_equal(text, apart, sizeof(text));
    assert_int_equal(gcm_open_once(key, nonce_a, part(NULL, 0), PART_OF(text), text), ERR_OK);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(text[i], 'x');
}

static void test_any_flipped_bit_is_noticed(void **state)
{
    static const uint8_t zeros[40];
    uint8_t sealed[40 + GCM_TAG_LEN], out[40], aad[3] = "aad", k[GCM_KEY_LEN];
    uint8_t nonce[GCM_NONCE_LEN] = {1};
    struct {
        uint8_t *data;
        size_t len;
    } all[] = {{sealed, sizeof(sealed)}, {aad, 3}, {k, sizeof(k)}, {nonce, sizeof(nonce)}};

    (void)state;
    memcpy(k, key, sizeof(k));
    assert_int_equal(gcm_seal_once(k, nonce, PART_OF(aad), PART_OF(zeros), sealed), ERR_OK);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t bit = 0; bit < 8 * all[i].len; bit++) {
            all[i].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            memset(out, 0xee, sizeof(out));
            assert_int_equal(gcm_open_once(k, nonce, PART_OF(aad), PART_OF(sealed), out),
                             ERR_INTEGRITY);
            assert_memory_equal(out, zeros, sizeof(out));
            all[i].data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    assert_int_equal(gcm_open_once(k, nonce, PART_OF(aad), PART_OF(sealed), out), ERR_OK);
}

static void test_sizes(void **state)
{
    uint8_t tag[GCM_TAG_LEN], byte[1] = {0xee};

    (void)state;
    assert_int_equal(gcm_seal_once(key, nonce_a, part(NULL, 0), part(NULL, 0), tag), ERR_OK);
    assert_int_equal(gcm_open_once(key, nonce_a, part(NULL, 0), PART_OF(tag), NULL), ERR_OK);
    for (size_t len = 0; len < GCM_TAG_LEN; len++)
        assert_int_equal(gcm_open_once(key, nonce_a, part(NULL, 0), part(tag, len), byte),
                         ERR_INTEGRITY);
    assert_int_equal(gcm_seal_once(key, nonce_a, part(NULL, 0), part(byte, GCM_MAX + 1), byte),
                     ERR_INVALID);
    assert_int_equal(gcm_seal_once(key, nonce_a, part(byte, SIZE_MAX), part(NULL, 0), byte),
                     ERR_INVALID);
    assert_int_equal(gcm_open_once(key, nonce_a, part(NULL, 0), part(byte, SIZE_MAX), byte),
                     ERR_INVALID);
    assert_int_equal(byte[0], 0xee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer), cmocka_unit_test(test_one_key_for_many),
        cmocka_unit_test(test_in_place),     cmocka_unit_test(test_any_flipped_bit_is_noticed),
        cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
