/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_stream - common/net/stream.h in memory: linked in its place, a daemon's
 * connection takes bytes from a buffer and leaves its frames in another one.
 * No TLS, no sockets, no time; the promises of stream.h hold.
 *
 * For servers only.  Threads: the loop's own.
 */
#ifndef TESTS_FUZZ_MEM_STREAM_H
#define TESTS_FUZZ_MEM_STREAM_H

#include <stdbool.h>
#include <uv.h>

#include "common/buf.h"
#include "common/net/stream.h"

/* The client's end.  Zero-initialise; free ${in} and ${out} when the stream has gone. */
struct mem_end {
    struct stream *stream; /* NULL: the server has closed, or never opened */
    struct buf in, out;    /* to the server, from the server */
    size_t taken;          /* of ${in}, by the server */
    bool deaf;             /* reads nothing: what is sent to it stays queued */
    int why;               /* of the end */
};

/* The next stream_start() joins this end; NULL: it fails. */
void mem_expect(struct mem_end *end);

/* The server will find ${len} more bytes in the loop's next turn. */
void mem_write(struct mem_end *end, const void *data, size_t len);

/* The client has gone, without a word. */
void mem_cut(struct mem_end *end);

/* It reads again. */
void mem_listen(struct mem_end *end);

/* Something will happen in the loop's next turn. */
bool mem_is_busy(const struct mem_end *end);

#endif /* TESTS_FUZZ_MEM_STREAM_H */
