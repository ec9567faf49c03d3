/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/output_name.h"

#include <stdint.h>
#include <string.h>

/* UTF-8 of characters that move nothing but change what is seen, from first to last. */
static const struct {
    uint8_t len, first[3], last[3];
} hidden[] = {
    {2, {0xc2, 0x80}, {0xc2, 0x9f}},             /* C1 */
    {3, {0xe2, 0x80, 0x8e}, {0xe2, 0x80, 0x8f}}, /* marks of direction */
    {3, {0xe2, 0x80, 0xa8}, {0xe2, 0x80, 0xae}}, /* separators of lines, embeddings */
    {3, {0xe2, 0x81, 0xa6}, {0xe2, 0x81, 0xa9}}, /* isolates */
};

/* How many bytes at ${at} have no place in a name; 0: it is fine. */
static size_t unsafe(const char *at)
{
    const uint8_t c = (uint8_t)at[0];

    if (c < 0x20 || c == 0x7f)
        return 1;
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        const size_t len = hidden[i].len;

        if (strnlen(at, len) == len && memcmp(at, hidden[i].first, len) >= 0 &&
            memcmp(at, hidden[i].last, len) <= 0)
            return len;
    }
    return 0;
}

bool output_name_safe(const char *name, char *ret, size_t cap)
{
    bool changed = false;
    size_t used = 0;

    for (const char *at = name; *at != '\0' && used + 1 < cap;) {
        size_t len = at == name && (*at == '.' || *at == '-') ? 1 : unsafe(at);

        ret[used++] = (char)(len > 0 ? '_' : *at);
        changed |= len > 0;
        at += len > 0 ? len : 1;
    }
    ret[used] = '\0';
    return changed;
}
