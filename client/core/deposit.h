/* SPDX-License-Identifier: Apache-2.0 */
/* deposit - give the server a fresh account record, right after a login.  Threads: the loop's own.
 */
#ifndef CLIENT_CORE_DEPOSIT_H
#define CLIENT_CORE_DEPOSIT_H

#include "client/core/link.h"

/* Is the server's record out of date, and does this server keep one? */
bool deposit_due(const struct link *l);

/*
 * In LINK_ROTATING: seal, give, note that the server has it; link_ready() follows.  A failure is
 * told as a notice and tried again at the next login.
 */
void deposit_start(struct link *l);

#endif /* CLIENT_CORE_DEPOSIT_H */
