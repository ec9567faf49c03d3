/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Early jobs: a batch of nothing else leaves its transaction open, held for what comes behind it
 * (lmdb_held.h); both become durable in one commit, or by one record of the redo log.
 */
#include "server/store/lmdb_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "server/store/lmdb_held.h"

enum {
    BATCH_JOBS = 1024,
    BATCH_BYTES = 8 << 20, /* LMDB keeps all of it in memory until the commit */
    SHORT_BYTES = 1 << 19, /* slower where nothing else goes on, but a sixteenth of the wait */
    YIELD_MS = 50,         /* from one small send to the next of somebody who sends many */
    ROW_BYTES = 512,       /* what a job may write beside the bytes it brings */
    SETTLE_TRIES = 2,      /* commits: the second brings back what a first one lost */
    CROWD = 3,             /* jobs that gather, in one commit: many write at a time */
    UNDONE = -1            /* neither an LMDB number nor an errno value */
};

struct lmdb_writer {
    struct lmdb_writer_config cfg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_job *first, **last; /* under lock */
    bool stop;                       /* under lock */
    pthread_cond_t settles;
    bool asked;              /* under lock: somebody waits for a commit */
    uint64_t tried, settled; /* under lock: commits, and those that did not fail */
    /* Writer's own. */
    bool crowd; /* so it was with the last that gathered */
    struct lmdb_held held;
    atomic_uint_fast64_t asked_us; /* the last lmdb_writer_submit() */
};

struct batch {
    struct store_job *first;
    size_t jobs, bytes;
    bool wants_txn; /* not every job only passes */
    bool firm;      /* not every job is early */
    size_t gathers; /* of the jobs */
    bool alone;     /* to be answered when it is durable, early or not */
    bool records;   /* a record of it will do */
    bool asked;     /* somebody waits for a commit */
};

/* ---- the queue ---- */

void lmdb_writer_submit(struct lmdb_writer *w, struct store_job *job)
{
    job->next = NULL;
    w->asked_us = lmdb_held_now();
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
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->wake); /* here, so that who wakes finds the lock free */
}

static bool is_early(const struct lmdb_writer *w, const struct store_job *job)
{
    return w->cfg.early != NULL && w->cfg.early(job);
}

