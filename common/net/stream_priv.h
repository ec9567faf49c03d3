/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_priv - what the three files of a stream share: stream.c (life),
 * stream_io.c (bytes), stream_wait.c (time).  Nobody else includes it.
 */
#ifndef COMMON_NET_STREAM_PRIV_H
#define COMMON_NET_STREAM_PRIV_H

#include "common/net/dial.h"
#include "common/net/sender.h"
#include "common/net/stream.h"

enum stream_state { DIALING, HANDSHAKE, OPEN, CLOSING, CLOSED };

struct stream {
    struct net_loop *net;
    const struct stream_events *ev;
    void *cookie;
    struct stream_limits limits;
    enum stream_state state;
    struct err why;

    struct dial *dial;
    struct tls_engine *engine;
    uv_stream_t *io; /* NULL while dialling */
    uv_timer_t timer;
    uv_shutdown_t shut;
    unsigned handles; /* not closed yet */
    struct net_task turn;

    struct frame_reader reader;
    struct sender out;
    size_t discarded;
    size_t read; /* since it rested */

    /* In the loop's milliseconds. */
    uint64_t state_since, input_since, frame_since, linger_since;
    uint64_t armed; /* when the timer fires, 0: not running */

    bool paused, reading, want_drain;
    bool late;        /* a wait was over at the timer's last look */
    bool rests;       /* not reading until the loop's next turn, for the others' sake */
    bool stalled;     /* stopped before all input at hand was used */
    bool flush_queue; /* CLOSING: frames still go out */
    bool notified;    /* close_notify is out */
    bool shutting;    /* FIN is out */
    bool clean;
};

/* The loop's time in milliseconds. */
static inline uint64_t stream_now(const struct stream *s)
{
    return uv_now(net_loop_uv(s->net));
}

/* The only way to another state; asserts that the move is allowed. */
void stream_enter(struct stream *s, enum stream_state next);

/* Close now, without changing the reason. */
void stream_end(struct stream *s);

/* Close now for ${why}; a reason that stands already stays, but an unfinished ERR_OK does not. */
void stream_fail(struct stream *s, const struct err *why);

/* Close politely for ${why}, in the loop's next turn: frames, if ${flush_queue}, alert, FIN. */
void stream_finish(struct stream *s, const struct err *why, bool flush_queue);

/* Not reading frames, by the owner's will or for the queue's sake. */
bool stream_held(const struct stream *s);

/* Do everything that the bytes at hand allow, in both directions.  Calls back. */
void stream_io_pump(struct stream *s);
void stream_io_on_written(struct sender *out, int status);
void stream_io_on_turn(struct net_task *task);

/* Let the timer fire when the earliest wait is over; too early is harmless. */
void stream_wait_arm(struct stream *s);

#endif /* COMMON_NET_STREAM_PRIV_H */
