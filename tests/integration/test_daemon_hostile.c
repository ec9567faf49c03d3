/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that break the rules or do nothing: each is answered or ended, others are served. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/frame.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

static int setup(void **state)
{
    (void)state;
    stage_up("[timeouts]\nhandshake = 1s\nlogin = 2s\nstall = 1s\nidle = 5s\n");
    return 0;
}

/* ---- what is no TLS, or another kind ---- */

static int plain_socket(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(stage_site.port)};
    struct timeval wait = {.tv_sec = PEER_WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    return fd;
}

/* Read until the other side has ended it; false: it did not in time. */
static bool is_ended(int fd)
{
    char sink[4096];
    ssize_t n;

    while ((n = recv(fd, sink, sizeof(sink), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

static void test_no_tls(void **state)
{
    int fd = plain_socket();

    (void)state;
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    assert_true(is_ended(fd));
    close(fd);
    fd = plain_socket(); /* and one that says nothing */
    assert_true(is_ended(fd));
    close(fd);
    stage_assert_serves();
}

static bool handshake(int max_version, const char *alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = plain_socket();
    char byte;
    bool ok;

    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, max_version), 1);
    SSL_free(ssl);
    ssl = SSL_new(ctx);
    if (alpn != NULL)
        assert_int_equal(SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn)),
                         0);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    ok = SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) <= 0 &&
         (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return ok;
}

static void test_tls_that_is_not_ours(void **state)
{
    (void)state;
    assert_false(handshake(TLS1_2_VERSION, "\x09satchel/1"));
    assert_false(handshake(TLS1_3_VERSION, NULL));
    assert_false(handshake(TLS1_3_VERSION, "\x08http/1.1"));
    assert_true(handshake(TLS1_3_VERSION, "\x09satchel/1")); /* ended when no Hello came */
}

/* ---- what is no frame ---- */

static Satchel__Code fault(struct peer *p)
{
    struct message *m = peer_next(p);
    Satchel__Code code;

    if (m == NULL)
        return CODE(INTERNAL);
    assert_int_equal(m->env->id, 0);
    code = peer_code(m);
    assert_true(peer_ended(p));
    return code;
}

static void test_frames_over_the_limits(void **state)
{
    static const struct {
        bool ready;
        uint32_t head, tail;
    } cases[] = {
        {false, 0, 0},
        {false, 65537, 0},
        {false, 5, 1},
        {false, 1U << 31, 0},
        {true, 0, 0},
        {true, FRAME_HEAD_MAX + 1, 0},
        {true, 5, FRAME_TAIL_MAX + 1},
        {true, UINT32_MAX, UINT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t prefix[8], junk[16] = {0};
        struct peer p;

        if (cases[i].ready)
            stage_enter(&p, &alice);
        else
            stage_greet(&p);
        put_be32(prefix, cases[i].head);
        put_be32(prefix + 4, cases[i].tail);
        assert_true(peer_write(&p, prefix, sizeof(prefix)));
        (void)peer_write(&p, junk, sizeof(junk));
        if (fault(&p) != CODE(BAD_FRAME))
            fail_msg("%zu", i);
        peer_close(&p);
    }
    stage_assert_serves();
}

static void test_a_head_that_is_no_envelope(void **state)
{
    struct peer p;

    (void)state;
    stage_greet(&p);
    assert_true(peer_frame(&p, "\xff\xff\xff\xff", 4, NULL, 0));
    assert_int_equal(fault(&p), CODE(BAD_FRAME));
    peer_close(&p);
}

/* Bytes from a generator, as plaintext: whatever comes, the daemon lives. */
static void test_garbage(void **state)
{
    uint8_t junk[4000];

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct peer p;

        if (i % 2 == 0)
            stage_greet(&p);
        else
            stage_enter(&p, &alice);
        sample_fill(i, junk, sizeof(junk));
        if (i >= 10) /* of plausible length, so that the heads are looked at */
            for (size_t at = 0; at + 108 <= sizeof(junk); at += 108) {
                put_be32(junk + at, 100);
                put_be32(junk + at + 4, 0);
            }
        (void)peer_write(&p, junk, sizeof(junk));
        (void)peer_ended(&p);
        peer_close(&p);
    }
    stage_assert_serves();
}

/* ---- requests out of place ---- */

static void test_requests_before_hello(void **state)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    Satchel__Status status = SATCHEL__STATUS__INIT;
    struct peer p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        PEER_ENV(env, PING, ping, &ping);

        if (i == 1) {
            env.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
            env.status = &status;
        }
        assert_true(peer_open(&p, stage_site.port));
        assert_int_equal(peer_ask(&p, &env), CODE(BAD_STATE));
        assert_true(peer_ended(&p));
        peer_close(&p);
    }
}

static void test_requests_before_login(void **state)
{
    Satchel__Status status = SATCHEL__STATUS__INIT;
    Satchel__Lookup lookup = SATCHEL__LOOKUP__INIT;
    Satchel__OpenTransfer open = SATCHEL__OPEN_TRANSFER__INIT;
    PEER_ENV(one, STATUS, status, &status);
    PEER_ENV(two, LOOKUP, lookup, &lookup);
    PEER_ENV(three, OPEN_TRANSFER, open_transfer, &open);
    struct peer p;

    (void)state;
    stage_greet(&p);
    assert_int_equal(peer_ask(&p, &one), CODE(BAD_STATE));
    assert_int_equal(peer_ask(&p, &two), CODE(BAD_STATE));
    assert_int_equal(peer_ask(&p, &three), CODE(BAD_STATE));
    assert_int_equal(actor_login(&p, &alice), OK); /* the connection goes on */
    peer_close(&p);
}

