/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_parts.h"

#include <errno.h>
#include <string.h>

#include "common/transfer/event_log.h"
#include "server/store/lmdb_engine.h"

/* ---- slots and recipients ---- */

static struct lmdb_key slots_front(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key k = lmdb_rows_key(t, tid, ROW_SLOT);

    if (uid != NULL)
        lmdb_key_add(&k, uid, STORE_UID_LEN);
    return k;
}

static size_t count_rows(struct lmdb_txn *t, const struct lmdb_key *front)
{
    struct lmdb_walk w;
    size_t n = 0;

    for (bool on = lmdb_walk_start(&w, t, T_ROWS, front, front->len); on; on = lmdb_walk_next(&w))
        n++;
    lmdb_walk_end(&w);
    return n;
}

size_t lmdb_parts_count_slots(struct lmdb_txn *t, const uint8_t *tid)
{
    struct lmdb_key front = slots_front(t, tid, NULL);

    return count_rows(t, &front);
}

static void keep_slot(struct lmdb_txn *t, struct store_result *res, const struct lmdb_walk *w,
                      struct store_slot *to)
{
    struct lmdb_slot s;

    if (lmdb_rows_read_slot(t, w->value, &s) != ERR_OK)
        return;
    memcpy(to->uid, w->key + LMDB_FRONT, STORE_UID_LEN);
    memcpy(to->ek, w->key + LMDB_FRONT + STORE_UID_LEN, STORE_EK_LEN);
    memcpy(to->instance, s.instance, STORE_INSTANCE_LEN);
    to->cell = s.cell;
    to->day_cell = s.day_cell;
    to->day = s.day;
    to->position = s.position;
    to->seed = lmdb_engine_keep(t, res, &s.seed);
    to->bytes = lmdb_engine_keep(t, res, &s.bytes);
}

size_t lmdb_parts_slots(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                        const uint8_t *uid, const struct store_slot **ret_slots)
{
    struct lmdb_key front = slots_front(t, tid, uid);
    size_t n = count_rows(t, &front), i = 0;
    struct store_slot *slots = n > 0 ? lmdb_engine_alloc(t, res, n * sizeof(*slots)) : NULL;
    struct lmdb_walk w;
    bool on;

    *ret_slots = NULL;
    if (slots == NULL)
        return 0;
    for (on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len); on && i < n;
         on = lmdb_walk_next(&w))
        keep_slot(t, res, &w, &slots[i++]);
    lmdb_walk_end(&w);
    *ret_slots = slots;
    return n;
}

void lmdb_parts_recipient(struct lmdb_txn *t, struct store_result *res, const uint8_t *uid,
                          const struct lmdb_recipient *v, struct store_recipient *ret)
{
    size_t size = v->nopens * sizeof(v->opens[0]);
    struct store_open_row *opens = size > 0 ? lmdb_engine_alloc(t, res, size) : NULL;

    if (opens != NULL)
        memcpy(opens, v->opens, size);
    memcpy(ret->uid, uid, STORE_UID_LEN);
    ret->life = v->life;
    ret->in_inbox = (v->views & STORE_VIEW_INBOX) != 0;
    ret->received = v->received;
    ret->ended = v->ended;
    ret->opens_used = v->nopens;
    ret->opens = opens;
    ret->nopens = opens != NULL ? v->nopens : 0;
}

/* ---- changes ---- */

static uint64_t cost_of(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key front = slots_front(t, tid, uid);

    return (uint64_t)count_rows(t, &front) * STORE_SLOT_COST;
}

void lmdb_parts_charge(struct lmdb_txn *t, const uint8_t *uid, uint64_t before, uint64_t after)
{
    struct lmdb_user u;

    if (before == after || lmdb_rows_load_user(t, uid, &u) != ERR_OK)
        return;
    u.used = u.used > before ? u.used - before : 0;
    u.used += after;
    lmdb_rows_save_user(t, uid, &u);
}

/* Put the cells of a transfer's slots, of ${uid} only unless it is NULL, on the list of due cells.
 */
static void cells_due(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key front = slots_front(t, tid, uid), key;
    struct lmdb_slot s;
    struct lmdb_walk w;
    bool on;

    for (on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len); on; on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_slot(t, w.value, &s) != ERR_OK)
            break;
        key = (struct lmdb_key){0};
        lmdb_key_u64(&key, s.cell);
        lmdb_txn_put(t, T_CELLS, &key, NULL, 0);
    }
    lmdb_walk_end(&w);
}

void lmdb_parts_list(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                     const uint8_t *tid)
{
    uint8_t be[8];

    put_be64(be, lmdb_rows_number(t, tid));
    lmdb_txn_put(t, table, key, be, sizeof(be));
}

void lmdb_parts_garbage(struct lmdb_txn *t, const uint8_t *tid, uint8_t what)
{
    struct lmdb_key key = lmdb_key_of(tid, STORE_TID_LEN);
    struct rd r;

    if (lmdb_txn_get(t, T_GARBAGE, &key, &r) == ERR_OK)
        what |= rd_u8(&r);
    lmdb_txn_put(t, T_GARBAGE, &key, &what, sizeof(what));
}

