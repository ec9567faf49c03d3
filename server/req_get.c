/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GetLeaves: leaf hashes in pages.  GetPieces: pieces in order, then Done.
 *
 * Pieces are read a few at a time, and only while the connection takes bytes:
 * between two reads the call rests until there is conn_room().
 */
#include <stdlib.h>
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/dispatch.h"
#include "server/req.h"

enum { LEAVES_MAX = 4096 };

/* ---- leaves ---- */

static void on_leaves(struct call *c)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__LeavesReply reply = SATCHEL__LEAVES_REPLY__INIT;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    reply.first = c->msg->get_leaves->first;
    reply.leaves.data = (uint8_t *)(uintptr_t)c->res->u.leaves;
    reply.leaves.len = c->res->count * STORE_HASH_LEN;
    env.body_case = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY;
    env.leaves_reply = &reply;
    call_reply(c, &env);
}

void req_get_leaves(struct call *c)
{
    const Satchel__GetLeaves *msg = c->msg->get_leaves;
    struct store_leaves_get in = {.from = msg->first, .limit = msg->count};

    if (!call_take(c, &msg->tid, "tid", in.tid, sizeof(in.tid)))
        return;
    if (msg->count == 0 || msg->count > LEAVES_MAX) {
        call_error(c, ERR_INVALID, "count is not 1 to %d", LEAVES_MAX);
        return;
    }
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_leaves_get(c->d->port, &in, call_on_store, c), req_get_leaves, on_leaves);
}

/* ---- pieces ---- */

struct run {
    uint8_t tid[STORE_TID_LEN];
    uint32_t next, left;
};

static void read_on(struct call *c);

static void send_piece(struct conn *conn, uint64_t id, struct store_result *res, size_t i)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Piece piece = SATCHEL__PIECE__INIT;
    size_t len = res->u.pieces[i].len;

    piece.index = res->u.pieces[i].index;
    env.id = id;
    env.body_case = SATCHEL__ENVELOPE__BODY_PIECE;
    env.piece = &piece;
    conn_send_piece(conn, &env, store_piece_take(res, i), len);
}

static void on_pieces(struct call *c)
{
    struct run *r = c->data;
    struct conn *conn = c->conn;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (c->res->count == 0) {
        call_error(c, ERR_INVALID, "first or count is beyond the last piece");
        return;
    }
    r->next += (uint32_t)c->res->count;
    r->left -= (uint32_t)c->res->count;
    for (size_t i = 0; i < c->res->count; i++) {
        send_piece(conn, c->id, c->res, i);
        if (conn->state == CONN_CLOSING)
            return; /* a failed send has closed it, and ${c} is gone */
    }
    if (r->left == 0)
        call_done(c);
    else
        call_hold(c, read_on);
}

/* Read a few; again if the store has no room for them now. */
static void read_on(struct call *c)
{
    const struct run *r = c->data;
    size_t room = conn_room(c->conn), n = r->left < room ? r->left : room;
    struct store_pieces_get in = {.from = r->next, .limit = n};

    if (room == 0) {
        call_hold(c, read_on);
        return;
    }
    memcpy(in.tid, r->tid, sizeof(in.tid));
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    /* Or many of one user's would be read before the first of them counts. */
    call_store_bytes(c, n * STORE_PIECE_MAX, store_pieces_get(c->d->port, &in, call_on_store, c),
                     read_on, on_pieces);
}

void req_get_pieces(struct call *c)
{
    const Satchel__GetPieces *msg = c->msg->get_pieces;
    struct run *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = free;
    if (!call_take(c, &msg->tid, "tid", r->tid, sizeof(r->tid)))
        return;
    r->next = msg->first;
    r->left = msg->count;
    if (msg->count == 0 || msg->count > c->d->settings.window)
        call_error(c, ERR_INVALID, "count is not 1 to the window");
    else
        read_on(c);
}
