/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption keys and devices of the opened profile.  Rules: satchel.h. */
#ifndef SATCHEL_ACCOUNT_H
#define SATCHEL_ACCOUNT_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- encryption keys ---- */

struct satchel_key {
    char id[SATCHEL_ID_SIZE];
    uint64_t begins, ends; /* when senders use it */
    bool newest;           /* the one that they use now */
};

/* Call ${each} for every key whose private half is still here, oldest first. */
SATCHEL_API int satchel_key_list(struct satchel *s,
                                 void (*each)(void *cookie, const struct satchel_key *k),
                                 void *cookie, struct satchel_error *err);

struct satchel_keys_rotate_options {
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_key *k);
};

/*
 * Publish a fresh encryption key now, as happens every 30 days by itself.  The earlier ones stay
 * until nothing that was sealed to them can be open any more, and are erased at a login then.
 */
SATCHEL_API int satchel_keys_rotate_start(struct satchel *s,
                                          const struct satchel_keys_rotate_options *o,
                                          struct satchel_op **ret_op, struct satchel_error *err);

/* ---- devices ---- */

struct satchel_device {
    char id[SATCHEL_ID_SIZE];
    uint64_t added, revoked;      /* revoked 0: it is not */
    bool self;                    /* this one */
    char name[SATCHEL_NAME_SIZE]; /* of its machine, "" if it is not known here */
};

/* Call ${each} for every device that our own list of keys has, as far as it is known here. */
SATCHEL_API int satchel_device_list(struct satchel *s,
                                    void (*each)(void *cookie, const struct satchel_device *d),
                                    void *cookie, struct satchel_error *err);

struct satchel_device_revoke_options {
    const char *id; /* or the beginning of one, 4 digits at least, if it is the only one */
    bool last_too;  /* even if no device is left: only the recovery words lead back then */
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_device *d);
};

/*
 * From now on a device can neither log in nor get keys, and what it signs is refused by everybody
 * who has not seen it before.  A fresh encryption key is published with it.  SATCHEL_E_NOTFOUND;
 * SATCHEL_E_REVOKED: it is already; SATCHEL_E_REFUSED: it is the last one.
 */
SATCHEL_API int satchel_device_revoke_start(struct satchel *s,
                                            const struct satchel_device_revoke_options *o,
                                            struct satchel_op **ret_op, struct satchel_error *err);

/* ---- the account ---- */

struct satchel_account_delete_options {
    const char *name;  /* the user's own, for certainty */
    const char *words; /* the 24 recovery words, or */
    const char *code;  /* a one-time password or a recovery code; NULL or "": none */
    void *cookie;
    satchel_done_cb *done;
};

/*
 * Delete the user's account at the server, for good: everything of his goes there, what he has
 * sent is revoked for whoever has not opened it.  The profile stays on this machine, for
 * satchel_profile_reset(), and is worth nothing any more.  A device alone may not: it takes the
 * words, or a code of a second factor that was enrolled at least 7 days ago.  SATCHEL_E_INVALID:
 * another name, not 24 good words; SATCHEL_E_FACTOR: one of the two is needed, is wrong, or the
 * factor is too young; SATCHEL_E_RATE; SATCHEL_E_CLOSED and
 * SATCHEL_E_TIMEOUT: it may have happened.
 */
SATCHEL_API int satchel_account_delete_start(struct satchel *s,
                                             const struct satchel_account_delete_options *o,
                                             struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_ACCOUNT_H */
