/* SPDX-License-Identifier: Apache-2.0 */
#include "server/uploads.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/table.h"

/* The unfinished ones of one user. */
struct list {
    struct uploads_entry *e;
    size_t n, cap;
};

struct uploads {
    struct table *lists;
};

int uploads_new(struct uploads **ret_u, struct err *err)
{
    struct uploads *u = calloc(1, sizeof(*u));
    int rc;

    if (u == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a table");
    rc = table_new(&u->lists, sizeof(struct list), err);
    if (rc != ERR_OK) {
        free(u);
        return rc;
    }
    *ret_u = u;
    return ERR_OK;
}

void uploads_free(struct uploads *u)
{
    struct list *l;
    size_t pos = 0;

    if (u == NULL)
        return;
    while ((l = table_next(u->lists, &pos)) != NULL)
        free(l->e);
    table_free(u->lists);
    free(u);
}

static void drop_if_empty(struct uploads *u, const struct uid *uid, struct list *l)
{
    if (l->n > 0)
        return;
    free(l->e);
    table_remove(u->lists, uid->b, sizeof(uid->b));
}

static struct uploads_entry *find(const struct list *l, const struct tid *tid)
{
    for (size_t i = 0; i < l->n; i++)
        if (memcmp(l->e[i].tid.b, tid->b, sizeof(tid->b)) == 0)
            return &l->e[i];
    return NULL;
}

int uploads_check(struct uploads *u, const struct uid *uid, const struct uploads_entry *e,
                  uint64_t max, uint64_t now)
{
    struct list *l = table_get(u->lists, uid->b, sizeof(uid->b));
    size_t n = 0;

    if (l == NULL || l->n < max)
        return ERR_OK;
    for (size_t i = 0; i < l->n; i++)
        if (memcmp(l->e[i].key, e->key, sizeof(e->key)) == 0)
            return ERR_OK;
    for (size_t i = 0; i < l->n; i++)
        if (l->e[i].lease > now)
            l->e[n++] = l->e[i];
    l->n = n;
    drop_if_empty(u, uid, l);
    return n < max ? ERR_OK : ERR_LIMIT;
}

static bool grow(struct list *l)
{
    size_t cap = l->cap > 0 ? l->cap * 2 : 4;
    struct uploads_entry *more = reallocarray(l->e, cap, sizeof(*more));

    if (more == NULL)
        return false;
    l->e = more;
    l->cap = cap;
    return true;
}

void uploads_add(struct uploads *u, const struct uid *uid, const struct uploads_entry *e)
{
    struct list *l = table_add(u->lists, uid->b, sizeof(uid->b));
    struct uploads_entry *known = l != NULL ? find(l, &e->tid) : NULL;

    if (known != NULL)
        *known = *e;
    else if (l != NULL && (l->n < l->cap || grow(l)))
        l->e[l->n++] = *e;
    else if (l != NULL)
        drop_if_empty(u, uid, l);
}

void uploads_renew(struct uploads *u, const struct uid *uid, const struct tid *tid, uint64_t lease)
{
    struct list *l = table_get(u->lists, uid->b, sizeof(uid->b));
    struct uploads_entry *e = l != NULL ? find(l, tid) : NULL;

    if (e != NULL && e->lease < lease)
        e->lease = lease;
}

void uploads_remove(struct uploads *u, const struct uid *uid, const struct tid *tid)
{
    struct list *l = table_get(u->lists, uid->b, sizeof(uid->b));
    struct uploads_entry *e = l != NULL ? find(l, tid) : NULL;

    if (e == NULL)
        return;
    *e = l->e[--l->n];
    drop_if_empty(u, uid, l);
}
