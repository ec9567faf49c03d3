/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares - the daemon's halves of keys: drawn when a transfer is opened,
 * regenerated when an entitled recipient asks, lost for ever when their cells
 * are erased (FORMATS.md sections 10 and 11).
 *
 * One worker thread owns the key network's worker, the hedge and the writing
 * of erasable.keys.  It takes all jobs that wait, writes the cells of those that
 * open, syncs once, and runs the network in batches over all of them.
 *
 * Happy path: shares_open() -> seeds drawn, cells written and synced, seeds
 * sealed, shares derived -> done on the loop.  shares_find(): cells read, seeds
 * opened, shares derived.  shares_erase(): cells overwritten and synced.
 *
 * Errors, in job->code: ERR_IO, ERR_FULL (cells cannot be written; ERR_IO and
 * ERR_FULL stop nothing but the job), ERR_NOMEM, ERR_INTERNAL.  In item->code of
 * a find: ERR_EXPIRED (the cells are erased), ERR_CORRUPT.
 *
 * Threads: calls and callbacks on the loop thread, never blocking.
 */
#ifndef SERVER_SHARES_H
#define SERVER_SHARES_H

#include <uv.h>

#include "common/transfer/share.h"
#include "server/instance_files.h"
#include "server/store/loopq.h"

enum {
    SHARES_ITEMS_MAX = 4096, /* under way in all; more is ERR_BUSY */
    SHARES_SIZE = 2 * SHARE_LEN
};

struct shares;
struct shares_hold;
struct shares_instances;

/* One recipient's slot.  "in" and "out" are seen from the service. */
struct shares_item {
    struct share_place place;         /* in */
    uint32_t day;                     /* open: in, UTC day of expiry since 1970 */
    struct instance_id instance;      /* open: out; find: in */
    uint64_t cell, day_cell;          /* open: out; find: in */
    uint8_t sealed[SHARE_SEALED_LEN]; /* open: out; find: in */
    int code;                         /* find: out */
};

/* Owned by the caller; not touched from start to callback. */
struct shares_job {
    struct shares_item *items;
    size_t n;
    struct secret
        out; /* SHARES_SIZE bytes an item: meta, then body; zeros where item.code is set */
    int code;
    uint64_t now;                       /* ms since 1970: in, for the days and the clock */
    struct shares_instances *instances; /* shares_instances.h */
    /* Private. */
    struct loopq_item done;
    struct shares_job *next;
    int kind;
    struct shares *service;
    struct shares_hold *hold; /* what was opened is not known to be in the store yet */
    void (*cb)(void *arg);
    void *arg;
};

/*
 * With ${n} zeroed items; NULL when out of memory.  One that opened is not freed before the store
 * has what was opened: as long as it is there, so is its instance.
 */
struct shares_job *shares_job_new(size_t n);
void shares_job_free(void *job); /* wipes; NULL is fine */

/* The two shares of item ${i}, after a job that went well. */
const uint8_t *shares_meta(const struct shares_job *job, size_t i);
const uint8_t *shares_body(const struct shares_job *job, size_t i);

/* Paths are borrowed for the call. */
struct shares_config {
    const char *erasable, *hedge;
    struct instance_paths instances;
    uv_loop_t *loop;
};

/*
 * Load the instances, prove that each computes what it must, open the cells, start
 * the worker.  Blocks.  ERR_CORRUPT or ERR_INTERNAL: a network is not what it was; ERR_LIMIT: there
 * are more than can be loaded.
 */
MUST_CHECK int shares_start(struct shares **ret_s, const struct shares_config *cfg,
                            struct err *err);

/* No job is under way.  Blocks until the worker has ended; ${on_closed} runs later from the loop,
 * and ${s} is gone when it returns. */
void shares_stop(struct shares *s, void (*on_closed)(void *arg), void *arg);

/*
 * Begin; ERR_OK: ${cb} is called once, later.  ERR_BUSY: too much under way, nothing was begun.
 * An erase, of which only the cells count, is never refused.
 */
MUST_CHECK int shares_open(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);
MUST_CHECK int shares_find(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);
/*
 * The seeds of ${job} under fresh cells, of another day perhaps: item->day is the new one; cell,
 * day_cell and sealed come back changed.  The old cells stay, for the caller to erase when the
 * change is durable.  job->code as of find's items; then no item was moved, and the cells of
 * ${job} mean nothing.
 */
MUST_CHECK int shares_move(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg);
MUST_CHECK int shares_erase(struct shares *s, struct shares_job *job, void (*cb)(void *),
                            void *arg);

/*
 * Destroy the keys of all days that have ended at job->now.  ${job} has no items.  job->code
 * ERR_REFUSED: the clock is more than 24 hours past the last noted time; an
 * operator must look at it and, if it is right, shares_confirm_clock(job->now).
 */
MUST_CHECK int shares_end_days(struct shares *s, struct shares_job *job, void (*cb)(void *),
                               void *arg);
MUST_CHECK int shares_confirm_clock(struct shares *s, struct shares_job *job, void (*cb)(void *),
                                    void *arg);

/* The last time noted in erasable.keys when the service started. */
uint64_t shares_noted_time(const struct shares *s);

struct shares_stats {
    uint64_t computed, batches, largest; /* shares pairs; runs of the network; most in one run */
    uint64_t failures;                   /* of the health tests */
    uint64_t waiting;                    /* items now */
    uint64_t instances;                  /* loaded */
};
void shares_stats(const struct shares *s, struct shares_stats *ret);

/* ${on_room} runs on the loop when there is room again after a job was refused. */
void shares_on_room(struct shares *s, void (*on_room)(void *arg), void *arg);

/* Which code computes, as "oneDNN 2.6.3". */
const char *shares_kernel(const struct shares *s);

#endif /* SERVER_SHARES_H */
