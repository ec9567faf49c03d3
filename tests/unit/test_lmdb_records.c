/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_writer with a redo log: jobs whose rows are durable by a record, before their commit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "server/store/lmdb_redo.h"
#include "tests/unit/disk_fails.h"
#include "tests/unit/writer_fix.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_fix_setup_redo, writer_fix_teardown)

/* ---- a crash ---- */

/* What the next start would find: a copy of both files, as they are now. */
struct crash {
    char dir[64];
    struct lmdb_env *e;
    struct lmdb_redo *redo;
};

static void copy(const char *from, const char *to, const char *name)
{
    char *source = fs_join(from, name), *target = fs_join(to, name);
    struct buf b = {0};

    assert_int_equal(fs_read(source, 64 << 20, &b, NULL), ERR_OK);
    assert_int_equal(fs_create(target, b.data, b.len, 0600, NULL), ERR_OK);
    buf_free(&b);
    free(source);
    free(target);
}

static void crash_begin(struct crash *c)
{
    (void)snprintf(c->dir, sizeof(c->dir), "/tmp/satchel-crash-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
}

/* What the next start does with the files in it. */
static void crash_open(struct crash *c)
{
    struct lmdb_env_config ec = {
        .path = c->dir, .tables = lmdb_tables_index, .ntables = T_INDEX_COUNT, .max = CEILING};
    struct lmdb_txn t = {0};

    assert_int_equal(lmdb_env_open(&c->e, &ec, NULL), ERR_OK);
    assert_int_equal(lmdb_redo_open(&c->redo, c->dir, NULL), ERR_OK);
    t.env = c->e;
    assert_int_equal(lmdb_env_overdraw(c->e, true), 0);
    assert_int_equal(lmdb_env_write(c->e, 0, &t.txn), 0);
    (void)lmdb_redo_replay(c->redo, &t);
    assert_int_equal(lmdb_txn_code(&t), ERR_OK);
    assert_int_equal(lmdb_env_commit(c->e, t.txn), 0);
}

static void crash(const struct writer_fix *f, struct crash *c)
{
    crash_begin(c);
    copy(f->dir, c->dir, "data.mdb");
    copy(f->dir, c->dir, "redo");
    crash_open(c);
}

static void crash_end(struct crash *c)
{
    static const char *const names[] = {"redo", "data.mdb", "lock.mdb"};

    lmdb_redo_close(c->redo);
    lmdb_env_close(c->e);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(fs_remove_in(c->dir, names[i], NULL), ERR_OK);
    assert_int_equal(rmdir(c->dir), 0);
}

static bool crash_has(const struct crash *c, uint32_t n)
{
    struct writer_fix at = {.e = c->e};

    return writer_fix_has(&at, n);
}

/* Would the row ${n} be there? */
static bool survives(const struct writer_fix *f, uint32_t n)
{
    struct crash c = {0};
    bool has;

    crash(f, &c);
    has = crash_has(&c, n);
    crash_end(&c);
    return has;
}

/* ---- what was done ---- */

static unsigned submit(struct writer_fix *f, enum deed deed, uint32_t n)
{
    unsigned i = writer_fix_submit(f, deed, n);

    writer_fix_wait(f);
    return i;
}

static void test_a_record_lasts(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    for (uint32_t i = 0; i < 10; i++) {
        (void)submit(f, RECORD_PUT, i);
        assert_int_equal(f->results[i].code, ERR_OK);
        assert_true(survives(f, i));
        assert_false(writer_fix_has(f, i)); /* not committed */
    }
    assert_int_equal(writer_fix_commits(f), 10); /* a record counts as one */
    lmdb_writer_settle(f->w);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(writer_fix_has(f, i));
    assert_int_equal(writer_fix_commits(f), 11);
    lmdb_writer_settle(f->w); /* nothing to wait for */
    assert_int_equal(writer_fix_commits(f), 11);
    assert_true(survives(f, 9));
}

static void test_no_record_of_nothing(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    (void)submit(f, RECORD_PUT, 1);
    (void)submit(f, FAIL_CLEAN, 2);
    assert_int_equal(writer_fix_commits(f), 1);
}

/* The record of a job has what was answered early before it. */
static void test_early_rows_are_in_it(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    (void)submit(f, EARLY, 1);
    assert_false(survives(f, 1)); /* nobody was told that it would last */
    (void)submit(f, RECORD_PUT, 2);
    assert_true(survives(f, 1));
    assert_true(survives(f, 2));
    assert_false(writer_fix_has(f, 1));
}

static void test_any_other_job_is_committed(void **state)
{
    static const enum deed others[] = {PUT, DELETE, PASS};
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    for (uint32_t i = 0; i < 3; i++) {
        (void)submit(f, RECORD_PUT, i);
        assert_false(writer_fix_has(f, i));
        (void)submit(f, others[i], 100 + i);
        assert_true(writer_fix_has(f, i));
        assert_true(survives(f, i));
    }
}

static void test_what_failed_is_not_in_it(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    (void)submit(f, RECORD_PUT, 1);
    (void)submit(f, FAIL_AFTER_A_CHANGE, 2);
    (void)submit(f, FAIL_CLEAN, 3);
    (void)submit(f, RECORD_PUT, 4);
    assert_int_equal(f->results[1].code, ERR_QUOTA);
    assert_int_equal(f->results[3].code, ERR_OK);
    assert_true(survives(f, 1) && survives(f, 4));
    assert_false(survives(f, 2) || survives(f, 3));
}

/* In time, when it is due; nobody asks. */
static void test_it_is_committed_by_itself(void **state)
{
    struct writer_fix *f = *state;

    (void)submit(f, RECORD_PUT, 1);
    while (!writer_fix_has(f, 1))
        (void)usleep(1000);
    assert_true(survives(f, 1));
}

static void test_it_is_committed_at_the_end(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    (void)submit(f, RECORD_PUT, 1);
    writer_fix_close(f);
    assert_true(writer_fix_has(f, 1));
}

/* More than the map has room for while they are held. */
static void test_many_records(void **state)
{
    struct writer_fix *f = *state;
    const uint32_t many = 1500;

    writer_fix_set_clock(f, FAR);
    for (uint32_t i = 0; i < many; i++)
        (void)submit(f, RECORD_PUT, i);
    assert_true(writer_fix_has(f, 0));
    assert_true(survives(f, 0) && survives(f, many / 2) && survives(f, many - 1));
}

/*
 * Each touches another page, which the bytes that it brings do not tell: what is held is committed
 * before there is no room left for that.
 */
static void test_the_map_has_room_for_the_commit(void **state)
{
    enum { PAIRS = 250 };
    struct writer_fix *f = *state;
    unsigned i;

    writer_fix_set_clock(f, FAR);
    for (uint32_t n = 0; n < 2 * PAIRS; n++) /* two on a page */
        (void)submit(f, PUT_PAGE, n);
    for (uint32_t n = 0; n < PAIRS; n++) {
        (void)submit(f, EARLY, 10000 + n);
        i = submit(f, RECORD_PUT, 2 * n);
        assert_int_equal(f->results[i].code, ERR_OK);
    }
    (void)lmdb_writer_settle(f->w);
    for (uint32_t n = 0; n < PAIRS; n++)
        assert_true(writer_fix_has(f, 10000 + n));
}

/* ---- when the disk fails ---- */

static void find_log(const struct writer_fix *f)
{
    char link[64], target[96], *path = fs_join(f->dir, "redo");

    for (int fd = 3; fd < 256; fd++) {
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        if (strcmp(target, path) == 0)
            disk_fails.log_fd = fd;
    }
    free(path);
    assert_true(disk_fails.log_fd != 0);
}

/* A log that fails is not used for a minute; then it is tried again. */
static void test_a_log_that_fails(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    find_log(f);
    (void)submit(f, RECORD_PUT, 1);
    disk_fails.log = 1;
    (void)submit(f, RECORD_PUT, 2);
    assert_int_equal(f->results[1].code, ERR_OK);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 2));
    (void)submit(f, RECORD_PUT, 3);
    assert_true(writer_fix_has(f, 3));
    assert_true(survives(f, 1) && survives(f, 2) && survives(f, 3));
    assert_int_equal(lmdb_redo_failures(f->redo), 1);
    writer_fix_set_clock(f, FAR + 59);
    (void)submit(f, RECORD_PUT, 4);
    assert_true(writer_fix_has(f, 4));
    writer_fix_set_clock(f, FAR + 61);
    (void)submit(f, RECORD_PUT, 5);
    assert_false(writer_fix_has(f, 5));
    for (uint32_t n = 1; n < 6; n++)
        assert_true(survives(f, n));
    disk_fails.log_fd = 0;
}

