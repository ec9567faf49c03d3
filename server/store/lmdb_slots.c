/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_slots - what happens to a recipient of a sealed transfer.
 *
 *            CLAIM, GIVE_BACK, RECEIVED
 *                    |  ^
 *                    v  |
 *   (seal) --------> LIVE ---- last COMMIT ----> SPENT
 *                     |------- EXPIRE ---------> EXPIRED
 *                     |------- revoke (lmdb_life.c) ----> REVOKED
 *                     |
 *   any life -- last view deleted -------------> DELETED
 */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

/* One move under way. */
struct move {
    struct lmdb_txn *t;
    struct lmdb_transfer tr;
    struct lmdb_recipient v;
    bool changed; /* the rows must be saved */
    bool event;   /* the event is to be appended */
};

static struct store_open_row *find_open(struct lmdb_recipient *v, const uint8_t *device)
{
    for (uint32_t i = 0; i < v->nopens; i++)
        if (memcmp(v->opens[i].device, device, STORE_DEVICE_LEN) == 0)
            return &v->opens[i];
    return NULL;
}

/* Why a recipient that is not LIVE cannot open. */
static int life_code(uint8_t life)
{
    static const int codes[] = {[STORE_LIVE] = ERR_OK,
                                [STORE_SPENT] = ERR_SPENT,
                                [STORE_EXPIRED] = ERR_EXPIRED,
                                [STORE_REVOKED] = ERR_REVOKED,
                                [STORE_DELETED] = ERR_NOTFOUND};

    return life < sizeof(codes) / sizeof(codes[0]) && life > 0 ? codes[life] : ERR_CORRUPT;
}

/* ---- moves ---- */

static int move_claim(struct move *m, const struct store_slot_update *in, struct store_result *res)
{
    struct store_open_row *open = find_open(&m->v, in->device);
    int rc = life_code(m->v.life);

    if (rc != ERR_OK)
        return store_fail(res, rc, "the recipient is not live");
    if (in->now >= m->tr.expires)
        return store_fail(res, ERR_EXPIRED, "the transfer has expired");
    if (open == NULL) {
        if (m->tr.opens_max > 0 && m->v.nopens >= m->tr.opens_max)
            return store_fail(res, ERR_SPENT, "no open is left");
        if (m->v.nopens >= STORE_OPENS_MAX)
            return store_fail(res, ERR_LIMIT, "too many devices");
        open = &m->v.opens[m->v.nopens++];
        *open = (struct store_open_row){.state = STORE_CLAIMED, .at = in->now};
        memcpy(open->device, in->device, sizeof(open->device));
        m->event = true;
    } else {
        res->duplicate = true;
        m->event = m->v.repeats < STORE_REPEATS_MAX; /* the log must not grow for ever */
        m->v.repeats += m->event;
    }
    open->claims++;
    res->u.slot.claim = open->claims;
    m->changed = true;
    return ERR_OK;
}

static int move_give_back(struct move *m, const struct store_slot_update *in,
                          struct store_result *res)
{
    struct store_open_row *open = find_open(&m->v, in->device);
    struct store_open_row *last;

    if (open == NULL) {
        res->duplicate = true;
        return ERR_OK;
    }
    /* Somebody claimed it again meanwhile, and perhaps that share left. */
    if (open->state != STORE_CLAIMED || open->claims != 1 || in->claim != 1)
        return store_fail(res, ERR_BADSTATE, "the open is in use");
    if (m->v.returns >= STORE_RETURNS_MAX) /* each one leaves two events */
        return store_fail(res, ERR_BADSTATE, "opens were given back too often");
    m->v.returns++;
    last = &m->v.opens[--m->v.nopens];
    memmove(open, open + 1, (size_t)((char *)last - (char *)open));
    m->changed = m->event = true;
    return ERR_OK;
}

static bool all_committed(const struct move *m)
{
    if (m->tr.opens_max == 0 || m->v.nopens < m->tr.opens_max)
        return false;
    for (uint32_t i = 0; i < m->v.nopens; i++)
        if (m->v.opens[i].state != STORE_COMMITTED)
            return false;
    return true;
}

static int move_commit(struct move *m, const struct store_slot_update *in, struct store_result *res)
{
    struct store_open_row *open = find_open(&m->v, in->device);
    int rc = life_code(m->v.life);

    if (open == NULL)
        return store_fail(res, ERR_BADSTATE, "the open was not claimed");
    if (open->state == STORE_COMMITTED) {
        res->duplicate = true;
        return ERR_OK;
    }
    if (rc != ERR_OK)
        return store_fail(res, rc, "the recipient is not live");
    open->state = STORE_COMMITTED;
    m->changed = m->event = true;
    if (all_committed(m)) {
        lmdb_parts_end_life(m->t, in->tid, in->uid, &m->v, &m->tr, STORE_SPENT);
        m->v.ended = in->now;
    }
    return ERR_OK;
}

static int move_received(struct move *m, const struct store_slot_update *in,
                         struct store_result *res)
{
    res->duplicate = m->v.received != 0;
    if (res->duplicate)
        return ERR_OK;
    m->v.received = in->now;
    m->changed = m->event = true;
    return ERR_OK;
}

