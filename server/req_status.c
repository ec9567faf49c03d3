/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status: to the sender header and all recipients, to a recipient his own row.
 * Delete: take a transfer out of one of the caller's folders.
 */
#include <stdlib.h>
#include <string.h>

#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/mail.h"
#include "server/req.h"

/* When the state last changed, as far as the rows tell. */
static uint64_t changed_at(const struct store_recipient *r, const struct store_transfer *t)
{
    uint64_t at = t->arrived;

    for (size_t i = 0; i < r->nopens; i++)
        if (r->opens[i].at > at)
            at = r->opens[i].at;
    if (r->received > at)
        at = r->received;
    return r->life == STORE_EXPIRED ? t->expires : at;
}

static void fill(Satchel__RecipientStatus *to, const struct store_recipient *r,
                 const struct store_transfer *t)
{
    satchel__recipient_status__init(to);
    to->user_id = (ProtobufCBinaryData){STORE_UID_LEN, (uint8_t *)(uintptr_t)r->uid};
    to->state = mail_state(r, t->expires, daemon_time());
    to->opens_used = r->opens_used;
    to->changed = changed_at(r, t);
}

static void reply(struct call *c, const struct store_recipient *rows, size_t n)
{
    const struct store_transfer *t = &c->res->u.mail.t;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__StatusReply msg = SATCHEL__STATUS_REPLY__INIT;
    Satchel__RecipientStatus *states = calloc(n + 1, sizeof(*states));
    Satchel__RecipientStatus **list = calloc(n + 1, sizeof(*list));

    if (states == NULL || list == NULL) {
        call_error(c, ERR_NOMEM, NULL);
    } else {
        for (size_t i = 0; i < n; i++) {
            /* The sender's own copy is no recipient, unless it was sent to oneself. */
            if (n > 1 && memcmp(rows[i].uid, t->sender, STORE_UID_LEN) == 0 && !rows[i].in_inbox)
                continue;
            fill(&states[i], &rows[i], t);
            list[msg.n_recipients++] = &states[i];
        }
        msg.header = (ProtobufCBinaryData){t->header.len, (uint8_t *)(uintptr_t)t->header.data};
        msg.signature = (ProtobufCBinaryData){t->sig.len, (uint8_t *)(uintptr_t)t->sig.data};
        msg.stored = t->arrived;
        msg.expires = t->expires;
        msg.recipients = list;
        env.body_case = SATCHEL__ENVELOPE__BODY_STATUS_REPLY;
        env.status_reply = &msg;
        call_reply(c, &env);
    }
    free(states);
    free(list);
}

static void on_slot(struct call *c)
{
    if (c->res->code == ERR_OK)
        reply(c, &c->res->u.mail.me, 1);
    else
        call_failed(c);
}

static void get_slot(struct call *c)
{
    struct store_slot_get in;

    memcpy(in.tid, c->msg->status->tid.data, sizeof(in.tid));
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_slot_get(c->d->port, &in, call_on_store, c), get_slot, on_slot);
}

static void on_transfer(struct call *c)
{
    if (c->res->code == ERR_NOTFOUND)
        get_slot(c);
    else if (c->res->code == ERR_OK)
        reply(c, c->res->u.mail.recipients, c->res->u.mail.nrecipients);
    else
        call_failed(c);
}

void req_status(struct call *c)
{
    struct store_transfer_get in;

    if (!call_take(c, &c->msg->status->tid, "tid", in.tid, sizeof(in.tid)))
        return;
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    call_store(c, store_transfer_get(c->d->port, &in, call_on_store, c), req_status, on_transfer);
}

static void on_deleted(struct call *c)
{
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    collector_kick(c->d->collector);
    call_done(c);
}

void req_delete(struct call *c)
{
    const Satchel__Delete *msg = c->msg->delete_;
    struct store_slot_delete in;

    if (!call_take(c, &msg->tid, "tid", in.tid, sizeof(in.tid)))
        return;
    if (msg->folder != SATCHEL__FOLDER__INBOX && msg->folder != SATCHEL__FOLDER__SENT) {
        call_error(c, ERR_UNSUPPORTED, "unknown folder");
        return;
    }
    in.view = msg->folder == SATCHEL__FOLDER__INBOX ? STORE_VIEW_INBOX : STORE_VIEW_SENT;
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_slot_delete(c->d->port, &in, call_on_store, c), req_delete, on_deleted);
}
