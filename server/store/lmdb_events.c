/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_events - the hash-chained log of a transfer. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

static int keep_event(struct lmdb_txn *t, struct store_result *res, const struct lmdb_walk *w,
                      struct store_event *to)
{
    struct store_blob data = {0};
    struct rd r = w->value;

    if (rd_u8(&r) != LMDB_ROW_VERSION)
        r.bad = true;
    to->seq = get_be32(w->key + LMDB_FRONT);
    to->at = rd_u64(&r);
    to->kind = rd_u16(&r);
    rd_get(&r, to->uid, sizeof(to->uid));
    data.len = rd_u32(&r);
    data.data = rd_take(&r, data.len);
    rd_get(&r, to->prev, sizeof(to->prev));
    rd_get(&r, to->hash, sizeof(to->hash));
    if (!rd_done(&r))
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    to->data = lmdb_engine_keep(t, res, &data);
    return lmdb_txn_code(t);
}

/* Number ${in->seq} is taken: by this event? */
static int compare_event(struct lmdb_txn *t, const struct store_event_append *in,
                         struct store_result *res)
{
    struct lmdb_key key = lmdb_rows_key_nth(t, in->tid, ROW_EVENT, in->seq);
    struct store_event *e = &res->u.event;
    struct lmdb_walk w;
    bool there = lmdb_walk_start(&w, t, T_ROWS, &key, key.len);
    int rc = there ? keep_event(t, res, &w, e) : ERR_OK;

    lmdb_walk_end(&w);
    if (rc != ERR_OK)
        return rc;
    if (!there || e->kind != in->event.kind || e->data.len != in->event.data.len ||
        memcmp(e->uid, in->event.uid, sizeof(e->uid)) != 0 ||
        (e->data.len > 0 && memcmp(e->data.data, in->event.data.data, e->data.len) != 0))
        return store_fail(res, ERR_EXISTS, "another event has this number");
    res->duplicate = true;
    return ERR_OK;
}

int lmdb_events_append(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_event_append *in = &job->in->event_append;
    struct lmdb_transfer tr;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc != ERR_OK)
        return rc;
    if (in->seq != 0 && in->seq <= tr.last_event)
        return compare_event(t, in, job->res);
    if (in->seq > tr.last_event + 1)
        return store_fail(job->res, ERR_BADSTATE, "the event's number is not the next one");
    lmdb_parts_event(t, in->tid, &tr, &in->event, in->now, &job->res->u.event);
    lmdb_rows_save_transfer(t, in->tid, &tr);
    return ERR_OK;
}

int lmdb_events_list(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_event_list *in = &job->in->event_list;
    struct lmdb_key start = lmdb_rows_key_nth(t, in->tid, ROW_EVENT, in->from);
    struct store_result *res = job->res;
    struct store_event *list;
    struct lmdb_transfer tr;
    struct lmdb_walk w;
    bool on;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc == ERR_OK && memcmp(tr.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc != ERR_OK)
        return rc;
    list = lmdb_engine_alloc(t, res, in->limit * sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_ROWS, &start, LMDB_FRONT);
    for (; on && lmdb_engine_page_open(res, in->limit); on = lmdb_walk_next(&w))
        if (keep_event(t, res, &w, &list[res->count++]) != ERR_OK)
            break;
    lmdb_walk_end(&w);
    res->more = on;
    res->u.events = list;
    return lmdb_txn_code(t);
}
