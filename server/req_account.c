/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutAccount, GetAccount: what the caller's clients keep here for a recovery and for each other.
 * It is sealed: who has signed it, its number and its size are all that can be checked.
 *
 * The device was listed when it logged in; whether it still is, is a matter of the moment when the
 * record is stored: after a recovery the numbers begin anew, and none of a device that was
 * revoked may have the first.  So the store is told which manifest was looked at, and
 * if another is the newest by then, that one is looked at, and so on.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/transfer/account.h"
#include "common/transfer/manifest.h"
#include "common/transfer/signed.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

enum { ROUNDS_MAX = 4 /* how often another manifest may come in between */ };

struct record {
    struct store_account_put in; /* without the bytes */
    struct buf raw;
    uint64_t last; /* number of the newest manifest */
    int rounds;
};

static void record_free(void *data)
{
    struct record *r = data;

    buf_free(&r->raw);
    free(r);
}

static void put(struct call *c);
static void get_user(struct call *c);

/* ---- the newest manifest is another one by now ---- */

static void look_anew(struct call *c)
{
    struct record *r = c->data;

    if (++r->rounds < ROUNDS_MAX)
        get_user(c);
    else
        call_error(c, ERR_EXISTS, "manifests come in between");
}

static bool lists(const struct store_blob *b, const struct device_id *id)
{
    const struct manifest_device *device = NULL;
    struct manifest *m = NULL;
    bool listed = false;

    if (manifest_parse_signed(part(b->data, b->len), &m, NULL) == ERR_OK)
        device = manifest_device(m, id);
    listed = device != NULL && device->revoked == 0;
    manifest_free(m);
    return listed;
}

static void on_newest(struct call *c)
{
    const struct store_blob *b;
    struct record *r = c->data;
    uint8_t hash[STORE_HASH_LEN];

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (c->res->count == 0) {
        look_anew(c);
        return;
    }
    b = &c->res->u.manifests[0].bytes;
    if (hash_sha256(hash, b->data, b->len) != ERR_OK) {
        call_error(c, ERR_INTERNAL, NULL);
    } else if (memcmp(hash, r->in.newest, sizeof(hash)) == 0) {
        call_error(c, ERR_INVALID, "number is not the next one");
    } else if (!lists(b, &c->conn->device)) {
        call_error(c, ERR_AUTH, "this device is not one of the user's any more");
    } else {
        memcpy(r->in.newest, hash, sizeof(hash));
        memcpy(c->conn->listed, hash, sizeof(hash));
        put(c);
    }
}

static void get_newest(struct call *c)
{
    const struct record *r = c->data;
    struct store_manifest_list in = {.from = r->last, .limit = 1};

    memcpy(in.uid, r->in.uid, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_newest, on_newest);
}

static void on_user(struct call *c)
{
    struct record *r = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    r->last = c->res->u.user.manifest_seq;
    get_newest(c);
}

static void get_user(struct call *c)
{
    const struct record *r = c->data;
    struct store_user_get in = {.by = STORE_BY_UID};

    memcpy(in.uid, r->in.uid, sizeof(in.uid));
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

/* ---- PutAccount ---- */

static void on_put(struct call *c)
{
    if (c->res->code == ERR_OK)
        call_done(c);
    else if (c->res->code == ERR_EXISTS)
        call_error(c, ERR_EXISTS, "a newer account record is there");
    else if (c->res->code == ERR_BADSTATE)
        look_anew(c); /* or the number is not the next one */
    else
        call_failed(c);
}

static void put(struct call *c)
{
    const struct record *r = c->data;
    struct store_account_put in = r->in;

    in.bytes = (struct store_blob){r->raw.data, r->raw.len};
    call_store(c, store_account_put(c->d->port, &in, call_on_store, c), put, on_put);
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

static int check(const struct conn *conn, const Satchel__PutAccount *msg, struct err *err)
{
    if (msg->record == NULL || msg->number == 0 || msg->record->body.len == 0 ||
        msg->record->signature.len != SIGNED_SIG_LEN)
        return err_set(err, ERR_INVALID, "number or record is missing");
    if (msg->record->body.len > STORE_ACCOUNT_MAX - SIGNED_OVERHEAD)
        return err_set(err, ERR_TOOLARGE, "an account record has at most %d bytes",
                       STORE_ACCOUNT_MAX - SIGNED_OVERHEAD);
    return check_record(conn, msg, err);
}

void req_put_account(struct call *c)
{
    const Satchel__PutAccount *msg = c->msg->put_account;
    struct record *r = calloc(1, sizeof(*r));
    struct err err = {0};
    int rc;

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = record_free;
    r->in = (struct store_account_put){.number = msg->number, .now = daemon_time()};
    memcpy(r->in.uid, c->conn->uid.b, sizeof(r->in.uid));
    memcpy(r->in.newest, c->conn->listed, sizeof(r->in.newest));
    rc = check(c->conn, msg, &err);
    if (rc == ERR_OK)
        rc = signed_pack(part(msg->record->body.data, msg->record->body.len),
                         part(msg->record->signature.data, msg->record->signature.len), &r->raw,
                         &err);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        put(c);
}

/* ---- GetAccount ---- */

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
