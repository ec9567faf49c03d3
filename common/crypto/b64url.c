/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/b64url.h"

#include <string.h>

#include "common/crypto/digits.h"

size_t b64url_len(size_t len)
{
    return len / 3 * 4 + (len % 3 * 4 + 2) / 3;
}

void b64url_encode(char *ret_text, const void *data, size_t len)
{
    digits_encode(ret_text, data, len, 6,
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

static int value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

int b64url_decode(uint8_t *out, size_t *ret_len, const char *text, size_t len)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t done = 0;

    if (len % 4 == 1)
        return ERR_INVALID;
    for (size_t i = 0; i < len; i++) {
        const int v = value(text[i]);

        if (v < 0)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[done++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0)
        return ERR_INVALID;
    *ret_len = done;
    return ERR_OK;
}
