/* SPDX-License-Identifier: Apache-2.0 */
/* health: entropy estimate, cut-offs, both tests at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/health.h"

static void assert_about(double got, double want)
{
    assert_true(got > want - 1e-6 && got < want + 1e-6);
}

static void test_entropy(void **state)
{
    uint8_t sample[2560] = {0};

    (void)state;
    assert_about(health_min_entropy(sample, 0), 0);
    assert_about(health_min_entropy(sample, 1), 0);
    memset(sample, 7, sizeof(sample));
    assert_about(health_min_entropy(sample, sizeof(sample)), 0);
    for (size_t i = 0; i < sizeof(sample); i++)
        sample[i] = (uint8_t)i;
    /* p = 1/256, p_u = p + 2.576 sqrt(p (1 - p) / 2559) = 0.0070828... */
    assert_about(health_min_entropy(sample, sizeof(sample)), 7.1414866);
    /* SP 800-90B 6.3.1's example: 20 samples, the most common 8 times: p_u = 0.6895. */
    memcpy(sample, "\0\1\1\2\0\1\2\2\0\1\0\1\1\0\2\2\1\0\2\1", 20);
    assert_about(health_min_entropy(sample, 20), 0.5363411);
}

static void test_cutoffs(void **state)
{
    struct health_cutoffs c = {0};

    (void)state;
    /* The values that 1 bit a sample gives in a window of 512, as other implementations have them.
     */
    assert_int_equal(health_cutoffs(&c, 1, 30), ERR_OK);
    assert_int_equal(c.repetition, 31);
    assert_int_equal(c.proportion, 325);
    assert_int_equal(health_cutoffs(&c, 1, 60), ERR_OK);
    assert_int_equal(c.repetition, 61);
    assert_int_equal(c.proportion, 355);
    assert_int_equal(health_cutoffs(&c, 8, 20), ERR_OK);
    assert_int_equal(c.repetition, 4);
    assert_int_equal(c.proportion, 13);
    assert_int_equal(health_cutoffs(&c, 0.1, 20), ERR_OK);
    assert_int_equal(c.repetition, 201);
    assert_true(c.proportion <= HEALTH_WINDOW);
}

static void test_cutoffs_refused(void **state)
{
    struct health_cutoffs c = {.repetition = 9};

    (void)state;
    assert_int_equal(health_cutoffs(&c, 0, 20), ERR_INVALID);
    assert_int_equal(health_cutoffs(&c, 8.01, 20), ERR_INVALID);
    assert_int_equal(health_cutoffs(&c, -1, 20), ERR_INVALID);
    assert_int_equal(health_cutoffs(&c, strtod("nan", NULL), 20), ERR_INVALID);
    assert_int_equal(health_cutoffs(&c, 7, 0), ERR_INVALID);
    assert_int_equal(health_cutoffs(&c, 7, 61), ERR_INVALID);
    assert_int_equal(c.repetition, 9);
}

static void test_repetition(void **state)
{
    const struct health_cutoffs cut = {.repetition = 4, .proportion = 500};
    const uint8_t three[] = {0, 0, 0, 1, 1, 1, 2, 2, 2}, more[] = {2};
    uint8_t stuck[40];
    struct health h;

    (void)state;
    health_init(&h, &cut);
    assert_int_equal(health_feed(&h, three, sizeof(three)), 0);
    assert_int_equal(health_feed(&h, more, 1), 1); /* the run goes on over calls */
    assert_int_equal(h.repetition_failures, 1);
    health_init(&h, &cut);
    memset(stuck, 5, sizeof(stuck));
    assert_int_equal(health_feed(&h, stuck, sizeof(stuck)), 10);
    assert_int_equal(h.proportion_failures, 0);
}

/* One window in which the first byte comes ${times} times, never four times in a row. */
static unsigned feed_window(struct health *h, unsigned times)
{
    uint8_t window[HEALTH_WINDOW];

    for (unsigned i = 0; i < HEALTH_WINDOW; i++)
        window[i] = i % 2 == 0 && i / 2 < times ? 9 : (uint8_t)(10 + i % 200);
    return health_feed(h, window, sizeof(window));
}

static void test_proportion(void **state)
{
    const struct health_cutoffs cut = {.repetition = 4, .proportion = 20};
    struct health h;

    (void)state;
    health_init(&h, &cut);
    assert_int_equal(feed_window(&h, 19), 0);
    assert_int_equal(feed_window(&h, 19), 0); /* a new window counts from nothing */
    assert_int_equal(feed_window(&h, 20), 1);
    assert_int_equal(feed_window(&h, 100), 1); /* once a window */
    assert_int_equal(feed_window(&h, 1), 0);
    assert_int_equal(h.proportion_failures, 2);
    assert_int_equal(h.repetition_failures, 0);
}

/* However the bytes are cut into calls, the counts are the same. */
static void test_pieces(void **state)
{
    const struct health_cutoffs cut = {.repetition = 3, .proportion = 8};
    uint8_t bytes[5000];
    struct health whole, pieces;
    uint32_t x = 1;
    unsigned failures = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 1103515245U + 12345U;
        bytes[i] = (uint8_t)((x >> 16) % 80);
    }
    health_init(&whole, &cut);
    health_init(&pieces, &cut);
    for (size_t at = 0, len = 1; at < sizeof(bytes); at += len, len = len % 97 + 1) {
        if (len > sizeof(bytes) - at)
            len = sizeof(bytes) - at;
        failures += health_feed(&pieces, bytes + at, len);
    }
    assert_int_equal(health_feed(&whole, bytes, sizeof(bytes)), failures);
    assert_true(failures > 0);
    assert_int_equal(whole.repetition_failures, pieces.repetition_failures);
    assert_int_equal(whole.proportion_failures, pieces.proportion_failures);
    assert_int_equal(health_feed(&whole, bytes, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy),         cmocka_unit_test(test_cutoffs),
        cmocka_unit_test(test_cutoffs_refused), cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_proportion),      cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
