/* SPDX-License-Identifier: Apache-2.0 */
/* uid - user IDs: what they are computed from and how they are written.  Threads: any. */
#ifndef COMMON_CRYPTO_UID_H
#define COMMON_CRYPTO_UID_H

#include <stdint.h>

#include "common/crypto/ed25519.h"
#include "common/err.h"

#define UID_PREFIX "sat"

enum { UID_LEN = 20, UID_TEXT_LEN = 42, UID_TEXT_SIZE = UID_TEXT_LEN + 1 };

/* First 20 bytes of h(LP("satchel/1 uid")||isk_0||rk), the two public keys without LP. */
MUST_CHECK int uid_compute(uint8_t ret_uid[UID_LEN], const uint8_t isk_0[ED25519_PUBLIC_LEN],
                           const uint8_t rk[ED25519_PUBLIC_LEN]);

/* bech32m with the prefix "sat", NUL-terminated. */
void uid_to_text(char ret_text[UID_TEXT_SIZE], const uint8_t uid[UID_LEN]);

/* Upper case is read too.  ERR_INVALID says what is wrong with the text. */
MUST_CHECK int uid_from_text(uint8_t ret_uid[UID_LEN], const char *text, struct err *err);

#endif /* COMMON_CRYPTO_UID_H */
