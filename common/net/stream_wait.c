/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One timer for all waits of a stream.  Activity only notes the time; the
 * timer looks, when it fires, whether a wait is really over.
 */
#include "common/net/stream_priv.h"

struct wait {
    uint64_t since;
    unsigned ms;
    const char *what; /* the peer ... */
};
enum { WAITS = 4 };

/* What we are waiting for.  A wait that we cause ourselves is none. */
static size_t waits(const struct stream *s, struct wait w[WAITS])
{
    size_t n = 0;

    if (s->state == HANDSHAKE)
        w[n++] = (struct wait){s->state_since, s->limits.handshake_ms,
                               "did not finish the handshake in time"};
    if (s->state == OPEN && !stream_held(s)) {
        enum frame_stage stage = frame_reader_stage(&s->reader);

        uint64_t last = s->input_since > s->out.since ? s->input_since : s->out.since;

        w[n++] = (struct wait){last, s->limits.idle_ms, "was silent for too long"};
        if (stage == FRAME_IN_HEAD)
            w[n++] = (struct wait){s->frame_since, s->limits.head_ms, "sends a head too slowly"};
        else if (stage == FRAME_IN_TAIL)
            w[n++] = (struct wait){s->frame_since, s->limits.frame_ms, "sends a frame too slowly"};
    }
    if (s->shutting)
        w[n++] = (struct wait){s->linger_since, s->limits.linger_ms, "did not close"};
    if (s->out.writing)
        w[n++] = (struct wait){s->out.since, s->limits.write_ms, "does not take our data"};
    return n;
}

static void on_timer(uv_timer_t *timer);

/* Let the timer fire at the earliest end of a wait; firing too early is harmless. */
void stream_wait_arm(struct stream *s)
{
    struct wait w[WAITS];
    uint64_t due = UINT64_MAX;
    size_t n = s->state == CLOSED ? 0 : waits(s, w);

    for (size_t i = 0; i < n; i++)
        if (w[i].ms > 0 && w[i].since + w[i].ms < due)
            due = w[i].since + w[i].ms;
    if (due == UINT64_MAX || (s->armed != 0 && s->armed <= due))
        return;
    (void)uv_timer_start(&s->timer, on_timer, due > stream_now(s) ? due - stream_now(s) : 0, 0);
    s->armed = due;
}

static void on_timer(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    struct err why = {0};
    struct wait w[WAITS];
    size_t n;

    s->armed = 0;
    (void)sender_progress(&s->out);
    n = waits(s, w);
    for (size_t i = 0; i < n; i++) {
        if (w[i].ms == 0 || w[i].since + w[i].ms > stream_now(s))
            continue;
        (void)err_set(&why, ERR_TIMEOUT, "the peer %s", w[i].what);
        if (s->state == OPEN && !s->out.writing)
            stream_finish(s, &why, false);
        else
            stream_fail(s, &why);
        return;
    }
    stream_wait_arm(s);
}
