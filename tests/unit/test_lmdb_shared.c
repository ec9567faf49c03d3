/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_writer with a redo log and room: batches in the transaction that is held, and their
 * failures.  Link with --wrap=lmdb_env_nest,--wrap=lmdb_redo_note_put too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/store/lmdb_redo.h"
#include "tests/unit/disk_fails.h"
#include "tests/unit/writer_fix.h"

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, writer_fix_setup_roomy, writer_fix_teardown)

static _Atomic int nested;    /* transactions inside another one */
static _Atomic int not_noted; /* next changes for which memory is short */

int __real_lmdb_env_nest(struct lmdb_env *e, uint64_t bytes, MDB_txn *parent, MDB_txn **ret_txn);
int __wrap_lmdb_env_nest(struct lmdb_env *e, uint64_t bytes, MDB_txn *parent, MDB_txn **ret_txn);

int __wrap_lmdb_env_nest(struct lmdb_env *e, uint64_t bytes, MDB_txn *parent, MDB_txn **ret_txn)
{
    nested++;
    return __real_lmdb_env_nest(e, bytes, parent, ret_txn);
}

void __real_lmdb_redo_note_put(struct buf *changes, enum lmdb_table table, struct part key,
                               struct part value);
void __wrap_lmdb_redo_note_put(struct buf *changes, enum lmdb_table table, struct part key,
                               struct part value);

void __wrap_lmdb_redo_note_put(struct buf *changes, enum lmdb_table table, struct part key,
                               struct part value)
{
    if (not_noted > 0) {
        not_noted--;
        changes->failed = true;
    }
    __real_lmdb_redo_note_put(changes, table, key, value);
}

static int submit(struct writer_fix *f, enum deed deed, uint32_t n)
{
    unsigned i = writer_fix_submit(f, deed, n);

    writer_fix_wait(f);
    return f->results[i].code;
}

static void test_small_ones_share(void **state)
{
    enum { PAIRS = 500 };
    struct writer_fix *f = *state;

    nested = 0;
    writer_fix_set_clock(f, FAR);
    for (uint32_t n = 0; n < PAIRS; n++) {
        assert_int_equal(submit(f, EARLY, n), ERR_OK);
        assert_int_equal(submit(f, RECORD_PUT, PAIRS + n), ERR_OK);
    }
    assert_int_equal(nested, 0);
    (void)lmdb_writer_settle(f->w);
    for (uint32_t n = 0; n < 2 * PAIRS; n++)
        assert_true(writer_fix_has(f, n));
    assert_int_equal(writer_fix_count(f), 2 * PAIRS);
}

/* A large one, whose room nobody has tried, could cost what is held. */
static void test_a_large_one_does_not(void **state)
{
    struct writer_fix *f = *state;

    nested = 0;
    writer_fix_set_clock(f, FAR);
    assert_int_equal(submit(f, RECORD_PUT, 1), ERR_OK);
    (void)writer_fix_submit_bytes(f, PUT_LARGE, 2, 1 << 20);
    writer_fix_wait(f);
    assert_int_equal(nested, 1);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 2));
}

/* Nor does any beside what could not be done again. */
static void test_none_shares_what_is_not_noted(void **state)
{
    struct writer_fix *f = *state;

    nested = 0;
    not_noted = 1;
    writer_fix_set_clock(f, FAR);
    assert_int_equal(submit(f, EARLY, 1), ERR_OK);
    assert_int_equal(not_noted, 0);
    assert_int_equal(submit(f, FAIL_AFTER_A_CHANGE, 2), ERR_QUOTA);
    assert_int_equal(nested, 1);
    assert_true(writer_fix_has(f, 1));
    assert_false(writer_fix_has(f, 2));
    not_noted = 1;
    assert_int_equal(submit(f, RECORD_PUT, 3), ERR_OK);
    assert_true(writer_fix_has(f, 3)); /* committed: no record could have it */
    assert_int_equal(writer_fix_count(f), 2);
}

