/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hkdf - HKDF (RFC 5869): extract, expand, both.
 *
 * Errors: ERR_INVALID (output of 0 or over 255 hashes, info over
 * HKDF_INFO_MAX), ERR_NOMEM, ERR_INTERNAL.  Output that was begun when
 * OpenSSL failed is wiped.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_HKDF_H
#define COMMON_CRYPTO_HKDF_H

#include "common/crypto/hash.h"
#include "common/crypto/part.h"

enum { HKDF_INFO_MAX = 32768 };

/* Extract; ${ret_prk} takes hash_len(id) bytes.  No salt is the same as hash_len(id) zero bytes. */
MUST_CHECK int hkdf_extract(enum hash_id id, uint8_t *ret_prk, struct part salt, struct part ikm);

/* Expand ${prk} to ${len} bytes; ${out} overlaps neither ${prk} nor ${info}. */
MUST_CHECK int hkdf_expand(enum hash_id id, struct part prk, struct part info, uint8_t *out,
                           size_t len);

struct hkdf_input {
    struct part ikm, salt, info;
};

/* Extract, then expand to ${len} bytes. */
MUST_CHECK int hkdf_full(enum hash_id id, const struct hkdf_input *in, uint8_t *out, size_t len);

#endif /* COMMON_CRYPTO_HKDF_H */
