/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - SHA-1, SHA-256, SHA-384 and SHA-512, at once or piece by piece.
 *
 * h of FORMATS.md is hash_sha256(), H is hash_sha512().  SHA-1 and SHA-384 are
 * here for HMAC and HKDF of other people's formats (RFC 6238) and test vectors.
 *
 * Errors: ERR_NOMEM, ERR_INTERNAL (OpenSSL refuses).  Threads: any; one struct
 * hash from one thread at a time.  Never blocks.
 */
#ifndef COMMON_CRYPTO_HASH_H
#define COMMON_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

enum { HASH_SHA256_LEN = 32, HASH_SHA512_LEN = 64, HASH_MAX_LEN = 64 };

enum hash_id { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_COUNT };

/* "sha1", "sha256", "sha384" or "sha512", as OpenSSL takes it. */
const char *hash_name(enum hash_id id);
size_t hash_len(enum hash_id id); /* bytes of the result */

/* Hash of the ${n} parts one after the other; ${ret_digest} takes hash_len(id) bytes. */
MUST_CHECK int hash_parts(enum hash_id id, uint8_t *ret_digest, const struct part *parts, size_t n);

/* Hash of ${len} bytes in one piece. */
MUST_CHECK int hash_sha256(uint8_t ret_digest[HASH_SHA256_LEN], const void *data, size_t len);
MUST_CHECK int hash_sha512(uint8_t ret_digest[HASH_SHA512_LEN], const void *data, size_t len);

/* Hash of LP(part) for each of the parts: u32be length, then the bytes.  ERR_INVALID above 4 GiB.
 */
MUST_CHECK int hash_lp(enum hash_id id, uint8_t *ret_digest, const struct part *parts, size_t n);

/* Piece by piece.  Zero-initialised is fine for hash_free(). */
struct hash {
    void *ctx;
    size_t len;
};

/* Begin, or begin again with what was added forgotten. */
MUST_CHECK int hash_start(struct hash *h, enum hash_id id);
MUST_CHECK int hash_add(struct hash *h, const void *data, size_t len);

/* After this only hash_start() or hash_free() may follow. */
MUST_CHECK int hash_finish(struct hash *h, uint8_t *ret_digest);
void hash_free(struct hash *h);

#endif /* COMMON_CRYPTO_HASH_H */
