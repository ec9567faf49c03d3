/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loopq - run things on a libuv loop that other threads have finished.
 *
 * Items are embedded in the objects they announce: posting allocates nothing and cannot fail.
 * Items run in the order posted, on the loop thread, never from inside loopq_post().
 */
#ifndef SERVER_STORE_LOOPQ_H
#define SERVER_STORE_LOOPQ_H

#include <uv.h>

#include "common/err.h"

struct loopq;

struct loopq_item {
    struct loopq_item *next;
    void (*run)(struct loopq_item *item); /* may free the item */
};

/* On ${loop}, which it keeps alive until closed.  ERR_NOMEM, ERR_IO. */
MUST_CHECK int loopq_open(struct loopq **ret_q, uv_loop_t *loop, struct err *err);

/* Any thread.  ${item} is in no queue. */
void loopq_post(struct loopq *q, struct loopq_item *item);

/* The same for a chain through `next`, from ${first} to ${last}: the loop finds all or none. */
void loopq_post_all(struct loopq *q, struct loopq_item *first, struct loopq_item *last);

/*
 * Loop thread; nobody will post any more and no item is waiting.  ${on_closed} (may be NULL) runs
 * from the loop; the queue is gone when it returns.
 */
void loopq_close(struct loopq *q, void (*on_closed)(void *arg), void *arg);

#endif /* SERVER_STORE_LOOPQ_H */
