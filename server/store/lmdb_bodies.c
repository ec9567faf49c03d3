/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_bodies - pieces in the body environments.
 *
 * A piece is put here first; the leaf in the index, which makes it count, follows in
 * a later commit.  What a crash leaves between the two is a piece without a leaf: put
 * again with the same bytes it is taken as it is, with other bytes it is ERR_EXISTS,
 * and with the upload it is collected.  Small pieces never come here: they are in the
 * row of their leaf.
 */
#include <stdlib.h>
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

/* ---- put ---- */

/* A look into the index before bytes are written for nothing. */
static int check_index(struct lmdb_txn *t, struct store_job *job)
{
    struct lmdb_txn index;
    struct lmdb_upload u;
    int rc = lmdb_engine_read(t->engine, t->engine->index, &index);

    if (rc != ERR_OK)
        return rc;
    rc = lmdb_pieces_check(&index, &job->in->piece_put, job->res, &u);
    lmdb_engine_read_end(&index);
    return rc;
}

int lmdb_bodies_put(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_piece_put *in = &job->in->piece_put;
    struct lmdb_key key = lmdb_rows_key_piece(in->tid, in->index);
    struct rd r;
    int rc = check_index(t, job);

    if (rc != ERR_OK || job->res->duplicate)
        return rc;
    rc = lmdb_txn_get(t, T_PIECES, &key, &r);
    if (rc == ERR_OK) {
        if (r.left != in->len || memcmp(r.p, in->data, in->len) != 0)
            return store_fail(job->res, ERR_EXISTS, "another piece is there");
        return ERR_OK;
    }
    if (rc == ERR_NOTFOUND)
        lmdb_txn_put(t, T_PIECES, &key, in->data, in->len);
    return lmdb_txn_code(t);
}

/* ---- get ---- */

/* Sender, or a recipient that may still open it, of a transfer that has its body. */
static int may_read(struct lmdb_txn *t, const struct store_pieces_get *in, uint32_t *ret_pieces)
{
    struct lmdb_recipient v;
    struct lmdb_transfer tr;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc != ERR_OK)
        return rc;
    if (!tr.body)
        return ERR_NOTFOUND;
    if (memcmp(tr.sender, in->uid, STORE_UID_LEN) != 0) {
        rc = lmdb_rows_load_recipient(t, in->tid, in->uid, &v);
        if (rc == ERR_OK && v.life != STORE_LIVE && v.life != STORE_SPENT)
            rc = ERR_NOTFOUND;
    }
    if (rc == ERR_OK)
        *ret_pieces = tr.pieces;
    return rc;
}

/* Only the last piece may be with its leaf. */
static int find_piece(struct lmdb_txn *t, const uint8_t *tid, uint32_t index, bool last,
                      struct rd *ret)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, tid, ROW_LEAF, index);
    int rc = last ? lmdb_txn_get(t, T_ROWS, &key, ret) : ERR_OK;

    if (rc == ERR_OK && last && lmdb_parts_leaf_piece(ret))
        return ERR_OK;
    if (rc != ERR_OK)
        return rc;
    key = lmdb_rows_key_piece(tid, index);
    rc = lmdb_txn_get(t->body, T_PIECES, &key, ret);
    return rc != ERR_OK && rc != ERR_NOTFOUND ? lmdb_txn_fail(t, t->body->hard) : rc;
}

static int copy_piece(struct lmdb_txn *t, const uint8_t *tid, uint32_t index, bool last,
                      struct store_piece *to)
{
    struct rd r;
    int rc = find_piece(t, tid, index, last, &r);

    if (rc == ERR_NOTFOUND)
        return lmdb_txn_fail(t, MDB_CORRUPTED); /* it was there when the transfer was sealed */
    if (rc != ERR_OK)
        return rc;
    to->data = malloc(r.left > 0 ? r.left : 1);
    if (to->data == NULL)
        return ERR_NOMEM;
    memcpy(to->data, r.p, r.left);
    to->len = r.left;
    to->index = index;
    return ERR_OK;
}

/* The pages may be cold: this runs on a reading thread, and only the copy leaves it. */
int lmdb_bodies_get(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_pieces_get *in = &job->in->pieces_get;
    struct store_result *res = job->res;
    uint32_t pieces = 0;
    size_t n;
    int rc = may_read(t, in, &pieces);

    if (rc != ERR_OK)
        return rc;
    n = in->from < pieces ? pieces - in->from : 0;
    n = n < in->limit ? n : in->limit;
    res->u.pieces = lmdb_engine_alloc(t, res, (n + 1) * sizeof(*res->u.pieces));
    if (res->u.pieces == NULL)
        return ERR_NOMEM;
    res->pieces_inside = true;
    for (; rc == ERR_OK && res->count < n; res->count += rc == ERR_OK) {
        uint32_t index = in->from + (uint32_t)res->count;

        rc = copy_piece(t, in->tid, index, index + 1 == pieces, &res->u.pieces[res->count]);
    }
    res->more = in->from + res->count < pieces;
    return rc;
}

/* ---- collect ---- */

int lmdb_bodies_collect(struct lmdb_txn *t, struct store_job *job)
{
    struct lmdb_key front = lmdb_key_of(job->tid, STORE_TID_LEN);
    size_t limit = job->in->collect.limit, n = 0;
    struct lmdb_walk w;
    bool on;

    on = lmdb_walk_start(&w, t, T_PIECES, &front, front.len);
    for (; on && n < limit; on = lmdb_walk_next(&w)) {
        lmdb_walk_del(&w);
        n++;
    }
    lmdb_walk_end(&w);
    job->note[LMDB_NOTE_PIECES] = (uint32_t)n;
    job->note[LMDB_NOTE_MORE] = on;
    return lmdb_txn_code(t);
}
