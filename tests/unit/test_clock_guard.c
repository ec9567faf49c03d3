/* SPDX-License-Identifier: Apache-2.0 */
/* clock_guard: which times are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/clock_guard.h"

static const uint64_t hour = 3600000, day = 86400000, t0 = 1700000000000;

static void test_a_clock_that_goes_on(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, t0 + hour, 1000);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(clock_guard_look(&g, t0 + hour + i * 23 * hour, 1000 + i * 23 * hour));
        assert_int_equal(g.now, t0 + hour + i * 23 * hour);
    }
}

static void test_edges(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, t0 + day, 0);
    assert_true(clock_guard_look(&g, t0 + day, 0));
    clock_guard_init(&g, t0, t0 + day + 1, 0);
    assert_false(clock_guard_look(&g, t0 + day + 1, 0));
    assert_int_equal(g.now, t0);
    clock_guard_init(&g, t0, t0, 0);
    assert_false(clock_guard_look(&g, UINT64_MAX, 0));
    assert_int_equal(g.now, t0);
    assert_true(clock_guard_look(&g, t0, 0)); /* right again */
}

static void test_small_jumps(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, t0, 0);
    assert_true(clock_guard_look(&g, t0 + 20 * hour, 1));
    assert_false(clock_guard_look(&g, t0 + 40 * hour, 2));
    assert_int_equal(g.now, t0 + 20 * hour);
    assert_true(clock_guard_look(&g, t0 + 40 * hour, 16 * hour)); /* by now it may be */
}

/* The daemon slept, or was off: nobody knows how long. */
static void test_suspended(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, t0, 0);
    assert_false(clock_guard_look(&g, t0 + 3 * day, 3 * day));
    clock_guard_confirm(&g, t0 + 3 * day, 3 * day);
    assert_true(clock_guard_look(&g, t0 + 3 * day + 5, 3 * day + 5));
    assert_int_equal(g.now, t0 + 3 * day + 5);
}

/* A clock that starts at 1970 and is set later. */
static void test_a_clock_that_starts_behind(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, 1000, 50);
    assert_true(clock_guard_look(&g, 1000, 50));
    assert_int_equal(g.now, 1000);
    assert_true(clock_guard_look(&g, t0 + hour, 5000));
    assert_int_equal(g.now, t0 + hour);
}

/* What was confirmed wrongly is corrected by confirming again. */
static void test_confirmed_back(void **state)
{
    struct clock_guard g;

    (void)state;
    clock_guard_init(&g, t0, t0, 0);
    clock_guard_confirm(&g, t0 + 30 * day, 1);
    clock_guard_confirm(&g, t0, 2);
    assert_true(clock_guard_look(&g, t0 + hour, hour));
    assert_false(clock_guard_look(&g, t0 + 30 * day, hour));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_that_goes_on),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_small_jumps),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_a_clock_that_starts_behind),
        cmocka_unit_test(test_confirmed_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
