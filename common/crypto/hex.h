/* SPDX-License-Identifier: Apache-2.0 */
/* hex - bytes as hexadecimal digits.  Pure.  Threads: any. */
#ifndef COMMON_CRYPTO_HEX_H
#define COMMON_CRYPTO_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* 2 * ${len} lower-case digits and a NUL. */
void hex_encode(char *ret_text, const void *data, size_t len);

/*
 * ${len} digits, upper or lower case, to ${len} / 2 bytes, which may be the same memory.
 * ERR_INVALID for an odd number of them or any other character.
 */
MUST_CHECK int hex_decode(uint8_t *out, const char *text, size_t len);

#endif /* COMMON_CRYPTO_HEX_H */
