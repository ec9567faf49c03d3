/* SPDX-License-Identifier: Apache-2.0 */
/* profile_priv - what the files of profile share; nobody else includes it. */
#ifndef CLIENT_LOCAL_PROFILE_PRIV_H
#define CLIENT_LOCAL_PROFILE_PRIV_H

#include "client/local/profile.h"

/*
 * The empty file that says that keys here are nobody's yet: of a registration that has no settings
 * so far, or that is being given up.  Without it keys without settings are a user's whose settings
 * were lost.
 */
#define PROFILE_MARK "begun"

/* There are no settings: has the folder keys that somebody needs?  ERR_CORRUPT: it has. */
MUST_CHECK int profile_check_keys(const char *folder, struct err *err);

/* The object alone; profile_close() it.  ERR_NOMEM. */
MUST_CHECK int profile_object(const char *folder, struct profile **ret, struct err *err);

/* What stands on vault and identity, which are there already. */
MUST_CHECK int profile_equip(struct profile *p, struct err *err);

/* Erase the recovery seed of an active profile: a crash after the words were shown may have left
 * it. */
MUST_CHECK int profile_forget_recovery(struct profile *p, struct err *err);

#endif /* CLIENT_LOCAL_PROFILE_PRIV_H */
