/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: GetTransfer for each transfer of the batch that is not known -> their senders are
 * found -> checked on a worker, as a listing is -> remembered -> filled in.
 *
 * Ways to fail: the connection is lost (its reason); ERR_NOMEM, those of the vault.  A bad row is
 * one without a name.
 */
#include <stdio.h>
#include <string.h>

#include "client/op/watch.h"

/* ---- fourth: remembered, filled in ---------------------------------------------------------- */

static const struct watch_title *title_of(const struct watch *w, const struct tid *tid)
{
    for (size_t i = 0; i < w->n_titles; i++)
        if (memcmp(&w->titles[i].tid, tid, sizeof(*tid)) == 0)
            return &w->titles[i];
    return NULL;
}

static void remember(struct watch *w, const struct row *row)
{
    struct watch_title *to;

    if (w->n_titles < WATCH_KEPT) {
        to = &w->titles[w->n_titles++];
    } else {
        to = &w->titles[w->oldest];
        w->oldest = (w->oldest + 1) % WATCH_KEPT;
    }
    *to = (struct watch_title){
        .tid = row->claim.tid, .sender = row->claim.sender, .ours = row->sender->self};
    if (row->opened)
        (void)snprintf(to->name, sizeof(to->name), "%s", row->r.metadata.name);
}

/* Some events only the sender gets, some only recipients. */
static enum satchel_side side_of(enum satchel_event_kind kind, const struct watch_title *t)
{
    switch (kind) {
    case SATCHEL_EVENT_STORED:
    case SATCHEL_EVENT_RELEASED:
    case SATCHEL_EVENT_RECEIVED:
    case SATCHEL_EVENT_DELETED:
        return SATCHEL_SIDE_OURS;
    case SATCHEL_EVENT_ARRIVED:
    case SATCHEL_EVENT_EXTENDED:
        return SATCHEL_SIDE_THEIRS;
    default:
        return t == NULL ? SATCHEL_SIDE_UNKNOWN : t->ours ? SATCHEL_SIDE_OURS : SATCHEL_SIDE_THEIRS;
    }
}

/*
 * The server alone says whom an event is about.  Of what others have sent that is the sender, whom
 * the signature shows: a name is never told with somebody else.
 */
static bool fits(const struct satchel_event *e, const struct watch_title *t)
{
    struct uid who;

    if (e->side == SATCHEL_SIDE_OURS)
        return t->ours;
    return ids_uid_from_text(e->who_id, &who, NULL) == ERR_OK &&
           memcmp(&who, &t->sender, sizeof(who)) == 0;
}

static void fill_in(struct watch *w)
{
    for (size_t i = 0; i < w->n_batch; i++) {
        struct satchel_event *e = &w->batch[i];
        const struct watch_title *t;
        struct tid tid;

        if (satchel_event_of_account(e->kind) || ids_tid_from_text(e->id, &tid, NULL) != ERR_OK)
            continue;
        t = title_of(w, &tid);
        e->side = side_of(e->kind, t);
        if (t != NULL && fits(e, t))
            memcpy(e->name, t->name, sizeof(e->name));
    }
}

void watch_free_names(struct watch *w)
{
    struct watch_names *n = &w->names;

    for (size_t i = 0; i < n->n; i++)
        row_free(&n->rows[i]);
    for (size_t i = 0; i < n->people.n; i++)
        person_free(&n->persons[i]);
    memset(n->persons, 0, sizeof(n->persons));
    n->n = n->people.n = 0;
}

static void checked(struct op_job *job)
{
    struct watch *w = (struct watch *)job->op;
    struct watch_names *n = &w->names;

    for (size_t i = 0; i < n->n; i++)
        if (n->rows[i].origin && !n->rows[i].sender->contact.blocked)
            remember(w, &n->rows[i]);
    watch_free_names(w);
    fill_in(w);
    watch_named(w);
}

/* ---- third: checked ---- */

static int check_work(struct op_job *job, struct err *err)
{
    struct watch_names *n = &((struct watch *)job->op)->names;
    struct row_view view = {
        .me = job->op->id, .seen = job->op->s->profile->seen, .now = handle_now()};
    int rc = seen_refresh(view.seen, err);

    for (size_t i = 0; rc == ERR_OK && i < n->n; i++)
        if (n->rows[i].sender != NULL)
            rc = row_check(&n->rows[i], &view, n->rows, i, err);
    return rc == ERR_OK ? row_remember(n->rows, n->n, &view, n->max_lifetime, err) : rc;
}

