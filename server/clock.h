/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the last time that was believed, kept in a file: a clock that stands
 * more than 24 hours behind it counts as jumped until somebody confirms it.
 *
 * The file holds the time as text, milliseconds since 1970.
 * Threads: one at a time.  clock_open() and clock_save() touch the disk.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define CLOCK_JUMP_MS ((uint64_t)24 * 3600 * 1000)

struct clock {
    uint64_t believed; /* ms since 1970; 0: nothing is known yet */
    bool jumped;
};

/* What the file at ${path} says; a missing one is a first start.  ERR_CORRUPT, ERR_IO. */
MUST_CHECK int clock_open(struct clock *ret_c, const char *path, struct err *err);

/* It is ${now}: believed, unless it has jumped.  True if it is. */
bool clock_tell(struct clock *c, uint64_t now);

/* Somebody says that ${now} is right. */
void clock_confirm(struct clock *c, uint64_t now);

/* Keep ${believed} durably. */
MUST_CHECK int clock_save(const char *path, uint64_t believed, struct err *err);

#endif /* SERVER_CLOCK_H */
