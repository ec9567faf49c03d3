/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_seal - an upload becomes a transfer, in one transaction.
 *
 * Happy path: the upload is the sender's and complete, its slots are the sealed
 * ones, the CID is new; then every row is written, the mailboxes' last.
 * Ways to fail, all before the first change but that of a piece that comes along: no such upload
 * (NOTFOUND), sealed with another header (EXISTS), too late (EXPIRED), pieces missing (BADSTATE),
 * lengths or slots do not fit (INVALID), CID of another transfer (KEYREUSED), a mailbox has become
 * full (QUOTA).
 */
#include <stdlib.h>
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

/* ---- checks ---- */

/* No upload: is this header sealed already? */
static int sealed_before(struct lmdb_txn *t, const struct store_upload_seal *in,
                         struct store_result *res)
{
    struct lmdb_transfer v;
    struct lmdb_header h;
    int rc = lmdb_rows_load_transfer(t, in->tid, &v);

    if (rc == ERR_OK && memcmp(v.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc == ERR_OK)
        rc = lmdb_rows_load_header(t, in->tid, &h);
    if (rc != ERR_OK)
        return rc;
    if (h.header.len != in->header.len || memcmp(h.header.data, in->header.data, h.header.len) != 0)
        return store_fail(res, ERR_EXISTS, "sealed with another header");
    res->duplicate = true;
    res->u.seal.arrived = v.arrived;
    return ERR_OK;
}

static bool leaf_behind(struct lmdb_txn *t, const uint8_t *tid, uint32_t pieces)
{
    struct lmdb_key start = lmdb_rows_key_nth(t, tid, ROW_LEAF, pieces);
    struct lmdb_walk w;
    bool yes = lmdb_walk_start(&w, t, T_ROWS, &start, LMDB_FRONT);

    lmdb_walk_end(&w);
    return yes;
}

static int check_pieces(struct lmdb_txn *t, const struct store_upload_seal *in,
                        const struct lmdb_upload *u, struct store_result *res)
{
    if (leaf_behind(t, in->tid, in->pieces))
        return store_fail(res, ERR_INVALID, "more pieces are stored than the transfer has");
    if (u->pieces < in->pieces) {
        (void)store_fail(res, ERR_BADSTATE, "pieces are missing");
        res->u.seal.missing = in->pieces - u->pieces;
        return ERR_BADSTATE;
    }
    if (u->bytes != in->body_len || u->body_max < in->body_len ||
        (u->short_piece != STORE_NO_PIECE && u->short_piece + 1 != in->pieces))
        return store_fail(res, ERR_INVALID, "the pieces do not add up to the body");
    return lmdb_txn_code(t);
}

static int by_key(const void *a, const void *b)
{
    const struct store_slot_seal *const *x = a, *const *y = b;
    int d = memcmp((*x)->uid, (*y)->uid, STORE_UID_LEN);

    return d != 0 ? d : memcmp((*x)->ek, (*y)->ek, STORE_EK_LEN);
}

/*
 * The slots opened are those sealed, one for one, each with a position of its own.  ${sorted} (room
 * for nslots) becomes the slots in the order of their rows.
 */
static int check_slots(struct lmdb_txn *t, const struct store_upload_seal *in,
                       const struct store_slot_seal **sorted, struct store_result *res)
{
    struct lmdb_key front = lmdb_rows_key(t, in->tid, ROW_SLOT), key;
    bool taken[STORE_SLOTS_MAX] = {false}, on, fits = true;
    struct lmdb_walk w;
    size_t i = 0;

    for (size_t k = 0; k < in->nslots; k++) {
        sorted[k] = &in->slots[k];
        fits = fits && !taken[in->slots[k].position];
        taken[in->slots[k].position] = true;
    }
    qsort(sorted, in->nslots, sizeof(*sorted), by_key);
    for (on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len); on && fits;
         on = lmdb_walk_next(&w)) {
        fits = i < in->nslots;
        if (!fits)
            break;
        key = lmdb_rows_key_slot(t, in->tid, sorted[i]->uid, sorted[i]->ek);
        fits = memcmp(w.key, key.bytes, key.len) == 0;
        i++;
    }
    lmdb_walk_end(&w);
    if (lmdb_txn_code(t) != ERR_OK)
        return lmdb_txn_code(t);
    return fits && i == in->nslots ? ERR_OK
                                   : store_fail(res, ERR_INVALID, "other slots than were opened");
}

static int check_cid(struct lmdb_txn *t, const struct store_upload_seal *in,
                     struct store_result *res)
{
    struct lmdb_key key = lmdb_key_of(in->cid, STORE_CID_LEN);
    int rc = lmdb_txn_get(t, T_CIDS, &key, NULL);

