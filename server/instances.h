/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instances - one look at the key networks: which there are, how many slots need each, and the
 * removal of old ones that none needs.
 *
 * Happy path: the share service says what is loaded -> the store is walked, page by page -> an old
 * instance that was idle before the walk and that no slot needs is dropped -> the callback.
 * Idle first, then the walk: what was opened with it was in the store when the walk began.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_INSTANCES_H
#define SERVER_INSTANCES_H

#include "server/shares_instances.h"

struct daemon;

/* Owned by the caller; not touched from start to callback. */
struct instances {
    struct shares_instances list;             /* out */
    uint64_t slots[SHARES_INSTANCES_MAX + 1]; /* out: that need list.items[i] */
    int code;                                 /* out */
    /* Private. */
    struct daemon *d;
    struct shares_job *job;
    size_t at;
    bool drop;
    void (*cb)(void *arg);
    void *arg;
};

/*
 * Begin; ${cb} is called once, later.  With ${drop} those that no slot needs are removed.
 * ERR_NOMEM. in->code: ERR_CLOSED: the daemon drains; of the store; ERR_OK also when a removal
 * failed, which is logged.
 */
MUST_CHECK int instances_look(struct daemon *d, struct instances *in, bool drop,
                              void (*cb)(void *arg), void *arg);

/* After the callback, or when nothing was begun. */
void instances_free(struct instances *in);

#endif /* SERVER_INSTANCES_H */