static void test_messages_that_are_no_requests(void **state)
{
    Satchel__Done done = SATCHEL__DONE__INIT;
    Satchel__HelloReply reply = SATCHEL__HELLO_REPLY__INIT;
    Satchel__Envelope none = SATCHEL__ENVELOPE__INIT;
    PEER_ENV(one, DONE, done, &done);
    PEER_ENV(two, HELLO_REPLY, hello_reply, &reply);
    struct message *m;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(peer_ask(&p, &one), CODE(UNSUPPORTED));
    assert_int_equal(peer_ask(&p, &two), CODE(UNSUPPORTED));
    assert_int_equal(peer_ask(&p, &none), CODE(UNSUPPORTED));
    /* A message of the future: field 70. */
    assert_true(peer_frame(&p, "\x08\x4d\xb2\x04\x00", 5, NULL, 0));
    m = peer_wait(&p, 77);
    assert_int_equal(peer_code(m), CODE(UNSUPPORTED));
    peer_close(&p);
}

static void test_ids(void **state)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    PEER_ENV(env, PING, ping, &ping);
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_true(peer_frame(&p, "\x9a\x01\x00", 3, NULL, 0)); /* Ping without an id */
    assert_int_equal(peer_code(peer_wait(&p, 0)), CODE(BAD_REQUEST));
    env.id = UINT64_MAX;
    assert_int_equal(peer_ask(&p, &env), OK);
    assert_int_equal(peer_ask(&p, &env), OK); /* answered, so free again */
    peer_close(&p);
}

static void test_an_id_that_is_in_use(void **state)
{
    struct parcel x;
    unsigned bad = 0, good = 0;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 10, 1);
    assert_int_equal(parcel_open(&p, &x), OK);
    parcel_seal_body(&x);
    for (int i = 0; i < 2; i++) {
        Satchel__PutPiece msg = SATCHEL__PUT_PIECE__INIT;
        PEER_ENV(env, PUT_PIECE, put_piece, &msg);

        env.id = 1000;
        PEER_BYTES(msg.tid, x.header.tid.b);
        PEER_BYTES(msg.leaf, x.leaves[0].b);
        assert_int_equal(peer_send(&p, &env, x.sealed, x.sealed_len), 1000);
    }
    for (int i = 0; i < 2; i++) {
        Satchel__Code code = peer_code(peer_wait(&p, 1000));

        good += code == OK;
        bad += code == CODE(BAD_REQUEST);
    }
    assert_int_equal(good + bad, 2); /* the second may have come after the first's answer */
    assert_true(good >= 1);
    parcel_free(&x);
    peer_close(&p);
}

static void test_a_tail_where_none_belongs(void **state)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    PEER_ENV(env, PING, ping, &ping);
    struct peer p;
    uint64_t id;

    (void)state;
    stage_enter(&p, &alice);
    id = peer_send(&p, &env, "tail", 4);
    assert_int_equal(peer_code(peer_wait(&p, id)), CODE(BAD_REQUEST));
    env.id = 0;
    assert_int_equal(peer_ask(&p, &env), OK);
    peer_close(&p);
}

/* ---- peers that stop in the middle ---- */

static void test_a_frame_that_does_not_go_on(void **state)
{
    uint8_t prefix[8];
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    put_be32(prefix, 100);
    put_be32(prefix + 4, 0);
    assert_true(peer_write(&p, prefix, 8));
    assert_true(peer_write(&p, "\x08", 1));
    (void)peer_ended(&p);
    peer_close(&p);
    stage_assert_serves();
}

static void test_no_login(void **state)
{
    struct peer p;

    (void)state;
    stage_greet(&p);
    assert_true(peer_ended(&p));
    peer_close(&p);
}

static void test_a_piece_cut_short_is_not_kept(void **state)
{
    Satchel__PutPiece msg = SATCHEL__PUT_PIECE__INIT;
    PEER_ENV(env, PUT_PIECE, put_piece, &msg);
    struct parcel x;
    uint8_t head[128], prefix[8];
    size_t len;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, 300000, 2);
    assert_int_equal(parcel_open(&p, &x), OK);
    parcel_seal_body(&x);
    PEER_BYTES(msg.tid, x.header.tid.b);
    PEER_BYTES(msg.leaf, x.leaves[0].b);
    env.id = 5;
    len = satchel__envelope__pack(&env, head);
    put_be32(prefix, (uint32_t)len);
    put_be32(prefix + 4, 262400);
    assert_true(peer_write(&p, prefix, 8) && peer_write(&p, head, len));
    assert_true(peer_write(&p, x.sealed, 100000));
    peer_close(&p);

    stage_enter(&p, &alice);
    assert_int_equal(parcel_open(&p, &x), OK);
    assert_int_equal(x.stored, 0);
    assert_int_equal(parcel_put_all(&p, &x), OK);
    assert_int_equal(parcel_seal(&p, &x), OK);
    parcel_free(&x);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_tls_that_is_not_ours),
        cmocka_unit_test(test_frames_over_the_limits),
        cmocka_unit_test(test_a_head_that_is_no_envelope),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_requests_before_hello),
        cmocka_unit_test(test_requests_before_login),
        cmocka_unit_test(test_messages_that_are_no_requests),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_an_id_that_is_in_use),
        cmocka_unit_test(test_a_tail_where_none_belongs),
        cmocka_unit_test(test_a_frame_that_does_not_go_on),
        cmocka_unit_test(test_no_login),
        cmocka_unit_test(test_a_piece_cut_short_is_not_kept),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
