/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_rows.h"

#include <errno.h>
#include <string.h>

/* ---- parts ---- */

/* Begin to encode into the scratch buffer. */
static struct buf *row_begin(struct lmdb_txn *t)
{
    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    return &t->row;
}

static struct store_blob rd_blob(struct rd *r)
{
    struct store_blob b = {.len = rd_u32(r)};

    b.data = rd_take(r, b.len);
    return b;
}

static void buf_blob(struct buf *b, const struct store_blob *blob)
{
    buf_lp(b, blob->data, blob->len);
}

/* The version byte; other versions are refused by making the reader fail. */
static void rd_version(struct rd *r)
{
    if (rd_u8(r) != LMDB_ROW_VERSION)
        r->bad = true;
}

/* A row must decode to its last byte. */
static int row_end(struct lmdb_txn *t, const struct rd *r)
{
    return rd_done(r) ? ERR_OK : lmdb_txn_fail(t, MDB_CORRUPTED);
}

/* ---- users ---- */

int lmdb_rows_load_user(struct lmdb_txn *t, const uint8_t *uid, struct lmdb_user *ret)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);
    struct lmdb_user u = {0};
    struct rd r;
    int rc = lmdb_txn_get(t, T_USERS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    rd_version(&r);
    u.state = rd_u8(&r);
    u.created = rd_u64(&r);
    u.quota = rd_u64(&r);
    u.used = rd_u64(&r);
    u.manifest_seq = rd_u64(&r);
    u.name = rd_blob(&r);
    u.email = rd_blob(&r);
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = u;
    return rc;
}

int lmdb_rows_load_present(struct lmdb_txn *t, const uint8_t *uid, struct lmdb_user *ret)
{
    int rc = lmdb_rows_load_user(t, uid, ret);

    return rc == ERR_OK && ret->state == STORE_USER_DELETED ? ERR_NOTFOUND : rc;
}

void lmdb_rows_save_user(struct lmdb_txn *t, const uint8_t *uid, const struct lmdb_user *u)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);
    struct buf *b = row_begin(t);

    buf_u8(b, u->state);
    buf_u64(b, u->created);
    buf_u64(b, u->quota);
    buf_u64(b, u->used);
    buf_u64(b, u->manifest_seq);
    buf_blob(b, &u->name);
    buf_blob(b, &u->email);
    lmdb_txn_put_row(t, T_USERS, &key);
}

/* ---- invitations ---- */

int lmdb_rows_read_invite(struct lmdb_txn *t, struct rd r, struct lmdb_invite *ret)
{
    struct lmdb_invite v = {0};
    int rc;

    rd_version(&r);
    v.created = rd_u64(&r);
    v.expires = rd_u64(&r);
    v.uses = rd_u32(&r);
    v.left = rd_u32(&r);
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = v;
    return rc;
}

int lmdb_rows_load_invite(struct lmdb_txn *t, const uint8_t *hash, struct lmdb_invite *ret)
{
    struct lmdb_key key = lmdb_key_of(hash, STORE_HASH_LEN);
    struct rd r;
    int rc = lmdb_txn_get(t, T_INVITES, &key, &r);

    return rc == ERR_OK ? lmdb_rows_read_invite(t, r, ret) : rc;
}

void lmdb_rows_save_invite(struct lmdb_txn *t, const uint8_t *hash, const struct lmdb_invite *v)
{
    struct lmdb_key key = lmdb_key_of(hash, STORE_HASH_LEN);
    struct buf *b = row_begin(t);

    buf_u64(b, v->created);
    buf_u64(b, v->expires);
    buf_u32(b, v->uses);
    buf_u32(b, v->left);
    lmdb_txn_put_row(t, T_INVITES, &key);
}

/* ---- uploads ---- */

#define GROWS ((uint64_t)1 << 63) /* in body_max */

int lmdb_rows_load_upload(struct lmdb_txn *t, const uint8_t *tid, struct lmdb_upload *ret)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_UPLOAD);
    struct lmdb_upload u = {0};
    struct rd r;
    int rc = lmdb_txn_get(t, T_ROWS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    rd_version(&r);
    rd_get(&r, u.sender, sizeof(u.sender));
    rd_get(&r, u.device, sizeof(u.device));
    rd_get(&r, u.idem, sizeof(u.idem));
    u.created = rd_u64(&r);
    u.lease = rd_u64(&r);
    u.lease_row = rd_u64(&r);
    u.expires = rd_u64(&r);
    u.opens_max = rd_u32(&r);
    u.policy = rd_u32(&r);
    u.body_max = rd_u64(&r);
    u.grows = (u.body_max & GROWS) != 0;
    u.body_max &= ~GROWS;
    u.bytes = rd_u64(&r);
    u.pieces = rd_u32(&r);
    u.short_piece = rd_u32(&r);
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = u;
    return rc;
}

