/* SPDX-License-Identifier: Apache-2.0 */
/* Coming back with the recovery words.  Rules: satchel.h. */
#ifndef SATCHEL_RECOVER_H
#define SATCHEL_RECOVER_H

#include "factor.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

struct satchel_recovered {
    char user_id[SATCHEL_UID_SIZE];
    char username[SATCHEL_NAME_SIZE];
    uint32_t keys; /* earlier encryption keys that came back: what is sealed to them can be read */
    bool record;   /* there was an account record, and it was good */
    uint64_t factor_removed; /* when the second factor was enrolled that went with the old devices;
                                0: none did */
};

struct satchel_recover_options {
    const char *server, *pin, *ca_file; /* as for registering */
    const char *who;                    /* username or user ID */
    bool no_passphrase;
    void *cookie;
    satchel_passphrase_cb *ask;
    /* As ${ask}, for the 24 words; any white space between them. */
    satchel_passphrase_cb *ask_words;
    /*
     * As ${ask}, for a one-time password or a recovery code, where a second factor was enrolled at
     * least 7 days ago; a wrong one is asked for again, three times at most.  NULL: there is none.
     */
    satchel_passphrase_cb *ask_otp;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_recovered *r);
};

/*
 * Make the profile of ${s}, where there is none, that of a user who has lost his devices: with a
 * new identity key, signed for by the recovery key, and with the encryption keys of his account
 * record.  All earlier devices are revoked, and a second factor that was enrolled less than 7 days
 * ago goes with them: one of them could be a thief's, and so the factor.  Contacts are warned.
 * The profile is open afterwards; satchel_restore_start() brings the contacts back.  Nothing of an
 * existing profile is touched; stopped anywhere, the same call again begins anew.  Blocks inside
 * for ${ask} and scrypt.
 * SATCHEL_E_INVALID: not 24 good words; SATCHEL_E_AUTH: not the words of this user;
 * SATCHEL_E_EXISTS: there is a profile; SATCHEL_E_FACTOR, SATCHEL_E_RATE: of the one-time password.
 */
SATCHEL_API int satchel_recover_start(struct satchel *s, const struct satchel_recover_options *o,
                                      struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_restored {
    uint32_t contacts; /* that came back */
    uint32_t lost;     /* that did not: gone, or keys that do not follow; named likewise */
    uint32_t
        lost_groups; /* that did not come back, or not all of it: SATCHEL_NOTICE_LOST names them */
};

struct satchel_restore_options {
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_restored *r);
};

/*
 * Look up and pin again the contacts of the account record, and make the groups.  Stopped
 * anywhere, the same call again goes on.  Without anything left to do it succeeds with zeros.
 */
SATCHEL_API int satchel_restore_start(struct satchel *s, const struct satchel_restore_options *o,
                                      struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_RECOVER_H */
