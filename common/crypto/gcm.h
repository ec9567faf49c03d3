/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcm - AES-256-GCM with a 96-bit nonce and a 128-bit tag behind the ciphertext.
 *
 * Never use a nonce twice with one key.  Output may be the input's memory or
 * must not overlap it.  An opening that fails leaves zeros in the output.
 *
 * Errors: ERR_INTEGRITY (wrong key, wrong nonce, damaged: all the same),
 * ERR_INVALID (over GCM_MAX bytes), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any; one struct gcm from one thread at a time.  Never blocks.
 */
#ifndef COMMON_CRYPTO_GCM_H
#define COMMON_CRYPTO_GCM_H

#include "common/crypto/part.h"
#include "common/err.h"

enum { GCM_KEY_LEN = 32, GCM_NONCE_LEN = 12, GCM_TAG_LEN = 16, GCM_MAX = 1 << 30 };

/* A key ready for many messages. */
struct gcm;

/* Expand ${key}, which is copied. */
MUST_CHECK int gcm_new(struct gcm **ret_g, const uint8_t key[GCM_KEY_LEN]);
void gcm_free(struct gcm *g); /* wipes; NULL is fine */

/* Encrypt ${in}; ${out} takes in.len + GCM_TAG_LEN bytes. */
MUST_CHECK int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_LEN], struct part aad,
                        struct part in, uint8_t *out);

/* Decrypt ${in}, ciphertext and tag; ${out} takes in.len - GCM_TAG_LEN bytes.  Shorter than a tag:
 * ERR_INTEGRITY. */
MUST_CHECK int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_LEN], struct part aad,
                        struct part in, uint8_t *out);

/* The same for a key used once. */
MUST_CHECK int gcm_seal_once(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN],
                             struct part aad, struct part in, uint8_t *out);
MUST_CHECK int gcm_open_once(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN],
                             struct part aad, struct part in, uint8_t *out);

#endif /* COMMON_CRYPTO_GCM_H */
