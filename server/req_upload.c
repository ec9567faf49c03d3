/* SPDX-License-Identifier: Apache-2.0 */
/* UploadState: which pieces are durable.  AbandonUpload: give an upload up. */
#include <stdlib.h>
#include <string.h>

#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"
#include "server/uploads.h"

enum { RANGES_MAX = 4096 };

static void reply_ranges(struct call *c)
{
    const struct store_result *res = c->res;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__UploadStateReply reply = SATCHEL__UPLOAD_STATE_REPLY__INIT;
    Satchel__Range *ranges = calloc(res->count + 1, sizeof(*ranges));
    Satchel__Range **list = calloc(res->count + 1, sizeof(*list));

    if (ranges == NULL || list == NULL) {
        call_error(c, ERR_NOMEM, NULL);
    } else {
        for (size_t i = 0; i < res->count; i++) {
            satchel__range__init(&ranges[i]);
            ranges[i].first = res->u.pieces_durable.ranges[i].first;
            ranges[i].count = res->u.pieces_durable.ranges[i].count;
            list[i] = &ranges[i];
        }
        reply.n_pieces = res->count;
        reply.pieces = list;
        reply.more = res->more;
        env.body_case = SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY;
        env.upload_state_reply = &reply;
        call_reply(c, &env);
    }
    free(ranges);
    free(list);
}

static void on_state(struct call *c)
{
    if (c->res->code == ERR_OK)
        reply_ranges(c);
    else
        call_failed(c);
}

static void get_pieces(struct call *c)
{
    const Satchel__UploadState *msg = c->msg->upload_state;
    struct store_upload_pieces in = {.from = msg->from, .limit = RANGES_MAX};

    memcpy(in.tid, msg->tid.data, sizeof(in.tid));
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    call_store(c, store_upload_pieces(c->d->port, &in, call_on_store, c), get_pieces, on_state);
}

/* Of a sealed one the pieces say nothing: they may be gone already. */
static void on_upload(struct call *c)
{
    if (c->res->code != ERR_OK)
        call_failed(c);
    else if (c->res->u.upload.sealed)
        call_error(c, ERR_NOTFOUND, NULL);
    else if (call_pays(c, c->res->u.upload.pieces / CALL_PIECES, NULL)) /* all rows are walked */
        get_pieces(c);
}

void req_upload_state(struct call *c)
{
    struct store_upload_get in;

    if (!call_take(c, &c->msg->upload_state->tid, "tid", in.tid, sizeof(in.tid)))
        return;
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    call_store(c, store_upload_get(c->d->port, &in, call_on_store, c), req_upload_state, on_upload);
}

/* Whoever gives up is often gone before it is done; what follows from it is done all the same. */
static void on_abandoned(struct call *c)
{
    if (c->res->code == ERR_BADSTATE) {
        call_error(c, ERR_NOTFOUND, NULL); /* sealed: no upload any more */
        return;
    }
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    collector_expect(c->d->collector);
    collector_kick(c->d->collector);
    call_done(c);
}

static void abandon(struct call *c)
{
    call_store(c, store_upload_abort(c->d->port, c->data, call_on_store, c), abandon, on_abandoned);
}

void req_abandon(struct call *c)
{
    const Satchel__AbandonUpload *msg = c->msg->abandon_upload;
    struct store_upload_abort *in = calloc(1, sizeof(*in));
    struct tid tid;

    if (in == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = in;
    c->drop = free;
    if (!call_take(c, &msg->tid, "tid", in->tid, sizeof(in->tid)))
        return;
    memcpy(in->sender, c->conn->uid.b, sizeof(in->sender));
    memcpy(tid.b, in->tid, sizeof(tid.b));
    uploads_remove(c->d->uploads, &c->conn->uid, &tid);
    abandon(c);
}
