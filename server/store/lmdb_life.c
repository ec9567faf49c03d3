/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_life - what a sender does to a transfer after the seal. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_feed.h"
#include "server/store/lmdb_parts.h"

/* ---- revoke ---- */

static bool is_named(const struct store_revoke *in, const uint8_t *uid)
{
    for (size_t i = 0; i < in->nuids; i++)
        if (memcmp(in->uids + i * STORE_UID_LEN, uid, STORE_UID_LEN) == 0)
            return true;
    return in->nuids == 0;
}

/* The user IDs of all recipients, in ${ret}, which takes STORE_SLOTS_MAX of them. */
static size_t list_recipients(struct lmdb_txn *t, const uint8_t *tid, uint8_t *ret)
{
    struct lmdb_key front = lmdb_rows_key(t, tid, ROW_RECIPIENT);
    struct lmdb_walk w;
    size_t n = 0;
    bool on;

    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on && n < STORE_SLOTS_MAX; on = lmdb_walk_next(&w))
        memcpy(ret + n++ * STORE_UID_LEN, w.key + LMDB_FRONT, STORE_UID_LEN);
    lmdb_walk_end(&w);
    return n;
}

/* Everybody named must be a recipient: a misspelt one must not pass for revoked. */
static int check_named(struct lmdb_txn *t, const struct store_revoke *in, struct store_result *res)
{
    struct lmdb_recipient v;
    int rc = ERR_OK;

    for (size_t i = 0; i < in->nuids && rc == ERR_OK; i++)
        rc = lmdb_rows_load_recipient(t, in->tid, in->uids + i * STORE_UID_LEN, &v);
    return rc == ERR_NOTFOUND ? store_fail(res, rc, "not a recipient of this transfer") : rc;
}

/* True: it was LIVE. */
static bool revoke_one(struct lmdb_txn *t, const struct store_revoke *in, const uint8_t *uid,
                       struct lmdb_transfer *tr)
{
    struct store_event_new event = {.kind = STORE_EVENT_REVOKED};
    struct lmdb_recipient v;

    if (lmdb_rows_load_recipient(t, in->tid, uid, &v) != ERR_OK || v.life != STORE_LIVE)
        return false;
    lmdb_parts_end_life(t, in->tid, uid, &v, tr, STORE_REVOKED);
    v.ended = in->now;
    lmdb_rows_save_recipient(t, in->tid, uid, &v);
    memcpy(event.uid, uid, sizeof(event.uid));
    lmdb_parts_event(t, in->tid, tr, &event, in->now, NULL);
    lmdb_feed_tell(t, in->tid, tr, &event, &(struct lmdb_feed_to){in->now, v.views});
    return true;
}

/* Of all slots of the transfer those that were named stay in the answer. */
static void keep_named(struct lmdb_txn *t, const struct store_revoke *in, struct store_result *res)
{
    struct store_mail *m = &res->u.mail;
    const struct store_slot *all;
    size_t n = lmdb_parts_slots(t, res, in->tid, NULL, &all);
    struct store_slot *named = n > 0 ? lmdb_engine_alloc(t, res, n * sizeof(*named)) : NULL;

    m->nslots = 0;
    m->slots = named;
    for (size_t i = 0; named != NULL && i < n; i++)
        if (is_named(in, all[i].uid))
            named[m->nslots++] = all[i];
}

int lmdb_life_revoke(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_revoke *in = &job->in->revoke;
    struct store_result *res = job->res;
    uint8_t uids[STORE_SLOTS_MAX * STORE_UID_LEN];
    struct lmdb_transfer tr;
    size_t n;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc == ERR_OK && memcmp(tr.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc == ERR_OK)
        rc = check_named(t, in, res);
    if (rc != ERR_OK)
        return rc;
    res->duplicate = true;
    n = list_recipients(t, in->tid, uids);
    for (size_t i = 0; i < n; i++)
        if (is_named(in, uids + i * STORE_UID_LEN))
            res->duplicate &= !revoke_one(t, in, uids + i * STORE_UID_LEN, &tr);
    if (!res->duplicate)
        lmdb_rows_save_transfer(t, in->tid, &tr);
    rc = lmdb_mail_keep_sent(t, res, in->tid, &tr, &res->u.mail);
    if (rc == ERR_OK)
        keep_named(t, in, res);
    return rc != ERR_OK ? rc : lmdb_txn_code(t);
}

/* ---- a sender who leaves ---- */

/* Has a share left for this recipient, or is it not to be ended here? */
static bool has_opened(struct lmdb_txn *t, const uint8_t *tid, const uint8_t *uid)
{
    struct lmdb_recipient v;

    return lmdb_rows_load_recipient(t, tid, uid, &v) != ERR_OK || v.nopens > 0;
}

size_t lmdb_life_revoke_unopened(struct lmdb_txn *t, const uint8_t *tid, uint64_t now)
{
    struct store_revoke in = {.now = now};
    uint8_t uids[STORE_SLOTS_MAX * STORE_UID_LEN];
    struct lmdb_transfer tr;
    bool changed = false;
    size_t n;

    if (lmdb_rows_load_transfer(t, tid, &tr) != ERR_OK)
        return 0;
    memcpy(in.tid, tid, sizeof(in.tid));
    n = list_recipients(t, tid, uids);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *uid = uids + i * STORE_UID_LEN;

        if (memcmp(uid, tr.sender, STORE_UID_LEN) != 0 && !has_opened(t, tid, uid))
            changed |= revoke_one(t, &in, uid, &tr);
    }
    if (changed)
        lmdb_rows_save_transfer(t, tid, &tr);
    return n;
}
