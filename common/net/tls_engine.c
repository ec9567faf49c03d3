/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_engine.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "common/net/tls_bio.h"
#include "common/net/tls_ctx.h"

/* Header, content type and tag of one TLS 1.3 record, rounded up. */
enum { RECORD = SSL3_RT_MAX_PLAIN_LENGTH, RECORD_EXTRA = 32 };

struct tls_engine {
    SSL *ssl;
    struct tls_bio bio;
    struct buf kept; /* input that outlived its lender */
    struct tls_judge judge;
    bool client;
    int dead; /* the final code, ERR_OK while alive */
};

/* ---- results --------------------------------------------------------- */

static int die(struct tls_engine *e, int code, struct err *err, const char *what)
{
    e->dead = code;
    return err_set(err, code, "%s", what);
}

static int still_dead(const struct tls_engine *e, struct err *err)
{
    return err_set(err, e->dead, "the connection has failed before: %s", err_text(e->dead));
}

/* What went wrong inside OpenSSL, most specific reason first. */
static int ssl_failure(struct tls_engine *e, struct err *err)
{
    const char *why = ERR_reason_error_string(ERR_peek_error());
    int rc = ERR_OK;

    if (e->bio.out.failed) {
        rc = die(e, ERR_NOMEM, err, "no memory for what TLS wants to send");
    } else if (e->client && (rc = tls_verify_why(e->ssl, &e->judge, err)) != ERR_OK) {
        e->dead = rc;
    } else if (e->client && !SSL_is_init_finished(e->ssl) &&
               ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER) {
        rc = die(e, ERR_TLS, err, "what answers does not speak TLS");
        err_hint(err, "is this the port of satcheld?");
    } else {
        e->dead = ERR_TLS;
        rc = err_set(err, ERR_TLS, "TLS: %s", why != NULL ? why : "broken off");
    }
    ERR_clear_error();
    return rc;
}

/* The outcome of the last SSL_ call, as one of our codes. */
static int result(struct tls_engine *e, int ssl_rc, struct err *err)
{
    switch (SSL_get_error(e->ssl, ssl_rc)) {
    case SSL_ERROR_NONE:
        return ERR_OK;
    case SSL_ERROR_WANT_READ:
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return die(e, ERR_CLOSED, err, "the peer closed the connection");
    default:
        return ssl_failure(e, err);
    }
}

/* ---- life ------------------------------------------------------------ */

/* NULL: out of memory. */
static struct tls_engine *engine_new(SSL_CTX *ctx, struct err *err)
{
    struct tls_engine *e = calloc(1, sizeof(*e));
    BIO *bio = NULL;

    if (e == NULL)
        goto fail;
    e->ssl = SSL_new(ctx);
    bio = tls_bio_new(&e->bio);
    if (e->ssl == NULL || bio == NULL)
        goto fail;
    SSL_set_bio(e->ssl, bio, bio); /* one reference for both directions */
    return e;
fail:
    ERR_clear_error();
    BIO_free(bio);
    tls_engine_free(e);
    (void)err_set(err, ERR_NOMEM, "out of memory");
    return NULL;
}

int tls_engine_server(struct tls_engine **ret, SSL_CTX *ctx, struct err *err)
{
    struct tls_engine *e = engine_new(ctx, err);

    if (e == NULL)
        return ERR_NOMEM;
    SSL_set_accept_state(e->ssl);
    *ret = e;
    return ERR_OK;
}

int tls_engine_client(struct tls_engine **ret, SSL_CTX *ctx, const struct tls_verify *verify,
                      struct err *err)
{
    struct tls_engine *e = engine_new(ctx, err);
    int rc;

    if (e == NULL)
        return ERR_NOMEM;
    e->client = true;
    rc = tls_verify_attach(e->ssl, &e->judge, verify, err);
    if (rc != ERR_OK) {
        tls_engine_free(e);
        return rc;
    }
    SSL_set_connect_state(e->ssl);
    *ret = e;
    return ERR_OK;
}

void tls_engine_free(struct tls_engine *e)
{
    if (e == NULL)
        return;
    SSL_free(e->ssl); /* and the BIO */
    buf_free(&e->bio.out);
    buf_free(&e->kept);
    free(e);
}

/* ---- input ----------------------------------------------------------- */

int tls_engine_feed(struct tls_engine *e, const void *data, size_t len, struct err *err)
{
    if (e->bio.in_len > 0)
        return err_set(err, ERR_LIMIT, "%zu bytes are unread", e->bio.in_len);
    buf_free(&e->kept);
    e->bio.in = data;
    e->bio.in_len = len;
    return ERR_OK;
}

int tls_engine_keep(struct tls_engine *e, struct err *err)
{
    struct buf copy = {0};
    int rc;

    if (e->bio.in_len == 0 || e->kept.data != NULL)
        return ERR_OK; /* nothing is left, or it is ours already */
    buf_put(&copy, e->bio.in, e->bio.in_len);
    rc = buf_check(&copy, err);
    if (rc != ERR_OK) {
        e->bio.in_len = 0; /* nobody may look at lent bytes again */
        e->dead = rc;
        return rc;
    }
    e->kept = copy;
    e->bio.in = copy.data;
    return ERR_OK;
}

size_t tls_engine_unread(const struct tls_engine *e)
{
    return e->bio.in_len;
}

/* ---- steps ----------------------------------------------------------- */

/* OpenSSL takes a server that ignored our ALPN; we do not. */
static int check_alpn(struct tls_engine *e, struct err *err)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(e->ssl, &name, &len);
    if (len == strlen(TLS_CTX_ALPN) && memcmp(name, TLS_CTX_ALPN, len) == 0)
        return ERR_OK;
    return die(e, ERR_TLS, err, "the peer does not speak " TLS_CTX_ALPN);
}

