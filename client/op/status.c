/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID -> Status, and GetTransfer for what our own slot opens ->
 * find the sender -> check signatures on a worker, look up names -> tell the
 * recipients, of a transfer of ours with its log -> done.
 *
 * Ways to fail: ERR_NOTFOUND, ERR_INVALID (ambiguous), ERR_INTEGRITY (the header, or the
 * addendum), those of people.c.  What our slot does not open is only left out.
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/addendum.h"
#include "client/op/status.h"
#include "common/transfer/receive.h"

static struct part view_of(ProtobufCBinaryData b)
{
    return part(b.data, b.len);
}

/* ---- fourth: checked --------------------------------------------------------------- */

void status_tell(struct status *s)
{
    struct satchel_transfer t;
    struct satchel_error problem = {0};

    if (s->row.opened && s->on_transfer != NULL && !s->op.ended) {
        row_show(&s->row, s->op.id, &t, &problem);
        s->on_transfer(s->op.cookie, &t);
    }
    recipients_tell(&s->recipients, &s->op, s->on_recipient);
}

static void checked(struct op_job *job)
{
    struct status *s = (struct status *)job->op;
    const struct header *h = &s->header;

    memcpy(s->status.id, s->find.id, sizeof(s->status.id));
    ids_uid_to_text(&h->sender, s->status.from_id);
    s->status.created = h->created;
    s->status.stored = s->reply->stored;
    s->status.padded_size = h->body_length;
    s->status.opens = h->opens;
    s->status.recipients = (uint32_t)s->reply->n_recipients;
    s->status.ours = s->sender.self;
    if (s->status.ours && s->on_logged != NULL) {
        status_log(s);
        return;
    }
    status_tell(s);
    op_end(&s->op, NULL);
}

/* FORMATS.md section 16, steps 1 and 2: nothing more can be said without slot and share. */
static int check_header(struct status *s, struct err *err)
{
    const struct chain *chain = person_chain(&s->sender, s->op.id);
    const struct manifest *m = chain_find(chain, &s->header.manifest);
    const struct manifest_device *d = NULL;
    int rc;

    if (m == NULL)
        return err_set(err, ERR_INTEGRITY, "Header.manifest: not one of the sender's manifests");
    rc = manifest_device_at(m, &s->header.device, s->header.created, &d, err);
    if (rc == ERR_NOTFOUND)
        return err_set(err, ERR_INTEGRITY, "Header.device: not a device of the sender");
    if (rc == ERR_OK)
        rc = header_verify(view_of(s->reply->header), view_of(s->reply->signature), d->key, err);
    if (rc == ERR_OK)
        rc = header_check(&s->header, err);
    return rc == ERR_INVALID ? err_set(err, ERR_INTEGRITY, "the header is malformed") : rc;
}

/* When it ends is the sender's word, not the server's. */
static int check_end(struct status *s, struct err *err)
{
    struct addendum_of of = {&s->header, &s->header_hash, person_chain(&s->sender, s->op.id)};
    struct statement end;
    int rc = header_hash(view_of(s->reply->header), &s->header_hash);

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot hash");
    s->status.expires = s->header.expires;
    if (s->reply->addendum == NULL)
        return ERR_OK;
    rc = addendum_check(s->reply->addendum, &of, &end, err);
    if (rc == ERR_OK)
        s->status.expires = end.expires;
    return rc;
}

/* Its problem, if it has one, is in the row. */
static int check_row(struct status *s, struct err *err)
{
    struct seen *seen = s->op.s->profile->seen;
    struct row_view view = {.me = s->op.id, .seen = seen, .now = handle_now()};
    int rc;

    if (s->row.t == NULL)
        return ERR_OK;
    rc = seen_refresh(seen, err);
    if (rc == ERR_OK)
        rc = row_check(&s->row, &view, NULL, 0, err);
    if (rc == ERR_OK && s->row.origin &&
        memcmp(&s->row.r.header_hash, &s->header_hash, sizeof(s->header_hash)) != 0)
        rc = err_set(err, ERR_INTEGRITY, "the server shows two transfers with one ID");
    return rc;
}

static int check_work(struct op_job *job, struct err *err)
{
    struct status *s = (struct status *)job->op;
    int rc = check_header(s, err);

    if (rc == ERR_OK)
        rc = check_end(s, err);
    if (rc == ERR_OK)
        rc = check_row(s, err);
    return rc == ERR_OK ? recipients_name(&s->recipients, &s->op, err) : rc;
}

