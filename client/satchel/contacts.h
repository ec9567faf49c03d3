/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People and their pinned keys.  Rules: satchel.h.
 *
 * Every user whose keys were used once is a contact, pinned to the newest list
 * of keys (manifest) seen.  Later lists must follow from it; otherwise every
 * operation with that user ends with SATCHEL_E_KEYCHANGED.
 *
 * WHO, everywhere: a contact's name, then a user ID ("sat1..."), then a
 * username or an e-mail address, which is looked up at the server unless a
 * contact is pinned under it.  The server does not check addresses.
 *
 * All functions here but the start read and write the vault: short, but they
 * touch the disk.
 */
#ifndef SATCHEL_CONTACTS_H
#define SATCHEL_CONTACTS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct satchel_contact {
    char name[SATCHEL_NAME_SIZE]; /* given by us; the username unless one was given */
    char username[SATCHEL_NAME_SIZE];
    char user_id[SATCHEL_UID_SIZE];
    char safety[72];   /* safety number: twelve groups of five digits, space between */
    bool named;        /* the name was given by us, not taken from the server */
    bool verified;     /* the safety number was compared and marked */
    bool blocked;      /* nothing of theirs is accepted */
    bool key_changed;  /* a recovery replaced the identity key; sending waits until it was seen */
    uint32_t sequence; /* of the pinned manifest */
    uint64_t added, changed;
};

struct satchel_contact_add_options {
    const char *who; /* user ID, username or e-mail address */
    const char
        *name; /* our name for them, 1 to 63 bytes without control characters; NULL: username */
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_contact *c);
};

/*
 * Look a user up, pin the keys and give a name.  A known user's name is
 * changed.  SATCHEL_E_NOTFOUND: no such user; SATCHEL_E_EXISTS: another
 * contact has this name; SATCHEL_E_KEYCHANGED.
 */
SATCHEL_API int satchel_contact_add_start(struct satchel *s,
                                          const struct satchel_contact_add_options *o,
                                          struct satchel_op **ret_op, struct satchel_error *err);

/* Call ${each} for every contact, by name. */
SATCHEL_API int satchel_contact_list(struct satchel *s,
                                     void (*each)(void *cookie, const struct satchel_contact *c),
                                     void *cookie, struct satchel_error *err);

/* One contact by name, user ID, username or e-mail address.  SATCHEL_E_NOTFOUND. */
SATCHEL_API int satchel_contact_get(struct satchel *s, const char *who, struct satchel_contact *ret,
                                    struct satchel_error *err);

/*
 * Mark a contact as verified.  ${number} is the safety number that the other
 * side reads out, digits with any spaces; SATCHEL_E_INTEGRITY if it is not
 * ours.  NULL: the caller has shown it and compared.  Clears key_changed.
 */
SATCHEL_API int satchel_contact_verify(struct satchel *s, const char *who, const char *number,
                                       struct satchel_error *err);

/* The key change of a contact was seen: sending goes on, unverified.  SATCHEL_E_NOTFOUND. */
SATCHEL_API int satchel_contact_accept(struct satchel *s, const char *who,
                                       struct satchel_error *err);

/*
 * Give a contact a name of our own.  SATCHEL_E_NOTFOUND; SATCHEL_E_EXISTS: another contact or a
 * group has it; SATCHEL_E_INVALID.
 */
SATCHEL_API int satchel_contact_rename(struct satchel *s, const char *who, const char *name,
                                       struct satchel_error *err);

/*
 * Forget a contact with its pin; the next sight pins anew.  It leaves all groups.
 * SATCHEL_E_NOTFOUND; SATCHEL_E_REFUSED: it is blocked, which would be forgotten as well.
 */
SATCHEL_API int satchel_contact_remove(struct satchel *s, const char *who,
                                       struct satchel_error *err);

struct satchel_contact_block_options {
    const char *who; /* WHO */
    bool unblock;
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_contact *c);
};

/*
 * Accept nothing more from a user, or accept it again.  To him we look like somebody who is no
 * user of the server; what he has sent before stays at the server and is not listed any more.
 */
SATCHEL_API int satchel_contact_block_start(struct satchel *s,
                                            const struct satchel_contact_block_options *o,
                                            struct satchel_op **ret_op, struct satchel_error *err);

/* ---- groups ---- */

struct satchel_group {
    const char *name;
    const char *const *members; /* their names, or user IDs of those who are no contact any more */
    size_t count;               /* 0 to 256 */
};

/*
 * Put contacts into a group or take them out, all or none of them.  The first member makes the
 * group; it stays when the last one has left, and nothing can be sent to it then.  A group's name
 * may stand wherever files are sent to.
 * SATCHEL_E_NOTFOUND: not a contact, no such group or member; SATCHEL_E_EXISTS: a contact has
 * the name; SATCHEL_E_LIMIT: over 256 members.
 */
SATCHEL_API int satchel_group_add(struct satchel *s, const char *group, const char *const *who,
                                  size_t count, struct satchel_error *err);
SATCHEL_API int satchel_group_remove(struct satchel *s, const char *group, const char *const *who,
                                     size_t count, struct satchel_error *err);

/* Take the group itself away.  SATCHEL_E_NOTFOUND. */
SATCHEL_API int satchel_group_delete(struct satchel *s, const char *group,
                                     struct satchel_error *err);

/* Call ${each} for the group with this name, or for all of them by name with NULL. */
SATCHEL_API int satchel_group_list(struct satchel *s, const char *group,
                                   void (*each)(void *cookie, const struct satchel_group *g),
                                   void *cookie, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_CONTACTS_H */
