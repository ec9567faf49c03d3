/* SPDX-License-Identifier: Apache-2.0 */
#include "server/dispatch.h"

#include "common/secret.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/envelope.h"
#include "server/req.h"

#define NEW     (1U << CONN_NEW)
#define GREETED (1U << CONN_GREETED)
#define READY   (1U << CONN_READY)
#define BODY(x) SATCHEL__ENVELOPE__BODY_##x

/* PROTOCOL.md section 3. */
static const struct dispatch_row rows[] = {
    /* body, name, states, rate, handler, and what is not 0 or false */
    {BODY(HELLO), "Hello", NEW, DISPATCH_FREE, .start = req_hello, .alone = true},
    {BODY(REGISTER), "Register", GREETED, DISPATCH_REGISTER, .start = req_register, .alone = true},
    {BODY(LOGIN), "Login", GREETED, DISPATCH_FREE, .start = req_login, .alone = true},
    {BODY(PING), "Ping", GREETED | READY, DISPATCH_FREE, .start = req_ping},
    {BODY(BYE), "Bye", GREETED | READY, DISPATCH_FREE, .start = req_bye},
    {BODY(LOOKUP), "Lookup", READY, DISPATCH_LOOKUP, .start = req_lookup, .most = 4, .room = true},
    {BODY(PUT_MANIFEST), "PutManifest", READY, DISPATCH_USER, .start = req_put_manifest,
     .finish = true, .code = true},
    {BODY(OPEN_TRANSFER), "OpenTransfer", READY, DISPATCH_USER, .start = req_open, .finish = true},
    {BODY(PUT_PIECE), "PutPiece", READY, DISPATCH_FREE, .start = req_put_piece, .tail = true},
    {BODY(SEAL_TRANSFER), "SealTransfer", READY, DISPATCH_USER, .start = req_seal, .most = 8},
    {BODY(UPLOAD_STATE), "UploadState", READY, DISPATCH_USER, .start = req_upload_state, .most = 2,
     .room = true},
    {BODY(ABANDON_UPLOAD), "AbandonUpload", READY, DISPATCH_USER, .start = req_abandon,
     .finish = true},
    {BODY(EXTEND), "Extend", READY, DISPATCH_USER, .start = req_extend, .most = 1, .room = true,
     .finish = true},
    {BODY(REVOKE), "Revoke", READY, DISPATCH_USER, .start = req_revoke, .finish = true},
    {BODY(PUT_RECEIPT), "PutReceipt", READY, DISPATCH_USER, .start = req_put_receipt, .most = 8,
     .finish = true},
    {BODY(LIST_EVENTS), "ListEvents", READY, DISPATCH_USER, .start = req_list_events, .most = 2,
     .room = true},
    {BODY(SUBSCRIBE), "Subscribe", READY, DISPATCH_USER, .start = req_subscribe, .most = 1,
     .room = true},
    {BODY(LIST_TRANSFERS), "ListTransfers", READY, DISPATCH_USER, .start = req_list, .most = 2,
     .room = true},
    {BODY(GET_TRANSFER), "GetTransfer", READY, DISPATCH_USER, .start = req_get_transfer, .most = 4,
     .room = true},
    {BODY(FIND_TRANSFERS), "FindTransfers", READY, DISPATCH_USER, .start = req_find, .most = 1,
     .room = true},
    {BODY(RELEASE), "Release", READY, DISPATCH_RELEASE, .start = req_release, .finish = true,
     .code = true},
    {BODY(GET_LEAVES), "GetLeaves", READY, DISPATCH_USER, .start = req_get_leaves, .most = 4,
     .room = true},
    {BODY(GET_PIECES), "GetPieces", READY, DISPATCH_USER, .start = req_get_pieces, .most = 1,
     .room = true},
    {BODY(DELETE), "Delete", READY, DISPATCH_USER, .start = req_delete},
    {BODY(PUT_ACCOUNT), "PutAccount", READY, DISPATCH_USER, .start = req_put_account, .most = 2,
     .room = true},
    {BODY(GET_ACCOUNT), "GetAccount", READY, DISPATCH_USER, .start = req_get_account, .most = 1,
     .room = true},
    {BODY(OFFER_JOIN), "OfferJoin", READY, DISPATCH_USER, .start = req_offer_join},
    {BODY(JOIN), "Join", GREETED, DISPATCH_FREE, .start = req_join, .most = 1, .room = true},
    {BODY(RECOVER), "Recover", GREETED, DISPATCH_REGISTER, .start = req_recover, .alone = true,
     .finish = true, .code = true},
    {BODY(DELETE_ACCOUNT), "DeleteAccount", READY, DISPATCH_USER, .start = req_delete_account,
     .alone = true, .finish = true, .code = true},
    {BODY(SET_BLOCK), "SetBlock", READY, DISPATCH_USER, .start = req_set_block},
    {BODY(FACTOR_ENROL), "FactorEnrol", READY, DISPATCH_USER, .start = req_factor_enrol,
     .code = true},
    {BODY(FACTOR_CONFIRM), "FactorConfirm", READY, DISPATCH_USER, .start = req_factor_confirm,
     .code = true},
    {BODY(FACTOR_REMOVE), "FactorRemove", READY, DISPATCH_USER, .start = req_factor_remove,
     .code = true},
    {BODY(FACTOR_LIST), "FactorList", READY, DISPATCH_USER, .start = req_factor_list},
    {BODY(STATUS), "Status", READY, DISPATCH_USER, .start = req_status},
};

