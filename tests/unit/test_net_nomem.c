/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: every allocation of our own made to fail once, but none of OpenSSL's or
 * libuv's.  Whatever fails, both sides end once and nothing is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/stream.h"
#include "net_pair.h"
#include "tests/unit/alloc_fail.h"

enum { FRAMES = 6, TAIL = 150000 };

struct side {
    struct stream *s;
    unsigned sent, released, got, closed;
    int reason;
};

static struct net_keys keys;
static uint8_t filler[TAIL];

static void on_release(void *arg)
{
    ((struct side *)arg)->released++;
}

static void send_some(struct side *side)
{
    struct frame_out f = {.head = filler,
                          .head_len = 100,
                          .tail = filler,
                          .tail_len = TAIL,
                          .release = on_release,
                          .arg = side};
    int rc = ERR_OK;

    for (; side->sent < FRAMES && (rc = stream_send(side->s, &f, NULL)) == ERR_OK; side->sent++)
        ;
    if (rc == ERR_NOMEM)
        stream_drop(side->s, rc);
}

static void on_ready(struct stream *s, void *cookie)
{
    (void)s;
    send_some(cookie);
}

static void on_frame(struct stream *s, void *cookie, struct frame *f)
{
    struct side *side = cookie;

    assert_int_equal(f->tail.len, TAIL);
    if (++side->got == FRAMES)
        stream_close(s);
    else if (side->got == 2)
        stream_pause(s); /* so that input must be kept */
    stream_resume(s);
}

static void on_drain(struct stream *s, void *cookie)
{
    (void)s;
    send_some(cookie);
}

static void on_closed(struct stream *s, void *cookie, const struct err *why)
{
    struct side *side = cookie;

    (void)s;
    side->closed++;
    side->reason = why->code;
    side->s = NULL;
}

static const struct stream_events events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_drain = on_drain, .on_closed = on_closed};

/* The tests' own memory is not to fail. */
static uv_stream_t *pipe_of(uv_loop_t *loop, int fd)
{
    long left = alloc_fail_at(-1);
    uv_pipe_t *pipe = malloc(sizeof(*pipe));

    (void)alloc_fail_at(left);
    assert_non_null(pipe);
    assert_int_equal(uv_pipe_init(loop, pipe, 0), 0);
    assert_int_equal(uv_pipe_open(pipe, fd), 0);
    return (uv_stream_t *)pipe;
}

static void on_pipe_closed(uv_handle_t *h)
{
    free(h);
}

/* ERR_OK or ERR_NOMEM; on failure the descriptor is closed. */
static int start(struct side *side, struct net_loop *net, int fd, const struct tls_verify *verify)
{
    struct stream_limits limits;
    struct stream_opts opts = {.net = net,
                               .ctx = verify != NULL ? keys.client : keys.server,
                               .limits = &limits,
                               .events = &events,
                               .cookie = side};
    uv_stream_t *conn = pipe_of(net_loop_uv(net), fd);
    int rc;

    stream_limits_default(&limits);
    limits.linger_ms = 20;
    rc = stream_start(&side->s, &opts, conn, verify, NULL);
    if (rc != ERR_OK)
        uv_close((uv_handle_t *)conn, on_pipe_closed);
    return rc;
}

/* One conversation; true if no allocation failed. */
static bool converse(long n)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = keys.pin};
    struct side server = {0}, client = {0};
    struct net_loop *net = NULL;
    bool untouched = false;
    uv_loop_t loop;
    int fds[2], rc;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    (void)alloc_fail_at(n);
    rc = net_loop_new(&net, &loop, NULL);
    if (rc == ERR_OK) {
        int a = start(&server, net, fds[0], NULL), b = start(&client, net, fds[1], &verify);

        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        assert_int_equal(server.closed, a == ERR_OK);
        assert_int_equal(client.closed, b == ERR_OK);
        assert_int_equal(server.released, server.sent);
        assert_int_equal(client.released, client.sent);
        untouched = server.got == FRAMES && client.got == FRAMES && alloc_fail_left() >= 0;
        net_loop_free(net);
    } else {
        assert_int_equal(rc, ERR_NOMEM);
        (void)close(fds[0]);
        (void)close(fds[1]);
    }
    (void)alloc_fail_at(-1);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    return untouched;
}

static void test_each_allocation_fails_once(void **state)
{
    long n = 0;

    (void)state;
    while (!converse(n))
        assert_true(++n < 10000);
    assert_true(n > 20); /* the wrapping works */
}

static int setup(void **state)
{
    (void)state;
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_once)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
