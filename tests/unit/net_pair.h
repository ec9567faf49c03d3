/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_pair - two TLS engines joined in memory, for tests and fuzzing.
 *
 * Each end has what it sent and is still on its way (wire) and what it has
 * decrypted (plain), so a test can cut, change or withhold either.
 */
#ifndef TESTS_UNIT_NET_PAIR_H
#define TESTS_UNIT_NET_PAIR_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net/pin.h"
#include "common/net/tls_engine.h"
#include "common/secret.h"

/* One certificate for 127.0.0.1, ::1 and localhost, and a context for each side. */
struct net_keys {
    SSL_CTX *server, *client;
    struct buf cert;   /* PEM */
    struct secret key; /* PEM */
    struct pin pin;
};

int net_keys_make(struct net_keys *k);
void net_keys_free(struct net_keys *k);

struct pair_end {
    struct tls_engine *engine;
    struct buf wire, plain;
    struct err err; /* of the call that failed first */
    int rc;         /* ERR_OK, or the final code */
    bool ready;     /* the handshake is finished */
};

struct pair {
    struct pair_end server, client;
};

/* Engines on the contexts of ${k}; ${verify} NULL means the right pin.  0 or an ERR_ code. */
int pair_open(struct pair *p, const struct net_keys *k, const struct tls_verify *verify);
int pair_open_ctx(struct pair *p, SSL_CTX *server, SSL_CTX *client,
                  const struct tls_verify *verify);
void pair_close(struct pair *p);

/* Take what the engine of ${from} has to send onto its wire. */
void pair_collect(struct pair_end *from);

/* Give ${len} bytes to ${to}, at most ${step} at a time, and let it do all it can. */
void pair_deliver(struct pair_end *to, const void *data, size_t len, size_t step);

/* Carry both wires to and fro, ${step} bytes at a time, until nothing moves. */
void pair_run(struct pair *p, size_t step);

/* pair_run() from the beginning; true when both ends are ready. */
bool pair_shake(struct pair *p, size_t step);

#endif /* TESTS_UNIT_NET_PAIR_H */
