/* SPDX-License-Identifier: Apache-2.0 */
/* hash: all at once, piece by piece, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "common/crypto/hash.h"
#include "common/crypto/hex.h"

static void assert_hex(const uint8_t *got, size_t len, const char *want)
{
    char text[2 * HASH_MAX_LEN + 1];

    hex_encode(text, got, len);
    assert_string_equal(text, want);
}

/* FIPS 180-4's examples: "abc". */
static const char *const abc[HASH_COUNT] = {
    [HASH_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
    [HASH_SHA256] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    [HASH_SHA384] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                    "8086072ba1e7cc2358baeca134c825a7",
    [HASH_SHA512] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
};

static void test_known_answers(void **state)
{
    uint8_t out[HASH_MAX_LEN];

    (void)state;
    for (int id = 0; id < HASH_COUNT; id++) {
        assert_int_equal(hash_parts((enum hash_id)id, out, PARTS(part_str("abc"))), ERR_OK);
        assert_hex(out, hash_len((enum hash_id)id), abc[id]);
    }
    assert_int_equal(hash_sha256(out, "abc", 3), ERR_OK);
    assert_hex(out, HASH_SHA256_LEN, abc[HASH_SHA256]);
    assert_int_equal(hash_sha512(out, "abc", 3), ERR_OK);
    assert_hex(out, HASH_SHA512_LEN, abc[HASH_SHA512]);
}

static void test_pieces_make_the_same(void **state)
{
    struct hash h = {0};
    uint8_t out[HASH_MAX_LEN];

    (void)state;
    assert_int_equal(hash_start(&h, HASH_SHA256), ERR_OK);
    assert_int_equal(hash_add(&h, "forgotten", 9), ERR_OK);
    assert_int_equal(hash_start(&h, HASH_SHA512), ERR_OK); /* begins again, with another hash */
    assert_int_equal(hash_add(&h, "a", 1), ERR_OK);
    assert_int_equal(hash_add(&h, NULL, 0), ERR_OK);
    assert_int_equal(hash_add(&h, "bc", 2), ERR_OK);
    assert_int_equal(hash_finish(&h, out), ERR_OK);
    assert_hex(out, HASH_SHA512_LEN, abc[HASH_SHA512]);
    hash_free(&h);
    hash_free(&h);
    assert_int_equal(
        hash_parts(HASH_SHA1, out, PARTS(part_str("ab"), part(NULL, 0), part_str("c"))), ERR_OK);
    assert_hex(out, 20, abc[HASH_SHA1]);
}

static void test_lengths_stand_before_the_parts(void **state)
{
    uint8_t a[HASH_MAX_LEN], b[HASH_MAX_LEN];

    (void)state;
    assert_int_equal(hash_lp(HASH_SHA256, a, PARTS(part_str("ab"), part_str("c"))), ERR_OK);
    assert_int_equal(hash_sha256(b, "\0\0\0\2ab\0\0\0\1c", 11), ERR_OK);
    assert_memory_equal(a, b, HASH_SHA256_LEN);
    assert_int_equal(hash_lp(HASH_SHA256, b, PARTS(part_str("a"), part_str("bc"))), ERR_OK);
    assert_memory_not_equal(a, b, HASH_SHA256_LEN);
    memset(b, 0xee, sizeof(b));
    memcpy(a, b, sizeof(a));
    assert_int_equal(hash_lp(HASH_SHA256, a, PARTS({"x", (size_t)UINT32_MAX + 1})), ERR_INVALID);
    assert_memory_equal(a, b, sizeof(a));
}

static void *hash_in_thread(void *arg)
{
    uint8_t *out = arg;

    for (int i = 0; i < 200; i++)
        if (hash_sha256(out, "abc", 3) != ERR_OK)
            return arg;
    return NULL;
}

/* First, so that the threads meet in the fetching of the algorithms. */
static void test_threads(void **state)
{
    pthread_t threads[4];
    uint8_t out[4][HASH_SHA256_LEN];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, out[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
        assert_hex(out[i], HASH_SHA256_LEN, abc[HASH_SHA256]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_pieces_make_the_same),
        cmocka_unit_test(test_lengths_stand_before_the_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
