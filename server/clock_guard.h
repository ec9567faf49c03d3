/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_guard - the time by which things end, when the clock may be wrong.
 *
 * What expires is destroyed for good, so a clock that somebody has set ahead must not
 * expire anything.  A time is trusted if it is at most 24 hours past the last one
 * noted in erasable.keys, and at most 24 hours past what this process should see by the
 * time that has gone by since it started; the second keeps many small jumps from adding up.  Any
 * other one is not used: time stands still until the operator says that the clock is right.
 *
 * Threads: any, one at a time for each object.  Times are milliseconds; ${boot} is of a clock that
 * nobody sets and that goes on in suspend.
 */
#ifndef SERVER_CLOCK_GUARD_H
#define SERVER_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct clock_guard {
    uint64_t now;        /* the time to go by: the clock's, or the last one that was right */
    uint64_t trusted;    /* the latest time that was right */
    uint64_t wall, boot; /* a moment at which the clock was right */
    bool jumped;         /* it was not, when last looked at */
};

/* ${noted}: the last noted time, from erasable.keys. */
void clock_guard_init(struct clock_guard *g, uint64_t noted, uint64_t wall, uint64_t boot);

/* Is the clock's ${wall} to be trusted?  g->now is the time to go by in either case. */
bool clock_guard_look(struct clock_guard *g, uint64_t wall, uint64_t boot);

/* The operator says that ${wall} was right at ${boot}. */
void clock_guard_confirm(struct clock_guard *g, uint64_t wall, uint64_t boot);

/* Milliseconds since the machine was started, suspend included. */
uint64_t clock_guard_boot(void);

#endif /* SERVER_CLOCK_GUARD_H */
