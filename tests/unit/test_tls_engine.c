/* SPDX-License-Identifier: Apache-2.0 */
/* tls_engine, tls_ctx, tls_verify: two engines joined in memory, and peers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "common/fs.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "common/net/tls_engine.h"
#include "net_pair.h"

static struct net_keys keys;

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

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 17);
}

static void check_pattern(const struct buf *plain, size_t len)
{
    assert_int_equal(plain->len, len);
    for (size_t i = 0; i < len; i++)
        if (plain->data[i] != pattern(i))
            fail_msg("byte %zu differs", i);
}

static const size_t steps[] = {1, 100, 65536, SIZE_MAX};
enum { STEPS = sizeof(steps) / sizeof(steps[0]), BIG = 300000 };

static void send_runs(size_t step, const size_t *lens, size_t n)
{
    uint8_t *data = malloc(BIG);
    struct tls_run runs[8];
    struct pair p;
    size_t at = 0;

    assert_non_null(data);
    for (size_t i = 0; i < BIG; i++)
        data[i] = pattern(i);
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, step));
    for (size_t i = 0; i < n; at += lens[i++])
        runs[i] = (struct tls_run){data + at, lens[i]};
    assert_int_equal(tls_engine_write(p.client.engine, runs, n, NULL), ERR_OK);
    free(data); /* the runs were only lent */
    pair_run(&p, step);
    assert_int_equal(p.server.rc, ERR_OK);
    check_pattern(&p.server.plain, at);
    pair_close(&p);
}

static void test_round_trip(void **state)
{
    static const size_t cases[][4] = {
        {1, 0, 0, 0},         {0, 5, 0, 7},           {58, 262400, 0, 0}, {16384, 16384, 1, 0},
        {16383, 1, 16385, 2}, {100, 16284, 32768, 9}, {0, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t k = 0; k < STEPS; k++)
            send_runs(steps[k], cases[i], 4);
}

/* A head of 58 bytes and its tail fill their records: 17, the last one partly. */
static void test_records_are_full(void **state)
{
    static uint8_t head[58], tail[262400];
    struct tls_run runs[] = {{head, sizeof(head)}, {tail, sizeof(tail)}};
    size_t at = 0, records = 0;
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.server.engine, runs, 2, NULL), ERR_OK);
    pair_collect(&p.server);
    while (at + 5 <= p.server.wire.len) {
        at += 5 + (size_t)(p.server.wire.data[at + 3] << 8 | p.server.wire.data[at + 4]);
        records++;
    }
    assert_int_equal(at, p.server.wire.len);
    assert_int_equal(records, 17);
    pair_close(&p);
}

static void test_both_directions(void **state)
{
    struct tls_run ping = {"ping", 4}, pong = {"pong!", 5};
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, 1));
    assert_int_equal(tls_engine_write(p.client.engine, &ping, 1, NULL), ERR_OK);
    assert_int_equal(tls_engine_write(p.server.engine, &pong, 1, NULL), ERR_OK);
    pair_run(&p, 1);
    assert_memory_equal(p.server.plain.data, "ping", 4);
    assert_memory_equal(p.client.plain.data, "pong!", 5);
    pair_close(&p);
}

static void test_agreed_parameters(void **state)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT, .host = "localhost"};
    uint8_t a[TLS_ENGINE_BINDING_BYTES], b[TLS_ENGINE_BINDING_BYTES], c[TLS_ENGINE_BINDING_BYTES];
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &keys, &collect), ERR_OK);
    assert_null(tls_engine_peer_pin(p.client.engine));
    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, a, NULL),
                     ERR_BADSTATE);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &keys.pin));
    assert_null(tls_engine_peer_pin(p.server.engine));
    /* Nothing follows the server's flight: no tickets. */
    assert_int_equal(tls_engine_pending(p.server.engine), 0);

    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, a, NULL), ERR_OK);
    assert_int_equal(tls_engine_exporter(p.server.engine, TLS_ENGINE_BINDING, b, NULL), ERR_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(tls_engine_exporter(p.server.engine, "EXPORTER-Other", c, NULL), ERR_OK);
    assert_memory_not_equal(a, c, sizeof(a));
    pair_close(&p);

    assert_int_equal(pair_open(&p, &keys, &collect), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_exporter(p.client.engine, TLS_ENGINE_BINDING, c, NULL), ERR_OK);
    assert_memory_not_equal(a, c, sizeof(a));
    pair_close(&p);
}

/* ---- who the server is ----------------------------------------------- */

static void test_wrong_pin(void **state)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = keys.pin};
    char seen[PIN_CHARS + 1], wanted[PIN_CHARS + 1];
    struct pair p;

    (void)state;
    verify.pin.b[31] ^= 1;
    assert_int_equal(pair_open(&p, &keys, &verify), ERR_OK);
    assert_false(pair_shake(&p, SIZE_MAX));
    assert_int_equal(p.client.rc, ERR_PIN);
    pin_encode(&keys.pin, seen);
    pin_encode(&verify.pin, wanted);
    assert_non_null(strstr(p.client.err.msg, seen));
    assert_non_null(strstr(p.client.err.msg, wanted));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &keys.pin));
    /* The server hears of it. */
    assert_int_equal(p.server.rc, ERR_TLS);
    pair_close(&p);
}

