/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID -> Status -> the header is ours, signed by one of our
 * devices -> an addendum is signed on a worker -> Extend -> done.
 *
 * Ways to fail: ERR_NOTFOUND (no such transfer), ERR_REFUSED (not sent by us), ERR_INVALID
 * (ambiguous), ERR_EXPIRED, ERR_REVOKED, ERR_SPENT or ERR_REFUSED (nobody can open it any more),
 * ERR_TOOLARGE, ERR_BADSTATE (it changed meanwhile), ERR_INTEGRITY (the server shows another
 * header, or an addendum that is not ours).
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/addendum.h"
#include "client/op/find.h"
#include "client/op/lifetime.h"
#include "common/show.h"

struct extension {
    struct satchel_op op;
    struct find find;
    uint64_t lifetime, expires; /* one of them is 0 */
    struct session_hello limits;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_extended *r);
    struct op_job job;
    Satchel__StatusReply *reply; /* taken out of the answer */
    uint32_t opens;              /* that each recipient has, as the header says; 0: no limit */
    struct buf body;             /* of the addendum */
    uint8_t sig[SIGNED_SIG_LEN];
    struct satchel_extended extended;
};

static struct part view_of(ProtobufCBinaryData b)
{
    return part(b.data, b.len);
}

/* ---- third: told ------------------------------------------------------------------------ */

static bool can_open(const struct extension *x, const Satchel__RecipientStatus *row)
{
    bool opened =
        row->state == SATCHEL__SLOT_STATE__RELEASED || row->state == SATCHEL__SLOT_STATE__RECEIVED;

    return row->state == SATCHEL__SLOT_STATE__STORED ||
           (opened && (x->opens == 0 || row->opens_used < x->opens));
}

/* What Status said of the recipients. */
struct tally {
    size_t all, open, revoked, deleted; /* open: they can open it still */
    uint64_t last;                      /* when it was revoked from the last of them */
};

static struct tally count(const struct extension *x)
{
    const Satchel__StatusReply *m = x->reply;
    struct tally t = {.all = m->n_recipients};

    for (size_t i = 0; i < m->n_recipients; i++) {
        const Satchel__RecipientStatus *row = m->recipients[i];
        bool revoked = row->state == SATCHEL__SLOT_STATE__SLOT_REVOKED;

        t.open += can_open(x, row);
        t.deleted += row->state == SATCHEL__SLOT_STATE__DELETED;
        t.revoked += revoked;
        if (revoked && row->changed > t.last)
            t.last = row->changed;
    }
    return t;
}

/* The server says that it is not so that it could be extended. */
static void say_state(const struct extension *x, struct err *err)
{
    struct tally t = count(x);
    const char *id = x->find.prefix;
    char day[SHOW_TIME];

    if (t.all == 0 || t.open > 0) {
        err_hint(err, "it has changed meanwhile: try again");
        return;
    }
    if (t.revoked == t.all)
        err_set(err, ERR_REVOKED, "transfer '%s': you revoked it on %s", id,
                show_minute(t.last, day));
    else if (t.revoked + t.deleted == 0)
        err_set(err, ERR_SPENT, "transfer '%s': nobody has an open left", id);
    else
        err_set(err, ERR_REFUSED, "transfer '%s': nobody is left who could open it", id);
    err_hint(err, "that cannot be undone: send it again");
}

/* The server has not done it. */
static struct err refused(const struct extension *x, const struct err *why)
{
    struct err err = find_error(&x->find, why);

    if (why->code == ERR_BADSTATE)
        say_state(x, &err);
    else if (why->code == ERR_EXISTS)
        err_hint(&err, "it has changed meanwhile: try again");
    else if (why->code == ERR_EXPIRED)
        err_hint(&err, "send it again");
    return err;
}

static void on_extended(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct extension *x = (struct extension *)op;
    struct err err;

    (void)arg;
    if (a->err == NULL) {
        memcpy(x->extended.id, x->find.id, sizeof(x->extended.id));
        op_end(op, NULL);
        return;
    }
    err = refused(x, a->err);
    op_end(op, &err);
}

static void signed_it(struct op_job *job)
{
    struct extension *x = (struct extension *)job->op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Extend m = SATCHEL__EXTEND__INIT;
    Satchel__Signed addendum = SATCHEL__SIGNED__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE},
                       .cb = on_extended,
                       .errors = true};

    addendum.body = (ProtobufCBinaryData){x->body.len, x->body.data};
    addendum.signature = (ProtobufCBinaryData){sizeof(x->sig), x->sig};
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, x->find.tid.b};
    m.addendum = &addendum;
    e.body_case = SATCHEL__ENVELOPE__BODY_EXTEND;
    e.extend = &m;
    (void)op_ask(&x->op, &a);
}

/* ---- second: what we change --------------------------------------------------------------- */

/* A header that we have signed: an addendum must not be made for anything else. */
static int check_header(const struct extension *x, struct header *h, struct err *err)
{
    const struct identity *me = x->op.id;
    const struct manifest_device *d = NULL;
    const struct manifest *m;
    int rc = header_parse(view_of(x->reply->header), h, err);

    if (rc == ERR_OK && (memcmp(&h->tid, &x->find.tid, sizeof(h->tid)) != 0 ||
                         memcmp(&h->sender, &me->uid, sizeof(h->sender)) != 0))
        return err_set(err, ERR_REFUSED,
                       "transfer '%s' was sent to you: only its sender can change its end",
                       x->find.prefix);
    m = rc == ERR_OK ? chain_find(&me->chain, &h->manifest) : NULL;
    if (rc == ERR_OK && m == NULL)
        rc = err_set(err, ERR_INTEGRITY, "Header.manifest: not one of ours");
    if (rc == ERR_OK)
        rc = manifest_device_at(m, &h->device, h->created, &d, err);
    if (rc == ERR_OK)
        rc = header_verify(view_of(x->reply->header), view_of(x->reply->signature), d->key, err);
    return rc;
}

