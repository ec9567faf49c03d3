/* SPDX-License-Identifier: Apache-2.0 */
/* Send files and streams.  Rules: satchel.h. */
#ifndef SATCHEL_SEND_H
#define SATCHEL_SEND_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum satchel_state {
    SATCHEL_STATE_STORED = 0,
    SATCHEL_STATE_RELEASED = 1, /* its key was handed out */
    SATCHEL_STATE_RECEIVED = 2, /* a receipt came */
    SATCHEL_STATE_DELETED = 3,
    SATCHEL_STATE_EXPIRED = 4,
    SATCHEL_STATE_REVOKED = 5,
    SATCHEL_STATE_SPENT = 6, /* of one's own: no open is left */
};

/* "stored", "released", "received", "deleted", "expired", "revoked", "spent". */
SATCHEL_API const char *satchel_state_name(enum satchel_state state);

struct satchel_recipient {
    const char *who;  /* as the caller gave it; the user ID where nobody did */
    const char *name; /* contact's name or username; "" unknown */
    const char *user_id;
    enum satchel_state state; /* with satchel_status_start() */
    uint32_t opens_used;
    uint64_t changed;  /* when the state did */
    uint64_t received; /* when a receipt came; 0: none */
};

typedef void satchel_recipient_cb(void *cookie, const struct satchel_recipient *r);

struct satchel_sent {
    char id[SATCHEL_ID_SIZE];
    char name[SATCHEL_FILE_SIZE];
    uint64_t size, padded_size, created, expires;
    uint32_t recipients; /* without our own copy */
    uint64_t sent_pieces, kept_pieces;
};

struct satchel_send_options {
    const char *path;      /* a regular file, a folder or a FIFO */
    int fd;                /* with path NULL: what comes out of it; stays the caller's */
    const char *name;      /* shown to recipients; NULL: last part of the path */
    const char *const *to; /* WHO, at least one; a user named twice counts once */
    size_t to_count;
    const char *message;    /* at most 16 KiB; NULL: none */
    const char *media_type; /* at most 127 bytes; NULL: none */
    uint64_t lifetime;      /* 0: `expires`, or 7 days, within the server's limits */
    uint64_t expires;       /* with lifetime 0: when it ends, still to come; 0: not said */
    uint32_t opens;         /* opens for each recipient; 0: no limit */
    bool no_padding;        /* the server may learn the exact size */
    bool no_preview;        /* make no preview, also of a PNG, JPEG or WebP file */
    bool require_otp;       /* the server releases it only for a fresh one-time password */
    /* Bytes of ciphertext a second; 0: no limit.  All sends of a handle that have the limit which
     * was used with it first share it. */
    uint64_t limit_rate;
    /* Send nothing: give up what the same send, interrupted, has left (satchel_send_start()). */
    bool abandon;
    void *cookie;
    satchel_recipient_cb *on_recipient; /* each one, in order, once known; NULL: none */
    satchel_progress_cb *on_progress;   /* NULL: none */
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_sent *r);
};

/*
 * Send a file, a folder (as an archive: proto/FORMATS.md section 8.1) or what comes out of a pipe
 * to one or more users as one transfer.  It becomes visible to all or to none.  It is read while it
 * is sent, encrypted with constant memory; a pipe to its end, whenever that comes.  A connection
 * that is lost is waited for, whatever is sent.  A failure that may pass leaves a record of a file
 * of more than a few pieces: the same send (file, recipients, options) goes on with it, unless the
 * file has changed (kept_pieces).  SATCHEL_E_INVALID: an option, such as an `expires` that has
 * passed or stands beside `lifetime`; SATCHEL_E_NOTFOUND: file or user; SATCHEL_E_IO: not a
 * readable file, folder or pipe, or it changed meanwhile; SATCHEL_E_KEYCHANGED, _QUOTA, _TOOLARGE.
 *
 * With `abandon` such a record goes, and what the server has of it; the file need not be there any
 * more.  SATCHEL_E_NOTFOUND: there is none; SATCHEL_E_LOCKED: it is being sent;
 * SATCHEL_E_BADSTATE: all of it has arrived, or the server has forgotten it.
 */
SATCHEL_API int satchel_send_start(struct satchel *s, const struct satchel_send_options *o,
                                   struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_SEND_H */
