/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register: FORMATS.md sections 2, 4, 5.
 *
 * Happy path: manifest and signature are good -> the store makes the user ->
 * RegisterReply.
 *
 * Ways to fail: AUTH_FAILED closed, no or a bad invitation; BAD_REQUEST names,
 * manifest, signature; EXISTS name, e-mail or user ID taken.
 */
#include <stdlib.h>
#include <string.h>

#include "common/transfer/login.h"
#include "common/transfer/manifest.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/invite.h"
#include "server/req.h"

/* What is known of the newcomer. */
struct newcomer {
    struct manifest *manifest;
    char email[IDS_EMAIL_TEXT]; /* folded */
    uint8_t invite[STORE_HASH_LEN];
    bool invited;
    struct buf stored; /* the manifest as it is kept */
};

static void newcomer_free(void *data)
{
    struct newcomer *n = data;

    manifest_free(n->manifest);
    buf_free(&n->stored);
    free(n);
}

static int check_names(const Satchel__Register *msg, struct newcomer *n, struct err *err)
{
    int rc = ids_check_username(msg->username, err);

    return rc == ERR_OK ? ids_fold_email(msg->email, n->email, err) : rc;
}

static int check_manifest(const Satchel__Register *msg, struct newcomer *n, struct err *err)
{
    int rc;

    if (msg->manifest == NULL)
        return err_set(err, ERR_INVALID, "manifest is missing");
    rc = manifest_parse(part(msg->manifest->body.data, msg->manifest->body.len),
                        part(msg->manifest->signature.data, msg->manifest->signature.len),
                        &n->manifest, err);
    if (rc == ERR_OK && n->manifest->sequence != 1)
        rc = err_set(err, ERR_INVALID, "the first manifest has sequence 1");
    if (rc == ERR_OK)
        rc = manifest_pack(n->manifest, &n->stored, err);
    return rc;
}

/* The identity key has signed these names for this daemon on this connection. */
static int check_signature(struct call *c, const struct newcomer *n, struct err *err)
{
    const Satchel__Register *msg = c->msg->register_;
    struct login_registration r = {.server = c->d->id,
                                   .username = msg->username,
                                   .email = msg->email,
                                   .manifest = n->manifest->hash};
    int rc = conn_exporter(c->conn, r.exporter, err);

    if (rc == ERR_OK)
        rc = login_register_check(&r, n->manifest->identity_key,
                                  part(msg->signature.data, msg->signature.len), err);
    return rc;
}

static int check_invite(struct call *c, struct newcomer *n, struct err *err)
{
    const char *code = c->msg->register_->invite;

    switch (c->d->settings.registration) {
    case SETTINGS_CLOSED:
        return err_set(err, ERR_AUTH, "registration is closed");
    case SETTINGS_INVITE:
        n->invited = true;
        if (invite_hash(code, n->invite) != ERR_OK)
            return err_set(err, ERR_AUTH, "registration needs an invitation that is good");
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

static void on_created(struct call *c)
{
    static const char *const taken[] = {[STORE_CLASH_NONE] = "the user exists",
                                        [STORE_CLASH_UID] = "the user ID is registered already",
                                        [STORE_CLASH_NAME] = "the username is taken",
                                        [STORE_CLASH_EMAIL] = "the e-mail address is taken"};
    struct newcomer *n = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__RegisterReply reply = SATCHEL__REGISTER_REPLY__INIT;

    if (c->res->code == ERR_EXISTS) {
        call_error(c, ERR_EXISTS, "%s", taken[c->res->u.clash]);
        return;
    }
    if (c->res->code == ERR_REFUSED) {
        call_error(c, ERR_AUTH, "registration needs an invitation that is good");
        return;
    }
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    reply.user_id.data = n->manifest->uid.b;
    reply.user_id.len = sizeof(n->manifest->uid.b);
    env.body_case = SATCHEL__ENVELOPE__BODY_REGISTER_REPLY;
    env.register_reply = &reply;
    call_reply(c, &env);
}

static void create(struct call *c)
{
    struct newcomer *n = c->data;
    struct store_user_create in = {.name = c->msg->register_->username,
                                   .email = n->email,
                                   .manifest = {n->stored.data, n->stored.len},
                                   .manifest_seq = 1,
                                   .quota = c->d->settings.quota,
                                   .now = daemon_time(),
                                   .invite = n->invited ? n->invite : NULL};

    memcpy(in.uid, n->manifest->uid.b, sizeof(in.uid));
    call_store(c, store_user_create(c->d->port, &in, call_on_store, c), create, on_created);
}

void req_register(struct call *c)
{
    struct newcomer *n = calloc(1, sizeof(*n));
    struct err err = {0};
    int rc;

    if (n == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = n;
    c->drop = newcomer_free;
    rc = check_invite(c, n, &err);
    if (rc == ERR_OK)
        rc = check_names(c->msg->register_, n, &err);
    if (rc == ERR_OK)
        rc = check_manifest(c->msg->register_, n, &err);
    if (rc == ERR_OK)
        rc = check_signature(c, n, &err);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        create(c);
}
