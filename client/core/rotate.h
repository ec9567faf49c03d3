/* SPDX-License-Identifier: Apache-2.0 */
/* rotate - publish the next encryption key, right after a login.  Threads: the loop's own. */
#ifndef CLIENT_CORE_ROTATE_H
#define CLIENT_CORE_ROTATE_H

#include "client/core/link.h"
#include "client/local/profile.h"

/* Is there something to do after this login, a key to publish or one to erase? */
bool rotate_due(const struct link *l);

/* The times that count now; the session is greeted. */
struct profile_care rotate_care(const struct link *l);

/*
 * In LINK_ROTATING: plan and store the key, publish its manifest, make it the
 * newest; link_ready() follows.  A failure of ours or a refusal is told as a
 * notice and tried again at the next login: the old key still works.
 */
void rotate_start(struct link *l);

#endif /* CLIENT_CORE_ROTATE_H */