/* Nor is it read for what no record has. */
static void test_a_log_that_cannot_be_read(void **state)
{
    struct writer_fix *f = *state;
    unsigned at;

    writer_fix_set_clock(f, FAR);
    find_log(f);
    disk_fails.log = 1;
    (void)submit(f, RECORD_PUT, 1);
    disk_fails.log_read = 1000;
    (void)submit(f, EARLY, 2);
    at = submit(f, FAIL_AFTER_A_CHANGE, 3); /* what was held is done again */
    assert_int_equal(f->results[at].code, ERR_QUOTA);
    at = submit(f, PUT, 4);
    assert_int_equal(f->results[at].code, ERR_OK);
    assert_int_equal(disk_fails.log_read, 1000);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 2) && writer_fix_has(f, 4));
    assert_int_equal(writer_fix_count(f), 3);
    disk_fails.log_read = 0;
    disk_fails.log_fd = 0;
}

/* A record whose sync failed may be whole all the same: the commit that stands for it is newer. */
static void test_a_record_that_failed_is_not_done_again(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    find_log(f);
    disk_fails.log_sync = 1;
    (void)submit(f, RECORD_PUT, 1);
    assert_int_equal(disk_fails.log_sync, 0);
    assert_int_equal(f->results[0].code, ERR_OK);
    assert_true(survives(f, 1));
    (void)submit(f, DELETE, 1);
    assert_false(survives(f, 1));
    disk_fails.log_fd = 0;
}

