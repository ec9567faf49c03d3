/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status: to the sender header and all recipients, to a recipient his own row.
 * Delete: take a transfer out of one of the caller's folders.
 */
#include <string.h>

#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/mail.h"
#include "server/req.h"
#include "server/watch.h"

static void reply(struct call *c, const struct store_recipient *rows, size_t n)
{
    const struct store_transfer *t = &c->res->u.mail.t;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__StatusReply msg = SATCHEL__STATUS_REPLY__INIT;
    struct mail_statuses list = {0};
    struct mail_signed addendum;

    if (mail_statuses(&list, t, rows, n) != ERR_OK) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    msg.header = (ProtobufCBinaryData){t->header.len, (uint8_t *)(uintptr_t)t->header.data};
    msg.signature = (ProtobufCBinaryData){t->sig.len, (uint8_t *)(uintptr_t)t->sig.data};
    msg.stored = t->arrived;
    msg.expires = t->expires;
    msg.addendum = mail_addendum(&addendum, t);
    msg.recipients = list.at;
    msg.n_recipients = list.n;
    env.body_case = SATCHEL__ENVELOPE__BODY_STATUS_REPLY;
    env.status_reply = &msg;
    call_reply(c, &env); /* frees c->res */
    mail_statuses_free(&list);
    buf_free(&addendum.body);
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
    struct store_transfer_get in = {0};

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
    watch_kick(c->d, c->res->u.slot.sender);
    if (!c->res->duplicate) { /* else nobody is to hear that room is being made */
        collector_expect(c->d->collector);
        collector_kick(c->d->collector);
    }
    call_done(c);
}

void req_delete(struct call *c)
{
    const Satchel__Delete *msg = c->msg->delete_;
    struct store_slot_delete in = {.now = daemon_time()};

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
