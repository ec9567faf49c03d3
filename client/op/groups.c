/* SPDX-License-Identifier: Apache-2.0 */
/* satchel/contacts.h: groups, and the recipients that they stand for.  The vault alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/group.h"
#include "client/op/contacts.h"

/* ---- changing ---- */

typedef int change_fn(struct vault *v, const char *name, const struct uid *uid, struct err *err);

struct change {
    const char *group;
    const char *const *who;
    size_t n;
    change_fn *fn;
};

/* All of them are looked for before the first is changed. */
static int change(struct satchel *s, const struct change *what, struct err *err)
{
    struct vault *v = s->profile->vault;
    struct uid *uids = calloc(what->n + 1, sizeof(*uids));
    struct contact c = {0};
    int rc = uids != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < what->n; i++) {
        rc = contacts_locate(s, what->who[i], &uids[i], err);
        if (rc == ERR_OK && what->fn == group_add)
            rc = contact_load(v, &uids[i], &c, err);
        if (rc == ERR_OK && what->fn == group_add && !c.chosen) {
            c.chosen = true; /* a stranger might be forgotten */
            rc = contact_save(v, &c, err);
        }
        contact_free(&c);
        if (rc == ERR_NOTFOUND) {
            (void)err_set(err, rc, "no contact '%.64s'", what->who[i]);
            if (what->fn == group_add)
                err_hint(err, "'satchel contacts add %.64s' comes first", what->who[i]);
            else
                err_hint(err, "'satchel contacts group %.64s' lists who is in it", what->group);
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < what->n; i++)
        rc = what->fn(v, what->group, &uids[i], err);
    free(uids);
    return rc;
}

static int change_locked(struct satchel *s, const struct change *what, struct satchel_error *error)
{
    struct err err = {0};
    int rc = s->profile != NULL ? ERR_OK : err_set(&err, ERR_BADSTATE, "no profile is open");

    if (rc == ERR_OK && what->n > GROUP_MAX)
        rc = err_set(&err, ERR_LIMIT, "a group has at most %d members", GROUP_MAX);
    if (rc == ERR_OK)
        rc = vault_lock(s->profile->vault, &err);
    if (rc == ERR_OK) {
        rc = change(s, what, &err);
        vault_unlock(s->profile->vault);
    }
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_group_add(struct satchel *s, const char *group, const char *const *who, size_t count,
                      struct satchel_error *err)
{
    return change_locked(s, &(struct change){group, who, count, group_add}, err);
}

int satchel_group_remove(struct satchel *s, const char *group, const char *const *who, size_t count,
                         struct satchel_error *err)
{
    return change_locked(s, &(struct change){group, who, count, group_remove}, err);
}

int satchel_group_delete(struct satchel *s, const char *group, struct satchel_error *error)
{
    struct err err = {0};
    int rc = s->profile != NULL ? ERR_OK : err_set(&err, ERR_BADSTATE, "no profile is open");

    if (rc == ERR_OK)
        rc = vault_lock(s->profile->vault, &err);
    if (rc == ERR_OK) {
        rc = group_delete(s->profile->vault, group, &err);
        vault_unlock(s->profile->vault);
    }
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* ---- listing ---- */

struct collection {
    struct group *rows;
    size_t n, cap;
};

static int on_group(void *cookie, const struct group *g, struct err *err)
{
    struct collection *all = cookie;

    if (all->n == all->cap) {
        size_t cap = all->cap * 2 + 8;
        struct group *more = realloc(all->rows, cap * sizeof(*more));

        if (more == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        all->rows = more;
        all->cap = cap;
    }
    all->rows[all->n++] = *g;
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct group *)a)->name, ((const struct group *)b)->name);
}

static int tell(struct vault *v, const struct group *g,
                void (*each)(void *cookie, const struct satchel_group *g), void *cookie,
                struct err *err)
{
    char(*names)[CONTACT_NAME_SIZE] = calloc(g->n + 1, sizeof(*names));
    const char *members[GROUP_MAX];
    struct satchel_group told = {.name = g->name, .members = members, .count = g->n};
    int rc = names != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < g->n; i++) {
        struct contact c = {0};

        rc = contact_load(v, &g->members[i], &c, err);
        if (rc == ERR_OK)
            (void)snprintf(names[i], sizeof(names[i]), "%s", c.name);
        else
            ids_uid_to_text(&g->members[i], names[i]);
        members[i] = names[i];
        if (rc == ERR_NOTFOUND)
            rc = ERR_OK;
        contact_free(&c);
    }
    if (rc == ERR_OK)
        each(cookie, &told);
    free(names);
    return rc;
}