/* ---- third: the sender --------------------------------------------------------------- */

static void found_sender(struct satchel_op *op)
{
    op_job(op, &((struct status *)op)->job, check_work, checked);
}

static void find_sender(struct status *s)
{
    struct person *p = &s->sender;

    p->uid = s->header.sender;
    p->wants = s->wants;
    s->wants[p->n_wants++] = s->header.manifest;
    if (s->end.number > 0)
        s->wants[p->n_wants++] = s->end.manifest;
    if (s->row.addendum.number > 0)
        s->wants[p->n_wants++] = s->row.addendum.manifest;
    s->row.sender = p;
    s->people = (struct people){.op = &s->op, .p = p, .n = 1, .done = found_sender};
    people_find(&s->people);
}

/* ---- second: the answers ------------------------------------------------------------- */

static void on_row(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct status *s = (struct status *)op;
    Satchel__Transfer *t = a->err == NULL ? a->e->transfer_reply->transfer : NULL;
    struct err err = {0};
    int rc = ERR_OK;

    (void)arg;
    if (t != NULL) {
        a->e->transfer_reply->transfer = NULL; /* it is ours now */
        rc = row_take(&s->row, t, &err);
    }
    if (rc == ERR_OK)
        find_sender(s);
    else
        op_end(op, &err);
}

static void ask_row(struct status *s)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetTransfer m = SATCHEL__GET_TRANSFER__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY},
                       .cb = on_row,
                       .errors = true}; /* then there is nothing to open */

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, s->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_TRANSFER;
    e.get_transfer = &m;
    (void)op_ask(&s->op, &a);
}

static int take_reply(struct status *s, struct err *err)
{
    int rc = header_parse(view_of(s->reply->header), &s->header, err);

    if (rc == ERR_OK && memcmp(&s->header.tid, &s->find.tid, sizeof(s->find.tid)) != 0)
        rc = ERR_INVALID;
    if (rc != ERR_OK)
        return err_set(err, ERR_INTEGRITY, "the server showed another transfer than '%s'",
                       s->find.prefix);
    /* The row's addendum may be another one: it is then the row's problem. */
    if (s->reply->addendum != NULL)
        rc = addendum_peek(s->reply->addendum, &s->end, err);
    if (rc != ERR_OK)
        return rc;
    return recipients_take(&s->recipients, s->reply->recipients, s->reply->n_recipients, err);
}

static void on_status(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct status *s = (struct status *)op;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&s->find, a->err);
        op_end(op, &err);
        return;
    }
    s->reply = a->e->status_reply;
    a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
    a->e->status_reply = NULL;
    if (take_reply(s, &err) != ERR_OK) {
        op_end(op, &err);
        return;
    }
    if (s->on_transfer != NULL)
        ask_row(s);
    else
        find_sender(s);
}

/* ---- first: which one ----------------------------------------------------------------- */

static void found(struct satchel_op *op)
{
    struct status *s = (struct status *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Status m = SATCHEL__STATUS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_STATUS_REPLY},
                       .cb = on_status,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, s->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
    e.status = &m;
    (void)op_ask(op, &a);
}

static void begin(struct satchel_op *op)
{
    struct status *s = (struct status *)op;

    s->find.op = op;
    s->find.done = found;
    find_one(&s->find);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct status *s = (struct status *)op;

    s->done(op->done_cookie, err, err == NULL ? &s->status : NULL);
}

static void free_status(struct satchel_op *op)
{
    struct status *s = (struct status *)op;

    satchel__status_reply__free_unpacked(s->reply, NULL);
    status_log_free(s);
    row_free(&s->row);
    person_free(&s->sender);
    recipients_free(&s->recipients);
    free(s);
}

int satchel_status_start(struct satchel *s, const struct satchel_status_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_status};
    struct status *op;
    struct err err = {0};
    char prefix[SATCHEL_ID_SIZE];

    if (find_check(o->id, prefix, &err) != ERR_OK)
        return handle_error(error, &err);
    op = calloc(1, sizeof(*op));
    if (op == NULL)
        return op_no_memory(error);
    memcpy(op->find.prefix, prefix, sizeof(prefix));
    op->on_recipient = o->on_recipient;
    op->on_transfer = o->on_transfer;
    op->on_logged = o->on_logged;
    op->on_proof = o->on_proof;
    op->on_manifest = o->on_manifest;
    op->done = o->done;
    return op_start(&op->op, s, &kind, o->cookie, ret_op, error);
}
