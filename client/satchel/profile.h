/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles, registering, who am I.  Rules: satchel.h. */
#ifndef SATCHEL_PROFILE_H
#define SATCHEL_PROFILE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Asks for a passphrase: write it to ${buf} (wiped, locked memory of ${size}
 * bytes) and return its length, 1 to ${size}; 0 if none can be had
 * (the call ends with SATCHEL_E_PASSPHRASE), below 0 if interrupted (it ends with
 * SATCHEL_E_CANCELED).  ${fresh}: a new one is being chosen, ask
 * twice.  Called on the handle's thread, inside the call that needs it unless that says
 * otherwise; may block.
 */
typedef long satchel_passphrase_cb(void *cookie, bool fresh, char *buf, size_t size);

enum { SATCHEL_PASSPHRASE_MAX = 1024 };

enum satchel_profile_state {
    SATCHEL_PROFILE_NONE = 0,    /* nothing there */
    SATCHEL_PROFILE_PENDING = 1, /* a registration was begun; the same one again finishes it */
    SATCHEL_PROFILE_ACTIVE = 2,
};

struct satchel_profile_info {
    char name[SATCHEL_NAME_SIZE];
    char folder[SATCHEL_PATH_SIZE];
    enum satchel_profile_state state;
    bool passphrase; /* opening it asks for one */
    bool used;       /* it is the one where none is named; $SATCHEL_PROFILE counts */
    char username[SATCHEL_NAME_SIZE], user_id[SATCHEL_UID_SIZE], server[SATCHEL_FILE_SIZE];
};

/* What is known of a profile without opening it.  Reads two small files; no handle needed. */
SATCHEL_API int satchel_profile_look(const struct satchel_place *place,
                                     struct satchel_profile_info *ret, struct satchel_error *err);

/* Call ${each} for every profile of a home, by name; place->profile is not used. */
SATCHEL_API int satchel_profile_list(const struct satchel_place *place,
                                     void (*each)(void *cookie,
                                                  const struct satchel_profile_info *p),
                                     void *cookie, struct satchel_error *err);

/*
 * Make ${place} the profile that is used where none is named, by place, option or
 * $SATCHEL_PROFILE.  SATCHEL_E_NOTFOUND: there is no such profile.
 */
SATCHEL_API int satchel_profile_use(const struct satchel_place *place, struct satchel_error *err);

/*
 * Remove a profile from this machine: keys, contacts, all that is in its folder; an agent of it is
 * ended.  The account at the server stays as it is, and this device in its list: without another
 * device only the recovery words lead back.  A damaged profile can be removed as well; stopped
 * anywhere, the same call finishes.  SATCHEL_E_NOTFOUND; SATCHEL_E_LOCKED: another process is
 * writing; SATCHEL_E_BADSTATE: ${s}, which may be NULL, has it open.
 */
SATCHEL_API int satchel_profile_reset(struct satchel *s, const struct satchel_place *place,
                                      struct satchel_error *err);

/*
 * Open the profile of ${s}.  Blocks: with a passphrase for scrypt, about half
 * a second.  ${ask} is called only if the vault needs it.  Every operation but
 * registering and doctor needs an opened profile.  SATCHEL_E_NOTFOUND (not
 * registered), SATCHEL_E_PASSPHRASE, SATCHEL_E_BADSTATE (opened already).
 */
SATCHEL_API int satchel_open(struct satchel *s, satchel_passphrase_cb *ask, void *cookie,
                             struct satchel_error *err);

struct satchel_passphrase_options {
    bool remove; /* no passphrase any more: keys are as safe as the disk */
    bool renew;  /* after a leak: new keys of the vault, every record sealed anew */
    void *cookie;
    satchel_passphrase_cb *ask; /* for the old one, if there is one, then for the new one */
};

/*
 * Change the passphrase of the profile of ${s}, which is not open, and open it.  Blocks: twice for
 * scrypt, and with `renew` for writing every record.  A crash leaves the old or the new one.  An
 * agent is not asked for the old one.  SATCHEL_E_PASSPHRASE, SATCHEL_E_NOTFOUND,
 * SATCHEL_E_BADSTATE.
 */
