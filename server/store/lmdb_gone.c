/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_gone - a user leaves, and what was his goes in bounded parts.
 *
 * From the commit of lmdb_gone_mark() on the user is not there for anybody.  Each part of
 * lmdb_gone_clear() is a commit of its own; the row of "deleted" goes with the last one, so that
 * what a crash interrupts is gone on with.  An upload that was begun before and is sealed
 * to the user later puts that row back (lmdb_gone_again()): its box is then cleared once more.
 */
#include <errno.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

/* ---- the mark ---- */

int lmdb_gone_name(struct lmdb_txn *t, const void *name, size_t len, struct lmdb_key *ret)
{
    struct buf b = {0};

    *ret = (struct lmdb_key){.len = STORE_HASH_LEN};
    buf_lp_str(&b, "satchel/1 gone name");
    buf_lp(&b, name, len);
    if (b.failed || hash_sha256(ret->bytes, b.data, b.len) != ERR_OK)
        (void)lmdb_txn_fail(t, ENOMEM);
    buf_free(&b);
    return lmdb_txn_code(t);
}

static void put_time(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                     uint64_t now)
{
    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, now);
    lmdb_txn_put_row(t, table, key);
}

void lmdb_gone_again(struct lmdb_txn *t, const uint8_t *uid, uint64_t now)
{
    struct lmdb_key key = lmdb_key_of(uid, STORE_UID_LEN);

    put_time(t, T_DELETED, &key, now);
}

int lmdb_gone_mark(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_delete *in = &job->in->user_delete;
    struct lmdb_key uid = lmdb_key_of(in->uid, STORE_UID_LEN), name, email, gone;
    struct lmdb_user u;
    int rc = lmdb_rows_load_user(t, in->uid, &u);

    if (rc != ERR_OK)
        return rc;
    job->res->duplicate = u.state == STORE_USER_DELETED;
    if (job->res->duplicate)
        return ERR_OK;
    rc = lmdb_gone_name(t, u.name.data, u.name.len, &gone);
    if (rc != ERR_OK)
        return rc;
    name = lmdb_key_of(u.name.data, u.name.len);
    email = lmdb_key_of(u.email.data, u.email.len);
    u.state = STORE_USER_DELETED;
    u.name = u.email = (struct store_blob){0};
    lmdb_rows_save_user(t, in->uid, &u);
    lmdb_txn_del(t, T_NAMES, &name);
    lmdb_txn_del(t, T_EMAILS, &email);
    lmdb_txn_del(t, T_ACCOUNTS, &uid);
    lmdb_txn_del(t, T_FACTORS, &uid);
    put_time(t, T_GONE_NAMES, &gone, in->now);
    lmdb_gone_again(t, in->uid, in->now);
    t->added[LMDB_USERS]--;
    return lmdb_txn_code(t);
}

/* ---- the parts ---- */

struct clearing {
    struct lmdb_txn *t;
    uint8_t uid[STORE_UID_LEN];
    uint64_t now, *cells;
    size_t n, room; /* cells so far; rows that may still be looked at */
};

/* A transfer may add the cells of all its slots. */
static bool has_room(const struct clearing *c)
{
    return c->room > 0 && c->n + STORE_SLOTS_MAX <= STORE_LIST_MAX;
}

static void spend(struct clearing *c, size_t rows)
{
    c->room -= rows < c->room ? rows : c->room;
}

/* The transfer's cells that are on the list of due ones. */
static void note_cells(struct clearing *c, const uint8_t *tid)
{
    struct lmdb_key front = lmdb_rows_key(c->t, tid, ROW_SLOT), key;
    struct lmdb_slot s;
    struct lmdb_walk w;
    bool on;

    on = lmdb_walk_start(&w, c->t, T_ROWS, &front, front.len);
    for (; on && c->n < STORE_LIST_MAX; on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_slot(c->t, w.value, &s) != ERR_OK)
            break;
        key = (struct lmdb_key){0};
        lmdb_key_u64(&key, s.cell);
        if (lmdb_txn_get(c->t, T_CELLS, &key, NULL) == ERR_OK)
            c->cells[c->n++] = s.cell;
    }
    lmdb_walk_end(&w);
}

/* The first row of ${table} that begins with the user's ID; false: there is none, or a failure. */
static bool first_row(struct clearing *c, enum lmdb_table table, struct lmdb_key *ret_key,
                      struct rd *ret_value)
{
    struct lmdb_key front = lmdb_key_of(c->uid, sizeof(c->uid));
    struct lmdb_walk w;
    bool on = lmdb_walk_start(&w, c->t, table, &front, front.len);

    if (on) {
        *ret_key = lmdb_key_of(w.key, w.key_len);
        *ret_value = w.value;
    }
    lmdb_walk_end(&w);
    return on;
}

/* Each returns true when nothing of its kind is left. */
typedef bool clear_part(struct clearing *c);

