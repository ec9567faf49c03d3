/* SPDX-License-Identifier: Apache-2.0 */
/* stream: two streams, or a stream and a peer that misbehaves, over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/err.h>

#include "common/net/stream.h"
#include "net_pair.h"

enum event { READY, FRAME, DRAIN, RELEASE, FAULT, EVENTS };
enum act { NOTHING, DROP, CLOSE, PAUSE, ANSWER };

/* One stream and what has happened to it. */
struct side {
    struct stream *s; /* NULL when closed */
    enum act on[EVENTS];
    unsigned seen[EVENTS], closed, late;
    unsigned to_send, sent, released;
    size_t tail_len, head_len, bytes, queued_max;
    bool close_when_sent, clean;
    struct err why;
};

struct fix {
    uv_loop_t loop;
    struct net_loop *net;
    struct stream_limits limits;
    struct side server, client;
    int spy; /* a second descriptor of the server's end */
};

static struct net_keys keys;
static uint8_t filler[FRAME_TAIL_MAX];

static void happened(struct side *side, enum event e);

/* ---- the two sides ------------------------------------------------------- */

static void on_release(void *arg)
{
    struct side *side = arg;

    side->released++;
    if (side->s != NULL)
        happened(side, RELEASE);
}

static struct frame_out frame_of(struct side *side)
{
    return (struct frame_out){.head = filler,
                              .head_len = side->head_len,
                              .tail = filler,
                              .tail_len = side->tail_len,
                              .release = on_release,
                              .arg = side};
}

