/* SPDX-License-Identifier: Apache-2.0 */
/* A second device: one that is there lets another machine in.  Rules: satchel.h. */
#ifndef SATCHEL_DEVICE_H
#define SATCHEL_DEVICE_H

#include "account.h"
#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SATCHEL_JOIN_CODE_SIZE = 40, /* eight groups of four, '-' between, and a NUL */
    SATCHEL_JOIN_URI_SIZE = 512,
    SATCHEL_JOIN_CHECK_SIZE = 8, /* "123 456" and a NUL */
    SATCHEL_JOIN_CODE_MAX = 511  /* bytes that satchel_device_join_options.ask_code may give */
};

/* The one-time code that the new machine needs: a secret, for as long as it counts. */
struct satchel_join_code {
    const char *code;
    const char *uri;    /* "satchel://join/HOST:PORT/CODE", for a QR code */
    const char *server; /* "host:port" */
    const char *ca;     /* what the new machine needs as ca_file: "system"; or NULL */
    uint64_t expires;
};

/* A machine that wants to join, before it is let in. */
struct satchel_joiner {
    char id[SATCHEL_ID_SIZE];
    char name[SATCHEL_NAME_SIZE];        /* as it calls itself; "" if it does not */
    char check[SATCHEL_JOIN_CHECK_SIZE]; /* six digits that it shows as well */
};

struct satchel_device_add_options {
    uint64_t lifetime; /* ms that the code counts; 0: 10 minutes; at most an hour */
    const char *name;  /* of this machine, for the other one; NULL: its host name */
    void *cookie;
    /* Show the code, once. */
    void (*on_code)(void *cookie, const struct satchel_join_code *c);
    /* About every second until somebody comes: so many ms are left.  May be NULL. */
    void (*on_wait)(void *cookie, uint64_t left);
    /*
     * Somebody has come who has the code: is it the machine that is meant, does it show the same
     * number?  Only then it gets our keys; false: SATCHEL_E_REFUSED.  May block.
     */
    bool (*allow)(void *cookie, const struct satchel_joiner *who);
    /*
     * A one-time password or recovery code, where a second factor is enrolled: as
     * satchel_passphrase_cb, for the one who has come.  A wrong one is asked for again, three times
     * at most.  NULL: there is none, and with a factor the call ends with SATCHEL_E_FACTOR.
     */
    long (*ask_otp)(void *cookie, const struct satchel_joiner *who, char *buf, size_t size);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_device *d);
};

/*
 * Make a code that lets one machine in, wait for it, list it among our devices and give it what it
 * needs: the identity key, encryption keys, contacts.  Cancelled while it waits, it leaves
 * nothing.  SATCHEL_E_REFUSED: ${allow} said no, the code counts no more; SATCHEL_E_EXPIRED: nobody
 * came in time; SATCHEL_E_INTEGRITY: five came who did not have the code; SATCHEL_E_EXISTS: another
 * one came with it after it was opened for the first; SATCHEL_E_UNSUPPORTED: the machine has
 * another version of Satchel, or the server is too old; SATCHEL_E_PIN: it talks to something that
 * is not our server; SATCHEL_E_FACTOR, SATCHEL_E_RATE; SATCHEL_E_LIMIT: 64 devices are in use.
 */
SATCHEL_API int satchel_device_add_start(struct satchel *s,
                                         const struct satchel_device_add_options *o,
                                         struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_joined {
    char user_id[SATCHEL_UID_SIZE];
    char username[SATCHEL_NAME_SIZE];
    char device[SATCHEL_ID_SIZE];                             /* this one */
    char other_id[SATCHEL_ID_SIZE], other[SATCHEL_NAME_SIZE]; /* that has let it in */
    uint32_t keys; /* encryption keys that came: what is sealed to them can be read */
};

struct satchel_device_join_options {
    const char *server; /* as for registering; NULL: as the URI says that ask_code gives */
    /* NULL, NULL: the other device says whether it is the right server. */
    const char *pin, *ca_file;
    const char *name; /* of this machine, for the other one; NULL: its host name */
    bool no_passphrase;
    void *cookie;
    satchel_passphrase_cb *ask;
    satchel_passphrase_cb *ask_code; /* as ${ask}, for the code or its URI */
    /* Connected: it is the other device's turn.  ${check} is the number that it shows as well; NULL
     * as long as it has not seen our request.  The callback itself may be NULL. */
    void (*on_wait)(void *cookie, const char *check);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_joined *j);
};

/*
 * Make the profile of ${s}, where there is none, that of a user who lets this machine in with a
 * code of satchel_device_add_start().  The profile is open afterwards; satchel_restore_start()
 * brings the contacts.  Blocks inside for ${ask} and scrypt.  SATCHEL_E_INVALID: not a code;
 * SATCHEL_E_NOTFOUND: not one that counts; SATCHEL_E_EXISTS: it was used, or there is a profile;
 * SATCHEL_E_AUTH: the other device refused; SATCHEL_E_TIMEOUT: it has not answered;
 * SATCHEL_E_INTEGRITY: who answers has not made the code; SATCHEL_E_UNSUPPORTED: it has another
 * version of Satchel.
 */
SATCHEL_API int satchel_device_join_start(struct satchel *s,
                                          const struct satchel_device_join_options *o,
                                          struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_DEVICE_H */