static bool clear_box(struct clearing *c, enum lmdb_table table)
{
    struct lmdb_key row;
    struct rd value;

    while (first_row(c, table, &row, &value)) {
        const uint8_t *tid = row.bytes + STORE_UID_LEN + 8;

        if (!has_room(c))
            return false;
        lmdb_rows_know_tid(c->t, tid, rd_u64(&value));
        if (table == T_SENT)
            spend(c, lmdb_life_revoke_unopened(c->t, tid, c->now));
        lmdb_slots_leave(c->t, tid, c->uid, c->now);
        note_cells(c, tid);
        lmdb_txn_del(c->t, table, &row);
        spend(c, 1);
    }
    return true;
}

static bool clear_sent(struct clearing *c)
{
    return clear_box(c, T_SENT);
}

static bool clear_inbox(struct clearing *c)
{
    return clear_box(c, T_INBOX);
}

/* Attempts to send: uploads go with theirs, transfers that others still see lose it alone. */
static bool clear_attempts(struct clearing *c)
{
    uint8_t tid[STORE_TID_LEN];
    struct lmdb_upload u;
    struct lmdb_key row;
    struct rd value;

    while (first_row(c, T_IDEM, &row, &value)) {
        if (!has_room(c))
            return false;
        rd_get(&value, tid, sizeof(tid));
        if (lmdb_rows_load_upload(c->t, tid, &u) == ERR_OK) {
            lmdb_parts_drop_upload(c->t, tid, &u);
            note_cells(c, tid);
        }
        lmdb_txn_del(c->t, T_IDEM, &row);
        spend(c, 1);
    }
    return true;
}

static bool clear_feed(struct clearing *c)
{
    struct lmdb_key row, time;
    struct rd value;

    while (first_row(c, T_FEED, &row, &value)) {
        if (!has_room(c))
            return false;
        (void)rd_u8(&value);
        time = (struct lmdb_key){0};
        lmdb_key_u64(&time, rd_u64(&value));
        lmdb_key_add(&time, row.bytes, row.len);
        lmdb_txn_del(c->t, T_FEED_TIMES, &time);
        lmdb_txn_del(c->t, T_FEED, &row);
        spend(c, 1);
    }
    return true;
}

static bool clear_table(struct clearing *c, enum lmdb_table table)
{
    struct lmdb_key row;
    struct rd value;

    while (first_row(c, table, &row, &value)) {
        if (!has_room(c))
            return false;
        lmdb_txn_del(c->t, table, &row);
        spend(c, 1);
    }
    return true;
}

static bool clear_blocks(struct clearing *c)
{
    return clear_table(c, T_BLOCKS);
}

static bool clear_manifests(struct clearing *c)
{
    return clear_table(c, T_MANIFESTS);
}

/* Mail first: its keys must go soonest. */
static bool clear_all(struct clearing *c)
{
    static clear_part *const parts[] = {clear_sent, clear_attempts, clear_inbox,
                                        clear_feed, clear_blocks,   clear_manifests};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!parts[i](c))
            return false;
    return true;
}

/* Whose turn it is; ERR_NOTFOUND: nobody's. */
static int choose(struct lmdb_txn *t, const struct store_user_clear *in, uint8_t *ret_uid)
{
    struct lmdb_key start = {0}, key = lmdb_key_of(in->uid, STORE_UID_LEN);
    struct lmdb_walk w;
    bool on;

    if (!in->any) {
        memcpy(ret_uid, in->uid, STORE_UID_LEN);
        return lmdb_txn_get(t, T_DELETED, &key, NULL);
    }
    on = lmdb_walk_start(&w, t, T_DELETED, &start, 0);
    if (on)
        memcpy(ret_uid, w.key, STORE_UID_LEN);
    lmdb_walk_end(&w);
    return on ? ERR_OK : t->hard != 0 ? lmdb_txn_code(t) : ERR_NOTFOUND;
}

int lmdb_gone_clear(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_user_clear *in = &job->in->user_clear;
    struct store_result *res = job->res;
    struct clearing c = {.t = t, .now = in->now, .room = in->limit};
    uint8_t other[STORE_UID_LEN];
    struct lmdb_key key;
    bool done;
    int rc = choose(t, in, c.uid);

    if (rc == ERR_NOTFOUND) {
        res->duplicate = true;
        return ERR_OK;
    }
    c.cells = rc == ERR_OK ? lmdb_engine_alloc(t, res, STORE_LIST_MAX * sizeof(*c.cells)) : NULL;
    if (c.cells == NULL)
        return rc == ERR_OK ? ERR_NOMEM : rc;
    done = clear_all(&c);
    key = lmdb_key_of(c.uid, sizeof(c.uid));
    if (done)
        lmdb_txn_del(t, T_DELETED, &key);
    res->more = !done || (in->any && choose(t, in, other) == ERR_OK);
    memcpy(res->u.cleared.uid, c.uid, sizeof(c.uid));
    res->u.cleared.cells = c.cells;
    res->count = c.n;
    return lmdb_txn_code(t);
}
