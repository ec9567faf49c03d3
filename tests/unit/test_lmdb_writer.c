/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_writer: group commit, jobs that fail in the middle of a batch, a store that is full. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "server/store/lmdb_writer.h"

enum { JOBS = 4000, MANY = 60, CEILING = 4 << 20, LARGE = 200000 };

/* What a job of this test does, in job->note[0]. */
enum deed {
    PUT,
    CROWD_PUT, /* gathers */
    PUT_PAGE,
    PUT_LARGE,
    DELETE,
    DELETE_MANY,
    FAIL_CLEAN,
    FAIL_AFTER_A_CHANGE,
    BREAK,
    PASS,
    EARLY,
    EARLY_FAIL,
    SEES /* fails clean unless its row is there */
};

struct fixture {
    char dir[64];
    struct lmdb_env *e;
    struct lmdb_writer *w;
    struct store_job jobs[JOBS];
    struct store_result results[JOBS];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned njobs;
    unsigned done, naps, /* this and the next line: under lock */
        held;   /* while not 0 the writer waits in its first job, and does not wake from a nap */
    bool waits; /* it does */
    unsigned order[JOBS];
};

static struct fixture *fx;

static struct lmdb_key key_of(uint32_t n)
{
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, n);
    return k;
}

/* The lock is held. */
static void wait_while_held(void)
{
    fx->waits = fx->held != 0;
    pthread_cond_broadcast(&fx->cond);
    while (fx->held)
        pthread_cond_wait(&fx->cond, &fx->lock);
    fx->waits = false;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* A nap of the writer, which lasts as long as the test says. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    pthread_mutex_lock(&fx->lock);
    fx->naps++;
    wait_while_held();
    pthread_mutex_unlock(&fx->lock);
    return 0;
}

static int run(struct lmdb_txn *t, struct store_job *job)
{
    static uint8_t large[LARGE];
    struct lmdb_key key = key_of(job->note[1]);

    pthread_mutex_lock(&fx->lock);
    wait_while_held();
    pthread_mutex_unlock(&fx->lock);
    switch ((enum deed)job->note[0]) {
    case PUT:
    case CROWD_PUT:
    case FAIL_AFTER_A_CHANGE:
        lmdb_txn_put(t, T_CELLS, &key, "x", 1);
        break;
    case PUT_PAGE:
        lmdb_txn_put(t, T_CELLS, &key, large, 1500);
        break;
    case PUT_LARGE:
        lmdb_txn_put(t, T_CELLS, &key, large, sizeof(large));
        break;
    case DELETE_MANY: /* each from another page, which must be copied for that */
        for (uint32_t i = 0; i < MANY; i++) {
            key = key_of(job->note[1] + 4 * i);
            lmdb_txn_del(t, T_CELLS, &key);
        }
        break;
    case DELETE:
        lmdb_txn_del(t, T_CELLS, &key);
        break;
    case BREAK:
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    case SEES:
        return lmdb_txn_get(t, T_CELLS, &key, NULL);
    case EARLY:
        lmdb_txn_put(t, T_CELLS, &key, "x", 1);
        break;
    case EARLY_FAIL:
        return ERR_EXISTS;
    case FAIL_CLEAN:
    case PASS:
        break;
    }
    return job->note[0] == FAIL_CLEAN || job->note[0] == FAIL_AFTER_A_CHANGE ? ERR_QUOTA : ERR_OK;
}

static bool urgent(const struct store_job *job)
{
    return job->note[0] == DELETE || job->note[0] == DELETE_MANY;
}

static bool passes(const struct store_job *job)
{
    return job->note[0] == PASS;
}

static bool early(const struct store_job *job)
{
    return job->note[0] == EARLY || job->note[0] == EARLY_FAIL;
}

static bool gathers(const struct store_job *job)
{
    return job->note[0] == CROWD_PUT;
}

