/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscribe: events of the caller's transfers, those behind the last one he has
 * seen first, then as they happen, on this connection.  Again: from there.
 *
 * A number that is higher than any there is (of a store that was restored from
 * a backup) counts as the newest.
 */
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"
#include "server/watch.h"

static void on_feed(struct call *c)
{
    const Satchel__Subscribe *msg = c->msg->subscribe;
    struct conn *conn = c->conn;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__SubscribeReply reply = SATCHEL__SUBSCRIBE_REPLY__INIT;
    uint64_t newest = c->res->u.feed.newest, after = msg->after;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (msg->from_now || after > newest)
        after = newest;
    reply.last = newest;
    env.body_case = SATCHEL__ENVELOPE__BODY_SUBSCRIBE_REPLY;
    env.subscribe_reply = &reply;
    call_reply(c, &env); /* c is gone; the connection goes later, if at all */
    if (conn->state == CONN_READY && watch_start(conn, after) != ERR_OK)
        conn_drop(conn, ERR_NOMEM); /* it would wait for events in vain */
}

void req_subscribe(struct call *c)
{
    struct store_feed_list in = {.after = c->msg->subscribe->after, .limit = 1};

    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_feed_list(c->d->port, &in, call_on_store, c), req_subscribe, on_feed);
}