/* The newest addendum, which the server does not make up; number 0: there is none. */
static int last_addendum(const struct extension *x, const struct header *h,
                         const struct hash32 *hash, struct statement *ret, struct err *err)
{
    struct addendum_of of = {h, hash, &x->op.id->chain};

    *ret = (struct statement){.expires = h->expires};
    return x->reply->addendum != NULL ? addendum_check(x->reply->addendum, &of, ret, err) : ERR_OK;
}

/* Before anything is signed: ${end} is the one it has. */
static int check_end(const struct extension *x, const struct header *h, uint64_t end,
                     const struct statement *s, struct err *err)
{
    char day[SHOW_TIME];

    if (end <= s->time) {
        err_set(err, ERR_EXPIRED, "transfer '%s': it expired on %s", x->find.prefix,
                show_minute(end, day));
        err_hint(err, "send it again");
        return ERR_EXPIRED;
    }
    return lifetime_check_end(&x->limits, h->created, s->expires, s->time, err);
}

/* Fill in what header and newest addendum say. */
static int make_statement(struct extension *x, struct statement *s, struct err *err)
{
    struct statement last = {0};
    struct header h = {0};
    int rc = check_header(x, &h, err);

    if (rc == ERR_OK && header_hash(view_of(x->reply->header), &s->header) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot hash a header");
    if (rc == ERR_OK)
        rc = last_addendum(x, &h, &s->header, &last, err);
    if (rc == ERR_OK)
        rc = check_end(x, &h, last.expires, s, err);
    s->number = last.number + 1;
    x->opens = h.opens;
    x->extended.before = last.expires;
    x->extended.expires = s->expires;
    return rc;
}

static int sign_work(struct op_job *job, struct err *err)
{
    struct extension *x = (struct extension *)job->op;
    const struct identity *me = x->op.id;
    uint64_t now = handle_now();
    struct statement s = {.tid = x->find.tid,
                          .user = me->uid,
                          .manifest = chain_newest(&me->chain)->hash,
                          .device = me->device,
                          .time = now,
                          .expires = x->expires != 0 ? x->expires : now + x->lifetime};
    struct buf raw = {0};
    int rc = make_statement(x, &s, err);

    if (rc == ERR_OK)
        rc = statement_make(SIGNED_EXTEND, &s, &me->dsk, &raw, err);
    if (rc == ERR_OK)
        rc = signed_unpack(part(raw.data, raw.len), STATEMENT_MAX, &x->body, x->sig, err);
    buf_free(&raw);
    return rc == ERR_INVALID ? err_set(err, ERR_INTEGRITY, "the server's answer is malformed") : rc;
}

static void on_status(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct extension *x = (struct extension *)op;
    struct err err;

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&x->find, a->err);
        op_end(op, &err);
        return;
    }
    if (op->s->link.session == NULL) {
        op_fail(op, ERR_CLOSED, "the connection was lost");
        return;
    }
    x->limits = *session_hello(op->s->link.session);
    x->reply = a->e->status_reply;
    a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
    a->e->status_reply = NULL;
    op_job(op, &x->job, sign_work, signed_it);
}

/* ---- first: which one ----------------------------------------------------------------------- */

static void found(struct satchel_op *op)
{
    struct extension *x = (struct extension *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Status m = SATCHEL__STATUS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_STATUS_REPLY},
                       .cb = on_status,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, x->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
    e.status = &m;
    (void)op_ask(op, &a);
}

static void begin(struct satchel_op *op)
{
    struct extension *x = (struct extension *)op;

    x->find.op = op;
    x->find.done = found;
    find_one(&x->find);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct extension *x = (struct extension *)op;

    x->done(op->done_cookie, err, err == NULL ? &x->extended : NULL);
}

static void free_extension(struct satchel_op *op)
{
    struct extension *x = (struct extension *)op;

    satchel__status_reply__free_unpacked(x->reply, NULL);
    buf_free(&x->body);
    free(x);
}

int satchel_extend_start(struct satchel *s, const struct satchel_extend_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_extension};
    struct extension *x;
    struct err err = {0};
    char prefix[SATCHEL_ID_SIZE];

    if (find_check(o->id, prefix, &err) != ERR_OK)
        return handle_error(error, &err);
    if ((o->lifetime == 0) == (o->expires == 0) || o->lifetime > UINT64_MAX / 2) {
        (void)err_set(&err, ERR_INVALID, "a transfer cannot end then");
        return handle_error(error, &err);
    }
    x = calloc(1, sizeof(*x));
    if (x == NULL)
        return op_no_memory(error);
    memcpy(x->find.prefix, prefix, sizeof(prefix));
    x->lifetime = o->lifetime;
    x->expires = o->expires;
    x->done = o->done;
    return op_start(&x->op, s, &kind, o->cookie, ret_op, error);
}
