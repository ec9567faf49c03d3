/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload - the record of an unfinished upload (proto/FORMATS.md section 15.4):
 * a sealed log in the vault's folder, one file for each, locked by whoever
 * sends.  It begins with the keys; then come the leaves of pieces, durable
 * before a piece leaves; then the sealed transfer, durable before it leaves.
 *
 * Touches the disk: not for the loop thread.  Threads: one at a time for each.
 * Errors: ERR_NOTFOUND, ERR_LOCKED (another process sends the same), ERR_CORRUPT,
 * ERR_IO, ERR_NOMEM, ERR_INTERNAL.
 */
#ifndef CLIENT_LOCAL_UPLOAD_H
#define CLIENT_LOCAL_UPLOAD_H

#include "client/local/source.h"
#include "client/local/vault.h"
#include "common/transfer/header.h"

enum { UPLOAD_KEY_LEN = 16, UPLOAD_SLOTS_MAX = HEADER_SLOTS_MAX };

struct upload_slot {
    struct uid uid;
    struct ek_id ek;
};

/* What the log begins with.  Zero-initialise; free with upload_free(). */
struct upload {
    struct secret cek, mek;
    uint8_t key[UPLOAD_KEY_LEN]; /* OpenTransfer.upload_key */
    struct header header;        /* tid, salt, created, expires, opens, policy, body_length */
    uint64_t lease;              /* the server keeps it until then */
    struct source_mark mark;     /* of the file */
    char *path;                  /* for people */
    struct upload_slot *slots;   /* in the order of OpenTransfer */
    uint32_t n_slots;
};
void upload_free(struct upload *u); /* wipes and empties */

struct upload_log;

/* Open and lock the log of ${key}, the digest of what makes a command the same.  New: empty. */
MUST_CHECK int upload_log_open(struct vault *v, const struct hash32 *key, struct upload_log **ret,
                               struct err *err);

/* Close and unlock.  It is removed unless it is to be kept and holds something.  NULL is fine. */
void upload_log_close(struct upload_log *l, bool keep);

/* Empty it, durably; it is still locked, and may be begun again. */
MUST_CHECK int upload_log_drop(struct upload_log *l, struct err *err);

/*
 * Read what an earlier process left.  ERR_NOTFOUND: nothing.  A torn end is cut off: what it said
 * was not durable, so nothing left because of it.
 */
struct upload_past {
    struct upload upload;
    struct buf leaves; /* 32 bytes each, from piece 0 on */
    struct buf sealed; /* as upload_log_sealed() had it; empty: not yet */
};
MUST_CHECK int upload_log_load(struct upload_log *l, struct upload_past *ret, struct err *err);
void upload_past_free(struct upload_past *p); /* wipes and empties */

/* Append, durably. */
MUST_CHECK int upload_log_begin(struct upload_log *l, const struct upload *u, struct err *err);
MUST_CHECK int upload_log_leaves(struct upload_log *l, uint32_t first, const struct hash32 *leaves,
                                 uint32_t n, struct err *err);
MUST_CHECK int upload_log_sealed(struct upload_log *l, struct part sealed, struct err *err);

/* An unfinished upload, for people; ${busy}: it is being sent now, and nothing else is known. */
struct upload_view {
    const char *path;
    uint64_t length, created, lease;
    bool busy;
};

/*
 * Call ${each} for every log; those whose lease or expiry is before ${now}, and damaged ones, are
 * removed.  ${each} may be NULL.
 */
MUST_CHECK int upload_each(struct vault *v, uint64_t now,
                           void (*each)(void *cookie, const struct upload_view *u), void *cookie,
                           struct err *err);

#endif /* CLIENT_LOCAL_UPLOAD_H */
