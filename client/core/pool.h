/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool - how much bulk data a handle holds at a time: so many pieces, whoever
 * sends or receives them, and the buffers for those that are sent.
 *
 * A piece to be sent takes a buffer, a piece asked for takes a credit; both
 * count alike.  Who gets none waits in line.
 *
 * Threads: the loop's own.  Never blocks.
 */
#ifndef CLIENT_CORE_POOL_H
#define CLIENT_CORE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/core/list.h"
#include "common/err.h"
#include "common/net/net_loop.h"

enum { POOL_PIECES = 56 }; /* 14 MiB */

struct pool;

/* All pieces are left; ${net} must outlive it.  ERR_NOMEM. */
MUST_CHECK int pool_new(struct net_loop *net, struct pool **ret, struct err *err);
void pool_free(struct pool *p); /* all is back; NULL is fine */

/* BODY_PIECE_SEALED bytes, which know their pool; NULL: none left, or if there is, no memory. */
uint8_t *pool_take(struct pool *p);
bool pool_has_left(const struct pool *p);
void pool_give(void *buffer); /* NULL is fine */

/* ${buffer} has one more holder: it is free when each of them has given it back. */
void pool_hold(uint8_t *buffer);

/* ${n} credits, or as many as there are; may be 0. */
unsigned pool_credit(struct pool *p, unsigned n);
void pool_credit_give(struct pool *p, unsigned n);

/* Embedded in its owner, who sets ready. */
struct pool_waiter {
    struct list link;
    void (*ready)(struct pool_waiter *w);
};
void pool_waiter_init(struct pool_waiter *w, void (*ready)(struct pool_waiter *w));

/* Call ready() once, in a later turn of the loop, when something is there. */
void pool_wait(struct pool *p, struct pool_waiter *w);
void pool_forget(struct pool_waiter *w); /* harmless if it does not wait */

#endif /* CLIENT_CORE_POOL_H */
