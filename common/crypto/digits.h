/* SPDX-License-Identifier: Apache-2.0 */
/* digits - bytes as digits of a power of two, most significant bit first (RFC 4648 section 3).
 * Pure.  Threads: any. */
#ifndef COMMON_CRYPTO_DIGITS_H
#define COMMON_CRYPTO_DIGITS_H

#include <stddef.h>

/*
 * ${len} bytes as characters of ${digits}, each standing for ${width} bits (1 to 8; ${digits} holds
 * 2^width characters), the last one filled up with zero bits, then a NUL: (8 * len + width - 1) /
 * width characters, without padding.
 */
void digits_encode(char *ret_text, const void *data, size_t len, unsigned width,
                   const char *digits);

#endif /* COMMON_CRYPTO_DIGITS_H */
