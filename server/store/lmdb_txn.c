/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_txn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "server/store/lmdb_env.h"
#include "server/store/lmdb_redo.h"

const char *const lmdb_tables_index[T_INDEX_COUNT] = {
    [T_META] = "meta",
    [T_USERS] = "users",
    [T_NAMES] = "names",
    [T_EMAILS] = "emails",
    [T_MANIFESTS] = "manifests",
    [T_INVITES] = "invites",
    [T_TIDS] = "tids",
    [T_ROWS] = "rows",
    [T_IDEM] = "idem",
    [T_LEASES] = "leases",
    [T_INBOX] = "inbox",
    [T_SENT] = "sent",
    [T_CIDS] = "cids",
    [T_EXPIRIES] = "expiries",
    [T_GARBAGE] = "garbage",
    [T_CELLS] = "cells",
    [T_ENDED] = "ended",
    [T_FEED] = "feed",
    [T_FEED_TIMES] = "feed-times",
    [T_BLOCKS] = "blocks",
    [T_ACCOUNTS] = "accounts",
    [T_FACTORS] = "factors",
    [T_CID_TIMES] = "cid-times",
    [T_DELETED] = "deleted",
    [T_GONE_NAMES] = "gone-names",
};

const char *const lmdb_tables_bodies[T_BODY_COUNT] = {
    [T_PIECES - T_INDEX_COUNT] = "pieces",
    [T_BODY_META - T_INDEX_COUNT] = "meta",
};

/* Shortest and longest key of each table: what is outside is damage. */
static const struct {
    uint8_t min, max;
} key_len[T_COUNT] = {
    [T_META] = {1, 16},
    [T_USERS] = {20, 20},
    [T_NAMES] = {1, STORE_NAME_MAX},
    [T_EMAILS] = {1, STORE_EMAIL_MAX},
    [T_MANIFESTS] = {28, 28},
    [T_INVITES] = {32, 32},
    [T_TIDS] = {16, 16},
    [T_ROWS] = {9, 45},
    [T_IDEM] = {36, 36},
    [T_LEASES] = {24, 24},
    [T_INBOX] = {44, 44},
    [T_SENT] = {44, 44},
    [T_CIDS] = {32, 32},
    [T_CID_TIMES] = {40, 40},
    [T_FACTORS] = {20, 20},
    [T_DELETED] = {20, 20},
    [T_GONE_NAMES] = {32, 32},
    [T_EXPIRIES] = {44, 44},
    [T_GARBAGE] = {16, 16},
    [T_CELLS] = {8, 8},
    [T_FEED] = {28, 28},
    [T_FEED_TIMES] = {36, 36},
    [T_BLOCKS] = {40, 40},
    [T_ACCOUNTS] = {20, 20},
    [T_ENDED] = {44, 44},
    [T_PIECES] = {20, 20},
    [T_BODY_META] = {1, 16},
};

/* Length of a key of "rows", by its kind: enum lmdb_kind. */
static const uint8_t row_key_len[] = {9, 9, 9, 29, 45, 9, 13, 13, 9};

static MDB_dbi dbi_of(const struct lmdb_txn *t, enum lmdb_table table)
{
    return lmdb_env_table(t->env, table < T_INDEX_COUNT ? table : table - T_INDEX_COUNT);
}

int lmdb_txn_code(const struct lmdb_txn *t)
{
    return t->hard != 0 ? lmdb_env_code(t->hard) : ERR_OK;
}

int lmdb_txn_fail(struct lmdb_txn *t, int mdb)
{
    if (t->hard == 0)
        t->hard = mdb;
    return lmdb_txn_code(t);
}

/* ---- keys ---- */

void lmdb_key_add(struct lmdb_key *k, const void *p, size_t len)
{
    assert(len <= sizeof(k->bytes) - k->len);
    memcpy(k->bytes + k->len, p, len);
    k->len += len;
}

void lmdb_key_u32(struct lmdb_key *k, uint32_t v)
{
    uint8_t b[4];

    put_be32(b, v);
    lmdb_key_add(k, b, sizeof(b));
}

void lmdb_key_u64(struct lmdb_key *k, uint64_t v)
{
    uint8_t b[8];

    put_be64(b, v);
    lmdb_key_add(k, b, sizeof(b));
}

struct lmdb_key lmdb_key_of(const void *p, size_t len)
{
    struct lmdb_key k = {0};

    lmdb_key_add(&k, p, len);
    return k;
}

static MDB_val val_of(const void *p, size_t len)
{
    return (MDB_val){.mv_size = len, .mv_data = (void *)p};
}

/* ---- rows ---- */

int lmdb_txn_get(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                 struct rd *ret_value)
{
    MDB_val k = val_of(key->bytes, key->len), v;
    int rc;

    if (t->hard != 0)
        return lmdb_txn_code(t);
    rc = mdb_get(t->txn, dbi_of(t, table), &k, &v);
    if (rc == MDB_NOTFOUND)
        return ERR_NOTFOUND;
    if (rc != 0)
        return lmdb_txn_fail(t, rc);
    if (ret_value != NULL)
        *ret_value = rd_make(v.mv_data, v.mv_size);
    return ERR_OK;
}

