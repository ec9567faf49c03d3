/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_ctx - the one TLS configuration of both programs: TLS 1.3 only, ALPN
 * "satchel/1" required on both sides, AES-256-GCM first, no tickets, no
 * resumption, no early data, buffers released when empty.
 *
 * How a client judges the server is chosen for each connection (tls_verify.h);
 * only the certificates it may trust belong to the context.
 *
 * A context may be shared by connections and threads; free it with
 * SSL_CTX_free(), connections keep their own reference.  The functions with
 * files block on the disk.
 */
#ifndef COMMON_NET_TLS_CTX_H
#define COMMON_NET_TLS_CTX_H

#include <stddef.h>

#include <openssl/ssl.h>

#include "common/err.h"
#include "common/secret.h"

#define TLS_CTX_ALPN "satchel/1"

/*
 * A server's context.  ${cert}: PEM, the leaf first, then its chain; ${key}: PEM, not encrypted.
 * ERR_INVALID: not PEM, not supported, or the two do not belong together.
 */
MUST_CHECK int tls_ctx_server(SSL_CTX **ret, const void *cert, size_t cert_len,
                              const struct secret *key, struct err *err);

/* As tls_ctx_server(), from files.  Also the errors of fs_read(). */
MUST_CHECK int tls_ctx_server_files(SSL_CTX **ret, const char *cert_path, const char *key_path,
                                    struct err *err);

/* A client's context, which trusts no certificate yet. */
MUST_CHECK int tls_ctx_client(SSL_CTX **ret, struct err *err);

/*
 * Trust the certificates in the file ${ca_path}, or the system's when it is NULL, for
 * TLS_VERIFY_CA. ERR_NOTFOUND, ERR_INVALID: no such file, or no certificate in it.
 */
MUST_CHECK int tls_ctx_trust(SSL_CTX *ctx, const char *ca_path, struct err *err);

#endif /* COMMON_NET_TLS_CTX_H */
