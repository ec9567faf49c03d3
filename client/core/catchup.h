/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catchup - what other devices of ours have changed since this one was here last: manifests, and
 * the private halves of new encryption keys, which come with the account record.
 *
 * Threads: the loop's own.
 */
#ifndef CLIENT_CORE_CATCHUP_H
#define CLIENT_CORE_CATCHUP_H

#include "client/core/link.h"

/* After a login: has the server something that is newer than what is here? */
bool catchup_due(const struct link *l);

/*
 * In LINK_ROTATING: get it, check it, keep it; link_caught_up() follows.  Manifests that do not
 * continue ours end the connection with ERR_KEYCHANGED; another failure is told as a notice and
 * tried again at the next login.
 */
void catchup_start(struct link *l);

#endif /* CLIENT_CORE_CATCHUP_H */
