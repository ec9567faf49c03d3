/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* Lead bytes, how many bytes follow, and what the first of those may be: RFC 3629 section 4. */
static const struct {
    uint8_t lead_from, lead_to, more, next_from, next_to;
} forms[] = {
    {0x01, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* Bytes of the character at ${s}; 0: it is none.  The final NUL is never a following byte. */
static size_t char_len(const uint8_t *s)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (s[0] < forms[i].lead_from || s[0] > forms[i].lead_to)
            continue;
        if (forms[i].more > 0 && (s[1] < forms[i].next_from || s[1] > forms[i].next_to))
            return 0;
        for (size_t k = 2; k <= forms[i].more; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].more + 1U;
    }
    return 0;
}

bool utf8_valid(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;

    while (*s != '\0') {
        size_t len = char_len(s);

        if (len == 0)
            return false;
        s += len;
    }
    return true;
}