const struct dispatch_row *dispatch_find(Satchel__Envelope__BodyCase body)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].body == body)
            return &rows[i];
    return NULL;
}

/* What the row costs; 0: go on, otherwise the ms to wait. */
static uint64_t charge(struct conn *conn, const struct dispatch_row *row)
{
    uint64_t wait;

    switch (row->rate) {
    case DISPATCH_FREE:
        return 0;
    case DISPATCH_REGISTER:
        return daemon_charge(conn->d, DAEMON_REGISTRATIONS, conn->address, sizeof(conn->address));
    default:
        break;
    }
    if (row->rate != DISPATCH_USER) {
        enum daemon_rate rate = row->rate == DISPATCH_LOOKUP ? DAEMON_LOOKUPS : DAEMON_RELEASES;

        wait = daemon_charge(conn->d, rate, conn->uid.b, sizeof(conn->uid.b));
        if (wait > 0)
            return wait;
    }
    wait = daemon_charge(conn->d, DAEMON_REQUESTS, conn->uid.b, sizeof(conn->uid.b));
    conn->rests |= wait > 0; /* refusing more of them would be work without end */
    return wait;
}

static bool id_in_use(const struct conn *conn, const struct call *self)
{
    for (const struct call *c = conn->calls; c != NULL; c = c->next)
        if (c != self && c->id == self->id)
            return true;
    return false;
}

/* What a daemon that stops still takes: what ends a transfer that is moving. */
static bool goes_on(const struct conn *conn, Satchel__Envelope__BodyCase body)
{
    static const Satchel__Envelope__BodyCase moving[] = {BODY(PUT_PIECE),    BODY(SEAL_TRANSFER),
                                                         BODY(UPLOAD_STATE), BODY(ABANDON_UPLOAD),
                                                         BODY(GET_LEAVES),   BODY(GET_PIECES)};

    if (body == BODY(PING) || body == BODY(BYE))
        return true;
    for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
        if (body == moving[i])
            return !conn->farewell && conn->moved != 0;
    return false;
}

/* What stands against ${c} before its handler is asked; true: answered. */
static bool refuse(struct conn *conn, struct call *c)
{
    uint64_t wait;

    if (c->id == 0 && c->row->body != BODY(BYE))
        call_error(c, ERR_INVALID, "id is 0");
    else if (id_in_use(conn, c))
        call_error(c, ERR_INVALID, "id is in use for an unanswered request");
    else if ((c->row->states & 1U << conn->state) == 0)
        call_error(c, ERR_BADSTATE, "%s is not allowed now", c->row->name);
    else if (c->tail.len > 0 && !c->row->tail)
        call_error(c, ERR_INVALID, "%s has no tail", c->row->name);
    else if (daemon_draining(conn->d) && !goes_on(conn, c->row->body))
        call_later(c, ERR_DRAINING, daemon_retry_after(conn->d));
    else if ((wait = charge(conn, c->row)) > 0)
        call_later(c, ERR_RATE, wait);
    else
        return false;
    return true;
}

/* Earlier ones of its kind have their turn first. */
static void begin(struct call *c)
{
    unsigned before = 0;

    for (const struct call *p = c->prev; c->row->most > 0 && p != NULL; p = p->prev)
        before += p->row == c->row;
    if ((c->row->most > 0 && before >= c->row->most) || (c->row->room && conn_room(c->conn) == 0))
        call_hold(c, begin);
    else
        c->row->start(c);
}

void dispatch_frame(struct conn *conn, struct frame *frame)
{
    size_t bytes = 0;
    Satchel__Envelope *msg = envelope_unpack(frame->head.data, frame->head.len, &bytes);
    const struct dispatch_row *row = msg != NULL ? dispatch_find(msg->body_case) : NULL;
    bool is_new = conn->state == CONN_NEW;
    struct call *c = NULL;

    if (msg == NULL) {
        conn_fail(conn, ERR_PROTO, "the head is not an Envelope");
    } else if (row == NULL) {
        conn_error(conn, msg->id, ERR_UNSUPPORTED, "no such request");
    } else if ((c = call_new(conn, row, msg, bytes, &frame->tail)) == NULL) {
        conn_error(conn, msg->id, ERR_NOMEM, NULL);
    } else {
        msg = NULL;
        if (!refuse(conn, c))
            begin(c);
        else if (is_new && (row->states & NEW) == 0)
            conn_finish(conn);
    }
    if (msg != NULL)
        satchel__envelope__free_unpacked(msg, NULL);
    if (row != NULL && row->code)
        secret_wipe(frame->head.data, frame->head.len);
    frame_free(frame);
}
