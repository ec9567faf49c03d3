/* SPDX-License-Identifier: Apache-2.0 */
/* tls_engine: peers that are not ours, and what comes changed or cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "common/net/tls_ctx.h"
#include "tls_fix.h"

/* A handshake between one of our engines and a plain context that ${change} has bent. */
static void foreign(bool we_serve, void (*change)(SSL_CTX *), struct pair *p)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};
    SSL_CTX *ctx = NULL;

    if (we_serve)
        assert_int_equal(tls_ctx_client(&ctx, NULL), ERR_OK);
    else
        assert_int_equal(tls_ctx_server(&ctx, tls_fix_keys.cert.data, tls_fix_keys.cert.len,
                                        &tls_fix_keys.key, NULL),
                         ERR_OK);
    change(ctx);
    assert_int_equal(pair_open_ctx(p, we_serve ? tls_fix_keys.server : ctx,
                                   we_serve ? ctx : tls_fix_keys.client, &collect),
                     ERR_OK);
    assert_false(pair_shake(p, SIZE_MAX));
    SSL_CTX_free(ctx);
}

static void only_tls12(SSL_CTX *ctx)
{
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
}

static void other_alpn(SSL_CTX *ctx)
{
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2\x09satchel/2", 13),
                     0);
}

static void no_alpn(SSL_CTX *ctx)
{
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, NULL, 0), 0);
}

static int pick_nothing(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                        const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)out;
    (void)out_len;
    (void)in;
    (void)in_len;
    (void)arg;
    return SSL_TLSEXT_ERR_NOACK;
}

static void server_without_alpn(SSL_CTX *ctx)
{
    SSL_CTX_set_alpn_select_cb(ctx, pick_nothing, NULL);
}

static void test_foreign_clients(void **state)
{
    static void (*const changes[])(SSL_CTX *) = {only_tls12, other_alpn, no_alpn};
    struct pair p;

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        foreign(true, changes[i], &p);
        assert_int_equal(p.server.rc, ERR_TLS);
        assert_int_equal(p.client.rc, ERR_TLS); /* an alert told it */
        assert_non_null(strstr(p.client.err.msg, "alert"));
        pair_close(&p);
    }
}

static void test_foreign_servers(void **state)
{
    struct pair p;

    (void)state;
    foreign(false, only_tls12, &p);
    assert_int_equal(p.client.rc, ERR_TLS);
    pair_close(&p);
    foreign(false, server_without_alpn, &p);
    assert_int_equal(p.client.rc, ERR_TLS);
    assert_non_null(strstr(p.client.err.msg, "satchel/1"));
    pair_close(&p);
}

static void test_garbage(void **state)
{
    static const char *const junk[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                       "SSH-2.0-OpenSSH_9.2\r\n", "\x16\x03\x01\x00\x05\x02xxxx"};
    struct pair p;

    (void)state;
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        size_t got = 0;
        uint8_t byte = 0;

        assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
        pair_deliver(&p.server, junk[i], strlen(junk[i]), 1);
        pair_deliver(&p.server, "\0\0\0\0\0\0\0\0", 8, 1);
        assert_int_equal(p.server.rc, ERR_TLS);
        /* Final: every later call says so. */
        assert_int_equal(tls_engine_handshake(p.server.engine, NULL), ERR_TLS);
        assert_int_equal(tls_engine_read(p.server.engine, &byte, 1, &got, NULL), ERR_TLS);
        assert_int_equal(tls_engine_write(p.server.engine, NULL, 0, NULL), ERR_TLS);
        assert_int_equal(ERR_peek_error(), 0);
        pair_close(&p);
    }
}

/* A client that has come to the port of something else is told so, not TLS's own words. */
static void test_no_tls_there(void **state)
{
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                       "SSH-2.0-OpenSSH_9.2\r\n", "220 mail ready\r\n"};
    struct pair p;

    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct err err = {0};

        assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
        assert_int_equal(tls_engine_handshake(p.client.engine, &err), ERR_AGAIN);
        assert_int_equal(tls_engine_feed(p.client.engine, said[i], strlen(said[i]), NULL), ERR_OK);
        assert_int_equal(tls_engine_handshake(p.client.engine, &err), ERR_TLS);
        assert_string_equal(err.msg, "what answers does not speak TLS");
        assert_non_null(strstr(err.hint, "port"));
        pair_close(&p);
    }
}

/* Each byte of a record changed in turn: refused, and the peer gets an alert. */
static void test_tampered(void **state)
{
    struct tls_run run = {"attack at dawn", 14};

    (void)state;
    for (size_t i = 0;; i++) {
        struct pair p;
        size_t len;

        assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
        assert_true(pair_shake(&p, SIZE_MAX));
        assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
        pair_collect(&p.client);
        len = p.client.wire.len;
        if (i < len) {
            /* A length that grows only waits for more; make that more come. */
            p.client.wire.data[i] ^= 1;
            for (int pad = 0; pad < 600; pad++)
                buf_u8(&p.client.wire, 0);
            pair_run(&p, SIZE_MAX);
            assert_int_equal(p.server.rc, ERR_TLS);
            assert_int_equal(p.server.plain.len, 0);
            assert_int_equal(p.client.rc, ERR_TLS);
        }
        pair_close(&p);
        if (i >= len)
            break;
    }
}

/* The handshake cut after each byte: it waits, it never finishes. */
static void test_cut_handshake(void **state)
{
    size_t len = 1;

    (void)state;
    for (size_t cut = 0; cut < len; cut += 37) {
        struct pair p;

        assert_int_equal(pair_open(&p, &tls_fix_keys, NULL), ERR_OK);
        assert_int_equal(tls_engine_handshake(p.client.engine, NULL), ERR_AGAIN);
        pair_collect(&p.client);
        len = p.client.wire.len;
        pair_deliver(&p.server, p.client.wire.data, cut, SIZE_MAX);
        assert_int_equal(p.server.rc, ERR_OK);
        assert_false(p.server.ready);
        assert_int_equal(p.server.wire.len, 0);
        pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_clients), cmocka_unit_test(test_foreign_servers),
        cmocka_unit_test(test_garbage),         cmocka_unit_test(test_no_tls_there),
        cmocka_unit_test(test_tampered),        cmocka_unit_test(test_cut_handshake),
    };

    return cmocka_run_group_tests(tests, tls_fix_setup, tls_fix_teardown);
}
