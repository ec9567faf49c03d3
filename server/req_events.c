/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListEvents: the log of a transfer, for its sender, in pages.  The page that
 * has the last event carries the log's head, signed with the daemon's key.
 *
 * Ways to fail: NOT_FOUND.
 */
#include <stdlib.h>
#include <string.h>

#include "common/transfer/event_log.h"
#include "common/transfer/signed.h"
#include "common/transfer/wire.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

enum { PAGE = 100 };

/* The head of a log whose last event is ${last}: body and signature of a Signed. */
struct head {
    struct buf body;
    uint8_t sig[SIGNED_SIG_LEN];
};

static int make_head(const struct daemon *d, const uint8_t *tid, const struct store_event *last,
                     struct head *ret)
{
    struct event_log_head h = {.server = d->id, .number = last->seq, .time = daemon_time()};
    int rc;

    memcpy(h.tid.b, tid, sizeof(h.tid.b));
    memcpy(h.hash.b, last->hash, sizeof(h.hash.b));
    rc = event_log_head_pack(&h, &ret->body, NULL);
    return rc != ERR_OK ? rc
                        : signed_make(SIGNED_EVENTS, &d->key_seed,
                                      part(ret->body.data, ret->body.len), ret->sig, NULL);
}

static void fill(Satchel__LoggedEvent *to, const struct store_event *e)
{
    satchel__logged_event__init(to);
    to->number = e->seq;
    to->time = e->at;
    to->kind = e->kind;
    to->user_id = wire_data(part(e->uid, sizeof(e->uid)));
    to->data = wire_data(part(e->data.data, e->data.len));
    to->hash = wire_data(part(e->hash, sizeof(e->hash)));
}

static void reply(struct call *c, const struct head *head)
{
    const struct store_result *res = c->res;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__EventsReply msg = SATCHEL__EVENTS_REPLY__INIT;
    Satchel__Signed sig = SATCHEL__SIGNED__INIT;
    Satchel__LoggedEvent rows[PAGE], *list[PAGE];

    for (size_t i = 0; i < res->count; i++) {
        fill(&rows[i], &res->u.events[i]);
        list[i] = &rows[i];
    }
    msg.events = list;
    msg.n_events = res->count;
    msg.more = res->more;
    if (head != NULL) {
        sig.body = wire_data(part(head->body.data, head->body.len));
        sig.signature = wire_data(part(head->sig, sizeof(head->sig)));
        msg.head = &sig;
    }
    env.body_case = SATCHEL__ENVELOPE__BODY_EVENTS_REPLY;
    env.events_reply = &msg;
    call_reply(c, &env);
}

static void on_events(struct call *c)
{
    struct head head = {0};
    int rc = c->res->code;

    if (rc != ERR_OK) {
        call_failed(c);
        return;
    }
    if (c->res->count == 0 || c->res->more) {
        reply(c, NULL);
        return;
    }
    rc =
        make_head(c->d, c->msg->list_events->tid.data, &c->res->u.events[c->res->count - 1], &head);
    if (rc == ERR_OK)
        reply(c, &head);
    else
        call_error(c, rc, NULL);
    buf_free(&head.body);
}

void req_list_events(struct call *c)
{
    const Satchel__ListEvents *msg = c->msg->list_events;
    struct store_event_list in = {.from = msg->from > 0 ? msg->from : 1, .limit = PAGE};

    if (!call_take(c, &msg->tid, "tid", in.tid, sizeof(in.tid)))
        return;
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    call_store(c, store_event_list(c->d->port, &in, call_on_store, c), req_list_events, on_events);
}