/* Send what is left until the queue is full. */
static void send_some(struct side *side)
{
    while (side->s != NULL && side->sent < side->to_send) {
        struct frame_out f = frame_of(side);
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
        send_some(side);
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
        send_some(side);
}

static void on_frame(struct stream *s, void *cookie, struct frame *f)
{
    struct side *side = cookie;

    (void)s;
    side->bytes += f->head.len + f->tail.len;
    if (f->tail.len > 0)
        assert_memory_equal(f->tail.data, filler, f->tail.len);
    happened(side, FRAME);
}

static void on_drain(struct stream *s, void *cookie)
{
    struct side *side = cookie;

    (void)s;
    happened(side, DRAIN);
    if (side->on[DRAIN] == NOTHING)
        send_some(side);
}

static void on_fault(struct stream *s, void *cookie, const struct err *why)
{
    struct side *side = cookie;

    (void)s;
    assert_int_equal(why->code, ERR_PROTO);
    side->to_send++;
    send_some(side);
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

static void open_loop(struct fix *fix)
{
    *fix = (struct fix){.spy = -1};
    assert_int_equal(uv_loop_init(&fix->loop), 0);
    assert_int_equal(net_loop_new(&fix->net, &fix->loop, NULL), ERR_OK);
    stream_limits_default(&fix->limits);
}

static struct stream_opts side_opts(struct fix *fix, struct side *side)
{
    return (struct stream_opts){.net = fix->net,
                                .ctx = side == &fix->server ? keys.server : keys.client,
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
static int open_server(struct fix *fix)
{
    struct stream_opts opts = side_opts(fix, &fix->server);
    int fds[2];

    assert_int_equal(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    fix->spy = dup(fds[0]);
    assert_int_equal(stream_start(&fix->server.s, &opts, pipe_of(fix, fds[0]), NULL, NULL), ERR_OK);
    return fds[1];
}

static void open_client(struct fix *fix, int fd, const struct tls_verify *verify)
{
    struct tls_verify pinned = {.mode = TLS_VERIFY_PIN, .pin = keys.pin};
    struct stream_opts opts = side_opts(fix, &fix->client);

    assert_int_equal(stream_start(&fix->client.s, &opts, pipe_of(fix, fd),
                                  verify != NULL ? verify : &pinned, NULL),
                     ERR_OK);
}

static void open_both(struct fix *fix)
{
    open_client(fix, open_server(fix), NULL);
}

static void turn(struct fix *fix)
{
    (void)uv_run(&fix->loop, UV_RUN_NOWAIT);
}

/* Run until everything is closed; nothing may be left behind. */
static void close_fix(struct fix *fix)
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

static void check_end(const struct side *side, int code)
{
    assert_int_equal(side->closed, 1);
    if (side->why.code != code)
        fail_msg("ended with %s (%s), not %s", err_name(side->why.code), side->why.msg,
                 err_name(code));
}

/* ---- two streams ------------------------------------------------------------ */

static void exchange(size_t head_len, size_t tail_len, unsigned n)
{
    struct fix fix;

    open_loop(&fix);
    fix.client.to_send = fix.server.to_send = n;
    fix.client.head_len = fix.server.head_len = head_len;
    fix.client.tail_len = fix.server.tail_len = tail_len;
    open_both(&fix);
    while (fix.server.seen[FRAME] < n || fix.client.seen[FRAME] < n)
        turn(&fix);
    assert_int_equal(fix.server.bytes, n * (head_len + tail_len));
    assert_int_equal(fix.client.bytes, n * (head_len + tail_len));
    assert_int_equal(stream_queued(fix.client.s), 0);
    stream_close(fix.client.s);
    close_fix(&fix);
    check_end(&fix.client, ERR_OK);
    check_end(&fix.server, ERR_CLOSED);
    assert_true(fix.server.clean);
    assert_int_equal(fix.server.seen[READY] + fix.client.seen[READY], 2);
}

static void test_exchange(void **state)
{
    (void)state;
    exchange(0, 0, 3);
    exchange(20, 0, 1000);
    exchange(40, FRAME_TAIL_MAX, 20);
    exchange(FRAME_HEAD_MAX, FRAME_TAIL_MAX, 3);
}

static void test_close_sends_what_is_queued(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.client.to_send = 50;
    fix.client.tail_len = 100000;
    fix.client.close_when_sent = true;
    open_both(&fix);
    close_fix(&fix);
    check_end(&fix.client, ERR_OK);
    check_end(&fix.server, ERR_CLOSED);
    assert_true(fix.server.clean);
    assert_int_equal(fix.server.seen[FRAME], 50);
    assert_true(fix.client.seen[DRAIN] > 0);
    assert_in_range(fix.client.queued_max, fix.limits.queue_high,
                    fix.limits.queue_high + 100000 + FRAME_PREFIX);
}

/* Each callback of each side ends its own stream, in either way. */
static void test_end_in_each_callback(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++)
        for (int e = READY; e <= RELEASE; e++)
            for (int act = DROP; act <= CLOSE; act++) {
                struct side *one = NULL, *other = NULL;
                struct fix fix;

                open_loop(&fix);
                one = side == 0 ? &fix.server : &fix.client;
                other = side == 0 ? &fix.client : &fix.server;
                one->on[e] = (enum act)act;
                one->to_send = other->to_send = 30;
                one->tail_len = other->tail_len = 200000;
                fix.limits.linger_ms = 50;
                open_both(&fix);
                close_fix(&fix);
                check_end(one, act == DROP ? ERR_CANCELED : ERR_OK);
                check_end(other, ERR_CLOSED);
                assert_true(e == RELEASE ? one->seen[e] > 0 : one->seen[e] == 1);
            }
}

static void test_drop_before_anything(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    open_both(&fix);
    stream_drop(fix.client.s, ERR_INTERNAL);
    assert_int_equal(fix.client.closed, 0); /* never from inside */
    stream_close(fix.server.s);
    close_fix(&fix);
    check_end(&fix.client, ERR_INTERNAL);
    assert_int_equal(fix.server.closed, 1);
    assert_int_equal(fix.server.seen[READY] + fix.client.seen[READY], 0);
}

static void test_send_when_not_open(void **state)
{
    struct frame_out big = {.tail = filler, .tail_len = FRAME_TAIL_MAX + 1};
    struct frame_out f = {.head = filler, .head_len = 10};
    uint8_t binding[TLS_ENGINE_BINDING_BYTES];
    struct fix fix;

    (void)state;
    open_loop(&fix);
    open_both(&fix);
    assert_int_equal(stream_send(fix.client.s, &f, NULL), ERR_BADSTATE);
    assert_int_equal(stream_binding(fix.client.s, binding, NULL), ERR_BADSTATE);
    while (fix.client.seen[READY] == 0)
        turn(&fix);
    assert_int_equal(stream_send(fix.client.s, &big, NULL), ERR_TOOLARGE);
    assert_int_equal(stream_queued(fix.client.s), 0);
    stream_close(fix.client.s);
    assert_int_equal(stream_send(fix.client.s, &f, NULL), ERR_BADSTATE);
    close_fix(&fix);
}

static void test_binding_and_pin(void **state)
{
    uint8_t a[TLS_ENGINE_BINDING_BYTES], b[TLS_ENGINE_BINDING_BYTES];
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};
    struct fix fix;

    (void)state;
    open_loop(&fix);
    open_client(&fix, open_server(&fix), &collect);
    while (fix.client.seen[READY] == 0 || fix.server.seen[READY] == 0)
        turn(&fix);
    assert_true(pin_equal(stream_peer_pin(fix.client.s), &keys.pin));
    assert_null(stream_peer_pin(fix.server.s));
    assert_int_equal(stream_binding(fix.client.s, a, NULL), ERR_OK);
    assert_int_equal(stream_binding(fix.server.s, b, NULL), ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
    stream_drop(fix.client.s, ERR_REFUSED); /* the user does not know this key */
    close_fix(&fix);
    check_end(&fix.client, ERR_REFUSED);
    assert_int_equal(fix.server.seen[FRAME], 0);
}

static void test_wrong_pin(void **state)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = keys.pin};
    struct fix fix;

    (void)state;
    verify.pin.b[0] ^= 0x80;
    open_loop(&fix);
    open_client(&fix, open_server(&fix), &verify);
    close_fix(&fix);
    check_end(&fix.client, ERR_PIN);
    check_end(&fix.server, ERR_TLS);
    assert_int_equal(fix.client.seen[READY] + fix.server.seen[READY], 0);
}

/* ---- back-pressure ------------------------------------------------------------ */

static void test_pause_and_resume(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.client.to_send = 200;
    fix.client.head_len = 3000;
    fix.server.on[FRAME] = PAUSE;
    open_both(&fix);
    for (unsigned n = 1; n <= 200; n++) {
        while (fix.server.seen[FRAME] < n)
            turn(&fix);
        for (int i = 0; i < 3; i++)
            turn(&fix);
        assert_int_equal(fix.server.seen[FRAME], n); /* one for each resume */
        stream_resume(fix.server.s);
        assert_int_equal(fix.server.seen[FRAME], n); /* not from inside */
    }
    stream_close(fix.client.s);
    close_fix(&fix);
    assert_int_equal(fix.server.bytes, 200 * 3000);
    check_end(&fix.server, ERR_CLOSED);
}

static void test_paused_peer_fills_the_queue(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.client.to_send = 100;
    fix.client.tail_len = FRAME_TAIL_MAX;
    fix.server.on[FRAME] = PAUSE;
    open_both(&fix);
    while (fix.server.seen[FRAME] == 0)
        turn(&fix);
    for (int i = 0; i < 200; i++)
        turn(&fix);
    assert_int_equal(fix.server.seen[FRAME], 1);
    assert_true(fix.client.sent < 20);
    assert_true(stream_queued(fix.client.s) <= fix.limits.queue_high + FRAME_TAIL_MAX + 64 * 1024);
    fix.server.on[FRAME] = NOTHING;
    fix.client.close_when_sent = true;
    stream_resume(fix.server.s);
    close_fix(&fix);
    assert_int_equal(fix.server.seen[FRAME], 100);
    check_end(&fix.client, ERR_OK);
}

/* Answers still fit when the queue is full, but not without end. */
static void test_owed_frames(void **state)
{
    struct fix fix;
    int rc = ERR_OK;

    (void)state;
    open_loop(&fix);
    fix.client.to_send = 10000;
    fix.client.head_len = 5000;
    fix.server.on[READY] = PAUSE;
    open_both(&fix);
    while (fix.client.sent == 0)
        turn(&fix);
    for (int i = 0; i < 50; i++)
        turn(&fix);
    for (unsigned n = 0; rc == ERR_OK; n++) {
        struct frame_out f = frame_of(&fix.client);

        f.owed = true;
        rc = stream_send(fix.client.s, &f, NULL);
        fix.client.sent += rc == ERR_OK;
        assert_true(n < 1000);
    }
    assert_int_equal(rc, ERR_AGAIN);
    assert_in_range(stream_queued(fix.client.s), fix.limits.queue_high * 2,
                    fix.limits.queue_high * 2 + 6000);
    stream_drop(fix.client.s, ERR_CANCELED);
    stream_drop(fix.server.s, ERR_CANCELED);
    close_fix(&fix);
}

/* A close in the middle of a paused connection, and a drop. */
static void test_end_while_paused(void **state)
{
    (void)state;
    for (int act = DROP; act <= CLOSE; act++) {
        struct fix fix;

        open_loop(&fix);
        fix.client.to_send = 40;
        fix.client.tail_len = 100000;
        fix.server.on[FRAME] = PAUSE;
        fix.limits.linger_ms = 50;
        open_both(&fix);
        while (fix.server.seen[FRAME] == 0)
            turn(&fix);
        if (act == DROP)
            stream_drop(fix.server.s, ERR_BUSY);
        else
            stream_close(fix.server.s);
        close_fix(&fix);
        check_end(&fix.server, act == DROP ? ERR_BUSY : ERR_OK);
        assert_int_equal(fix.client.closed, 1);
    }
}

/* ---- peers that are not a stream ------------------------------------------------ */

/* A TLS client on a plain descriptor, driven by hand. */
struct raw {
    struct pair_end end;
    struct fix *fix;
    int fd;
    bool deaf; /* does not read */
};

/* Send what waits, ${step} bytes at a time, letting the loop run between; read what came. */
static void raw_step(struct raw *raw, size_t step)
{
    uint8_t in[65536];
    size_t at = 0;
    ssize_t n;

    pair_collect(&raw->end);
    while (at < raw->end.wire.len && raw->fix->server.closed == 0) {
        size_t len = raw->end.wire.len - at < step ? raw->end.wire.len - at : step;

        n = send(raw->fd, raw->end.wire.data + at, len, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (raw->deaf)
            break;
        turn(raw->fix);
    }
    memmove(raw->end.wire.data, raw->end.wire.data + at, raw->end.wire.len - at);
    raw->end.wire.len -= at;
    turn(raw->fix);
    while (!raw->deaf && (n = recv(raw->fd, in, sizeof(in), 0)) > 0)
        pair_deliver(&raw->end, in, (size_t)n, SIZE_MAX);
}

static void raw_open(struct raw *raw, struct fix *fix, size_t step)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};

    *raw = (struct raw){.fix = fix, .fd = open_server(fix)};
    buf_u8(&raw->end.wire, 0); /* memory, so that raw_step() may always move */
    raw->end.wire.len = 0;
    assert_int_equal(tls_engine_client(&raw->end.engine, keys.client, &collect, NULL), ERR_OK);
    assert_int_equal(tls_engine_handshake(raw->end.engine, NULL), ERR_AGAIN);
    while (!raw->end.ready || fix->server.seen[READY] == 0)
        raw_step(raw, step);
}

static void raw_write(struct raw *raw, const void *data, size_t len)
{
    struct tls_run run = {data, len};

    assert_int_equal(tls_engine_write(raw->end.engine, &run, 1, NULL), ERR_OK);
}

/* Let both go on until the server has ended. */
static void raw_close(struct raw *raw)
{
    while (raw->fix->server.closed == 0)
        raw_step(raw, SIZE_MAX);
    raw->deaf = false;
    raw_step(raw, SIZE_MAX);
    (void)close(raw->fd);
    close_fix(raw->fix);
    tls_engine_free(raw->end.engine);
    buf_free(&raw->end.wire);
    buf_free(&raw->end.plain);
}

static void test_fragments_of_one_byte(void **state)
{
    uint8_t prefix[FRAME_PREFIX];
    struct raw raw;
    struct fix fix;

    (void)state;
    open_loop(&fix);
    raw_open(&raw, &fix, 1);
    assert_int_equal(frame_prefix(prefix, 3, 5, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(prefix); i++)
        raw_write(&raw, prefix + i, 1); /* a record for each byte, too */
    raw_write(&raw, filler, 3);
    raw_write(&raw, filler, 4);
    raw_step(&raw, 1);
    assert_int_equal(fix.server.seen[FRAME], 0);
    raw_write(&raw, filler + 4, 1);
    raw_step(&raw, 1);
    assert_int_equal(fix.server.seen[FRAME], 1);
    assert_int_equal(fix.server.bytes, 8);
    stream_close(fix.server.s);
    while (fix.server.closed == 0 && raw.end.rc == ERR_OK)
        raw_step(&raw, 1);
    assert_int_equal(raw.end.rc, ERR_CLOSED);
    assert_int_equal(shutdown(raw.fd, SHUT_RDWR), 0);
    raw_close(&raw);
    check_end(&fix.server, ERR_OK);
}

static void test_oversize_frame(void **state)
{
    static const uint32_t bad[][2] = {{FRAME_HEAD_MAX + 1, 0}, {0, FRAME_TAIL_MAX + 1}, {11, 0}};
    static const enum act acts[] = {NOTHING, DROP, CLOSE};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        uint8_t prefix[FRAME_PREFIX];
        struct raw raw;
        struct fix fix;

        open_loop(&fix);
        fix.server.head_len = 7; /* what on_fault() sends */
        fix.server.on[FAULT] = acts[i % 3];
        raw_open(&raw, &fix, SIZE_MAX);
        if (bad[i / 3][0] == 11)
            stream_limit_frames(fix.server.s, 10, 0);
        put_be32(prefix, bad[i / 3][0]);
        put_be32(prefix + 4, bad[i / 3][1]);
        raw_write(&raw, prefix, sizeof(prefix));
        while (fix.server.seen[FAULT] == 0)
            raw_step(&raw, SIZE_MAX);
        if (acts[i % 3] != DROP) {
            while (raw.end.rc == ERR_OK)
                raw_step(&raw, SIZE_MAX);
            assert_int_equal(raw.end.rc, ERR_CLOSED); /* close_notify behind the frame */
            assert_int_equal(raw.end.plain.len, FRAME_PREFIX + 7);
        }
        assert_int_equal(shutdown(raw.fd, SHUT_RDWR), 0);
        raw_close(&raw);
        check_end(&fix.server, acts[i % 3] == DROP ? ERR_CANCELED : ERR_PROTO);
        assert_int_equal(fix.server.seen[FAULT], 1);
    }
}

static void test_cut_handshake(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    assert_int_equal(close(open_server(&fix)), 0);
    close_fix(&fix);
    check_end(&fix.server, ERR_CLOSED);
    assert_false(fix.server.clean);
}

/* The end without close_notify, between frames and within; and with it, within. */
static void test_cut_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct raw raw;
        struct fix fix;

        open_loop(&fix);
        raw_open(&raw, &fix, SIZE_MAX);
        if (i > 0)
            raw_write(&raw, "\0\0\0\7\0\0\0\0abc", 11);
        if (i == 2)
            tls_engine_shutdown(raw.end.engine);
        raw_step(&raw, SIZE_MAX);
        assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
        raw_close(&raw);
        check_end(&fix.server, ERR_CLOSED);
        assert_false(fix.server.clean);
        assert_non_null(strstr(fix.server.why.msg, i == 2 ? "within a frame" : "cut"));
    }
}

