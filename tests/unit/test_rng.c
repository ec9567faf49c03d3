/* SPDX-License-Identifier: Apache-2.0 */
/* rng: hedged values by their definition, and what they are worth with a broken generator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"

static const uint8_t stuck[RNG_RAND_LEN] = {4}; /* a generator that always says the same */

static struct rng_hedge new_hedge(uint64_t counter)
{
    struct rng_hedge h = {.counter = counter};

    assert_int_equal(secret_copy(&h.key, "01234567890123456789012345678901", 32, NULL), ERR_OK);
    return h;
}

static void test_bytes(void **state)
{
    static uint8_t a[(1 << 20) + 5], b[sizeof(a)];

    (void)state;
    assert_int_equal(rng_bytes(a, sizeof(a)), ERR_OK);
    assert_int_equal(rng_bytes(b, sizeof(b)), ERR_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    /* The very last bytes were filled too; by chance they are all zero once in 2^64. */
    assert_memory_not_equal(a + sizeof(a) - 8, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(rng_bytes(NULL, 0), ERR_OK);
}

static void test_hedged_by_definition(void **state)
{
    struct rng_hedge h = new_hedge(0x0102030405060708);
    const uint8_t counter[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t got[32], want[32];

    (void)state;
    assert_int_equal(rng_hedged_from(&h, "hedge cek", part_str("tid"), stuck, got), ERR_OK);
    assert_int_equal(kdf_f(want, part_secret(&h.key), "hedge cek",
                           PARTS(PART_OF(stuck), PART_OF(counter), part_str("tid"))),
                     ERR_OK);
    assert_memory_equal(got, want, sizeof(got));
    assert_true(h.counter == 0x0102030405060709);
    secret_free(&h.key);
}

static void test_stuck_generator_does_not_repeat(void **state)
{
    struct rng_hedge h = new_hedge(0);
    uint8_t out[100][32], other[32];

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(rng_hedged_from(&h, "hedge cek", part(NULL, 0), stuck, out[i]), ERR_OK);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(out[i], out[j], 32);
    }
    h.counter = 0; /* the same counter for another purpose or another transfer */
    assert_int_equal(rng_hedged_from(&h, "hedge mek", part(NULL, 0), stuck, other), ERR_OK);
    assert_memory_not_equal(other, out[0], 32);
    h.counter = 0;
    assert_int_equal(rng_hedged_from(&h, "hedge cek", part_str("t"), stuck, other), ERR_OK);
    assert_memory_not_equal(other, out[0], 32);
    secret_free(&h.key);
}

/* A counter set back (a restored disk) does not repeat while the generator is good. */
static void test_counter_set_back_does_not_repeat(void **state)
{
    struct rng_hedge h = new_hedge(5);
    uint8_t a[32], b[32];

    (void)state;
    assert_int_equal(rng_hedged(&h, "hedge cek", part(NULL, 0), a), ERR_OK);
    h.counter = 5;
    assert_int_equal(rng_hedged(&h, "hedge cek", part(NULL, 0), b), ERR_OK);
    assert_memory_not_equal(a, b, 32);
    assert_true(h.counter == 6);
    secret_free(&h.key);
}

static void test_refusals(void **state)
{
    struct rng_hedge h = new_hedge(UINT64_MAX), keyless = {0};
    uint8_t out[32] = {7}, untouched[32] = {7};

    (void)state;
    assert_int_equal(rng_hedged(&h, "x", part(NULL, 0), out), ERR_INVALID);
    assert_int_equal(rng_hedged(&keyless, "x", part(NULL, 0), out), ERR_INVALID);
    assert_true(keyless.counter == 0);
    assert_memory_equal(out, untouched, sizeof(out));
    secret_free(&h.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hedged_by_definition),
        cmocka_unit_test(test_stuck_generator_does_not_repeat),
        cmocka_unit_test(test_counter_set_back_does_not_repeat),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
