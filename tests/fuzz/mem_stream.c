/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/mem_stream.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/sendq.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/nomem.h"

struct stream {
    struct net_loop *net;
    const struct stream_events *ev;
    void *cookie;
    struct mem_end *end;
    uv_handle_t *io;
    struct net_task turn;
    struct frame_reader reader;
    struct sendq queue;
    struct err why;
    bool ready, paused, closing, closed, scheduled;
};

static struct mem_end *expected;

static void schedule(struct stream *s)
{
    if (s->closed)
        return;
    s->scheduled = true;
    net_loop_later(s->net, &s->turn);
}

/* ---- the end ----------------------------------------------------------- */

static void on_io_closed(uv_handle_t *h)
{
    struct stream *s = h->data;

    sendq_clear(&s->queue);
    s->end->stream = NULL;
    s->end->why = s->why.code;
    s->ev->on_closed(s, s->cookie, &s->why);
    frame_reader_free(&s->reader);
    free(h);
    free(s);
}

static void end(struct stream *s)
{
    if (s->closed)
        return;
    s->closed = true;
    s->scheduled = false;
    net_loop_forget(&s->turn);
    uv_close(s->io, on_io_closed);
}

/* ---- the loop's turn ---------------------------------------------------- */

/* What the client reads has gone; releases may queue more. */
static void flush(struct stream *s)
{
    struct sendq_batch batch;
    bool running;

    while (!s->closed && !s->end->deaf && s->queue.first != NULL) {
        sendq_gather(&s->queue, 1, &batch);
        running = nomem_run(false); /* the client's memory is its own */
        for (size_t i = 0; i < batch.n; i++)
            buf_put(&s->end->out, batch.runs[i].data, batch.runs[i].len);
        MUST(buf_check(&s->end->out, NULL) == ERR_OK);
        (void)nomem_run(running);
        sendq_done(&s->queue, batch.frames);
    }
}

/* ERR_AGAIN: the client has sent no whole frame. */
static int read_frame(struct stream *s, struct frame *f, struct err *err)
{
    struct mem_end *e = s->end;
    uint8_t *at = NULL;
    size_t room = 0;
    int rc;

    do {
        rc = frame_reader_want(&s->reader, &at, &room, err);
        if (rc != ERR_OK)
            return rc;
        if (e->taken == e->in.len)
            return ERR_AGAIN;
        if (room > e->in.len - e->taken)
            room = e->in.len - e->taken;
        memcpy(at, e->in.data + e->taken, room);
        e->taken += room;
        rc = frame_reader_got(&s->reader, room, f, err);
    } while (rc == ERR_AGAIN);
    return rc;
}

static void take_input(struct stream *s)
{
    struct frame f = {{0}, {0}};
    struct err why = {0};
    int rc = ERR_OK;

    while (!s->paused && !s->closing && !s->closed && (rc = read_frame(s, &f, &why)) == ERR_OK) {
        s->ev->on_frame(s, s->cookie, &f);
        frame_free(&f);
    }
    if (rc == ERR_OK || rc == ERR_AGAIN || s->closing || s->closed)
        return;
    s->ev->on_fault(s, s->cookie, &why);
    s->why = why;
    s->closing = true;
}

static void on_turn(struct net_task *task)
{
    struct stream *s = (struct stream *)(void *)((char *)task - offsetof(struct stream, turn));

    s->scheduled = false;
    if (!s->ready) {
        s->ready = true;
        s->ev->on_ready(s, s->cookie);
    }
    take_input(s);
    flush(s);
    if (s->closing && s->queue.first == NULL)
        end(s);
}

/* ---- stream.h ------------------------------------------------------------- */

void stream_limits_default(struct stream_limits *ret)
{
    *ret = (struct stream_limits){.head_max = FRAME_HEAD_MAX, .tail_max = FRAME_TAIL_MAX};
}

int stream_start(struct stream **ret, const struct stream_opts *opts, uv_stream_t *conn,
                 const struct tls_verify *verify, struct err *err)
{
    struct stream *s = calloc(1, sizeof(*s));

    MUST(s != NULL && verify == NULL);
    if (expected == NULL) {
        free(s);
        return err_set(err, ERR_CONNECT, "nobody connects");
    }
    *s = (struct stream){.net = opts->net,
                         .ev = opts->events,
                         .cookie = opts->cookie,
                         .end = expected,
                         .io = (uv_handle_t *)conn};
    expected->stream = s;
    expected = NULL;
    conn->data = s;
    s->turn.run = on_turn;
    frame_reader_init(&s->reader);
    frame_reader_limit(&s->reader, opts->limits->head_max, opts->limits->tail_max);
    schedule(s);
    *ret = s;
    return ERR_OK;
}

int stream_send(struct stream *s, const struct frame_out *f, struct err *err)
{
    int rc;

    if (s->closing || s->closed || !s->ready)
        return err_set(err, ERR_BADSTATE, "the connection is not open");
    rc = sendq_push(&s->queue, f, err);
    if (rc == ERR_OK)
        schedule(s);
    return rc;
}

size_t stream_partial(const struct stream *s)
{
    return s->reader.frame.head.len + s->reader.frame.tail.len;
}

size_t stream_queued(const struct stream *s)
{
    return s->queue.bytes;
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
    schedule(s);
}

void stream_limit_frames(struct stream *s, size_t head_max, size_t tail_max)
{
    frame_reader_limit(&s->reader, head_max, tail_max);
}

void stream_close(struct stream *s)
{
    s->closing = true;
    schedule(s);
}

void stream_drop(struct stream *s, int reason)
{
    if (!s->closed)
        (void)err_set(&s->why, reason, "%s", err_text(reason));
    end(s);
}

int stream_binding(struct stream *s, uint8_t ret[TLS_ENGINE_BINDING_BYTES], struct err *err)
{
    if (!s->ready)
        return err_set(err, ERR_BADSTATE, "the connection is not open");
    memset(ret, 'B', TLS_ENGINE_BINDING_BYTES);
    return ERR_OK;
}

int stream_own_pin(const struct stream *s, struct pin *ret, struct err *err)
{
    if (!s->ready)
        return err_set(err, ERR_BADSTATE, "the connection is not open");
    memset(ret, 'P', sizeof(*ret));
    return ERR_OK;
}

/* ---- the client's side ------------------------------------------------------ */

void mem_expect(struct mem_end *e)
{
    expected = e;
}

void mem_write(struct mem_end *e, const void *data, size_t len)
{
    buf_put(&e->in, data, len);
    MUST(buf_check(&e->in, NULL) == ERR_OK);
    if (e->stream != NULL)
        schedule(e->stream);
}

void mem_cut(struct mem_end *e)
{
    if (e->stream != NULL)
        stream_drop(e->stream, ERR_CLOSED);
}

void mem_listen(struct mem_end *e)
{
    e->deaf = false;
    if (e->stream != NULL)
        schedule(e->stream);
}

bool mem_is_busy(const struct mem_end *e)
{
    return e->stream != NULL && (e->stream->scheduled || e->stream->closed);
}
