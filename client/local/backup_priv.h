/* SPDX-License-Identifier: Apache-2.0 */
/* backup_priv - what the files of backup share. */
#ifndef CLIENT_LOCAL_BACKUP_PRIV_H
#define CLIENT_LOCAL_BACKUP_PRIV_H

#include "client/local/backup.h"
#include "proto/vault.pb-c.h"

/*
 * What a recovery has still to do, checked.  It has no keys, and may be too long for locked memory
 * on several workers at once: free it with NULL.  ERR_NOTFOUND: nothing.
 */
MUST_CHECK int backup_load_rest(struct vault *v, Satchel__Account **ret, struct err *err);

/* The username that was pinned with a contact of the record; "": none, or the record does not tell
 * it. */
const char *backup_username(const Satchel__AccountContact *row);

#endif /* CLIENT_LOCAL_BACKUP_PRIV_H */