int satchel_group_list(struct satchel *s, const char *group,
                       void (*each)(void *cookie, const struct satchel_group *g), void *cookie,
                       struct satchel_error *error)
{
    struct collection all = {0};
    struct group *one = NULL;
    struct err err = {0};
    int rc = s->profile != NULL ? ERR_OK : err_set(&err, ERR_BADSTATE, "no profile is open");

    if (rc == ERR_OK && group != NULL) {
        one = calloc(1, sizeof(*one));
        rc = one != NULL ? group_load(s->profile->vault, group, one, &err)
                         : err_set(&err, ERR_NOMEM, "out of memory");
        if (rc == ERR_OK)
            rc = on_group(&all, one, &err);
        free(one);
    } else if (rc == ERR_OK) {
        rc = group_each(s->profile->vault, on_group, &all, &err);
    }
    if (rc == ERR_OK && all.n > 0)
        qsort(all.rows, all.n, sizeof(*all.rows), by_name);
    for (size_t i = 0; rc == ERR_OK && i < all.n; i++)
        rc = tell(s->profile->vault, &all.rows[i], each, cookie, &err);
    free(all.rows);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* ---- recipients ---- */

struct expansion {
    struct contacts_list to;
    size_t max;
};

static int put(struct expansion *x, const char *who, struct err *err)
{
    struct contacts_list *to = &x->to;

    if (to->n == x->max)
        return err_set(err, ERR_LIMIT, "more than %zu recipients", x->max);
    to->who[to->n] = strdup(who);
    if (to->who[to->n] == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    to->n++;
    return ERR_OK;
}

/*
 * A name that the account record gives to a contact or a group that is not back yet: whoever has
 * it meanwhile, here or at the server, is somebody else.
 */
static int check_back(struct vault *v, const char *who, const struct uid *found, struct err *err)
{
    enum backup_claim claim = BACKUP_NO_CLAIM;
    struct uid uid;
    int rc = ids_uid_from_text(who, &uid, NULL) == ERR_OK
                 ? ERR_OK
                 : backup_claims(v, who, found, &claim, err);

    if (rc != ERR_OK) {
        err_hint(err, "a user ID can be sent to meanwhile; 'satchel contacts restore' tries to "
                      "bring back what the account record has");
        return rc;
    }
    if (claim == BACKUP_NO_CLAIM)
        return ERR_OK;
    rc = err_set(err, ERR_REFUSED, "%s '%.64s' is not back yet: contacts are still coming back",
                 claim == BACKUP_GROUP ? "the group" : "the contact", who);
    err_hint(err, "'satchel contacts restore' brings them");
    return rc;
}

/* A contact's name comes before a group's. */
static int expand_one(struct vault *v, const char *who, struct group *g, struct expansion *x,
                      struct err *err)
{
    char text[IDS_UID_TEXT];
    struct uid uid;
    int found = contact_find(v, who, &uid, NULL);
    int rc = check_back(v, who, found == ERR_OK ? &uid : NULL, err);

    if (rc != ERR_OK)
        return rc;
    if (found == ERR_NOTFOUND)
        rc = group_load(v, who, g, NULL);
    else
        return put(x, who, err);
    if (rc == ERR_NOTFOUND)
        return put(x, who, err);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot read the group '%.64s'", who);
    if (g->n == 0) {
        rc = err_set(err, ERR_NOTFOUND, "the group '%.64s' has nobody in it", who);
        err_hint(err, "'satchel contacts group %.64s add WHO...' comes first", who);
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < g->n; i++) {
        ids_uid_to_text(&g->members[i], text);
        rc = put(x, text, err);
    }
    return rc;
}

int contacts_expand(struct vault *v, const struct contacts_list *who, size_t max,
                    struct contacts_list *ret, struct err *err)
{
    struct expansion x = {.to.who = calloc(max, sizeof(*x.to.who)), .max = max};
    struct group *g = calloc(1, sizeof(*g));
    int rc = x.to.who != NULL && g != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < who->n; i++)
        rc = expand_one(v, who->who[i], g, &x, err);
    free(g);
    if (rc == ERR_OK) {
        *ret = x.to;
        return ERR_OK;
    }
    for (size_t i = 0; i < x.to.n; i++)
        free(x.to.who[i]);
    free(x.to.who);
    return rc;
}
