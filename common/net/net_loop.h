/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_loop - what all connections of one libuv loop share: one buffer for
 * input, one for output, and a list of work for the loop's next turn.  So a
 * connection at rest needs no buffer, and nothing has to call its owner back from
 * inside a call of the owner's.
 *
 * Threads: the loop's own.
 */
#ifndef COMMON_NET_NET_LOOP_H
#define COMMON_NET_NET_LOOP_H

#include <uv.h>

#include "common/buf.h"
#include "common/err.h"

struct net_loop;

/*
 * Serve ${loop}, which must outlive the object.  ERR_NOMEM.  Side effect: where the process
 * has no other wish, SIGPIPE is ignored, or libuv's writes to a peer that is gone would kill it.
 */
MUST_CHECK int net_loop_new(struct net_loop **ret, uv_loop_t *loop, struct err *err);

/* No connection may be left.  The memory goes in the loop's next turn.  NULL is fine. */
void net_loop_free(struct net_loop *n);

/* The loop it serves. */
uv_loop_t *net_loop_uv(const struct net_loop *n);

/* Where the next bytes from the network go.  Valid until the read callback has returned. */
uv_buf_t net_loop_slab(struct net_loop *n);

/* Embedded in its owner; zero-initialise, then set run. */
struct net_task {
    struct net_task *prev, *next;
    void (*run)(struct net_task *task);
};

/* Run ${task} once, in the loop's next turn, before it waits again.  Again while queued: once. */
void net_loop_later(struct net_loop *n, struct net_task *task);

/* Do not run it after all; harmless when it is not queued. */
void net_loop_forget(struct net_task *task);

/* Lend an empty buffer, which usually has room for a batch of frames; give it back. */
void net_loop_borrow(struct net_loop *n, struct buf *ret);
void net_loop_return(struct net_loop *n, struct buf *b);

#endif /* COMMON_NET_NET_LOOP_H */
