/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_ctx.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/net/tls_verify.h"

enum { PEM_FILE_MAX = 256 * 1024, CHAIN_MAX = 8 };

static const char ciphers[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                              "TLS_AES_128_GCM_SHA256";
/* As on the wire (RFC 7301 section 3.1): length, name. */
static const unsigned char alpn[] = "\x09" TLS_CTX_ALPN;

/* Turn OpenSSL's error queue into ${code} with ${what} in front. */
static int ssl_failed(struct err *err, int code, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return err_set(err, code, "%s: %s", what, why != NULL ? why : "unknown reason");
}

static int ctx_new(SSL_CTX **ret, const SSL_METHOD *method, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (ctx == NULL)
        return ssl_failed(err, ERR_NOMEM, "cannot set up TLS");
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, ciphers) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1 ||
        SSL_CTX_set_max_early_data(ctx, 0) != 1) {
        SSL_CTX_free(ctx);
        return ssl_failed(err, ERR_TLS, "cannot set up TLS 1.3");
    }
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                       SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    *ret = ctx;
    return ERR_OK;
}

/* ---- server ---------------------------------------------------------- */

/* A peer that offers no ALPN at all never reaches on_alpn(). */
static int on_client_hello(SSL *ssl, int *alert, void *unused)
{
    const unsigned char *ext = NULL;
    size_t len = 0;

    (void)unused;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext,
                                  &len) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *unused)
{
    unsigned char *found = NULL;

    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&found, out_len, alpn, sizeof(alpn) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

/* An encrypted key is refused: a daemon has nobody to ask. */
static int no_passphrase(char *buf, int size, int rwflag, void *unused)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)unused;
    return -1;
}

/* The first certificate is the leaf, the others are its chain. */
static int use_certs(SSL_CTX *ctx, const void *pem, size_t len, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *cert = NULL;
    int n = 0, rc = ERR_OK;

    if (bio == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    while ((cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL && n < CHAIN_MAX) {
        bool ok = n == 0 ? SSL_CTX_use_certificate(ctx, cert) == 1
                         : SSL_CTX_add1_chain_cert(ctx, cert) == 1;

        X509_free(cert);
        cert = NULL;
        n++;
        if (!ok) {
            rc = ssl_failed(err, ERR_INVALID, "cannot use the certificate");
            goto out;
        }
    }
    if (n == 0)
        rc = err_set(err, ERR_INVALID, "no certificate in PEM form");
    else if (cert != NULL)
        rc = err_set(err, ERR_INVALID, "more than %d certificates", CHAIN_MAX);
    else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        rc = ssl_failed(err, ERR_INVALID, "cannot read the certificate");
out:
    ERR_clear_error();
    X509_free(cert);
    BIO_free(bio);
    return rc;
}

static int use_key(SSL_CTX *ctx, const struct secret *key, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(key->data, (int)key->len);
    EVP_PKEY *pkey = NULL;
    int rc = ERR_OK;

    if (bio == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (pkey == NULL)
        rc = ssl_failed(err, ERR_INVALID, "cannot read the certificate's key");
    else if (SSL_CTX_use_PrivateKey(ctx, pkey) != 1)
        rc = ssl_failed(err, ERR_INVALID, "cannot use the certificate's key");
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return rc;
}

int tls_ctx_server(SSL_CTX **ret, const void *cert, size_t cert_len, const struct secret *key,
                   struct err *err)
{
    SSL_CTX *ctx = NULL;
    int rc;

    if (cert_len > PEM_FILE_MAX || key->len > PEM_FILE_MAX)
        return err_set(err, ERR_INVALID, "the certificate or its key is too long");
    rc = ctx_new(&ctx, TLS_server_method(), err);
    if (rc != ERR_OK)
        return rc;
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    rc = use_certs(ctx, cert, cert_len, err);
    if (rc == ERR_OK)
        rc = use_key(ctx, key, err);
    if (rc == ERR_OK && SSL_CTX_check_private_key(ctx) != 1)
        rc = ssl_failed(err, ERR_INVALID, "the certificate and its key do not match");
    if (rc != ERR_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret = ctx;
    return ERR_OK;
}

int tls_ctx_server_files(SSL_CTX **ret, const char *cert_path, const char *key_path,
                         struct err *err)
{
    struct buf cert = {0};
    struct secret key = {0};
    int rc = fs_read(cert_path, PEM_FILE_MAX, &cert, err);

    if (rc == ERR_OK)
        rc = fs_read_secret(key_path, PEM_FILE_MAX, &key, err);
    if (rc == ERR_OK) {
        rc = tls_ctx_server(ret, cert.data, cert.len, &key, err);
        if (rc != ERR_OK)
            err_wrap(err, "'%s' with key '%s'", cert_path, key_path);
    }
    secret_free(&key);
    buf_free(&cert);
    return rc;
}

/* ---- client ---------------------------------------------------------- */

int tls_ctx_client(SSL_CTX **ret, struct err *err)
{
    SSL_CTX *ctx = NULL;
    int rc = ctx_new(&ctx, TLS_client_method(), err);

    if (rc != ERR_OK)
        return rc;
    /* Unlike its neighbours this one returns 0 for success. */
    if (SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0) {
        SSL_CTX_free(ctx);
        return ssl_failed(err, ERR_NOMEM, "cannot set up TLS");
    }
    tls_verify_ctx(ctx);
    *ret = ctx;
    return ERR_OK;
}

int tls_ctx_trust(SSL_CTX *ctx, const char *ca_path, struct err *err)
{
    ERR_clear_error();
    if (ca_path == NULL) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1)
            return ssl_failed(err, ERR_NOTFOUND, "cannot use the system's certificates");
        return ERR_OK;
    }
    if (!fs_exists(ca_path))
        return err_set(err, ERR_NOTFOUND, "there is no file '%s'", ca_path);
    if (SSL_CTX_load_verify_file(ctx, ca_path) != 1)
        return ssl_failed(err, ERR_INVALID, "cannot use the certificates in that file");
    return ERR_OK;
}