void lmdb_parts_settle(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                       struct lmdb_recipient *v, const struct lmdb_transfer *tr)
{
    uint64_t cost = v->views != 0 ? cost_of(t, tid, uid) : 0;

    if (tr->live > 0 && memcmp(uid, tr->sender, STORE_UID_LEN) == 0)
        return;
    lmdb_parts_charge(t, uid, v->charge, cost);
    v->charge = cost;
}

/* Nobody is LIVE any more: the sender need not pay on. */
static void settle_sender(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *tr)
{
    struct lmdb_recipient v;

    if (lmdb_rows_load_recipient(t, tid, tr->sender, &v) != ERR_OK)
        return;
    lmdb_parts_settle(t, tid, tr->sender, &v, tr);
    lmdb_rows_save_recipient(t, tid, tr->sender, &v);
}

void lmdb_parts_end_life(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid,
                         struct lmdb_recipient *v, struct lmdb_transfer *tr, enum store_life life)
{
    struct lmdb_key expiry = lmdb_rows_key_time(tr->expires, tid, uid);
    struct lmdb_key ended = lmdb_rows_key_time(tr->expires + STORE_ENDED_MS, tid, uid);

    v->life = (uint8_t)life;
    lmdb_txn_put(t, T_ENDED, &ended, NULL, 0);
    cells_due(t, tid, uid);
    lmdb_txn_del(t, T_EXPIRIES, &expiry);
    if (tr->live > 0)
        tr->live--;
    lmdb_parts_settle(t, tid, uid, v, tr);
    if (tr->live == 0 && memcmp(uid, tr->sender, STORE_UID_LEN) != 0)
        settle_sender(t, tid, tr);
    if (tr->live == 0 && tr->body) {
        tr->body = 0;
        lmdb_parts_garbage(t, tid, LMDB_GARBAGE_BODY);
    }
}

/* ---- events ---- */

static void hash_event(struct lmdb_txn *t, const uint8_t *tid, const struct store_event *e,
                       const struct store_blob *data, uint8_t out[STORE_HASH_LEN])
{
    struct event_log_row row = {
        .number = e->seq, .time = e->at, .kind = e->kind, .data = part(data->data, data->len)};
    struct hash32 prev, hash;
    struct tid of;

    memcpy(of.b, tid, sizeof(of.b));
    memcpy(row.uid.b, e->uid, sizeof(row.uid.b));
    memcpy(prev.b, e->prev, sizeof(prev.b));
    if (event_log_hash(&of, &row, &prev, &hash) == ERR_OK)
        memcpy(out, hash.b, sizeof(hash.b));
    else
        (void)lmdb_txn_fail(t, ENOMEM);
}

void lmdb_parts_event(struct lmdb_txn *t, const uint8_t *tid, struct lmdb_transfer *tr,
                      const struct store_event_new *event, uint64_t now,
                      struct store_event *ret_event)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, tid, ROW_EVENT, tr->last_event + 1);
    struct store_event e = {.seq = tr->last_event + 1, .kind = event->kind, .at = now};

    memcpy(e.uid, event->uid, sizeof(e.uid));
    memcpy(e.prev, tr->head, sizeof(e.prev));
    hash_event(t, tid, &e, &event->data, e.hash);
    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, e.at);
    buf_u16(&t->row, e.kind);
    buf_put(&t->row, e.uid, sizeof(e.uid));
    buf_lp(&t->row, event->data.data, event->data.len);
    buf_put(&t->row, e.prev, sizeof(e.prev));
    buf_put(&t->row, e.hash, sizeof(e.hash));
    lmdb_txn_put_row(t, T_ROWS, &key);
    tr->last_event = e.seq;
    memcpy(tr->head, e.hash, sizeof(tr->head));
    if (ret_event != NULL)
        *ret_event = e;
}

/* ---- uploads ---- */

void lmdb_parts_drop_upload(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u)
{
    struct lmdb_key front = lmdb_rows_key(t, tid, ROW_RECIPIENT);
    struct lmdb_key upload = lmdb_rows_key(t, tid, ROW_UPLOAD);
    struct lmdb_key idem = lmdb_key_of(u->sender, STORE_UID_LEN);
    struct lmdb_key lease = lmdb_rows_key_time(u->lease_row, tid, NULL);
    uint8_t uid[STORE_UID_LEN];
    struct lmdb_recipient v;
    struct lmdb_walk w;
    bool on;

    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on; on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_recipient(t, w.value, &v) != ERR_OK)
            break;
        memcpy(uid, w.key + LMDB_FRONT, sizeof(uid));
        lmdb_parts_charge(t, uid, v.charge, 0);
    }
    lmdb_walk_end(&w);
    cells_due(t, tid, NULL);
    lmdb_key_add(&idem, u->idem, STORE_IDEM_LEN);
    lmdb_txn_del(t, T_IDEM, &idem);
    lmdb_txn_del(t, T_LEASES, &lease);
    lmdb_txn_del(t, T_ROWS, &upload);
    t->added[LMDB_UPLOADS]--;
    lmdb_parts_garbage(t, tid, LMDB_GARBAGE_BODY | LMDB_GARBAGE_ROWS);
}

bool lmdb_parts_leaf_piece(struct rd *r)
{
    (void)rd_take(r, STORE_HASH_LEN);
    (void)rd_u32(r);
    return !r->bad && r->left > 0;
}
