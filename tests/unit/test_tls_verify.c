/* SPDX-License-Identifier: Apache-2.0 */
/* tls_verify, tls_ctx: who the server is, and certificates and keys that contexts are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "common/fs.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "tls_fix.h"

/* ---- who the server is ---- */

static void test_wrong_pin(void **state)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = tls_fix_keys.pin};
    char seen[PIN_CHARS + 1], wanted[PIN_CHARS + 1];
    struct pair p;

    (void)state;
    verify.pin.b[31] ^= 1;
    assert_int_equal(pair_open(&p, &tls_fix_keys, &verify), ERR_OK);
    assert_false(pair_shake(&p, SIZE_MAX));
    assert_int_equal(p.client.rc, ERR_PIN);
    pin_encode(&tls_fix_keys.pin, seen);
    pin_encode(&verify.pin, wanted);
    assert_non_null(strstr(p.client.err.msg, seen));
    assert_non_null(strstr(p.client.err.msg, wanted));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &tls_fix_keys.pin));
    /* The server hears of it. */
    assert_int_equal(p.server.rc, ERR_TLS);
    pair_close(&p);
}

/* The key that was announced is as good as the pinned one; a third is neither. */
static void test_next_pin(void **state)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN,
                                .pin = tls_fix_keys.pin,
                                .next = tls_fix_keys.pin,
                                .has_next = true};
    char wanted[PIN_CHARS + 1];
    struct pair p;

    (void)state;
    verify.pin.b[31] ^= 1;
    assert_int_equal(pair_open(&p, &tls_fix_keys, &verify), ERR_OK);
    assert_true(pair_shake(&p, SIZE_MAX));
    assert_true(pin_equal(tls_engine_peer_pin(p.client.engine), &tls_fix_keys.pin));
    pair_close(&p);

    verify.has_next = false; /* what stands there does not count */
    assert_int_equal(pair_open(&p, &tls_fix_keys, &verify), ERR_OK);
    assert_false(pair_shake(&p, SIZE_MAX));
    assert_int_equal(p.client.rc, ERR_PIN);
    pair_close(&p);

    verify.has_next = true;
    verify.next.b[0] ^= 1;
    assert_int_equal(pair_open(&p, &tls_fix_keys, &verify), ERR_OK);
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

    assert_int_equal(pair_open_ctx(&p, tls_fix_keys.server, client, &verify), ERR_OK);
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
    assert_int_equal(fs_write_all(fd, tls_fix_keys.cert.data, tls_fix_keys.cert.len, NULL), ERR_OK);
    assert_int_equal(close(fd), 0);
    assert_int_equal(tls_ctx_client(&ctx, NULL), ERR_OK);
    assert_int_equal(shake_ca(ctx, "localhost"), ERR_TLS); /* trusts nothing yet */
    assert_int_equal(tls_ctx_trust(ctx, path, NULL), ERR_OK);
    assert_int_equal(shake_ca(ctx, "localhost"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "127.0.0.1"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "::1"), ERR_OK);
    assert_int_equal(shake_ca(ctx, "127.0.0.2"), ERR_TLS);
    assert_int_equal(shake_ca(ctx, "example.org"), ERR_TLS);
    assert_int_equal(pair_open_ctx(&p, tls_fix_keys.server, ctx, &nameless), ERR_INVALID);
    pair_close(&p);

    assert_int_equal(tls_ctx_trust(ctx, "/nonexistent/ca.pem", NULL), ERR_NOTFOUND);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(tls_ctx_trust(ctx, path, NULL), ERR_INVALID);
    assert_int_equal(unlink(path), 0);
    SSL_CTX_free(ctx);
}

/* ---- contexts ---- */

static void test_server_context_input(void **state)
{
    static const char *const names[] = {"localhost"};
    struct secret key = {0}, junk = {0};
    struct buf cert = {0}, chain = {0};
    SSL_CTX *ctx = NULL;

    (void)state;
    assert_int_equal(tls_cert_make("x", names, 1, &key, &cert, NULL), ERR_OK);
    assert_int_equal(secret_copy(&junk, "-----BEGIN", 10, NULL), ERR_OK);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, cert.len, &tls_fix_keys.key, NULL),
                     ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, cert.len, &junk, NULL), ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, cert.data, 60, &key, NULL), ERR_INVALID);
    assert_int_equal(tls_ctx_server(&ctx, "", 0, &key, NULL), ERR_INVALID);

    /* Leaf and chain; then a damaged last certificate, then too many. */
    buf_put(&chain, cert.data, cert.len);
    buf_put(&chain, tls_fix_keys.cert.data, tls_fix_keys.cert.len);
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
    assert_int_equal(
        fs_create(cert_path, tls_fix_keys.cert.data, tls_fix_keys.cert.len, 0644, NULL), ERR_OK);
    assert_int_equal(tls_ctx_server_files(&ctx, cert_path, key_path, &err), ERR_NOTFOUND);
    assert_int_equal(fs_create(key_path, tls_fix_keys.key.data, tls_fix_keys.key.len, 0600, NULL),
                     ERR_OK);
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
        cmocka_unit_test(test_wrong_pin),    cmocka_unit_test(test_next_pin),
        cmocka_unit_test(test_ca),           cmocka_unit_test(test_server_context_input),
        cmocka_unit_test(test_server_files),
    };

    return cmocka_run_group_tests(tests, tls_fix_setup, tls_fix_teardown);
}
