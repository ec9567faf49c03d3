/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID and its folders -> of one that we have sent: Status, and
 * nobody is left who could open it -> Delete, for each folder -> Done.
 *
 * Ways to fail: ERR_NOTFOUND (also: not in that folder), ERR_INVALID (ambiguous), ERR_REFUSED
 * (somebody can still open it: nothing could be revoked any more).
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/find.h"
#include "client/op/recipients.h"
#include "common/transfer/header.h"

struct deletion {
    struct satchel_op op;
    struct find find;
    enum satchel_folder folder;
    bool force;
    bool in_inbox, in_sent;      /* the folders that it is taken out of */
    Satchel__StatusReply *reply; /* taken out of the answer */
    struct recipients recipients;
    struct op_job job;
    unsigned left; /* requests without an answer */
    void (*done)(void *cookie, const struct satchel_error *err, const char *id);
};

/* ---- third: it is taken out -------------------------------------------------------- */

static void on_deleted(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct deletion *d = (struct deletion *)op;
    struct err err;

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&d->find, a->err);
        op_end(op, &err);
    } else if (--d->left == 0) {
        op_end(op, NULL);
    }
}

static void ask(struct deletion *d, Satchel__Folder folder)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Delete m = SATCHEL__DELETE__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_deleted, .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, d->find.tid.b};
    m.folder = folder;
    e.body_case = SATCHEL__ENVELOPE__BODY_DELETE;
    e.delete_ = &m;
    if (op_ask(&d->op, &a))
        d->left++;
}

static void take_out(struct deletion *d)
{
    if (d->in_inbox)
        ask(d, SATCHEL__FOLDER__INBOX);
    if (d->in_sent && !d->op.ended)
        ask(d, SATCHEL__FOLDER__SENT);
}

/* ---- second: is there anybody who can still open it? -------------------------------- */

/* Whoever has received it keeps it, deleted or revoked. */
static bool waits(const struct deletion *d, size_t i, uint32_t opens)
{
    const Satchel__RecipientStatus *row = d->recipients.rows[i];

    if (memcmp(row->user_id.data, d->op.id->uid.b, IDS_UID_LEN) == 0)
        return false;
    return row->state == SATCHEL__SLOT_STATE__STORED ||
           (row->state == SATCHEL__SLOT_STATE__RELEASED && (opens == 0 || row->opens_used < opens));
}

static void named(struct op_job *job)
{
    struct deletion *d = (struct deletion *)job->op;
    struct header h = {0};
    struct err err = {0};
    size_t n = 0, first = 0;

    /* Only for its opens: what cannot be read has no limit. */
    if (header_parse(part(d->reply->header.data, d->reply->header.len), &h, NULL) != ERR_OK)
        h.opens = 0;
    for (size_t i = d->recipients.n; i > 0; i--)
        if (waits(d, i - 1, h.opens)) {
            n++;
            first = i - 1;
        }
    if (n == 0) {
        take_out(d);
        return;
    }
    if (n == 1)
        err_set(&err, ERR_REFUSED, "'%s' can still open transfer '%s'",
                recipients_label(&d->recipients, first), d->find.prefix);
    else
        err_set(&err, ERR_REFUSED, "'%s' and %zu more can still open transfer '%s'",
                recipients_label(&d->recipients, first), n - 1, d->find.prefix);
    err_hint(&err, "'satchel revoke %s' ends that; with --force nobody can revoke it any more",
             d->find.prefix);
    op_end(&d->op, &err);
}

static int name_work(struct op_job *job, struct err *err)
{
    struct deletion *d = (struct deletion *)job->op;

    return recipients_name(&d->recipients, &d->op, err);
}

static void on_status(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct deletion *d = (struct deletion *)op;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&d->find, a->err);
        op_end(op, &err);
        return;
    }
    d->reply = a->e->status_reply;
    a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
    a->e->status_reply = NULL;
    if (recipients_take(&d->recipients, d->reply->recipients, d->reply->n_recipients, &err) ==
        ERR_OK)
        op_job(op, &d->job, name_work, named);
    else
        op_end(op, &err);
}

static void look(struct deletion *d)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Status m = SATCHEL__STATUS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_STATUS_REPLY},
                       .cb = on_status,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, d->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
    e.status = &m;
    (void)op_ask(&d->op, &a);
}

/* ---- first: which one ---------------------------------------------------------------- */

static void found(struct satchel_op *op)
{
    struct deletion *d = (struct deletion *)op;

    d->in_inbox = d->find.role != SATCHEL__ROLE__SENDER && d->folder != SATCHEL_SENT;
    d->in_sent = d->find.role != SATCHEL__ROLE__RECIPIENT && d->folder != SATCHEL_INBOX;
    if (!d->in_inbox && !d->in_sent)
        op_fail(op, ERR_NOTFOUND, "transfer '%s' is not in this folder", d->find.prefix);
    else if (d->in_sent && !d->force)
        look(d);
    else
        take_out(d);
}

static void begin(struct satchel_op *op)
{
    struct deletion *d = (struct deletion *)op;

    d->find.op = op;
    d->find.role_wanted = true;
    d->find.done = found;
    find_one(&d->find);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct deletion *d = (struct deletion *)op;

    d->done(op->done_cookie, err, err == NULL ? d->find.id : NULL);
}

static void free_deletion(struct satchel_op *op)
{
    struct deletion *d = (struct deletion *)op;

    satchel__status_reply__free_unpacked(d->reply, NULL);
    recipients_free(&d->recipients);
    free(d);
}

int satchel_delete_start(struct satchel *s, const struct satchel_delete_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_deletion};
    struct deletion *d;
    struct err err = {0};
    char prefix[SATCHEL_ID_SIZE];

    if (find_check(o->id, prefix, &err) != ERR_OK)
        return handle_error(error, &err);
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return op_no_memory(error);
    memcpy(d->find.prefix, prefix, sizeof(prefix));
    d->folder = o->folder;
    d->force = o->force;
    d->done = o->done;
    return op_start(&d->op, s, &kind, o->cookie, ret_op, error);
}
