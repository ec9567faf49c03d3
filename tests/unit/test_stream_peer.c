/* SPDX-License-Identifier: Apache-2.0 */
/* stream: peers that are cut, slow, silent, flooding, or no peers at all. */
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

#include "stream_fix.h"

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
        fix_turn(raw->fix);
    }
    memmove(raw->end.wire.data, raw->end.wire.data + at, raw->end.wire.len - at);
    raw->end.wire.len -= at;
    fix_turn(raw->fix);
    while (!raw->deaf && (n = recv(raw->fd, in, sizeof(in), 0)) > 0)
        pair_deliver(&raw->end, in, (size_t)n, SIZE_MAX);
}

static void raw_open(struct raw *raw, struct fix *fix, size_t step)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};

    *raw = (struct raw){.fix = fix, .fd = fix_server(fix)};
    buf_u8(&raw->end.wire, 0); /* memory, so that raw_step() may always move */
    raw->end.wire.len = 0;
    assert_int_equal(tls_engine_client(&raw->end.engine, fix_keys.client, &collect, NULL), ERR_OK);
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
    fix_close(raw->fix);
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
    fix_open(&fix);
    raw_open(&raw, &fix, 1);
    assert_int_equal(frame_prefix(prefix, 3, 5, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(prefix); i++)
        raw_write(&raw, prefix + i, 1); /* a record for each byte, too */
    raw_write(&raw, fix_filler, 3);
    raw_write(&raw, fix_filler, 4);
    raw_step(&raw, 1);
    assert_int_equal(fix.server.seen[FRAME], 0);
    raw_write(&raw, fix_filler + 4, 1);
    raw_step(&raw, 1);
    assert_int_equal(fix.server.seen[FRAME], 1);
    assert_int_equal(fix.server.bytes, 8);
    stream_close(fix.server.s);
    while (fix.server.closed == 0 && raw.end.rc == ERR_OK)
        raw_step(&raw, 1);
    assert_int_equal(raw.end.rc, ERR_CLOSED);
    assert_int_equal(shutdown(raw.fd, SHUT_RDWR), 0);
    raw_close(&raw);
    fix_end(&fix.server, ERR_OK);
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

        fix_open(&fix);
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
        fix_end(&fix.server, acts[i % 3] == DROP ? ERR_CANCELED : ERR_PROTO);
        assert_int_equal(fix.server.seen[FAULT], 1);
    }
}

static void test_cut_handshake(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    assert_int_equal(close(fix_server(&fix)), 0);
    fix_close(&fix);
    fix_end(&fix.server, ERR_CLOSED);
    assert_false(fix.server.clean);
}

/* The end without close_notify, between frames and within; and with it, within. */
static void test_cut_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct raw raw;
        struct fix fix;

        fix_open(&fix);
        raw_open(&raw, &fix, SIZE_MAX);
        if (i > 0)
            raw_write(&raw, "\0\0\0\7\0\0\0\0abc", 11);
        if (i == 2)
            tls_engine_shutdown(raw.end.engine);
        raw_step(&raw, SIZE_MAX);
        assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
        raw_close(&raw);
        fix_end(&fix.server, ERR_CLOSED);
        assert_false(fix.server.clean);
        assert_non_null(strstr(fix.server.why.msg, i == 2 ? "within a frame" : "cut"));
    }
}

static void test_tampered_record(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    fix_open(&fix);
    raw_open(&raw, &fix, SIZE_MAX);
    raw_write(&raw, "\0\0\0\1\0\0\0\0a", 9);
    pair_collect(&raw.end);
    raw.end.wire.data[raw.end.wire.len - 1] ^= 1;
    while (raw.end.rc == ERR_OK)
        raw_step(&raw, SIZE_MAX);
    assert_int_equal(raw.end.rc, ERR_TLS); /* an alert came back */
    assert_int_equal(shutdown(raw.fd, SHUT_RDWR), 0);
    raw_close(&raw);
    fix_end(&fix.server, ERR_TLS);
    assert_int_equal(fix.server.seen[FRAME], 0);
}

static void test_not_tls(void **state)
{
    struct fix fix;
    int fd;

    (void)state;
    fix_open(&fix);
    fix.limits.linger_ms = 20;
    fd = fix_server(&fix);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    while (fix.server.closed == 0 && recv(fd, fix_filler, 1, MSG_PEEK) < 0)
        fix_turn(&fix);
    (void)close(fd);
    fix_close(&fix);
    fix_end(&fix.server, ERR_TLS);
}

/* ---- time ------------------------------------------------------------------------ */

static void test_silent_handshake(void **state)
{
    struct fix fix;
    int fd;

    (void)state;
    fix_open(&fix);
    fix.limits.handshake_ms = 5;
    fd = fix_server(&fix);
    fix_close(&fix);
    fix_end(&fix.server, ERR_TIMEOUT);
    (void)close(fd);
}

