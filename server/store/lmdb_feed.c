/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_feed - what users are to be told: rows that rise by one for each user, written in the
 * transaction of the change they tell of, so that none is lost and none told twice.
 *
 * Rows go after STORE_FEED_MS; the newest of a user stays, so that numbers never repeat.
 */
#include "server/store/lmdb_feed.h"

#include <string.h>

#include "server/store/lmdb_engine.h"

static struct lmdb_key feed_key(const uint8_t *uid, uint64_t number)
{
    struct lmdb_key k = lmdb_key_of(uid, STORE_UID_LEN);

    lmdb_key_u64(&k, number);
    return k;
}

/* The user's newest number; 0: none yet. */
static uint64_t newest(struct lmdb_txn *t, const uint8_t *uid)
{
    struct lmdb_key end = feed_key(uid, UINT64_MAX);
    struct lmdb_walk w;
    uint64_t number = 0;

    if (lmdb_walk_start_before(&w, t, T_FEED, &end, STORE_UID_LEN))
        number = get_be64(w.key + STORE_UID_LEN);
    lmdb_walk_end(&w);
    return number;
}

void lmdb_feed_add(struct lmdb_txn *t, const uint8_t *uid, const struct store_feed_row *row)
{
    uint64_t number = newest(t, uid) + 1;
    struct lmdb_key key = feed_key(uid, number), time = {0};

    buf_reset(&t->row);
    buf_u8(&t->row, LMDB_ROW_VERSION);
    buf_u64(&t->row, row->at);
    buf_u16(&t->row, row->kind);
    buf_put(&t->row, row->tid, sizeof(row->tid));
    buf_put(&t->row, row->other, sizeof(row->other));
    lmdb_txn_put_row(t, T_FEED, &key);
    lmdb_key_u64(&time, row->at);
    lmdb_key_add(&time, uid, STORE_UID_LEN);
    lmdb_key_u64(&time, number);
    lmdb_txn_put(t, T_FEED_TIMES, &time, NULL, 0);
}

/* Who hears of an event that concerns a recipient: the sender, the recipient. */
static const struct {
    uint8_t sender, recipient;
} told[] = {
    [STORE_EVENT_RELEASED] = {STORE_FEED_RELEASED, 0},
    [STORE_EVENT_RECEIVED] = {STORE_FEED_RECEIVED, 0},
    [STORE_EVENT_EXPIRED] = {STORE_FEED_EXPIRED, STORE_FEED_EXPIRED},
    [STORE_EVENT_REVOKED] = {STORE_FEED_REVOKED, STORE_FEED_REVOKED},
    [STORE_EVENT_DELETED] = {STORE_FEED_DELETED, 0},
    [STORE_EVENT_EXTENDED] = {0, STORE_FEED_EXTENDED},
};

void lmdb_feed_tell(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *tr,
                    const struct store_event_new *event, const struct lmdb_feed_to *to)
{
    struct store_feed_row row = {.at = to->now};
    bool self = memcmp(event->uid, tr->sender, STORE_UID_LEN) == 0;

    if (event->kind >= sizeof(told) / sizeof(told[0]))
        return;
    memcpy(row.tid, tid, sizeof(row.tid));
    row.kind = told[event->kind].sender;
    memcpy(row.other, event->uid, sizeof(row.other));
    if (row.kind != 0 && !self && tr->sent)
        lmdb_feed_add(t, tr->sender, &row);
    row.kind = told[event->kind].recipient;
    memcpy(row.other, tr->sender, sizeof(row.other));
    if (row.kind != 0 && (to->views & STORE_VIEW_INBOX) != 0)
        lmdb_feed_add(t, event->uid, &row);
}

/* ---- reading ---- */

static int keep_row(struct lmdb_txn *t, const struct lmdb_walk *w, struct store_feed_row *to)
{
    struct rd r = w->value;

    if (rd_u8(&r) != LMDB_ROW_VERSION)
        r.bad = true;
    to->number = get_be64(w->key + STORE_UID_LEN);
    to->at = rd_u64(&r);
    to->kind = rd_u16(&r);
    rd_get(&r, to->tid, sizeof(to->tid));
    rd_get(&r, to->other, sizeof(to->other));
    return rd_done(&r) ? ERR_OK : lmdb_txn_fail(t, MDB_CORRUPTED);
}

int lmdb_feed_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_feed_list *in = &job->in->feed_list;
    struct store_result *res = job->res;
    struct lmdb_key start = feed_key(in->uid, in->after + 1);
    struct store_feed_row *rows = lmdb_engine_alloc(t, res, in->limit * sizeof(*rows));
    struct lmdb_walk w;
    bool on;

    if (rows == NULL)
        return ERR_NOMEM;
    res->u.feed.newest = newest(t, in->uid);
    res->u.feed.rows = rows;
    if (in->after >= res->u.feed.newest)
        return lmdb_txn_code(t);
    on = lmdb_walk_start(&w, t, T_FEED, &start, STORE_UID_LEN);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w))
        if (keep_row(t, &w, &rows[res->count++]) != ERR_OK)
            break;
    lmdb_walk_end(&w);
    res->more = on;
    return lmdb_txn_code(t);
}

/* ---- trimming ---- */

void lmdb_feed_trim(struct lmdb_txn *t, uint64_t now, size_t limit)
{
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    bool on = lmdb_walk_start(&w, t, T_FEED_TIMES, &start, 0);

    for (; on && limit > 0 && get_be64(w.key) + STORE_FEED_MS <= now; limit--) {
        struct lmdb_key row = lmdb_key_of(w.key + 8, STORE_UID_LEN + 8);

        if (get_be64(w.key + 8 + STORE_UID_LEN) != newest(t, w.key + 8))
            lmdb_txn_del(t, T_FEED, &row);
        lmdb_walk_del(&w);
        on = lmdb_walk_next(&w);
    }
    lmdb_walk_end(&w);
}