/* The lock is held. */
static void wait_for_jobs(struct lmdb_writer *w)
{
    const struct timespec until = {.tv_sec = (time_t)(w->held.until / 1000000),
                                   .tv_nsec = (long)(w->held.until % 1000000) * 1000};
    int rc = 0;

    while (w->first == NULL && !w->stop && !w->asked && rc != ETIMEDOUT)
        rc = w->held.txn.txn == NULL ? pthread_cond_wait(&w->wake, &w->lock)
                                     : pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static bool has_record(const struct lmdb_writer *w, const struct store_job *job)
{
    return w->cfg.records != NULL && w->cfg.records(job);
}

static bool does_gather(const struct lmdb_writer *w, const struct store_job *job)
{
    return w->cfg.gathers != NULL && w->cfg.gathers(job);
}

/*
 * Where many write, a moment's wait brings more of them into the same commit, which costs hardly
 * more for ten than for one.  Who writes alone does not wait, nor what is early.  The lock is held,
 * and let go meanwhile: nobody has to wake this thread.
 */
static void gather(struct lmdb_writer *w)
{
    const struct timespec moment = {.tv_nsec = (long)w->cfg.gather_us * 1000};
    const struct store_job *job = w->first;

    while (job != NULL && !does_gather(w, job))
        job = job->next;
    if (job == NULL || !w->crowd || w->stop)
        return;
    pthread_mutex_unlock(&w->lock);
    (void)nanosleep(&moment, NULL);
    pthread_mutex_lock(&w->lock);
}

static size_t batch_bytes(const struct lmdb_writer *w)
{
    const struct lmdb_writer *first = w->cfg.yields_to;

    return first != NULL && lmdb_held_now() < first->asked_us + YIELD_MS * 1000 ? SHORT_BYTES
                                                                                : BATCH_BYTES;
}

/*
 * Wait for jobs and take as many as one commit bears; none, if what is held should wait no longer.
 * False: the queue is empty and will stay.
 */
static bool take(struct lmdb_writer *w, struct batch *b)
{
    struct store_job *job;
    size_t most;
    bool more;

    *b = (struct batch){.records = true};
    pthread_mutex_lock(&w->lock);
    wait_for_jobs(w);
    gather(w);
    b->asked = w->asked;
    most = batch_bytes(w);
    b->first = w->first;
    for (job = w->first; job != NULL; job = job->next) {
        b->jobs++;
        b->bytes += job->bytes + ROW_BYTES;
        b->wants_txn |= !w->cfg.passes(job);
        b->firm |= !is_early(w, job);
        b->records &= is_early(w, job) || has_record(w, job);
        b->gathers += does_gather(w, job);
        if (b->jobs == BATCH_JOBS || b->bytes >= most)
            break;
    }
    if (b->gathers > 0)
        w->crowd = b->gathers >= CROWD;
    w->first = job != NULL ? job->next : NULL;
    if (job != NULL)
        job->next = NULL;
    if (w->first == NULL)
        w->last = &w->first;
    more = b->first != NULL || !w->stop;
    pthread_mutex_unlock(&w->lock);
    return more;
}

/* ---- one transaction ---- */

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

/* Answer those of ${b} that are early; the others stay in it. */
static void answer_early(struct lmdb_writer *w, struct batch *b)
{
    struct store_job *early = NULL, **last_early = &early, **last = &b->first;

    for (struct store_job *job = b->first, *next; job != NULL; job = next) {
        struct store_job ***to = is_early(w, job) ? &last_early : &last;

        next = job->next;
        job->next = NULL;
        **to = job;
        *to = &job->next;
    }
    *last = NULL;
    if (early != NULL)
        w->cfg.done(w->cfg.engine, early);
}

/* Run the jobs as a batch, which is to be kept if they changed something. */
static int run_all(struct lmdb_writer *w, const struct batch *b, struct lmdb_txn *t, bool *any)
{
    int rc = lmdb_held_begin(&w->held, b->bytes, b->jobs, t);

    if (rc != 0)
        return rc;
    for (struct store_job *job = b->first; job != NULL && rc == 0; job = job->next)
        rc = run(w, t, job, any);
    if (rc != 0 || !*any)
        lmdb_held_undo(&w->held, t);
    return rc;
}

/* What is held becomes durable and seen, and what is lost comes back. */
static int commit(struct lmdb_writer *w)
{
    int rc = w->held.lost ? lmdb_held_restore(&w->held) : lmdb_held_commit(&w->held);

    pthread_mutex_lock(&w->lock);
    w->asked = false;
    w->tried++;
    w->settled += rc == 0;
    pthread_cond_broadcast(&w->settles);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/*
 * All of ${b} in one transaction, with what is held.  0: done, and durable unless all are early;
 * otherwise nothing of ${b} has happened, and nothing is held any more.
 */
static int attempt(struct lmdb_writer *w, struct batch *b)
{
    struct lmdb_txn t = {0};
    bool any = false;
    int rc = w->held.lost ? commit(w) : 0, lost;

    if (rc != 0)
        return rc;
    rc = run_all(w, b, &t, &any);
    if (rc == 0 && any)
        rc = lmdb_held_keep(&w->held, &t, b->jobs);
    if (rc != 0) {
        lost = commit(w); /* nobody was told that it would last, or the log has it */
        return w->held.lost ? lost : rc;
    }
    if (!b->firm && !b->alone)
        return b->asked || lmdb_held_is_due(&w->held) ? commit(w) : 0;
    if (!b->alone)
        answer_early(w, b);
    if (b->records && !b->asked && !b->alone && lmdb_held_record(&w->held))
        return 0;
    return commit(w);
}

/* As attempt(), as often as there is more room for it. */
static int attempt_with_room(struct lmdb_writer *w, struct batch *b)
{
    bool held = w->held.txn.txn != NULL;
    int rc = attempt(w, b);

    /* What was held is committed now: for this alone there may be room as it is. */
    if (held && (rc == MDB_MAP_FULL || rc == ENOSPC))
        rc = attempt(w, b);
    while (rc != 0 && lmdb_held_make_room(&w->held, rc))
        rc = attempt(w, b);
    return rc;
}

static void fail(struct store_job *job, int rc)
{
    store_result_reset(job->res);
    (void)store_fail(job->res, lmdb_env_code(rc), "the write failed: %s", mdb_strerror(rc));
}

/* The store is full, and this job is to change that. */
static int attempt_overdrawn(struct lmdb_writer *w, struct batch *b)
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
    struct batch one = {.first = job, .jobs = 1, .bytes = job->bytes + ROW_BYTES, .alone = true};
    struct store_job *next = job->next;
    int rc;

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
static void run_batch(struct lmdb_writer *w, struct batch *b)
{
    int rc = b->wants_txn ? attempt_with_room(w, b) : commit(w);

    if (rc == 0)
        return;
    for (struct store_job *job = b->first; job != NULL; job = job->next) {
        if (w->cfg.passes(job))
            continue;
        if (rc == EIO || rc == MDB_PANIC || w->held.lost)
            fail(job, rc);
        else
            run_alone(w, job);
    }
}

static void *writer_main(void *arg)
{
    struct lmdb_writer *w = arg;
    struct batch b;
    int lost = 0;

    while (take(w, &b)) {
        if (b.first != NULL) {
            run_batch(w, &b);
            w->cfg.done(w->cfg.engine, b.first);
        }
        /* Behind the answers, which do not need it. */
        if (b.first == NULL || (w->held.records > 0 && lmdb_held_is_due(&w->held)))
            lost = commit(w);
    }
    lost = commit(w);
    (void)lost; /* nobody was told that it would last, or the log has it */
    return NULL;
}

/* ---- open and close ---- */

int lmdb_writer_open(struct lmdb_writer **ret_w, const struct lmdb_writer_config *cfg,
                     struct err *err)
{
    struct lmdb_writer *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;
    int rc;

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    w->cfg = *cfg;
    lmdb_held_init(&w->held, &w->cfg);
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_cond_init(&w->settles, NULL);
    rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0) {
        pthread_cond_destroy(&w->settles);
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
    pthread_cond_destroy(&w->settles);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    lmdb_held_free(&w->held);
    free(w);
}

bool lmdb_writer_settle(struct lmdb_writer *w)
{
    uint64_t tried, settled;

    if (!w->held.unseen)
        return false;
    pthread_mutex_lock(&w->lock);
    tried = w->tried;
    settled = w->settled;
    while (w->held.unseen && w->settled == settled && w->tried < tried + SETTLE_TRIES) {
        w->asked = true;
        pthread_cond_signal(&w->wake);
        pthread_cond_wait(&w->settles, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return true;
}

void lmdb_writer_stats(const struct lmdb_writer *w, struct lmdb_writer_stats *ret_stats)
{
    const struct lmdb_held *h = &w->held;

    *ret_stats = (struct lmdb_writer_stats){.commits = h->commits,
                                            .committed = h->committed,
                                            .largest = h->largest,
                                            .commit_us = h->commit_us};
}