void lmdb_txn_put(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                  const void *value, size_t len)
{
    MDB_val k = val_of(key->bytes, key->len), v = val_of(value, len);
    int rc;

    if (t->hard != 0)
        return;
    t->touched = true;
    if (t->changes != NULL) /* before what ${value} points to moves */
        lmdb_redo_note_put(t->changes, table, part(key->bytes, key->len), part(value, len));
    rc = mdb_put(t->txn, dbi_of(t, table), &k, &v, 0);
    if (rc != 0)
        (void)lmdb_txn_fail(t, rc);
}

void lmdb_txn_put_row(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key)
{
    if (t->row.failed)
        (void)lmdb_txn_fail(t, ENOMEM);
    lmdb_txn_put(t, table, key, t->row.data, t->row.len);
}

void lmdb_txn_del(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key)
{
    MDB_val k = val_of(key->bytes, key->len);
    int rc;

    if (t->hard != 0)
        return;
    t->touched = t->freed = true;
    if (t->changes != NULL)
        lmdb_redo_note_del(t->changes, table, part(key->bytes, key->len));
    rc = mdb_del(t->txn, dbi_of(t, table), &k, NULL);
    if (rc != 0 && rc != MDB_NOTFOUND)
        (void)lmdb_txn_fail(t, rc);
}

/* ---- walks ---- */

/* Take what a cursor call gave: is it a row with the right front? */
static bool stands(struct lmdb_walk *w, int rc, const MDB_val *k, const MDB_val *v)
{
    w->key = NULL;
    if (rc != 0 && rc != MDB_NOTFOUND)
        (void)lmdb_txn_fail(w->t, rc);
    if (rc != 0 || k->mv_size < w->prefix || memcmp(k->mv_data, w->front, w->prefix) != 0)
        return false;
    if (k->mv_size < w->min_len || k->mv_size > key_len[w->table].max) {
        (void)lmdb_txn_fail(w->t, MDB_CORRUPTED);
        return false;
    }
    w->key = k->mv_data;
    w->key_len = k->mv_size;
    w->value = rd_make(v->mv_data, v->mv_size);
    return true;
}

static bool open_walk(struct lmdb_walk *w, struct lmdb_txn *t, enum lmdb_table table,
                      const struct lmdb_key *start, size_t prefix)
{
    int rc;

    assert(prefix <= sizeof(w->front) && prefix <= start->len);
    *w = (struct lmdb_walk){.t = t, .table = table, .prefix = prefix};
    w->min_len = key_len[table].min;
    if (table == T_ROWS && prefix > 8 && start->bytes[8] < sizeof(row_key_len))
        w->min_len = row_key_len[start->bytes[8]];
    memcpy(w->front, start->bytes, prefix);
    if (t->hard != 0)
        return false;
    rc = mdb_cursor_open(t->txn, dbi_of(t, table), &w->cursor);
    if (rc != 0)
        (void)lmdb_txn_fail(t, rc);
    return rc == 0;
}

bool lmdb_walk_start(struct lmdb_walk *w, struct lmdb_txn *t, enum lmdb_table table,
                     const struct lmdb_key *start, size_t prefix)
{
    MDB_val k = val_of(start->bytes, start->len), v = {0};
    int rc;

    if (!open_walk(w, t, table, start, prefix))
        return false;
    rc = mdb_cursor_get(w->cursor, &k, &v, start->len > 0 ? MDB_SET_RANGE : MDB_FIRST);
    return stands(w, rc, &k, &v);
}

bool lmdb_walk_start_before(struct lmdb_walk *w, struct lmdb_txn *t, enum lmdb_table table,
                            const struct lmdb_key *start, size_t prefix)
{
    MDB_val k = val_of(start->bytes, start->len), v = {0};
    int rc;

    if (!open_walk(w, t, table, start, prefix))
        return false;
    rc = mdb_cursor_get(w->cursor, &k, &v, MDB_SET_RANGE);
    if (rc == 0)
        rc = mdb_cursor_get(w->cursor, &k, &v, MDB_PREV);
    else if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(w->cursor, &k, &v, MDB_LAST);
    return stands(w, rc, &k, &v);
}

static bool step(struct lmdb_walk *w, MDB_cursor_op op)
{
    MDB_val k = {0}, v = {0};

    if (w->cursor == NULL || w->t->hard != 0)
        return false;
    return stands(w, mdb_cursor_get(w->cursor, &k, &v, op), &k, &v);
}

bool lmdb_walk_next(struct lmdb_walk *w)
{
    return step(w, MDB_NEXT);
}

bool lmdb_walk_prev(struct lmdb_walk *w)
{
    return step(w, MDB_PREV);
}

void lmdb_walk_del(struct lmdb_walk *w)
{
    int rc;

    if (w->t->hard != 0)
        return;
    w->t->touched = w->t->freed = true;
    if (w->t->changes != NULL)
        lmdb_redo_note_del(w->t->changes, w->table, part(w->key, w->key_len));
    rc = mdb_cursor_del(w->cursor, 0);
    if (rc != 0)
        (void)lmdb_txn_fail(w->t, rc);
}

void lmdb_walk_end(struct lmdb_walk *w)
{
    if (w->cursor != NULL)
        mdb_cursor_close(w->cursor);
    w->cursor = NULL;
}
