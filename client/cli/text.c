/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/show.h"

long text_decode(const char *s, size_t *ret_len)
{
    static const struct {
        unsigned char mask, lead;
        long least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    const unsigned char *p = (const unsigned char *)s;

    *ret_len = 1;
    for (size_t n = 0; n < 4; n++) {
        long c;

        if ((p[0] & forms[n].mask) != forms[n].lead)
            continue;
        c = p[0] & (unsigned char)~forms[n].mask;
        for (size_t k = 1; k <= n; k++) {
            if ((p[k] & 0xc0) != 0x80) /* also stops at the final NUL */
                return -1;
            c = c << 6 | (p[k] & 0x3f);
        }
        if (c < forms[n].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return -1;
        *ret_len = n + 1;
        return c;
    }
    return -1;
}

/* Marks that reorder or hide what follows. */
static bool is_tricky(long c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x61c;
}

static void safe_one(long c, const char *in, size_t len, char *piece, size_t cap)
{
    if (c == '\n')
        (void)snprintf(piece, cap, "\\n");
    else if (c == '\t')
        (void)snprintf(piece, cap, "\\t");
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        (void)snprintf(piece, cap, "\\x%02x", c < 0 ? (unsigned char)in[0] : (unsigned)c);
    else if (is_tricky(c))
        (void)snprintf(piece, cap, "\\u%04lx", (unsigned long)c);
    else
        (void)snprintf(piece, cap, "%.*s", (int)len, in);
}

static char *safe(const char *in, char *out, size_t cap, bool lines)
{
    size_t used = 0;

    out[0] = '\0';
    while (*in != '\0') {
        char piece[16];
        size_t len, n;
        long c = text_decode(in, &len);

        if (lines && c == '\n')
            (void)snprintf(piece, sizeof(piece), "\n");
        else
            safe_one(c, in, len, piece, sizeof(piece));
        n = strlen(piece);
        if (used + n + 1 > cap)
            break;
        memcpy(out + used, piece, n + 1);
        used += n;
        in += len;
    }
    return out;
}

char *text_safe(const char *in, char *out, size_t cap)
{
    return safe(in, out, cap, false);
}

char *text_safe_lines(const char *in, char *out, size_t cap)
{
    return safe(in, out, cap, true);
}

char *text_size(uint64_t bytes, char out[TEXT_SIZE])
{
    return show_size(bytes, out);
}

char *text_time(uint64_t ms, char out[TEXT_TIME])
{
    return show_time(ms, out);
}

char *text_span(uint64_t ms, char out[TEXT_SIZE])
{
    return show_span(ms, out);
}

uint64_t text_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

size_t text_columns(const char *s)
{
    size_t n = 0, len;

    for (; *s != '\0'; s += len, n++)
        (void)text_decode(s, &len);
    return n;
}