/* Nor is one whose commit failed, too, among what came behind it and does not know of it. */
static void test_a_record_that_failed_with_its_commit(void **state)
{
    struct writer_fix *f = *state;
    unsigned at;

    writer_fix_set_clock(f, FAR);
    find_log(f);
    (void)submit(f, PUT, 1);
    disk_fails.log_sync = disk_fails.meta = 1;
    at = submit(f, RECORD_PUT, 2);
    assert_int_equal(f->results[at].code, ERR_IO);
    assert_int_equal(disk_fails.log_sync + disk_fails.meta, 0);
    (void)submit(f, EARLY, 3);
    (void)submit(f, FAIL_AFTER_A_CHANGE, 4); /* what was held is done again */
    lmdb_writer_settle(f->w);
    assert_true(writer_fix_has(f, 1) && writer_fix_has(f, 3));
    assert_false(writer_fix_has(f, 2) || writer_fix_has(f, 4));
    assert_int_equal(writer_fix_count(f), 2);
    disk_fails.log_fd = 0;
}

/* An older copy of the index beside this log is as it was when it was copied. */
static void test_an_older_index(void **state)
{
    struct writer_fix *f = *state;
    struct crash c = {0};

    writer_fix_set_clock(f, FAR);
    (void)submit(f, PUT, 1);
    crash_begin(&c);
    copy(f->dir, c.dir, "data.mdb");
    (void)submit(f, PUT, 2);
    (void)submit(f, RECORD_PUT, 3);
    copy(f->dir, c.dir, "redo");
    crash_open(&c);
    assert_true(crash_has(&c, 1));
    assert_false(crash_has(&c, 2) || crash_has(&c, 3));
    crash_end(&c);
    assert_true(survives(f, 3));
}

