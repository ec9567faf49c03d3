/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector - what time ends: transfers past their expiry, uploads past their
 * lease, cells whose keys must go, bodies that nobody needs.
 *
 * One round: mark expired recipients -> clear what deleted users have left -> erase the cells that
 * are due -> tell the store that they are -> destroy the day keys of past days -> collect rows and
 * pieces -> now and then, remove key networks that no slot needs any more.  A crash anywhere leaves
 * work that the next round finds.
 *
 * What time ends is gone for good, so a clock that has jumped ahead ends nothing
 * until the operator has confirmed it (clock_guard.h, satchelctl clock confirm).  Erasing what
 * was revoked or deleted goes on meanwhile.
 *
 * Threads: loop thread only; erasing and files are the share service's.
 */
#ifndef SERVER_COLLECTOR_H
#define SERVER_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct collector;
struct daemon;

/* Start; the first round comes soon.  ERR_NOMEM. */
MUST_CHECK int collector_new(struct collector **ret_c, struct daemon *d, struct err *err);

/* No new round; on_stopped when the one under way has ended.  Then collector_free(). */
void collector_stop(struct collector *c, void (*on_stopped)(void *arg), void *arg);
void collector_free(struct collector *c); /* NULL is fine */

/* There is something to do: have a round soon. */
void collector_kick(struct collector *c);

/* What the store has just deleted or ended gives room back when it is collected; kick as well. */
void collector_expect(struct collector *c);

/*
 * Was something deleted, or has it ended, that is not collected yet?  Then a store that is full is
 * about to have room.  True also before the first round: nobody knows yet.  False when a round has
 * failed, until the next expectation: what is left may stay for long.  NULL: false.
 */
bool collector_is_due(const struct collector *c);

struct collector_stats {
    uint64_t rounds, expired, erased, uploads, transfers, pieces;
    bool clock_jumped;      /* nothing expires until somebody confirms the time */
    uint64_t clock_trusted; /* the time by which things expire */
};
void collector_stats(const struct collector *c, struct collector_stats *ret);

/* Old key networks that no slot needs go with the next round, not only within the hour. */
void collector_look_at_instances(struct collector *c);

/* The operator says that the clock is right. */
void collector_confirm_clock(struct collector *c);

#endif /* SERVER_COLLECTOR_H */
