/* SPDX-License-Identifier: Apache-2.0 */
/* PutAccount: what the caller's clients keep here for a recovery.  It is sealed: only its size
 * counts. */
#include <string.h>

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
    else
        call_failed(c);
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