static void test_tampered_record(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    open_loop(&fix);
    raw_open(&raw, &fix, SIZE_MAX);
    raw_write(&raw, "\0\0\0\1\0\0\0\0a", 9);
    pair_collect(&raw.end);
    raw.end.wire.data[raw.end.wire.len - 1] ^= 1;
    while (raw.end.rc == ERR_OK)
        raw_step(&raw, SIZE_MAX);
    assert_int_equal(raw.end.rc, ERR_TLS); /* an alert came back */
    assert_int_equal(shutdown(raw.fd, SHUT_RDWR), 0);
    raw_close(&raw);
    check_end(&fix.server, ERR_TLS);
    assert_int_equal(fix.server.seen[FRAME], 0);
}

static void test_not_tls(void **state)
{
    struct fix fix;
    int fd;

    (void)state;
    open_loop(&fix);
    fix.limits.linger_ms = 20;
    fd = open_server(&fix);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    while (fix.server.closed == 0 && recv(fd, filler, 1, MSG_PEEK) < 0)
        turn(&fix);
    (void)close(fd);
    close_fix(&fix);
    check_end(&fix.server, ERR_TLS);
}

/* ---- time ------------------------------------------------------------------------ */

static void test_silent_handshake(void **state)
{
    struct fix fix;
    int fd;

    (void)state;
    open_loop(&fix);
    fix.limits.handshake_ms = 5;
    fd = open_server(&fix);
    close_fix(&fix);
    check_end(&fix.server, ERR_TIMEOUT);
    (void)close(fd);
}

