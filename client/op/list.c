/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path, for each page: ListTransfers -> take the rows -> find their
 * senders -> check on a worker -> Status of each row, if its recipients are
 * wanted -> their names, on a worker -> show -> the next page.
 *
 * Ways to fail: those of the link; ERR_PROTO for a page that does not go on.
 * A bad row is shown with its problem.
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/recipients.h"
#include "client/op/row.h"

enum {
    ROWS_MAX = 1024,      /* of a page; a frame cannot hold more */
    LISTING_MAX = 1 << 20 /* rows that a folder may have before we no longer believe it */
};

/* Whom a row went to. */
struct addressees {
    Satchel__StatusReply *reply; /* taken out of the answer; NULL: not known */
    struct recipients list;
    struct satchel_recipient *shown;
};

struct listing {
    struct satchel_op op;
    enum satchel_folder folder;
    bool with_recipients;
    uint64_t limit, max_lifetime;
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t);
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_listed *r);
    struct satchel_listed listed;
    struct op_job job;
    struct row *rows; /* of the page */
    size_t n_rows;
    struct addressees *to;  /* one for each row, with `with_recipients` */
    size_t left;            /* requests without an answer */
    struct person *persons; /* senders of the page */
    struct hash32 *wants;   /* a list for each of them, one after the other */
    struct people people;
};

static void page_free(struct listing *l)
{
    for (size_t i = 0; i < l->n_rows; i++) {
        row_free(&l->rows[i]);
        if (l->to == NULL)
            continue;
        satchel__status_reply__free_unpacked(l->to[i].reply, NULL);
        recipients_free(&l->to[i].list);
        free(l->to[i].shown);
    }
    for (size_t i = 0; i < l->people.n; i++)
        person_free(&l->persons[i]);
    free(l->to);
    free(l->rows);
    free(l->persons);
    free(l->wants);
    l->to = NULL;
    l->rows = NULL;
    l->persons = NULL;
    l->wants = NULL;
    l->n_rows = l->people.n = 0;
}

static void ask(struct listing *l);

/* ---- fifth: show ------------------------------------------------------------------ */

static void show(struct listing *l)
{
    for (size_t i = 0; i < l->n_rows && !l->op.ended; i++) {
        struct satchel_transfer t;
        struct satchel_error problem = {0};

        if (l->rows[i].sender != NULL && l->rows[i].sender->contact.blocked) {
            l->listed.hidden++;
            continue;
        }
        row_show(&l->rows[i], l->op.id, &t, &problem);
        if (l->to != NULL && l->to[i].shown != NULL) {
            t.to = l->to[i].shown;
            t.to_count = l->to[i].list.n;
        }
        l->on_transfer(l->op.cookie, &t);
    }
    l->listed.rows += l->n_rows;
    page_free(l);
    if (l->op.ended)
        return;
    if (l->listed.more && l->listed.rows >= LISTING_MAX) {
        op_fail(&l->op, ERR_LIMIT, "the server's listing has no end");
        return;
    }
    if (l->listed.more && (l->limit == 0 || l->listed.rows < l->limit))
        ask(l);
    else
        op_end(&l->op, NULL);
}

/* ---- fourth: whom it went to --------------------------------------------------------- */

static void named(struct op_job *job)
{
    show((struct listing *)job->op);
}

static int name_work(struct op_job *job, struct err *err)
{
    struct listing *l = (struct listing *)job->op;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < l->n_rows; i++) {
        struct addressees *to = &l->to[i];

        if (to->reply == NULL)
            continue;
        to->shown = calloc(to->list.n + 1, sizeof(*to->shown));
        rc = to->shown != NULL ? recipients_name(&to->list, &l->op, err)
                               : err_set(err, ERR_NOMEM, "out of memory");
        for (size_t k = 0; rc == ERR_OK && k < to->list.n; k++)
            to->shown[k] = recipients_at(&to->list, k);
    }
    return rc;
}

/* A row whose recipients are not told is shown without them. */
static void on_status(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct listing *l = (struct listing *)op;
    struct addressees *to = arg;
    struct err err = {0};

    if (a->err != NULL && op->s->link.session == NULL) {
        op_end(op, a->err);
        return;
    }
    if (a->err == NULL) {
        to->reply = a->e->status_reply;
        a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
        a->e->status_reply = NULL;
        if (recipients_take(&to->list, to->reply->recipients, to->reply->n_recipients, &err) !=
            ERR_OK) {
            op_end(op, &err);
            return;
        }
    }
    if (--l->left == 0)
        op_job(op, &l->job, name_work, named);
}

static bool ask_status(struct listing *l, size_t i)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Status m = SATCHEL__STATUS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_STATUS_REPLY},
                       .cb = on_status,
                       .arg = &l->to[i],
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, l->rows[i].claim.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
    e.status = &m;
    return op_ask(&l->op, &a);
}

static void checked(struct op_job *job)
{
    struct listing *l = (struct listing *)job->op;

    if (!l->with_recipients || l->n_rows == 0) {
        show(l);
        return;
    }
    l->to = calloc(l->n_rows, sizeof(*l->to));
    if (l->to == NULL) {
        op_fail(&l->op, ERR_NOMEM, "out of memory");
        return;
    }
    l->left = l->n_rows;
    for (size_t i = 0; i < l->n_rows; i++)
        if (!ask_status(l, i))
            return;
}

/* ---- third: check --------------------------------------------------------------------- */

static int check_work(struct op_job *job, struct err *err)
{
    struct listing *l = (struct listing *)job->op;
    struct row_view view = {.me = l->op.id, .seen = l->op.s->profile->seen, .now = handle_now()};
    int rc = seen_refresh(view.seen, err);

    for (size_t i = 0; rc == ERR_OK && i < l->n_rows; i++)
        rc = row_check(&l->rows[i], &view, l->rows, i, err);
    if (rc == ERR_OK)
        rc = row_remember(l->rows, l->n_rows, &view, l->max_lifetime, err);
    return rc;
}

