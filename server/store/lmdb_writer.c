/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Early jobs: a batch of nothing else leaves its transaction open, held for what comes behind it,
 * for HOLD_MS at most.  The next batch is a transaction inside that one, so that its failure does
 * not touch what was answered; both become durable in one commit.
 */
#include "server/store/lmdb_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    BATCH_JOBS = 1024,
    BATCH_BYTES = 8 << 20, /* LMDB keeps all of it in memory until the commit */
    SHORT_BYTES = 1 << 19, /* slower where nothing else goes on, but a sixteenth of the wait */
    YIELD_MS = 50,         /* from one small send to the next of somebody who sends many */
    ROW_BYTES = 512,       /* what a job may write beside the bytes it brings */
    HOLD_MS = 20,          /* nobody waits for what is held: the next job, or this, ends it */
    CROWD = 3,             /* jobs that gather, in one commit: many write at a time */
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
    bool crowd;     /* so it was with the last that gathered */
    unsigned ripen; /* ticks until what was deleted last can be used */
    uint64_t ticks;
    struct lmdb_txn held; /* txn NULL: none */
    size_t held_jobs;
    uint64_t held_until;           /* us */
    atomic_uint_fast64_t asked_us; /* the last lmdb_writer_submit() */
    atomic_uint_fast64_t commits, committed, largest, commit_us;
};

struct batch {
    struct store_job *first;
    size_t jobs, bytes;
    bool wants_txn; /* not every job only passes */
    bool firm;      /* not every job is early */
    size_t gathers; /* of the jobs */
    bool alone;     /* to be answered when it is durable, early or not */
};

/* ---- the queue ---- */

static uint64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void lmdb_writer_submit(struct lmdb_writer *w, struct store_job *job)
{
    job->next = NULL;
    w->asked_us = now_us();
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

static bool is_early(const struct lmdb_writer *w, const struct store_job *job)
{
    return w->cfg.early != NULL && w->cfg.early(job);
}

/* The lock is held. */
static void wait_for_jobs(struct lmdb_writer *w)
{
    const struct timespec until = {.tv_sec = (time_t)(w->held_until / 1000000),
                                   .tv_nsec = (long)(w->held_until % 1000000) * 1000};
    int rc = 0;

    while (w->first == NULL && !w->stop && rc != ETIMEDOUT)
        rc = w->held.txn == NULL ? pthread_cond_wait(&w->wake, &w->lock)
                                 : pthread_cond_timedwait(&w->wake, &w->lock, &until);
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

    return first != NULL && now_us() < first->asked_us + YIELD_MS * 1000 ? SHORT_BYTES
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

    *b = (struct batch){0};
    pthread_mutex_lock(&w->lock);
    wait_for_jobs(w);
    gather(w);
    most = batch_bytes(w);
    b->first = w->first;
    for (job = w->first; job != NULL; job = job->next) {
        b->jobs++;
        b->bytes += job->bytes + ROW_BYTES;
        b->wants_txn |= !w->cfg.passes(job);
        b->firm |= !is_early(w, job);
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

/* What is held becomes durable; if it does not, it is gone. */
static int flush(struct lmdb_writer *w)
{
    struct lmdb_txn t = w->held;
    size_t jobs = w->held_jobs;
    int rc;

    if (t.txn == NULL)
        return 0;
    w->held = (struct lmdb_txn){0};
    w->held_jobs = 0;
    t.row = w->row;
    rc = commit(w, &t, jobs);
    w->row = t.row;
    w->row.failed = false;
    return rc;
}

/* ${t}, in which ${jobs} were done, is held, with what is held already. */
static int hold(struct lmdb_writer *w, const struct lmdb_txn *t, size_t jobs)
{
    struct lmdb_txn *h = &w->held;
    int rc = h->txn != NULL ? lmdb_env_merge(w->cfg.env, t->txn) : 0;

    if (rc != 0) {
        lmdb_env_abort(w->cfg.env, h->txn);
        *h = (struct lmdb_txn){0};
        w->held_jobs = 0;
        return rc;
    }
    if (h->txn == NULL) {
        *h = *t;
        w->held_until = now_us() + HOLD_MS * 1000;
    } else {
        h->freed |= t->freed;
        for (unsigned i = 0; i < LMDB_COUNTERS; i++)
            h->added[i] += t->added[i];
    }
    w->held_jobs += jobs;
    return 0;
}

/* Has what is held been held for long enough?  Who never pauses lets nobody time out. */
static bool is_due(const struct lmdb_writer *w)
{
    return w->held.txn != NULL && now_us() >= w->held_until;
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

/* Run the jobs in a transaction of their own, which is left open if they changed something. */
static int run_all(struct lmdb_writer *w, const struct batch *b, struct lmdb_txn *t, bool *any)
{
    MDB_txn *parent = w->held.txn;
    int rc = parent != NULL ? lmdb_env_nest(w->cfg.env, b->bytes, parent, &t->txn)
                            : lmdb_env_write(w->cfg.env, b->bytes, &t->txn);

    *t =
        (struct lmdb_txn){.engine = w->cfg.engine, .env = w->cfg.env, .row = w->row, .txn = t->txn};
    if (rc != 0)
        return rc;
    for (struct store_job *job = b->first; job != NULL && rc == 0; job = job->next)
        rc = run(w, t, job, any);
    w->row = t->row; /* it may have grown */
    w->row.failed = false;
    if ((rc != 0 || !*any) && parent != NULL)
        lmdb_env_undo(w->cfg.env, t->txn);
    else if (rc != 0 || !*any)
        lmdb_env_abort(w->cfg.env, t->txn);
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
    int rc = run_all(w, b, &t, &any), lost;

    if (rc == 0 && any)
        rc = hold(w, &t, b->jobs);
    if (rc != 0) {
        lost = flush(w);
        (void)lost; /* nobody was told that it would last */
        return rc;
    }
    if (!b->firm && !b->alone)
        return is_due(w) ? flush(w) : 0;
    if (!b->alone)
        answer_early(w, b);
    return flush(w);
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
    rc = commit(w, &t, 0);
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
static int attempt_with_room(struct lmdb_writer *w, struct batch *b)
{
    bool nested = w->held.txn != NULL;
    int rc = attempt(w, b);

    /* What was held is committed now: for this alone there may be room as it is. */
    if (nested && (rc == MDB_MAP_FULL || rc == ENOSPC))
        rc = attempt(w, b);
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
    int rc = b->wants_txn ? attempt_with_room(w, b) : flush(w);

    if (rc == 0)
        return;
    for (struct store_job *job = b->first; job != NULL; job = job->next) {
        if (w->cfg.passes(job))
            continue;
        if (rc == EIO || rc == MDB_PANIC)
            fail(job, rc);
        else
            run_alone(w, job);
    }
}

static void *writer_main(void *arg)
{
    struct lmdb_writer *w = arg;
    struct batch b;
    int lost;

    while (take(w, &b)) {
        if (b.first != NULL) {
            run_batch(w, &b);
            w->cfg.done(w->cfg.engine, b.first);
        } else {
            lost = flush(w);
            (void)lost; /* nobody was told that it would last */
        }
    }
    lost = flush(w);
    (void)lost;
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
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
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
