/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares_work - the share service from inside: what its worker thread does with a gathering of
 * jobs.  For shares.c and shares_work.c alone.
 *
 * Threads: fields are the loop's, the worker's or under the lock, as each says.
 */
#ifndef SERVER_SHARES_WORK_H
#define SERVER_SHARES_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/share_batch.h"
#include "server/shares_instances.h"

enum shares_kind {
    SHARES_OPEN,
    SHARES_FIND,
    SHARES_MOVE,
    SHARES_ERASE,
    SHARES_END_DAYS,
    SHARES_CONFIRM,
    SHARES_LIST,
    SHARES_ROTATE,
    SHARES_DROP
};

/* How many have an eye on an instance: itself, and each job that opened with it. */
struct shares_hold {
    atomic_size_t n;
};

struct shares_hold *shares_hold_new(void); /* by one; NULL when out of memory */
struct shares_hold *shares_hold_take(struct shares_hold *h);
void shares_hold_drop(struct shares_hold *h); /* the last one frees it; NULL is fine */

/* A loaded instance.  The worker's own, but for what is atomic. */
struct shares_net {
    struct shares *service;
    struct instance_loaded from;
    struct share_batch *batch;
    struct shares_hold *hold;
    uint64_t failures;             /* of the health tests */
    uint8_t *out[SHARE_BATCH_MAX]; /* where the shares of the batch belong */
};

struct shares {
    const char *kernel;
    uint64_t noted; /* time in erasable.keys at the start */
    struct loopq *home;
    void (*on_closed)(void *arg);
    void *closed_arg;
    void (*on_room)(void *arg);
    void *room_arg;
    bool refused; /* the loop's: somebody waits for room */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct shares_job *first, *last; /* under lock */
    bool stop;                       /* under lock */
    atomic_size_t items;             /* under way */
    atomic_size_t loaded;            /* instances */
    atomic_uint_fast64_t computed, batches, largest, failures;
    /* The worker's own. */
    struct instance_files *files;
    struct shares_net *nets[SHARES_INSTANCES_MAX]; /* the first is current, then the newest */
    size_t nnets;
    struct erasable_file *cells;
    struct hedge *hedge;
    struct secret seed, day_key, slot_key;
    uint64_t health_told; /* seconds of uv_hrtime() */
    struct err why;       /* the last thing that failed in the job that runs */
    int failed;           /* of a batch of this gathering */
    uint64_t stock_first; /* cells with keys that are durable and serve nothing yet: */
    size_t stock;         /* how many */
    bool wrote;           /* cells were written in this gathering: they need a sync */
    /* Failed syncs of ${cells} when the key of every day was last known to be on the disk. */
    uint64_t sure_at;
};

/* Queue ${job}; what shares_open() and the others do. */
MUST_CHECK int shares_begin(struct shares *s, struct shares_job *job, enum shares_kind kind,
                            void (*cb)(void *), void *arg);

/* Before the thread runs: load what there is.  After it: free it. */
MUST_CHECK int shares_load_nets(struct shares *s, struct err *err);
void shares_free_nets(struct shares *s);

/* In the worker.  NULL: it is not loaded. */
struct shares_net *shares_net_of(struct shares *s, const struct instance_id *id);

/* In the worker: what is in the batch, computed and delivered. */
int shares_flush_net(struct shares_net *net);

/* In the worker: the jobs of shares_instances.h. */
int shares_instances_job(struct shares *s, struct shares_job *job);

/* The thread: runs what is queued until ${arg}'s stop.  NULL. */
void *shares_work(void *arg);

#endif /* SERVER_SHARES_WORK_H */
