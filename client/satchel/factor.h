/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: one-time passwords of an authenticator (RFC 6238).  Rules: satchel.h. */
#ifndef SATCHEL_FACTOR_H
#define SATCHEL_FACTOR_H

#include "profile.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SATCHEL_CODE_SIZE = 64, /* of what somebody types as a code, with its NUL */
    SATCHEL_URI_SIZE = 1024,
    SATCHEL_RECOVERY_CODES = 10
};

/* An authenticator's key. */
struct satchel_factor_key {
    const char *uri;    /* "otpauth://totp/..." as authenticators read it from a QR code */
    const char *secret; /* the key alone, base32, for typing it in */
    unsigned digits, step;
};

struct satchel_factor_enrol_options {
    /*
     * NULL or "": the first one.  Else a code of the one that is there, which is renewed: it counts
     * until the new one does, whose 7 days then begin anew.
     */
    const char *code;
    void *cookie;
    /*
     * Show the key, and write the first code that the authenticator shows for it to ${buf}.
     * As satchel_passphrase_cb: the length, 0 if there is none, below 0 if interrupted; may block.
     * Called again, up to twice and with a `uri` of NULL, when the code was wrong.
     */
    long (*on_key)(void *cookie, const struct satchel_factor_key *key, char *buf, size_t size);
    /* The recovery codes, shown this once. */
    void (*on_codes)(void *cookie, const char *const *codes, size_t n);
    satchel_done_cb *done;
};

/*
 * Enrol an authenticator.  It counts from the moment its first code has come back; the same
 * call again before that begins anew.  SATCHEL_E_EXISTS: there is one; SATCHEL_E_FACTOR: a wrong
 * code, of the new one or of the one that is there; SATCHEL_E_RATE.
 */
SATCHEL_API int satchel_factor_enrol_start(struct satchel *s,
                                           const struct satchel_factor_enrol_options *o,
                                           struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_factor_remove_options {
    const char *code;  /* a one-time password or a recovery code, */
    const char *words; /* or the 24 recovery words of the user; both NULL: it was only begun */
    void *cookie;
    satchel_done_cb *done;
};

/* SATCHEL_E_NOTFOUND: none is enrolled; SATCHEL_E_FACTOR, SATCHEL_E_RATE; SATCHEL_E_INVALID: no
 * words. */
SATCHEL_API int satchel_factor_remove_start(struct satchel *s,
                                            const struct satchel_factor_remove_options *o,
                                            struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_factor {
    const char *kind; /* "totp" */
    bool active;      /* false: its first code has not come yet */
    uint64_t since;
    uint32_t recovery_codes;      /* left */
    uint64_t enrolled;            /* when the key became active */
    char device[SATCHEL_ID_SIZE]; /* that enrolled it; "" not known */
};

struct satchel_factor_list_options {
    void *cookie;
    void (*on_factor)(void *cookie, const struct satchel_factor *f);
    satchel_done_cb *done;
};

SATCHEL_API int satchel_factor_list_start(struct satchel *s,
                                          const struct satchel_factor_list_options *o,
                                          struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_FACTOR_H */
