/* SPDX-License-Identifier: Apache-2.0 */
/* dial: finding and reaching a server. */
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

/* ---- dialling ------------------------------------------------------------------------ */

struct listener {
    uv_tcp_t tcp;
    struct fix *fix;
    struct addr at;
};

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;
    struct stream_opts opts = fix_opts(l->fix, &l->fix->server);
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
    struct tls_verify pinned = {.mode = TLS_VERIFY_PIN, .pin = fix_keys.pin};
    struct stream_opts opts = fix_opts(fix, &fix->client);

    return stream_connect(&fix->client.s, &opts, to, &pinned, NULL);
}

/* As an address, and as a name that the resolver need not ask anybody for. */
static void test_dial(void **state)
{
    (void)state;
    for (int literal = 0; literal < 2; literal++) {
        struct listener l;
        struct fix fix;

        fix_open(&fix);
        listen_on(&l, &fix, 8);
        l.at.literal = literal == 1;
        fix.client.to_send = 10;
        fix.client.tail_len = 1000;
        fix.client.close_when_sent = true;
        assert_int_equal(dial(&fix, &l.at), ERR_OK);
        fix_close(&fix);
        fix_end(&fix.client, ERR_OK);
        fix_end(&fix.server, ERR_CLOSED);
        assert_int_equal(fix.server.seen[FRAME], 10);
    }
}

static void test_dial_refused(void **state)
{
    char port[8];
    struct listener l;
    struct fix fix;

    (void)state;
    fix_open(&fix);
    listen_on(&l, &fix, 8);
    uv_close((uv_handle_t *)&l.tcp, NULL);
    while (uv_loop_alive(&fix.loop))
        fix_turn(&fix);
    assert_int_equal(dial(&fix, &l.at), ERR_OK);
    assert_int_equal(fix.client.closed, 0);
    fix_close(&fix);
    fix_end(&fix.client, ERR_CONNECT);
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

            fix_open(&fix);
            listen_on(&l, &fix, 8);
            l.at.literal = literal == 1;
            assert_int_equal(dial(&fix, &l.at), ERR_OK);
            for (int i = 0; i < turns && fix.client.s != NULL; i++)
                fix_turn(&fix);
            if (turns == 1)
                stream_close(fix.client.s);
            else
                stream_drop(fix.client.s, ERR_CANCELED);
            if (!uv_is_closing((uv_handle_t *)&l.tcp))
                uv_close((uv_handle_t *)&l.tcp, NULL);
            fix_close(&fix);
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
    fix_open(&fix);
    fix.limits.connect_ms = 20;
    assert_int_equal(dial(&fix, &at), ERR_OK);
    fix_close(&fix);
    fix_end(&fix.client, ERR_CONNECT);
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
    fix_open(&fix);
    if (dial(&fix, &a) == ERR_OK) {
        fix_close(&fix);
        fix_end(&fix.client, ERR_CONNECT);
    } else {
        fix_close(&fix);
        assert_null(fix.client.s);
        assert_int_equal(fix.client.closed, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dial),          cmocka_unit_test(test_dial_refused),
        cmocka_unit_test(test_dial_dropped),  cmocka_unit_test(test_dial_timeout),
        cmocka_unit_test(test_dial_bad_name),
    };

    return cmocka_run_group_tests(tests, fix_setup, fix_teardown);
}
