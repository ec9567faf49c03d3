/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    BATCH_JOBS = 1024,
    BATCH_BYTES = 8 << 20, /* LMDB keeps all of it in memory until the commit */
    ROW_BYTES = 512,       /* what a job may write beside the bytes it brings */
    RIPEN = 2,             /* commits from the one that frees a page to the one that may use it */
    UNDONE = -1            /* neither an LMDB number nor an errno value */
};

struct lmdb_writer {
    struct lmdb_writer_config cfg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_job *first, **last; /* under lock */
    bool stop;                       /* under lock */
    /* Writer's own. */
    struct buf row; /* scratch */
    unsigned ripen; /* ticks until what was deleted last can be used */
    uint64_t ticks;
    atomic_uint_fast64_t commits, committed, largest, commit_us;
};

struct batch {
    struct store_job *first;
    size_t jobs, bytes;
    bool wants_txn; /* not every job only passes */
};

/* ---- the queue ---- */

void lmdb_writer_submit(struct lmdb_writer *w, struct store_job *job)
{
    job->next = NULL;
    lmdb_writer_submit_all(w, job);
}

void lmdb_writer_submit_all(struct lmdb_writer *w, struct store_job *first)
{
    struct store_job *last = first;

    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&w->lock);
    *w->last = first;
    w->last = &last->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Wait for jobs and take as many as one commit bears.  False: the queue is empty and will stay. */
static bool take(struct lmdb_writer *w, struct batch *b)
{
    struct store_job *job;

    *b = (struct batch){0};
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->stop)
        pthread_cond_wait(&w->wake, &w->lock);
    b->first = w->first;
    for (job = w->first; job != NULL; job = job->next) {
        b->jobs++;
        b->bytes += job->bytes + ROW_BYTES;
        b->wants_txn |= !w->cfg.passes(job);
        if (b->jobs == BATCH_JOBS || b->bytes >= BATCH_BYTES)
            break;
    }
    w->first = job != NULL ? job->next : NULL;
    if (job != NULL)
        job->next = NULL;
    if (w->first == NULL)
        w->last = &w->first;
    pthread_mutex_unlock(&w->lock);
    return b->first != NULL;
}

/* ---- one transaction ---- */

static uint64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int commit(struct lmdb_writer *w, struct lmdb_txn *t, size_t jobs)
{
    uint64_t began = now_us();
    int rc;

    if (w->cfg.before_commit != NULL)
        w->cfg.before_commit(t);
    if (t->hard != 0) {
        lmdb_env_abort(w->cfg.env, t->txn);
        return t->hard;
    }
    rc = lmdb_env_commit(w->cfg.env, t->txn);
    w->commit_us += now_us() - began;
    if (rc == 0) {
        if (w->cfg.after_commit != NULL)
            w->cfg.after_commit(t);
        w->ripen = t->freed ? RIPEN : w->ripen > 0 ? w->ripen - 1 : 0;
        w->commits++;
        w->committed += jobs;
        if (w->largest < jobs)
            w->largest = jobs;
    }
    return rc;
}

/* Run one job.  0, UNDONE (it failed after a change), or the LMDB failure. */
static int run(struct lmdb_writer *w, struct lmdb_txn *t, struct store_job *job, bool *any)
{
    if (w->cfg.passes(job))
        return 0;
    store_result_reset(job->res);
    t->touched = false;
    job->res->code = w->cfg.run(t, job);
    if (t->hard != 0)
        return t->hard;
    if (job->res->code != ERR_OK && t->touched)
        return UNDONE;
    *any |= t->touched;
    return 0;
}

/* All of ${b} in one transaction.  0: done and durable; otherwise nothing has happened. */
static int attempt(struct lmdb_writer *w, const struct batch *b)
{
    struct lmdb_txn t = {.engine = w->cfg.engine, .env = w->cfg.env, .row = w->row};
    bool any = false;
    int rc = lmdb_env_write(w->cfg.env, b->bytes, &t.txn);

    if (rc != 0)
        return rc;
    for (struct store_job *job = b->first; job != NULL && rc == 0; job = job->next)
        rc = run(w, &t, job, &any);
    if (rc != 0 || !any)
        lmdb_env_abort(w->cfg.env, t.txn);
    else
        rc = commit(w, &t, b->jobs);
    w->row = t.row; /* it may have grown */
    w->row.failed = false;
    return rc;
}

/*
 * A commit for nothing but its number: LMDB uses a page again two commits after the one
 * that freed it, and in a full store no other commit would come.
 */
