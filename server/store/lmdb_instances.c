/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_instances - count the slots that need each key network. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_rows.h"

enum { INSTANCES_MAX = 64 }; /* of one page: far more than a daemon loads */

struct tally {
    struct lmdb_txn *t;
    struct store_result *res;
    struct store_instance_use *uses; /* of INSTANCES_MAX */
    uint8_t tid[STORE_TID_LEN];
    bool upload; /* it is not sealed: all its slots count */
};

/* One more slot of ${instance}. */
static void add(struct tally *c, const uint8_t *instance)
{
    size_t i = 0;

    while (i < c->res->count && memcmp(c->uses[i].instance, instance, STORE_INSTANCE_LEN) != 0)
        i++;
    if (i == INSTANCES_MAX) {
        (void)lmdb_txn_fail(c->t, MDB_CORRUPTED);
        return;
    }
    if (i == c->res->count) {
        memcpy(c->uses[i].instance, instance, STORE_INSTANCE_LEN);
        c->res->count++;
    }
    c->uses[i].slots++;
}

static bool is_live(struct tally *c, const uint8_t *uid)
{
    struct lmdb_recipient v;

    return c->upload ||
           (lmdb_rows_load_recipient(c->t, c->tid, uid, &v) == ERR_OK && v.life == STORE_LIVE);
}

/* The slots of one user stand together: his life is looked up once. */
static void count_slots(struct tally *c)
{
    struct lmdb_key front = lmdb_rows_key(c->t, c->tid, ROW_SLOT);
    uint8_t uid[STORE_UID_LEN];
    bool first = true, live = false;
    struct lmdb_slot s;
    struct lmdb_walk w;

    for (bool on = lmdb_walk_start(&w, c->t, T_ROWS, &front, front.len);
         on && lmdb_rows_read_slot(c->t, w.value, &s) == ERR_OK; on = lmdb_walk_next(&w)) {
        if (first || memcmp(uid, w.key + LMDB_FRONT, sizeof(uid)) != 0) {
            memcpy(uid, w.key + LMDB_FRONT, sizeof(uid));
            live = is_live(c, uid);
            first = false;
        }
        if (live)
            add(c, s.instance);
    }
    lmdb_walk_end(&w);
}

/* Of what is neither an upload nor a transfer any more nothing is needed. */
static void count_transfer(struct tally *c)
{
    struct lmdb_transfer tr;
    struct lmdb_upload up;
    int rc = lmdb_rows_load_upload(c->t, c->tid, &up);

    c->upload = rc == ERR_OK;
    if (rc == ERR_NOTFOUND)
        rc = lmdb_rows_load_transfer(c->t, c->tid, &tr);
    if (rc == ERR_OK && (c->upload || tr.live > 0))
        count_slots(c);
}

int lmdb_instances_run(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_instances *in = &job->in->instances;
    struct store_result *res = job->res;
    struct tally c = {.t = t, .res = res};
    struct lmdb_key start = {0};
    struct lmdb_walk w;
    size_t seen = 0;
    bool on;

    c.uses = lmdb_engine_alloc(t, res, INSTANCES_MAX * sizeof(*c.uses));
    if (c.uses == NULL)
        return ERR_NOMEM;
    res->u.instances = c.uses;
    if (in->cursor != NULL) {
        start = lmdb_key_of(in->cursor, STORE_TID_LEN);
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    }
    on = lmdb_walk_start(&w, t, T_TIDS, &start, 0);
    for (; on && seen < in->limit; on = lmdb_walk_next(&w), seen++) {
        memcpy(c.tid, w.key, sizeof(c.tid));
        memcpy(res->cursor, c.tid, sizeof(c.tid));
        count_transfer(&c);
    }
    lmdb_walk_end(&w);
    res->more = on;
    return lmdb_txn_code(t);
}