void lmdb_rows_save_upload(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_UPLOAD);
    struct buf *b = row_begin(t);

    buf_put(b, u->sender, sizeof(u->sender));
    buf_put(b, u->device, sizeof(u->device));
    buf_put(b, u->idem, sizeof(u->idem));
    buf_u64(b, u->created);
    buf_u64(b, u->lease);
    buf_u64(b, u->lease_row);
    buf_u64(b, u->expires);
    buf_u32(b, u->opens_max);
    buf_u32(b, u->policy);
    buf_u64(b, u->body_max | (u->grows ? GROWS : 0));
    buf_u64(b, u->bytes);
    buf_u32(b, u->pieces);
    buf_u32(b, u->short_piece);
    lmdb_txn_put_row(t, T_ROWS, &key);
}

/* ---- slots ---- */

int lmdb_rows_read_slot(struct lmdb_txn *t, struct rd r, struct lmdb_slot *ret)
{
    struct lmdb_slot s = {0};
    int rc;

    rd_version(&r);
    rd_get(&r, s.instance, sizeof(s.instance));
    s.cell = rd_u64(&r);
    s.day_cell = rd_u64(&r);
    s.day = rd_u32(&r);
    s.position = rd_u32(&r);
    s.seed = rd_blob(&r);
    s.bytes = rd_blob(&r);
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = s;
    return rc;
}

void lmdb_rows_save_slot(struct lmdb_txn *t, const struct lmdb_key *key, const struct lmdb_slot *s)
{
    struct buf *b = row_begin(t);

    buf_put(b, s->instance, sizeof(s->instance));
    buf_u64(b, s->cell);
    buf_u64(b, s->day_cell);
    buf_u32(b, s->day);
    buf_u32(b, s->position);
    buf_blob(b, &s->seed);
    buf_blob(b, &s->bytes);
    lmdb_txn_put_row(t, T_ROWS, key);
}

/* ---- recipients ---- */

/* 1 did not tell when it ended, 2 not what it has left in the log. */
enum { RECIPIENT_ENDED = 2, RECIPIENT_VERSION = 3 };

static void read_opens(struct rd *r, struct lmdb_recipient *v)
{
    v->nopens = rd_u32(r);
    if (v->nopens > STORE_OPENS_MAX) {
        r->bad = true;
        return;
    }
    for (uint32_t i = 0; i < v->nopens; i++) {
        struct store_open_row *o = &v->opens[i];

        rd_get(r, o->device, sizeof(o->device));
        o->state = rd_u8(r);
        o->claims = rd_u32(r);
        o->at = rd_u64(r);
    }
}

int lmdb_rows_read_recipient(struct lmdb_txn *t, struct rd r, struct lmdb_recipient *ret)
{
    uint8_t version = rd_u8(&r);

    r.bad |= version < LMDB_ROW_VERSION || version > RECIPIENT_VERSION;
    ret->life = rd_u8(&r);
    ret->views = rd_u8(&r);
    ret->charge = rd_u64(&r);
    ret->received = rd_u64(&r);
    read_opens(&r, ret);
    ret->ended = version < RECIPIENT_ENDED ? 0 : rd_u64(&r);
    ret->returns = version < RECIPIENT_VERSION ? 0 : rd_u32(&r);
    ret->repeats = version < RECIPIENT_VERSION ? 0 : rd_u32(&r);
    return row_end(t, &r);
}

int lmdb_rows_load_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                             struct lmdb_recipient *ret)
{
    struct lmdb_key key = lmdb_rows_key_recipient(t, tid, uid);
    struct rd r;
    int rc = lmdb_txn_get(t, T_ROWS, &key, &r);

    return rc == ERR_OK ? lmdb_rows_read_recipient(t, r, ret) : rc;
}

