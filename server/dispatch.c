/* SPDX-License-Identifier: Apache-2.0 */
#include "server/dispatch.h"

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
    /* body, name, states, rate, most, tail, alone, finish, handler */
    {BODY(HELLO), "Hello", NEW, DISPATCH_FREE, 0, false, true, false, req_hello},
    {BODY(REGISTER), "Register", GREETED, DISPATCH_REGISTER, 0, false, true, false, req_register},
    {BODY(LOGIN), "Login", GREETED, DISPATCH_FREE, 0, false, true, false, req_login},
    {BODY(PING), "Ping", GREETED | READY, DISPATCH_FREE, 0, false, false, false, req_ping},
    {BODY(BYE), "Bye", GREETED | READY, DISPATCH_FREE, 0, false, false, false, req_bye},
    {BODY(LOOKUP), "Lookup", READY, DISPATCH_LOOKUP, 4, false, false, false, req_lookup},
    {BODY(PUT_MANIFEST), "PutManifest", READY, DISPATCH_USER, 0, false, false, true,
     req_put_manifest},
    {BODY(OPEN_TRANSFER), "OpenTransfer", READY, DISPATCH_USER, 0, false, false, true, req_open},
    {BODY(PUT_PIECE), "PutPiece", READY, DISPATCH_FREE, 0, true, false, false, req_put_piece},
    {BODY(SEAL_TRANSFER), "SealTransfer", READY, DISPATCH_USER, 0, false, false, false, req_seal},
    {BODY(UPLOAD_STATE), "UploadState", READY, DISPATCH_USER, 0, false, false, false,
     req_upload_state},
    {BODY(ABANDON_UPLOAD), "AbandonUpload", READY, DISPATCH_USER, 0, false, false, false,
     req_abandon},
    {BODY(EXTEND), "Extend", READY, DISPATCH_USER, 1, false, false, true, req_extend},
    {BODY(REVOKE), "Revoke", READY, DISPATCH_USER, 0, false, false, true, req_revoke},
    {BODY(PUT_RECEIPT), "PutReceipt", READY, DISPATCH_USER, 0, false, false, true, req_put_receipt},
    {BODY(LIST_EVENTS), "ListEvents", READY, DISPATCH_USER, 2, false, false, false,
     req_list_events},
    {BODY(SUBSCRIBE), "Subscribe", READY, DISPATCH_USER, 1, false, false, false, req_subscribe},
    {BODY(LIST_TRANSFERS), "ListTransfers", READY, DISPATCH_USER, 2, false, false, false, req_list},
    {BODY(GET_TRANSFER), "GetTransfer", READY, DISPATCH_USER, 4, false, false, false,
     req_get_transfer},
    {BODY(FIND_TRANSFERS), "FindTransfers", READY, DISPATCH_USER, 1, false, false, false, req_find},
    {BODY(RELEASE), "Release", READY, DISPATCH_RELEASE, 0, false, false, true, req_release},
    {BODY(GET_LEAVES), "GetLeaves", READY, DISPATCH_USER, 4, false, false, false, req_get_leaves},
    {BODY(GET_PIECES), "GetPieces", READY, DISPATCH_USER, 1, false, false, false, req_get_pieces},
    {BODY(DELETE), "Delete", READY, DISPATCH_USER, 0, false, false, false, req_delete},
    {BODY(PUT_ACCOUNT), "PutAccount", READY, DISPATCH_USER, 2, false, false, false,
     req_put_account},
    {BODY(GET_ACCOUNT), "GetAccount", READY, DISPATCH_USER, 1, false, false, false,
     req_get_account},
    {BODY(OFFER_JOIN), "OfferJoin", READY, DISPATCH_USER, 0, false, false, false, req_offer_join},
    {BODY(JOIN), "Join", GREETED, DISPATCH_FREE, 1, false, false, false, req_join},
    {BODY(RECOVER), "Recover", GREETED, DISPATCH_REGISTER, 0, false, true, true, req_recover},
    {BODY(DELETE_ACCOUNT), "DeleteAccount", READY, DISPATCH_USER, 0, false, true, true,
     req_delete_account},
    {BODY(SET_BLOCK), "SetBlock", READY, DISPATCH_USER, 0, false, false, false, req_set_block},
    {BODY(FACTOR_ENROL), "FactorEnrol", READY, DISPATCH_USER, 0, false, false, false,
     req_factor_enrol},
    {BODY(FACTOR_CONFIRM), "FactorConfirm", READY, DISPATCH_USER, 0, false, false, false,
     req_factor_confirm},
    {BODY(FACTOR_REMOVE), "FactorRemove", READY, DISPATCH_USER, 0, false, false, false,
     req_factor_remove},
    {BODY(FACTOR_LIST), "FactorList", READY, DISPATCH_USER, 0, false, false, false,
     req_factor_list},
    {BODY(STATUS), "Status", READY, DISPATCH_USER, 0, false, false, false, req_status},
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
        uint64_t wait = daemon_charge(conn->d, rate, conn->uid.b, sizeof(conn->uid.b));

        if (wait > 0)
            return wait;
    }
    return daemon_charge(conn->d, DAEMON_REQUESTS, conn->uid.b, sizeof(conn->uid.b));
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
    if (c->row->most > 0 && (before >= c->row->most || conn_room(c->conn) == 0))
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
    frame_free(frame);
}
