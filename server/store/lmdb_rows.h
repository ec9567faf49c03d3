/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_rows - the rows of the index as structures: FORMATS.md section 14.3.
 *
 * load: ERR_OK, ERR_NOTFOUND, or a failure (ERR_CORRUPT if the bytes do not decode).
 * Pointers in a loaded row point into the map: good until the next put or
 * delete.  save copies the row before it changes anything, so a row just loaded can be saved.
 */
#ifndef SERVER_STORE_LMDB_ROWS_H
#define SERVER_STORE_LMDB_ROWS_H

#include "server/store/lmdb_txn.h"
#include "server/store/store_types.h"

enum { LMDB_ROW_VERSION = 1 };

struct lmdb_user {
    uint8_t state;
    uint64_t created, quota, used, manifest_seq;
    struct store_blob name, email;
};

struct lmdb_upload {
    uint8_t sender[STORE_UID_LEN], device[STORE_DEVICE_LEN], idem[STORE_IDEM_LEN];
    uint64_t created, lease, lease_row, expires; /* lease_row: time in its row of leases */
    uint32_t opens_max, policy;
    uint64_t body_max, bytes; /* body_max: below 2^63 */
    bool grows;
    uint32_t pieces, short_piece; /* short_piece: its index, or STORE_NO_PIECE */
};

struct lmdb_slot {
    uint8_t instance[STORE_INSTANCE_LEN];
    uint64_t cell, day_cell;
    uint32_t day, position;
    struct store_blob seed, bytes;
};

struct lmdb_recipient {
    uint8_t life, views; /* views: enum store_view bits */
    uint64_t charge;     /* bytes of quota it holds */
    uint64_t received, ended;
    uint32_t returns, repeats; /* opens given back; events of claims that were no first ones */
    uint32_t nopens;
    struct store_open_row opens[STORE_OPENS_MAX];
};

struct lmdb_transfer {
    uint8_t sender[STORE_UID_LEN], device[STORE_DEVICE_LEN], idem[STORE_IDEM_LEN];
    uint64_t arrived, expires, body_len;
    uint32_t pieces, opens_max, policy;
    uint32_t live, viewers; /* recipients that are LIVE, that have a view */
    uint8_t sent, body;     /* in the sent list; pieces are kept */
    uint32_t last_event;
    uint8_t head[STORE_HASH_LEN]; /* hash of the last event, or zeros */
};

struct lmdb_header {
    struct store_blob header, sig, meta, slot_leaves;
};

struct lmdb_invite {
    uint64_t created, expires;
    uint32_t uses, left;
};

/*
 * The rows of one transfer stand together in "rows", under the number that "tids" gives it: numbers
 * rise, so that what arrives together is written together, whatever the transfer IDs are.
 */
enum lmdb_kind {
    ROW_TRANSFER = 1,
    ROW_HEADER,
    ROW_RECIPIENT,
    ROW_SLOT,
    ROW_UPLOAD,
    ROW_LEAF,
    ROW_EVENT,
    ROW_ADDENDUM
};

enum { LMDB_FRONT = 9 }; /* number and kind, before a key's own part */

/* Give a new transfer its number: ${number}, which was never used. */
void lmdb_rows_add_tid(struct lmdb_txn *t, const uint8_t *tid, uint64_t number);
/* The number is known from another row: spares looking it up. */
void lmdb_rows_know_tid(struct lmdb_txn *t, const uint8_t *tid, uint64_t number);
/* 0: there is no such transfer, or a failure. */
uint64_t lmdb_rows_number(struct lmdb_txn *t, const uint8_t *tid);

/* Keys of "rows"; of a transfer that is not there they lead to no row. */
struct lmdb_key lmdb_rows_key(struct lmdb_txn *t, const uint8_t *tid, enum lmdb_kind kind);
struct lmdb_key lmdb_rows_key_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid);
struct lmdb_key lmdb_rows_key_slot(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                                   const uint8_t *ek);
/* A leaf or an event. */
struct lmdb_key lmdb_rows_key_nth(struct lmdb_txn *t, const uint8_t *tid, enum lmdb_kind kind,
                                  uint32_t n);

