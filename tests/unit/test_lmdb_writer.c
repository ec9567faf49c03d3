/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_writer: group commit, jobs that fail in the middle of a batch, a store that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/writer_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fix_setup, writer_fix_teardown)

static void test_what_waits_shares_a_commit(void **state)
{
    struct writer_fix *f = *state;
    struct lmdb_writer_stats st;

    writer_fix_hold(f, 1);
    for (unsigned i = 0; i < 100; i++)
        (void)writer_fix_submit(f, i == 50 ? PASS : PUT, i);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(f->results[i].code, ERR_OK);
        assert_int_equal(writer_fix_has(f, i), i != 50);
        assert_int_equal(f->order[i], i);
    }
    lmdb_writer_stats(f->w, &st);
    /* The writer took what had come when it woke, and then all the rest. */
    assert_true(st.commits <= 2);
    assert_true(st.largest >= 50);
}

static unsigned naps(struct writer_fix *f)
{
    unsigned n;

    pthread_mutex_lock(&f->lock);
    n = f->naps;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* The writer takes the first alone, and then all the others. */
static void crowd(struct writer_fix *f, unsigned n)
{
    writer_fix_hold(f, 1);
    (void)writer_fix_submit(f, CROWD_PUT, f->njobs);
    writer_fix_wait_held(f);
    for (unsigned i = 1; i < n; i++)
        (void)writer_fix_submit(f, CROWD_PUT, f->njobs);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
}

/* What comes one by one after a crowd is waited for; that alone comes after one alone is not. */
static void test_a_crowd_is_gathered(void **state)
{
    struct writer_fix *f = *state;
    uint64_t before;

    crowd(f, 1);
    before = writer_fix_commits(f);
    for (int i = 0; i < 2; i++) {
        (void)writer_fix_submit(f, CROWD_PUT, f->njobs);
        writer_fix_wait(f);
    }
    assert_int_equal(writer_fix_commits(f), before + 2);
    crowd(f, 20);
    assert_int_equal(naps(f), 0);
    before = writer_fix_commits(f);
    (void)writer_fix_submit(f, PUT, f->njobs); /* of another kind: at once */
    writer_fix_wait(f);
    assert_int_equal(writer_fix_commits(f), before + 1);
    assert_int_equal(naps(f), 0);
    writer_fix_hold(f, 1);
    for (int i = 0; i < 3; i++)
        (void)writer_fix_submit(f, CROWD_PUT, f->njobs);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    assert_int_equal(writer_fix_commits(f), before + 2);
    assert_int_equal(naps(f), 1);
    for (unsigned i = 0; i < f->njobs; i++) {
        assert_int_equal(f->results[i].code, ERR_OK);
        assert_true(writer_fix_has(f, i));
    }
}

enum { PIECE = 256 << 10, PIECES = 17 };

/* Bulk jobs that come while the writer has the first of them; returns the number of commits. */
static uint64_t in_bulk(struct writer_fix *f, bool asked)
{
    struct lmdb_writer_stats before, after;

    lmdb_writer_stats(f->bulk, &before);
    writer_fix_hold(f, 1);
    (void)writer_fix_submit_bulk(f, f->njobs, PIECE);
    writer_fix_wait_held(f);
    for (unsigned i = 1; i < PIECES; i++)
        (void)writer_fix_submit_bulk(f, f->njobs, PIECE);
    if (asked)
        (void)writer_fix_submit(f, PASS, f->njobs);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    lmdb_writer_stats(f->bulk, &after);
    assert_int_equal(after.committed, before.committed + PIECES);
    return after.commits - before.commits;
}

/* While somebody else has jobs done, bulk is committed half a megabyte at a time. */
static void test_bulk_yields(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, 1000);
    assert_int_equal(in_bulk(f, false), 2);
    assert_int_equal(in_bulk(f, true), 9);
    writer_fix_set_clock(f, 1001);
    assert_int_equal(in_bulk(f, false), 2);
}

