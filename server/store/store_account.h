/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_account - requests about what a user's account holds besides keys and
 * mail.  Rules: store_users.h.
 */
#ifndef SERVER_STORE_ACCOUNT_H
#define SERVER_STORE_ACCOUNT_H

#include <stdbool.h>

#include "server/store/store_types.h"

/*
 * ${uid} wants nothing more from ${from}, who need not be a user, or wants it again.  From then
 * on upload_open from ${from} to ${uid} and user_get for ${from} say ERR_NOTFOUND, as for a user
 * who is not there.  Codes: ERR_NOTFOUND: no user ${uid}; ERR_TOOLARGE: STORE_BLOCKS_MAX are
 * blocked already.
 */
struct store_block_set {
    uint8_t uid[STORE_UID_LEN], from[STORE_UID_LEN];
    bool blocked;
    uint64_t now;
};

/*
 * What a user's clients keep here for a recovery, sealed: the one with the next number, from 1,
 * replaces it.  A recovery (manifest_put) makes 1 the next one again, whatever there is.  Codes:
 * ERR_NOTFOUND: no such user; ERR_EXISTS: one with this number or a higher one is there (the same
 * bytes again: duplicate); ERR_BADSTATE: the number is beyond the next one, or another manifest is
 * the newest by now: see whether it still lists the device.
 */
struct store_account_put {
    uint8_t uid[STORE_UID_LEN];
    uint64_t number, now;
    uint8_t newest[STORE_HASH_LEN]; /* SHA-256 of the manifest that the caller has looked at */
    struct store_blob bytes;        /* 1 to STORE_ACCOUNT_MAX */
};

/* u.account; without bytes if there is none, with number 0 if it is from before a recovery.  Codes:
 * none of its own. */
struct store_account_get {
    uint8_t uid[STORE_UID_LEN];
    bool bytes; /* false: the number is enough */
};

/*
 * ${uid} leaves, for good.  At once, in one transaction: the user is DELETED, name, address,
 * account record and factor are gone, nobody else gets the name again, and the user is on the list
 * of those whose mailbox is to be cleared.  The rest is user_clear()'s.  Again: duplicate.
 * Codes: ERR_NOTFOUND: no such user.
 */
struct store_user_delete {
    uint8_t uid[STORE_UID_LEN];
    uint64_t now;
};

/*
 * u.cleared: take away a bounded part of what a deleted user has left; again while res->more.
 * Transfers sent: recipients who were never given a share are revoked, the others keep what they
 * have until its end.  Received ones: as slot_delete.  Uploads: as upload_abort.  Then manifests,
 * blocks, what was to be told.  The answer has cells that are to be erased now; they are on the
 * list of due cells as well.  The user leaves the list of deleted ones with the last part, so
 * what a crash interrupts goes on.  ${any}: of whichever user is on that list, the caller knows
 * none; nobody is: ERR_OK without more.  A user who is not on the list: duplicate.
 */
struct store_user_clear {
    uint8_t uid[STORE_UID_LEN];
    bool any;
    uint64_t now;
    size_t limit; /* rows that are looked at, about; at most STORE_CLEAR_MAX */
};

#endif /* SERVER_STORE_ACCOUNT_H */
