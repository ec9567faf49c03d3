/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mac - HMAC (RFC 2104) over a list of parts.  Keys and data of any length.
 *
 * No state is kept between calls: nothing derived from a key outlives its call.
 * Errors: ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_MAC_H
#define COMMON_CRYPTO_MAC_H

#include "common/crypto/hash.h"
#include "common/crypto/part.h"

/* ${ret_tag} takes hash_len(id) bytes.  Compare tags with secret_equal(). */
MUST_CHECK int mac_parts(enum hash_id id, uint8_t *ret_tag, struct part key,
                         const struct part *parts, size_t n);

/* As mac_parts() with u32be length before each part: the tag of LP(a)||LP(b)...  ERR_INVALID above
 * 4 GiB. */
MUST_CHECK int mac_lp(enum hash_id id, uint8_t *ret_tag, struct part key, const struct part *parts,
                      size_t n);

#endif /* COMMON_CRYPTO_MAC_H */