static void check(struct listing *l)
{
    op_job(&l->op, &l->job, check_work, checked);
}

static void found(struct satchel_op *op)
{
    check((struct listing *)op);
}

/* ---- second: the senders ------------------------------------------------------------- */

static struct person *sender_of(struct listing *l, const struct row *row)
{
    struct person *p = l->persons;
    struct person *end = l->persons + l->people.n;

    while (p < end && memcmp(&p->uid, &row->claim.sender, sizeof(p->uid)) != 0)
        p++;
    if (p == end) {
        p->uid = row->claim.sender;
        l->people.n++;
    }
    return p;
}

/* For each sender the manifests that his rows name. */
static void collect_wants(struct listing *l)
{
    struct hash32 *at = l->wants;

    for (size_t k = 0; k < l->people.n; k++) {
        struct person *p = &l->persons[k];

        p->wants = at;
        for (size_t i = 0; i < l->n_rows; i++)
            if (l->rows[i].sender == p)
                *at++ = l->rows[i].claim.manifest;
        for (size_t i = 0; i < l->n_rows; i++)
            if (l->rows[i].sender == p && l->rows[i].addendum.number > 0)
                *at++ = l->rows[i].addendum.manifest;
        p->n_wants = (size_t)(at - p->wants);
    }
}

static void find_senders(struct listing *l)
{
    for (size_t i = 0; i < l->n_rows; i++)
        if (l->rows[i].problem.code == ERR_OK)
            l->rows[i].sender = sender_of(l, &l->rows[i]);
    if (l->people.n == 0) {
        check(l);
        return;
    }
    collect_wants(l);
    l->people.op = &l->op;
    l->people.p = l->persons;
    l->people.each_alone = true;
    l->people.done = found;
    people_find(&l->people);
}

/* ---- first: a page ----------------------------------------------------------------------- */

static bool is_cursor(const struct satchel_cursor *c, const ProtobufCBinaryData *b)
{
    return c->len == b->len && memcmp(c->data, b->data, b->len) == 0;
}

static int take_page(struct listing *l, Satchel__ListReply *m, struct err *err)
{
    struct satchel_cursor *c = &l->listed.cursor;
    int rc = ERR_OK;

    if (m->cursor.len > sizeof(c->data) || m->n_transfers > ROWS_MAX ||
        (m->more && (m->n_transfers == 0 || m->cursor.len == 0 || is_cursor(c, &m->cursor))))
        return err_set(err, ERR_PROTO, "the server's listing does not go on");
    l->rows = calloc(m->n_transfers + 1, sizeof(*l->rows));
    l->persons = calloc(m->n_transfers + 1, sizeof(*l->persons));
    l->wants = calloc(2 * m->n_transfers + 1, sizeof(*l->wants)); /* header and addendum */
    if (l->rows == NULL || l->persons == NULL || l->wants == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; rc == ERR_OK && i < m->n_transfers; i++) {
        rc = row_take(&l->rows[i], m->transfers[i], err);
        m->transfers[i] = NULL; /* it is the row's */
        l->n_rows++;
    }
    if (m->cursor.len > 0) {
        memcpy(c->data, m->cursor.data, m->cursor.len);
        c->len = m->cursor.len;
    }
    l->listed.more = m->more;
    return rc;
}

static void on_page(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct listing *l = (struct listing *)op;
    struct err err = {0};

    (void)arg;
    if (take_page(l, a->e->list_reply, &err) == ERR_OK)
        find_senders(l);
    else
        op_end(op, &err);
}

static void ask(struct listing *l)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__ListTransfers m = SATCHEL__LIST_TRANSFERS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_LIST_REPLY},
                       .cb = on_page};
    uint64_t left = l->limit - l->listed.rows;

    m.folder = l->folder == SATCHEL_SENT ? SATCHEL__FOLDER__SENT : SATCHEL__FOLDER__INBOX;
    m.cursor = (ProtobufCBinaryData){l->listed.cursor.len, l->listed.cursor.data};
    m.limit = l->limit != 0 && left < ROWS_MAX ? (uint32_t)left : 0;
    e.body_case = SATCHEL__ENVELOPE__BODY_LIST_TRANSFERS;
    e.list_transfers = &m;
    (void)op_ask(&l->op, &a);
}

static void begin(struct satchel_op *op)
{
    struct listing *l = (struct listing *)op;

    if (op->s->link.session != NULL)
        l->max_lifetime = session_hello(op->s->link.session)->max_lifetime;
    ask(l);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct listing *l = (struct listing *)op;

    l->done(op->done_cookie, err, err == NULL ? &l->listed : NULL);
}

static void free_listing(struct satchel_op *op)
{
    page_free((struct listing *)op);
    free(op);
}

int satchel_list_start(struct satchel *s, const struct satchel_list_options *o,
                       struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_listing};
    struct listing *l;
    struct err err = {0};

    if ((o->folder != SATCHEL_INBOX && o->folder != SATCHEL_SENT) ||
        o->from.len > sizeof(o->from.data)) {
        (void)err_set(&err, ERR_INVALID, "no such folder, or not a place in one");
        return handle_error(error, &err);
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return op_no_memory(error);
    l->folder = o->folder;
    l->limit = o->limit;
    l->with_recipients = o->with_recipients && o->folder == SATCHEL_SENT;
    l->listed.cursor = o->from;
    l->on_transfer = o->on_transfer;
    l->done = o->done;
    return op_start(&l->op, s, &kind, o->cookie, ret_op, error);
}
