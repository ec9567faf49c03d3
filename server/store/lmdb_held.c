/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_held.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "server/store/lmdb_redo.h"

enum {
    HOLD_US = 20000,              /* of early jobs: nobody waits for what is held */
    RECORDS_US = 2000000,         /* of records: after a crash the next start does them again */
    SHARED_BYTES = 1 << 18,       /* most that a batch may write in the held transaction itself */
    ROOM_JOBS = 64,               /* for so many room is tried at a time */
    ROOM_BYTES = ROOM_JOBS << 16, /* most touch fewer than sixteen pages that no other one did */
    RIPEN = 2 /* commits from the one that frees a page to the one that may use it */
};

#define NOT_NOTED SIZE_MAX /* memory was short: what is held is not all in the changes */

void lmdb_held_init(struct lmdb_held *h, const struct lmdb_writer_config *cfg)
{
    h->cfg = cfg;
}

void lmdb_held_free(struct lmdb_held *h)
{
    buf_free(&h->row);
    buf_free(&h->changes);
}

uint64_t lmdb_held_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

bool lmdb_held_is_due(const struct lmdb_held *h)
{
    return h->txn.txn != NULL && lmdb_held_now() >= h->until;
}

static struct lmdb_txn new_txn(const struct lmdb_held *h, MDB_txn *txn)
{
    return (struct lmdb_txn){
        .engine = h->cfg->engine, .env = h->cfg->env, .row = h->row, .txn = txn};
}

/* The scratch may have grown. */
static void take_back(struct lmdb_held *h, const struct lmdb_txn *t)
{
    h->row = t->row;
    h->row.failed = false;
}

/* ---- batches ---- */

/*
 * Is there room for ${jobs} more with small changes, and for a commit?  To try it costs as much as
 * such a job does, so it is tried for many at a time; where there is none for many, it is left to
 * transactions inside, which try it for themselves.
 */
static bool has_room(struct lmdb_held *h, size_t jobs)
{
    if (jobs > ROOM_JOBS || h->tight)
        return false;
    if (h->room < jobs) {
        h->tight = lmdb_env_probe(h->cfg->env, h->txn.txn, ROOM_BYTES) != 0;
        if (h->tight)
            return false;
        h->room = ROOM_JOBS;
    }
    h->room -= jobs;
    return true;
}

/*
 * May a batch work in the held transaction itself, which spares the cost of one inside?  If it is
 * undone, all of that is done again: so the log and the changes must have all of it.
 */
static bool may_share(struct lmdb_held *h, uint64_t bytes, size_t jobs)
{
    return h->txn.txn != NULL && h->cfg->redo != NULL && h->noted != NOT_NOTED &&
           bytes <= SHARED_BYTES && has_room(h, jobs);
}

int lmdb_held_begin(struct lmdb_held *h, uint64_t bytes, size_t jobs, struct lmdb_txn *t)
{
    MDB_txn *txn = h->txn.txn;
    bool shares;
    int rc;

    h->noted = h->changes.failed ? NOT_NOTED : h->changes.len;
    shares = may_share(h, bytes, jobs);
    if (!shares)
        h->room = 0; /* it may take what was tried */
    if (shares)
        rc = lmdb_env_more(h->cfg->env, bytes);
    else if (txn != NULL)
        rc = lmdb_env_nest(h->cfg->env, bytes, txn, &txn);
    else
        rc = lmdb_env_write(h->cfg->env, bytes, &txn);
    *t = new_txn(h, txn);
    t->changes = h->cfg->redo != NULL ? &h->changes : NULL;
    return rc;
}

/* The transaction has ended. */
static void let_go(struct lmdb_held *h)
{
    h->txn = (struct lmdb_txn){0};
    h->room = 0;
    h->tight = false;
}

/* It is committed, or gone with all that no record has. */
static void drop(struct lmdb_held *h)
{
    h->lost |= h->records > 0;
    let_go(h);
    h->jobs = 0;
    if (h->changes.cap > LMDB_REDO_LEN) /* of a batch that was never to be a record */
        buf_free(&h->changes);
    buf_reset(&h->changes);
}

