/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookup: a user's manifests.  NOT_FOUND for unknown and deleted users and for
 * those who have blocked the caller alike.
 */
#include <stdlib.h>
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/manifest_page.h"
#include "server/req.h"

enum { REPLY_MAX = 192 * 1024 };

struct lookup {
    struct uid uid;
    char name[STORE_NAME_MAX + 1];
    uint64_t last, from;
};

static void on_manifests(struct call *c)
{
    struct lookup *l = c->data;
    struct manifest_page page = {.n = 0};
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__LookupReply reply = SATCHEL__LOOKUP_REPLY__INIT;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (!manifest_page_take(&page, c->res, REPLY_MAX)) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    reply.user_id.data = l->uid.b;
    reply.user_id.len = sizeof(l->uid.b);
    reply.username = l->name;
    reply.n_manifests = page.n;
    reply.manifests = page.rows;
    reply.last_sequence = l->last;
    env.body_case = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY;
    env.lookup_reply = &reply;
    call_reply(c, &env); /* frees l */
    manifest_page_free(&page);
}

static void get_manifests(struct call *c)
{
    const struct lookup *l = c->data;
    struct store_manifest_list in = {.from = l->from, .limit = MANIFEST_PAGE_MAX};

    memcpy(in.uid, l->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifests,
               on_manifests);
}

static void on_user(struct call *c)
{
    struct lookup *l = c->data;
    const struct store_user *user = &c->res->u.user;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (user->state == STORE_USER_DELETED) {
        call_error(c, ERR_NOTFOUND, NULL);
        return;
    }
    memcpy(l->uid.b, user->uid, sizeof(l->uid.b));
    (void)snprintf(l->name, sizeof(l->name), "%s", user->name);
    l->last = user->manifest_seq;
    get_manifests(c);
}

static void get_user(struct call *c)
{
    const Satchel__Lookup *msg = c->msg->lookup;
    struct store_user_get in = {.asker = c->conn->uid.b};
    char email[IDS_EMAIL_TEXT];
    struct err err = {0};
    int rc = ERR_OK;

    switch (msg->who_case) {
    case SATCHEL__LOOKUP__WHO_USER_ID:
        in.by = STORE_BY_UID;
        if (!call_take(c, &msg->user_id, "user_id", in.uid, sizeof(in.uid)))
            return;
        break;
    case SATCHEL__LOOKUP__WHO_USERNAME:
        in.by = STORE_BY_NAME;
        in.text = msg->username;
        rc = ids_check_username(msg->username, &err);
        break;
    case SATCHEL__LOOKUP__WHO_EMAIL:
        in.by = STORE_BY_EMAIL;
        in.text = email;
        rc = ids_fold_email(msg->email, email, &err);
        break;
    default:
        rc = err_set(&err, ERR_INVALID, "who is missing");
    }
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

void req_lookup(struct call *c)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = l;
    c->drop = free;
    l->from = c->msg->lookup->from_sequence > 0 ? c->msg->lookup->from_sequence : 1;
    get_user(c);
}