static void test_idle(void **state)
{
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.limits.idle_ms = 5;
    fix.client.to_send = 1;
    open_both(&fix);
    close_fix(&fix);
    /* Whoever notices first closes politely. */
    assert_true(fix.server.why.code == ERR_TIMEOUT || fix.client.why.code == ERR_TIMEOUT);
    assert_true(fix.server.clean || fix.client.clean || fix.server.why.code == fix.client.why.code);
    assert_int_equal(fix.server.seen[FRAME], 1);
}

/* A head, then a tail, that never ends. */
static void test_slow_frame(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct raw raw;
        struct fix fix;

        open_loop(&fix);
        fix.limits.head_ms = i == 0 ? 5 : 60000;
        fix.limits.frame_ms = i == 0 ? 60000 : 5;
        fix.limits.linger_ms = 5;
        raw_open(&raw, &fix, SIZE_MAX);
        raw_write(&raw, "\0\0\0\1\0\0\0\7abcd", i == 0 ? 8 : 12);
        raw_close(&raw);
        check_end(&fix.server, ERR_TIMEOUT);
        assert_non_null(strstr(fix.server.why.msg, i == 0 ? "head" : "frame"));
    }
}

/* A paused stream does not blame its peer. */
static void test_pause_stops_the_clock(void **state)
{
    struct fix fix;
    uint64_t until;

    (void)state;
    open_loop(&fix);
    fix.limits.idle_ms = 20;
    open_both(&fix);
    while (fix.server.seen[READY] == 0 || fix.client.seen[READY] == 0)
        turn(&fix);
    stream_pause(fix.server.s);
    stream_pause(fix.client.s);
    uv_update_time(&fix.loop);
    for (until = uv_now(&fix.loop) + 70; uv_now(&fix.loop) < until;)
        (void)uv_run(&fix.loop, UV_RUN_NOWAIT);
    assert_int_equal(fix.server.closed + fix.client.closed, 0);
    stream_resume(fix.server.s);
    stream_resume(fix.client.s);
    close_fix(&fix);
    assert_true(fix.server.why.code == ERR_TIMEOUT || fix.client.why.code == ERR_TIMEOUT);
    assert_int_equal(fix.server.closed + fix.client.closed, 2);
}

