/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_env: growth, and a disk that fails under it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/lmdb_env.h"
#include "tests/unit/disk_fails.h"

enum { STEP = 1 << 20 };

/* ---- fixture ---- */

static const char *const tables[] = {"rows", "more"};
static char dir[64], path[96];

static struct lmdb_env *open_env(uint64_t max)
{
    struct lmdb_env_config cfg = {
        .path = path, .tables = tables, .ntables = 2, .max = max, .step = STEP};
    struct lmdb_env *e = NULL;
    struct err err = {0};

    if (lmdb_env_open(&e, &cfg, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return e;
}

static int setup(void **state)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/satchel-env-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/env", dir);
    *state = open_env(64 << 20);
    return 0;
}

static int teardown(void **state)
{
    char file[128];

    disk_fails = (struct disk_fails){0};
    lmdb_env_close(*state);
    (void)snprintf(file, sizeof(file), "%s/data.mdb", path);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/lock.mdb", path);
    (void)unlink(file);
    (void)rmdir(path);
    return rmdir(dir);
}

/* Put ${len} bytes under number ${n}; what the commit says. */
static int put(struct lmdb_env *e, uint32_t n, size_t len)
{
    MDB_val k = {sizeof(n), &n}, v = {len, calloc(1, len)};
    MDB_txn *txn = NULL;
    int rc = lmdb_env_write(e, len, &txn);

    if (rc == 0) {
        rc = mdb_put(txn, lmdb_env_table(e, 0), &k, &v, 0);
        if (rc == 0)
            rc = lmdb_env_commit(e, txn);
        else
            lmdb_env_abort(e, txn);
    }
    free(v.mv_data);
    return rc;
}

/* The length of number ${n}, or -1. */
static long get(struct lmdb_env *e, uint32_t n)
{
    MDB_val k = {sizeof(n), &n}, v = {0};
    MDB_txn *txn = NULL;
    int rc;

    if (lmdb_env_read(e, &txn) != 0)
        return -2;
    rc = mdb_get(txn, lmdb_env_table(e, 0), &k, &v);
    lmdb_env_read_end(e, txn);
    return rc == 0 ? (long)v.mv_size : -1;
}

static uint64_t reopened(const struct lmdb_env *e)
{
    struct lmdb_env_stats st;

    lmdb_env_stats(e, &st);
    return st.reopened;
}

/* ---- a disk that fails ---- */

static void test_panic_is_not_for_ever(void **state)
{
    struct lmdb_env *e = *state;

    assert_int_equal(put(e, 1, 100), 0);
    disk_fails.meta = 1;
    assert_int_not_equal(put(e, 2, 200), 0);
    assert_int_equal(reopened(e), 1);
    assert_int_equal(get(e, 1), 100);
    assert_int_equal(get(e, 2), -1);
    assert_int_equal(put(e, 2, 300), 0);
    assert_int_equal(get(e, 2), 300);
    /* Also when the attempt to take it back fails. */
    disk_fails.meta = 2;
    assert_int_not_equal(put(e, 3, 100), 0);
    assert_int_equal(reopened(e), 2);
    assert_int_equal(get(e, 2), 300);
    assert_int_equal(get(e, 3), -1);
    assert_int_equal(put(e, 3, 400), 0);
    lmdb_env_close(e);
    *state = e = open_env(64 << 20);
    assert_int_equal(get(e, 1), 100);
    assert_int_equal(get(e, 2), 300);
    assert_int_equal(get(e, 3), 400);
}

/* The write that is said to have failed is there, and so is everything it speaks of. */
static void test_a_commit_that_got_through(void **state)
{
    struct lmdb_env *e = *state;

    disk_fails.meta_done = 1;
    disk_fails.meta = 1; /* LMDB cannot take it back */
    assert_int_equal(put(e, 1, 100), 0);
    assert_int_equal(reopened(e), 1);
    assert_int_equal(get(e, 1), 100);
}

static void test_a_failing_sync_writes_nothing(void **state)
{
    struct lmdb_env *e = *state;

    assert_int_equal(put(e, 1, 100), 0);
    disk_fails.sync = 1;
    assert_int_equal(lmdb_env_code(put(e, 2, 100)), ERR_IO);
    assert_int_equal(get(e, 2), -1);
    assert_int_equal(put(e, 2, 200), 0);
    assert_int_equal(get(e, 2), 200);
    assert_int_equal(reopened(e), 0);
}

static void test_no_room_writes_nothing(void **state)
{
    struct lmdb_env *e = *state;

    assert_int_equal(put(e, 1, 100), 0);
    disk_fails.data = 1;
    assert_int_equal(lmdb_env_code(put(e, 2, 100000)), ERR_FULL);
    assert_int_equal(get(e, 1), 100);
    assert_int_equal(get(e, 2), -1);
    assert_int_equal(put(e, 2, 100000), 0);
    assert_int_equal(get(e, 2), 100000);
}

/* Opening again fails too, for a while: everything says so, and recovers. */
static void test_gone_and_back(void **state)
{
    struct lmdb_env *e = *state;
    char away[128];

    assert_int_equal(put(e, 1, 100), 0);
    (void)snprintf(away, sizeof(away), "%s/away", dir);
    disk_fails.meta = 1;
    assert_int_equal(rename(path, away), 0);
    assert_int_not_equal(put(e, 2, 100), 0);
    assert_int_equal(get(e, 1), -2);
    assert_int_not_equal(put(e, 2, 100), 0);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(get(e, 1), 100);
    assert_int_equal(put(e, 2, 200), 0);
    assert_int_equal(get(e, 2), 200);
}

/* ---- growth ---- */

static void test_growth_and_ceiling(void **state)
{
    struct lmdb_env *e = *state;
    struct lmdb_env_stats st;
    struct stat file;
    char data[128];
    uint32_t n = 0;
    int rc;

    lmdb_env_close(e);
    *state = e = open_env(8 << 20);
    (void)snprintf(data, sizeof(data), "%s/data.mdb", path);
    do {
        rc = put(e, n, 200000);
        n += rc == 0;
        if (rc == MDB_MAP_FULL)
            rc = lmdb_env_grow(e);
        lmdb_env_stats(e, &st);
        assert_true(st.used <= st.map);
        /* The blocks are there before they are needed. */
        assert_int_equal(stat(data, &file), 0);
        if (st.map > STEP)
            assert_true((uint64_t)file.st_blocks * 512 + STEP >= st.map);
    } while (rc == 0 && n < 100);
    assert_int_equal(rc, MDB_MAP_FULL);
    assert_int_equal(st.map, 8 << 20);
    assert_in_range(n, 30, 41);
    assert_int_equal(lmdb_env_grow(e), MDB_MAP_FULL);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(get(e, i), 200000);
    /* A lower ceiling than what is there: it opens, reads, and does not grow. */
    lmdb_env_close(e);
    *state = e = open_env(2 << 20);
    assert_int_equal(get(e, n - 1), 200000);
    assert_int_equal(lmdb_env_grow(e), MDB_MAP_FULL);
}

static int drop(struct lmdb_env *e, uint32_t n)
{
    MDB_val k = {sizeof(n), &n};
    MDB_txn *txn = NULL;
    int rc = lmdb_env_write(e, 0, &txn);

    if (rc == 0)
        rc = mdb_del(txn, lmdb_env_table(e, 0), &k, NULL);
    return rc == 0 ? lmdb_env_commit(e, txn) : rc;
}

/* What is in use is what was put and not deleted, also after opening again; the rest is room. */
static void test_room(void **state)
{
    struct lmdb_env_config cfg = {.path = path,
                                  .tables = tables,
                                  .ntables = 2,
                                  .max = 8 << 20,
                                  .step = STEP,
                                  .leaves_room = true};
    struct lmdb_env_stats st;
    struct lmdb_env *e = *state;
    uint64_t empty;

    assert_true(lmdb_env_most(e) == UINT64_MAX);
    lmdb_env_stats(e, &st);
    assert_int_equal(st.live, 0);
    lmdb_env_close(e);
    assert_int_equal(lmdb_env_open(&e, &cfg, NULL), ERR_OK);
    *state = e;
    assert_int_equal(lmdb_env_most(e), 8 << 20);
    lmdb_env_stats(e, &st);
    empty = st.live;
    assert_in_range(empty, 0, 16384);
    assert_true(st.page >= 4096 && st.used % st.page == 0);
    for (uint32_t n = 0; n < 5; n++)
        assert_int_equal(put(e, n, 200000), 0);
    lmdb_env_stats(e, &st);
    assert_in_range(st.live, empty + 5 * 200000, empty + 5 * 204800 + 8192);
    disk_fails.data = 1;
    assert_int_not_equal(put(e, 5, 200000), 0);
    assert_int_equal(drop(e, 0), 0);
    assert_int_equal(drop(e, 1), 0);
    lmdb_env_stats(e, &st);
    assert_in_range(st.live, empty + 3 * 200000, empty + 3 * 204800 + 8192);
    assert_true(st.used > st.live + 200000); /* the file keeps its length */
    lmdb_env_close(e);
    assert_int_equal(lmdb_env_open(&e, &cfg, NULL), ERR_OK);
    *state = e;
    lmdb_env_stats(e, &st);
    assert_in_range(st.live, empty + 3 * 200000, empty + 3 * 204800 + 8192);
    lmdb_env_close(e);
    cfg.max = 1ULL << 60; /* the disk counts then */
    assert_int_equal(lmdb_env_open(&e, &cfg, NULL), ERR_OK);
    *state = e;
    assert_true(lmdb_env_most(e) > STEP && lmdb_env_most(e) < cfg.max);
}

struct reader {
    struct lmdb_env *e;
    _Atomic bool stop;
    unsigned reads;
};

static void *reader_main(void *arg)
{
    struct reader *r = arg;

    do {
        if (get(r->e, 0) != 1000)
            return r;
        r->reads++;
    } while (!r->stop);
    return NULL;
}

static void test_growth_under_readers(void **state)
{
    struct reader r[3] = {{.e = *state}, {.e = *state}, {.e = *state}};
    pthread_t threads[3];
    void *bad;

    assert_int_equal(put(*state, 0, 1000), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &r[i]), 0);
    for (uint32_t n = 1; n < 100; n++) {
        if (n % 30 == 0)
            disk_fails.meta = 1; /* and an environment that is opened again under them */
        if (put(*state, n, 200000) != 0)
            assert_int_equal(put(*state, n, 200000), 0);
    }
    for (int i = 0; i < 3; i++)
        r[i].stop = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
        assert_true(r[i].reads > 0);
    }
    assert_int_equal(reopened(*state), 3);
}

