/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault - sealed records in a folder (proto/FORMATS.md section 15):
 *
 *     device              secret of this machine, a factor; not there if the
 *                         desktop's keyring has it (keyring.h)
 *     vault               master key, wrapped under the factors
 *     lock                taken by whoever writes
 *     records/TABLE-ID    one sealed record each
 *
 * Every writing replaces a file as a whole and is durable when it returns.
 * Readers need no lock: they see a record before or after a writing.  Whoever
 * reads, changes and writes holds the lock meanwhile.
 *
 * All functions touch the disk: not for the loop thread.  Threads: any; the
 * lock is for threads as well as for processes.
 * Errors: ERR_NOTFOUND, ERR_PASSPHRASE, ERR_UNSUPPORTED (vault_file.h),
 * ERR_CORRUPT (a record, or no file `device`), ERR_IO, ERR_NOMEM, ERR_INTERNAL; what needs the
 * device secret: those of keyring.h too, and waits as long.
 */
#ifndef CLIENT_LOCAL_VAULT_H
#define CLIENT_LOCAL_VAULT_H

#include "client/local/lock.h"
#include "client/local/vault_record.h"

enum {
    VAULT_PLAIN_MAX = 20 * 1024 * 1024, /* bytes of a record's plaintext */
    VAULT_LOCK_MS = 10000
};

struct vault;

/*
 * Make one in an existing folder, under the device secret and, unless it is
 * NULL, the passphrase.  What was left of another vault there is replaced.
 * Where the device secret goes says $SATCHEL_KEYRING: `on`, the keyring; `off`, a file; without it
 * the keyring if somebody is at a desktop and it takes the secret, else a file.  ERR_INVALID: it
 * says something else.
 * ${lock} is of the folder's file `lock` and held; the vault takes it, still
 * held, if this succeeds.
 */
MUST_CHECK int vault_create(const char *folder, const struct secret *passphrase, struct lock *lock,
                            struct vault **ret, struct err *err);

/* What does opening need?  ERR_NOTFOUND: there is no vault. */
MUST_CHECK int vault_look(const char *folder, struct vault_view *ret, struct err *err);

/* ${passphrase} may be NULL if none is needed. */
MUST_CHECK int vault_open(const char *folder, const struct secret *passphrase, struct vault **ret,
                          struct err *err);

/* With keys that are at hand already, and copied.  ERR_PASSPHRASE: they are not this vault's. */
MUST_CHECK int vault_open_keys(const char *folder, const struct vault_keys *keys,
                               struct vault **ret, struct err *err);
void vault_close(struct vault *v); /* wipes; NULL is fine */

/* The keys of an open vault, borrowed. */
const struct vault_keys *vault_keys(const struct vault *v);

/*
 * Wrap the same master key anew: under the device secret and, unless it is NULL, the passphrase.
 * The caller holds the lock.
 */
MUST_CHECK int vault_rewrap(struct vault *v, const struct secret *passphrase, struct err *err);

/*
 * Keep the device secret in the keyring or in a file from now on; it is drawn anew.  ${passphrase}
 * is the one the vault has, NULL if none.  Nothing changes if it is there already.  A crash leaves
 * a vault that opens.  The caller holds the lock.
 */
MUST_CHECK int vault_move_device(struct vault *v, const struct secret *passphrase, bool keyring,
                                 struct err *err);

/*
 * After a leak: draw another device secret and another master key, under ${passphrase} as in
 * vault_rewrap(), and seal every record anew.  A crash at any moment leaves the vault as it was, or
 * the next opening brings it to the end.  Other processes that have it open fail from then on.  The
 * caller holds the lock; ${v} has the new keys afterwards.
 */
MUST_CHECK int vault_renew(struct vault *v, const struct secret *passphrase, struct err *err);

/* Remove the vault of a folder with all its records; a missing one is fine. */
MUST_CHECK int vault_destroy(const char *folder, struct err *err);

/* For upload.h, whose logs lie among the records: their folder; as long as ${v}. */
const char *vault_records(const struct vault *v);

/* Wait at most VAULT_LOCK_MS.  ERR_LOCKED; ERR_BADSTATE: its keys were renewed.  Not recursive. */
MUST_CHECK int vault_lock(struct vault *v, struct err *err);
void vault_unlock(struct vault *v);

/* The ID of the record for ${key} in a table: keyed, so that file names tell nothing. */
MUST_CHECK int vault_id(struct vault *v, const char *table, struct part key,
                        uint8_t ret_id[VAULT_RECORD_ID_LEN], struct err *err);

/* Append a record's plaintext; ${ret_number} (may be NULL) changes with every writing. */
MUST_CHECK int vault_get(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
                         struct buf *out, uint64_t *ret_number, struct err *err);

/* The same for records with secrets, which are small. */
MUST_CHECK int vault_get_secret(struct vault *v, const char *table,
                                const uint8_t id[VAULT_RECORD_ID_LEN], struct secret *ret,
                                struct err *err);

/* Write or replace a record.  The caller holds the lock. */
MUST_CHECK int vault_put(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
                         struct part plain, struct err *err);

/* Remove one; a missing one is fine.  The caller holds the lock. */
MUST_CHECK int vault_delete(struct vault *v, const char *table,
                            const uint8_t id[VAULT_RECORD_ID_LEN], struct err *err);

/* A record; valid inside the call.  Another code than ERR_OK stops the walk, which returns it. */
struct vault_row {
    uint8_t id[VAULT_RECORD_ID_LEN];
    uint64_t number;
    struct part plain;
};
typedef int vault_each_cb(void *cookie, const struct vault_row *row, struct err *err);

/* Call ${each} for every record of a table, in no order. */
MUST_CHECK int vault_each(struct vault *v, const char *table, vault_each_cb *each, void *cookie,
                          struct err *err);

#endif /* CLIENT_LOCAL_VAULT_H */