/* In a full store, where a commit for its own sake may come before what is lost is back. */
static void test_commits_that_fail_in_a_full_store(void **state)
{
    struct writer_fix *f = *state;

    for (int fails = 1; fails < 6; fails++) {
        uint32_t n = 100000 + 10 * (uint32_t)fails;

        writer_fix_set_clock(f, FAR + fails);
        writer_fix_fill(f, 10000 * (uint32_t)fails);
        (void)submit(f, DELETE_MANY, 10000 * (uint32_t)fails);
        (void)submit(f, RECORD_PUT, n);
        assert_true(survives(f, n));
        disk_fails.meta_error = ENOSPC;
        disk_fails.meta = fails;
        (void)submit(f, PUT, n + 1);
        disk_fails.meta = 0;
        assert_true(survives(f, n));
        (void)submit(f, DELETE, n + 1);
        lmdb_writer_settle(f->w);
        assert_true(writer_fix_has(f, n));
    }
    disk_fails.meta_error = 0;
}

/* The commit behind a record fails: what was acknowledged comes back. */
static void test_a_commit_that_fails(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    (void)submit(f, RECORD_PUT, 1);
    disk_fails.meta = 1;
    lmdb_writer_settle(f->w);
    assert_int_equal(disk_fails.meta, 0);
    assert_true(writer_fix_has(f, 1)); /* a second commit has brought it back */
    assert_true(survives(f, 1));
}

/* What a commit that failed has left there may not last, so no record stands on it. */
static void test_no_record_behind_a_commit_that_failed(void **state)
{
    struct writer_fix *f = *state;

    writer_fix_set_clock(f, FAR);
    disk_fails.meta = 1;
    (void)submit(f, PUT, 1);
    assert_int_equal(f->results[0].code, ERR_IO);
    (void)submit(f, RECORD_PUT, 2);
    assert_true(writer_fix_has(f, 2));
    (void)submit(f, RECORD_PUT, 3);
    assert_false(writer_fix_has(f, 3));
    assert_true(survives(f, 3));
}

/* With a job that is to be committed with it, and again in the middle of bringing it back. */
static void test_commits_that_fail(void **state)
{
    struct writer_fix *f = *state;

    for (int fails = 1; fails < 4; fails++) {
        uint32_t n = 10 * (uint32_t)fails;
        unsigned last;

        writer_fix_set_clock(f, FAR + fails);
        (void)submit(f, RECORD_PUT, n);
        disk_fails.meta = fails;
        last = submit(f, PUT, n + 1);
        disk_fails.meta = 0;
        assert_true(survives(f, n));
        if (f->results[last].code == ERR_OK)
            assert_true(writer_fix_has(f, n + 1));
        last = submit(f, RECORD_PUT, n + 2);
        assert_int_equal(f->results[last].code, ERR_OK);
        assert_true(survives(f, n) && survives(f, n + 2));
        lmdb_writer_settle(f->w);
        assert_true(writer_fix_has(f, n) && writer_fix_has(f, n + 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_record_lasts),
        TEST(test_no_record_of_nothing),
        TEST(test_early_rows_are_in_it),
        TEST(test_any_other_job_is_committed),
        TEST(test_what_failed_is_not_in_it),
        TEST(test_it_is_committed_by_itself),
        TEST(test_it_is_committed_at_the_end),
        TEST(test_many_records),
        TEST(test_the_map_has_room_for_the_commit),
        TEST(test_a_log_that_fails),
        cmocka_unit_test_setup_teardown(test_a_log_that_cannot_be_read, writer_fix_setup_roomy,
                                        writer_fix_teardown),
        TEST(test_a_record_that_failed_is_not_done_again),
        cmocka_unit_test_setup_teardown(test_a_record_that_failed_with_its_commit,
                                        writer_fix_setup_roomy, writer_fix_teardown),
        TEST(test_an_older_index),
        TEST(test_commits_that_fail_in_a_full_store),
        TEST(test_a_commit_that_fails),
        TEST(test_no_record_behind_a_commit_that_failed),
        TEST(test_commits_that_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
