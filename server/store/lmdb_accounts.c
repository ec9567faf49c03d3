/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_accounts - what clients keep for a recovery: one record for each user. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_rows.h"

/* ERR_NOTFOUND.  The bytes are those of the map. */
static int load(struct lmdb_txn *t, const uint8_t *uid, struct store_account *ret)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);
    struct rd r;
    int rc = lmdb_txn_get(t, T_ACCOUNTS, &key, &r);
    uint8_t version;

    if (rc != ERR_OK)
        return rc;
    version = rd_u8(&r);
    ret->number = rd_u64(&r);
    ret->stored = rd_u64(&r);
    ret->bytes = (struct store_blob){r.p, r.left};
    if (r.bad || version != LMDB_ROW_VERSION || r.left == 0)
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    return ERR_OK;
}

int lmdb_accounts_put(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_account_put *in = &job->in->account_put;
    struct lmdb_key key = lmdb_key_of(in->uid, STORE_UID_LEN);
    struct store_account old;
    struct lmdb_user u;
    int rc = lmdb_rows_load_present(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    rc = load(t, in->uid, &old);
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    if (rc == ERR_OK && old.number >= in->number) {
        if (old.number > in->number || old.bytes.len != in->bytes.len ||
            memcmp(old.bytes.data, in->bytes.data, in->bytes.len) != 0)
            return store_fail(job->res, ERR_EXISTS, "a newer record is there");
        job->res->duplicate = true;
        return ERR_OK;
    }
    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, in->number);
    buf_u64(&t->row, in->now);
    buf_put(&t->row, in->bytes.data, in->bytes.len);
    lmdb_txn_put_row(t, T_ACCOUNTS, &key);
    return lmdb_txn_code(t);
}

int lmdb_accounts_get(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_account_get *in = &job->in->account_get;
    struct store_account *to = &job->res->u.account;
    struct store_account row;
    int rc = load(t, in->uid, &row);

    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    if (rc != ERR_OK)
        return rc;
    to->number = row.number;
    to->stored = row.stored;
    if (in->bytes)
        to->bytes = lmdb_engine_keep(t, job->res, &row.bytes);
    return lmdb_txn_code(t);
}
