/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutAccount, GetAccount: what the caller's clients keep here for a recovery and for each other.
 * It is sealed: who has signed it, its number and its size are all that can be checked.
 */
#include <string.h>

#include "common/transfer/account.h"
#include "common/transfer/signed.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

static void on_put(struct call *c)
{
    if (c->res->code == ERR_OK)
        call_done(c);
    else if (c->res->code == ERR_EXISTS)
        call_error(c, ERR_EXISTS, "a newer account record is there");
    else if (c->res->code == ERR_BADSTATE)
        call_error(c, ERR_INVALID, "number is not the next one");
    else
        call_failed(c);
}

/* It is the calling device's, and says so. */
static int check_record(const struct conn *conn, const Satchel__PutAccount *msg, struct err *err)
{
    struct part body = part(msg->record->body.data, msg->record->body.len);
    struct account_claim claim;
    int rc = account_peek(body, &claim, err);

    if (rc != ERR_OK)
        return rc;
    if (memcmp(&claim.uid, &conn->uid, sizeof(claim.uid)) != 0 ||
        memcmp(&claim.device, &conn->device, sizeof(claim.device)) != 0)
        return err_set(err, ERR_INVALID, "record: not of this user and device");
    if (claim.number != msg->number)
        return err_set(err, ERR_INVALID, "record: has another number");
    if (signed_check(SIGNED_ACCOUNT, conn->device_key, body,
                     part(msg->record->signature.data, msg->record->signature.len), err) != ERR_OK)
        return err_set(err, ERR_INVALID, "record: the signature is not good");
    return ERR_OK;
}

void req_put_account(struct call *c)
{
    const Satchel__PutAccount *msg = c->msg->put_account;
    struct store_account_put in = {.number = msg->number, .now = daemon_time()};
    struct buf raw = {0};
    struct err err = {0};
    int rc = ERR_OK;

    if (msg->record == NULL || msg->number == 0 || msg->record->body.len == 0 ||
        msg->record->signature.len != SIGNED_SIG_LEN)
        rc = err_set(&err, ERR_INVALID, "number or record is missing");
    else if (msg->record->body.len > STORE_ACCOUNT_MAX - SIGNED_OVERHEAD)
        rc = err_set(&err, ERR_TOOLARGE, "an account record has at most %d bytes",
                     STORE_ACCOUNT_MAX - SIGNED_OVERHEAD);
    else
        rc = check_record(c->conn, msg, &err);
    if (rc == ERR_OK)
        rc = signed_pack(part(msg->record->body.data, msg->record->body.len),
                         part(msg->record->signature.data, msg->record->signature.len), &raw, &err);
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    in.bytes = (struct store_blob){raw.data, raw.len};
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        call_store(c, store_account_put(c->d->port, &in, call_on_store, c), req_put_account,
                   on_put);
    buf_free(&raw);
}

static void on_got(struct call *c)
{
    const struct store_blob *b = &c->res->u.account.bytes;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__AccountReply msg = SATCHEL__ACCOUNT_REPLY__INIT;
    Satchel__Signed *record = NULL;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (b->len > 0)
        record = satchel__signed__unpack(NULL, b->len, b->data);
    msg.number = c->res->u.account.number;
    msg.record = record;
    env.body_case = SATCHEL__ENVELOPE__BODY_ACCOUNT_REPLY;
    env.account_reply = &msg;
    call_reply(c, &env);
    satchel__signed__free_unpacked(record, NULL);
}

void req_get_account(struct call *c)
{
    struct store_account_get in = {.bytes = true};

    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_account_get(c->d->port, &in, call_on_store, c), req_get_account, on_got);
}
