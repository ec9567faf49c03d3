/* SPDX-License-Identifier: Apache-2.0 */
/* vault_priv - what vault.c, vault_open.c and vault_renew.c share; nobody else includes it. */
#ifndef CLIENT_LOCAL_VAULT_PRIV_H
#define CLIENT_LOCAL_VAULT_PRIV_H

#include "client/local/vault.h"
#include "client/local/vault_cache.h"

enum { VAULT_ID_DIGITS = 2 * VAULT_RECORD_ID_LEN, VAULT_TABLE_SIZE = 32 };

/* Its one record, with the ID 0, is `ids` below. */
#define VAULT_IDS_TABLE "vault"
extern const uint8_t vault_ids_id[VAULT_RECORD_ID_LEN];

struct vault {
    char *folder, *records; /* of the profile; of the records in it */
    struct lock *lock;
    struct vault_keys keys;
    /*
     * The master key that the vault began with, then the vault ID of that time: IDs of records are
     * made with these.  Empty: those of now.
     */
    struct secret ids;
    struct vault_cache *cache;
};

/* "${folder}/${name}" in ${ret}; free() it.  ERR_NOMEM. */
MUST_CHECK int vault_path(const char *folder, const char *name, char **ret, struct err *err);

/* The object around keys and a lock (NULL: none) that are there; takes both if it succeeds. */
MUST_CHECK int vault_make(const char *folder, struct vault_keys *keys, struct lock *lock,
                          struct vault **ret, struct err *err);

/* ERR_PASSPHRASE unless the key file is of the vault whose keys these are. */
MUST_CHECK int vault_check_id(const char *folder, const struct vault_keys *keys, struct err *err);

/* Draw a device secret for the vault ${id} and keep it in the folder or in the keyring. */
MUST_CHECK int vault_device_make(const char *folder, const uint8_t id[VAULT_FILE_ID_LEN],
                                 bool keyring, struct secret *ret, struct err *err);

/* The same for a new vault: where it is kept is chosen as vault_create() says. */
MUST_CHECK int vault_device_choose(const char *folder, const uint8_t id[VAULT_FILE_ID_LEN],
                                   struct secret *ret, bool *ret_keyring, struct err *err);

/* The device secret of a vault that was looked at.  ERR_CORRUPT: the file is missing; ERR_TOOLARGE:
 * it is too long. */
MUST_CHECK int vault_device_read(const char *folder, const struct vault_view *view,
                                 struct secret *ret, struct err *err);

/* Bring a renewal that was decided, and then interrupted, to its end.  The lock is not held. */
MUST_CHECK int vault_renew_finish(const char *folder, struct lock *lock, struct err *err);

/* Remove what a renewal has left, decided or not.  The lock is held, or nobody uses the folder. */
MUST_CHECK int vault_renew_discard(const char *folder, struct err *err);

/* Is one waiting for that? */
bool vault_renew_pending(const char *folder);

/* Remove a folder of files; a missing one is fine. */
MUST_CHECK int vault_remove_folder(const char *folder, struct err *err);

/* The table and the ID that a record's file name says; false: it is none. */
bool vault_row_name(const char *name, char *ret_table, size_t size,
                    uint8_t ret_id[VAULT_RECORD_ID_LEN]);

#endif /* CLIENT_LOCAL_VAULT_PRIV_H */
