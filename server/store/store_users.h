/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_users - requests about users, their manifests and invitations.
 *
 * struct store_<op> is the request of store_<op>() in store.h.  It and all it
 * points to is borrowed for the start call only.  "Codes" are those beyond what
 * every operation may give (store_result.h).  A value outside its range is
 * ERR_INVALID, a blob over its size ERR_TOOLARGE, both from the start call.
 * ${limit} 0 or above the largest page means the largest page.
 */
#ifndef SERVER_STORE_USERS_H
#define SERVER_STORE_USERS_H

#include "server/store/store_types.h"

/*
 * A user with the first manifest.  Codes: ERR_EXISTS (u.clash says which value
 * is taken), ERR_REFUSED (invitation unknown, used up or expired).  The same user
 * with the same names and manifest again is a duplicate and uses no invitation.
 */
struct store_user_create {
    uint8_t uid[STORE_UID_LEN];
    const char *name, *email; /* 1 to STORE_NAME_MAX, STORE_EMAIL_MAX bytes */
    struct store_blob manifest;
    uint64_t manifest_seq, quota, now;
    const uint8_t *invite; /* hash of the code, STORE_HASH_LEN bytes; NULL: none needed */
};

enum store_user_by { STORE_BY_UID, STORE_BY_NAME, STORE_BY_EMAIL };

/* u.user, in any state.  Codes: ERR_NOTFOUND. */
struct store_user_get {
    enum store_user_by by;
    uint8_t uid[STORE_UID_LEN]; /* STORE_BY_UID */
    const char *text;           /* the others */
    /* Who asks: ERR_NOTFOUND also if that user has blocked him.  NULL: nobody who could be. */
    const uint8_t *asker;
};

/* u.users in the order of user IDs, behind ${after} (NULL: from the first; then res->cursor). */
struct store_user_list {
    const uint8_t *after;
    size_t limit;
};

/* May be set below what is used: then nothing more comes in.  Codes: ERR_NOTFOUND. */
struct store_user_set_quota {
    uint8_t uid[STORE_UID_LEN];
    uint64_t quota;
};

/* Codes: ERR_NOTFOUND; ERR_BADSTATE: a deleted user stays deleted. */
struct store_user_set_state {
    uint8_t uid[STORE_UID_LEN];
    enum store_user_state state;
};

/*
 * The next manifest; the caller has checked that it follows the one before it, and says which one
 * that was: a recovery may have put another in its place since.  Codes: ERR_NOTFOUND;
 * ERR_EXISTS: the number exists with other bytes (same bytes: duplicate);
 * ERR_BADSTATE: not the next number, or ${before} is not the one before it: read again.
 *
 * A recovery may go back: with ${newest}, the number of the newest one that the caller has seen,
 * ${seq} is 2 to ${newest} + 1, and those there from ${seq} on go.  The numbers of account records
 * begin anew.  ERR_BADSTATE, too: another one is the newest by now.  With ${drop_factor} the user's
 * factor goes with them, whatever it is by now; its number rises.
 *
 * A hash here is SHA-256 of all the bytes of a stored one.
 */
struct store_manifest_put {
    uint8_t uid[STORE_UID_LEN];
    uint64_t seq, now;
    uint64_t newest; /* 0: no recovery */
    uint8_t before[STORE_HASH_LEN];
    uint8_t newest_hash[STORE_HASH_LEN]; /* of a recovery */
    bool drop_factor;                    /* of a recovery alone */
    bool again; /* it was there, and nothing was checked: ERR_BADSTATE if it is not any more */
    struct store_blob bytes;
};

/* u.manifests, numbers ${from} and up, rising.  Codes: ERR_NOTFOUND: no such user. */
struct store_manifest_list {
    uint8_t uid[STORE_UID_LEN];
    uint64_t from;
    size_t limit;
};

/* Good for ${uses} users until ${expires}.  Codes: ERR_EXISTS. */
struct store_invite_create {
    uint8_t hash[STORE_HASH_LEN];
    uint64_t now, expires;
    uint32_t uses;
};

/* u.invites, as store_user_list, by hash. */
struct store_invite_list {
    const uint8_t *after;
    size_t limit;
};

/* u.factor.  Codes: ERR_NOTFOUND: nothing was ever stored for such a user. */
struct store_factor_get {
    uint8_t uid[STORE_UID_LEN];
};

/*
 * Replace it, if nobody else has done so since it was read: ${number} is one
 * above the stored one, 1 for the first.  Codes: ERR_NOTFOUND: no such user; ERR_BADSTATE: another
 * number is next, read again.  The same number with the same bytes is a duplicate.
 */
struct store_factor_put {
    uint8_t uid[STORE_UID_LEN];
    uint64_t number;
    /* What the user is told of it, in the same transaction; `at` 0: nothing.  number and other do
     * not count. */
    struct store_feed_row tell;
    struct store_blob bytes; /* none: remove it */
};

#endif /* SERVER_STORE_USERS_H */