/* The changes of the batch that was begun last are not to be. */
static void forget_batch(struct lmdb_held *h)
{
    if (h->noted == NOT_NOTED)
        return;
    h->changes.len = h->noted;
    h->changes.failed = false;
}

/*
 * All that is held is undone, for a batch failed in it: what was there before is lost, to be done
 * again; if the changes lack some of it, what no record has is gone.
 */
static void break_off(struct lmdb_held *h)
{
    lmdb_env_abort(h->cfg->env, h->txn.txn);
    if (h->cfg->redo == NULL || h->noted == NOT_NOTED) {
        drop(h);
        return;
    }
    forget_batch(h);
    h->lost |= h->records > 0 || h->changes.len > 0;
    let_go(h);
}

void lmdb_held_undo(struct lmdb_held *h, struct lmdb_txn *t)
{
    bool changed = t->hard != 0 || h->changes.failed || h->changes.len != h->noted;

    take_back(h, t);
    if (t->txn == h->txn.txn) {
        if (changed) /* else it is as it was */
            break_off(h);
        return;
    }
    forget_batch(h);
    if (h->txn.txn != NULL)
        lmdb_env_undo(h->cfg->env, t->txn);
    else
        lmdb_env_abort(h->cfg->env, t->txn);
}

/* What ${t} counted counts for ${held}. */
static void add(struct lmdb_txn *held, const struct lmdb_txn *t)
{
    held->freed |= t->freed;
    for (unsigned i = 0; i < LMDB_COUNTERS; i++)
        held->added[i] += t->added[i];
}

/* The rows of what was counted, among the changes of the batch.  0, or a number of LMDB. */
static int save_counts(struct lmdb_held *h)
{
    struct lmdb_txn *t = &h->txn;

    if (h->cfg->before_keep == NULL)
        return 0;
    t->row = h->row;
    h->cfg->before_keep(t);
    take_back(h, t);
    return t->hard;
}

int lmdb_held_keep(struct lmdb_held *h, struct lmdb_txn *t, size_t jobs)
{
    struct lmdb_txn *held = &h->txn;
    int rc = 0;

    take_back(h, t);
    if (held->txn == NULL) {
        *held = *t;
        h->until = lmdb_held_now() + HOLD_US;
    } else {
        if (held->txn != t->txn)
            rc = lmdb_env_merge(h->cfg->env, t->txn);
        add(held, t);
    }
    if (rc == 0)
        rc = save_counts(h);
    if (rc != 0)
        break_off(h);
    else
        h->jobs += jobs;
    return rc;
}

/* ---- durable ---- */

static void count(struct lmdb_held *h, size_t jobs, uint64_t began)
{
    h->commit_us += lmdb_held_now() - began;
    h->commits++;
    h->committed += jobs;
    if (h->largest < jobs)
        h->largest = jobs;
}

static int commit(struct lmdb_held *h, struct lmdb_txn *t, size_t jobs)
{
    const struct lmdb_writer_config *cfg = h->cfg;
    uint64_t began = lmdb_held_now();
    int rc;

    t->row = h->row;
    t->changes = NULL;
    if (cfg->redo != NULL && !h->lost) /* else the log has what it does not hold */
        lmdb_redo_mark(t);
    take_back(h, t);
    if (t->hard != 0) {
        lmdb_env_abort(cfg->env, t->txn);
        return t->hard;
    }
    rc = lmdb_env_commit(cfg->env, t->txn);
    h->unsure = rc != 0;
    if (rc != 0)
        return rc;
    if (cfg->after_commit != NULL)
        cfg->after_commit(t);
    h->ripen = t->freed ? RIPEN : h->ripen > 0 ? h->ripen - 1 : 0;
    count(h, jobs, began);
    return 0;
}

