/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_factors - a user's sealed second factor, replaced only by who has read it. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

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

static void save(struct lmdb_txn *t, const uint8_t *uid, const struct store_factor *f)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);

    buf_reset(&t->row);
    buf_u64(&t->row, f->number);
    buf_put(&t->row, f->bytes.data, f->bytes.len);
    lmdb_txn_put_row(t, T_FACTORS, &key);
}

int lmdb_factors_drop(struct lmdb_txn *t, const uint8_t *uid)
{
    struct store_factor f = {0};
    int rc = load(t, uid, &f);

    if (rc == ERR_NOTFOUND || (rc == ERR_OK && f.bytes.len == 0))
        return ERR_OK;
    if (rc != ERR_OK)
        return rc;
    save(t, uid, &(struct store_factor){.number = f.number + 1});
    return lmdb_txn_code(t);
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
    save(t, in->uid, &(struct store_factor){.number = in->number, .bytes = in->bytes});
    if (in->tell.at != 0) {
        struct store_feed_row row = in->tell;

        memcpy(row.other, in->uid, sizeof(row.other));
        lmdb_feed_add(t, in->uid, &row);
    }
    return lmdb_txn_code(t);
}
