/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_blocks - senders from whom a user wants nothing. */
#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_rows.h"

static struct lmdb_key key_of(const uint8_t *uid, const uint8_t *from)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);

    lmdb_key_add(&key, from, STORE_UID_LEN);
    return key;
}

int lmdb_rows_check_block(struct lmdb_txn *t, const uint8_t *uid, const uint8_t *from)
{
    struct lmdb_key key = key_of(uid, from);
    int rc = lmdb_txn_get(t, T_BLOCKS, &key, NULL);

    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    return rc == ERR_OK ? ERR_NOTFOUND : rc;
}

static size_t count(struct lmdb_txn *t, const uint8_t *uid)
{
    struct lmdb_key start = lmdb_key_of(uid, STORE_UID_LEN);
    struct lmdb_walk w;
    size_t n = 0;

    for (bool on = lmdb_walk_start(&w, t, T_BLOCKS, &start, STORE_UID_LEN);
         on && n < STORE_BLOCKS_MAX; on = lmdb_walk_next(&w))
        n++;
    lmdb_walk_end(&w);
    return n;
}

int lmdb_blocks_set(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_block_set *in = &job->in->block_set;
    struct lmdb_key key = key_of(in->uid, in->from);
    struct lmdb_user u;
    int rc = lmdb_rows_load_present(t, in->uid, &u);

    if (rc == ERR_OK)
        rc = lmdb_txn_get(t, T_BLOCKS, &key, NULL);
    else
        return rc;
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    job->res->duplicate = in->blocked == (rc == ERR_OK);
    if (job->res->duplicate)
        return ERR_OK;
    if (!in->blocked) {
        lmdb_txn_del(t, T_BLOCKS, &key);
        return lmdb_txn_code(t);
    }
    if (count(t, in->uid) >= STORE_BLOCKS_MAX)
        return store_fail(job->res, ERR_TOOLARGE, "too many blocked senders");
    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, in->now);
    lmdb_txn_put_row(t, T_BLOCKS, &key);
    return lmdb_txn_code(t);
}
