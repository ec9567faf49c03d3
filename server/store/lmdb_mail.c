/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_mail - sealed transfers as their recipients and senders see them. */
#include <string.h>

#include "server/store/lmdb_engine.h"
#include "server/store/lmdb_parts.h"

/* ---- one transfer ---- */

static int keep_transfer(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                         const struct lmdb_transfer *v, struct store_transfer *to)
{
    struct store_blob addendum = {0};
    struct lmdb_header h;
    uint32_t number = 0;
    int rc = lmdb_rows_load_header(t, tid, &h);

    if (rc != ERR_OK)
        return rc == ERR_NOTFOUND ? lmdb_txn_fail(t, MDB_CORRUPTED) : rc;
    rc = lmdb_rows_load_addendum(t, tid, &number, &addendum);
    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    memcpy(to->tid, tid, STORE_TID_LEN);
    memcpy(to->sender, v->sender, STORE_UID_LEN);
    memcpy(to->device, v->device, STORE_DEVICE_LEN);
    to->arrived = v->arrived;
    to->expires = v->expires;
    to->body_len = v->body_len;
    to->pieces = v->pieces;
    to->opens_max = v->opens_max;
    to->policy = v->policy;
    to->header = lmdb_engine_keep(t, res, &h.header);
    to->sig = lmdb_engine_keep(t, res, &h.sig);
    to->meta = lmdb_engine_keep(t, res, &h.meta);
    to->slot_leaves = lmdb_engine_keep(t, res, &h.slot_leaves);
    to->addendum = lmdb_engine_keep(t, res, &addendum);
    return lmdb_txn_code(t);
}

/* ${uid}'s own part of it; ERR_NOTFOUND if there is none that ${uid} can see. */
static int keep_me(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                   const uint8_t *uid, struct store_mail *to)
{
    struct lmdb_recipient v;
    int rc = lmdb_rows_load_recipient(t, tid, uid, &v);

    if (rc == ERR_OK && v.views == 0)
        rc = ERR_NOTFOUND;
    if (rc != ERR_OK)
        return rc;
    to->has_me = true;
    lmdb_parts_recipient(t, res, uid, &v, &to->me);
    to->nslots = lmdb_parts_slots(t, res, tid, uid, &to->slots);
    return lmdb_txn_code(t);
}

static int keep_recipients(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                           struct store_mail *to)
{
    struct lmdb_key front = lmdb_rows_key(t, tid, ROW_RECIPIENT);
    struct store_recipient *list = NULL;
    struct lmdb_recipient v;
    struct lmdb_walk w;
    size_t n = 0;
    bool on;

    for (on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len); on; on = lmdb_walk_next(&w))
        n++;
    lmdb_walk_end(&w);
    list = lmdb_engine_alloc(t, res, (n + 1) * sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_ROWS, &front, front.len);
    for (; on && to->nrecipients < n; on = lmdb_walk_next(&w)) {
        if (lmdb_rows_read_recipient(t, w.value, &v) != ERR_OK)
            break;
        lmdb_parts_recipient(t, res, w.key + LMDB_FRONT, &v, &list[to->nrecipients++]);
    }
    lmdb_walk_end(&w);
    to->recipients = list;
    return lmdb_txn_code(t);
}

int lmdb_mail_slot(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_slot_get *in = &job->in->slot_get;
    struct store_mail *to = &job->res->u.mail;
    struct lmdb_transfer tr;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc == ERR_OK)
        rc = keep_me(t, job->res, in->tid, in->uid, to);
    if (rc == ERR_OK)
        rc = keep_transfer(t, job->res, in->tid, &tr, &to->t);
    return rc;
}

int lmdb_mail_keep_sent(struct lmdb_txn *t, struct store_result *res, const uint8_t *tid,
                        const struct lmdb_transfer *tr, struct store_mail *to)
{
    int rc = keep_me(t, res, tid, tr->sender, to);

    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    rc = keep_transfer(t, res, tid, tr, &to->t);
    return rc == ERR_OK ? keep_recipients(t, res, tid, to) : rc;
}

int lmdb_mail_transfer(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_transfer_get *in = &job->in->transfer_get;
    struct store_mail *to = &job->res->u.mail;
    struct lmdb_transfer tr;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc == ERR_OK && memcmp(tr.sender, in->sender, STORE_UID_LEN) != 0)
        rc = ERR_NOTFOUND;
    if (rc == ERR_OK)
        rc = lmdb_mail_keep_sent(t, job->res, in->tid, &tr, to);
    if (rc == ERR_OK && in->all_slots)
        to->nslots = lmdb_parts_slots(t, job->res, in->tid, NULL, &to->slots);
    return rc != ERR_OK ? rc : lmdb_txn_code(t);
}

