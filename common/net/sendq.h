/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendq - frames that wait to be encrypted, first in, first out.
 *
 * Knows its size in bytes; its owner bounds it.  Threads: one at a time.
 */
#ifndef COMMON_NET_SENDQ_H
#define COMMON_NET_SENDQ_H

#include <stddef.h>

#include "common/err.h"
#include "common/net/frame.h"
#include "common/net/tls_engine.h"

struct sendq_item;

/* Zero-initialised is empty. */
struct sendq {
    struct sendq_item *first, *last;
    size_t bytes; /* prefixes, heads and tails */
};

/* Append a frame; its release runs in sendq_done() or sendq_clear(), or never when this fails.
 * ERR_TOOLARGE, ERR_NOMEM. */
MUST_CHECK int sendq_push(struct sendq *q, const struct frame_out *f, struct err *err);

/* What sendq_gather() found: the runs of ${frames} whole frames. */
enum { SENDQ_RUNS = 32 };
struct sendq_batch {
    struct tls_run runs[SENDQ_RUNS];
    size_t n, frames;
};

/* Look at whole frames from the front: as many as fit, until ${bytes} or more are together. */
void sendq_gather(const struct sendq *q, size_t bytes, struct sendq_batch *ret);

/* Take ${frames} frames from the front and release their tails. */
void sendq_done(struct sendq *q, size_t frames);

/* Release all. */
void sendq_clear(struct sendq *q);

#endif /* COMMON_NET_SENDQ_H */
