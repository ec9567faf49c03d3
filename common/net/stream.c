/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: start or dial -> HANDSHAKE -> on_ready -> OPEN -> frames ->
 * stream_close -> CLOSING: queue, close_notify and FIN go out, the peer's end
 * is awaited -> CLOSED -> on_closed(ERR_OK).
 *
 * Ways to fail:
 *  - cannot connect, cut connection, no write progress, handshake or linger
 *    too slow, stream_drop(): CLOSED at once
 *  - handshake refused, bad record, frame over the limits, idle or slow peer,
 *    close_notify: CLOSING, so that an alert or a last frame still goes out
 *
 *     DIALING ----> HANDSHAKE ----> OPEN
 *        |            |    |        |  |
 *        |            |    v        v  |
 *        |            |   CLOSING <-'  |
 *        v            v      v         v
 *        '----------> CLOSED <---------'
 *
 * A connection that is closed with unread input makes the system send RST,
 * which can destroy what the peer has not read yet: hence the wait for its end.
 */
#include "common/net/stream.h"

#include <assert.h>
#include <stdlib.h>

#include "common/net/stream_priv.h"

enum {
    KEEPALIVE_S = 60,
    REPLIES_MAX = 64 * 1024 /* TLS's own answers to a peer that does not read them */
};

void stream_limits_default(struct stream_limits *ret)
{
    *ret = (struct stream_limits){.connect_ms = 10000,
                                  .handshake_ms = 10000,
                                  .idle_ms = 120000,
                                  .head_ms = 20000,
                                  .frame_ms = 120000,
                                  .write_ms = 30000,
                                  .linger_ms = 2000,
                                  .queue_high = 1024 * 1024,
                                  .queue_low = 256 * 1024,
                                  .head_max = FRAME_HEAD_MAX,
                                  .tail_max = FRAME_TAIL_MAX};
}

/* ---- states ------------------------------------------------------------- */

static const unsigned allowed[] = {
    [DIALING] = 1u << HANDSHAKE | 1u << CLOSED,
    [HANDSHAKE] = 1u << OPEN | 1u << CLOSING | 1u << CLOSED,
    [OPEN] = 1u << CLOSING | 1u << CLOSED,
    [CLOSING] = 1u << CLOSED,
    [CLOSED] = 0,
};

void stream_enter(struct stream *s, enum stream_state next)
{
    (void)allowed; /* release builds do not look */
    assert((allowed[s->state] & 1u << next) != 0);
    s->state = next;
    s->state_since = s->input_since = stream_now(s);
}

/* TLS itself owes the peer more than it may: a flood of key updates, perhaps. */
static bool choked(const struct stream *s)
{
    return tls_engine_pending(s->engine) > REPLIES_MAX;
}

bool stream_held(const struct stream *s)
{
    return s->paused || choked(s) ||
           (s->limits.stop_when_full && sender_queued(&s->out) >= s->limits.queue_high);
}

/* ---- teardown ------------------------------------------------------------ */

static void on_handle_closed(struct stream *s)
{
    if (--s->handles > 0)
        return;
    sender_free(&s->out);
    s->ev->on_closed(s, s->cookie, &s->why);
    frame_reader_free(&s->reader);
    tls_engine_free(s->engine);
    free(s);
}

static void on_timer_closed(uv_handle_t *h)
{
    on_handle_closed(h->data);
}

static void on_io_closed(uv_handle_t *h)
{
    struct stream *s = h->data;

    free(h);
    on_handle_closed(s);
}

/*
 * libuv runs close callbacks in a later phase, never from inside uv_close():
 * s stays valid for whoever is still on the stack.
 */
void stream_end(struct stream *s)
{
    if (s->state == CLOSED)
        return;
    stream_enter(s, CLOSED);
    net_loop_forget(&s->turn);
    sender_stop(&s->out);
    if (s->dial != NULL)
        dial_cancel(s->dial);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    if (s->io != NULL)
        uv_close((uv_handle_t *)s->io, on_io_closed);
}

void stream_fail(struct stream *s, const struct err *why)
{
    if (s->state < CLOSING || (s->state == CLOSING && s->why.code == ERR_OK && !s->shutting))
        s->why = *why;
    stream_end(s);
}

void stream_drop(struct stream *s, int reason)
{
    struct err why = {0};

    (void)err_set(&why, reason, "%s", err_text(reason));
    if (s->state != CLOSED)
        s->why = why;
    stream_end(s);
}

/* End politely; flush() does the rest. */
void stream_finish(struct stream *s, const struct err *why, bool flush_queue)
{
    if (s->state >= CLOSING)
        return;
    if (s->state == DIALING) {
        stream_fail(s, why);
        return;
    }
    s->why = *why;
    s->flush_queue = flush_queue;
    stream_enter(s, CLOSING);
    net_loop_later(s->net, &s->turn);
}

void stream_close(struct stream *s)
{
    struct err why = {.code = ERR_OK};

    stream_finish(s, &why, true);
}

/* ---- start ------------------------------------------------------------------ */

