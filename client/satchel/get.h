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
    bool folder;        /* path is a folder, unpacked; size is that of its archive */
    bool receipt_sent;  /* the server has taken our receipt */
};

struct satchel_get_options {
    const char *id; /* or a unique prefix of it */
    /* One of: */
    /*
     * Keep the sender's name in this folder, which exists; "" is ".".  In the name '_' takes the
     * place of a '.' or '-' at its beginning and of control characters: SATCHEL_NOTICE_RENAMED.
     */
    const char *folder;
    const char *file;  /* this file */
    int fd;            /* with both NULL: write here; bytes leave as they verify */
    bool force;        /* overwrite an existing file, or an empty folder with a folder */
    bool keep_archive; /* of a folder: its pax archive, ".tar" behind the sender's name */
    /* Bytes of ciphertext a second; 0: no limit.  All gets of a handle that have the limit which
     * was used with it first share it. */
    uint64_t limit_rate;
    bool no_receipt; /* the sender sees that the key was handed out, and no more */
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
 * Receive a transfer.  The file, or the folder unpacked, appears under its name only when all of
 * it was checked and is durable; a descriptor gets a folder's archive.  Counts as an open.  A
 * failure that may pass (network, interruption, a full disk) leaves `.NAME.satchel-part` beside it
 * if there are more than a few pieces: the same get goes on from there, after it has checked what
 * is there (kept_pieces); any other failure, and that of a folder, leaves nothing.
 * Then a signed receipt goes to the sender; that it does not get through is no failure.
 * SATCHEL_E_NOTFOUND (no such transfer; ambiguous: SATCHEL_E_INVALID),
 * SATCHEL_E_FACTOR, SATCHEL_E_INTEGRITY, SATCHEL_E_EXPIRED, _REVOKED, _SPENT, SATCHEL_E_EXISTS
 * (the file is there), SATCHEL_E_REFUSED (a name that cannot be a file's), SATCHEL_E_IO.
 */
SATCHEL_API int satchel_get_start(struct satchel *s, const struct satchel_get_options *o,
                                  struct satchel_op **ret_op, struct satchel_error *err);

/*
 * Receipts for all that this profile, which is open, receives from now on, or `no_receipt` for all
 * of it; kept with the profile.  Blocks on the disk.
 */
SATCHEL_API int satchel_set_receipts(struct satchel *s, bool on, struct satchel_error *err);

struct satchel_status {
    char id[SATCHEL_ID_SIZE];
    char from_id[SATCHEL_UID_SIZE];
    uint64_t created, stored, expires, padded_size;
    uint32_t opens, recipients;
    bool ours; /* sent by us: every recipient was reported; else only ourselves */
};

struct satchel_bytes {
    const uint8_t *data;
    size_t len;
};

/* An event of the server's log of a transfer of ours; the log was checked. */
struct satchel_logged {
    uint32_t number; /* from 1 */
    uint64_t time;
    unsigned kind;       /* proto/FORMATS.md section 14.4 */
    const char *name;    /* "stored", "released", "given-back", "committed", "received", ... */
    const char *who;     /* whom it concerns: contact's name, or "" */
    const char *who_id;  /* his user ID */
    bool receipt;        /* of a "received": the receipt is his, about this transfer */
    const char *problem; /* of a "received": why the receipt does not count; NULL: it does */
    struct satchel_bytes data, hash;
};

/* What a third party needs to check the log, and the header. */
struct satchel_proof {
    struct satchel_bytes header, signature; /* of the transfer */
    struct satchel_bytes head, head_signature, server_key;
};

struct satchel_status_options {
    const char *id; /* or a unique prefix */
    void *cookie;
    satchel_recipient_cb *on_recipient;
    /* NULL; else called once, before the recipients, if our own slot opens the metadata. */
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t);
    /* The log, of transfers of ours; each may be NULL, without the first it is not asked for. */
    void (*on_logged)(void *cookie, const struct satchel_logged *e); /* rising */
    void (*on_proof)(void *cookie, const struct satchel_proof *p);
    /* Manifests (serialised Signed) under which header and receipts were checked. */
    void (*on_manifest)(void *cookie, const char *user_id, struct satchel_bytes manifest);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_status *r);
};

/*
 * What became of a transfer.  `expires` is the sender's own word.  With `on_logged` a recipient has
 * received it only if his receipt in the log is good; without, the server says so.  With
 * `on_logged` the server's log of it is got and checked: SATCHEL_E_INTEGRITY if it is no chain, is
 * not signed by the server, or is not what the server has shown this profile before.
 */
SATCHEL_API int satchel_status_start(struct satchel *s, const struct satchel_status_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_delete_options {
    const char *id; /* or a unique prefix */
    enum satchel_folder folder;
    bool force; /* also one of ours that others can still open */
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const char *id);
};

/*
 * Take a transfer out of a folder of ours, or of all it is in; for good.  Of one that we have sent
 * nothing can be revoked after that: SATCHEL_E_REFUSED without `force` while somebody who has not
 * received it can open it.
 */
SATCHEL_API int satchel_delete_start(struct satchel *s, const struct satchel_delete_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_GET_H */
