/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in and out: network -> engine -> frames -> owner, and back.  Every
 * path ends in stream_io_pump(), the only place that looks at the results of handshake and
 * read.
 */
#include <assert.h>
#include <stddef.h>

#include "common/net/stream_priv.h"

enum {
    DISCARD_MAX = 4 * 1024 * 1024, /* input thrown away while closing */
    READ_MAX = 256 * 1024          /* of one stream before the others have their turn */
};

/* ---- output --------------------------------------------------------------- */

static void on_shut(uv_shutdown_t *req, int status)
{
    /* Nothing: the peer's end shows up in on_read(), or the timer fires. */
    (void)req;
    (void)status;
}

/* All frames are out: say so, in TLS and in TCP, and wait for the peer's end. */
static int say_goodbye(struct stream *s, struct err *err)
{
    int rc = ERR_OK;

    if (!s->notified) {
        s->notified = true;
        tls_engine_shutdown(s->engine);
        rc = sender_flush(&s->out, false, err);
    }
    if (rc == ERR_OK && !s->shutting) {
        s->shutting = true;
        s->linger_since = stream_now(s);
        if (uv_shutdown(&s->shut, s->io, on_shut) != 0)
            rc = err_set(err, ERR_CLOSED, "the connection was lost");
    }
    return rc;
}

/* Send what waits.  Ends with a callback: look at the state afterwards. */
static void flush(struct stream *s)
{
    struct err why = {0};
    int rc;

    if (s->state == DIALING || s->state == CLOSED)
        return;
    rc = sender_flush(&s->out, s->state == OPEN || s->flush_queue, &why);
    if (rc == ERR_AGAIN && !s->out.writing)
        net_loop_later(s->net, &s->turn);
    if (s->state == CLOSING && rc == ERR_OK)
        rc = say_goodbye(s, &why);
    if (rc != ERR_OK && rc != ERR_AGAIN) {
        stream_fail(s, &why);
        return;
    }
    if (s->state == OPEN && s->want_drain && stream_queued(s) <= s->limits.queue_low) {
        s->want_drain = false;
        if (s->ev->on_drain != NULL)
            s->ev->on_drain(s, s->cookie);
    }
}

/* ---- input ----------------------------------------------------------------- */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    struct stream *s = h->data;

    (void)hint;
    *ret = net_loop_slab(s->net);
}

static void set_reading(struct stream *s);

static void on_cut(struct stream *s, int status)
{
    struct err why = {0};

    if (status == UV_EOF)
        (void)err_set(&why, ERR_CLOSED, "the peer cut the connection%s",
                      s->state == HANDSHAKE ? " during the handshake" : "");
    else
        (void)err_set(&why, ERR_CLOSED, "the connection was lost: %s", uv_strerror(status));
    stream_fail(s, &why);
}

/*
 * libuv reads up to 32 times before it looks at another connection: milliseconds, if each fills
 * the buffer.  Who has so much to say rests until all others were heard.
 */
static void note_read(struct stream *s, size_t n)
{
    s->read += n;
    if (s->read < READ_MAX)
        return;
    s->read = 0;
    s->rests = true;
    net_loop_later(s->net, &s->turn);
}

static void on_read(uv_stream_t *io, ssize_t n, const uv_buf_t *slab)
{
    struct stream *s = io->data;
    struct err why = {0};
    int rc;

    if (n == 0 || s->state == CLOSED)
        return;
    if (n < 0) {
        on_cut(s, (int)n);
        return;
    }
    note_read(s, (size_t)n);
    if (s->state == CLOSING) {
        s->discarded += (size_t)n;
        if (s->discarded > DISCARD_MAX)
            stream_end(s);
        else
            set_reading(s);
        return;
    }
    s->input_since = stream_now(s);
    rc = tls_engine_feed(s->engine, slab->base, (size_t)n, &why);
    if (rc == ERR_OK) {
        stream_io_pump(s);
        rc = tls_engine_keep(s->engine, &why); /* the slab belongs to all */
    }
    if (rc != ERR_OK)
        stream_fail(s, &why);
}