static void test_idle(void **state)
{
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix.limits.idle_ms = 5;
    fix.client.to_send = 1;
    fix_both(&fix);
    fix_close(&fix);
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

        fix_open(&fix);
        fix.limits.head_ms = i == 0 ? 5 : 60000;
        fix.limits.frame_ms = i == 0 ? 60000 : 5;
        fix.limits.linger_ms = 5;
        raw_open(&raw, &fix, SIZE_MAX);
        raw_write(&raw, "\0\0\0\1\0\0\0\7abcd", i == 0 ? 8 : 12);
        raw_close(&raw);
        fix_end(&fix.server, ERR_TIMEOUT);
        assert_non_null(strstr(fix.server.why.msg, i == 0 ? "head" : "frame"));
    }
}

/* A paused stream does not blame its peer. */
static void test_pause_stops_the_clock(void **state)
{
    struct fix fix;
    uint64_t until;

    (void)state;
    fix_open(&fix);
    fix.limits.idle_ms = 20;
    fix_both(&fix);
    while (fix.server.seen[READY] == 0 || fix.client.seen[READY] == 0)
        fix_turn(&fix);
    stream_pause(fix.server.s);
    stream_pause(fix.client.s);
    uv_update_time(&fix.loop);
    for (until = uv_now(&fix.loop) + 70; uv_now(&fix.loop) < until;)
        (void)uv_run(&fix.loop, UV_RUN_NOWAIT);
    assert_int_equal(fix.server.closed + fix.client.closed, 0);
    stream_resume(fix.server.s);
    stream_resume(fix.client.s);
    fix_close(&fix);
    assert_true(fix.server.why.code == ERR_TIMEOUT || fix.client.why.code == ERR_TIMEOUT);
    assert_int_equal(fix.server.closed + fix.client.closed, 2);
}

static void test_peer_that_does_not_read(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    fix_open(&fix);
    fix.limits.write_ms = 20;
    raw_open(&raw, &fix, SIZE_MAX);
    raw.deaf = true;
    fix.server.to_send = 100;
    fix.server.tail_len = FRAME_TAIL_MAX;
    fix_send_some(&fix.server);
    raw_close(&raw);
    fix_end(&fix.server, ERR_TIMEOUT);
    assert_true(fix.server.sent < 20);
}

/* Our polite close does not wait for ever, neither for the peer's FIN nor for its window. */
static void test_close_against_a_dead_peer(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct raw raw;
        struct fix fix;

        fix_open(&fix);
        fix.limits.linger_ms = 5;
        fix.limits.write_ms = 20;
        raw_open(&raw, &fix, SIZE_MAX);
        raw.deaf = true;
        fix.server.to_send = i == 0 ? 0 : 10;
        fix.server.tail_len = FRAME_TAIL_MAX;
        fix_send_some(&fix.server);
        stream_close(fix.server.s);
        raw_close(&raw);
        fix_end(&fix.server, i == 0 ? ERR_OK : ERR_TIMEOUT);
    }
}

/* ---- floods ------------------------------------------------------------------------ */

/* A peer that asks and asks, and never reads the answers. */
static void test_flood_of_requests(void **state)
{
    struct raw raw;
    struct fix fix;

    (void)state;
    fix_open(&fix);
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
    fix_end(&fix.server, ERR_TIMEOUT);
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
    fix_open(&fix);
    fix.limits.linger_ms = 60000;
    raw_open(&raw, &fix, SIZE_MAX);
    stream_close(fix.server.s);
    while (fix.server.closed == 0) {
        ssize_t n = send(raw.fd, fix_filler, sizeof(fix_filler), MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        fix_turn(&fix);
    }
    assert_in_range(sent, 1024 * 1024, 16 * 1024 * 1024);
    raw_close(&raw);
    fix_end(&fix.server, ERR_OK);
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
    fix_open(&fix);
    fix.limits.write_ms = 50;
    fd = fix_server(&fix);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x09satchel/1", 10), 0);
    ssl = SSL_new(ctx);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    while ((rc = SSL_connect(ssl)) != 1)
        fix_turn(&fix);
    while (fix.server.seen[READY] == 0)
        fix_turn(&fix);
    while (fix.server.closed == 0) {
        if (SSL_get_key_update_type(ssl) == SSL_KEY_UPDATE_NONE)
            (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        for (int i = 0; i < 100 && SSL_do_handshake(ssl) == 1; i++)
            (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        fix_turn(&fix);
        if (fix.server.s != NULL && stream_queued(fix.server.s) > worst)
            worst = stream_queued(fix.server.s);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    (void)close(fd);
    fix_close(&fix);
    fix_end(&fix.server, ERR_TIMEOUT);
    assert_true(worst < 1024 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