static void found(struct satchel_op *op)
{
    op_job(op, &((struct watch *)op)->job, check_work, checked);
}

/* ---- second: the senders ---- */

static struct person *sender_of(struct watch_names *n, const struct uid *uid)
{
    size_t i = 0;

    while (i < n->people.n && memcmp(&n->persons[i].uid, uid, sizeof(*uid)) != 0)
        i++;
    if (i == n->people.n) {
        n->persons[i].uid = *uid;
        n->people.n++;
    }
    return &n->persons[i];
}

/* For each sender the manifests that his rows and their addenda name, one after the other. */
static void collect_wants(struct watch_names *n)
{
    struct hash32 *at = n->wants;

    for (size_t k = 0; k < n->people.n; k++) {
        struct person *p = &n->persons[k];

        p->wants = at;
        for (size_t i = 0; i < n->n; i++) {
            if (n->rows[i].sender != p)
                continue;
            *at++ = n->rows[i].claim.manifest;
            if (n->rows[i].addendum.number > 0)
                *at++ = n->rows[i].addendum.manifest;
        }
        p->n_wants = (size_t)(at - p->wants);
    }
}

static void find_senders(struct watch *w)
{
    struct watch_names *n = &w->names;

    n->people = (struct people){
        .op = &w->op, .p = n->persons, .each_alone = true, .skips = true, .done = found};
    for (size_t i = 0; i < n->n; i++)
        if (n->rows[i].t != NULL && n->rows[i].problem.code == ERR_OK)
            n->rows[i].sender = sender_of(n, &n->rows[i].claim.sender);
    collect_wants(n);
    if (n->people.n > 0)
        people_find(&n->people);
    else
        found(&w->op);
}

/* ---- first: the rows ---- */

static void on_row(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct watch *w = (struct watch *)op;
    struct row *row = arg;
    struct err err = {0};

    if (a->err != NULL && op->s->link.session == NULL) {
        op_end(op, a->err);
        return;
    }
    if (a->err == NULL && a->e->transfer_reply->transfer != NULL) {
        Satchel__Transfer *t = a->e->transfer_reply->transfer;

        a->e->transfer_reply->transfer = NULL; /* it is ours now */
        if (row_take(row, t, &err) != ERR_OK) {
            op_end(op, &err);
            return;
        }
        if (memcmp(&row->claim.tid, &w->names.wanted[row - w->names.rows], IDS_TID_LEN) != 0)
            row_free(row); /* another one than was asked for */
    }
    if (--w->names.left == 0)
        find_senders(w);
}

static bool ask(struct watch *w, size_t i)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetTransfer m = SATCHEL__GET_TRANSFER__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY},
                       .cb = on_row,
                       .arg = &w->names.rows[i],
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, w->names.wanted[i].b};
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_TRANSFER;
    e.get_transfer = &m;
    return op_ask(&w->op, &a);
}

static void want(struct watch *w, const struct satchel_event *e)
{
    struct watch_names *n = &w->names;
    struct tid tid;
    size_t i = 0;

    if (satchel_event_of_account(e->kind) || ids_tid_from_text(e->id, &tid, NULL) != ERR_OK ||
        title_of(w, &tid) != NULL)
        return;
    while (i < n->n && memcmp(&n->wanted[i], &tid, sizeof(tid)) != 0)
        i++;
    if (i == n->n)
        n->wanted[n->n++] = tid;
}

void watch_find_names(struct watch *w)
{
    struct watch_names *n = &w->names;

    if (w->op.s->link.session != NULL)
        n->max_lifetime = session_hello(w->op.s->link.session)->max_lifetime;
    for (size_t i = 0; i < w->n_batch; i++)
        want(w, &w->batch[i]);
    n->left = n->n;
    if (n->n == 0) {
        fill_in(w);
        watch_named(w);
        return;
    }
    for (size_t i = 0; i < n->n; i++)
        if (!ask(w, i))
            return;
}
