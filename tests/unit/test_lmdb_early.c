/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_writer: jobs that are answered before their commit, among others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/writer_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fix_setup, writer_fix_teardown)

/* Until a moment has passed in which nothing came. */
static void wait_commits(struct writer_fix *f, uint64_t n)
{
    while (writer_fix_commits(f) < n)
        (void)usleep(1000);
}

static void test_early_and_firm_share_a_commit(void **state)
{
    struct writer_fix *f = *state;
    unsigned i;

    writer_fix_hold(f, 1);
    (void)writer_fix_submit(f, EARLY, 1);
    i = writer_fix_submit(f, SEES, 1);
    (void)writer_fix_submit(f, PUT, 2);
    (void)writer_fix_submit(f, EARLY_FAIL, 3);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_int_equal(f->results[3].code, ERR_EXISTS);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 2));
    assert_in_range(writer_fix_commits(f), 1,
                    2); /* the first may have been taken before the others came */
}

static void test_early_is_committed_by_itself(void **state)
{
    struct writer_fix *f = *state;

    (void)writer_fix_submit(f, EARLY, 1);
    writer_fix_wait(f);
    wait_commits(f, 1);
    assert_true(writer_fix_has(f, 1));
    (void)writer_fix_submit(f, EARLY, 2);
    writer_fix_wait(f);
    writer_fix_close(f); /* it does not wait for more */
    assert_true(writer_fix_has(f, 2));
}

/* A pass is a way to wait for what is early: readers see it then. */
static void test_early_is_seen_behind_a_pass(void **state)
{
    struct writer_fix *f = *state;

    for (uint32_t i = 0; i < 20; i++) {
        (void)writer_fix_submit(f, EARLY, i);
        writer_fix_wait(f);
        (void)writer_fix_submit(f, PASS, i);
        writer_fix_wait(f);
        assert_true(writer_fix_has(f, i));
    }
}

/* Whatever goes wrong behind it: what was answered early stays. */
static void test_early_survives_failures(void **state)
{
    static const enum deed bad[] = {FAIL_CLEAN, FAIL_AFTER_A_CHANGE, BREAK, SEES};
    struct writer_fix *f = *state;

    for (uint32_t k = 0; k < 4; k++) {
        unsigned first = f->njobs;

        (void)writer_fix_submit(f, EARLY, first);
        writer_fix_wait(f);
        writer_fix_hold(f, 1);
        for (unsigned i = 1; i < 10; i++)
            (void)writer_fix_submit(f, i == 5 ? bad[k] : i % 2 ? EARLY : PUT, first + i);
        writer_fix_hold(f, 0);
        writer_fix_wait(f);
        (void)writer_fix_submit(f, PASS, 0);
        writer_fix_wait(f);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(writer_fix_has(f, first + i), i != 5);
    }
}

static void test_early_when_full(void **state)
{
    struct writer_fix *f = *state;
    unsigned i;

    writer_fix_fill(f, 0);
    (void)writer_fix_submit(f, EARLY, 100000);
    i = writer_fix_submit(f, DELETE_MANY, 0);
    writer_fix_wait(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_false(writer_fix_has(f, 0));
}

/* There is room for two, one behind the other, but not for one inside the other. */
static void test_what_is_held_goes_before_the_map_grows(void **state)
{
    struct writer_fix *f = *state;
    struct lmdb_env_stats before, after;
    size_t third;

    lmdb_env_stats(f->e, &before);
    assert_true(before.map < CEILING);
    third = (size_t)(before.map - before.used - (320 << 10)) / 3;
    for (uint32_t i = 0; i < 40; i += 2) {
        (void)writer_fix_submit_bytes(f, EARLY, i, third);
        writer_fix_wait(f);
        (void)writer_fix_submit_bytes(f, PUT, i + 1, third);
        writer_fix_wait(f);
        assert_int_equal(f->results[i + 1].code, ERR_OK);
        assert_true(writer_fix_has(f, i) && writer_fix_has(f, i + 1));
    }
    lmdb_env_stats(f->e, &after);
    assert_int_equal(after.map, before.map);
}

/* Early and firm ones as they come, in many batches. */
static void test_early_in_any_order(void **state)
{
    struct writer_fix *f = *state;

    for (unsigned i = 0; i < 400; i++) {
        (void)writer_fix_submit(f, i % 7 == 3 ? FAIL_AFTER_A_CHANGE : i % 3 == 0 ? PUT : EARLY, i);
        if (i % 50 == 0)
            writer_fix_wait(f);
    }
    (void)writer_fix_submit(f, PASS, 0);
    writer_fix_wait(f);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(f->results[i].code, i % 7 == 3 ? ERR_QUOTA : ERR_OK);
        assert_int_equal(writer_fix_has(f, i), i % 7 != 3);
    }
}

/* Those who never pause do not put off the commit of the first of them. */
static void test_early_without_a_pause(void **state)
{
    enum { LATER = 2000000000 }; /* s: nothing times out */
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, LATER);
    (void)writer_fix_submit(f, EARLY, 1);
    writer_fix_wait(f);
    (void)writer_fix_submit(f, EARLY, 2);
    writer_fix_wait(f);
    assert_int_equal(writer_fix_commits(f), 0);
    writer_fix_set_clock(f, LATER + 1);
    (void)writer_fix_submit(f, EARLY, 3);
    writer_fix_wait(f);
    assert_int_equal(writer_fix_commits(f), 1);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 2) && writer_fix_has(f, 3));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_early_and_firm_share_a_commit),
        TEST(test_early_is_committed_by_itself),
        TEST(test_early_is_seen_behind_a_pass),
        TEST(test_early_survives_failures),
        TEST(test_early_when_full),
        TEST(test_what_is_held_goes_before_the_map_grows),
        TEST(test_early_in_any_order),
        TEST(test_early_without_a_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
