/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - frames over TLS on a libuv handle, for either side.
 *
 *     DIALING -> HANDSHAKE -> on_ready -> OPEN -> on_frame ... -> CLOSING -> on_closed
 *
 * Promises: no callback runs inside a stream_* call.  on_closed comes exactly once
 * and last; the stream is freed when it returns.  stream_drop() and
 * stream_close() may be called from any callback; after either no callback
 * but on_closed comes, though releases of queued tails do.
 *
 * Why it ended (the code of on_closed):
 *     ERR_OK                    stream_close(), all was sent
 *     ERR_CLOSED                the peer closed, or the connection was cut: stream_ended_cleanly()
 *     ERR_CONNECT               the address cannot be reached
 *     ERR_PIN, ERR_TLS          the handshake failed, or a record was damaged
 *     ERR_PROTO                 a frame over the limits
 *     ERR_TIMEOUT               one of the times in struct stream_limits
 *     as given                  stream_drop()
 *
 * Threads: the loop's own.  Never blocks.
 */
#ifndef COMMON_NET_STREAM_H
#define COMMON_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "common/err.h"
#include "common/net/addr.h"
#include "common/net/frame.h"
#include "common/net/net_loop.h"
#include "common/net/tls_engine.h"

struct stream;

struct stream_events {
    /* The handshake is done and the peer verified (but see TLS_VERIFY_COLLECT). */
    void (*on_ready)(struct stream *s, void *cookie);
    /* A frame.  Its parts may be taken (moved away); what is left is freed afterwards. */
    void (*on_frame)(struct stream *s, void *cookie, struct frame *f);
    /* The queue is below the low mark again, after stream_send() said ERR_AGAIN.  May be NULL. */
    void (*on_drain)(struct stream *s, void *cookie);
    /* The peer broke the framing; one last frame may be sent before the end.  May be NULL. */
    void (*on_fault)(struct stream *s, void *cookie, const struct err *why);
    void (*on_closed)(struct stream *s, void *cookie, const struct err *why);
};

/* Times in milliseconds, 0 is for ever; sizes in bytes. */
struct stream_limits {
    unsigned connect_ms;   /* resolving, and each address */
    unsigned handshake_ms; /* from the first byte of TLS to on_ready */
    unsigned idle_ms;      /* nothing came and nothing went */
    unsigned head_ms;      /* from a frame's first byte to the end of its head */
    unsigned frame_ms;     /* from a frame's first byte to its last */
    unsigned write_ms;     /* without progress while something is to be sent */
    unsigned linger_ms;    /* after our last byte, for the peer to close as well */
    size_t queue_high;     /* stream_send() refuses when this many bytes are queued */
    size_t queue_low;      /* on_drain */
    size_t head_max, tail_max;
    bool stop_when_full; /* do not read while the queue is at its high mark: for servers only,
                            or two full peers would wait for each other */
};

/* 10 s to connect and for the handshake, 120 s idle, 20 s, 120 s, 30 s, 2 s; 1 MiB and 256 KiB. */
void stream_limits_default(struct stream_limits *ret);

struct stream_opts {
    struct net_loop *net;
    SSL_CTX *ctx;
    const struct stream_limits *limits; /* copied; NULL: the defaults */
    const struct stream_events *events; /* must outlive the stream */
    void *cookie;
};

/*
 * Speak over ${conn}, a connected uv_tcp_t or uv_pipe_t from malloc(), which becomes the
 * stream's; on failure it stays the caller's.  ${verify} NULL: we are the server.  Errors as of
 * tls_engine_client().
 */
MUST_CHECK int stream_start(struct stream **ret, const struct stream_opts *opts, uv_stream_t *conn,
                            const struct tls_verify *verify, struct err *err);

/* Connect to ${to} as a client; the host of ${verify} may be NULL, then it is that of ${to}. Errors
 * as of tls_engine_client() and dial_start(); that nobody answers comes with on_closed. */
MUST_CHECK int stream_connect(struct stream **ret, const struct stream_opts *opts,
                              const struct addr *to, const struct tls_verify *verify,
                              struct err *err);

/*
 * Queue a frame; see struct frame_out for the tail.  ERR_AGAIN: the queue is at its high mark
 * (at twice that for a frame that is owed), on_drain will come.  ERR_BADSTATE: not open.
 * ERR_TOOLARGE, ERR_NOMEM.  If it fails nothing was taken and the tail is not released.
 */
MUST_CHECK int stream_send(struct stream *s, const struct frame_out *f, struct err *err);

/* Bytes that were sent by stream_send() or TLS and are not with the system yet. */
size_t stream_queued(const struct stream *s);

/* Bytes that have come of a frame whose rest is still to come. */
size_t stream_partial(const struct stream *s);

/* Stop and go on reading.  After stream_pause() no further on_frame comes until stream_resume(). */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* frame_reader_limit() for the frames to come. */
void stream_limit_frames(struct stream *s, size_t head_max, size_t tail_max);

/* Close politely: what is queued is sent, then close_notify; ends with ERR_OK. */
void stream_close(struct stream *s);

/* Close at once, for ${reason}. */
void stream_drop(struct stream *s, int reason);

/* The value that binds a login to this connection (tls_engine_exporter()). */
MUST_CHECK int stream_binding(struct stream *s, uint8_t ret[TLS_ENGINE_BINDING_BYTES],
                              struct err *err);

/* The server's pin, NULL until known and on a server; valid as long as the stream. */
const struct pin *stream_peer_pin(const struct stream *s);

/* On a server: the pin of the certificate that this connection has seen.  ERR_BADSTATE: none. */
MUST_CHECK int stream_own_pin(const struct stream *s, struct pin *ret, struct err *err);

/* In on_closed: the peer said close_notify between two frames. */
bool stream_ended_cleanly(const struct stream *s);

#endif /* COMMON_NET_STREAM_H */
