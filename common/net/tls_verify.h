/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_verify - how a client judges a server's certificate.
 *
 * The judgement falls inside the handshake, before the client has sent
 * anything of its own, so that a refused server gets an alert.  A
 * certificate proves nothing until the handshake is finished: only then has
 * the server shown that it holds the key.
 *
 * Threads: one at a time for each connection.
 */
#ifndef COMMON_NET_TLS_VERIFY_H
#define COMMON_NET_TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "common/err.h"
#include "common/net/pin.h"

enum tls_verify_mode {
    TLS_VERIFY_COLLECT, /* let any key pass; the owner looks at the pin before it sends anything */
    TLS_VERIFY_PIN,     /* the key must have this pin, or the next; names, dates and issuers do not
                           matter */
    TLS_VERIFY_CA       /* a valid chain to a trusted certificate, made out to this host */
};

/* What is asked of the server. */
struct tls_verify {
    enum tls_verify_mode mode;
    struct pin pin;   /* TLS_VERIFY_PIN */
    struct pin next;  /* or this one, which the server has announced, */
    bool has_next;    /* if it has */
    const char *host; /* name or address dialled, also sent as SNI; needed for TLS_VERIFY_CA */
};

/* What one handshake has shown; lives as long as its SSL object. */
struct tls_judge {
    enum tls_verify_mode mode;
    struct pin wanted, next, seen;
    bool has_next, has_seen;
};

/* Judge all connections of ${ctx} here. */
void tls_verify_ctx(SSL_CTX *ctx);

/* Prepare the judge of one connection; copies what it needs of ${verify}.  ERR_INVALID, ERR_NOMEM.
 */
MUST_CHECK int tls_verify_attach(SSL *ssl, struct tls_judge *judge, const struct tls_verify *verify,
                                 struct err *err);

/* Why the judge of ${ssl} refused, as ERR_PIN or ERR_TLS with a message; ERR_OK if it did not. */
int tls_verify_why(const SSL *ssl, const struct tls_judge *judge, struct err *err);

#endif /* COMMON_NET_TLS_VERIFY_H */