static void test_peer_that_does_not_read(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.limits.write_ms = 20;
    raw_open(&raw, &fix, SIZE_MAX);
    raw.deaf = true;
    fix.server.to_send = 100;
    fix.server.tail_len = FRAME_TAIL_MAX;
    send_some(&fix.server);
    raw_close(&raw);
    check_end(&fix.server, ERR_TIMEOUT);
    assert_true(fix.server.sent < 20);
}

/* Our polite close does not wait for ever, neither for the peer's FIN nor for its window. */
static void test_close_against_a_dead_peer(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct raw raw;
        struct fix fix;

        open_loop(&fix);
        fix.limits.linger_ms = 5;
        fix.limits.write_ms = 20;
        raw_open(&raw, &fix, SIZE_MAX);
        raw.deaf = true;
        fix.server.to_send = i == 0 ? 0 : 10;
        fix.server.tail_len = FRAME_TAIL_MAX;
        send_some(&fix.server);
        stream_close(fix.server.s);
        raw_close(&raw);
        check_end(&fix.server, i == 0 ? ERR_OK : ERR_TIMEOUT);
    }
}

/* ---- floods ------------------------------------------------------------------------ */

/* A peer that asks and asks, and never reads the answers. */
static void test_flood_of_requests(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    open_loop(&fix);
    fix.limits.queue_high = 200000;
    fix.limits.queue_low = 50000;
    fix.limits.stop_when_full = true;
    fix.limits.write_ms = 100;
    fix.server.on[FRAME] = ANSWER;
    fix.server.tail_len = 50000;
    raw_open(&raw, &fix, SIZE_MAX);
    raw.deaf = true;
    while (fix.server.closed == 0) {
        for (int i = 0; i < 100 && raw.end.wire.len < 100000; i++)
            raw_write(&raw, "\0\0\0\1\0\0\0\0a", 9);
        raw_step(&raw, SIZE_MAX);
    }
    raw_close(&raw);
    check_end(&fix.server, ERR_TIMEOUT);
    assert_true(fix.server.seen[FRAME] < 200);
    assert_true(fix.server.queued_max < 400000);
}

