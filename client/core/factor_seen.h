/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factor_seen - the second factor as this device knows it.  After each login it is compared with
 * what the server says: whoever has got hold of another device could have enrolled or removed one,
 * and its owner must hear of it before it counts for his account.
 *
 * Threads: the loop's own.
 */
#ifndef CLIENT_CORE_FACTOR_SEEN_H
#define CLIENT_CORE_FACTOR_SEEN_H

#include "client/core/link.h"

/*
 * ${f} is that of the LoginReply; NULL (an older server): nothing is compared.  Another one than
 * that known here is told as SATCHEL_NOTICE_FACTOR, unless it was enrolled with this vault, and
 * noted in the vault if anybody listens to notices, or nobody has to hear of it; if that fails it
 * is told again at the next login. One that was not is told at every login until it counts for the
 * account, seven days later: whoever heard of it first may have been a script.
 */
void factor_seen_look(struct link *l, const Satchel__Factor *f);

/* This device has just enrolled ${f}, as the server has it now. */
void factor_seen_enrolled(struct link *l, const Satchel__Factor *f);

/* This device has removed it. */
void factor_seen_gone(struct link *l);

#endif /* CLIENT_CORE_FACTOR_SEEN_H */
