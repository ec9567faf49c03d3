/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about users, their quota, and invitations. */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hex.h"
#include "common/transfer/ids.h"
#include "server/ctl_cmd.h"
#include "server/daemon.h"
#include "server/invite.h"

enum { PAGE = 200 };

static const char *state_word(enum store_user_state state)
{
    switch (state) {
    case STORE_USER_ACTIVE:
        return "active";
    case STORE_USER_SUSPENDED:
        return "suspended";
    default:
        return "deleted";
    }
}

static json_t *user_json(const struct store_user *u)
{
    char text[IDS_UID_TEXT];
    struct uid uid;

    memcpy(uid.b, u->uid, sizeof(uid.b));
    ids_uid_to_text(&uid, text);
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "user_id", text, "name", u->name, "email",
                     u->email, "state", state_word(u->state), "created", (json_int_t)u->created,
                     "quota", (json_int_t)u->quota, "used", (json_int_t)u->used, "manifest",
                     (json_int_t)u->manifest_seq);
}

/* ---- users ---- */

/* Where a list goes on. */
struct place {
    uint8_t after[STORE_HASH_LEN];
};

static void list_from(struct ctl_client *cl, const uint8_t *after);

static void list_on(struct ctl_client *cl, struct store_result *res)
{
    const struct place *at = ctl_client_data(cl, sizeof(*at));

    (void)res;
    list_from(cl, at->after);
}

/* A page has been said: the next one, from ${res}'s cursor, or the end. */
static void next_page(struct ctl_client *cl, const struct store_result *res, ctl_step *on)
{
    struct place *at = ctl_client_data(cl, sizeof(*at));

    if (!res->more) {
        ctl_client_result(cl, json_object());
    } else if (at == NULL) {
        ctl_client_error(cl, ERR_NOMEM, "out of memory");
    } else {
        memcpy(at->after, res->cursor, sizeof(at->after));
        ctl_client_sent(cl, on);
    }
}

static void on_users(struct ctl_client *cl, struct store_result *res)
{
    if (res->code != ERR_OK) {
        ctl_client_error(cl, res->code, "%s", err_text(res->code));
        return;
    }
    for (size_t i = 0; i < res->count; i++)
        ctl_client_item(cl, user_json(&res->u.users[i]));
    next_page(cl, res, list_on);
}

