/* SPDX-License-Identifier: Apache-2.0 */
#include "common/show.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

char *show_size(uint64_t bytes, char out[SHOW_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1023.95 && u + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1024;
        u++;
    }
    if (u == 0)
        (void)snprintf(out, SHOW_SIZE, "%" PRIu64 " B", bytes);
    else
        (void)snprintf(out, SHOW_SIZE, "%.1f %s", v, units[u]);
    return out;
}

char *show_time(uint64_t ms, char out[SHOW_TIME])
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char second[24];

    if (gmtime_r(&t, &tm) == NULL ||
        strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        (void)snprintf(out, SHOW_TIME, "never");
    else
        (void)snprintf(out, SHOW_TIME, "%s.%03uZ", second, (unsigned)(ms % 1000));
    return out;
}

char *show_date(uint64_t ms, char out[SHOW_TIME])
{
    show_time(ms, out)[strcspn(out, "T")] = '\0';
    return out;
}

char *show_minute(uint64_t ms, char out[SHOW_TIME])
{
    enum { DAY = 10, MINUTE = 16 };

    (void)show_time(ms, out);
    if (out[DAY] == 'T') { /* not "never" */
        out[DAY] = ' ';
        (void)snprintf(out + MINUTE, SHOW_TIME - MINUTE, " UTC");
    }
    return out;
}

/* The unit that a length of time is told in. */
static const struct unit {
    uint64_t below, s; /* used for fewer seconds than this; its own seconds */
    char letter;
    const char *word;
} units[] = {{100, 1, 's', "second"},
             {(uint64_t)100 * 60, 60, 'm', "minute"},
             {(uint64_t)48 * 3600, 3600, 'h', "hour"},
             {UINT64_MAX, 86400, 'd', "day"}};

static const struct unit *unit_of(uint64_t s)
{
    const struct unit *u = units;

    while (s >= u->below)
        u++;
    return u;
}

char *show_span(uint64_t ms, char out[SHOW_SIZE])
{
    const struct unit *u = unit_of(ms / 1000);

    (void)snprintf(out, SHOW_SIZE, "%" PRIu64 "%c", ms / 1000 / u->s, u->letter);
    return out;
}

/* ${ms} in ${unit}, to the nearest. */
static uint64_t nearest(uint64_t ms, const struct unit *u)
{
    uint64_t unit = u->s * 1000;

    return ms / unit + (ms % unit >= unit / 2);
}

char *show_span_near(uint64_t ms, char out[SHOW_SIZE])
{
    const struct unit *u = units;

    while (nearest(ms, u) >= u->below / u->s)
        u++;
    (void)snprintf(out, SHOW_SIZE, "%" PRIu64 "%c", nearest(ms, u), u->letter);
    return out;
}

char *show_span_words(uint64_t ms, char out[SHOW_TIME])
{
    const struct unit *u = unit_of(ms / 1000);
    uint64_t n = ms / 1000 / u->s;

    (void)snprintf(out, SHOW_TIME, "%" PRIu64 " %s%s", n, u->word, n == 1 ? "" : "s");
    return out;
}
