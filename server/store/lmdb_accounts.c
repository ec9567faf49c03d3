/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_accounts - what clients keep for a recovery: one record for each user. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"
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

static void save(struct lmdb_txn *t, const uint8_t *uid, const struct store_account *row)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);

    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, row->number);
    buf_u64(&t->row, row->stored);
    buf_put(&t->row, row->bytes.data, row->bytes.len);
    lmdb_txn_put_row(t, T_ACCOUNTS, &key);
}

int lmdb_accounts_put(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_account_put *in = &job->in->account_put;
    struct store_account old;
    struct lmdb_user u;
    int rc = lmdb_rows_load_present(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    rc = load(t, in->uid, &old);
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    if (rc == ERR_NOTFOUND)
        old.number = 0;
    if (rc == ERR_OK && old.number > 0 && old.number >= in->number) {
        if (old.number > in->number || old.bytes.len != in->bytes.len ||
            memcmp(old.bytes.data, in->bytes.data, in->bytes.len) != 0)
            return store_fail(job->res, ERR_EXISTS, "a newer record is there");
        job->res->duplicate = true;
        return ERR_OK;
    }
    rc = lmdb_manifests_check(t, in->uid, u.manifest_seq, in->newest);
    if (rc == ERR_BADSTATE)
        return store_fail(job->res, rc, "another manifest is the newest by now");
    if (rc != ERR_OK)
        return rc;
    if (in->number != old.number + 1)
        return store_fail(job->res, ERR_BADSTATE, "the record's number is not the next one");
    save(t, in->uid, &(struct store_account){in->number, in->now, in->bytes});
    return lmdb_txn_code(t);
}

int lmdb_accounts_renumber(struct lmdb_txn *t, const uint8_t *uid)
{
    struct store_account row;
    int rc = load(t, uid, &row);

    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    row.number = 0;
    if (rc == ERR_OK)
        save(t, uid, &row);
    return rc;
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
