/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutPiece: one piece, in the tail.
 *
 * Happy path: the connection knows the upload, or asks the store once -> index
 * and length fit -> the store takes the piece -> PieceAck when it is durable.
 *
 * The one small piece of a body first rests for a turn of the loop: if the seal is there by then,
 * it waits until that takes it along (req_piece_stored()) or lets it go.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/transfer/body.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/dispatch.h"
#include "server/flight.h"
#include "server/length.h"
#include "server/req.h"
#include "server/uploads.h"

void req_piece_stored(struct call *c)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__PieceAck ack = SATCHEL__PIECE_ACK__INIT;

    ack.index = c->msg->put_piece->index;
    env.body_case = SATCHEL__ENVELOPE__BODY_PIECE_ACK;
    env.piece_ack = &ack;
    call_reply(c, &env);
}

static void on_put(struct call *c)
{
    struct tid tid;

    switch (c->res->code) {
    case ERR_OK:
        memcpy(tid.b, c->msg->put_piece->tid.data, sizeof(tid.b));
        uploads_renew(c->d->uploads, &c->conn->uid, &tid, daemon_time() + c->d->settings.lease);
        req_piece_stored(c);
        return;
    case ERR_EXISTS:
        call_error(c, ERR_EXISTS, "another piece is there");
        return;
    case ERR_TOOLARGE:
    case ERR_INVALID:
        call_error(c, ERR_INVALID, "the piece does not fit the upload");
        return;
    case ERR_QUOTA:
        call_error(c, ERR_QUOTA, "%s",
                   c->res->own ? "your own mailbox is full" : "the mailbox of a recipient is full");
        return;
    case ERR_BADSTATE:
        call_error(c, ERR_NOTFOUND, NULL); /* sealed: no such upload any more */
        return;
    default:
        call_failed(c);
    }
}

static void put(struct call *c)
{
    const Satchel__PutPiece *msg = c->msg->put_piece;
    struct store_piece_put in = {.index = msg->index,
                                 .data = c->tail.data,
                                 .len = c->tail.len,
                                 .lease = daemon_time() + c->d->settings.lease};
    int rc;

    memcpy(in.tid, msg->tid.data, sizeof(in.tid));
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    memcpy(in.leaf, msg->leaf.data, sizeof(in.leaf));
    rc = store_piece_put(c->d->port, &in, call_on_store, c);
    if (rc == ERR_OK)
        c->tail = (struct buf){0}; /* the store's now */
    call_store(c, rc, put, on_put);
}

/* ---- with the seal ---- */

/* What a lone piece waits with; the seal finds it by this. */
struct lone {
    struct net_task turn;
    struct conn *conn;
    bool over; /* the turn */
};

static void lone_free(void *data)
{
    struct lone *l = data;

    net_loop_forget(&l->turn);
    free(l);
}

static void on_lone_turn(struct net_task *task)
{
    struct lone *l = (struct lone *)(void *)((char *)task - offsetof(struct lone, turn));

    l->over = true;
    conn_settle(l->conn); /* may free it */
}

static void wait_for_seal(struct call *c)
{
    const struct lone *l = c->data;

    for (const struct call *s = c->next; s != NULL; s = s->next)
        if (req_seal_wants_piece(s, c->msg->put_piece->tid.data)) {
            call_hold(c, wait_for_seal);
            return;
        }
    if (l->over)
        put(c);
    else
        call_hold(c, wait_for_seal);
}

static void rest(struct call *c)
{
    struct lone *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        put(c);
        return;
    }
    l->conn = c->conn;
    l->turn.run = on_lone_turn;
    c->data = l;
    c->drop = lone_free;
    net_loop_later(c->d->net, &l->turn);
    call_hold(c, wait_for_seal);
}

struct call *req_piece_waiting(const struct call *c, const uint8_t *tid)
{
    for (struct call *p = c->prev; p != NULL; p = p->prev)
        if (p->row->body == SATCHEL__ENVELOPE__BODY_PUT_PIECE && p->data != NULL &&
            p->tail.len > 0 && memcmp(p->msg->put_piece->tid.data, tid, IDS_TID_LEN) == 0)
            return p;
    return NULL;
}

/* ---- the request ---- */

static bool is_lone(const struct call *c, const struct conn_upload *up)
{
    return !up->grows && c->msg->put_piece->index == 0 && body_pieces(up->body_length) == 1 &&
           c->tail.len <= STORE_SMALL_MAX;
}

/* Index and length are those of a piece of this upload?  The end of one that grows may come early.
 */
static void check(struct call *c, const struct conn_upload *up)
{
    const Satchel__PutPiece *msg = c->msg->put_piece;
    size_t full;

    if (msg->index >= body_pieces(up->body_length)) {
        call_error(c, ERR_INVALID, "index is beyond the last piece");
        return;
    }
    full = body_sealed_len(up->body_length, msg->index);
    if (up->grows ? c->tail.len > full || !length_is_piece(c->tail.len) : c->tail.len != full)
        call_error(c, ERR_INVALID, "the piece has %zu bytes instead of %zu", c->tail.len, full);
    else if (is_lone(c, up))
        rest(c);
    else
        put(c);
}

static void on_upload(struct call *c)
{
    const struct store_upload *up = &c->res->u.upload;
    struct conn_upload known;
    uint64_t body_length;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (up->sealed || !length_from_sealed(up->body_max, &body_length)) {
        call_error(c, ERR_NOTFOUND, NULL);
        return;
    }
    known = (struct conn_upload){.body_length = body_length,
                                 .grows = up->grows,
                                 .created = up->created,
                                 .expires = up->expires,
                                 .policy = up->policy,
                                 .opens = up->opens_max,
                                 .slots = (uint32_t)up->nslots};
    memcpy(known.tid.b, up->tid, sizeof(known.tid.b));
    conn_remember_upload(c->conn, &known);
    check(c, &known);
}

static void get_upload(struct call *c)
{
    struct store_upload_get in;

    memcpy(in.tid, c->msg->put_piece->tid.data, sizeof(in.tid));
    memcpy(in.sender, c->conn->uid.b, sizeof(in.sender));
    call_store(c, store_upload_get(c->d->port, &in, call_on_store, c), get_upload, on_upload);
}

void req_put_piece(struct call *c)
{
    const Satchel__PutPiece *msg = c->msg->put_piece;
    const struct conn_upload *up;
    uint8_t tid[IDS_TID_LEN], leaf[IDS_HASH_LEN];

    if (!call_take(c, &msg->tid, "tid", tid, sizeof(tid)) ||
        !call_take(c, &msg->leaf, "leaf", leaf, sizeof(leaf)))
        return;
    if (c->tail.len == 0) {
        call_error(c, ERR_INVALID, "the piece is missing");
        return;
    }
    up = conn_find_upload(c->conn, tid);
    if (up != NULL)
        check(c, up);
    else if (call_pays(c, 1, NULL)) /* the one thread looks that all who write wait for */
        get_upload(c);
}
