/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x25519 - Diffie-Hellman on Curve25519 (RFC 7748), raw 32-byte keys.
 *
 * Any 32 bytes are a private key (the scalar is clamped when used).
 * Errors: ERR_INTEGRITY, ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_X25519_H
#define COMMON_CRYPTO_X25519_H

#include <stdint.h>

#include "common/err.h"

enum { X25519_LEN = 32 };

/* The public key of ${private_key}. */
MUST_CHECK int x25519_public(uint8_t ret_public[X25519_LEN], const uint8_t private_key[X25519_LEN]);

/* The shared secret.  ERR_INTEGRITY when it is all zero: the peer's key is of small order. */
MUST_CHECK int x25519_shared(uint8_t ret_shared[X25519_LEN], const uint8_t private_key[X25519_LEN],
                             const uint8_t peer_public[X25519_LEN]);

#endif /* COMMON_CRYPTO_X25519_H */
