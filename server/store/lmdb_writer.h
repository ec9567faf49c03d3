/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_writer - the one thread that writes to an environment, with group commit.
 *
 * Whatever has arrived while the last commit ran goes into the next one, up to
 * a bounded number of bytes.  One job's failure does not touch the others: a
 * batch in which a job broke off half-way is undone and its jobs are done again one by one.
 * Early jobs are answered before the commit that holds them.  Where many write, jobs that gather
 * wait a moment for more of them.
 * Submitting: any thread, never blocks; the queue is bounded by what store.c admits.
 */
#ifndef SERVER_STORE_LMDB_WRITER_H
#define SERVER_STORE_LMDB_WRITER_H

#include "server/store/lmdb_env.h"
#include "server/store/lmdb_txn.h"
#include "server/store/store_engine.h"

struct lmdb_redo;
struct lmdb_writer;

struct lmdb_writer_config {
    struct lmdb_env *env;
    struct lmdb_engine *engine;
    enum lmdb_table meta; /* where the row "tick" may be written */
    /*
     * Do one job inside ${t}; may be called again for the same job after an undo.  Returns the
     * job's code; best without having changed anything when that is an error.
     */
    int (*run)(struct lmdb_txn *t, struct store_job *job);
    /* True for a job that makes room: it may use what is set aside when the store is full. */
    bool (*urgent)(const struct store_job *job);
    /* True for a job that only keeps its place in the queue. */
    bool (*passes)(const struct store_job *job);
    /*
     * True for a job whose answer need not wait until it is durable, because what counts comes
     * behind it: it is done, and every job behind it sees it, but readers do so only after the next
     * commit, and a crash may forget it.  NULL: there is none.
     */
    bool (*early)(const struct store_job *job);
    /*
     * True for a job that so many may send at a time that more of them are worth a wait of
     * ${gather_us} microseconds (under a second), if they came as a crowd before.  NULL: none is.
     */
    bool (*gathers)(const struct store_job *job);
    unsigned gather_us;
    /* The log of rows that are durable before their commit (lmdb_redo.h); NULL: there is none. */
    struct lmdb_redo *redo;
    /*
     * True for a job whose rows are to be durable by a record of that log, together with those of
     * early jobs.  A batch with any other job is committed.
     */
    bool (*records)(const struct store_job *job);
    /*
     * A writer to the same disk whose jobs are not to wait long behind this one's: batches are
     * small while lmdb_writer_submit() is called there.  It must outlive this one.  NULL: none.
     */
    const struct lmdb_writer *yields_to;
    /* A chain of jobs is durable (or early) or has failed: res->code.  From the writer's thread. */
    void (*done)(struct lmdb_engine *engine, struct store_job *first);
    /*
     * Called with a transaction in which a batch changed something, before that is held;
     * t->added is what came since the last commit or record.  May be NULL.
     */
    void (*before_keep)(struct lmdb_txn *t);
    /* Called with one that was committed, or of which a record was written.  May be NULL. */
    void (*after_commit)(struct lmdb_txn *t);
    /*
     * Called with a transaction into which rows came back that another one had, from the log or
     * not; what was counted is to be read from it.  May be NULL.
     */
    void (*restored)(struct lmdb_txn *t);
};

/* A record counts as a commit, and the commit that stands for it counts again, with no jobs. */
struct lmdb_writer_stats {
    uint64_t commits, committed, largest, commit_us;
};

/* Start the thread. */
MUST_CHECK int lmdb_writer_open(struct lmdb_writer **ret_w, const struct lmdb_writer_config *cfg,
                                struct err *err);
/* Ends the thread after what is queued; NULL is fine. */
void lmdb_writer_close(struct lmdb_writer *w);

/* Queue a job; it is answered after the commit that holds it.  Any thread. */
void lmdb_writer_submit(struct lmdb_writer *w, struct store_job *job);

/*
 * The same for a chain through `next`, to which no other writer yields: their step before is done,
 * or nobody waits for them.  As far as they fit they go into one commit.
 */
void lmdb_writer_submit_all(struct lmdb_writer *w, struct store_job *first);

/*
 * Return when readers see everything that was answered before, but for early jobs; true if they did
 * not when it was called.  Any thread but a writer's; waits for at most two commits, which may
 * fail: then readers see it as little as before.
 */
bool lmdb_writer_settle(struct lmdb_writer *w);

/* Any thread; never blocks. */
void lmdb_writer_stats(const struct lmdb_writer *w, struct lmdb_writer_stats *ret_stats);

#endif /* SERVER_STORE_LMDB_WRITER_H */
