/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deposit - give the server a fresh account record: right after a login, and before a manifest with
 * a new encryption key, which a recovery could not read anything with otherwise.
 *
 * Threads: the loop's own.
 */
#ifndef CLIENT_CORE_DEPOSIT_H
#define CLIENT_CORE_DEPOSIT_H

#include "client/core/link.h"

/* Is the server's record out of date, and does this server keep one? */
bool deposit_due(const struct link *l);

/* Has a key been drawn that is about to be published, and does this server keep a record? */
bool deposit_first(const struct link *l);

/*
 * Logged in: seal, give, note that the server has it; then ${then}, whatever came of it, later and
 * never from inside.  A failure is told as a notice and tried again at the next login.  NULL: out
 * of memory, and ${then} is not called.
 */
typedef void deposit_then(void *cookie);
struct deposit *deposit_start(struct link *l, deposit_then *then, void *cookie);

/* Do not call ${then} any more; NULL is fine. */
void deposit_forget(struct deposit *d);

/* In LINK_ROTATING, the end of all that follows a login: deposit what is due, then link_ready(). */
void deposit_last(struct link *l);

#endif /* CLIENT_CORE_DEPOSIT_H */