/*
 * Read while the owner takes what comes; during the handshake and while closing
 * the bytes are not for the owner.
 */
static void set_reading(struct stream *s)
{
    bool want = !s->rests && (s->state != OPEN || (!s->stalled && !stream_held(s)));

    if (s->io == NULL || s->state == CLOSED || want == s->reading)
        return;
    s->reading = want;
    if (!want)
        (void)uv_read_stop(s->io);
    else if (uv_read_start(s->io, on_alloc, on_read) != 0)
        on_cut(s, UV_ECONNRESET);
}

/* Decrypt into the next frame until it is complete.  ERR_AGAIN: more input is needed. */
static int read_frame(struct stream *s, struct frame *ret, struct err *err)
{
    uint8_t *at = NULL;
    size_t room = 0, got = 0;
    int rc;

    do {
        bool fresh = frame_reader_stage(&s->reader) == FRAME_NONE;

        rc = frame_reader_want(&s->reader, &at, &room, err);
        if (rc == ERR_OK)
            rc = tls_engine_read(s->engine, at, room, &got, err);
        if (rc != ERR_OK)
            return rc;
        if (fresh)
            s->frame_since = stream_now(s);
        rc = frame_reader_got(&s->reader, got, ret, err);
    } while (rc == ERR_AGAIN);
    return rc;
}

/* The input has come to an end that is not a cut. */
static void on_input_end(struct stream *s, struct err *why)
{
    bool whole = frame_reader_stage(&s->reader) == FRAME_NONE, flush_queue = false;

    if (why->code == ERR_CLOSED) {
        s->clean = whole;
        if (!whole)
            (void)err_set(why, ERR_CLOSED, "the peer closed the connection within a frame");
    }
    if (why->code == ERR_PROTO && s->ev->on_fault != NULL) {
        flush_queue = true;
        s->ev->on_fault(s, s->cookie, why);
        if (s->state == CLOSING)
            s->why = *why; /* the owner closed it, but this is the reason */
    }
    stream_finish(s, why, flush_queue);
}

static int shake(struct stream *s, struct err *err)
{
    int rc = tls_engine_handshake(s->engine, err);

    if (rc == ERR_OK) {
        stream_enter(s, OPEN);
        s->ev->on_ready(s, s->cookie);
    }
    return rc;
}

/*
 * Do everything that the bytes at hand allow.  Always ends with a flush:
 * even a failed step may have left an alert to send.
 */
void stream_io_pump(struct stream *s)
{
    struct frame f = {{0}, {0}};
    struct err why = {0};
    int rc = ERR_OK;

    if (s->state == HANDSHAKE)
        rc = shake(s, &why);
    while (s->state == OPEN && !stream_held(s) && (rc = read_frame(s, &f, &why)) == ERR_OK) {
        s->ev->on_frame(s, s->cookie, &f);
        frame_free(&f);
    }
    s->stalled = s->state == OPEN && rc == ERR_OK;
    if (rc != ERR_OK && rc != ERR_AGAIN && s->state < CLOSING)
        on_input_end(s, &why);
    flush(s);
    if (s->state == OPEN && s->stalled && !stream_held(s))
        net_loop_later(s->net, &s->turn); /* the flush has made room */
    set_reading(s);
    stream_wait_arm(s);
}

void stream_io_on_turn(struct net_task *task)
{
    struct stream *s = (struct stream *)(void *)((char *)task - offsetof(struct stream, turn));

    s->rests = false;
    stream_io_pump(s);
}

void stream_io_on_written(struct sender *out, int status)
{
    struct stream *s = (struct stream *)(void *)((char *)out - offsetof(struct stream, out));

    if (s->state == CLOSED)
        return;
    if (status != 0) {
        on_cut(s, status);
        return;
    }
    stream_io_pump(s); /* the full queue may have held the reading */
}
