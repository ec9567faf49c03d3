/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: all pages of the log -> whoever has signed a receipt is found ->
 * a worker checks chain, head and receipts -> all is told -> the end.
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/status.h"
#include "common/transfer/chain.h"
#include "common/transfer/event_log.h"

static struct satchel_bytes bytes(ProtobufCBinaryData b)
{
    return (struct satchel_bytes){b.data, b.len};
}

/* ---- third: told ------------------------------------------------------------------------ */

static const char *who_is(const struct status *s, const Satchel__LoggedEvent *e)
{
    for (size_t i = 0; i < s->recipients.n; i++)
        if (memcmp(s->recipients.rows[i]->user_id.data, e->user_id.data, IDS_UID_LEN) == 0)
            return s->recipients.names[i];
    return memcmp(e->user_id.data, s->op.id->uid.b, IDS_UID_LEN) == 0 ? s->op.id->username : "";
}

static void tell_manifest(const struct status *s, const struct chain *chain,
                          const struct hash32 *hash)
{
    const struct manifest *m = chain_find(chain, hash);
    char text[IDS_UID_TEXT];
    struct buf raw = {0};

    if (m != NULL && s->on_manifest != NULL && !s->op.ended &&
        manifest_pack(m, &raw, NULL) == ERR_OK) {
        ids_uid_to_text(&m->uid, text);
        s->on_manifest(s->op.cookie, text, (struct satchel_bytes){raw.data, raw.len});
    }
    buf_free(&raw);
}

static void tell_proof(const struct status *s)
{
    struct satchel_proof p = {.header = bytes(s->reply->header),
                              .signature = bytes(s->reply->signature),
                              .server_key = {s->server_key, sizeof(s->server_key)}};

    if (s->events.head != NULL) {
        p.head = bytes(s->events.head->body);
        p.head_signature = bytes(s->events.head->signature);
    }
    if (s->on_proof != NULL)
        s->on_proof(s->op.cookie, &p);
    tell_manifest(s, person_chain(&s->sender, s->op.id), &s->header.manifest);
    for (size_t i = 0; i < s->n_receipts; i++)
        if (s->receipts[i].problem.code == ERR_OK)
            tell_manifest(s, person_chain(&s->signers[i], s->op.id), &s->receipts[i].s.manifest);
}

static void tell_event(const struct status *s, size_t i)
{
    const Satchel__LoggedEvent *e = s->events.rows[i];
    char text[IDS_UID_TEXT];
    struct satchel_logged l = {.number = e->number,
                               .time = e->time,
                               .kind = e->kind,
                               .name = event_log_name(e->kind),
                               .who = who_is(s, e),
                               .who_id = text,
                               .data = bytes(e->data),
                               .hash = bytes(e->hash)};
    struct uid uid;

    memcpy(uid.b, e->user_id.data, IDS_UID_LEN);
    ids_uid_to_text(&uid, text);
    for (size_t k = 0; k < s->n_receipts; k++)
        if (s->receipts[k].event == i) {
            l.receipt = s->receipts[k].problem.code == ERR_OK;
            l.problem = l.receipt ? NULL : s->receipts[k].problem.msg;
        }
    s->on_logged(s->op.cookie, &l);
}

static bool proven(const struct status *s, const Satchel__RecipientStatus *row)
{
    for (size_t i = 0; i < s->n_receipts; i++)
        if (s->receipts[i].problem.code == ERR_OK &&
            memcmp(s->receipts[i].s.user.b, row->user_id.data, IDS_UID_LEN) == 0)
            return true;
    return false;
}

/* That somebody has received it is his word alone, and not the server's. */
static void doubt_receipts(const struct status *s)
{
    for (size_t i = 0; i < s->recipients.n; i++) {
        Satchel__RecipientStatus *row = s->recipients.rows[i];

        if (proven(s, row))
            continue;
        row->received = 0;
        if (row->state == SATCHEL__SLOT_STATE__RECEIVED)
            row->state = SATCHEL__SLOT_STATE__RELEASED;
    }
}

static void checked(struct op_job *job)
{
    struct status *s = (struct status *)job->op;

    doubt_receipts(s);
    status_tell(s);
    tell_proof(s);
    for (size_t i = 0; i < s->events.n && !s->op.ended; i++)
        tell_event(s, i);
    op_end(&s->op, NULL);
}