    if (rc == ERR_OK)
        return store_fail(res, ERR_KEYREUSED, "the CID belongs to another transfer");
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* What ${uid} has to pay: ${slots} of them are its own. */
static uint64_t price(const struct store_upload_seal *in, size_t slots)
{
    return in->body_len + in->meta.len + (uint64_t)slots * STORE_SLOT_COST;
}

/* How many slots from ${i} on belong to the same user. */
static size_t same_user(const struct store_slot_seal *const *sorted, size_t i, size_t n)
{
    size_t k = 1;

    while (i + k < n && memcmp(sorted[i]->uid, sorted[i + k]->uid, STORE_UID_LEN) == 0)
        k++;
    return k;
}

static int check_quota(struct lmdb_txn *t, const struct store_upload_seal *in,
                       const struct store_slot_seal *const *sorted, struct store_result *res)
{
    struct lmdb_recipient v;
    struct lmdb_user u;
    size_t slots;

    for (size_t i = 0; i < in->nslots; i += slots) {
        uint64_t more;
        int rc = lmdb_rows_load_recipient(t, in->tid, sorted[i]->uid, &v);

        slots = same_user(sorted, i, in->nslots);
        if (rc == ERR_OK)
            rc = lmdb_rows_load_user(t, sorted[i]->uid, &u);
        if (rc != ERR_OK && rc != ERR_NOTFOUND)
            return rc;
        if (rc == ERR_NOTFOUND || u.quota == 0 || price(in, slots) <= v.charge)
            continue;
        more = price(in, slots) - v.charge;
        res->own = memcmp(sorted[i]->uid, in->sender, STORE_UID_LEN) == 0;
        if (u.used > u.quota || more > u.quota - u.used)
            return store_fail(res, ERR_QUOTA, "no room in a mailbox any more");
    }
    return ERR_OK;
}

static int check(struct lmdb_txn *t, const struct store_upload_seal *in,
                 const struct lmdb_upload *u, const struct store_slot_seal **sorted,
                 struct store_result *res)
{
    int rc;

    if (u->lease < in->now || u->expires <= in->now)
        return store_fail(res, ERR_EXPIRED, "lease or expiry has passed");
    rc = check_pieces(t, in, u, res);
    if (rc == ERR_OK)
        rc = check_slots(t, in, sorted, res);
    if (rc == ERR_OK)
        rc = check_cid(t, in, res);
    return rc == ERR_OK ? check_quota(t, in, sorted, res) : rc;
}

/* ---- changes ---- */

static void seal_slot(struct lmdb_txn *t, const uint8_t *tid, const struct store_slot_seal *s)
{
    struct lmdb_key key = lmdb_rows_key_slot(t, tid, s->uid, s->ek);
    struct lmdb_slot row;
    struct rd r;

    if (lmdb_txn_get(t, T_ROWS, &key, &r) != ERR_OK || lmdb_rows_read_slot(t, r, &row) != ERR_OK)
        return;
    row.position = s->position;
    row.bytes = s->bytes;
    lmdb_rows_save_slot(t, &key, &row);
}

/* An event of the seal, unless the caller wants none. */
static void tell(struct lmdb_txn *t, const struct store_upload_seal *in, const uint8_t *uid,
                 enum store_feed_kind kind)
{
    struct store_feed_row row = {.at = in->now, .kind = (uint16_t)kind};

