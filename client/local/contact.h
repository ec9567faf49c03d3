/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contact - users whose keys were seen, pinned to all their manifests so far.
 *
 * Names are unique: a name given by us keeps its user, a username taken from
 * the server is not used as a name while another contact has it (the user ID
 * stands instead).
 *
 * All functions with a vault touch the disk: not for the loop thread.
 * Threads: any, one at a time for each struct contact.
 * Errors: those of vault.h; ERR_CORRUPT for a contact that does not hold together.
 */
#ifndef CLIENT_LOCAL_CONTACT_H
#define CLIENT_LOCAL_CONTACT_H

#include "client/local/vault.h"
#include "common/transfer/chain.h"
#include "common/transfer/safety.h"

enum {
    CONTACT_NAME_SIZE = 64,
    CONTACT_STRANGER = 4,
    CONTACT_STRANGERS_MAX = 256,
    CONTACT_STRANGERS_LEFT = 192 /* when some are forgotten */
};

/* Zero-initialised is empty.  Free with contact_free(). */
struct contact {
    char name[CONTACT_NAME_SIZE], username[IDS_USERNAME_TEXT];
    char email[IDS_EMAIL_TEXT]; /* the address he was last looked up by, folded, or "" */
    char verified[SAFETY_TEXT]; /* the safety number that was compared, or "" */
    bool named;                 /* the name was given by us */
    bool blocked;               /* we want nothing from him */
    bool chosen; /* we have named him, opened what he sent, or have him in a group: no stranger */
    /* A succession has replaced his identity key since it was pinned, and nobody has looked at
     * that yet: nothing is sent to him until then. */
    bool replaced;
    uint64_t added, changed;
    struct chain chain; /* with the user ID; complete only after contact_load() */
};

void contact_free(struct contact *c); /* empties it */

/* 1 to 63 bytes of UTF-8 without control characters, no ',', not like a user ID.  ERR_INVALID. */
MUST_CHECK int contact_check_name(const char *name, struct err *err);

/* ERR_NOTFOUND.  All manifests are checked again. */
MUST_CHECK int contact_load(struct vault *v, const struct uid *uid, struct contact *ret,
                            struct err *err);

/*
 * The user behind a contact's name or, failing that, a username or an e-mail address that is
 * pinned.  ERR_NOTFOUND.
 */
MUST_CHECK int contact_find(struct vault *v, const char *name, struct uid *ret_uid,
                            struct err *err);

/* Write it.  The caller holds the vault's lock since it was loaded. */
MUST_CHECK int contact_save(struct vault *v, const struct contact *c, struct err *err);

/* ERR_KEYCHANGED: `replaced`, with what to do about it. */
MUST_CHECK int contact_check_seen(const struct contact *c, struct err *err);

/*
 * How much we would miss him, 0 most: verified, named, blocked, chosen; then CONTACT_STRANGER, who
 * has only sent us something.  Groups are not looked at: contact_each_ranked() does that.
 */
unsigned contact_rank(const struct contact *c);

/*
 * Strangers are pinned without our doing: make room for another one, by forgetting those who were
 * pinned first, when there are CONTACT_STRANGERS_MAX; *${count} of them are left.  Those whose keys
 * were replaced count like the others, and are forgotten last.  The caller holds the lock.
 */
MUST_CHECK int contact_bound_strangers(struct vault *v, size_t *count, struct err *err);

/* Remove it; the caller holds the lock. */
MUST_CHECK int contact_delete(struct vault *v, const struct uid *uid, struct err *err);

/*
 * Set name and username of a contact that is about to be saved.  ${name} NULL: keep the
 * name that was given, or else use the username.  A ${username} that finds another
 * contact already, or that cannot be one, is dropped.  ERR_EXISTS: another contact has the name
 * given, or a group has it.  Whatever finds somebody whom a recovery has still to bring back is
 * taken. The caller holds the lock.
 */
MUST_CHECK int contact_name(struct vault *v, struct contact *c, const char *name,
                            const char *username, struct err *err);

/* Call ${each} for all, in no order.  Chains are empty but for the user ID; ${newest} is apart. */
typedef int contact_each_cb(void *cookie, const struct contact *c, const struct manifest *newest,
                            struct err *err);
MUST_CHECK int contact_each(struct vault *v, contact_each_cb *each, void *cookie, struct err *err);

/* The same for contact_rank(): who is in a group is `chosen`, whatever his contact says. */
MUST_CHECK int contact_each_ranked(struct vault *v, contact_each_cb *each, void *cookie,
                                   struct err *err);

/*
 * The safety number of ${newest}, a contact's, and ${mine}; ${ret_verified} (may be NULL): it is
 * the one that was compared.
 */
MUST_CHECK int contact_safety(const struct contact *c, const struct manifest *newest,
                              const struct manifest *mine, char ret_text[SAFETY_TEXT],
                              bool *ret_verified, struct err *err);

#endif /* CLIENT_LOCAL_CONTACT_H */
