/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_parts - changes and look-ups that several operations of the LMDB engine share.
 * All run inside ${t}; the changes fail by sticking in it (lmdb_txn.h).
 */
#ifndef SERVER_STORE_LMDB_PARTS_H
#define SERVER_STORE_LMDB_PARTS_H

#include "server/store/lmdb_rows.h"
#include "server/store/store_result.h"
#include "server/store/store_uploads.h"

/* What of a transfer nothing refers to any more: bits of a row of "garbage". */
enum { LMDB_GARBAGE_BODY = 1, LMDB_GARBAGE_ROWS = 2 };

/*
 * Slots of a transfer, those of ${uid} only unless it is NULL, copied into ${res}.  Returns their
 * number; 0 with *ret_slots NULL after a failure.
 */
size_t lmdb_parts_slots(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                        const uint8_t *uid, const struct store_slot **ret_slots);

/* How many slots a transfer has. */
size_t lmdb_parts_count_slots(struct lmdb_txn *t, const uint8_t *tid);

/* What its sender sees of a transfer that ${tr} was loaded of, into ${to} (zeroed).  In
 * lmdb_mail.c. */
MUST_CHECK int lmdb_mail_keep_sent(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                                   const struct lmdb_transfer *tr, struct store_mail *to);

/* Copy a recipient's row into ${res}. */
void lmdb_parts_recipient(struct lmdb_txn *t, struct store_result *res, const uint8_t *uid,
                          const struct lmdb_recipient *v, struct store_recipient *ret);

/* A user's used bytes, less ${before}, plus ${after}.  A user that is gone is fine. */
void lmdb_parts_charge(struct lmdb_txn *t, const uint8_t *uid, uint64_t before, uint64_t after);

/* List a transfer in a box, together with its number. */
void lmdb_parts_list(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                     const uint8_t *tid);

/* Leave ${what} to the collector, beside what it has of this transfer already. */
void lmdb_parts_garbage(struct lmdb_txn *t, const uint8_t *tid, uint8_t what);

/*
 * What a recipient whose life has ended still holds of its quota: its slots as long as it lists the
 * transfer, and the sender all of it while others are LIVE.  ${v} is changed, for the caller to
 * save.
 */
void lmdb_parts_settle(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                       struct lmdb_recipient *v, const struct lmdb_transfer *tr);

/*
 * End a LIVE recipient's life: ${v} and ${tr} are changed, for the caller to save.  Quota
 * (lmdb_parts_settle()), cells and expiry are dealt with, and with the last one the body and what
 * the sender holds.
 */
void lmdb_parts_end_life(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                         struct lmdb_recipient *v, struct lmdb_transfer *tr, enum store_life life);

/*
 * Append an event: ${tr} is changed, for the caller to save.  ${ret_event} (may be NULL) gets it
 * without data.
 */
void lmdb_parts_event(struct lmdb_txn *t, const uint8_t *tid, struct lmdb_transfer *tr,
                      const struct store_event_new *event, uint64_t now,
                      struct store_event *ret_event);

/* ${uid}, whose life has ended, no longer sees a transfer: lmdb_slots.c. */
void lmdb_slots_forget(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid);

/* Is the manifest of ${uid} with number ${seq} still the one of which ${hash} is SHA-256?
 * ERR_BADSTATE: it is another or not there.  In lmdb_manifests.c. */
MUST_CHECK int lmdb_manifests_check(struct lmdb_txn *t, const uint8_t *uid, uint64_t seq,
                                    const uint8_t *hash);

/* A recovery: the account record of ${uid} stays, as number 0.  No record is fine. */
MUST_CHECK int lmdb_accounts_renumber(struct lmdb_txn *t, const uint8_t *uid);

/* The factor of ${uid} goes; only its number stays, one higher.  None is fine. */
MUST_CHECK int lmdb_factors_drop(struct lmdb_txn *t, const uint8_t *uid);

/* ${uid}, who leaves, no longer sees a transfer, in no folder; LIVE before, it is DELETED: in
 * lmdb_slots.c.  The rows of his folders are the caller's. */
void lmdb_slots_leave(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid, uint64_t now);

/* Revoke all recipients but the sender who were never given a share; returns how many recipients
 * there are.  In lmdb_life.c. */
size_t lmdb_life_revoke_unopened(struct lmdb_txn *t, const uint8_t *tid, uint64_t now);

/* Undo an upload that was not sealed: quota, lease, attempt and rows; its pieces become garbage. */
void lmdb_parts_drop_upload(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u);

/*
 * From the value of a leaf's row to the piece that stands behind the leaf.  False: it is not there
 * but in its environment, or the row is damaged.
 */
bool lmdb_parts_leaf_piece(struct rd *r);

#endif /* SERVER_STORE_LMDB_PARTS_H */