static void done(struct lmdb_engine *engine, struct store_job *first)
{
    (void)engine;
    pthread_mutex_lock(&fx->lock);
    for (const struct store_job *job = first; job != NULL; job = job->next)
        fx->order[fx->done++] = (unsigned)(job - fx->jobs);
    pthread_cond_broadcast(&fx->cond);
    pthread_mutex_unlock(&fx->lock);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct lmdb_env_config ec = {.tables = lmdb_tables_index, .ntables = T_INDEX_COUNT};
    struct lmdb_writer_config wc = {.meta = T_META,
                                    .run = run,
                                    .urgent = urgent,
                                    .passes = passes,
                                    .early = early,
                                    .gathers = gathers,
                                    .gather_us = 900000,
                                    .done = done};

    if (f == NULL)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/satchel-writer-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    ec.path = f->dir;
    ec.max = CEILING;
    ec.step = 1 << 20;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->cond, NULL);
    if (lmdb_env_open(&f->e, &ec, NULL) != ERR_OK)
        return -1;
    wc.env = f->e;
    *state = fx = f;
    return lmdb_writer_open(&f->w, &wc, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char file[96];

    lmdb_writer_close(f->w);
    lmdb_env_close(f->e);
    (void)snprintf(file, sizeof(file), "%s/data.mdb", f->dir);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/lock.mdb", f->dir);
    (void)unlink(file);
    (void)rmdir(f->dir);
    pthread_cond_destroy(&f->cond);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void hold(struct fixture *f, unsigned held)
{
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

/* Submit a job that says that it brings so many bytes; returns its index. */
static unsigned submit_bytes(struct fixture *f, enum deed deed, uint32_t n, size_t bytes)
{
    unsigned i = f->njobs++;

    f->jobs[i] = (struct store_job){.res = &f->results[i], .note = {deed, n}, .bytes = bytes};
    lmdb_writer_submit(f->w, &f->jobs[i]);
    return i;
}

static unsigned submit(struct fixture *f, enum deed deed, uint32_t n)
{
    return submit_bytes(f, deed, n, 0);
}

static void wait_all(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->done < f->njobs)
        pthread_cond_wait(&f->cond, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static bool is_there(struct fixture *f, uint32_t n)
{
    struct lmdb_txn t = {.env = f->e};
    struct lmdb_key key = key_of(n);
    int rc;

    assert_int_equal(lmdb_env_read(f->e, &t.txn), 0);
    rc = lmdb_txn_get(&t, T_CELLS, &key, NULL);
    lmdb_env_read_end(f->e, t.txn);
    return rc == ERR_OK;
}

static void test_what_waits_shares_a_commit(void **state)
{
    struct fixture *f = *state;
    struct lmdb_writer_stats st;

    hold(f, 1);
    for (unsigned i = 0; i < 100; i++)
        (void)submit(f, i == 50 ? PASS : PUT, i);
    hold(f, 0);
    wait_all(f);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(f->results[i].code, ERR_OK);
        assert_int_equal(is_there(f, i), i != 50);
        assert_int_equal(f->order[i], i);
    }
    lmdb_writer_stats(f->w, &st);
    /* The writer took what had come when it woke, and then all the rest. */
    assert_true(st.commits <= 2);
    assert_true(st.largest >= 50);
}

static uint64_t commits(struct fixture *f)
{
    struct lmdb_writer_stats st;

    lmdb_writer_stats(f->w, &st);
    return st.commits;
}

static unsigned naps(struct fixture *f)
{
    unsigned n;

    pthread_mutex_lock(&f->lock);
    n = f->naps;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* The writer takes the first alone, and then all the others. */
static void crowd(struct fixture *f, unsigned n)
{
    hold(f, 1);
    (void)submit(f, CROWD_PUT, f->njobs);
    pthread_mutex_lock(&f->lock);
    while (!f->waits)
        pthread_cond_wait(&f->cond, &f->lock);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 1; i < n; i++)
        (void)submit(f, CROWD_PUT, f->njobs);
    hold(f, 0);
    wait_all(f);
}

/* What comes one by one after a crowd is waited for; that alone comes after one alone is not. */
static void test_a_crowd_is_gathered(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    crowd(f, 1);
    before = commits(f);
    for (int i = 0; i < 2; i++) {
        (void)submit(f, CROWD_PUT, f->njobs);
        wait_all(f);
    }
    assert_int_equal(commits(f), before + 2);
    crowd(f, 20);
    assert_int_equal(naps(f), 0);
    before = commits(f);
    (void)submit(f, PUT, f->njobs); /* of another kind: at once */
    wait_all(f);
    assert_int_equal(commits(f), before + 1);
    assert_int_equal(naps(f), 0);
    hold(f, 1);
    for (int i = 0; i < 3; i++)
        (void)submit(f, CROWD_PUT, f->njobs);
    hold(f, 0);
    wait_all(f);
    assert_int_equal(commits(f), before + 2);
    assert_int_equal(naps(f), 1);
    for (unsigned i = 0; i < f->njobs; i++) {
        assert_int_equal(f->results[i].code, ERR_OK);
        assert_true(is_there(f, i));
    }
}

static void test_failures_spare_the_others(void **state)
{
    static const enum deed bad[] = {FAIL_CLEAN, FAIL_AFTER_A_CHANGE, BREAK};
    struct fixture *f = *state;

    for (unsigned k = 0; k < 3; k++) {
        unsigned first = f->njobs;

        hold(f, 1);
        for (unsigned i = 0; i < 20; i++)
            (void)submit(f, i == 9 ? bad[k] : PUT, first + i);
        hold(f, 0);
        wait_all(f);
        for (unsigned i = 0; i < 20; i++) {
            assert_int_equal(f->results[first + i].code, i != 9            ? ERR_OK
                                                         : bad[k] == BREAK ? ERR_CORRUPT
                                                                           : ERR_QUOTA);
            assert_int_equal(is_there(f, first + i), i != 9);
        }
    }
}

/* Put large rows until there is no room; returns how many got in. */
static unsigned fill(struct fixture *f, uint32_t from)
{
    unsigned i, n = 0;

    do {
        i = submit(f, PUT_LARGE, from + n);
        wait_all(f);
        n += f->results[i].code == ERR_OK;
    } while (f->results[i].code == ERR_OK);
    assert_int_equal(f->results[i].code, ERR_FULL);
    return n;
}

/* Use up what is left for small rows, too. */
static void fill_small(struct fixture *f, uint32_t from)
{
    unsigned i;

    do {
        i = submit(f, PUT_PAGE, from++);
        wait_all(f);
    } while (f->results[i].code == ERR_OK);
    assert_int_equal(f->results[i].code, ERR_FULL);
}

/*
 * Full to the last page; a deletion finds room all the same, and what it freed can be used although
 * nothing else is written.
 */
static void test_full_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct lmdb_env_stats st;
    unsigned i, small;
    uint32_t n = fill(f, 0);

    assert_in_range(n, 10, 21);
    /* Large ones fail, a small one among them may get in. */
    hold(f, 1);
    i = submit(f, PUT_LARGE, 1000);
    small = submit(f, PUT, 1001);
    hold(f, 0);
    wait_all(f);
    assert_int_equal(f->results[i].code, ERR_FULL);
    assert_int_equal(f->results[small].code, ERR_OK);
    fill_small(f, 2000);
    for (uint32_t k = 0; k < 4; k++) {
        for (uint32_t two = 0; two < 2; two++) {
            i = submit(f, DELETE, 2 * k + two);
            wait_all(f);
            assert_int_equal(f->results[i].code, ERR_OK);
        }
        assert_true(fill(f, 10000 + 100 * k) > 0);
        fill_small(f, 20000 + 1000 * k);
    }
    assert_false(is_there(f, 0));
    assert_true(is_there(f, 10300));
    lmdb_env_stats(f->e, &st);
    assert_in_range(st.map, CEILING, CEILING + (256 << 10)); /* it does not creep */
}

/* A deletion that needs more pages than any write before it has left behind. */
static void test_full_and_much_deleted(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    fill_small(f, 0);
    i = submit(f, DELETE_MANY, 0);
    wait_all(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_false(is_there(f, 4 * (MANY - 1)));
    assert_true(is_there(f, 4 * (MANY - 1) + 1));
    i = submit(f, PUT_PAGE, 100000);
    wait_all(f);
    assert_int_equal(f->results[i].code, ERR_OK);
}

/* ---- early jobs ---- */

/* Until a moment has passed in which nothing came. */
static void wait_commits(struct fixture *f, uint64_t n)
{
    while (commits(f) < n)
        (void)usleep(1000);
}

static void test_early_and_firm_share_a_commit(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    hold(f, 1);
    (void)submit(f, EARLY, 1);
    i = submit(f, SEES, 1);
    (void)submit(f, PUT, 2);
    (void)submit(f, EARLY_FAIL, 3);
    hold(f, 0);
    wait_all(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_int_equal(f->results[3].code, ERR_EXISTS);
    assert_true(is_there(f, 1) && is_there(f, 2));
    assert_in_range(commits(f), 1, 2); /* the first may have been taken before the others came */
}

static void test_early_is_committed_by_itself(void **state)
{
    struct fixture *f = *state;

    (void)submit(f, EARLY, 1);
    wait_all(f);
    wait_commits(f, 1);
    assert_true(is_there(f, 1));
    (void)submit(f, EARLY, 2);
    wait_all(f);
    lmdb_writer_close(f->w); /* it does not wait for more */
    f->w = NULL;
    assert_true(is_there(f, 2));
}

/* A pass is a way to wait for what is early: readers see it then. */
static void test_early_is_seen_behind_a_pass(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < 20; i++) {
        (void)submit(f, EARLY, i);
        wait_all(f);
        (void)submit(f, PASS, i);
        wait_all(f);
        assert_true(is_there(f, i));
    }
}

/* Whatever goes wrong behind it: what was answered early stays. */
static void test_early_survives_failures(void **state)
{
    static const enum deed bad[] = {FAIL_CLEAN, FAIL_AFTER_A_CHANGE, BREAK, SEES};
    struct fixture *f = *state;

    for (uint32_t k = 0; k < 4; k++) {
        unsigned first = f->njobs;

        (void)submit(f, EARLY, first);
        wait_all(f);
        hold(f, 1);
        for (unsigned i = 1; i < 10; i++)
            (void)submit(f, i == 5 ? bad[k] : i % 2 ? EARLY : PUT, first + i);
        hold(f, 0);
        wait_all(f);
        (void)submit(f, PASS, 0);
        wait_all(f);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(is_there(f, first + i), i != 5);
    }
}

static void test_early_when_full(void **state)
{
    struct fixture *f = *state;
    unsigned i;

    fill_small(f, 0);
    (void)submit(f, EARLY, 100000);
    i = submit(f, DELETE_MANY, 0);
    wait_all(f);
    assert_int_equal(f->results[i].code, ERR_OK);
    assert_false(is_there(f, 0));
}

/* There is room for two, one behind the other, but not for one inside the other. */
static void test_what_is_held_goes_before_the_map_grows(void **state)
{
    struct fixture *f = *state;
    struct lmdb_env_stats before, after;
    size_t third;

    lmdb_env_stats(f->e, &before);
    assert_true(before.map < CEILING);
    third = (size_t)(before.map - before.used - (320 << 10)) / 3;
    for (uint32_t i = 0; i < 40; i += 2) {
        (void)submit_bytes(f, EARLY, i, third);
        wait_all(f);
        (void)submit_bytes(f, PUT, i + 1, third);
        wait_all(f);
        assert_int_equal(f->results[i + 1].code, ERR_OK);
        assert_true(is_there(f, i) && is_there(f, i + 1));
    }
    lmdb_env_stats(f->e, &after);
    assert_int_equal(after.map, before.map);
}

/* Early and firm ones as they come, in many batches. */
static void test_early_in_any_order(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 400; i++) {
        (void)submit(f, i % 7 == 3 ? FAIL_AFTER_A_CHANGE : i % 3 == 0 ? PUT : EARLY, i);
        if (i % 50 == 0)
            wait_all(f);
    }
    (void)submit(f, PASS, 0);
    wait_all(f);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(f->results[i].code, i % 7 == 3 ? ERR_QUOTA : ERR_OK);
        assert_int_equal(is_there(f, i), i % 7 != 3);
    }
}

static void test_close_does_what_is_queued(void **state)
{
    struct fixture *f = *state;

    hold(f, 1);
    for (unsigned i = 0; i < 30; i++)
        (void)submit(f, PUT, i);
    hold(f, 0);
    lmdb_writer_close(f->w);
    f->w = NULL;
    assert_int_equal(f->done, 30);
    assert_true(is_there(f, 29));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_what_waits_shares_a_commit),
        TEST(test_a_crowd_is_gathered),
        TEST(test_failures_spare_the_others),
        TEST(test_full_and_deleted),
        TEST(test_full_and_much_deleted),
        TEST(test_early_and_firm_share_a_commit),
        TEST(test_early_is_committed_by_itself),
        TEST(test_early_is_seen_behind_a_pass),
        TEST(test_early_survives_failures),
        TEST(test_early_when_full),
        TEST(test_what_is_held_goes_before_the_map_grows),
        TEST(test_early_in_any_order),
        TEST(test_close_does_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
