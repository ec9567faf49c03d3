/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/text.h"

#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

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

/* What a byte may become: an escape. */
enum { MOST = sizeof("\\x1b") - 1 };

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

char *text_message(const char *in)
{
    size_t cap = strlen(in) * MOST + 1;
    char *out = malloc(cap);

    return out != NULL ? safe(in, out, cap, true) : NULL;
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
    return show_span_near(ms, out);
}

uint64_t text_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- columns ---- */

/* Of UTF-8, whatever the settings: wcwidth() knows nothing of other characters elsewhere. */
static locale_t utf8;

static void find_utf8(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* Until uselocale() with what it returns. */
static locale_t use_utf8(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_utf8);
    return uselocale(utf8); /* none: changes nothing */
}

/* How many marks a letter has for nothing.  Languages need no more; a heap of them is no name. */
enum { MARKS_MOST = 4 };

/*
 * Of the first character of ${s}, its length in *${ret_len}; *${marks} is how many marks stand
 * right before it, in the beginning none.
 */
static size_t columns_of(const char *s, size_t *marks, size_t *ret_len)
{
    long c = text_decode(s, ret_len);
    int n = c >= 0 ? wcwidth((wchar_t)c) : -1;

    if (n == 0)
        return ++*marks > MARKS_MOST ? 1 : 0;
    *marks = 0;
    return n > 0 ? (size_t)n : 1;
}

size_t text_columns(const char *s)
{
    locale_t old = use_utf8();
    size_t n = 0, marks = 0, len;

    for (; *s != '\0'; s += len)
        n += columns_of(s, &marks, &len);
    (void)uselocale(old);
    return n;
}

/* As text_head(), in the locale that the caller has set. */
static size_t take(const char *s, size_t columns)
{
    size_t used = 0, n = 0, marks = 0, len;

    for (; s[used] != '\0'; used += len) {
        n += columns_of(s + used, &marks, &len);
        if (n > columns)
            break;
    }
    return used;
}

size_t text_head(const char *s, size_t columns)
{
    locale_t old = use_utf8();
    size_t n = take(s, columns);

    (void)uselocale(old);
    return n;
}

char *text_fit(const char *in, size_t columns, char *out)
{
    size_t all = text_columns(in), end = columns / 3, head, tail;
    locale_t old;

    if (all <= columns) {
        memcpy(out, in, strlen(in) + 1);
        return out;
    }
    out[0] = '\0';
    if (columns == 0)
        return out;
    old = use_utf8();
    head = take(in, columns - 1 - end);
    tail = take(in, all - end);
    if (text_columns(in + tail) > end) { /* half of a wide character would stay */
        size_t len, marks = 0;

        (void)columns_of(in + tail, &marks, &len);
        tail += len;
        tail += take(in + tail, 0);
    }
    (void)uselocale(old);
    memcpy(out, in, head);
    memcpy(out + head, "\xe2\x80\xa6", 3);
    memcpy(out + head + 3, in + tail, strlen(in + tail) + 1);
    return out;
}