/* ---- lists ---- */

struct page {
    enum lmdb_table table;
    const uint8_t *uid, *cursor;
    size_t limit;
    bool newest_first;
};

static int keep_row(struct lmdb_txn *t, struct store_result *res, const struct page *p,
                    const uint8_t *tid, struct store_mail *to)
{
    struct lmdb_transfer tr;
    int rc = lmdb_rows_load_transfer(t, tid, &tr);

    if (rc == ERR_OK && p->table == T_SENT)
        return lmdb_mail_keep_sent(t, res, tid, &tr, to);
    if (rc == ERR_OK)
        rc = keep_me(t, res, tid, p->uid, to);
    if (rc == ERR_OK)
        rc = keep_transfer(t, res, tid, &tr, &to->t);
    /* A mailbox never lists what is not there. */
    return rc == ERR_NOTFOUND ? lmdb_txn_fail(t, MDB_CORRUPTED) : rc;
}

/* Stand on the first row of the page. */
static bool page_start(struct lmdb_walk *w, struct lmdb_txn *t, const struct page *p)
{
    struct lmdb_key start = lmdb_key_of(p->uid, STORE_UID_LEN);
    uint8_t edge[STORE_CURSOR_LEN];

    memset(edge, p->newest_first ? 0xff : 0, sizeof(edge));
    lmdb_key_add(&start, p->cursor != NULL ? p->cursor : edge, STORE_CURSOR_LEN);
    if (p->newest_first)
        return lmdb_walk_start_before(w, t, p->table, &start, STORE_UID_LEN);
    if (p->cursor != NULL)
        lmdb_key_add(&start, "", 1); /* the first key behind it */
    return lmdb_walk_start(w, t, p->table, &start, STORE_UID_LEN);
}

static int list(struct lmdb_txn *t, struct store_result *res, const struct page *p)
{
    struct store_mail *mails = lmdb_engine_alloc(t, res, p->limit * sizeof(*mails));
    struct lmdb_walk w;
    int rc = ERR_OK;
    bool on;

    if (mails == NULL)
        return ERR_NOMEM;
    on = page_start(&w, t, p);
    while (on && rc == ERR_OK && lmdb_engine_page_open(res, p->limit)) {
        memcpy(res->cursor, w.key + STORE_UID_LEN, STORE_CURSOR_LEN);
        lmdb_rows_know_tid(t, w.key + STORE_UID_LEN + 8, rd_u64(&w.value));
        rc = keep_row(t, res, p, w.key + STORE_UID_LEN + 8, &mails[res->count++]);
        on = p->newest_first ? lmdb_walk_prev(&w) : lmdb_walk_next(&w);
    }
    lmdb_walk_end(&w);
    res->more = on;
    res->u.mails = mails;
    return rc != ERR_OK ? rc : lmdb_txn_code(t);
}

int lmdb_mail_inbox(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_inbox_list *in = &job->in->inbox_list;
    struct page p = {T_INBOX, in->uid, in->cursor, in->limit, in->newest_first};

    return list(t, job->res, &p);
}

int lmdb_mail_sent(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_sent_list *in = &job->in->sent_list;
    struct page p = {T_SENT, in->uid, in->cursor, in->limit, in->newest_first};

    return list(t, job->res, &p);
}

/* ---- leaves ---- */

/* An upload: its sender.  A transfer with a body: its sender, and recipients that see it. */
static int may_see_leaves(struct lmdb_txn *t, const struct store_leaves_get *in)
{
    struct lmdb_recipient v;
    struct lmdb_transfer tr;
    struct lmdb_upload u;
    int rc = lmdb_rows_load_transfer(t, in->tid, &tr);

    if (rc == ERR_NOTFOUND) {
        rc = lmdb_rows_load_upload(t, in->tid, &u);
        return rc == ERR_OK && memcmp(u.sender, in->uid, STORE_UID_LEN) != 0 ? ERR_NOTFOUND : rc;
    }
    if (rc == ERR_OK && memcmp(tr.sender, in->uid, STORE_UID_LEN) != 0) {
        rc = lmdb_rows_load_recipient(t, in->tid, in->uid, &v);
        if (rc == ERR_OK && v.views == 0)
            rc = ERR_NOTFOUND;
    }
    return rc == ERR_OK && !tr.body ? ERR_NOTFOUND : rc;
}

