/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when - the end of a transfer, as people give it: a length of time from now on, as in 7d, or a
 * day or time in UTC, as in 2026-12-24 or 2026-12-24T18:00Z.
 */
#ifndef CLIENT_CLI_WHEN_H
#define CLIENT_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/satchel/error.h"

struct when {
    uint64_t span; /* ms from now on; 0: it is a time */
    uint64_t time; /* ms since 1970; 0: it is a length of time, or nothing was given */
};

/*
 * A day, which is its beginning, or a time: "2026-12-24", "2026-12-24T18:00", with seconds and
 * their thousandths, or a space instead of the T; a Z may be at the end, and it is UTC without it
 * too.  False if it is none, or no day of the calendar, or before 1970.
 */
bool when_time(const char *text, uint64_t *ret_ms);

/*
 * Read ${text} at the time ${now}; ${what} stands before messages, as in "--expires".
 * SATCHEL_E_INVALID: neither, or it has passed.
 */
int when_read(const char *what, const char *text, uint64_t now, struct when *ret,
              struct satchel_error *err);

#endif /* CLIENT_CLI_WHEN_H */
