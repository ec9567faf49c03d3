/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID -> find whom it is taken from -> Revoke -> names of
 * the recipients -> tell them -> done.  If the server knows no such transfer of
 * ours, or somebody is no recipient: Status -> say which.
 *
 * Ways to fail: ERR_NOTFOUND (no such transfer, no such user, not a recipient), ERR_REFUSED (not
 * sent by us), ERR_INVALID (ambiguous), those of people.c.
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/find.h"
#include "client/op/people.h"
#include "client/op/recipients.h"
#include "common/transfer/header.h"

struct revocation {
    struct satchel_op op;
    struct find find;
    char **from;
    size_t n_from;
    satchel_recipient_cb *on_recipient;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_revoked *r);
    struct person *persons; /* n_from */
    struct people people;
    Satchel__RevokeReply *reply; /* taken out of the answer */
    struct recipients recipients;
    struct op_job job;
    struct satchel_revoked revoked;
};

/* ---- not ours, or not to everybody who was named ---------------------------------------- */

static bool has_recipient(const Satchel__StatusReply *m, const struct uid *uid)
{
    for (size_t i = 0; i < m->n_recipients; i++) {
        const ProtobufCBinaryData *to = &m->recipients[i]->user_id;

        if (to->len == IDS_UID_LEN && memcmp(to->data, uid->b, IDS_UID_LEN) == 0)
            return true;
    }
    return false;
}

static bool sent_by_us(const struct satchel_op *op, const Satchel__StatusReply *m)
{
    struct header h = {0};

    return header_parse(part(m->header.data, m->header.len), &h, NULL) == ERR_OK &&
           memcmp(&h.sender, &op->id->uid, sizeof(h.sender)) == 0;
}

/* The server's word is enough: nothing is done with it but to tell it. */
static void on_status(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct revocation *r = (struct revocation *)op;
    struct err err = {0};
    size_t i = 0;

    (void)arg;
    if (a->err != NULL || !sent_by_us(op, a->e->status_reply)) {
        find_end_not_sent(&r->find, "revoke it");
        return;
    }
    while (i + 1 < r->n_from && has_recipient(a->e->status_reply, &r->persons[i].uid))
        i++;
    err_set(&err, ERR_NOTFOUND, "transfer '%s' was not sent to '%s'", r->find.prefix, r->from[i]);
    err_hint(&err, "nothing was revoked; 'satchel status %s' shows to whom it was sent",
             r->find.prefix);
    op_end(op, &err);
}

static void ask_status(struct revocation *r)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Status m = SATCHEL__STATUS__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_STATUS_REPLY},
                       .cb = on_status,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, r->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_STATUS;
    e.status = &m;
    (void)op_ask(&r->op, &a);
}

/* ---- third: the answer ---------------------------------------------------------------- */

static void named(struct op_job *job)
{
    struct revocation *r = (struct revocation *)job->op;

    memcpy(r->revoked.id, r->find.id, sizeof(r->revoked.id));
    for (size_t i = 0; i < r->recipients.n; i++) {
        const Satchel__RecipientStatus *row = r->recipients.rows[i];

        r->revoked.revoked += row->state == SATCHEL__SLOT_STATE__SLOT_REVOKED;
        r->revoked.opened += row->opens_used > 0;
    }
    r->revoked.already = r->reply->already;
    recipients_tell(&r->recipients, &r->op, r->on_recipient);
    op_end(&r->op, NULL);
}

static int name_work(struct op_job *job, struct err *err)
{
    struct revocation *r = (struct revocation *)job->op;

    return recipients_name(&r->recipients, &r->op, err);
}

static void on_revoked(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct revocation *r = (struct revocation *)op;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL && a->err->code == ERR_NOTFOUND && r->n_from > 0) {
        ask_status(r);
        return;
    }
    if (a->err != NULL && a->err->code == ERR_NOTFOUND) {
        find_end_not_sent(&r->find, "revoke it");
        return;
    }
    if (a->err != NULL) {
        err = find_error(&r->find, a->err);
        op_end(op, &err);
        return;
    }
    r->reply = a->e->revoke_reply;
    a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
    a->e->revoke_reply = NULL;
    if (recipients_take(&r->recipients, r->reply->recipients, r->reply->n_recipients, &err) ==
        ERR_OK)
        op_job(op, &r->job, name_work, named);
    else
        op_end(op, &err);
}

static void revoke_them(struct satchel_op *op)
{
    struct revocation *r = (struct revocation *)op;
    ProtobufCBinaryData uids[HEADER_SLOTS_MAX];
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Revoke m = SATCHEL__REVOKE__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_REVOKE_REPLY},
                       .cb = on_revoked,
                       .errors = true};

    for (size_t i = 0; i < r->n_from; i++)
        uids[i] = (ProtobufCBinaryData){IDS_UID_LEN, r->persons[i].uid.b};
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, r->find.tid.b};
    m.user_ids = uids;
    m.n_user_ids = r->n_from;
    e.body_case = SATCHEL__ENVELOPE__BODY_REVOKE;
    e.revoke = &m;
    (void)op_ask(op, &a);
}

/* ---- second: whom it is taken from ------------------------------------------------------ */

static void found(struct satchel_op *op)
{
    struct revocation *r = (struct revocation *)op;

    r->people = (struct people){.op = op, .p = r->persons, .n = r->n_from, .done = revoke_them};
    if (r->n_from > 0)
        people_find(&r->people);
    else
        revoke_them(op);
}

/* ---- first: which one -------------------------------------------------------------------- */

static void begin(struct satchel_op *op)
{
    struct revocation *r = (struct revocation *)op;

    r->find.op = op;
    r->find.done = found;
    find_one(&r->find);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct revocation *r = (struct revocation *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->revoked : NULL);
}

static void free_revocation(struct satchel_op *op)
{
    struct revocation *r = (struct revocation *)op;

    for (size_t i = 0; i < r->n_from; i++) {
        if (r->persons != NULL)
            person_free(&r->persons[i]);
        if (r->from != NULL)
            free(r->from[i]);
    }
    satchel__revoke_reply__free_unpacked(r->reply, NULL);
    recipients_free(&r->recipients);
    free(r->persons);
    free(r->from);
    free(r);
}

static int copy_options(struct revocation *r, const struct satchel_revoke_options *o,
                        struct err *err)
{
    int rc = find_check(o->id, r->find.prefix, err);

    if (rc != ERR_OK)
        return rc;
    if (o->from_count > HEADER_SLOTS_MAX)
        return err_set(err, ERR_INVALID, "at most %d recipients", HEADER_SLOTS_MAX);
    r->from = calloc(o->from_count + 1, sizeof(*r->from));
    r->persons = calloc(o->from_count + 1, sizeof(*r->persons));
    if (r->from == NULL || r->persons == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (; r->n_from < o->from_count; r->n_from++) {
        r->from[r->n_from] = strdup(o->from[r->n_from]);
        if (r->from[r->n_from] == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        r->persons[r->n_from].who = r->from[r->n_from];
    }
    r->on_recipient = o->on_recipient;
    r->done = o->done;
    return ERR_OK;
}

int satchel_revoke_start(struct satchel *s, const struct satchel_revoke_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_revocation};
    struct revocation *r = calloc(1, sizeof(*r));
    struct err err = {0};

    if (r == NULL)
        return op_no_memory(error);
    if (copy_options(r, o, &err) != ERR_OK) {
        free_revocation(&r->op);
        return handle_error(error, &err);
    }
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}