/* The key that was announced is as good as the pinned one; a third is neither. */
static void test_next_pin(void **state)
{
    struct tls_verify verify = {
        .mode = TLS_VERIFY_PIN, .pin = keys.pin, .next = keys.pin, .has_next = true};
    char wanted[PIN_CHARS + 1];
    struct pair p;

    (void)state;
    verify.pin.b[31] ^= 1;
    assert_int_equal(pair_open(&p, &keys, &verify), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &keys.pin));
    pair_close(&p);

    verify.has_next = false; /* what stands there does not count */
    assert_int_equal(pair_open(&p, &keys, &verify), ERR_OK);
    assert_false(pair_shake(&p, SIZE_MAX));
    assert_int_equal(p.client.rc, ERR_PIN);
    pair_close(&p);

    verify.has_next = true;
    verify.next.b[0] ^= 1;
    assert_int_equal(pair_open(&p, &keys, &verify), ERR_OK);
    assert_false(pair_shake(&p, SIZE_MAX));
    assert_int_equal(p.client.rc, ERR_PIN);
    pin_encode(&verify.pin, wanted);
    assert_non_null(strstr(p.client.err.msg, wanted));
    pair_close(&p);
}

static int shake_ca(SSL_CTX *client, const char *host)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_CA, .host = host};
    struct pair p;
    int rc;

    assert_int_equal(pair_open_ctx(&p, keys.server, client, &verify), ERR_OK);
    rc = pair_shake(&p, SIZE_MAX) ? ERR_OK : p.client.rc;
    if (rc != ERR_OK)
        assert_non_null(strstr(p.client.err.msg, "not trusted"));
    pair_close(&p);
    return rc;
}

static void test_ca(void **state)
{
    char path[] = "/tmp/satchel_ca_XXXXXX";
    struct tls_verify nameless = {.mode = TLS_VERIFY_CA};
    SSL_CTX *ctx = NULL;
    struct pair p;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, keys.cert.data, keys.cert.len, NULL), ERR_OK);
    assert_int_equal(close(fd), 0);
    assert_int_equal(tls_ctx_client(&ctx, NULL), ERR_OK);
    assert_int_equal(shake_ca(ctx, "localhost"), ERR_TLS); /* trusts nothing yet */
    assert_int_equal(tls_ctx_trust(ctx, path, NULL), ERR_OK);
    assert_int_equal(shake_ca(ctx, "localhost"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "127.0.0.1"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "::1"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "127.0.0.2"), ERR_TLS);
    assert_int_equal(shake_ca(ctx, "example.org"), ERR_TLS);
    assert_int_equal(pair_open_ctx(&p, keys.server, ctx, &nameless), ERR_INVALID);
    pair_close(&p);

    assert_int_equal(tls_ctx_trust(ctx, "/nonexistent/ca.pem", NULL), ERR_NOTFOUND);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(tls_ctx_trust(ctx, path, NULL), ERR_INVALID);
    assert_int_equal(unlink(path), 0);
    SSL_CTX_free(ctx);
}

/* ---- peers that are not ours ------------------------------------------ */

