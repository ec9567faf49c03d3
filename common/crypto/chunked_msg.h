/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunked_msg - a whole message of C2SP chunked encryption in memory, in its
 * published form: salt || commitment || chunks.  Errors as in chunked.h.
 */
#ifndef COMMON_CRYPTO_CHUNKED_MSG_H
#define COMMON_CRYPTO_CHUNKED_MSG_H

#include "common/crypto/chunked.h"

/* ${out} takes CHUNKED_PREFIX_LEN + chunked_sealed_len(msg.len) bytes and must not overlap ${msg}.
 */
MUST_CHECK int chunked_msg_seal(const uint8_t key[CHUNKED_KEY_LEN],
                                const uint8_t salt[CHUNKED_SALT_LEN], struct part context,
                                struct part msg, uint8_t *out);

/* ${out} takes in.len bytes (less is written) and must not overlap ${in}. */
MUST_CHECK int chunked_msg_open(const uint8_t key[CHUNKED_KEY_LEN], struct part context,
                                struct part in, uint8_t *out, size_t *ret_len);

#endif /* COMMON_CRYPTO_CHUNKED_MSG_H */