/* Keys of other tables. */
struct lmdb_key lmdb_rows_key_box(const uint8_t *uid, uint64_t time, const uint8_t *tid);
struct lmdb_key lmdb_rows_key_time(uint64_t time, const uint8_t *tid, const uint8_t *uid);
struct lmdb_key lmdb_rows_key_cid_time(uint64_t time, const uint8_t *cid);
struct lmdb_key lmdb_rows_key_piece(const uint8_t *tid, uint32_t index);
struct lmdb_key lmdb_rows_key_manifest(const uint8_t *uid, uint64_t seq);

/* Load: ERR_NOTFOUND, ERR_CORRUPT.  Save: a failure is kept in the transaction. */
MUST_CHECK int lmdb_rows_load_user(struct lmdb_txn *t, const uint8_t *uid, struct lmdb_user *ret);
/* The same; ERR_NOTFOUND also for one that is deleted. */
MUST_CHECK int lmdb_rows_load_present(struct lmdb_txn *t, const uint8_t *uid,
                                      struct lmdb_user *ret);
void lmdb_rows_save_user(struct lmdb_txn *t, const uint8_t *uid, const struct lmdb_user *u);

/* ERR_NOTFOUND: ${uid} has blocked ${from}, to whom he is not there. */
MUST_CHECK int lmdb_rows_check_block(struct lmdb_txn *t, const uint8_t *uid, const uint8_t *from);

/* As for users; read: from a value met on a walk. */
MUST_CHECK int lmdb_rows_load_invite(struct lmdb_txn *t, const uint8_t *hash,
                                     struct lmdb_invite *ret);
MUST_CHECK int lmdb_rows_read_invite(struct lmdb_txn *t, struct rd r, struct lmdb_invite *ret);
void lmdb_rows_save_invite(struct lmdb_txn *t, const uint8_t *hash, const struct lmdb_invite *v);

/* As for users. */
MUST_CHECK int lmdb_rows_load_upload(struct lmdb_txn *t, const uint8_t *tid,
                                     struct lmdb_upload *ret);
void lmdb_rows_save_upload(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u);

/* Slots are read along a walk: ${r} is a value. */
MUST_CHECK int lmdb_rows_read_slot(struct lmdb_txn *t, struct rd r, struct lmdb_slot *ret);
void lmdb_rows_save_slot(struct lmdb_txn *t, const struct lmdb_key *key, const struct lmdb_slot *s);

/*
 * As for users, but ${ret}, which is large, is undefined on failure; read: from a value met on a
 * walk.
 */
MUST_CHECK int lmdb_rows_load_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                                        struct lmdb_recipient *ret);
MUST_CHECK int lmdb_rows_read_recipient(struct lmdb_txn *t, struct rd r,
                                        struct lmdb_recipient *ret);
void lmdb_rows_save_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                              const struct lmdb_recipient *v);

/* As for users. */
MUST_CHECK int lmdb_rows_load_transfer(struct lmdb_txn *t, const uint8_t *tid,
                                       struct lmdb_transfer *ret);
void lmdb_rows_save_transfer(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *v);

/* As for users. */
MUST_CHECK int lmdb_rows_load_header(struct lmdb_txn *t, const uint8_t *tid,
                                     struct lmdb_header *ret);
void lmdb_rows_save_header(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_header *v);

/* The newest addendum.  As for users. */
MUST_CHECK int lmdb_rows_load_addendum(struct lmdb_txn *t, const uint8_t *tid, uint32_t *ret_number,
                                       struct store_blob *ret);
void lmdb_rows_save_addendum(struct lmdb_txn *t, const uint8_t *tid, uint32_t number,
                             const struct store_blob *addendum);

#endif /* SERVER_STORE_LMDB_ROWS_H */
