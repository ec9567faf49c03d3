/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_engine: commits of bodies are small while clients have other jobs for the store, and are not
 * for what the daemon asks for itself.  The clock stands still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "server/store/lmdb_engine.h"
#include "tests/unit/tmpdir.h"

enum { PIECE = 256 << 10, PIECES = 17, JOBS = 400 };

static const uint64_t cells[] = {1};
static struct store_event_new event = {.kind = STORE_EVENT_EXPIRED};

/* What is asked for while pieces wait, and whether they are then committed a few at a time. */
static struct {
    enum store_op op;
    union store_request in;
    bool yields;
} asked[] = {
    {STORE_OP_block_set, {.block_set = {.now = 1}}, true},
    {STORE_OP_upload_get, {.upload_get = {.tid = {1}}}, true},
    {STORE_OP_slot_update, {.slot_update = {.move = STORE_MOVE_RECEIVED}}, true},
    {STORE_OP_slot_update, {.slot_update = {.move = STORE_MOVE_EXPIRE, .event = &event}}, false},
    {STORE_OP_cells_done, {.cells_done = {.cells = cells, .ncells = 1}}, true},
    {STORE_OP_cells_done, {.cells_done = {.cells = cells, .ncells = 1, .background = true}}, false},
    {STORE_OP_user_clear, {.user_clear = {.limit = 1}}, true},
    {STORE_OP_user_clear, {.user_clear = {.any = true, .limit = 1}}, false},
    {STORE_OP_collect, {.collect = {.limit = 1}}, false},
};

static struct {
    char dir[TMPDIR_SIZE];
    struct lmdb_engine *e;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    time_t now;       /* this and the next lines: under lock */
    bool held, waits; /* the writer of bodies is to wait in its next job; it does */
    unsigned done;
    unsigned njobs;
    struct store_job jobs[JOBS];
    struct store_result results[JOBS];
    union store_request pieces[JOBS];
} f = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER, .now = 1000};

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    pthread_mutex_lock(&f.lock);
    *ret = (struct timespec){.tv_sec = f.now};
    pthread_mutex_unlock(&f.lock);
    return 0;
}

int __wrap_lmdb_bodies_put(struct lmdb_txn *t, struct store_job *job);

/* Instead of a piece of an upload, a row that is nobody's, and no leaf. */
int __wrap_lmdb_bodies_put(struct lmdb_txn *t, struct store_job *job)
{
    struct lmdb_key key = lmdb_rows_key_piece(job->tid, job->in->piece_put.index);

    pthread_mutex_lock(&f.lock);
    f.waits = f.held;
    pthread_cond_broadcast(&f.cond);
    while (f.held)
        pthread_cond_wait(&f.cond, &f.lock);
    f.waits = false;
    pthread_mutex_unlock(&f.lock);
    job->note[LMDB_NOTE_LAST] = 1;
    lmdb_txn_put(t, T_PIECES, &key, "x", 1);
    return lmdb_txn_code(t);
}

static void on_done(struct store_job *job)
{
    (void)job;
    pthread_mutex_lock(&f.lock);
    f.done++;
    pthread_cond_broadcast(&f.cond);
    pthread_mutex_unlock(&f.lock);
}

static void submit(enum store_op op, union store_request *in, size_t bytes)
{
    unsigned i = f.njobs++;

    assert_true(i < JOBS);
    f.jobs[i] = (struct store_job){
        .op = op, .in = in, .res = &f.results[i], .bytes = bytes, .on_done = on_done};
    store_lmdb_ops.submit(f.e, &f.jobs[i]);
}

static void submit_piece(void)
{
    union store_request *in = &f.pieces[f.njobs];

    in->piece_put = (struct store_piece_put){.index = f.njobs, .len = PIECE};
    submit(STORE_OP_piece_put, in, PIECE);
}

static void hold(bool held)
{
    pthread_mutex_lock(&f.lock);
    f.held = held;
    pthread_cond_broadcast(&f.cond);
    pthread_mutex_unlock(&f.lock);
}

/* Until the writer of bodies waits; or, if it is not to, until all is done. */
static void wait(void)
{
    pthread_mutex_lock(&f.lock);
    while (f.held ? !f.waits : f.done < f.njobs)
        pthread_cond_wait(&f.cond, &f.lock);
    pthread_mutex_unlock(&f.lock);
}

static uint64_t commits(void)
{
    struct lmdb_writer_stats st;

    lmdb_writer_stats(f.e->body_writers[0], &st);
    return st.commits;
}

/* Pieces come while the writer has the first of them, and then ${op}, unless it is NULL; returns in
 * how many commits they went. */
static uint64_t in_bulk(const enum store_op *op, union store_request *in)
{
    uint64_t before = commits();

    pthread_mutex_lock(&f.lock);
    f.now++; /* what came before is long past */
    pthread_mutex_unlock(&f.lock);
    hold(true);
    submit_piece();
    wait();
    for (unsigned i = 1; i < PIECES; i++)
        submit_piece();
    if (op != NULL)
        submit(*op, in, 0);
    hold(false);
    wait();
    return commits() - before;
}

static int setup(void **state)
{
    struct store_config cfg = {.path = f.dir, .step = 1 << 20};
    void *impl = NULL;

    (void)state;
    if (tmpdir_make(f.dir) == NULL || store_lmdb_ops.open(&impl, &cfg, NULL) != ERR_OK)
        return -1;
    f.e = impl;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_lmdb_ops.close(f.e);
    for (unsigned i = 0; i < f.njobs; i++)
        store_result_reset(&f.results[i]);
    return tmpdir_remove(f.dir);
}

static void test_who_makes_bodies_yield(void **state)
{
    (void)state;
    assert_int_equal(in_bulk(NULL, NULL), 2);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        uint64_t n = in_bulk(&asked[i].op, &asked[i].in);

        if (n != (asked[i].yields ? 9 : 2))
            fail_msg("%s (%zu): %u commits", store_op_name(asked[i].op), i, (unsigned)n);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_makes_bodies_yield)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
