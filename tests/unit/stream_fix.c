/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_fix.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct net_keys fix_keys;
uint8_t fix_filler[FRAME_TAIL_MAX];

static void happened(struct side *side, enum event e);

/* ---- the two sides ------------------------------------------------------- */

static void on_release(void *arg)
{
    struct side *side = arg;

    side->released++;
    if (side->s != NULL)
        happened(side, RELEASE);
}

struct frame_out fix_frame(struct side *side)
{
    return (struct frame_out){.head = fix_filler,
                              .head_len = side->head_len,
                              .tail = fix_filler,
                              .tail_len = side->tail_len,
                              .release = on_release,
                              .arg = side};
}

/* Send what is left until the queue is full. */
void fix_send_some(struct side *side)
{
    while (side->s != NULL && side->sent < side->to_send) {
        struct frame_out f = fix_frame(side);
        int rc = stream_send(side->s, &f, NULL);

        if (rc == ERR_AGAIN)
            return;
        assert_int_equal(rc, ERR_OK);
        side->sent++;
        if (stream_queued(side->s) > side->queued_max)
            side->queued_max = stream_queued(side->s);
    }
    if (side->s != NULL && side->close_when_sent)
        stream_close(side->s);
}

static void happened(struct side *side, enum event e)
{
    side->seen[e]++;
    side->late += side->closed;
    switch (side->on[e]) {
    case DROP:
        stream_drop(side->s, ERR_CANCELED);
        stream_drop(side->s, ERR_CANCELED); /* twice is safe */
        break;
    case CLOSE:
        stream_close(side->s);
        stream_close(side->s);
        break;
    case PAUSE:
        stream_pause(side->s);
        break;
    case ANSWER:
        side->to_send++;
        fix_send_some(side);
        break;
    case NOTHING:
        break;
    }
}

static void on_ready(struct stream *s, void *cookie)
{
    struct side *side = cookie;

    (void)s;
    happened(side, READY);
    if (side->on[READY] == NOTHING)
        fix_send_some(side);
}

static void on_frame(struct stream *s, void *cookie, struct frame *f)
{
    struct side *side = cookie;

    (void)s;
    side->bytes += f->head.len + f->tail.len;
    if (f->tail.len > 0)
        assert_memory_equal(f->tail.data, fix_filler, f->tail.len);
    happened(side, FRAME);
}

static void on_drain(struct stream *s, void *cookie)
{
    struct side *side = cookie;

    (void)s;
    happened(side, DRAIN);
    if (side->on[DRAIN] == NOTHING)
        fix_send_some(side);
}

static void on_fault(struct stream *s, void *cookie, const struct err *why)
{
    struct side *side = cookie;

    (void)s;
    assert_int_equal(why->code, ERR_PROTO);
    side->to_send++;
    fix_send_some(side);
    happened(side, FAULT);
}

static void on_closed(struct stream *s, void *cookie, const struct err *why)
{
    struct side *side = cookie;

    side->closed++;
    side->why = *why;
    side->clean = stream_ended_cleanly(s);
    side->s = NULL;
}

static const struct stream_events events = {on_ready, on_frame, on_drain, on_fault, on_closed};

/* ---- the fixture ----------------------------------------------------------- */

void fix_open(struct fix *fix)
{
    *fix = (struct fix){.spy = -1, .server = {.head_len = 1}, .client = {.head_len = 1}};
    assert_int_equal(uv_loop_init(&fix->loop), 0);
    assert_int_equal(net_loop_new(&fix->net, &fix->loop, NULL), ERR_OK);
    stream_limits_default(&fix->limits);
}

struct stream_opts fix_opts(struct fix *fix, struct side *side)
{
    return (struct stream_opts){.net = fix->net,
                                .ctx = side == &fix->server ? fix_keys.server : fix_keys.client,
                                .limits = &fix->limits,
                                .events = &events,
                                .cookie = side};
}

static uv_stream_t *pipe_of(struct fix *fix, int fd)
{
    uv_pipe_t *pipe = malloc(sizeof(*pipe));

    assert_non_null(pipe);
    assert_int_equal(uv_pipe_init(&fix->loop, pipe, 0), 0);
    assert_int_equal(uv_pipe_open(pipe, fd), 0);
    return (uv_stream_t *)pipe;
}

/* The server on one end; returns the other. */
int fix_server(struct fix *fix)
{
    struct stream_opts opts = fix_opts(fix, &fix->server);
    int fds[2];

    assert_int_equal(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    fix->spy = dup(fds[0]);
    assert_int_equal(stream_start(&fix->server.s, &opts, pipe_of(fix, fds[0]), NULL, NULL), ERR_OK);
    fix->peer = fds[1];
    return fds[1];
}

void fix_client(struct fix *fix, int fd, const struct tls_verify *verify)
{
    struct tls_verify pinned = {.mode = TLS_VERIFY_PIN, .pin = fix_keys.pin};
    struct stream_opts opts = fix_opts(fix, &fix->client);

    assert_int_equal(stream_start(&fix->client.s, &opts, pipe_of(fix, fd),
                                  verify != NULL ? verify : &pinned, NULL),
                     ERR_OK);
}

void fix_both(struct fix *fix)
{
    fix_client(fix, fix_server(fix), NULL);
}

void fix_turn(struct fix *fix)
{
    (void)uv_run(&fix->loop, UV_RUN_NOWAIT);
}

/* Run until everything is closed; nothing may be left behind. */
void fix_close(struct fix *fix)
{
    if (fix->spy >= 0)
        (void)close(fix->spy);
    assert_int_equal(uv_run(&fix->loop, UV_RUN_DEFAULT), 0);
    net_loop_free(fix->net);
    assert_int_equal(uv_run(&fix->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fix->loop), 0);
    assert_int_equal(fix->server.late + fix->client.late, 0);
    assert_int_equal(fix->server.released, fix->server.sent);
    assert_int_equal(fix->client.released, fix->client.sent);
}

void fix_end(const struct side *side, int code)
{
    assert_int_equal(side->closed, 1);
    if (side->why.code != code)
        fail_msg("ended with %s (%s), not %s", err_name(side->why.code), side->why.msg,
                 err_name(code));
}

int fix_setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fix_filler); i++)
        fix_filler[i] = (uint8_t)(i * 131 + (i >> 8) * 17);
    return net_keys_make(&fix_keys);
}

int fix_teardown(void **state)
{
    (void)state;
    net_keys_free(&fix_keys);
    return 0;
}