SATCHEL_API int satchel_passphrase(struct satchel *s, const struct satchel_passphrase_options *o,
                                   struct satchel_error *err);

/*
 * Keep the device secret of the profile of ${s}, which is not open, in the desktop's keyring or in
 * a file of the profile, and open it.  ${ask} is for the passphrase, if there is one; an agent is
 * not asked.  Nothing changes if it is there already.  Blocks: twice for scrypt, and some seconds
 * for a keyring that does not answer.  A crash leaves a profile that opens.  SATCHEL_E_IO: the
 * keyring is locked, or cannot be reached; and those of satchel_passphrase().
 */
SATCHEL_API int satchel_device_secret(struct satchel *s, bool keyring, satchel_passphrase_cb *ask,
                                      void *cookie, struct satchel_error *err);

struct satchel_unlock_options {
    uint64_t ms;         /* how long; at most 7 days */
    const char *program; /* the satchel command; NULL: "satchel" of $PATH */
    void *cookie;
    satchel_passphrase_cb *ask;
};

/*
 * Open the profile of ${s} and start an agent: a process that keeps the keys of the vault in locked
 * memory, so that opening needs no passphrase for a time; then it ends by itself.  Only processes
 * of the same user are served.  A running agent is replaced.  Blocks as satchel_open().
 */
SATCHEL_API int satchel_unlock(struct satchel *s, const struct satchel_unlock_options *o,
                               struct satchel_error *err);

/* End the agent of the profile of ${s}.  ${ret_was} (may be NULL): there was one. */
SATCHEL_API int satchel_lock(struct satchel *s, bool *ret_was, struct satchel_error *err);

struct satchel_registered {
    char user_id[SATCHEL_UID_SIZE];
    char username[SATCHEL_NAME_SIZE];
    bool resumed; /* an earlier attempt of the same registration was finished */
};

struct satchel_register_options {
    const char *server;   /* "host", "host:port", "[v6]:port"; port 7743 */
    const char *pin;      /* NULL: ca_file, or satchel_options.on_pin */
    const char *ca_file;  /* PEM file of certificate authorities; "system": the machine's */
    const char *username; /* 1 to 32 of [a-z0-9._-] */
    const char *email;
    const char *invite; /* NULL: none */
    bool no_passphrase; /* keys are as safe as the disk */
    void *cookie;
    satchel_passphrase_cb *ask;
    /*
     * The 24 recovery words, space between, shown once: called when the server
     * has accepted, before the profile becomes active.  Return 0 when they have
     * been shown or written; anything else stops with SATCHEL_E_IO, and the same
     * registration again calls this again.
     */
    int (*on_words)(void *cookie, const char *words);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_registered *r);
};

/*
 * Register a new user and make the profile of ${s} his; it is open afterwards.
 * Keys are stored before the server hears of them: after a lost connection
 * the same call again finishes.  When the server refuses, nothing is left
 * behind.  ${ask} is called later, when the server's key is settled, and may block
 * the loop.  SATCHEL_E_EXISTS: the profile is registered, or name or e-mail taken;
 * SATCHEL_E_AUTH: invitation, or closed.
 */
SATCHEL_API int satchel_register_start(struct satchel *s, const struct satchel_register_options *o,
                                       struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_me {
    char username[SATCHEL_NAME_SIZE], user_id[SATCHEL_UID_SIZE];
    char email[SATCHEL_FILE_SIZE];
    char server[SATCHEL_FILE_SIZE], server_id[SATCHEL_UID_SIZE]; /* server_id: 40 hex digits */
    char pin[SATCHEL_PIN_SIZE];                                  /* "" with a CA */
    char device[SATCHEL_ID_SIZE];
    char folder[SATCHEL_PATH_SIZE], profile[SATCHEL_NAME_SIZE];
    uint32_t manifest; /* its sequence number */
    uint64_t key_ends; /* end of the newest encryption key */
    bool passphrase;
    bool receipts; /* are sent */
    bool keyring;  /* the device secret is in the desktop's keyring, not in a file */
};

/* Who the opened profile is.  From the vault, without the network. */
SATCHEL_API int satchel_whoami(struct satchel *s, struct satchel_me *ret,
                               struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_PROFILE_H */