/* Nothing is in the log alone any more. */
static void seen(struct lmdb_held *h)
{
    if (h->cfg->redo != NULL)
        lmdb_redo_begin_anew(h->cfg->redo);
    h->records = 0;
    h->lost = false;
    h->unseen = false;
}

int lmdb_held_commit(struct lmdb_held *h)
{
    struct lmdb_txn t = h->txn;
    int rc;

    if (t.txn == NULL)
        return 0;
    rc = commit(h, &t, h->jobs);
    drop(h);
    if (rc == 0)
        seen(h);
    return rc;
}

bool lmdb_held_record(struct lmdb_held *h)
{
    const struct lmdb_writer_config *cfg = h->cfg;
    uint64_t began = lmdb_held_now();
    struct err err = {0};

    if (cfg->redo == NULL || h->unsure)
        return false;
    if (h->txn.txn == NULL || (h->changes.len == 0 && !h->changes.failed))
        return true; /* nothing has changed */
    if (buf_check(&h->changes, &err) != ERR_OK ||
        lmdb_redo_write(cfg->redo, &h->txn, &h->changes, &err) != ERR_OK)
        return false;
    buf_reset(&h->changes);
    if (cfg->after_commit != NULL)
        cfg->after_commit(&h->txn);
    memset(h->txn.added, 0, sizeof(h->txn.added));
    if (h->records++ == 0)
        h->until = lmdb_held_now() + RECORDS_US;
    h->unseen = true;
    count(h, h->jobs, began);
    h->jobs = 0;
    return true;
}

/* First what the log has, where records count, then the changes that no record has yet. */
static int restore(struct lmdb_held *h)
{
    struct lmdb_txn t;
    MDB_txn *txn = NULL;
    int rc = lmdb_env_write(h->cfg->env, LMDB_REDO_LEN, &txn);

    if (rc != 0)
        return rc;
    t = new_txn(h, txn);
    /* Where no record counts, one that failed may be there, which the changes do not know of. */
    if (h->records > 0)
        (void)lmdb_redo_replay(h->cfg->redo, &t);
    lmdb_redo_do_again(&t, &h->changes);
    if (t.hard == 0 && h->cfg->restored != NULL)
        h->cfg->restored(&t);
    lmdb_redo_mark(&t); /* also if a commit got through after all: this one is synced */
    rc = commit(h, &t, h->jobs);
    if (rc == 0) {
        drop(h);
        seen(h);
    }
    return rc;
}

/* Where the store is full even a job that is to change that must wait for it. */
int lmdb_held_restore(struct lmdb_held *h)
{
    int rc = restore(h), back;

    if (lmdb_env_code(rc) == ERR_FULL && lmdb_env_overdraw(h->cfg->env, true) == 0) {
        rc = restore(h);
        back = lmdb_env_overdraw(h->cfg->env, false);
        (void)back; /* what was done is done */
    }
    if (rc != 0 && h->records == 0) /* nobody was told that it would last */
        buf_reset(&h->changes);
    return rc;
}

/* ---- room ---- */

/*
 * A commit for nothing but its number: LMDB uses a page again two commits after the one
 * that freed it, and in a full store no other commit would come.
 */
static int tick(struct lmdb_held *h)
{
    struct lmdb_key key = lmdb_key_of("tick", 4);
    struct lmdb_txn t;
    MDB_txn *txn = NULL;
    uint8_t value[8];
    int rc = lmdb_env_write(h->cfg->env, 0, &txn);

    if (rc != 0)
        return rc;
    t = new_txn(h, txn);
    put_be64(value, ++h->ticks);
    lmdb_txn_put(&t, h->cfg->meta, &key, value, sizeof(value));
    return commit(h, &t, 0);
}

bool lmdb_held_make_room(struct lmdb_held *h, int rc)
{
    if (rc != MDB_MAP_FULL && rc != ENOSPC)
        return false;
    if (lmdb_env_grow(h->cfg->env) == 0)
        return true;
    if (h->ripen == 0)
        return false;
    while (h->ripen > 0)
        if (tick(h) != 0)
            return false;
    return true;
}