static int move_expire(struct move *m, const struct store_slot_update *in, struct store_result *res)
{
    if (m->v.life == STORE_LIVE && in->now < m->tr.expires)
        return store_fail(res, ERR_BADSTATE, "it is not time to expire");
    res->duplicate = m->v.life != STORE_LIVE;
    if (res->duplicate)
        return ERR_OK;
    lmdb_parts_end_life(m->t, in->tid, in->uid, &m->v, &m->tr, STORE_EXPIRED);
    m->v.ended = m->tr.expires;
    m->changed = m->event = true;
    return ERR_OK;
}

static int (*const moves[])(struct move *m, const struct store_slot_update *in,
                            struct store_result *res) = {
    [STORE_MOVE_CLAIM] = move_claim,   [STORE_MOVE_GIVE_BACK] = move_give_back,
    [STORE_MOVE_COMMIT] = move_commit, [STORE_MOVE_RECEIVED] = move_received,
    [STORE_MOVE_EXPIRE] = move_expire,
};

int lmdb_slots_update(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_slot_update *in = &job->in->slot_update;
    struct store_result *res = job->res;
    struct move m = {.t = t};
    int rc = lmdb_rows_load_transfer(t, in->tid, &m.tr);

    if (rc == ERR_OK)
        rc = lmdb_rows_load_recipient(t, in->tid, in->uid, &m.v);
    if (rc == ERR_OK)
        rc = moves[in->move](&m, in, res);
    if (rc != ERR_OK)
        return rc;
    if (m.event && in->event != NULL) {
        struct lmdb_feed_to to = {in->now, m.v.views};

        lmdb_parts_event(t, in->tid, &m.tr, in->event, in->now, NULL);
        if (!res->duplicate)
            lmdb_feed_tell(t, in->tid, &m.tr, in->event, &to);
    }
    if (m.changed) {
        lmdb_rows_save_recipient(t, in->tid, in->uid, &m.v);
        lmdb_rows_save_transfer(t, in->tid, &m.tr);
    }
    res->u.slot.life = m.v.life;
    res->u.slot.opens_used = m.v.nopens;
    memcpy(res->u.slot.sender, m.tr.sender, STORE_UID_LEN);
    memcpy(res->u.slot.uid, in->uid, STORE_UID_LEN);
    return lmdb_txn_code(t);
}

/* ---- delete a view ---- */

/* Nobody lists it any more: it is gone at once, its rows follow. */
static void remove_transfer(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *tr)
{
    struct lmdb_key key = lmdb_rows_key(t, tid, ROW_TRANSFER);
    struct lmdb_key idem = lmdb_key_of(tr->sender, STORE_UID_LEN);

    lmdb_key_add(&idem, tr->idem, STORE_IDEM_LEN);
    lmdb_txn_del(t, T_IDEM, &idem);
    lmdb_txn_del(t, T_ROWS, &key);
    t->added[LMDB_TRANSFERS]--;
    lmdb_parts_garbage(t, tid, LMDB_GARBAGE_BODY | LMDB_GARBAGE_ROWS);
}

/* The recipient's own part in a deletion; true if it had the view. */
static bool drop_view(struct move *m, const struct store_slot_delete *in)
{
    struct store_event_new event = {.kind = STORE_EVENT_DELETED};
    uint8_t bit = (uint8_t)in->view;

    if (!(m->v.views & bit))
        return false;
    m->v.views &= (uint8_t)~bit;
    if (m->v.views == 0) {
        if (m->v.life == STORE_LIVE) {
            lmdb_parts_end_life(m->t, in->tid, in->uid, &m->v, &m->tr, STORE_DELETED);
            m->v.ended = in->now;
            memcpy(event.uid, in->uid, sizeof(event.uid));
            lmdb_parts_event(m->t, in->tid, &m->tr, &event, in->now, NULL);
            lmdb_feed_tell(m->t, in->tid, &m->tr, &event, &(struct lmdb_feed_to){.now = in->now});
        }
        m->v.life = STORE_DELETED;
        lmdb_parts_settle(m->t, in->tid, in->uid, &m->v, &m->tr);
        m->tr.viewers--;
    }
    lmdb_rows_save_recipient(m->t, in->tid, in->uid, &m->v);
    return true;
}

