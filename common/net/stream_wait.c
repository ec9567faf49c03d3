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

/* The first wait that is over; NULL if none is. */
static const struct wait *find_over(const struct wait *w, size_t n, uint64_t now)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].ms > 0 && w[i].since + w[i].ms <= now)
            return &w[i];
    return NULL;
}

static void on_timer(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    const struct wait *over = NULL;
    struct err why = {0};
    struct wait w[WAITS];

    s->armed = 0;
    (void)sender_progress(&s->out);
    over = find_over(w, waits(s, w), stream_now(s));
    if (over == NULL) {
        s->late = false;
        stream_wait_arm(s);
    } else if (!s->late) {
        /*
         * Timers run before input: after a stall of the whole machine the
         * peer's bytes may be here already.  Let the loop look at its sockets first.
         */
        s->late = true;
        (void)uv_timer_start(&s->timer, on_timer, 1, 0);
        s->armed = stream_now(s) + 1;
    } else {
        (void)err_set(&why, ERR_TIMEOUT, "the peer %s", over->what);
        if (s->state == OPEN && !s->out.writing)
            stream_finish(s, &why, false);
        else
            stream_fail(s, &why);
    }
}
