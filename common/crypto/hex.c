/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hex.h"

void hex_encode(char *ret_text, const void *data, size_t len)
{
    static const char digits[16] = "0123456789abcdef";
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[p[i] >> 4];
        ret_text[2 * i + 1] = digits[p[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

static int value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(uint8_t *out, const char *text, size_t len)
{
    if (len % 2 != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < len; i += 2) {
        const int high = value(text[i]), low = value(text[i + 1]);

        if (high < 0 || low < 0)
            return ERR_INVALID;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return ERR_OK;
}