    memcpy(row.tid, in->tid, sizeof(row.tid));
    memcpy(row.other, in->sender, sizeof(row.other));
    if (in->event != NULL)
        lmdb_feed_add(t, uid, &row);
}

/* One recipient with ${slots} slots: it pays, and its box lists the transfer. */
static void seal_recipient(struct lmdb_txn *t, const struct store_upload_seal *in,
                           const uint8_t *uid, size_t slots, struct lmdb_transfer *tr)
{
    struct lmdb_key box = lmdb_rows_key_box(uid, in->now, in->tid);
    struct lmdb_key expiry = lmdb_rows_key_time(tr->expires, in->tid, uid);
    struct lmdb_recipient v;
    struct lmdb_user u;

    if (lmdb_rows_load_recipient(t, in->tid, uid, &v) != ERR_OK)
        return;
    if (lmdb_rows_load_user(t, uid, &u) == ERR_OK && u.state == STORE_USER_DELETED)
        lmdb_gone_again(t, uid, in->now); /* since the upload was opened */
    lmdb_parts_charge(t, uid, v.charge, price(in, slots));
    v.charge = price(in, slots);
    lmdb_rows_save_recipient(t, in->tid, uid, &v);
    tr->live++;
    tr->viewers += v.views != 0;
    lmdb_txn_put(t, T_EXPIRIES, &expiry, NULL, 0);
    if (v.views & STORE_VIEW_INBOX) {
        lmdb_parts_list(t, T_INBOX, &box, in->tid);
        tell(t, in, uid, STORE_FEED_ARRIVED);
    }
}

static void put_transfer(struct lmdb_txn *t, const struct store_upload_seal *in,
                         const struct lmdb_upload *u, struct lmdb_transfer *tr)
{
    struct lmdb_key upload = lmdb_rows_key(t, in->tid, ROW_UPLOAD);
    struct lmdb_key cid = lmdb_key_of(in->cid, STORE_CID_LEN);
    struct lmdb_key cid_time = lmdb_rows_key_cid_time(in->now, in->cid);
    struct lmdb_key lease = lmdb_rows_key_time(u->lease_row, in->tid, NULL);
    struct lmdb_key sent = lmdb_rows_key_box(in->sender, in->now, in->tid);
    struct lmdb_header h = {in->header, in->sig, in->meta, in->slot_leaves};

    lmdb_rows_save_header(t, in->tid, &h);
    lmdb_txn_put(t, T_CIDS, &cid, in->tid, STORE_TID_LEN);
    lmdb_txn_put(t, T_CID_TIMES, &cid_time, NULL, 0);
    lmdb_parts_list(t, T_SENT, &sent, in->tid);
    lmdb_txn_del(t, T_LEASES, &lease);
    lmdb_txn_del(t, T_ROWS, &upload);
    t->added[LMDB_UPLOADS]--;
    t->added[LMDB_TRANSFERS]++;
    if (in->event != NULL)
        lmdb_parts_event(t, in->tid, tr, in->event, in->now, NULL);
    tell(t, in, in->sender, STORE_FEED_STORED);
    lmdb_rows_save_transfer(t, in->tid, tr);
}

static void seal(struct lmdb_txn *t, const struct store_upload_seal *in,
                 const struct lmdb_upload *u, const struct store_slot_seal *const *sorted)
{
    struct lmdb_transfer tr = {
        .arrived = in->now,
        .expires = u->expires,
        .body_len = in->body_len,
        .pieces = in->pieces,
        .opens_max = u->opens_max,
        .policy = u->policy,
        .sent = 1,
        .body = 1,
    };

    memcpy(tr.sender, u->sender, sizeof(tr.sender));
    memcpy(tr.device, u->device, sizeof(tr.device));
    memcpy(tr.idem, u->idem, sizeof(tr.idem));
    for (size_t i = 0; i < in->nslots; i++) {
        seal_slot(t, in->tid, sorted[i]);
        if (i == 0 || memcmp(sorted[i - 1]->uid, sorted[i]->uid, STORE_UID_LEN) != 0)
            seal_recipient(t, in, sorted[i]->uid, same_user(sorted, i, in->nslots), &tr);
    }
    put_transfer(t, in, u, &tr);
}

/* The one piece of the body, which comes with the seal. */
static struct store_piece_put piece_of(const struct store_upload_seal *in)
{
    struct store_piece_put piece = {.data = (uint8_t *)(uintptr_t)in->piece.data,
                                    .len = in->piece.len};

    memcpy(piece.tid, in->tid, sizeof(piece.tid));
    memcpy(piece.sender, in->sender, sizeof(piece.sender));
    memcpy(piece.leaf, in->leaf, sizeof(piece.leaf));
    return piece;
}

/*
 * What ${u} would be with that piece; nothing is written yet.  A job that fails behind its first
 * change costs all that share its commit a commit of their own.
 */
static int look_ahead(struct lmdb_txn *t, const struct store_upload_seal *in, struct lmdb_upload *u,
                      struct store_result *res)
{
    struct store_piece_put piece = piece_of(in);
    struct lmdb_upload before;
    int rc = lmdb_pieces_check(t, &piece, res, &before);

    if (rc == ERR_OK && !res->duplicate) {
        u->pieces++;
        u->bytes += piece.len;
        if (piece.len < STORE_PIECE_MAX)
            u->short_piece = piece.index;
    }
    res->duplicate = false; /* which the piece may be, but not the seal */
    return rc;
}

/* As looked at. */
static int put_piece(struct lmdb_txn *t, const struct store_upload_seal *in, struct lmdb_upload *u,
                     struct store_result *res)
{
    struct store_piece_put piece = piece_of(in);
    int rc = lmdb_pieces_add(t, &piece, res);

    res->duplicate = false;
    return rc == ERR_OK ? lmdb_rows_load_upload(t, in->tid, u) : rc;
}

int lmdb_seal_run(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_upload_seal *in = &job->in->upload_seal;
    const struct store_slot_seal **sorted;
    struct lmdb_upload u;
    struct lmdb_user sender;
    int rc = lmdb_rows_load_upload(t, in->tid, &u);

    if (rc == ERR_NOTFOUND)
        return sealed_before(t, in, job->res);
    if (rc == ERR_OK && memcmp(u.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc == ERR_OK)
        rc = lmdb_rows_load_present(t, in->sender, &sender);
    if (rc == ERR_OK && in->piece.len > 0)
        rc = look_ahead(t, in, &u, job->res);
    if (rc != ERR_OK)
        return rc;
    sorted = calloc(in->nslots, sizeof(*sorted));
    if (sorted == NULL)
        return ERR_NOMEM;
    rc = check(t, in, &u, sorted, job->res);
    if (rc == ERR_OK && in->piece.len > 0)
        rc = put_piece(t, in, &u, job->res);
    if (rc == ERR_OK) {
        seal(t, in, &u, sorted);
        job->res->u.seal.arrived = in->now;
    }
    free(sorted);
    return rc;
}

bool lmdb_seal_gathers(const struct store_job *job)
{
    return job->op == STORE_OP_upload_seal;
}

bool lmdb_seal_records(const struct store_job *job)
{
    return job->op == STORE_OP_upload_seal && job->in->upload_seal.body_len <= STORE_SMALL_MAX;
}