int lmdb_slots_delete(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_slot_delete *in = &job->in->slot_delete;
    struct move m = {.t = t};
    struct lmdb_key box;
    bool sender, recipient;
    int rc = lmdb_rows_load_transfer(t, in->tid, &m.tr);

    if (rc != ERR_OK)
        return rc;
    sender = in->view == STORE_VIEW_SENT && memcmp(m.tr.sender, in->uid, STORE_UID_LEN) == 0;
    rc = lmdb_rows_load_recipient(t, in->tid, in->uid, &m.v);
    recipient = rc == ERR_OK;
    if (rc == ERR_NOTFOUND && sender)
        rc = ERR_OK;
    if (rc == ERR_OK && in->view == STORE_VIEW_SENT && !sender)
        rc = ERR_NOTFOUND;
    if (rc != ERR_OK)
        return rc;
    box = lmdb_rows_key_box(in->uid, m.tr.arrived, in->tid);
    if (recipient)
        m.changed = drop_view(&m, in);
    if (sender && m.tr.sent) {
        m.tr.sent = 0;
        m.changed = true;
    }
    job->res->duplicate = !m.changed;
    memcpy(job->res->u.slot.sender, m.tr.sender, STORE_UID_LEN);
    if (!m.changed)
        return ERR_OK;
    lmdb_txn_del(t, sender ? T_SENT : T_INBOX, &box);
    lmdb_rows_save_transfer(t, in->tid, &m.tr);
    if (m.tr.viewers == 0 && !m.tr.sent)
        remove_transfer(t, in->tid, &m.tr);
    return lmdb_txn_code(t);
}

/* Somebody sees nothing of it any more, in neither folder; true: he did before. */
static bool forget_views(struct move *m, const uint8_t *tid, const uint8_t *uid, uint64_t now)
{
    static const enum store_view views[] = {STORE_VIEW_INBOX, STORE_VIEW_SENT};
    struct lmdb_key box = lmdb_rows_key_box(uid, m->tr.arrived, tid);
    struct store_slot_delete in = {.now = now};
    bool any = false;

    memcpy(in.tid, tid, sizeof(in.tid));
    memcpy(in.uid, uid, sizeof(in.uid));
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        in.view = views[i];
        if (!drop_view(m, &in))
            continue;
        lmdb_txn_del(m->t, views[i] == STORE_VIEW_INBOX ? T_INBOX : T_SENT, &box);
        if (views[i] == STORE_VIEW_SENT)
            m->tr.sent = 0;
        any = true;
    }
    return any;
}

void lmdb_slots_forget(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_key sent;
    struct move m = {.t = t};
    int rc = lmdb_rows_load_transfer(t, tid, &m.tr);

    if (rc == ERR_OK)
        rc = lmdb_rows_load_recipient(t, tid, uid, &m.v);
    if (rc != ERR_OK || m.v.life == STORE_LIVE || !forget_views(&m, tid, uid, 0))
        return; /* deleted before, or damaged, which t knows */
    if (m.tr.viewers == 0 && m.tr.live == 0 && m.tr.sent) { /* a sender without a slot */
        sent = lmdb_rows_key_box(m.tr.sender, m.tr.arrived, tid);
        lmdb_txn_del(t, T_SENT, &sent);
        m.tr.sent = 0;
    }
    lmdb_rows_save_transfer(t, tid, &m.tr);
    if (m.tr.viewers == 0 && !m.tr.sent)
        remove_transfer(t, tid, &m.tr);
}

void lmdb_slots_leave(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid, uint64_t now)
{
    struct move m = {.t = t};
    int rc = lmdb_rows_load_transfer(t, tid, &m.tr);
    bool changed;

    if (rc == ERR_OK)
        rc = lmdb_rows_load_recipient(t, tid, uid, &m.v);
    changed = rc == ERR_OK && forget_views(&m, tid, uid, now);
    if (memcmp(m.tr.sender, uid, STORE_UID_LEN) == 0 && m.tr.sent) {
        m.tr.sent = 0;
        changed = true;
    }
    if (!changed)
        return;
    lmdb_rows_save_transfer(t, tid, &m.tr);
    if (m.tr.viewers == 0 && !m.tr.sent)
        remove_transfer(t, tid, &m.tr);
}

/* ---- what is due ---- */

int lmdb_slots_expired(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_expired_list *in = &job->in->expired_list;
    struct store_result *res = job->res;
    struct store_due *list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list)), *to;
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    bool on;

    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_EXPIRIES, &start, 0) && get_be64(w.key) <= in->now;
    while (on && lmdb_engine_page_open(res, in->limit)) {
        to = &list[res->count++];
        to->expires = get_be64(w.key);
        memcpy(to->tid, w.key + 8, STORE_TID_LEN);
        memcpy(to->uid, w.key + 8 + STORE_TID_LEN, STORE_UID_LEN);
        on = lmdb_walk_next(&w) && get_be64(w.key) <= in->now;
    }
    lmdb_walk_end(&w);
    res->more = on;
    res->u.due = list;
    return lmdb_txn_code(t);
}

int lmdb_slots_cells_due(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_cells_due *in = &job->in->cells_due;
    struct store_result *res = job->res;
    uint64_t *list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list));
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    bool on;

    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_CELLS, &start, 0);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w))
        list[res->count++] = get_be64(w.key);
    lmdb_walk_end(&w);
    res->more = on;
    res->u.cells = list;
    return lmdb_txn_code(t);
}

int lmdb_slots_cells_done(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_cells_done *in = &job->in->cells_done;

    for (size_t i = 0; i < in->ncells; i++) {
        struct lmdb_key key = {0};

        lmdb_key_u64(&key, in->cells[i]);
        lmdb_txn_del(t, T_CELLS, &key);
    }
    return lmdb_txn_code(t);
}