int lmdb_mail_leaves(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_leaves_get *in = &job->in->leaves_get;
    struct lmdb_key start = lmdb_rows_key_nth(t, in->tid, ROW_LEAF, in->from);
    struct store_result *res = job->res;
    struct lmdb_walk w;
    uint8_t *leaves;
    bool on;
    int rc = may_see_leaves(t, in);

    if (rc != ERR_OK)
        return rc;
    leaves = lmdb_engine_alloc(t, res, in->limit * STORE_HASH_LEN);
    if (leaves == NULL)
        return ERR_NOMEM;
    on = lmdb_walk_start(&w, t, T_ROWS, &start, LMDB_FRONT);
    for (; on && res->count < in->limit; on = lmdb_walk_next(&w))
        rd_get(&w.value, leaves + STORE_HASH_LEN * res->count++, STORE_HASH_LEN);
    lmdb_walk_end(&w);
    res->more = on;
    res->u.leaves = leaves;
    return lmdb_txn_code(t);
}

/* ---- search ---- */

/* Does ${tid} begin with the digits asked for? */
static bool begins(const struct store_mail_find *in, const uint8_t *tid)
{
    size_t whole = in->digits / 2;

    return memcmp(tid, in->prefix, whole) == 0 &&
           (in->digits % 2 == 0 || tid[whole] >> 4 == in->prefix[whole] >> 4);
}

static struct store_found *find_found(struct store_found *list, size_t n, const uint8_t *tid)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(list[i].tid, tid, STORE_TID_LEN) == 0)
            return &list[i];
    return NULL;
}

/* One of the user's boxes, from the newest; only its keys are read. */
static void find_in(struct lmdb_txn *t, const struct store_mail_find *in, unsigned view,
                    struct store_found *list, struct store_result *res)
{
    enum lmdb_table table = view == STORE_VIEW_INBOX ? T_INBOX : T_SENT;
    struct lmdb_key front = lmdb_key_of(in->uid, STORE_UID_LEN);
    uint8_t edge[STORE_CURSOR_LEN];
    struct lmdb_walk w;
    size_t looked = 0;
    bool on;

    memset(edge, 0xff, sizeof(edge));
    lmdb_key_add(&front, edge, sizeof(edge));
    on = lmdb_walk_start_before(&w, t, table, &front, STORE_UID_LEN);
    for (; on && looked < STORE_FIND_WALK; on = lmdb_walk_prev(&w), looked++) {
        const uint8_t *tid = w.key + STORE_UID_LEN + 8;
        struct store_found *known;

        if (!begins(in, tid))
            continue;
        known = find_found(list, res->count, tid);
        if (known == NULL && res->count == in->limit) {
            res->more = true;
            break;
        }
        if (known == NULL) {
            known = &list[res->count++];
            memcpy(known->tid, tid, STORE_TID_LEN);
        }
        known->views |= view;
    }
    lmdb_walk_end(&w);
}

/* All digits are there: no search. */
static void find_whole(struct lmdb_txn *t, const struct store_mail_find *in,
                       struct store_found *list, struct store_result *res)
{
    struct lmdb_recipient v = {0};
    struct lmdb_transfer tr;
    unsigned views = 0;

    if (lmdb_rows_load_transfer(t, in->prefix, &tr) != ERR_OK)
        return;
    if (lmdb_rows_load_recipient(t, in->prefix, in->uid, &v) == ERR_OK)
        views = v.views;
    if (tr.sent && memcmp(tr.sender, in->uid, STORE_UID_LEN) == 0)
        views |= STORE_VIEW_SENT;
    if (views == 0)
        return;
    memcpy(list[0].tid, in->prefix, STORE_TID_LEN);
    list[0].views = views;
    res->count = 1;
}

int lmdb_mail_find(struct lmdb_txn *t, struct store_job *job)
{
    const struct store_mail_find *in = &job->in->mail_find;
    struct store_found *list = lmdb_engine_alloc(t, job->res, in->limit * sizeof(*list));

    if (list == NULL)
        return ERR_NOMEM;
    if (in->digits == 2 * STORE_TID_LEN) {
        find_whole(t, in, list, job->res);
    } else {
        find_in(t, in, STORE_VIEW_INBOX, list, job->res);
        find_in(t, in, STORE_VIEW_SENT, list, job->res);
    }
    job->res->u.found = list;
    return lmdb_txn_code(t);
}
