/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/digits.h"

#include <stdint.h>

void digits_encode(char *ret_text, const void *data, size_t len, unsigned width, const char *digits)
{
    const uint32_t mask = (1U << width) - 1;
    const uint8_t *p = data;
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= width; have -= width)
            *ret_text++ = digits[bits >> (have - width) & mask];
    }
    if (have > 0)
        *ret_text++ = digits[bits << (width - have) & mask];
    *ret_text = '\0';
}
