/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/base32.h"

#include "common/crypto/digits.h"

size_t base32_len(size_t len)
{
    return len / 5 * 8 + (len % 5 * 8 + 4) / 5;
}

void base32_encode(char *ret_text, const void *data, size_t len)
{
    digits_encode(ret_text, data, len, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

bool base32_decode(void *ret_data, size_t len, const char *text)
{
    uint8_t *p = ret_data;
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0, n = base32_len(len); i < n; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return false;
        bits = bits << 5 | (unsigned)digit;
        have += 5;
        if (have >= 8) {
            have -= 8;
            *p++ = (uint8_t)(bits >> have);
        }
    }
    return (bits & ((1U << have) - 1)) == 0;
}
