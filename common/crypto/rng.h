/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng - random bytes, and hedged ones for keys that must stay good when the
 * random number generator is not.
 *
 * Errors: ERR_INVALID, ERR_NOMEM, ERR_INTERNAL (the generator failed: stop).
 * Threads: any; one struct rng_hedge from one thread at a time.
 */
#ifndef COMMON_CRYPTO_RNG_H
#define COMMON_CRYPTO_RNG_H

#include "common/crypto/part.h"
#include "common/err.h"

enum { RNG_HEDGED_LEN = 32, RNG_RAND_LEN = 64 };

/* ${len} bytes of the system's generator for private keys. */
MUST_CHECK int rng_bytes(void *out, size_t len);

/*
 * What hedging adds: a stored secret and a number that never comes back.
 *
 * The caller keeps both across restarts: before a value drawn at ${counter} is
 * used, a number above it must be durable (it may be far above: a block of
 * numbers can be claimed with one write).  A counter set back weakens nothing
 * while the generator is good.
 */
struct rng_hedge {
    struct secret key; /* k_hedge, 32 bytes */
    uint64_t counter;  /* of the next draw */
};

/*
 * F(k_hedge, "<label>", rand64, u64 counter, transcript), with 64 fresh
 * random bytes; counts up.  ${transcript} is whatever tells this use from
 * others (tid, user IDs), may be empty.
 */
MUST_CHECK int rng_hedged(struct rng_hedge *h, const char *label, struct part transcript,
                          uint8_t ret_out[RNG_HEDGED_LEN]);

/* The same with given random bytes, for vectors and for showing what a broken generator does. */
MUST_CHECK int rng_hedged_from(struct rng_hedge *h, const char *label, struct part transcript,
                               const uint8_t rand[RNG_RAND_LEN], uint8_t ret_out[RNG_HEDGED_LEN]);

#endif /* COMMON_CRYPTO_RNG_H */