static int tick(struct lmdb_writer *w)
{
    struct lmdb_txn t = {.engine = w->cfg.engine, .env = w->cfg.env, .row = w->row};
    struct lmdb_key key = lmdb_key_of("tick", 4);
    uint8_t value[8];
    int rc = lmdb_env_write(w->cfg.env, 0, &t.txn);

    if (rc != 0)
        return rc;
    put_be64(value, ++w->ticks);
    lmdb_txn_put(&t, w->cfg.meta, &key, value, sizeof(value));
    rc = t.hard;
    if (rc == 0)
        rc = commit(w, &t, 0);
    else
        lmdb_env_abort(w->cfg.env, t.txn);
    w->row = t.row;
    return rc;
}

/* Make room after ${rc}: a larger map, or pages that were deleted before.  False: there is none. */
static bool make_room(struct lmdb_writer *w, int rc)
{
    if (rc != MDB_MAP_FULL && rc != ENOSPC)
        return false;
    if (lmdb_env_grow(w->cfg.env) == 0)
        return true;
    if (w->ripen == 0)
        return false;
    while (w->ripen > 0)
        if (tick(w) != 0)
            return false;
    return true;
}

/* As attempt(), as often as there is more room for it. */
static int attempt_with_room(struct lmdb_writer *w, const struct batch *b)
{
    int rc = attempt(w, b);

    while (rc != 0 && make_room(w, rc))
        rc = attempt(w, b);
    return rc;
}

static void fail(struct store_job *job, int rc)
{
    store_result_reset(job->res);
    (void)store_fail(job->res, lmdb_env_code(rc), "the write failed: %s", mdb_strerror(rc));
}

/* The store is full, and this job is to change that. */
static int attempt_overdrawn(struct lmdb_writer *w, const struct batch *b)
{
    int rc = lmdb_env_overdraw(w->cfg.env, true), back;

    if (rc == 0)
        rc = attempt(w, b);
    back = lmdb_env_overdraw(w->cfg.env, false);
    (void)back; /* what was done is done */
    return rc;
}

/* One job in a transaction of its own. */
static void run_alone(struct lmdb_writer *w, struct store_job *job)
{
    struct batch one = {.first = job, .jobs = 1, .bytes = job->bytes + ROW_BYTES};
    struct store_job *next = job->next;
    int rc;

    if (w->cfg.passes(job))
        return;
    job->next = NULL;
    rc = attempt_with_room(w, &one);
    if (lmdb_env_code(rc) == ERR_FULL && w->cfg.urgent(job))
        rc = attempt_overdrawn(w, &one);
    /* UNDONE: the job's own code stands, and what it changed is gone. */
    if (rc != 0 && rc != UNDONE)
        fail(job, rc);
    job->next = next;
}

/*
 * Happy path: all jobs, one commit.  Ways to fail: a job breaks off, or there is no room for all
 * of them: each alone, so that it fails by itself; the disk fails: all fail.
 */
static void run_batch(struct lmdb_writer *w, const struct batch *b)
{
    int rc = b->wants_txn ? attempt_with_room(w, b) : 0;

    if (rc == 0)
        return;
    for (struct store_job *job = b->first; job != NULL; job = job->next) {
        if (rc == EIO || rc == MDB_PANIC) {
            if (!w->cfg.passes(job))
                fail(job, rc);
        } else {
            run_alone(w, job);
        }
    }
}

static void *writer_main(void *arg)
{
    struct lmdb_writer *w = arg;
    struct batch b;

    while (take(w, &b)) {
        run_batch(w, &b);
        w->cfg.done(w->cfg.engine, b.first);
    }
    return NULL;
}

/* ---- open and close ---- */

int lmdb_writer_open(struct lmdb_writer **ret_w, const struct lmdb_writer_config *cfg,
                     struct err *err)
{
    struct lmdb_writer *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    w->cfg = *cfg;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return err_sys(err, rc, "cannot start a writer thread");
    }
    *ret_w = w;
    return ERR_OK;
}

void lmdb_writer_close(struct lmdb_writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    buf_free(&w->row);
    free(w);
}

void lmdb_writer_stats(const struct lmdb_writer *w, struct lmdb_writer_stats *ret_stats)
{
    *ret_stats = (struct lmdb_writer_stats){.commits = w->commits,
                                            .committed = w->committed,
                                            .largest = w->largest,
                                            .commit_us = w->commit_us};
}
