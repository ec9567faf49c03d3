/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factor - asking for the second factor inside a request.
 *
 * A handler that grants something only with a one-time password calls, as the
 * end of a step,
 *
 *     factor_check(c, &uid, c->msg->release->code, FACTOR_ALWAYS, next_step);
 *
 * next_step runs when the code was good and is spent, durably.  Otherwise ${c} is
 * answered and nothing else happens: AUTH_FACTOR (no code, a wrong one, one that was used, no
 * factor to have one of, or one that is too young), RATE (more than five tries a minute for one
 * user; or so many wrong ones in a row that the next has to wait, longer with each, also over a
 * restart), or what the store failed with.  From the third wrong one on the user's devices are
 * told.  c->res is not what it was before.
 *
 * A code counts once, for the request that brought it, whatever becomes of the request.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_FACTOR_H
#define SERVER_FACTOR_H

#include "server/call.h"
#include "server/factor_row.h"

enum factor_need {
    FACTOR_IF_ACTIVE,  /* users without a second factor pass */
    FACTOR_IF_SETTLED, /* and those with one that is not settled: factor_row_settled() */
    FACTOR_ALWAYS,     /* they have to enrol one first */
    FACTOR_SETTLED     /* and it must be settled */
};

/* Did the check find the factor settled?  In the steps behind it, which would have another time. */
bool factor_was_settled(const struct call *c);

/* ${code} belongs to the message of ${c}; NULL and "" are no code.  Once for each call. */
void factor_check(struct call *c, const struct uid *uid, const char *code, enum factor_need need,
                  call_step *then);

/* ---- for the handlers of factors themselves ---- */

/* Read the row of ${uid} and go on; it is factor_of() then. */
void factor_load(struct call *c, const struct uid *uid, call_step *then);
struct factor_row *factor_of(struct call *c);

/* Charge a try of ${uid}'s; true: answered with RATE. */
bool factor_refuse_rate(struct call *c, const struct uid *uid);

/* Answer with the code of a factor_row_take() that failed. */
void factor_refuse(struct call *c, int code);

/* Store the row, which has counted a wrong code, and answer so. */
void factor_fail(struct call *c);

/* When the row is stored the user's devices are told, in the name of the calling device. */
void factor_tell(struct call *c, enum store_feed_kind kind);

/* Store the row as it is now and go on.  Changed by somebody else meanwhile: BUSY. */
void factor_save(struct call *c, call_step *then);

/* As other devices of the user hear of it; ${ret} points into ${row}. */
void factor_describe(const struct factor_row *row, Satchel__Factor *ret);

/* Private to call.c: what c->factor is freed with; NULL is fine. */
struct factor_try;
void factor_free(struct factor_try *f);

#endif /* SERVER_FACTOR_H */