/* ---- second: checked ---------------------------------------------------------------------- */

static int check_receipt(const struct status *s, size_t i, struct err *err)
{
    const struct status_receipt *r = &s->receipts[i];
    const struct person *p = &s->signers[i];
    const struct chain *chain = person_chain(p, s->op.id);
    const struct manifest *m;
    struct hash32 hash;

    if (p->err.code != ERR_OK)
        return err_set(err, p->err.code, "%s", p->err.msg);
    if (memcmp(r->s.user.b, s->events.rows[r->event]->user_id.data, IDS_UID_LEN) != 0)
        return err_set(err, ERR_INTEGRITY, "the receipt is somebody else's");
    if (header_hash(part(s->reply->header.data, s->reply->header.len), &hash) != ERR_OK ||
        memcmp(&hash, &r->s.header, sizeof(hash)) != 0 ||
        memcmp(&r->s.tid, &s->find.tid, sizeof(s->find.tid)) != 0)
        return err_set(err, ERR_INTEGRITY, "the receipt is of another transfer");
    m = chain_find(chain, &r->s.manifest);
    if (m == NULL)
        return err_set(err, ERR_INTEGRITY, "the receipt names an unknown manifest");
    return statement_check(SIGNED_RECEIPT, part(r->raw.data, r->raw.len), m, chain, err);
}

static int check_work(struct op_job *job, struct err *err)
{
    struct status *s = (struct status *)job->op;
    int rc = events_check(&s->events, s->server_key, s->op.s->profile->vault, err);

    for (size_t i = 0; rc == ERR_OK && i < s->n_receipts; i++)
        if (s->receipts[i].problem.code == ERR_OK)
            (void)check_receipt(s, i, &s->receipts[i].problem);
    return rc;
}

static void found_signers(struct satchel_op *op)
{
    op_job(op, &((struct status *)op)->job, check_work, checked);
}

/* ---- first: the log ------------------------------------------------------------------------- */

/* The receipts among the events; what is no receipt is a problem of its own, told later. */
static int take_receipts(struct status *s, struct err *err)
{
    s->receipts = calloc(s->events.n + 1, sizeof(*s->receipts));
    s->signers = calloc(s->events.n + 1, sizeof(*s->signers));
    if (s->receipts == NULL || s->signers == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < s->events.n; i++) {
        const Satchel__LoggedEvent *e = s->events.rows[i];
        struct status_receipt *r = &s->receipts[s->n_receipts];
        struct person *p = &s->signers[s->n_receipts];

        if (e->kind != EVENT_LOG_RECEIVED || e->user_id.len != IDS_UID_LEN)
            continue;
        s->n_receipts++;
        r->event = i;
        buf_put(&r->raw, e->data.data, e->data.len);
        if (statement_read(part(r->raw.data, r->raw.len), &r->s, &r->problem) == ERR_NOMEM)
            return err_set(err, ERR_NOMEM, "out of memory");
        memcpy(p->uid.b, e->user_id.data, IDS_UID_LEN);
        p->wants = &r->s.manifest;
        p->n_wants = 1;
    }
    return ERR_OK;
}

static void got_events(struct satchel_op *op)
{
    struct status *s = (struct status *)op;
    struct err err = {0};

    if (take_receipts(s, &err) != ERR_OK) {
        op_end(op, &err);
        return;
    }
    s->people = (struct people){
        .op = op, .p = s->signers, .n = s->n_receipts, .each_alone = true, .done = found_signers};
    if (s->n_receipts > 0)
        people_find(&s->people);
    else
        found_signers(op);
}

void status_log(struct status *s)
{
    if (s->op.s->link.session == NULL) {
        op_fail(&s->op, ERR_CLOSED, "the connection was lost");
        return;
    }
    memcpy(s->server_key, session_hello(s->op.s->link.session)->server_key, sizeof(s->server_key));
    s->events.op = &s->op;
    s->events.tid = s->find.tid;
    s->events.done = got_events;
    events_get(&s->events);
}

void status_log_free(struct status *s)
{
    for (size_t i = 0; i < s->n_receipts; i++) {
        buf_free(&s->receipts[i].raw);
        person_free(&s->signers[i]);
    }
    events_free(&s->events);
    free(s->receipts);
    free(s->signers);
}