static void test_failures_spare_the_others(void **state)
{
    static const enum deed bad[] = {FAIL_CLEAN, FAIL_AFTER_A_CHANGE, BREAK};
    struct writer_fix *f = *state;

    for (unsigned k = 0; k < 3; k++) {
        unsigned first = f->njobs;

        writer_fix_hold(f, 1);
        for (unsigned i = 0; i < 20; i++)
            (void)writer_fix_submit(f, i == 9 ? bad[k] : PUT, first + i);
        writer_fix_hold(f, 0);
        writer_fix_wait(f);
        for (unsigned i = 0; i < 20; i++) {
            assert_int_equal(f->results[first + i].code, i != 9            ? ERR_OK
                                                         : bad[k] == BREAK ? ERR_CORRUPT
                                                                           : ERR_QUOTA);
            assert_int_equal(writer_fix_has(f, first + i), i != 9);
        }
    }
}

/* Put large rows until there is no room; returns how many got in. */
static unsigned fill(struct writer_fix *f, uint32_t from)
{
    unsigned i, n = 0;

    do {
        i = writer_fix_submit(f, PUT_LARGE, from + n);
        writer_fix_wait(f);
        n += f->results[i].code == ERR_OK;
    } while (f->results[i].code == ERR_OK);
    assert_int_equal(f->results[i].code, ERR_FULL);
    return n;
}

/*
 * Full to the last page; a deletion finds room all the same, and what it freed can be used although
 * nothing else is written.
 */
static void test_full_and_deleted(void **state)
{
    struct writer_fix *f = *state;
    struct lmdb_env_stats st;
    unsigned i, small;
    uint32_t n = fill(f, 0);

    assert_in_range(n, 10, 21);
    /* Large ones fail, a small one among them may get in. */
    writer_fix_hold(f, 1);
    i = writer_fix_submit(f, PUT_LARGE, 1000);
    small = writer_fix_submit(f, PUT, 1001);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    assert_int_equal(f->results[i].code, ERR_FULL);
    assert_int_equal(f->results[small].code, ERR_OK);
    writer_fix_fill(f, 2000);
    for (uint32_t k = 0; k < 4; k++) {
        for (uint32_t two = 0; two < 2; two++) {
            i = writer_fix_submit(f, DELETE, 2 * k + two);
            writer_fix_wait(f);
            assert_int_equal(f->results[i].code, ERR_OK);
        }
        assert_true(fill(f, 10000 + 100 * k) > 0);
        writer_fix_fill(f, 20000 + 1000 * k);
    }
    assert_false(writer_fix_has(f, 0));
    assert_true(writer_fix_has(f, 10300));
    lmdb_env_stats(f->e, &st);
    assert_in_range(st.map, CEILING, CEILING + (256 << 10)); /* it does not creep */
}

/* A deletion that needs more pages than any write before it has left behind. */
static void test_full_and_much_deleted(void **state)
{
    struct writer_fix *f = *state;
    unsigned i;

    writer_fix_fill(f, 0);
    i = writer_fix_submit(f, DELETE_MANY, 0);
    writer_fix_wait(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_false(writer_fix_has(f, 4 * (MANY - 1)));
    assert_true(writer_fix_has(f, 4 * (MANY - 1) + 1));
    i = writer_fix_submit(f, PUT_PAGE, 100000);
    writer_fix_wait(f);
    assert_int_equal(f->results[i].code, ERR_OK);
}

static void test_close_does_what_is_queued(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_hold(f, 1);
    for (unsigned i = 0; i < 30; i++)
        (void)writer_fix_submit(f, PUT, i);
    writer_fix_hold(f, 0);
    writer_fix_close(f);
    assert_int_equal(f->done, 30);
    assert_true(writer_fix_has(f, 29));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_what_waits_shares_a_commit),
        TEST(test_a_crowd_is_gathered),
        TEST(test_bulk_yields),
        TEST(test_failures_spare_the_others),
        TEST(test_full_and_deleted),
        TEST(test_full_and_much_deleted),
        TEST(test_close_does_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