/* Everything but the handle.  Nothing is registered with the loop that would need closing. */
static int stream_new(struct stream **ret, const struct stream_opts *opts,
                      const struct tls_verify *verify, struct err *err)
{
    struct stream *s = calloc(1, sizeof(*s));
    int rc;

    if (s == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (verify != NULL)
        rc = tls_engine_client(&s->engine, opts->ctx, verify, err);
    else
        rc = tls_engine_server(&s->engine, opts->ctx, err);
    if (rc != ERR_OK) {
        free(s);
        return rc;
    }
    s->net = opts->net;
    s->ev = opts->events;
    s->cookie = opts->cookie;
    if (opts->limits != NULL)
        s->limits = *opts->limits;
    else
        stream_limits_default(&s->limits);
    s->turn.run = stream_io_on_turn;
    s->out.net = s->net;
    s->out.engine = s->engine;
    s->out.on_written = stream_io_on_written;
    frame_reader_init(&s->reader);
    frame_reader_limit(&s->reader, s->limits.head_max, s->limits.tail_max);
    *ret = s;
    return ERR_OK;
}

/* The handle is connected: from here on it is ours. */
static void take_handle(struct stream *s, uv_stream_t *conn)
{
    s->io = s->out.io = conn;
    conn->data = s;
    s->handles++;
    if (conn->type == UV_TCP) {
        (void)uv_tcp_nodelay((uv_tcp_t *)conn, 1);
        (void)uv_tcp_keepalive((uv_tcp_t *)conn, 1, KEEPALIVE_S);
    }
    stream_enter(s, HANDSHAKE);
    net_loop_later(s->net, &s->turn);
}

static void add_timer(struct stream *s)
{
    (void)uv_timer_init(net_loop_uv(s->net), &s->timer); /* cannot fail */
    s->timer.data = s;
    s->handles++;
}

int stream_start(struct stream **ret, const struct stream_opts *opts, uv_stream_t *conn,
                 const struct tls_verify *verify, struct err *err)
{
    struct stream *s = NULL;
    int rc = stream_new(&s, opts, verify, err);

    if (rc != ERR_OK)
        return rc;
    add_timer(s);
    take_handle(s, conn);
    *ret = s;
    return ERR_OK;
}

static void on_dialled(void *cookie, uv_tcp_t *tcp, const struct err *why)
{
    struct stream *s = cookie;

    s->dial = NULL;
    if (tcp == NULL)
        stream_fail(s, why);
    else
        take_handle(s, (uv_stream_t *)tcp);
}

int stream_connect(struct stream **ret, const struct stream_opts *opts, const struct addr *to,
                   const struct tls_verify *verify, struct err *err)
{
    struct tls_verify named = *verify;
    struct stream *s = NULL;
    struct dial_opts dial = {.to = to, .on_done = on_dialled};
    int rc;

    if (named.host == NULL)
        named.host = to->host;
    rc = stream_new(&s, opts, &named, err);
    if (rc != ERR_OK)
        return rc;
    dial.loop = net_loop_uv(s->net);
    dial.connect_ms = s->limits.connect_ms;
    dial.cookie = s;
    rc = dial_start(&s->dial, &dial, err);
    if (rc != ERR_OK) {
        tls_engine_free(s->engine);
        free(s);
        return rc;
    }
    add_timer(s);
    *ret = s;
    return ERR_OK;
}

/* ---- the owner's side --------------------------------------------------------- */

int stream_send(struct stream *s, const struct frame_out *f, struct err *err)
{
    size_t most = f->owed ? s->limits.queue_high * 2 : s->limits.queue_high;
    int rc;

    if (s->state != OPEN)
        return err_set(err, ERR_BADSTATE, "the connection is not open");
    if (stream_queued(s) >= most) {
        s->want_drain = true;
        return err_set(err, ERR_AGAIN, "%zu bytes wait to be sent", stream_queued(s));
    }
    rc = sendq_push(&s->out.queue, f, err);
    if (rc == ERR_OK)
        net_loop_later(s->net, &s->turn);
    return rc;
}

size_t stream_partial(const struct stream *s)
{
    return s->reader.frame.head.len + s->reader.frame.tail.len;
}

size_t stream_queued(const struct stream *s)
{
    return sender_queued(&s->out);
}

void stream_pause(struct stream *s)
{
    s->paused = true;
}

void stream_resume(struct stream *s)
{
    if (!s->paused)
        return;
    s->paused = false;
    s->input_since = s->frame_since = stream_now(s); /* the wait was ours */
    if (s->state == OPEN || s->state == HANDSHAKE)
        net_loop_later(s->net, &s->turn);
}

void stream_limit_frames(struct stream *s, size_t head_max, size_t tail_max)
{
    frame_reader_limit(&s->reader, head_max, tail_max);
}

int stream_binding(struct stream *s, uint8_t ret[TLS_ENGINE_BINDING_BYTES], struct err *err)
{
    return tls_engine_exporter(s->engine, TLS_ENGINE_BINDING, ret, err);
}

const struct pin *stream_peer_pin(const struct stream *s)
{
    return tls_engine_peer_pin(s->engine);
}

int stream_own_pin(const struct stream *s, struct pin *ret, struct err *err)
{
    return tls_engine_own_pin(s->engine, ret, err);
}

bool stream_ended_cleanly(const struct stream *s)
{
    return s->clean;
}
