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
#include "server/shares.h"

enum shares_kind {
    SHARES_OPEN,
    SHARES_FIND,
    SHARES_MOVE,
    SHARES_ERASE,
    SHARES_END_DAYS,
    SHARES_CONFIRM
};

struct shares {
    struct keynet *net;
    struct instance_id instance;
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
    atomic_uint_fast64_t computed, batches, largest, failures;
    /* The worker's own. */
    struct erasable_file *cells;
    struct hedge *hedge;
    struct share_batch *batch;
    struct secret seed, day_key, slot_key;
    uint64_t health_told;          /* seconds of uv_hrtime() */
    int failed;                    /* of a batch of this gathering */
    bool suspect;                  /* a sync has failed: a day's key may not be on the disk */
    uint8_t *out[SHARE_BATCH_MAX]; /* where the shares of the batch belong */
};

/* The thread: runs what is queued until ${arg}'s stop.  NULL. */
void *shares_work(void *arg);

#endif /* SERVER_SHARES_WORK_H */
