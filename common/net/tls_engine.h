/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_engine - one TLS connection as bytes in, bytes out.  No sockets, no
 * loop, no timers: every path can be tested in memory.
 *
 *     network -> tls_engine_feed() -> tls_engine_read() -> plaintext
 *     plaintext -> tls_engine_write() -> tls_engine_swap_out() -> network
 *
 * Rules for the caller:
 *  - after any call, also a failed one, send what tls_engine_pending() shows: a
 *    failed handshake leaves an alert there that the peer should see;
 *  - any code but ERR_OK and ERR_AGAIN is final: later calls repeat it.
 *
 * An idle engine holds no buffers: input is borrowed, output moves away as a
 * whole, and OpenSSL gives its record buffers back.
 *
 * Threads: one at a time.  Never blocks.
 */
#ifndef COMMON_NET_TLS_ENGINE_H
#define COMMON_NET_TLS_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net/pin.h"
#include "common/net/tls_verify.h"

#define TLS_ENGINE_BINDING "EXPORTER-Channel-Binding" /* RFC 9266 section 2 */
enum { TLS_ENGINE_BINDING_BYTES = 32 };

struct tls_engine;

/* Bytes to write, borrowed for the call. */
struct tls_run {
    const void *data;
    size_t len;
};

/*
 * Both take their own reference on ${ctx}.  ${verify} and what it points at are copied.  ERR_NOMEM;
 * of a client ERR_INVALID: no host where one is needed, or none that can be.
 */
MUST_CHECK int tls_engine_server(struct tls_engine **ret, SSL_CTX *ctx, struct err *err);
MUST_CHECK int tls_engine_client(struct tls_engine **ret, SSL_CTX *ctx,
                                 const struct tls_verify *verify, struct err *err);
void tls_engine_free(struct tls_engine *e); /* NULL is fine */

/*
 * Lend the engine ${len} bytes of ciphertext, until tls_engine_unread() is 0 or
 * tls_engine_keep() was called.  ERR_LIMIT when earlier input is still unread.
 */
MUST_CHECK int tls_engine_feed(struct tls_engine *e, const void *data, size_t len, struct err *err);

/* Copy what is unread of the lent bytes, so that their owner may reuse them.  ERR_NOMEM. */
MUST_CHECK int tls_engine_keep(struct tls_engine *e, struct err *err);
size_t tls_engine_unread(const struct tls_engine *e);

/*
 * Move the handshake on.  ERR_OK: finished, the peer is verified and speaks
 * satchel/1.  ERR_AGAIN: feed more.  ERR_PIN: another key, both pins are in the
 * message.  ERR_TLS: anything else.
 */
MUST_CHECK int tls_engine_handshake(struct tls_engine *e, struct err *err);

/*
 * Decrypt up to ${cap} >= 1 bytes into ${to}.  ERR_OK with ${*ret_len} >= 1; ERR_AGAIN:
 * feed more; ERR_CLOSED: the peer's close_notify; ERR_TLS.
 */
MUST_CHECK int tls_engine_read(struct tls_engine *e, void *to, size_t cap, size_t *ret_len,
                               struct err *err);

/*
 * Encrypt all ${n} runs as one stream, in records as large as possible: short
 * runs are gathered, long ones are encrypted where they lie.  Only after the handshake.
 */
MUST_CHECK int tls_engine_write(struct tls_engine *e, const struct tls_run *runs, size_t n,
                                struct err *err);

/* Add our close_notify to the output, once; nothing after a failure. */
void tls_engine_shutdown(struct tls_engine *e);

/* Bytes of ciphertext to send. */
size_t tls_engine_pending(const struct tls_engine *e);

/*
 * Exchange the output buffer for ${*b}, which must hold no bytes but may bring
 * memory for the next ones: the caller gets all that is pending.
 */
void tls_engine_swap_out(struct tls_engine *e, struct buf *b);

/*
 * The value that binds a login to this connection: TLS exporter (RFC 8446
 * section 7.5) with ${label} and no context.  ERR_BADSTATE before the handshake is finished.
 */
MUST_CHECK int tls_engine_exporter(struct tls_engine *e, const char *label,
                                   uint8_t ret[TLS_ENGINE_BINDING_BYTES], struct err *err);

/* The server's pin as a client has seen it; NULL before its certificate came, and on a server. */
const struct pin *tls_engine_peer_pin(const struct tls_engine *e);

/* The pin of the certificate that a server shows here.  ERR_BADSTATE: there is none. */
MUST_CHECK int tls_engine_own_pin(const struct tls_engine *e, struct pin *ret, struct err *err);

#endif /* COMMON_NET_TLS_ENGINE_H */