static void list_from(struct ctl_client *cl, const uint8_t *after)
{
    struct store_user_list in = {.after = after, .limit = PAGE};

    ctl_client_store(cl, store_user_list(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
                     on_users);
}

void ctl_cmd_users(struct ctl_client *cl)
{
    list_from(cl, NULL);
}

/* ---- one user, by name or user ID ---- */

static void find_user(struct ctl_client *cl, ctl_step *then)
{
    const char *who = ctl_client_arg(cl, 0);
    struct store_user_get in = {.by = STORE_BY_NAME, .text = who};
    struct uid uid;

    if (ids_uid_from_text(who, &uid, NULL) == ERR_OK) {
        in.by = STORE_BY_UID;
        memcpy(in.uid, uid.b, sizeof(in.uid));
    } else if (ids_check_username(who, NULL) != ERR_OK) {
        ctl_client_error(cl, ERR_INVALID, "neither a username nor a user ID");
        return;
    }
    ctl_client_store(cl, store_user_get(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
                     then);
}

/* Said once for all commands about one user. */
static bool is_found(struct ctl_client *cl, const struct store_result *res)
{
    if (res->code == ERR_NOTFOUND)
        ctl_client_error(cl, ERR_NOTFOUND, "no such user: '%.64s'", ctl_client_arg(cl, 0));
    else if (res->code != ERR_OK)
        ctl_client_error(cl, res->code, "%s", err_text(res->code));
    return res->code == ERR_OK;
}

static void on_shown(struct ctl_client *cl, struct store_result *res)
{
    if (is_found(cl, res))
        ctl_client_result(cl, user_json(&res->u.user));
}

void ctl_cmd_user_show(struct ctl_client *cl)
{
    find_user(cl, on_shown);
}

/* ---- changes ---- */

static void on_changed(struct ctl_client *cl, struct store_result *res)
{
    if (res->code == ERR_BADSTATE)
        ctl_client_error(cl, ERR_BADSTATE, "a deleted user stays deleted");
    else if (is_found(cl, res))
        ctl_client_result(cl, json_object());
}

/* Whoever is suspended hears so by losing the connection; also one made a moment ago. */
static void on_suspended(struct ctl_client *cl, struct store_result *res)
{
    const struct uid *uid = ctl_client_data(cl, sizeof(*uid));

    if (res->code == ERR_OK)
        daemon_end_user(ctl_client_daemon(cl), uid, NULL);
    on_changed(cl, res);
}

static void set_state(struct ctl_client *cl, const struct store_result *res,
                      enum store_user_state state)
{
    struct store_user_set_state in = {.state = state};
    struct daemon *d = ctl_client_daemon(cl);
    struct uid *uid = ctl_client_data(cl, sizeof(*uid));

    if (uid == NULL || res->u.user.state == STORE_USER_DELETED) {
        ctl_client_error(cl, uid == NULL ? ERR_NOMEM : ERR_BADSTATE, "%s",
                         uid == NULL ? "out of memory" : "a deleted user stays deleted");
        return;
    }
    memcpy(in.uid, res->u.user.uid, sizeof(in.uid));
    memcpy(uid->b, in.uid, sizeof(uid->b));
    if (state == STORE_USER_SUSPENDED) /* even if the operator's client goes meanwhile */
        daemon_end_user(d, uid, NULL);
    ctl_client_store(cl, store_user_set_state(d->port, &in, ctl_client_on_store, cl),
                     state == STORE_USER_SUSPENDED ? on_suspended : on_changed);
}

static void on_suspend(struct ctl_client *cl, struct store_result *res)
{
    if (is_found(cl, res))
        set_state(cl, res, STORE_USER_SUSPENDED);
}

void ctl_cmd_user_suspend(struct ctl_client *cl)
{
    find_user(cl, on_suspend);
}

static void on_resume(struct ctl_client *cl, struct store_result *res)
{
    if (is_found(cl, res))
        set_state(cl, res, STORE_USER_ACTIVE);
}

void ctl_cmd_user_resume(struct ctl_client *cl)
{
    find_user(cl, on_resume);
}

/* A decimal number and nothing else. */
static bool read_number(const char *text, uint64_t *ret)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    *ret = strtoull(text, &end, 10);
    return *end == '\0';
}

static void on_quota(struct ctl_client *cl, struct store_result *res)
{
    struct store_user_set_quota in = {0};

    if (!is_found(cl, res))
        return;
    memcpy(in.uid, res->u.user.uid, sizeof(in.uid));
    (void)read_number(ctl_client_arg(cl, 1), &in.quota);
    ctl_client_store(
        cl, store_user_set_quota(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
        on_changed);
}

void ctl_cmd_quota(struct ctl_client *cl)
{
    uint64_t n;

    if (!read_number(ctl_client_arg(cl, 1), &n))
        ctl_client_error(cl, ERR_INVALID, "the quota is not a number of bytes");
    else
        find_user(cl, on_quota);
}

/* ---- invitations ---- */

struct created {
    char code[INVITE_TEXT];
    uint64_t uses, expires;
};

static void on_invited(struct ctl_client *cl, struct store_result *res)
{
    struct created *c = ctl_client_data(cl, sizeof(*c));

    if (res->code != ERR_OK)
        ctl_client_error(cl, res->code, "%s", err_text(res->code));
    else
        ctl_client_result(cl, json_pack("{s:s,s:I,s:I}", "code", c->code, "uses",
                                        (json_int_t)c->uses, "expires", (json_int_t)c->expires));
    secret_wipe(c->code, sizeof(c->code));
}

void ctl_cmd_invite_create(struct ctl_client *cl)
{
    struct created *c = ctl_client_data(cl, sizeof(*c));
    struct store_invite_create in = {.now = daemon_time()};
    uint64_t lifetime;

    if (c == NULL || !read_number(ctl_client_arg(cl, 0), &c->uses) || c->uses < 1 ||
        c->uses > UINT32_MAX || !read_number(ctl_client_arg(cl, 1), &lifetime) || lifetime == 0) {
        ctl_client_error(cl, ERR_INVALID, "uses and lifetime must be numbers above 0");
        return;
    }
    in.uses = (uint32_t)c->uses;
    in.expires = c->expires = in.now + lifetime;
    if (invite_make(c->code, in.hash) != ERR_OK) {
        ctl_client_error(cl, ERR_INTERNAL, "the random number generator failed");
        return;
    }
    ctl_client_store(cl,
                     store_invite_create(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
                     on_invited);
}

static void invites_from(struct ctl_client *cl, const uint8_t *after);

static void invites_on(struct ctl_client *cl, struct store_result *res)
{
    const struct place *at = ctl_client_data(cl, sizeof(*at));

    (void)res;
    invites_from(cl, at->after);
}

static void on_invites(struct ctl_client *cl, struct store_result *res)
{
    if (res->code != ERR_OK) {
        ctl_client_error(cl, res->code, "%s", err_text(res->code));
        return;
    }
    for (size_t i = 0; i < res->count; i++) {
        const struct store_invite *v = &res->u.invites[i];
        char id[2 * 4 + 1];

        hex_encode(id, v->hash, 4);
        ctl_client_item(cl, json_pack("{s:s,s:I,s:I,s:I,s:I}", "id", id, "created",
                                      (json_int_t)v->created, "expires", (json_int_t)v->expires,
                                      "uses", (json_int_t)v->uses, "left", (json_int_t)v->left));
    }
    next_page(cl, res, invites_on);
}

static void invites_from(struct ctl_client *cl, const uint8_t *after)
{
    struct store_invite_list in = {.after = after, .limit = PAGE};

    ctl_client_store(cl,
                     store_invite_list(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
                     on_invites);
}

void ctl_cmd_invite_list(struct ctl_client *cl)
{
    invites_from(cl, NULL);
}