/* A handshake between one of our engines and a plain context that ${change} has bent. */
static void foreign(bool we_serve, void (*change)(SSL_CTX *), struct pair *p)
{
    struct tls_verify collect = {.mode = TLS_VERIFY_COLLECT};
    SSL_CTX *ctx = NULL;

    if (we_serve)
        assert_int_equal(tls_ctx_client(&ctx, NULL), ERR_OK);
    else
        assert_int_equal(tls_ctx_server(&ctx, keys.cert.data, keys.cert.len, &keys.key, NULL),
                         ERR_OK);
    change(ctx);
    assert_int_equal(
        pair_open_ctx(p, we_serve ? keys.server : ctx, we_serve ? ctx : keys.client, &collect),
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

        assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
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

        assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
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

        assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
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

        assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
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

/* ---- input, output, end ----------------------------------------------- */

static void test_keep(void **state)
{
    static uint8_t data[40000];
    struct tls_run run = {data, sizeof(data)};
    uint8_t part[10000];
    struct buf wire = {0};
    struct pair p;
    size_t got = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
    tls_engine_swap_out(p.client.engine, &wire);
    assert_int_equal(tls_engine_feed(p.server.engine, wire.data, wire.len, NULL), ERR_OK);
    assert_int_equal(tls_engine_read(p.server.engine, part, 100, &got, NULL), ERR_OK);
    buf_put(&p.server.plain, part, got);
    assert_true(tls_engine_unread(p.server.engine) > 20000);
    assert_int_equal(tls_engine_feed(p.server.engine, "x", 1, NULL), ERR_LIMIT);
    assert_int_equal(tls_engine_keep(p.server.engine, NULL), ERR_OK);
    memset(wire.data, 0xee, wire.len);
    buf_free(&wire);
    assert_int_equal(tls_engine_keep(p.server.engine, NULL), ERR_OK);
    while (tls_engine_read(p.server.engine, part, sizeof(part), &got, NULL) == ERR_OK)
        buf_put(&p.server.plain, part, got);
    assert_int_equal(tls_engine_unread(p.server.engine), 0);
    check_pattern(&p.server.plain, sizeof(data));
    pair_close(&p);
}

static void test_close_notify(void **state)
{
    struct tls_run run = {"last words", 10};
    struct pair p;
    size_t len;

    (void)state;
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_OK);
    tls_engine_shutdown(p.client.engine);
    pair_collect(&p.client);
    len = p.client.wire.len;
    tls_engine_shutdown(p.client.engine); /* once is enough */
    pair_collect(&p.client);
    assert_int_equal(p.client.wire.len, len);
    pair_run(&p, 1);
    assert_int_equal(p.server.rc, ERR_CLOSED);
    assert_int_equal(p.server.plain.len, 10);

    tls_engine_shutdown(p.server.engine); /* and back */
    assert_true(tls_engine_pending(p.server.engine) > 0);
    pair_run(&p, 1);
    assert_int_equal(p.client.rc, ERR_CLOSED);
    pair_close(&p);
}

static void test_write_too_early(void **state)
{
    struct tls_run run = {"x", 1};
    struct pair p;

    (void)state;
    assert_int_equal(pair_open(&p, &keys, NULL), ERR_OK);
    assert_int_equal(tls_engine_write(p.client.engine, &run, 1, NULL), ERR_BADSTATE);
    assert_true(pair_shake(&p, SIZE_MAX)); /* no harm done */
    pair_close(&p);
}

/* ---- contexts --------------------------------------------------------- */

static void test_server_context_input(void **state)
{
    static const char *const names[] = {"localhost"};
    struct secret key = {0}, junk = {0};
    struct buf cert = {0}, chain = {0};
    SSL_CTX *ctx = NULL;

    (void)state;
    assert_int_equal(tls_cert_make("x", names, 1, &key, &cert, NULL), ERR_OK);
    assert_int_equal(secret_copy(&junk, "-----BEGIN", 10, NULL), ERR_OK);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, cert.len, &keys.key, NULL), ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, cert.len, &junk, NULL), ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, 60, &key, NULL), ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, "", 0, &key, NULL), ERR_INVALID);

    /* Leaf and chain; then a damaged last certificate, then too many. */
    buf_put(&chain, cert.data, cert.len);
    buf_put(&chain, keys.cert.data, keys.cert.len);
    assert_int_equal(tls_ctx_server(&ctx, chain.data, chain.len, &key, NULL), ERR_OK);
    SSL_CTX_free(ctx);
    ctx = NULL;
    assert_int_equal(tls_ctx_server(&ctx, chain.data, chain.len - 40, &key, NULL), ERR_INVALID);
    for (int i = 0; i < 7; i++)
        buf_put(&chain, cert.data, cert.len);
    assert_int_equal(tls_ctx_server(&ctx, chain.data, chain.len, &key, NULL), ERR_INVALID);
    assert_null(ctx);
    assert_int_equal(ERR_peek_error(), 0);
    buf_free(&chain);
    buf_free(&cert);
    secret_free(&junk);
    secret_free(&key);
}

static void test_server_files(void **state)
{
    char dir[] = "/tmp/satchel_tls_XXXXXX";
    char *cert_path = NULL, *key_path = NULL;
    struct err err = {0};
    SSL_CTX *ctx = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    cert_path = fs_join(dir, "cert.pem");
    key_path = fs_join(dir, "key.pem");
    assert_int_equal(fs_create(cert_path, keys.cert.data, keys.cert.len, 0644, NULL), ERR_OK);
    assert_int_equal(tls_ctx_server_files(&ctx, cert_path, key_path, &err), ERR_NOTFOUND);
    assert_int_equal(fs_create(key_path, keys.key.data, keys.key.len, 0600, NULL), ERR_OK);
    assert_int_equal(tls_ctx_server_files(&ctx, cert_path, key_path, &err), ERR_OK);
    SSL_CTX_free(ctx);
    assert_int_equal(tls_ctx_server_files(&ctx, key_path, key_path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, key_path));
    assert_int_equal(unlink(cert_path), 0);
    assert_int_equal(unlink(key_path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(cert_path);
    free(key_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_records_are_full),
        cmocka_unit_test(test_both_directions),
        cmocka_unit_test(test_agreed_parameters),
        cmocka_unit_test(test_wrong_pin),
        cmocka_unit_test(test_next_pin),
        cmocka_unit_test(test_ca),
        cmocka_unit_test(test_foreign_clients),
        cmocka_unit_test(test_foreign_servers),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_no_tls_there),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_cut_handshake),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_write_too_early),
        cmocka_unit_test(test_server_context_input),
        cmocka_unit_test(test_server_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
