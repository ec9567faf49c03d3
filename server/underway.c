/* SPDX-License-Identifier: Apache-2.0 */
#include "server/underway.h"

#include <assert.h>
#include <stdlib.h>

#include "server/table.h"

struct underway_user {
    struct uid uid;
    size_t conns;
    size_t held; /* bytes that count against its part */
};

struct underway {
    const uint64_t *total;
    size_t all;  /* bytes */
    size_t held; /* of these, such as count against somebody's part */
    struct underway_user strangers;
    struct table *users; /* of struct underway_user *: those that have connections */
};

int underway_new(struct underway **ret_u, const uint64_t *total, struct err *err)
{
    struct underway *u = calloc(1, sizeof(*u));
    int rc;

    if (u == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a table");
    rc = table_new(&u->users, sizeof(struct underway_user *), err);
    if (rc != ERR_OK) {
        free(u);
        return rc;
    }
    u->total = total;
    *ret_u = u;
    return ERR_OK;
}

void underway_free(struct underway *u)
{
    if (u == NULL)
        return;
    assert(table_len(u->users) == 0);
    table_free(u->users);
    free(u);
}

/* ---- users ---- */

/* The one of ${uid}, made if it has no connection yet; NULL: no memory. */
static struct underway_user *user_of(struct underway *u, const struct uid *uid)
{
    struct underway_user **at = table_get(u->users, uid->b, sizeof(uid->b)), *user;

    if (at != NULL)
        return *at;
    user = calloc(1, sizeof(*user));
    at = user != NULL ? table_add(u->users, uid->b, sizeof(uid->b)) : NULL;
    if (at == NULL) {
        free(user);
        return NULL;
    }
    user->uid = *uid;
    *at = user;
    return user;
}

static size_t counted(const struct underway_conn *c)
{
    return c->beside ? 0 : c->bytes;
}

static void join_user(struct underway_conn *c, struct underway_user *user)
{
    c->user = user;
    user->conns++;
    user->held += counted(c);
}

static void leave_user(struct underway *u, struct underway_conn *c)
{
    struct underway_user *user = c->user;

    c->user = NULL;
    user->held -= counted(c);
    if (--user->conns > 0 || user == &u->strangers)
        return;
    table_remove(u->users, user->uid.b, sizeof(user->uid.b));
    free(user);
}

void underway_enter(struct underway *u, struct underway_conn *c)
{
    *c = (struct underway_conn){0};
    join_user(c, &u->strangers);
}

void underway_log_in(struct underway *u, struct underway_conn *c, const struct uid *uid)
{
    struct underway_user *user = user_of(u, uid);

    if (user == NULL)
        return;
    leave_user(u, c);
    join_user(c, user);
}

void underway_leave(struct underway *u, struct underway_conn *c)
{
    assert(c->bytes == 0);
    leave_user(u, c);
}

/* ---- bytes ---- */

void underway_add(struct underway *u, struct underway_conn *c, size_t len)
{
    if (c->bytes == 0)
        c->beside = underway_is_short(u, c);
    u->all += len;
    c->bytes += len;
    if (c->beside)
        return;
    u->held += len;
    c->user->held += len;
}

void underway_less(struct underway *u, struct underway_conn *c, size_t len)
{
    u->all -= len;
    c->bytes -= len;
    if (c->beside)
        return;
    u->held -= len;
    c->user->held -= len;
}

bool underway_is_short(const struct underway *u, const struct underway_conn *c)
{
    return u->held >= *u->total || c->user->held >= *u->total - u->held;
}

bool underway_is_full(const struct underway *u, const struct underway_conn *c)
{
    return c->bytes > 0 && (c->beside || underway_is_short(u, c));
}

size_t underway_all(const struct underway *u)
{
    return u->all;
}
