/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_extend - another end for a transfer: all of it in one transaction. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

static const struct store_slot_move *move_of(const struct store_extend *in, const uint8_t *uid,
                                             const uint8_t *ek)
{
    for (size_t i = 0; i < in->nslots; i++)
        if (memcmp(in->slots[i].uid, uid, STORE_UID_LEN) == 0 &&
            memcmp(in->slots[i].ek, ek, STORE_EK_LEN) == 0)
            return &in->slots[i];
    return NULL;
}

static bool is_live(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_recipient v;

    return lmdb_rows_load_recipient(t, tid, uid, &v) == ERR_OK && v.life == STORE_LIVE;
}

/* ---- before the first change ---- */

static int check_number(struct lmdb_txn *t, const struct store_extend *in, struct store_result *res)
{
    struct store_blob old = {0};
    uint32_t number = 0;
    int rc = lmdb_rows_load_addendum(t, in->tid, &number, &old);

    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    if (in->number == number) {
        res->duplicate =
            old.len == in->addendum.len && memcmp(old.data, in->addendum.data, old.len) == 0;
        return res->duplicate ? ERR_OK
                              : store_fail(res, ERR_EXISTS, "another addendum has this number");
    }
    return in->number == number + 1
               ? ERR_OK
               : store_fail(res, ERR_BADSTATE, "the addendum's number is not the next one");
}

/* Every slot of a LIVE recipient is among the moves, and where it was. */
static int check_slots(struct lmdb_txn *t, const struct store_extend *in, struct store_result *res)
{
    struct lmdb_key front = lmdb_rows_key(t, in->tid, ROW_SLOT);
    struct lmdb_slot slot;
    struct lmdb_walk w;
    bool on, fits = true, any = false;

    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on && fits; on = lmdb_walk_next(&w)) {
        const uint8_t *uid = w.key + LMDB_FRONT;
        const struct store_slot_move *m = move_of(in, uid, uid + STORE_UID_LEN);

        if (lmdb_rows_read_slot(t, w.value, &slot) != ERR_OK)
            break;
        if (!is_live(t, in->tid, uid))
            continue;
        any = true;
        fits = m != NULL && m->old_cell == slot.cell;
    }
    lmdb_walk_end(&w);
    if (lmdb_txn_code(t) != ERR_OK)
        return lmdb_txn_code(t);
    return fits && any ? ERR_OK : store_fail(res, ERR_BADSTATE, "the slots are not as they were");
}

/* ---- changes ---- */

static void add_due(struct lmdb_txn *t, struct store_result *res, uint64_t *list, uint64_t cell)
{
    struct lmdb_key key = {0};

    lmdb_key_u64(&key, cell);
    lmdb_txn_put(t, T_CELLS, &key, NULL, 0);
    list[res->count++] = cell;
}

static void move_slot(struct lmdb_txn *t, const struct store_extend *in,
                      const struct store_slot_move *m, struct store_result *res, uint64_t *list)
{
    struct lmdb_key key = lmdb_rows_key_slot(t, in->tid, m->uid, m->ek);
    struct lmdb_slot slot;
    struct rd r;

    if (!is_live(t, in->tid, m->uid)) { /* its fresh cell serves nobody */
        add_due(t, res, list, m->cell);
        return;
    }
    if (lmdb_txn_get(t, T_ROWS, &key, &r) != ERR_OK || lmdb_rows_read_slot(t, r, &slot) != ERR_OK)
        return;
    slot.cell = m->cell;
    slot.day_cell = m->day_cell;
    slot.day = m->day;
    slot.seed = m->seed;
    lmdb_rows_save_slot(t, &key, &slot);
    add_due(t, res, list, m->old_cell);
}

/* One recipient's row of expiries moves; he is told, if he lists it. */
static void move_expiry(struct lmdb_txn *t, const struct store_extend *in,
                        const struct lmdb_transfer *tr, const uint8_t *uid)
{
    struct lmdb_key old = lmdb_rows_key_time(tr->expires, in->tid, uid);
    struct lmdb_key new = lmdb_rows_key_time(in->expires, in->tid, uid);
    struct store_event_new event = {.kind = STORE_EVENT_EXTENDED};
    struct lmdb_recipient v;

    if (lmdb_rows_load_recipient(t, in->tid, uid, &v) != ERR_OK || v.life != STORE_LIVE)
        return;
    lmdb_txn_del(t, T_EXPIRIES, &old);
    lmdb_txn_put(t, T_EXPIRIES, &new, NULL, 0);
    memcpy(event.uid, uid, sizeof(event.uid));
    lmdb_feed_tell(t, in->tid, tr, &event, &(struct lmdb_feed_to){in->now, v.views});
}

static void extend(struct lmdb_txn *t, const struct store_extend *in, struct lmdb_transfer *tr,
                   struct store_result *res, uint64_t *list)
{
    struct store_event_new event = {.kind = STORE_EVENT_EXTENDED, .data = in->addendum};

    for (size_t i = 0; i < in->nslots; i++) {
        bool again = i > 0 && memcmp(in->slots[i - 1].uid, in->slots[i].uid, STORE_UID_LEN) == 0;

        move_slot(t, in, &in->slots[i], res, list);
        if (!again)
            move_expiry(t, in, tr, in->slots[i].uid);
    }
    tr->expires = in->expires;
    memcpy(event.uid, tr->sender, sizeof(event.uid));
    lmdb_rows_save_addendum(t, in->tid, in->number, &in->addendum);
    lmdb_parts_event(t, in->tid, tr, &event, in->now, NULL);
    lmdb_rows_save_transfer(t, in->tid, tr);
}

int lmdb_extend_run(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_extend *in = &job->in->extend;
    struct store_result *res = job->res;
    uint64_t *list = lmdb_engine_alloc(t, res, in->nslots * sizeof(*list));
    struct lmdb_transfer tr;
    int rc = list != NULL ? lmdb_rows_load_transfer(t, in->tid, &tr) : ERR_NOMEM;

    if (rc == ERR_OK && memcmp(tr.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc == ERR_OK)
        rc = check_number(t, in, res);
    if (rc != ERR_OK || res->duplicate)
        return rc;
    if (tr.expires <= in->now)
        return store_fail(res, ERR_EXPIRED, "the transfer has expired");
    rc = check_slots(t, in, res);
    if (rc != ERR_OK)
        return rc;
    extend(t, in, &tr, res, list);
    res->u.cells = list;
    return lmdb_txn_code(t);
}
