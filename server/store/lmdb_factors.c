/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_factors - a user's sealed second factor, replaced only by who has read it. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"

/* ERR_NOTFOUND, or a failure.  The bytes point into the map. */
static int load(struct lmdb_txn *t, const uint8_t *uid, struct store_factor *ret)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);
    struct rd r;
    int rc = lmdb_txn_get(t, T_FACTORS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    ret->number = rd_u64(&r);
    if (r.bad)
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    ret->bytes = (struct store_blob){r.p, r.left};
    return ERR_OK;
}

int lmdb_factors_get(struct lmdb_txn *t, struct store_job *job)
{
    struct store_result *res = job->res;
    int rc = load(t, job->in->factor_get.uid, &res->u.factor);

    if (rc != ERR_OK)
        return rc;
    res->u.factor.bytes = lmdb_engine_keep(t, res, &res->u.factor.bytes);
    return lmdb_txn_code(t);
}

int lmdb_factors_put(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_factor_put *in = &job->in->factor_put;
    struct lmdb_key key = lmdb_key_of(in->uid, STORE_UID_LEN);
    struct store_factor old = {0};
    struct lmdb_user u;
    int rc = lmdb_rows_load_present(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    rc = load(t, in->uid, &old);
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    if (in->number == old.number && old.bytes.len == in->bytes.len &&
        (in->bytes.len == 0 || memcmp(old.bytes.data, in->bytes.data, in->bytes.len) == 0)) {
        job->res->duplicate = true;
        return ERR_OK;
    }
    if (in->number != old.number + 1)
        return store_fail(job->res, ERR_BADSTATE, "the factor was changed meanwhile");
    buf_reset(&t->row);
    buf_u64(&t->row, in->number);
    buf_put(&t->row, in->bytes.data, in->bytes.len);
    lmdb_txn_put_row(t, T_FACTORS, &key);
    if (in->tell != 0) {
        struct store_feed_row row = {.at = in->tell, .kind = STORE_FEED_FACTOR};

        memcpy(row.other, in->uid, sizeof(row.other));
        lmdb_feed_add(t, in->uid, &row);
    }
    return lmdb_txn_code(t);
}
