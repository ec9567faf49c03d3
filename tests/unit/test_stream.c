/* SPDX-License-Identifier: Apache-2.0 */
/* stream: two streams over a socket pair, and back-pressure between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/err.h>

#include "stream_fix.h"

/* ---- two streams ------------------------------------------------------------ */

static void exchange(size_t head_len, size_t tail_len, unsigned n)
{
    struct fix fix;

    fix_open(&fix);
    fix.client.to_send = fix.server.to_send = n;
    fix.client.head_len = fix.server.head_len = head_len;
    fix.client.tail_len = fix.server.tail_len = tail_len;
    fix_both(&fix);
    while (fix.server.seen[FRAME] < n || fix.client.seen[FRAME] < n)
        fix_turn(&fix);
    assert_int_equal(fix.server.bytes, n * (head_len + tail_len));
    assert_int_equal(fix.client.bytes, n * (head_len + tail_len));
    assert_int_equal(stream_queued(fix.client.s), 0);
    stream_close(fix.client.s);
    fix_close(&fix);
    fix_end(&fix.client, ERR_OK);
    fix_end(&fix.server, ERR_CLOSED);
    assert_true(fix.server.clean);
    assert_int_equal(fix.server.seen[READY] + fix.client.seen[READY], 2);
}

static void test_exchange(void **state)
{
    (void)state;
    exchange(1, 0, 3);
    exchange(20, 0, 1000);
    exchange(40, FRAME_TAIL_MAX, 20);
    exchange(FRAME_HEAD_MAX, FRAME_TAIL_MAX, 3);
}

static void test_close_sends_what_is_queued(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix.client.to_send = 50;
    fix.client.tail_len = 100000;
    fix.client.close_when_sent = true;
    fix_both(&fix);
    fix_close(&fix);
    fix_end(&fix.client, ERR_OK);
    fix_end(&fix.server, ERR_CLOSED);
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

                fix_open(&fix);
                one = side == 0 ? &fix.server : &fix.client;
                other = side == 0 ? &fix.client : &fix.server;
                one->on[e] = (enum act)act;
                one->to_send = other->to_send = 30;
                one->tail_len = other->tail_len = 200000;
                fix.limits.linger_ms = 50;
                fix_both(&fix);
                fix_close(&fix);
                fix_end(one, act == DROP ? ERR_CANCELED : ERR_OK);
                fix_end(other, ERR_CLOSED);
                assert_true(e == RELEASE ? one->seen[e] > 0 : one->seen[e] == 1);
            }
}

static void test_drop_before_anything(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix_both(&fix);
    stream_drop(fix.client.s, ERR_INTERNAL);
    assert_int_equal(fix.client.closed, 0); /* never from inside */
    stream_close(fix.server.s);
    fix_close(&fix);
    fix_end(&fix.client, ERR_INTERNAL);
    assert_int_equal(fix.server.closed, 1);
    assert_int_equal(fix.server.seen[READY] + fix.client.seen[READY], 0);
}

static void test_send_when_not_open(void **state)
{
    struct frame_out big = {.tail = fix_filler, .tail_len = FRAME_TAIL_MAX + 1};
    struct frame_out f = {.head = fix_filler, .head_len = 10};
    uint8_t binding[TLS_ENGINE_BINDING_BYTES];
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix_both(&fix);
    assert_int_equal(stream_send(fix.client.s, &f, NULL), ERR_BADSTATE);
    assert_int_equal(stream_binding(fix.client.s, binding, NULL), ERR_BADSTATE);
    while (fix.client.seen[READY] == 0)
        fix_turn(&fix);
    assert_int_equal(stream_send(fix.client.s, &big, NULL), ERR_TOOLARGE);
    assert_int_equal(stream_queued(fix.client.s), 0);
    stream_close(fix.client.s);
    assert_int_equal(stream_send(fix.client.s, &f, NULL), ERR_BADSTATE);
    fix_close(&fix);
}

static void test_binding_and_pin(void **state)
{
    uint8_t a[TLS_ENGINE_BINDING_BYTES], b[TLS_ENGINE_BINDING_BYTES];
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix_client(&fix, fix_server(&fix), &collect);
    while (fix.client.seen[READY] == 0 || fix.server.seen[READY] == 0)
        fix_turn(&fix);
    assert_true(pin_equal(stream_peer_pin(fix.client.s), &fix_keys.pin));
    assert_null(stream_peer_pin(fix.server.s));
    assert_int_equal(stream_binding(fix.client.s, a, NULL), ERR_OK);
    assert_int_equal(stream_binding(fix.server.s, b, NULL), ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
    stream_drop(fix.client.s, ERR_REFUSED); /* the user does not know this key */
    fix_close(&fix);
    fix_end(&fix.client, ERR_REFUSED);
    assert_int_equal(fix.server.seen[FRAME], 0);
}

static void test_wrong_pin(void **state)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = fix_keys.pin};
    struct fix fix;

    (void)state;
    verify.pin.b[0] ^= 0x80;
    fix_open(&fix);
    fix_client(&fix, fix_server(&fix), &verify);
    fix_close(&fix);
    fix_end(&fix.client, ERR_PIN);
    fix_end(&fix.server, ERR_TLS);
    assert_int_equal(fix.client.seen[READY] + fix.server.seen[READY], 0);
}

/* ---- back-pressure ------------------------------------------------------------ */

/* Room for ${n} bytes on their way, also above what the system allows everybody. */
static void widen(int fd, int n)
{
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) != 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)), 0);
}

enum { TURN = 256 << 10, LEN = 2000, COUNT = 500 };

