/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_held - the transaction that a writer leaves open, and how what was done in it gets durable.
 *
 * Batches of jobs are transactions inside it, so that the failure of one does not touch what was
 * done before.  Where there is a redo log small ones work in it directly, which costs less; if one
 * of them fails, all that is held is undone with it.
 *
 * It becomes durable in a commit, or, where there is a redo log, by a record of its changes; then
 * it stays open, and a commit comes later, for all records together.  Readers see what is held
 * after the commit.
 *
 * If that commit fails, what was acknowledged is in the log alone; if a batch fails that worked in
 * it directly, the log and `changes` have what was held before.  It is `lost` then, and done again
 * before anything else; until then no commit may be marked (lmdb_redo.h).
 *
 * Threads: the writer's; stats and unseen may be read by any.  For lmdb_writer.c alone.
 */
#ifndef SERVER_STORE_LMDB_HELD_H
#define SERVER_STORE_LMDB_HELD_H

#include <stdatomic.h>

#include "server/store/lmdb_writer.h"

struct lmdb_held {
    const struct lmdb_writer_config *cfg;
    struct lmdb_txn txn; /* .txn NULL: nothing is held */
    size_t jobs;         /* done in it, and not counted yet */
    uint64_t until;      /* us: when it is to be committed at the latest */
    struct buf row;      /* scratch */
    struct buf changes;  /* that no record has, if there is a log */
    size_t noted;        /* bytes of them when the last batch began; SIZE_MAX: they lack some */
    size_t room;         /* small jobs that it has room for, as was tried */
    bool tight;          /* a try found none: no batch works in it directly any more */
    size_t records;      /* that no commit holds */
    bool lost;           /* nothing is held; log (where records count) and `changes` have it */
    bool unsure;    /* the last commit failed: a record on what is there might stand on nothing */
    unsigned ripen; /* ticks until what was deleted last can be used */
    uint64_t ticks;
    atomic_bool unseen; /* there are records that readers do not see yet */
    atomic_uint_fast64_t commits, committed, largest, commit_us;
};

/* ${h} is all zeros; ${cfg} is borrowed. */
void lmdb_held_init(struct lmdb_held *h, const struct lmdb_writer_config *cfg);
void lmdb_held_free(struct lmdb_held *h); /* nothing is held */

/*
 * Begin a batch of ${jobs} that write about ${bytes}, in what is held if there is something; its
 * transaction is in ${t}.  0, or a number of LMDB: nothing has begun.  End it by keep or undo; what
 * was held may be lost behind undo.
 */
MUST_CHECK int lmdb_held_begin(struct lmdb_held *h, uint64_t bytes, size_t jobs,
                               struct lmdb_txn *t);
void lmdb_held_undo(struct lmdb_held *h, struct lmdb_txn *t);

/*
 * What ${jobs} did in ${t} is held, with what is held already.  0, or a number of LMDB: then
 * nothing is held, and what was may be lost.
 */
MUST_CHECK int lmdb_held_keep(struct lmdb_held *h, struct lmdb_txn *t, size_t jobs);

/* CLOCK_MONOTONIC, in us. */
uint64_t lmdb_held_now(void);

/* Has what is held been held for long enough?  Who never pauses lets nobody time out. */
bool lmdb_held_is_due(const struct lmdb_held *h);

/* Commit it: 0, durable and seen; otherwise it is lost, but what no record has is gone. */
MUST_CHECK int lmdb_held_commit(struct lmdb_held *h);

/*
 * Make it durable by a record, if something has changed.  False: it must be committed, since there
 * is no log, or no room in it, or the last commit failed.
 */
MUST_CHECK bool lmdb_held_record(struct lmdb_held *h);

/*
 * Do again what is lost: 0, it is committed.  A store that is full is overdrawn for it.  Otherwise
 * it is still lost, but where there are no records the changes are gone: nobody was told that they
 * would last.
 */
MUST_CHECK int lmdb_held_restore(struct lmdb_held *h);

/*
 * With nothing held, make room after the failure ${rc}: a larger map, or pages that were deleted
 * before.  False: there is none.
 */
MUST_CHECK bool lmdb_held_make_room(struct lmdb_held *h, int rc);

#endif /* SERVER_STORE_LMDB_HELD_H */
