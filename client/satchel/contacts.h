/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People and their pinned keys.  Rules: satchel.h.
 *
 * Every user whose keys were used once is a contact, pinned to the newest list
 * of keys (manifest) seen.  Later lists must follow from it; otherwise every
 * operation with that user ends with SATCHEL_E_KEYCHANGED.
 *
 * WHO, everywhere: a contact's name, then a user ID ("sat1..."), then a
 * username, which is looked up at the server.
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
    uint32_t sequence; /* of the pinned manifest */
    uint64_t added, changed;
};

struct satchel_contact_add_options {
    const char *who; /* user ID or username */
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

/* One contact by name, user ID or username.  SATCHEL_E_NOTFOUND. */
SATCHEL_API int satchel_contact_get(struct satchel *s, const char *who, struct satchel_contact *ret,
                                    struct satchel_error *err);

/*
 * Mark a contact as verified.  ${number} is the safety number that the other
 * side reads out, digits with any spaces; SATCHEL_E_INTEGRITY if it is not
 * ours.  NULL: the caller has shown it and compared.
 */
SATCHEL_API int satchel_contact_verify(struct satchel *s, const char *who, const char *number,
                                       struct satchel_error *err);

/* Forget a contact with its pin; the next sight pins anew.  SATCHEL_E_NOTFOUND. */
SATCHEL_API int satchel_contact_remove(struct satchel *s, const char *who,
                                       struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_CONTACTS_H */
