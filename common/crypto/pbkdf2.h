/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pbkdf2 - passphrase to key (RFC 8018 section 5.2, with HMAC-SHA256), for formats of
 * other people; keys of our own use scrypt.h.  Slow on purpose: not for the
 * loop thread.  Threads: any.
 */
#ifndef COMMON_CRYPTO_PBKDF2_H
#define COMMON_CRYPTO_PBKDF2_H

#include "common/crypto/part.h"
#include "common/err.h"

/*
 * ${out} takes ${len} bytes, at least 1; it is wiped if the derivation fails.
 * ERR_INVALID: no rounds or nothing to derive; ERR_NOMEM, ERR_INTERNAL.
 */
MUST_CHECK int pbkdf2_sha256(struct part password, struct part salt, uint32_t rounds, uint8_t *out,
                             size_t len);

#endif /* COMMON_CRYPTO_PBKDF2_H */