/* What was done before, in the log and not, is done again without what failed. */
static void test_a_failure_costs_nobody_else(void **state)
{
    static const struct {
        enum deed deed;
        int code;
    } failures[] = {
        {FAIL_CLEAN, ERR_QUOTA},
        {FAIL_AFTER_A_CHANGE, ERR_QUOTA},
        {BREAK, ERR_CORRUPT},
        {BREAK_AFTER_A_CHANGE, ERR_CORRUPT},
    };
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    for (uint32_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        uint32_t n = 10 * i;

        assert_int_equal(submit(f, RECORD_PUT, n), ERR_OK);
        assert_int_equal(submit(f, EARLY, n + 1), ERR_OK);
        assert_int_equal(submit(f, failures[i].deed, n + 2), failures[i].code);
        assert_int_equal(submit(f, SEES, n + 1), ERR_OK);
        assert_int_equal(submit(f, RECORD_PUT, n + 3), ERR_OK);
        (void)lmdb_writer_settle(f->w);
        assert_true(writer_fix_has(f, n) && writer_fix_has(f, n + 1) && writer_fix_has(f, n + 3));
        assert_false(writer_fix_has(f, n + 2));
        assert_int_equal(writer_fix_count(f), 3 * (i + 1));
    }
}

/* The same with nothing in the log. */
static void test_early_ones_stay(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    assert_int_equal(submit(f, EARLY, 1), ERR_OK);
    assert_int_equal(submit(f, FAIL_AFTER_A_CHANGE, 2), ERR_QUOTA);
    assert_true(writer_fix_has(f, 1));
    assert_false(writer_fix_has(f, 2));
    assert_int_equal(writer_fix_count(f), 1);
}

/* In a batch of several each gets its own answer. */
static void test_one_of_many_fails(void **state)
{
    static const enum deed deeds[] = {RECORD_PUT, FAIL_AFTER_A_CHANGE, RECORD_PUT, FAIL_CLEAN,
                                      EARLY};
    enum { N = sizeof(deeds) / sizeof(deeds[0]) };
    struct writer_fix *f = *state;
    unsigned at[N];

    writer_fix_set_clock(f, FAR);
    assert_int_equal(submit(f, RECORD_PUT, 100), ERR_OK);
    writer_fix_hold(f, 1);
    (void)writer_fix_submit(f, RECORD_PUT, 101);
    writer_fix_wait_held(f);
    for (uint32_t i = 0; i < N; i++)
        at[i] = writer_fix_submit(f, deeds[i], i);
    writer_fix_hold(f, 0);
    writer_fix_wait(f);
    (void)lmdb_writer_settle(f->w);
    for (uint32_t i = 0; i < N; i++) {
        bool fails = deeds[i] == FAIL_AFTER_A_CHANGE || deeds[i] == FAIL_CLEAN;

        assert_int_equal(f->results[at[i]].code, fails ? ERR_QUOTA : ERR_OK);
        assert_int_equal(writer_fix_has(f, i), !fails);
    }
    assert_int_equal(writer_fix_count(f), 5);
}

/* What nobody was told to last, and cannot be brought back, does not stop the others. */
static void test_early_ones_that_are_lost(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    assert_int_equal(submit(f, EARLY, 1), ERR_OK);
    disk_fails.meta = 1;
    assert_int_equal(submit(f, FAIL_AFTER_A_CHANGE, 2), ERR_IO);
    assert_int_equal(disk_fails.meta, 0);
    assert_int_equal(submit(f, PUT, 3), ERR_OK);
    assert_true(writer_fix_has(f, 3));
    assert_false(writer_fix_has(f, 1) || writer_fix_has(f, 2));
    assert_int_equal(writer_fix_count(f), 1);
}

/* What was acknowledged comes back, however often that fails. */
static void test_records_are_not_lost(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    for (int fails = 1; fails < 4; fails++) {
        uint32_t n = 10 * (uint32_t)fails;

        assert_int_equal(submit(f, RECORD_PUT, n), ERR_OK);
        disk_fails.meta = fails;
        (void)submit(f, FAIL_AFTER_A_CHANGE, n + 1);
        disk_fails.meta = 0;
        assert_int_equal(submit(f, RECORD_PUT, n + 2), ERR_OK);
        (void)lmdb_writer_settle(f->w);
        assert_true(writer_fix_has(f, n) && writer_fix_has(f, n + 2));
        assert_false(writer_fix_has(f, n + 1));
        assert_int_equal(writer_fix_count(f), 2 * fails);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_small_ones_share),
        TEST(test_a_large_one_does_not),
        TEST(test_none_shares_what_is_not_noted),
        TEST(test_a_failure_costs_nobody_else),
        TEST(test_early_ones_stay),
        TEST(test_one_of_many_fails),
        TEST(test_early_ones_that_are_lost),
        TEST(test_records_are_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
