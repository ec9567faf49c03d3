/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ed25519 - signatures (RFC 8032), raw 32-byte seeds and public keys, and the
 * form in which every signature of satchel/1 is made.
 *
 * Errors: ERR_INTEGRITY (the signature is not good, for whatever reason),
 * ERR_INVALID, ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_ED25519_H
#define COMMON_CRYPTO_ED25519_H

#include "common/crypto/part.h"
#include "common/err.h"

enum { ED25519_SEED_LEN = 32, ED25519_PUBLIC_LEN = 32, ED25519_SIG_LEN = 64 };

/* The public key of a seed. */
MUST_CHECK int ed25519_public(uint8_t ret_public[ED25519_PUBLIC_LEN],
                              const uint8_t seed[ED25519_SEED_LEN]);

/* Plain Ed25519 over ${msg}; for everything of our own use the functions below. */
MUST_CHECK int ed25519_sign(uint8_t ret_sig[ED25519_SIG_LEN], const uint8_t seed[ED25519_SEED_LEN],
                            struct part msg);
MUST_CHECK int ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_LEN],
                              const uint8_t sig[ED25519_SIG_LEN], struct part msg);

/*
 * A seed that signs often, with its public key at hand: OpenSSL computes that for each signature
 * made from a seed alone, which doubles the price.  Both are held in memory for secrets; they
 * do not change, so that any number of threads may use them at a time.  ERR_NOMEM, ERR_INTERNAL.
 */
struct ed25519_key;
MUST_CHECK int ed25519_key_new(struct ed25519_key **ret, const uint8_t seed[ED25519_SEED_LEN]);
void ed25519_key_free(struct ed25519_key *key); /* NULL is fine */
void ed25519_key_public(const struct ed25519_key *key, uint8_t ret_public[ED25519_PUBLIC_LEN]);

/*
 * Signature over LP("satchel/1 <purpose>")||H(bytes), ${purpose} given without
 * its prefix and ${bytes} exactly as received or as they will be sent.
 */
MUST_CHECK int ed25519_sign_for(uint8_t ret_sig[ED25519_SIG_LEN],
                                const uint8_t seed[ED25519_SEED_LEN], const char *purpose,
                                struct part bytes);
MUST_CHECK int ed25519_key_sign_for(uint8_t ret_sig[ED25519_SIG_LEN], const struct ed25519_key *key,
                                    const char *purpose, struct part bytes);
MUST_CHECK int ed25519_verify_for(const uint8_t public_key[ED25519_PUBLIC_LEN],
                                  const uint8_t sig[ED25519_SIG_LEN], const char *purpose,
                                  struct part bytes);

#endif /* COMMON_CRYPTO_ED25519_H */
