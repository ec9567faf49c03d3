/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bech32m - text that notices its own typing errors (BIP-350).
 *
 * Pure.  Errors: ERR_INVALID, with a message for people.  Threads: any.
 */
#ifndef COMMON_CRYPTO_BECH32M_H
#define COMMON_CRYPTO_BECH32M_H

#include <stddef.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

enum { BECH32M_TEXT_MAX = 90, BECH32M_PREFIX_MAX = 83 };

/* A text taken apart: prefix in lower case, data as groups of five bits. */
struct bech32m {
    char prefix[BECH32M_PREFIX_MAX + 1];
    uint8_t groups[BECH32M_TEXT_MAX];
    size_t n;
};

/* Check a NUL-terminated text of any prefix and data. */
MUST_CHECK int bech32m_parse(const char *text, struct bech32m *ret, struct err *err);

/* Bytes to text, at most BECH32M_TEXT_MAX characters and a NUL; ${prefix} in lower case. */
MUST_CHECK int bech32m_encode(char ret_text[BECH32M_TEXT_MAX + 1], const char *prefix,
                              struct part data);

/* Text with exactly this prefix to exactly ${len} bytes; bits that fill up must be zero. */
MUST_CHECK int bech32m_decode(const char *text, const char *prefix, uint8_t *ret_data, size_t len,
                              struct err *err);

#endif /* COMMON_CRYPTO_BECH32M_H */
