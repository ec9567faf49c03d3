/* SPDX-License-Identifier: Apache-2.0 */
/* Codes and errors.  Rules: satchel.h. */
#ifndef SATCHEL_ERROR_H
#define SATCHEL_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define SATCHEL_API __attribute__((visibility("default")))

/* What went wrong.  Numbers and names never change; new ones may come. */
enum satchel_code {
    SATCHEL_OK = 0,
    SATCHEL_E_NOMEM = -2,        /* out of memory */
    SATCHEL_E_INVALID = -3,      /* an argument or option makes no sense */
    SATCHEL_E_NOTFOUND = -4,     /* no such user, transfer, contact, profile or file */
    SATCHEL_E_EXISTS = -5,       /* taken, or already there */
    SATCHEL_E_LIMIT = -6,        /* too many of something */
    SATCHEL_E_CORRUPT = -7,      /* local data is damaged */
    SATCHEL_E_IO = -8,           /* reading or writing a local file failed */
    SATCHEL_E_PROTO = -9,        /* the server broke the protocol */
    SATCHEL_E_TLS = -10,         /* TLS failed */
    SATCHEL_E_CLOSED = -11,      /* the connection ended */
    SATCHEL_E_TIMEOUT = -12,     /* nothing came for too long */
    SATCHEL_E_CONNECT = -13,     /* the server cannot be reached */
    SATCHEL_E_AUTH = -14,        /* login, registration or invitation refused */
    SATCHEL_E_FACTOR = -15,      /* a one-time password is needed */
    SATCHEL_E_EXPIRED = -16,     /* the transfer expired */
    SATCHEL_E_REVOKED = -17,     /* the sender revoked it */
    SATCHEL_E_SPENT = -18,       /* no opens left */
    SATCHEL_E_TOOLARGE = -19,    /* over a limit of the server */
    SATCHEL_E_QUOTA = -20,       /* a mailbox is full */
    SATCHEL_E_RATE = -21,        /* too many requests; try later */
    SATCHEL_E_FULL = -22,        /* the server's store is full */
    SATCHEL_E_BUSY = -23,        /* too much at once; try later */
    SATCHEL_E_DRAINING = -24,    /* the server is stopping; try later */
    SATCHEL_E_KEYREUSED = -25,   /* a content key was used before: broken random numbers */
    SATCHEL_E_INTERNAL = -26,    /* a fault of the server or of this library */
    SATCHEL_E_UNSUPPORTED = -27, /* needs a newer version */
    SATCHEL_E_BADSTATE = -28,    /* not now: no profile opened, closing, ... */
    SATCHEL_E_INTEGRITY = -29,   /* received data failed a check; nothing was written */
    SATCHEL_E_PIN = -30,         /* the server's key is not the pinned or confirmed one */
    SATCHEL_E_KEYCHANGED = -31,  /* a contact's keys do not follow from the pinned ones */
    SATCHEL_E_PASSPHRASE = -32,  /* wrong passphrase or damaged vault */
    SATCHEL_E_CANCELED = -33,    /* satchel_cancel() or satchel_close() */
    SATCHEL_E_REFUSED = -34,     /* policy refuses it: a hostile file name, an existing file */
    SATCHEL_E_BADREQUEST = -35,  /* the server did not accept a request */
    SATCHEL_E_LOCKED = -36,      /* another process is at the same file or profile */
};

struct satchel_error {
    int code;         /* enum satchel_code */
    int exit_code;    /* what a command ends with: satchel(1) */
    const char *name; /* of the code, as in "notfound"; a constant */
    char message[512];
    char hint[256]; /* what to do; may be empty */
};

/* The library's version, as in "0.1.0", and a code's name; constants. */
SATCHEL_API const char *satchel_version(void);
SATCHEL_API const char *satchel_code_name(int code);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_ERROR_H */
