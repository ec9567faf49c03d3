/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of lmdb_rows.h, and the number that stands for a transfer in them. */
#include <string.h>

#include "server/store/lmdb_rows.h"

void lmdb_rows_know_tid(struct lmdb_txn *t, const uint8_t *tid, uint64_t number)
{
    memcpy(t->tid, tid, sizeof(t->tid));
    t->number = number;
}

void lmdb_rows_add_tid(struct lmdb_txn *t, const uint8_t *tid, uint64_t number)
{
    struct lmdb_key key = lmdb_key_of(tid, STORE_TID_LEN);
    uint8_t be[8];

    put_be64(be, number);
    lmdb_txn_put(t, T_TIDS, &key, be, sizeof(be));
    lmdb_rows_know_tid(t, tid, number);
}

uint64_t lmdb_rows_number(struct lmdb_txn *t, const uint8_t *tid)
{
    struct lmdb_key key = lmdb_key_of(tid, STORE_TID_LEN);
    struct rd r;

    if (t->number != 0 && memcmp(t->tid, tid, sizeof(t->tid)) == 0)
        return t->number;
    if (lmdb_txn_get(t, T_TIDS, &key, &r) != ERR_OK)
        return 0;
    lmdb_rows_know_tid(t, tid, rd_u64(&r));
    return t->number;
}

struct lmdb_key lmdb_rows_key(struct lmdb_txn *t, const uint8_t *tid, enum lmdb_kind kind)
{
    uint8_t byte = (uint8_t)kind;
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, lmdb_rows_number(t, tid));
    lmdb_key_add(&k, &byte, 1);
    return k;
}

struct lmdb_key lmdb_rows_key_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key k = lmdb_rows_key(t, tid, ROW_RECIPIENT);

    lmdb_key_add(&k, uid, STORE_UID_LEN);
    return k;
}

struct lmdb_key lmdb_rows_key_slot(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                                   const uint8_t *ek)
{
    struct lmdb_key k = lmdb_rows_key(t, tid, ROW_SLOT);

    lmdb_key_add(&k, uid, STORE_UID_LEN);
    lmdb_key_add(&k, ek, STORE_EK_LEN);
    return k;
}

struct lmdb_key lmdb_rows_key_nth(struct lmdb_txn *t, const uint8_t *tid, enum lmdb_kind kind,
                                  uint32_t n)
{
    struct lmdb_key k = lmdb_rows_key(t, tid, kind);

    lmdb_key_u32(&k, n);
    return k;
}

struct lmdb_key lmdb_rows_key_box(const uint8_t *uid, uint64_t time, const uint8_t *tid)
{
    struct lmdb_key k = lmdb_key_of(uid, STORE_UID_LEN);

    lmdb_key_u64(&k, time);
    lmdb_key_add(&k, tid, STORE_TID_LEN);
    return k;
}

struct lmdb_key lmdb_rows_key_time(uint64_t time, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, time);
    lmdb_key_add(&k, tid, STORE_TID_LEN);
    if (uid != NULL)
        lmdb_key_add(&k, uid, STORE_UID_LEN);
    return k;
}

struct lmdb_key lmdb_rows_key_cid_time(uint64_t time, const uint8_t *cid)
{
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, time);
    lmdb_key_add(&k, cid, STORE_CID_LEN);
    return k;
}

struct lmdb_key lmdb_rows_key_piece(const uint8_t *tid, uint32_t index)
{
    struct lmdb_key k = lmdb_key_of(tid, STORE_TID_LEN);

    lmdb_key_u32(&k, index);
    return k;
}

struct lmdb_key lmdb_rows_key_manifest(const uint8_t *uid, uint64_t seq)
{
    struct lmdb_key k = lmdb_key_of(uid, STORE_UID_LEN);

    lmdb_key_u64(&k, seq);
    return k;
}
