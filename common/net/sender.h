/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender - from queued frames to the system's socket: gathers frames into
 * batches, encrypts a batch when the one before has left, and writes without
 * waiting as far as the socket takes it.
 *
 * So at most one batch of ciphertext exists for each connection, and none for
 * one at rest.  Threads: the loop's own.  Never blocks.
 */
#ifndef COMMON_NET_SENDER_H
#define COMMON_NET_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net/net_loop.h"
#include "common/net/sendq.h"
#include "common/net/tls_engine.h"

/* Embedded by its owner, who sets the first block and may read the second. */
struct sender {
    struct net_loop *net;
    struct tls_engine *engine;
    uv_stream_t *io;
    void (*on_written)(struct sender *s, int status); /* libuv's status */

    struct sendq queue;
    bool writing;   /* libuv has a part; on_written will come */
    uint64_t since; /* last progress, in the loop's milliseconds */

    bool stopped;
    struct buf sending; /* lent to libuv while writing */
    size_t left;
    uv_write_t req;
};

/*
 * Send what can be sent: TLS's own output, and behind it a batch of the frames, if ${frames}.
 * ERR_OK: all is with the system.  ERR_AGAIN: more is left; flush again when on_written comes if
 * ${s} is writing, else in the loop's next turn.
 * ERR_CLOSED: the connection is lost.  ERR_TLS, ERR_NOMEM.
 * Releases of tails run inside.
 */
MUST_CHECK int sender_flush(struct sender *s, bool frames, struct err *err);

/* Look whether the system has taken more of what is being written; true, and ${since} is now. */
bool sender_progress(struct sender *s);

/* Bytes of frames and ciphertext that are not with the system. */
size_t sender_queued(const struct sender *s);

/* The handle is being closed: write nothing more, even if a release calls back here. */
void sender_stop(struct sender *s);

/* Release all frames and free the buffers; after the handle has closed. */
void sender_free(struct sender *s);

#endif /* COMMON_NET_SENDER_H */
