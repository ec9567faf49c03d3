/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_collect - housekeeping in bounded steps.
 *
 * Steps of one call: (index) uploads whose lease has passed become garbage, recipients whose end is
 * long past lose what they still list, CIDs of transfers long gone are forgotten, one transfer of
 * the garbage is chosen; (bodies) its pieces go; (index) its leaves and
 * rows go, at last its row of garbage.  Each step is a commit of its own; what a crash
 * interrupts is chosen again, since the row of garbage goes last.
 */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

enum { UPLOADS_PER_CALL = 16, ENDED_PER_CALL = 64, FEED_PER_CALL = 256, CIDS_PER_CALL = 64 };

/* ---- leases ---- */

/* Up to UPLOADS_PER_CALL uploads whose row of leases is at or before ${now}. */
static size_t find_leases(struct lmdb_txn *t, uint64_t now, struct lmdb_key *rows)
{
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    size_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, t, T_LEASES, &start, 0);
    for (; on && n < UPLOADS_PER_CALL && get_be64(w.key) <= now; on = lmdb_walk_next(&w))
        rows[n++] = lmdb_key_of(w.key, w.key_len);
    lmdb_walk_end(&w);
    return n;
}

/* A renewed lease is only noted in the upload: now its row follows.  True: the upload is dropped.
 */
static bool end_lease(struct lmdb_txn *t, const struct lmdb_key *row, uint64_t now)
{
    const uint8_t *tid = row->bytes + 8;
    struct lmdb_upload u;
    struct lmdb_key moved;
    int rc = lmdb_rows_load_upload(t, tid, &u);

    if (rc == ERR_NOTFOUND)
        (void)lmdb_txn_fail(t, MDB_CORRUPTED);
    if (rc != ERR_OK)
        return false;
    if (u.lease <= now) {
        lmdb_parts_drop_upload(t, tid, &u);
        return true;
    }
    u.lease_row = u.lease;
    moved = lmdb_rows_key_time(u.lease_row, tid, NULL);
    lmdb_txn_del(t, T_LEASES, row);
    lmdb_txn_put(t, T_LEASES, &moved, NULL, 0);
    lmdb_rows_save_upload(t, tid, &u);
    return false;
}

/* ---- ends ---- */

/* Rows of recipients whose transfer's expiry is STORE_ENDED_MS ago. */
static void forget_ended(struct lmdb_txn *t, uint64_t now)
{
    struct lmdb_key rows[ENDED_PER_CALL], start = {0};
    struct lmdb_walk w;
    size_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, t, T_ENDED, &start, 0);
    for (; on && n < ENDED_PER_CALL && get_be64(w.key) <= now; on = lmdb_walk_next(&w))
        rows[n++] = lmdb_key_of(w.key, w.key_len);
    lmdb_walk_end(&w);
    for (size_t i = 0; i < n; i++) {
        lmdb_slots_forget(t, rows[i].bytes + 8, rows[i].bytes + 8 + STORE_TID_LEN);
        lmdb_txn_del(t, T_ENDED, &rows[i]);
    }
}

/* ---- CIDs ---- */

/* CIDs of seals STORE_CID_MS ago; that of a transfer that is still there gets as long again. */
static void forget_cids(struct lmdb_txn *t, uint64_t now)
{
    struct lmdb_key rows[CIDS_PER_CALL], start = {0};
    struct lmdb_walk w;
    struct rd r;
    size_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, t, T_CID_TIMES, &start, 0);
    for (; on && n < CIDS_PER_CALL && get_be64(w.key) + STORE_CID_MS <= now;
         on = lmdb_walk_next(&w))
        rows[n++] = lmdb_key_of(w.key, w.key_len);
    lmdb_walk_end(&w);
    for (size_t i = 0; i < n; i++) {
        struct lmdb_key cid = lmdb_key_of(rows[i].bytes + 8, STORE_CID_LEN);
        struct lmdb_key moved = lmdb_rows_key_cid_time(now, cid.bytes);

        lmdb_txn_del(t, T_CID_TIMES, &rows[i]);
        if (lmdb_txn_get(t, T_CIDS, &cid, &r) != ERR_OK)
            continue; /* damaged, which t knows, or gone */
        if (r.left == STORE_TID_LEN && lmdb_rows_number(t, r.p) != 0)
            lmdb_txn_put(t, T_CID_TIMES, &moved, NULL, 0);
        else
            lmdb_txn_del(t, T_CIDS, &cid);
    }
}

