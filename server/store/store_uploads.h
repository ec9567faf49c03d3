/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_uploads - requests that bring a transfer in.  Rules as in store_users.h;
 * "Codes: ERR_NOTFOUND" stands for missing and for somebody else's alike.
 *
 * An upload is open from store_upload_open() to its seal, its abort or the end
 * of its lease.  Pieces and the seal may be started together, without waiting
 * for callbacks: the seal then sees the pieces.
 */
#ifndef SERVER_STORE_UPLOADS_H
#define SERVER_STORE_UPLOADS_H

#include "server/store/store_types.h"

/* An event appended together with a change, in the same transaction. */
struct store_event_new {
    uint16_t kind;
    uint8_t uid[STORE_UID_LEN];
    struct store_blob data; /* at most STORE_EVENT_MAX */
};

struct store_slot_new {
    uint8_t uid[STORE_UID_LEN], ek[STORE_EK_LEN], instance[STORE_INSTANCE_LEN];
    uint64_t cell, day_cell; /* in erasable.keys, durable there already */
    uint32_t day;
    struct store_blob seed; /* 1 to STORE_SEED_MAX bytes */
    bool inbox;             /* false for the sender's own copy, which is in the sent list only */
    /* With has_manifest: SHA-256 of the user's newest manifest, as the sender knows it. */
    uint8_t manifest[STORE_HASH_LEN];
    bool has_manifest;
};

/*
 * u.upload.  Every mailbox must have room for the body and STORE_SLOT_COST a slot.  It is reserved
 * in the sender's, in the same transaction; the others pay when it is sealed, so that nobody can
 * block a mailbox with uploads that never end.  How much room the others have is told in
 * STORE_ROOM_STEPS steps, but for bodies smaller than one.  With ${grows} the body counts as one
 * piece at first, and as more when pieces come, at most an eighth above what has come.  If
 * ${sender} has used ${idem} before, that upload is the answer (duplicate), whatever else the
 * request says; if it is sealed by now, u.upload.sealed is true, else its lease is renewed.  Codes:
 * ERR_QUOTA (u.over_quota: number of the slot), ERR_NOTFOUND (a slot's user is missing or deleted),
 * ERR_BADSTATE (another manifest is a slot's user's newest one),
 * ERR_EXISTS (tid taken), ERR_INVALID (two slots alike, no slot), ERR_FULL (the store has no room
 * for the body now, perhaps until the next collect; where ${grows}, its pieces will tell).
 *
 * With ${early} success may come before the upload is durable, and before anybody but its own
 * upload_open, upload_get, upload_pieces, piece_put, upload_seal and upload_abort sees it (its
 * quota included): these are behind it in any case, and with the first change that is durable it is
 * so too; a crash before may forget it.  ERR_INVALID unless the body is one of at most
 * STORE_SMALL_MAX bytes that does not grow.
 */
struct store_upload_open {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN], device[STORE_DEVICE_LEN];
    uint8_t idem[STORE_IDEM_LEN];
    uint64_t now, lease, expires; /* lease: collected when this time has passed */
    uint32_t opens_max, policy;   /* opens_max 0: no limit; policy: bits for the caller */
    uint64_t body_max;            /* longest sealed body */
    bool grows;                   /* it may be shorter: see above */
    bool early;                   /* it need not last before something is put into it */
    const struct store_slot_new *slots;
    size_t nslots; /* 1 to STORE_SLOTS_MAX */
};

/*
 * Would store_upload_open() say ERR_OK, ERR_NOTFOUND, ERR_BADSTATE, ERR_QUOTA (u.over_quota),
 * ERR_INVALID or ERR_FULL to this request now?  Nothing is changed or promised.  Cells and seeds of
 * the slots need not be known yet.  An attempt that is known is a duplicate.
 */
struct store_upload_check {
    struct store_upload_open open;
};

/* u.upload without its slots, also when sealed; their number (nslots) only before.  Codes:
 * ERR_NOTFOUND. */
struct store_upload_get {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
};

/*
 * Takes ${data}, which is malloc()ed, when the start call returns ERR_OK; ERR_BUSY
 * leaves it with the caller.  ${leaf} is trusted to be its hash.  The same piece again
 * is a duplicate.  A new piece renews the lease to ${lease} if that is later.
 * Codes: ERR_NOTFOUND; ERR_EXISTS: another piece is there; ERR_TOOLARGE: beyond
 * body_max; ERR_INVALID: a second short piece; ERR_BADSTATE: sealed already; ERR_QUOTA: of an
 * upload that grows.
 */
struct store_piece_put {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN], leaf[STORE_HASH_LEN];
    uint32_t index;
    uint8_t *data;
    size_t len; /* 1 to STORE_PIECE_MAX */
    uint64_t lease;
};

/* u.pieces_durable: ranges of durable pieces from ${from}; ${limit} in ranges.  Codes:
 * ERR_NOTFOUND. */
struct store_upload_pieces {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    uint32_t from;
    size_t limit;
};

struct store_slot_seal {
    uint8_t uid[STORE_UID_LEN], ek[STORE_EK_LEN];
    uint32_t position;       /* of its leaf in slot_leaves */
    struct store_blob bytes; /* 1 to STORE_SLOT_MAX */
};

/*
 * Make the transfer visible to all its recipients, atomically.  The first header
 * wins: the same again is a duplicate, another one ERR_EXISTS.  Codes:
 * ERR_NOTFOUND; ERR_BADSTATE (u.seal.missing pieces are not durable);
 * ERR_KEYREUSED: the CID belongs to another transfer; ERR_INVALID: slots are not
 * those opened, or the length is not that of the pieces; ERR_EXPIRED: lease or
 * expiry has passed at ${now}; ERR_QUOTA: a mailbox has no room for body, metadata and
 * STORE_SLOT_COST a slot (any more): the upload stays.
 *
 * With ${piece} the body is that one piece, of at most STORE_SMALL_MAX bytes, which comes along: it
 * is put in the same transaction, or not at all if the seal fails.  Then also the codes of
 * store_piece_put().
 */
struct store_upload_seal {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN], cid[STORE_CID_LEN];
    struct store_blob header, sig, meta;
    struct store_blob piece;       /* none: all pieces were put before */
    uint8_t leaf[STORE_HASH_LEN];  /* of ${piece}, trusted to be its hash */
    struct store_blob slot_leaves; /* nslots times 32 bytes */
    uint32_t pieces;
    uint64_t body_len, now; /* now: its place in the mailboxes */
    const struct store_slot_seal *slots;
    size_t nslots;
    const struct store_event_new *event; /* NULL: none */
};

/*
 * Give up an unsealed upload: quota is released, its cells become due, its pieces are collected
 * later.  Repeating it is harmless: ERR_NOTFOUND.  Codes: ERR_NOTFOUND; ERR_BADSTATE: sealed.
 */
struct store_upload_abort {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
};

/*
 * A bounded piece of housekeeping: uploads whose lease has passed, recipients that ended
 * STORE_ENDED_MS after the expiry, then pieces and rows that nothing refers to any more; at most
 * ${limit} rows of these.  u.collect.
 */
struct store_collect {
    uint64_t now;
    size_t limit;
};

#endif /* SERVER_STORE_UPLOADS_H */
