/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup - what the account record holds (proto/FORMATS.md section 17):
 * encryption keys, contacts, groups; and whether the server's copy is up to date.
 *
 * All functions touch the disk: not for the loop thread.  Threads: any.
 * Errors: those of vault.h, contact.h and group.h; ERR_CORRUPT for a plaintext
 * that does not hold together.
 */
#ifndef CLIENT_LOCAL_BACKUP_H
#define CLIENT_LOCAL_BACKUP_H

#include "client/local/contact.h"
#include "client/local/identity.h"

/* Something that the record holds has changed.  The caller holds the lock. */
MUST_CHECK int backup_touch(struct vault *v, struct err *err);

/* Is the server's record older than what is here?  Also when that cannot be told. */
bool backup_is_due(struct vault *v);

struct backup_made {
    uint64_t mark;   /* for backup_mark() */
    size_t left_out; /* contacts that do not fit, strangers not counted */
};

/*
 * The plaintext of a record; its mark goes to backup_mark() when the server has it, under
 * ${number}.  The caller holds the lock of the vault in both.  Contacts that we would miss least
 * (contact_rank()) are left out if not all fit.
 */
MUST_CHECK int backup_build(struct vault *v, const struct identity *id, struct secret *ret_plain,
                            struct backup_made *ret, struct err *err);
MUST_CHECK int backup_mark(struct vault *v, uint64_t mark, uint64_t number, struct err *err);

/* For backup_build(): a record is being made, of which ${ret_mark} tells how new it is.  The caller
 * holds the lock. */
MUST_CHECK int backup_building(struct vault *v, uint64_t *ret_mark, struct err *err);

/*
 * The number of the newest record that was written or read on this device; 0: none, or that
 * cannot be told.  And note one that was read; the caller holds the lock.
 */
uint64_t backup_number(struct vault *v);
MUST_CHECK int backup_note_number(struct vault *v, uint64_t number, struct err *err);

/* A record as the server gave it. */
struct backup_sealed {
    struct part body;
    const uint8_t *signature; /* SIGNED_SIG_LEN */
};

/*
 * The plaintext of a record, for the owner of ${box}.  It counts if a device
 * has signed it that the newest of ${chain} lists and has not revoked, or if one of the chain's
 * manifests names it (FORMATS.md section 17).  ERR_INTEGRITY,
 * ERR_NOTFOUND: not sealed to this box; and those of account.h.
 */
MUST_CHECK int backup_open(const struct chain *chain, const struct backup_sealed *record,
                           const struct secret *box, struct secret *ret_plain, struct err *err);

/* The encryption keys in a plaintext, oldest first; ${ret} has room for IDENTITY_KEYS_MAX. */
MUST_CHECK int backup_keys(struct part plain, struct identity_key *ret, size_t *ret_n,
                           struct err *err);

/* The names of devices in a plaintext, for identity_keep_name(). */
MUST_CHECK int backup_names(struct part plain, struct identity *id, struct err *err);

/* ---- what a recovery has still to do ---- */

struct backup_contact {
    struct uid uid;
    char name[CONTACT_NAME_SIZE], verified[SAFETY_TEXT], email[IDS_EMAIL_TEXT];
    char username[IDS_USERNAME_TEXT]; /* "": none, or the record does not tell */
    bool named, blocked, replaced;
    struct hash32 manifest; /* the newest that was pinned */
};

/* Note contacts and groups of a plaintext; the caller holds the lock.  NULL takes the note away. */
MUST_CHECK int backup_note_rest(struct vault *v, const struct secret *plain, struct err *err);

/* The contacts noted, malloc()ed.  ERR_NOTFOUND: nothing is left to do. */
MUST_CHECK int backup_rest(struct vault *v, struct backup_contact **ret, size_t *ret_n,
                           struct err *err);

/* Whose a name is, as the note tells: nobody else is to get it before he is back. */
enum backup_claim {
    BACKUP_NO_CLAIM,
    BACKUP_USERNAME, /* a contact was found by it: a username or an address that was pinned */
    BACKUP_PETNAME,  /* we have called a contact so */
    BACKUP_GROUP
};

/*
 * What others than ${but} (NULL: nobody) claim of ${name}, as is noted.  Nothing is noted, or what
 * ${but} claims goes before: BACKUP_NO_CLAIM.
 */
MUST_CHECK int backup_claims(struct vault *v, const char *name, const struct uid *but,
                             enum backup_claim *ret, struct err *err);

/* Groups that are not back, or not all of them.  Zero-initialise; free with backup_lost_free(). */
struct backup_lost {
    char (*names)[CONTACT_NAME_SIZE];
    size_t n;
};

/*
 * Make the groups noted, as far as their members are contacts; the caller holds the lock.  Those
 * whose name is taken or no name, or that are too large, go to ${ret_lost}.
 */
MUST_CHECK int backup_make_groups(struct vault *v, struct backup_lost *ret_lost, struct err *err);
void backup_lost_free(struct backup_lost *lost); /* empties it */

#endif /* CLIENT_LOCAL_BACKUP_H */