int lmdb_collect_choose(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_collect *in = &job->in->collect;
    struct lmdb_key rows[UPLOADS_PER_CALL], start = {0};
    struct lmdb_walk w;
    size_t n = find_leases(t, in->now, rows);

    lmdb_feed_trim(t, in->now, FEED_PER_CALL);
    job->note[LMDB_NOTE_UPLOADS] = 0;
    for (size_t i = 0; i < n; i++)
        job->note[LMDB_NOTE_UPLOADS] += end_lease(t, &rows[i], in->now);
    forget_ended(t, in->now);
    forget_cids(t, in->now);
    job->note[LMDB_NOTE_LAST] = !lmdb_walk_start(&w, t, T_GARBAGE, &start, 0);
    if (!job->note[LMDB_NOTE_LAST])
        memcpy(job->tid, w.key, STORE_TID_LEN);
    lmdb_walk_end(&w);
    job->res->u.collect.uploads = job->note[LMDB_NOTE_UPLOADS];
    return lmdb_txn_code(t);
}

/* ---- rows ---- */

/*
 * Delete the transfer's rows of one kind; ${room} is what may still be deleted in this call.
 * Returns how many went.
 */
static int64_t delete_rows(struct lmdb_txn *t, const uint8_t *tid, enum lmdb_kind kind,
                           size_t *room)
{
    struct lmdb_key front = lmdb_rows_key(t, tid, kind);
    struct lmdb_walk w;
    int64_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on && *room > 0; on = lmdb_walk_next(&w)) {
        lmdb_walk_del(&w);
        --*room;
        n++;
    }
    lmdb_walk_end(&w);
    return n;
}

/* What is left of a transfer that is gone, its number last. */
static void delete_rest(struct lmdb_txn *t, const struct lmdb_key *tid, size_t *room)
{
    static const enum lmdb_kind kinds[] = {ROW_EVENT, ROW_ADDENDUM, ROW_SLOT, ROW_RECIPIENT,
                                           ROW_HEADER};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        (void)delete_rows(t, tid->bytes, kinds[i], room);
    if (*room == 0)
        return;
    lmdb_txn_del(t, T_TIDS, tid);
    t->number = 0;
}

int lmdb_collect_rows(struct lmdb_txn *t, struct store_job *job)
{
    struct lmdb_key key = lmdb_key_of(job->tid, STORE_TID_LEN);
    struct store_result *res = job->res;
    size_t room = job->in->collect.limit;
    struct rd r;
    int rc = lmdb_txn_get(t, T_GARBAGE, &key, &r);
    uint8_t what = rc == ERR_OK ? rd_u8(&r) : 0;

    res->u.collect.uploads = job->note[LMDB_NOTE_UPLOADS];
    res->u.collect.pieces = job->note[LMDB_NOTE_PIECES];
    res->more = true;
    /* Two calls at once may choose the same transfer: then the other one has done it. */
    if (rc == ERR_NOTFOUND)
        return ERR_OK;
    if (rc != ERR_OK || job->note[LMDB_NOTE_MORE])
        return rc;
    t->added[LMDB_LEAVES] -= delete_rows(t, job->tid, ROW_LEAF, &room);
    if (what & LMDB_GARBAGE_ROWS)
        delete_rest(t, &key, &room);
    if (room > 0) {
        lmdb_txn_del(t, T_GARBAGE, &key);
        res->u.collect.transfers = (what & LMDB_GARBAGE_ROWS) != 0;
    }
    return lmdb_txn_code(t);
}