int tls_engine_handshake(struct tls_engine *e, struct err *err)
{
    int rc;

    if (e->dead != ERR_OK)
        return still_dead(e, err);
    if (SSL_is_init_finished(e->ssl))
        return ERR_OK;
    ERR_clear_error(); /* SSL_get_error() also looks at what others left there */
    rc = result(e, SSL_do_handshake(e->ssl), err);
    return rc == ERR_OK ? check_alpn(e, err) : rc;
}

int tls_engine_read(struct tls_engine *e, void *to, size_t cap, size_t *ret_len, struct err *err)
{
    size_t got = 0;
    int rc;

    if (e->dead != ERR_OK)
        return still_dead(e, err);
    ERR_clear_error();
    rc = result(e, SSL_read_ex(e->ssl, to, cap, &got), err);
    if (rc == ERR_OK)
        *ret_len = got;
    if (e->bio.in_len == 0)
        buf_free(&e->kept);
    return rc;
}

static int write_run(struct tls_engine *e, const uint8_t *data, size_t len, struct err *err)
{
    size_t done = 0;
    int rc;

    ERR_clear_error();
    rc = result(e, SSL_write_ex(e->ssl, data, len, &done), err);
    /* Output always has room, so "again" would be a bug that must not loop. */
    return rc == ERR_AGAIN ? die(e, ERR_INTERNAL, err, "TLS did not write") : rc;
}

static bool reserve(struct tls_engine *e, const struct tls_run *runs, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += runs[i].len;
    return buf_reserve(&e->bio.out, total + (total / RECORD + n + 1) * RECORD_EXTRA) != NULL;
}

/* Bytes that wait until they fill a record. */
struct gather {
    uint8_t bytes[RECORD];
    size_t held, most; /* now, and at any time */
};

/*
 * Records are filled up across runs: a small head and the first bytes of its
 * tail share one.  What is at least a whole record and starts on a record's
 * boundary is not copied.
 */
static int add_run(struct tls_engine *e, struct gather *g, const uint8_t *at, size_t left,
                   struct err *err)
{
    int rc = ERR_OK;

    while (left > 0 && rc == ERR_OK) {
        size_t step = left - left % RECORD;

        if (g->held == 0 && step > 0) {
            rc = write_run(e, at, step, err);
        } else {
            step = left < RECORD - g->held ? left : RECORD - g->held;
            memcpy(g->bytes + g->held, at, step);
            g->held += step;
            g->most = g->held > g->most ? g->held : g->most;
        }
        if (g->held == RECORD) {
            rc = write_run(e, g->bytes, RECORD, err);
            g->held = 0;
        }
        at += step;
        left -= step;
    }
    return rc;
}

int tls_engine_write(struct tls_engine *e, const struct tls_run *runs, size_t n, struct err *err)
{
    struct gather g;
    int rc = ERR_OK;

    g.held = g.most = 0;
    if (e->dead != ERR_OK)
        return still_dead(e, err);
    if (!SSL_is_init_finished(e->ssl))
        return err_set(err, ERR_BADSTATE, "the handshake is not finished");
    if (!reserve(e, runs, n))
        return die(e, ERR_NOMEM, err, "no memory for what is to be sent");
    for (size_t i = 0; i < n && rc == ERR_OK; i++)
        rc = add_run(e, &g, runs[i].data, runs[i].len, err);
    if (rc == ERR_OK && g.held > 0)
        rc = write_run(e, g.bytes, g.held, err);
    secret_wipe(g.bytes, g.most); /* shares are among what is sent */
    return rc;
}

void tls_engine_shutdown(struct tls_engine *e)
{
    /* After close_notify from the peer we still owe ours. */
    if ((e->dead != ERR_OK && e->dead != ERR_CLOSED) || !SSL_is_init_finished(e->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(e->ssl);
    ERR_clear_error();
}

/* ---- output ---------------------------------------------------------- */

size_t tls_engine_pending(const struct tls_engine *e)
{
    return e->bio.out.len;
}

void tls_engine_swap_out(struct tls_engine *e, struct buf *b)
{
    struct buf out = e->bio.out;

    assert(b->len == 0);
    e->bio.out = *b;
    *b = out;
}

/* ---- facts ----------------------------------------------------------- */

int tls_engine_exporter(struct tls_engine *e, const char *label,
                        uint8_t ret[TLS_ENGINE_BINDING_BYTES], struct err *err)
{
    uint8_t value[TLS_ENGINE_BINDING_BYTES];

    if (e->dead != ERR_OK)
        return still_dead(e, err);
    if (!SSL_is_init_finished(e->ssl))
        return err_set(err, ERR_BADSTATE, "the handshake is not finished");
    /* RFC 8446 section 7.5: no context and an empty one give the same value. */
    if (SSL_export_keying_material(e->ssl, value, sizeof(value), label, strlen(label), NULL, 0,
                                   0) != 1)
        return die(e, ERR_TLS, err, "cannot export keying material");
    memcpy(ret, value, sizeof(value));
    secret_wipe(value, sizeof(value));
    return ERR_OK;
}

const struct pin *tls_engine_peer_pin(const struct tls_engine *e)
{
    return e->judge.has_seen ? &e->judge.seen : NULL;
}

int tls_engine_own_pin(const struct tls_engine *e, struct pin *ret, struct err *err)
{
    X509 *cert = SSL_get_certificate(e->ssl); /* borrowed */

    if (cert == NULL)
        return err_set(err, ERR_BADSTATE, "this side shows no certificate");
    return pin_of_cert(ret, cert, err);
}
