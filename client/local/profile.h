/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile - a user on this machine: folder, settings, vault, identity.
 *
 * Registering, so that a crash or a lost answer at any point can be repeated:
 *     profile_begin    keys are drawn and stored, settings say "pending"
 *     (the server registers the user)
 *     (the recovery words are shown)
 *     profile_activate settings say "active", the recovery seed is erased
 *     profile_discard  instead, when the server has refused: nothing is left
 *
 * All functions touch the disk: not for the loop thread, and with a passphrase
 * profile_open() and profile_begin() take half a second.
 * Threads: any; struct profile does not change while it is open but for `id`,
 * `settings` and the factors, which the loop thread replaces.
 * Errors: those of vault.h, settings.h, identity.h.
 */
#ifndef CLIENT_LOCAL_PROFILE_H
#define CLIENT_LOCAL_PROFILE_H

#include "client/local/identity.h"
#include "client/local/place.h"
#include "client/local/seen.h"
#include "client/local/settings.h"

struct profile {
    char *folder;
    struct settings settings;
    struct vault *vault;
    struct hedge *hedge;
    struct seen *seen;
    struct identity *id;
    bool backup_due; /* the account record at the server is not up to date, when it was looked at */
    uint64_t record; /* number of the newest account record that was written or read here */
    uint64_t factor; /* ms since 1970: when the second factor known here was enrolled; 0: none */
    uint64_t own_factor; /* the same of the one that was enrolled here */
};

/* Nothing of ours, a registration that was begun, or a user? */
enum profile_state { PROFILE_NONE, PROFILE_PENDING, PROFILE_ACTIVE };
struct profile_look {
    enum profile_state state;
    bool passphrase;
    struct settings settings; /* empty with PROFILE_NONE */
};
/* ERR_CORRUPT with what to do in the hint: the settings are damaged, or missing where a user's keys
 * are. */
MUST_CHECK int profile_look(const char *folder, struct profile_look *ret, struct err *err);
void profile_look_free(struct profile_look *l);

/* Open, pending or active.  ERR_NOTFOUND: there is none. */
MUST_CHECK int profile_open(const char *folder, const struct secret *passphrase,
                            struct profile **ret, struct err *err);
void profile_close(struct profile *p); /* wipes; NULL is fine */

/* With the keys of its vault, as an agent keeps them.  ERR_PASSPHRASE: they are not its now. */
MUST_CHECK int profile_open_keys(const char *folder, const struct vault_keys *keys,
                                 struct profile **ret, struct err *err);

/* Protect the vault by ${passphrase} from now on, NULL: by nothing but the disk; ${renew}: with new
 * keys throughout (vault_renew()). */
MUST_CHECK int profile_passphrase(struct profile *p, const struct secret *passphrase, bool renew,
                                  struct err *err);

/* Keep the device secret in the desktop's keyring or in a file (vault_move_device()). */
MUST_CHECK int profile_device_secret(struct profile *p, const struct secret *passphrase,
                                     bool keyring, struct err *err);

struct profile_plan {
    const struct place *place;
    const struct secret *passphrase; /* NULL: none */
    const struct settings *settings; /* server, pin, ca_file */
    struct identity_plan identity;
    struct identity_recovery *recovery; /* one of the two; both NULL: a new user */
    struct identity_joining *joining;
    const struct secret *account; /* plaintext of his account record; NULL: none */
};

/*
 * Make a pending profile, in place of nothing or of another pending one.
 * ERR_EXISTS: an active one is there, or for a known user a pending one of somebody else.
 * ERR_CORRUPT: one whose settings are lost is there, as profile_look() says; its keys are kept.
 */
MUST_CHECK int profile_begin(const struct profile_plan *plan, struct profile **ret,
                             struct err *err);
MUST_CHECK int profile_activate(struct profile *p, struct err *err);

/* Remove a pending profile from the disk; ${p} is closed in any case. */
MUST_CHECK int profile_discard(struct profile *p, struct err *err);

/*
 * Remove what is in a profile's folder, readable or not, and the folder: nobody is that user here
 * any more.  A crash leaves a profile that is whole, or none but files to be removed by the same
 * call.  ERR_NOTFOUND: there is no folder; ERR_LOCKED: another process is writing.
 */
MUST_CHECK int profile_erase(const char *folder, struct err *err);

struct profile_care {
    uint64_t now;
    uint64_t erase_at, max_lifetime; /* as for identity_erase_old() */
};

/*
 * What counts at ${now} with a server that says ${server_now} and ${max_lifetime}: neither may keep
 * old keys for long.  Its clock holds erasing back by a day at most, its longest lifetime counts up
 * to that of the settings.
 */
struct profile_care profile_care_for(const struct settings *s, uint64_t now, uint64_t server_now,
                                     uint64_t max_lifetime);

/*
 * Another encryption key, when identity_due(): draw and store it, or find the one that is on
 * its way; ${ret} is a new identity with `next` set, or without if none is due any more.
 * Keys that are not needed any more are erased.  One that adds a device is not taken up again: who
 * has asked for it does not wait any more.
 */
MUST_CHECK int profile_plan_next(struct profile *p, const struct profile_care *care,
                                 struct identity **ret, struct err *err);

/*
 * The same for a change that somebody has asked for.  ERR_BUSY: another manifest is on its way,
 * which the next login publishes; and those of identity_plan().
 */
MUST_CHECK int profile_plan_change(struct profile *p, const struct identity_change *change,
                                   uint64_t now, struct identity **ret, struct err *err);

/* Write another choice (enum settings_receipts) into the settings on the disk; those of ${p} stay.
 */
MUST_CHECK int profile_set_receipts(struct profile *p, unsigned receipts, struct err *err);

/* The server has the manifest ${next}: ${ret} is the identity after it; care->now is not read. */
MUST_CHECK int profile_promote(struct profile *p, const struct hash32 *next,
                               const struct profile_care *care, struct identity **ret,
                               struct err *err);

/* The server will not have the manifest ${next}: forget it; ${ret} as above. */
MUST_CHECK int profile_drop_next(struct profile *p, const struct hash32 *next,
                                 struct identity **ret, struct err *err);

/* What other devices have changed, as it came from the server. */
struct profile_news {
    struct manifest **manifests; /* that follow ours, taken; NULL where one was */
    size_t n;
    const struct secret *account; /* plaintext of a newer account record; NULL: none */
    uint64_t record;              /* its number */
    bool ours; /* afterwards: the manifest that was on its way from here is among them */
};
MUST_CHECK int profile_catch_up(struct profile *p, struct profile_news *news, struct identity **ret,
                                struct err *err);

#endif /* CLIENT_LOCAL_PROFILE_H */
