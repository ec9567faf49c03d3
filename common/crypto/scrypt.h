/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrypt - passphrase to key (RFC 7914).  Slow on purpose and memory-hungry:
 * not for the loop thread.  Threads: any.
 */
#ifndef COMMON_CRYPTO_SCRYPT_H
#define COMMON_CRYPTO_SCRYPT_H

#include "common/crypto/part.h"
#include "common/err.h"

struct scrypt_cost {
    uint64_t n;       /* a power of two, at least 2 */
    uint32_t r, p;    /* at least 1; r * p under 2^30 */
    uint64_t max_mem; /* bytes it may take: what the caller will pay for somebody else's numbers */
};

/* Bytes of memory the cost takes; UINT64_MAX if the numbers are not allowed. */
uint64_t scrypt_memory(const struct scrypt_cost *cost);

/*
 * ${out} takes ${len} bytes, at least 1; it is wiped if the derivation fails.  ERR_INVALID: cost
 * not allowed; ERR_LIMIT: over max_mem; ERR_NOMEM: the memory is not there.
 */
MUST_CHECK int scrypt_derive(const struct scrypt_cost *cost, struct part password, struct part salt,
                             uint8_t *out, size_t len);

#endif /* COMMON_CRYPTO_SCRYPT_H */