/* A peer that goes on sending after we have closed, as fast as it can. */
static void test_flood_while_closing(void **state)
{
    struct raw raw;
    struct fix fix;
    size_t sent = 0;

    (void)state;
    open_loop(&fix);
    fix.limits.linger_ms = 60000;
    raw_open(&raw, &fix, SIZE_MAX);
    stream_close(fix.server.s);
    while (fix.server.closed == 0) {
        ssize_t n = send(raw.fd, filler, sizeof(filler), MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        turn(&fix);
    }
    assert_in_range(sent, 1024 * 1024, 16 * 1024 * 1024);
    raw_close(&raw);
    check_end(&fix.server, ERR_OK);
}

/* Key updates that demand an answer each, from a peer that reads none. */
static void test_flood_of_key_updates(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct fix fix;
    SSL *ssl = NULL;
    size_t worst = 0;
    int fd, rc;

    (void)state;
    open_loop(&fix);
    fix.limits.write_ms = 50;
    fd = open_server(&fix);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x09satchel/1", 10), 0);
    ssl = SSL_new(ctx);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    while ((rc = SSL_connect(ssl)) != 1)
        turn(&fix);
    while (fix.server.seen[READY] == 0)
        turn(&fix);
    while (fix.server.closed == 0) {
        if (SSL_get_key_update_type(ssl) == SSL_KEY_UPDATE_NONE)
            (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        for (int i = 0; i < 100 && SSL_do_handshake(ssl) == 1; i++)
            (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        turn(&fix);
        if (fix.server.s != NULL && stream_queued(fix.server.s) > worst)
            worst = stream_queued(fix.server.s);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    (void)close(fd);
    close_fix(&fix);
    check_end(&fix.server, ERR_TIMEOUT);
    assert_true(worst < 1024 * 1024);
}

/* ---- dialling ------------------------------------------------------------------------ */

struct listener {
    uv_tcp_t tcp;
    struct fix *fix;
    struct addr at;
};

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;
    struct stream_opts opts = side_opts(l->fix, &l->fix->server);
    uv_tcp_t *conn = malloc(sizeof(*conn));

    assert_int_equal(status, 0);
    assert_non_null(conn);
    assert_int_equal(uv_tcp_init(server->loop, conn), 0);
    assert_int_equal(uv_accept(server, (uv_stream_t *)conn), 0);
    assert_int_equal(stream_start(&l->fix->server.s, &opts, (uv_stream_t *)conn, NULL, NULL),
                     ERR_OK);
    uv_close((uv_handle_t *)server, NULL);
}

static void listen_on(struct listener *l, struct fix *fix, int backlog)
{
    struct sockaddr_storage sa;
    struct addr any;
    int len = sizeof(sa);

    l->fix = fix;
    assert_int_equal(addr_parse_listen(&any, "127.0.0.1:0", NULL), ERR_OK);
    assert_int_equal(addr_to_sockaddr(&any, &sa, NULL), ERR_OK);
    assert_int_equal(uv_tcp_init(&fix->loop, &l->tcp), 0);
    l->tcp.data = l;
    assert_int_equal(uv_tcp_bind(&l->tcp, (struct sockaddr *)&sa, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&l->tcp, backlog, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr(&l->at, (struct sockaddr *)&sa, NULL), ERR_OK);
}

static int dial(struct fix *fix, const struct addr *to)
{
    struct tls_verify pinned = {.mode = TLS_VERIFY_PIN, .pin = keys.pin};
    struct stream_opts opts = side_opts(fix, &fix->client);

    return stream_connect(&fix->client.s, &opts, to, &pinned, NULL);
}

/* As an address, and as a name that the resolver need not ask anybody for. */
static void test_dial(void **state)
{
    (void)state;
    for (int literal = 0; literal < 2; literal++) {
        struct listener l;
        struct fix fix;

        open_loop(&fix);
        listen_on(&l, &fix, 8);
        l.at.literal = literal == 1;
        fix.client.to_send = 10;
        fix.client.tail_len = 1000;
        fix.client.close_when_sent = true;
        assert_int_equal(dial(&fix, &l.at), ERR_OK);
        close_fix(&fix);
        check_end(&fix.client, ERR_OK);
        check_end(&fix.server, ERR_CLOSED);
        assert_int_equal(fix.server.seen[FRAME], 10);
    }
}

static void test_dial_refused(void **state)
{
    char port[8];
    struct listener l;
    struct fix fix;

    (void)state;
    open_loop(&fix);
    listen_on(&l, &fix, 8);
    uv_close((uv_handle_t *)&l.tcp, NULL);
    while (uv_loop_alive(&fix.loop))
        turn(&fix);
    assert_int_equal(dial(&fix, &l.at), ERR_OK);
    assert_int_equal(fix.client.closed, 0);
    close_fix(&fix);
    check_end(&fix.client, ERR_CONNECT);
    (void)snprintf(port, sizeof(port), "%u", (unsigned)l.at.port);
    assert_non_null(strstr(fix.client.why.msg, port));
    assert_non_null(strstr(fix.client.why.msg, "refused"));
}

/* Dropped while it resolves, and while it connects. */
static void test_dial_dropped(void **state)
{
    (void)state;
    for (int turns = 0; turns < 3; turns++)
        for (int literal = 0; literal < 2; literal++) {
            struct listener l;
            struct fix fix;

            open_loop(&fix);
            listen_on(&l, &fix, 8);
            l.at.literal = literal == 1;
            assert_int_equal(dial(&fix, &l.at), ERR_OK);
            for (int i = 0; i < turns && fix.client.s != NULL; i++)
                turn(&fix);
            if (turns == 1)
                stream_close(fix.client.s);
            else
                stream_drop(fix.client.s, ERR_CANCELED);
            if (!uv_is_closing((uv_handle_t *)&l.tcp))
                uv_close((uv_handle_t *)&l.tcp, NULL);
            close_fix(&fix);
            assert_int_equal(fix.client.closed, 1);
            assert_int_equal(fix.client.seen[READY], 0);
        }
}

/* A listener whose backlog is full does not answer. */
static void test_dial_timeout(void **state)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(struct sockaddr_in);
    struct addr at;
    struct fix fix;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), full[8];

    (void)state;
    sa.ss_family = AF_INET;
    ((struct sockaddr_in *)&sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    for (size_t i = 0; i < 8; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(full[i], (struct sockaddr *)&sa, len);
    }
    assert_int_equal(addr_from_sockaddr(&at, (struct sockaddr *)&sa, NULL), ERR_OK);
    open_loop(&fix);
    fix.limits.connect_ms = 20;
    assert_int_equal(dial(&fix, &at), ERR_OK);
    close_fix(&fix);
    check_end(&fix.client, ERR_CONNECT);
    assert_non_null(strstr(fix.client.why.msg, "timed out"));
    for (size_t i = 0; i < 8; i++)
        (void)close(full[i]);
    (void)close(fd);
}

static void test_dial_bad_name(void **state)
{
    struct addr a = {.port = 1};
    struct fix fix;

    (void)state;
    memset(a.host, 'x', sizeof(a.host) - 1); /* one label of 253 */
    open_loop(&fix);
    if (dial(&fix, &a) == ERR_OK) {
        close_fix(&fix);
        check_end(&fix.client, ERR_CONNECT);
    } else {
        close_fix(&fix);
        assert_null(fix.client.s);
        assert_int_equal(fix.client.closed, 0);
    }
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(filler); i++)
        filler[i] = (uint8_t)(i * 131 + (i >> 8) * 17);
    return net_keys_make(&keys);
}

static int teardown(void **state)
{
    (void)state;
    net_keys_free(&keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_close_sends_what_is_queued),
        cmocka_unit_test(test_end_in_each_callback),
        cmocka_unit_test(test_drop_before_anything),
        cmocka_unit_test(test_send_when_not_open),
        cmocka_unit_test(test_binding_and_pin),
        cmocka_unit_test(test_wrong_pin),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_paused_peer_fills_the_queue),
        cmocka_unit_test(test_owed_frames),
        cmocka_unit_test(test_end_while_paused),
        cmocka_unit_test(test_fragments_of_one_byte),
        cmocka_unit_test(test_oversize_frame),
        cmocka_unit_test(test_cut_handshake),
        cmocka_unit_test(test_cut_connection),
        cmocka_unit_test(test_tampered_record),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_silent_handshake),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_slow_frame),
        cmocka_unit_test(test_pause_stops_the_clock),
        cmocka_unit_test(test_peer_that_does_not_read),
        cmocka_unit_test(test_close_against_a_dead_peer),
        cmocka_unit_test(test_flood_of_requests),
        cmocka_unit_test(test_flood_while_closing),
        cmocka_unit_test(test_flood_of_key_updates),
        cmocka_unit_test(test_dial),
        cmocka_unit_test(test_dial_refused),
        cmocka_unit_test(test_dial_dropped),
        cmocka_unit_test(test_dial_timeout),
        cmocka_unit_test(test_dial_bad_name),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
