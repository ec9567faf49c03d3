/* SPDX-License-Identifier: Apache-2.0 */
/* Get, status and delete.  Rules: satchel.h. */
#ifndef SATCHEL_GET_H
#define SATCHEL_GET_H

#include "folder.h"

#ifdef __cplusplus
extern "C" {
#endif

struct satchel_got {
    char id[SATCHEL_ID_SIZE];
    char from_id[SATCHEL_UID_SIZE], from[SATCHEL_NAME_SIZE];
    char name[SATCHEL_FILE_SIZE]; /* as the sender called it */
    char path[SATCHEL_PATH_SIZE]; /* where it was written; "" to a descriptor */
    uint64_t size;
    uint64_t got_pieces, kept_pieces;
    bool verified;      /* signature, keys and every byte were checked: true on success */
    bool from_verified; /* the sender's safety number was compared */
};

struct satchel_get_options {
    const char *id; /* or a unique prefix of it */
    /* One of: */
    const char *folder;  /* keep the sender's name in this folder, which exists; "" is "." */
    const char *file;    /* this file */
    int fd;              /* with both NULL: write here; bytes leave as they verify */
    bool force;          /* overwrite an existing file */
    uint64_t limit_rate; /* bytes of ciphertext a second; 0: no limit */
    void *cookie;
    satchel_progress_cb *on_progress; /* NULL: none */
    /*
     * Asked for a one-time password when the sender wants one: write it to ${buf} and return
     * its length, 0 if there is none (SATCHEL_E_FACTOR), below 0 if interrupted.  Called on the
     * handle's thread; may block.  NULL: such transfers are refused.
     */
    long (*on_code)(void *cookie, const struct satchel_transfer *t, char *buf, size_t size);
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t); /* NULL; else once */
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_got *r);
};

/*
 * Receive a transfer.  The file appears under its name only when all of it was
 * checked and is durable.  Counts as an open.  A failure that may pass (network,
 * interruption, a full disk) leaves `.NAME.satchel-part` beside it if there are more than a few
 * pieces: the same get goes on from there, after it has checked what is there (kept_pieces); any
 * other failure leaves nothing.
 * SATCHEL_E_NOTFOUND (no such transfer; ambiguous: SATCHEL_E_INVALID),
 * SATCHEL_E_FACTOR, SATCHEL_E_INTEGRITY, SATCHEL_E_EXPIRED, _REVOKED, _SPENT, SATCHEL_E_EXISTS
 * (the file is there), SATCHEL_E_REFUSED (a name that cannot be a file's), SATCHEL_E_IO.
 */
SATCHEL_API int satchel_get_start(struct satchel *s, const struct satchel_get_options *o,
                                  struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_status {
    char id[SATCHEL_ID_SIZE];
    char from_id[SATCHEL_UID_SIZE];
    uint64_t created, stored, expires, padded_size;
    uint32_t opens, recipients;
    bool ours; /* sent by us: every recipient was reported; else only ourselves */
};

struct satchel_status_options {
    const char *id; /* or a unique prefix */
    void *cookie;
    satchel_recipient_cb *on_recipient;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_status *r);
};

/* What became of a transfer. */
SATCHEL_API int satchel_status_start(struct satchel *s, const struct satchel_status_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_delete_options {
    const char *id; /* or a unique prefix */
    enum satchel_folder folder;
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const char *id);
};

/* Take a transfer out of a folder of ours, or of all it is in; for good. */
SATCHEL_API int satchel_delete_start(struct satchel *s, const struct satchel_delete_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_GET_H */