void lmdb_rows_save_recipient(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                              const struct lmdb_recipient *v)
{
    struct lmdb_key key = lmdb_rows_key_recipient(t, tid, uid);
    struct buf *b = &t->row;

    buf_reset(b);
    buf_u8(b, RECIPIENT_VERSION);
    buf_u8(b, v->life);
    buf_u8(b, v->views);
    buf_u64(b, v->charge);
    buf_u64(b, v->received);
    buf_u32(b, v->nopens);
    for (uint32_t i = 0; i < v->nopens; i++) {
        const struct store_open_row *o = &v->opens[i];

        buf_put(b, o->device, sizeof(o->device));
        buf_u8(b, (uint8_t)o->state);
        buf_u32(b, o->claims);
        buf_u64(b, o->at);
    }
    buf_u64(b, v->ended);
    buf_u32(b, v->returns);
    buf_u32(b, v->repeats);
    lmdb_txn_put_row(t, T_ROWS, &key);
}

/* ---- transfers ---- */

int lmdb_rows_load_transfer(struct lmdb_txn *t, const uint8_t *tid, struct lmdb_transfer *ret)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_TRANSFER);
    struct lmdb_transfer v = {0};
    struct rd r;
    int rc = lmdb_txn_get(t, T_ROWS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    rd_version(&r);
    rd_get(&r, v.sender, sizeof(v.sender));
    rd_get(&r, v.device, sizeof(v.device));
    rd_get(&r, v.idem, sizeof(v.idem));
    v.arrived = rd_u64(&r);
    v.expires = rd_u64(&r);
    v.body_len = rd_u64(&r);
    v.pieces = rd_u32(&r);
    v.opens_max = rd_u32(&r);
    v.policy = rd_u32(&r);
    v.live = rd_u32(&r);
    v.viewers = rd_u32(&r);
    v.sent = rd_u8(&r);
    v.body = rd_u8(&r);
    v.last_event = rd_u32(&r);
    rd_get(&r, v.head, sizeof(v.head));
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = v;
    return rc;
}

void lmdb_rows_save_transfer(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *v)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_TRANSFER);
    struct buf *b = row_begin(t);

    buf_put(b, v->sender, sizeof(v->sender));
    buf_put(b, v->device, sizeof(v->device));
    buf_put(b, v->idem, sizeof(v->idem));
    buf_u64(b, v->arrived);
    buf_u64(b, v->expires);
    buf_u64(b, v->body_len);
    buf_u32(b, v->pieces);
    buf_u32(b, v->opens_max);
    buf_u32(b, v->policy);
    buf_u32(b, v->live);
    buf_u32(b, v->viewers);
    buf_u8(b, v->sent);
    buf_u8(b, v->body);
    buf_u32(b, v->last_event);
    buf_put(b, v->head, sizeof(v->head));
    lmdb_txn_put_row(t, T_ROWS, &key);
}

int lmdb_rows_load_header(struct lmdb_txn *t, const uint8_t *tid, struct lmdb_header *ret)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_HEADER);
    struct lmdb_header v = {0};
    struct rd r;
    int rc = lmdb_txn_get(t, T_ROWS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    rd_version(&r);
    v.header = rd_blob(&r);
    v.sig = rd_blob(&r);
    v.meta = rd_blob(&r);
    v.slot_leaves = rd_blob(&r);
    rc = row_end(t, &r);
    if (rc == ERR_OK)
        *ret = v;
    return rc;
}

void lmdb_rows_save_header(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_header *v)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_HEADER);
    struct buf *b = row_begin(t);

    buf_blob(b, &v->header);
    buf_blob(b, &v->sig);
    buf_blob(b, &v->meta);
    buf_blob(b, &v->slot_leaves);
    lmdb_txn_put_row(t, T_ROWS, &key);
}

/* ---- addenda ---- */

int lmdb_rows_load_addendum(struct lmdb_txn *t, const uint8_t *tid, uint32_t *ret_number,
                            struct store_blob *ret)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_ADDENDUM);
    struct store_blob addendum;
    uint32_t number;
    struct rd r;
    int rc = lmdb_txn_get(t, T_ROWS, &key, &r);

    if (rc != ERR_OK)
        return rc;
    rd_version(&r);
    number = rd_u32(&r);
    addendum = rd_blob(&r);
    rc = row_end(t, &r);
    if (rc != ERR_OK)
        return rc;
    *ret_number = number;
    *ret = addendum;
    return ERR_OK;
}

void lmdb_rows_save_addendum(struct lmdb_txn *t, const uint8_t *tid, uint32_t number,
                             const struct store_blob *addendum)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_ADDENDUM);
    struct buf *b = row_begin(t);

    buf_u32(b, number);
    buf_blob(b, addendum);
    lmdb_txn_put_row(t, T_ROWS, &key);
}
