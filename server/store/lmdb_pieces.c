/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_pieces - the index half of an upload's pieces, after the body half is durable; small ones
 * have no other.
 */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_grow.h"

enum { WALK_MAX = 65536 }; /* rows that one page of ranges may look at */

/* A leaf is there: is it this one? */
static int compare_leaf(const struct store_piece_put *in, struct rd r, struct store_result *res)
{
    const uint8_t *leaf = rd_take(&r, STORE_HASH_LEN);

    if (leaf == NULL || memcmp(leaf, in->leaf, STORE_HASH_LEN) != 0 || rd_u32(&r) != in->len)
        return store_fail(res, ERR_EXISTS, "another piece is there");
    res->duplicate = true;
    return ERR_OK;
}

/* A piece for something that is not, or no longer, an upload. */
static int piece_too_late(struct lmdb_txn *t, const struct store_piece_put *in,
                          struct store_result *res)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, in->tid, ROW_LEAF, in->index);
    struct lmdb_transfer v;
    struct rd r;
    int rc = lmdb_rows_load_transfer(t, in->tid, &v);

    if (rc == ERR_OK && memcmp(v.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc != ERR_OK)
        return rc;
    if (lmdb_txn_get(t, T_ROWS, &key, &r) == ERR_OK)
        return compare_leaf(in, r, res);
    return store_fail(res, ERR_BADSTATE, "the transfer is sealed");
}

int lmdb_pieces_check(struct lmdb_txn *t, const struct store_piece_put *in,
                      struct store_result *res, struct lmdb_upload *ret_u)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, in->tid, ROW_LEAF, in->index);
    uint64_t begins = (uint64_t)in->index * STORE_PIECE_MAX;
    struct lmdb_upload u;
    struct rd r;
    int rc = lmdb_rows_load_upload(t, in->tid, &u);

    if (rc == ERR_NOTFOUND)
        return piece_too_late(t, in, res);
    if (rc != ERR_OK)
        return rc;
    if (memcmp(u.sender, in->sender, STORE_UID_LEN) != 0)
        return ERR_NOTFOUND;
    if (begins >= u.body_max || in->len > u.body_max - begins)
        return store_fail(res, ERR_TOOLARGE, "the piece is beyond the announced length");
    rc = lmdb_txn_get(t, T_ROWS, &key, &r);
    if (rc == ERR_OK)
        return compare_leaf(in, r, res);
    if (rc != ERR_NOTFOUND)
        return rc;
    if (in->len < STORE_PIECE_MAX && u.short_piece != STORE_NO_PIECE)
        return store_fail(res, ERR_INVALID, "a second short piece");
    rc = lmdb_grow_check(t, in->tid, &u, res);
    if (rc == ERR_OK)
        *ret_u = u;
    return rc;
}

int lmdb_pieces_add(struct lmdb_txn *t, const struct store_piece_put *in, struct store_result *res)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, in->tid, ROW_LEAF, in->index);
    struct lmdb_upload u;
    int rc = lmdb_pieces_check(t, in, res, &u);

    if (rc != ERR_OK || res->duplicate)
        return rc;
    u.pieces++;
    u.bytes += in->len;
    if (in->len < STORE_PIECE_MAX)
        u.short_piece = in->index;
    if (u.lease < in->lease)
        u.lease = in->lease;
    lmdb_rows_save_upload(t, in->tid, &u);
    lmdb_grow(t, in->tid, &u);
    buf_reset(&t->row);
    buf_put(&t->row, in->leaf, STORE_HASH_LEN);
    buf_u32(&t->row, (uint32_t)in->len);
    if (in->len <= STORE_SMALL_MAX)
        buf_put(&t->row, in->data, in->len);
    lmdb_txn_put_row(t, T_ROWS, &key);
    t->added[LMDB_LEAVES]++;
    return ERR_OK;
}

int lmdb_pieces_leaf(struct lmdb_txn *t, struct store_job *job)
{
    return lmdb_pieces_add(t, &job->in->piece_put, job->res);
}

/* ---- what is durable ---- */

/* Of an upload or of a sealed transfer.  ERR_NOTFOUND also for somebody else's. */
static int check_sender(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *sender)
{
    struct lmdb_transfer v;
    struct lmdb_upload u;
    const uint8_t *of = u.sender;
    int rc = lmdb_rows_load_upload(t, tid, &u);

    if (rc == ERR_NOTFOUND) {
        of = v.sender;
        rc = lmdb_rows_load_transfer(t, tid, &v);
    }
    if (rc == ERR_OK && memcmp(of, sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    return rc;
}

int lmdb_pieces_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_pieces *in = &job->in->upload_pieces;
    struct lmdb_key start = lmdb_rows_key_nth(t, in->tid, ROW_LEAF, in->from);
    struct store_result *res = job->res;
    struct store_range *list, *last = NULL;
    struct lmdb_walk w;
    uint32_t index = 0;
    size_t looked = 0;
    bool on;
    int rc = check_sender(t, in->tid, in->sender);

    if (rc != ERR_OK)
        return rc;
    list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_ROWS, &start, LMDB_FRONT);
    for (; on; on = lmdb_walk_next(&w)) {
        index = get_be32(w.key + LMDB_FRONT);
        if (looked++ == WALK_MAX)
            break;
        if (last != NULL && index == last->first + last->count) {
            last->count++;
            continue;
        }
        if (res->count == in->limit)
            break;
        last = &list[res->count++];
        *last = (struct store_range){index, 1};
    }
    res->more = on;
    res->u.pieces_durable.ranges = list;
    res->u.pieces_durable.next = on ? index : 0;
    lmdb_walk_end(&w);
    return lmdb_txn_code(t);
}