/* Another process made the map larger. */
static void test_resized_by_others(void **state)
{
    struct lmdb_env *e = *state;
    uint32_t n = 7;
    MDB_val k = {sizeof(n), &n}, v = {2 << 20, NULL};
    MDB_env *other = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        v.mv_data = calloc(1, v.mv_size);
        _exit(mdb_env_create(&other) == 0 && mdb_env_set_maxdbs(other, 4) == 0 &&
                      mdb_env_set_mapsize(other, 32 << 20) == 0 &&
                      mdb_env_open(other, path, 0, 0600) == 0 &&
                      mdb_txn_begin(other, NULL, 0, &txn) == 0 &&
                      mdb_dbi_open(txn, "rows", 0, &dbi) == 0 &&
                      mdb_put(txn, dbi, &k, &v, 0) == 0 && mdb_txn_commit(txn) == 0
                  ? 0
                  : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(get(e, 7), 2 << 20);
    assert_int_equal(put(e, 8, 100), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_panic_is_not_for_ever),
        TEST(test_a_commit_that_got_through),
        TEST(test_a_failing_sync_writes_nothing),
        TEST(test_no_room_writes_nothing),
        TEST(test_gone_and_back),
        TEST(test_growth_and_ceiling),
        TEST(test_room),
        TEST(test_growth_under_readers),
        TEST(test_resized_by_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