/* A paused server, and a client that has COUNT frames to send it. */
static void open_crowded(struct fix *fix)
{
    fix_open(fix);
    fix->client.head_len = LEN;
    fix->server.on[READY] = PAUSE;
    fix_both(fix);
    widen(fix->peer, 1 << 20);
    while (fix->client.seen[READY] == 0 || fix->server.seen[READY] == 0)
        fix_turn(fix);
    fix->client.to_send = COUNT;
    fix_send_some(&fix->client);
}

/* What the client has sent and the server has not read. */
static size_t on_the_way(const struct fix *fix)
{
    int n = 0;

    assert_int_equal(ioctl(fix->spy, FIONREAD, &n), 0);
    return (size_t)n;
}

/* The end of a test with ${fix}, which showed something only if so much was on the way. */
static void close_crowded(struct fix *fix, size_t most)
{
    while (fix->server.seen[FRAME] < COUNT)
        fix_turn(fix);
    assert_int_equal(fix->server.bytes, COUNT * LEN);
    stream_close(fix->client.s);
    fix_close(fix);
    if (most < 2 * TURN) {
        print_message("the socket held only %zu bytes: no turn could have moved more\n", most);
        skip();
    }
}

/* However much a stream has to say, the others of its loop are heard after so much. */
static void test_one_turn_reads_so_much(void **state)
{
    struct fix fix;
    size_t most;

    (void)state;
    open_crowded(&fix);
    for (int i = 0; i < 10; i++)
        fix_turn(&fix);
    most = on_the_way(&fix);
    stream_resume(fix.server.s);
    for (size_t before = 0; fix.server.seen[FRAME] < COUNT; before = fix.server.bytes) {
        fix_turn(&fix);
        assert_in_range(fix.server.bytes, before, before + TURN + LEN);
    }
    close_crowded(&fix, most);
}

/* However much there is to say to it, too. */
static void test_one_turn_writes_so_much(void **state)
{
    enum { RECORDS = TURN / 64 }; /* more than TLS adds */
    size_t before = 0, now = 0;
    struct fix fix;

    (void)state;
    open_crowded(&fix);
    for (int i = 0; i < 10; i++, before = now) {
        fix_turn(&fix);
        now = on_the_way(&fix);
        assert_in_range(now, before, before + TURN + LEN + RECORDS);
    }
    stream_resume(fix.server.s);
    close_crowded(&fix, now);
}

static void test_pause_and_resume(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix.client.to_send = 200;
    fix.client.head_len = 3000;
    fix.server.on[FRAME] = PAUSE;
    fix_both(&fix);
    for (unsigned n = 1; n <= 200; n++) {
        while (fix.server.seen[FRAME] < n)
            fix_turn(&fix);
        for (int i = 0; i < 3; i++)
            fix_turn(&fix);
        assert_int_equal(fix.server.seen[FRAME], n); /* one for each resume */
        stream_resume(fix.server.s);
        assert_int_equal(fix.server.seen[FRAME], n); /* not from inside */
    }
    stream_close(fix.client.s);
    fix_close(&fix);
    assert_int_equal(fix.server.bytes, 200 * 3000);
    fix_end(&fix.server, ERR_CLOSED);
}

static void test_paused_peer_fills_the_queue(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix.client.to_send = 100;
    fix.client.tail_len = FRAME_TAIL_MAX;
    fix.server.on[FRAME] = PAUSE;
    fix_both(&fix);
    while (fix.server.seen[FRAME] == 0)
        fix_turn(&fix);
    for (int i = 0; i < 200; i++)
        fix_turn(&fix);
    assert_int_equal(fix.server.seen[FRAME], 1);
    assert_true(fix.client.sent < 20);
    assert_true(stream_queued(fix.client.s) <= fix.limits.queue_high + FRAME_TAIL_MAX + 64 * 1024);
    fix.server.on[FRAME] = NOTHING;
    fix.client.close_when_sent = true;
    stream_resume(fix.server.s);
    fix_close(&fix);
    assert_int_equal(fix.server.seen[FRAME], 100);
    fix_end(&fix.client, ERR_OK);
}

/* Answers still fit when the queue is full, but not without end. */
static void test_owed_frames(void **state)
{
    struct fix fix;
    int rc = ERR_OK;

    (void)state;
    fix_open(&fix);
    fix.client.to_send = 10000;
    fix.client.head_len = 5000;
    fix.server.on[READY] = PAUSE;
    fix_both(&fix);
    while (fix.client.sent == 0)
        fix_turn(&fix);
    for (int i = 0; i < 50; i++)
        fix_turn(&fix);
    for (unsigned n = 0; rc == ERR_OK; n++) {
        struct frame_out f = fix_frame(&fix.client);

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
    fix_close(&fix);
}

/* A close in the middle of a paused connection, and a drop. */
static void test_end_while_paused(void **state)
{
    (void)state;
    for (int act = DROP; act <= CLOSE; act++) {
        struct fix fix;

        fix_open(&fix);
        fix.client.to_send = 40;
        fix.client.tail_len = 100000;
        fix.server.on[FRAME] = PAUSE;
        fix.limits.linger_ms = 50;
        fix_both(&fix);
        while (fix.server.seen[FRAME] == 0)
            fix_turn(&fix);
        if (act == DROP)
            stream_drop(fix.server.s, ERR_BUSY);
        else
            stream_close(fix.server.s);
        fix_close(&fix);
        fix_end(&fix.server, act == DROP ? ERR_BUSY : ERR_OK);
        assert_int_equal(fix.client.closed, 1);
    }
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
        cmocka_unit_test(test_one_turn_reads_so_much),
        cmocka_unit_test(test_one_turn_writes_so_much),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_paused_peer_fills_the_queue),
        cmocka_unit_test(test_owed_frames),
        cmocka_unit_test(test_end_while_paused),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
