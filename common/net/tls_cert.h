/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_cert - a certificate of the daemon's own, for those who bring none.
 *
 * Ed25519, self-signed (X.509 v3, RFC 8410), ten years, not a CA.  Clients
 * trust it through its pin.  Threads: any.  Never blocks.
 */
#ifndef COMMON_NET_TLS_CERT_H
#define COMMON_NET_TLS_CERT_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/secret.h"

/*
 * Make a key and a certificate for it.  ${cn} (1 to 64 characters) becomes the
 * common name; ${names}, ${n} >= 1 host names or addresses, become its subject
 * alternative names.  Both results are PEM (PKCS #8 for the key), and replace
 * what the objects held.  ERR_INVALID: a name that is neither host nor address.
 */
MUST_CHECK int tls_cert_make(const char *cn, const char *const *names, size_t n,
                             struct secret *ret_key, struct buf *ret_cert, struct err *err);

#endif /* COMMON_NET_TLS_CERT_H */
