/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login: FORMATS.md section 5.
 *
 * Happy path: the user is there -> its newest manifest lists the device, not
 * revoked -> the signature over this connection is good -> the user is active -> account record and
 * second factor are read, which the answer tells of -> READY.  Nobody makes the daemon read these
 * who has not proved who he is.
 *
 * Whatever is wrong, the peer hears AUTH_FAILED in the same words, and the
 * connection ends.  Two exceptions: a clock that is off is told, so
 * that it can be set right; and a suspended user, who has proved who it is, hears that it is.
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/transfer/login.h"
#include "common/transfer/manifest.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/req.h"

struct attempt {
    struct login login;
    struct store_user user; /* without the texts */
    char name[STORE_NAME_MAX + 1];
    uint64_t account; /* number of the record that is there; 0: none */
    bool has_factor;  /* it could be read */
    struct factor_row factor;
};

static void attempt_free(void *data)
{
    struct attempt *a = data;

    factor_row_free(&a->factor);
    free(a);
}

static void refuse(struct call *c, const char *why)
{
    struct conn *conn = c->conn;

    call_error(c, ERR_AUTH, "%s", why != NULL ? why : "login refused");
    if (conn != NULL)
        conn_finish(conn);
}

/* ---- what the answer tells ---- */

static void accept_login(struct call *c)
{
    const struct attempt *a = c->data;
    struct conn *conn = c->conn;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__LoginReply reply = SATCHEL__LOGIN_REPLY__INIT;
    Satchel__Factor factor = SATCHEL__FACTOR__INIT;

    conn->uid = a->login.uid;
    conn->device = a->login.device;
    conn_enter(conn, CONN_READY);
    reply.username = (char *)(uintptr_t)a->name;
    reply.sequence = a->user.manifest_seq;
    reply.quota = a->user.quota;
    reply.used = a->user.used;
    reply.account = a->account + 1;
    factor_describe(&a->factor, &factor);
    reply.factor = a->has_factor ? &factor : NULL;
    env.body_case = SATCHEL__ENVELOPE__BODY_LOGIN_REPLY;
    env.login_reply = &reply;
    call_reply(c, &env);
}

/* One that does not open is not told; it is told in the log when somebody needs it. */
static void on_factor(struct call *c)
{
    struct attempt *a = c->data;
    const struct store_result *res = c->res;

    if (res->code != ERR_OK && res->code != ERR_NOTFOUND) {
        call_failed(c);
        return;
    }
    a->has_factor =
        res->code == ERR_NOTFOUND ||
        factor_row_open(&a->factor, &c->d->factor_key, &a->login.uid, &res->u.factor) == ERR_OK;
    accept_login(c);
}

static void get_factor(struct call *c)
{
    const struct attempt *a = c->data;
    struct store_factor_get in = {0};

    memcpy(in.uid, a->login.uid.b, sizeof(in.uid));
    call_store(c, store_factor_get(c->d->port, &in, call_on_store, c), get_factor, on_factor);
}

static void on_account(struct call *c)
{
    struct attempt *a = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    a->account = c->res->u.account.number;
    get_factor(c);
}

static void get_account(struct call *c)
{
    const struct attempt *a = c->data;
    struct store_account_get in = {0};

    memcpy(in.uid, a->login.uid.b, sizeof(in.uid));
    call_store(c, store_account_get(c->d->port, &in, call_on_store, c), get_account, on_account);
}

/* ---- the proof ---- */

static bool is_good(struct call *c, const struct attempt *a)
{
    const Satchel__Login *msg = c->msg->login;
    const struct store_result *res = c->res;
    const struct store_blob *b;
    const struct manifest_device *device = NULL;
    struct manifest *m = NULL;
    bool good = false;

    if (res->count != 1)
        return false;
    b = &res->u.manifests[0].bytes;
    if (hash_sha256(c->conn->listed, b->data, b->len) == ERR_OK &&
        manifest_parse_signed(part(b->data, b->len), &m, NULL) == ERR_OK)
        device = manifest_device(m, &a->login.device);
    if (device != NULL && device->revoked == 0)
        good = login_check(&a->login, device->key, part(msg->signature.data, msg->signature.len),
                           NULL) == ERR_OK;
    if (good)
        memcpy(c->conn->device_key, device->key, sizeof(c->conn->device_key));
    manifest_free(m);
    return good;
}

static void on_manifest(struct call *c)
{
    const struct attempt *a = c->data;

    if (c->res->code != ERR_OK && c->res->code != ERR_NOTFOUND)
        call_failed(c);
    else if (c->res->code != ERR_OK || !is_good(c, a))
        refuse(c, NULL);
    else if (a->user.state != STORE_USER_ACTIVE)
        refuse(c, "the account is suspended");
    else
        get_account(c);
}

static void get_manifest(struct call *c)
{
    struct attempt *a = c->data;
    struct store_manifest_list in = {.from = a->user.manifest_seq, .limit = 1};

    memcpy(in.uid, a->login.uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifest,
               on_manifest);
}

/* ---- the user ---- */

static void on_user(struct call *c)
{
    struct attempt *a = c->data;

    if (c->res->code != ERR_OK && c->res->code != ERR_NOTFOUND) {
        call_failed(c);
        return;
    }
    if (c->res->code != ERR_OK || c->res->u.user.state == STORE_USER_DELETED) {
        refuse(c, NULL);
        return;
    }
    a->user = c->res->u.user;
    (void)snprintf(a->name, sizeof(a->name), "%s", a->user.name);
    get_manifest(c);
}

static void get_user(struct call *c)
{
    const struct attempt *a = c->data;
    struct store_user_get in = {.by = STORE_BY_UID};

    memcpy(in.uid, a->login.uid.b, sizeof(in.uid));
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

void req_login(struct call *c)
{
    const Satchel__Login *msg = c->msg->login;
    struct conn *conn = c->conn;
    struct attempt *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = a;
    c->drop = attempt_free;
    if (!call_take(c, &msg->user_id, "user_id", a->login.uid.b, sizeof(a->login.uid.b)) ||
        !call_take(c, &msg->device, "device", a->login.device.b, sizeof(a->login.device.b)))
        return;
    a->login.time = msg->time;
    a->login.server = c->d->id;
    memcpy(a->login.nonce, conn->nonce, sizeof(a->login.nonce));
    secret_wipe(conn->nonce, sizeof(conn->nonce)); /* good for one attempt */
    if (conn_exporter(conn, a->login.exporter, NULL) != ERR_OK)
        refuse(c, NULL);
    else if (!call_time_is_near(msg->time))
        refuse(c, "the clock of this device is more than 24 hours off");
    else
        get_user(c);
}
