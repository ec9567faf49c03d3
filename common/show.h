/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show - sizes, times and lengths of time in words for people.
 *
 * Threads: any.  Never fails: what has no words is said to be so.
 */
#ifndef COMMON_SHOW_H
#define COMMON_SHOW_H

#include <stdint.h>

enum { SHOW_SIZE = 24, SHOW_TIME = 32 };

/* "1.5 MiB", "917 B".  Returns ${out}, as all of these do. */
char *show_size(uint64_t bytes, char out[SHOW_SIZE]);

/* Milliseconds since 1970 as RFC 3339 in UTC: "2026-11-20T08:00:00.000Z"; the day of it alone. */
char *show_time(uint64_t ms, char out[SHOW_TIME]);
char *show_date(uint64_t ms, char out[SHOW_TIME]);

/* The minute of ${ms}, as in "2026-11-20 08:00 UTC": never the day alone, which has 24 hours. */
char *show_minute(uint64_t ms, char out[SHOW_TIME]);

/*
 * A length of time in one unit, rounded down: "45s", "12m", "3h", "6d", as options take it; the
 * same in words: "45 seconds", "6 days".
 */
char *show_span(uint64_t ms, char out[SHOW_SIZE]);
char *show_span_words(uint64_t ms, char out[SHOW_TIME]);

/*
 * As show_span(), but the nearest: what has just begun to last 7 days has "7d" left, a second later
 * too.  Days are shown from 2 of them on, and are never more than half a day too many.
 */
char *show_span_near(uint64_t ms, char out[SHOW_SIZE]);

#endif /* COMMON_SHOW_H */
