/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "proto/vault.pb-c.h"

typedef Satchel__Group Record;

static const char table[] = "group";

/* ---- reading ---- */

static bool is_sound(const Record *m)
{
    if (m == NULL || m->version != 1 || strlen(m->name) < 1 ||
        strlen(m->name) >= CONTACT_NAME_SIZE || m->n_members > GROUP_MAX)
        return false;
    for (size_t i = 0; i < m->n_members; i++)
        if (m->members[i].len != IDS_UID_LEN)
            return false;
    return true;
}

static int take(struct part plain, struct group *ret, struct err *err)
{
    Record *m = satchel__group__unpack(NULL, plain.len, plain.data);
    bool sound = is_sound(m);

    if (sound) {
        *ret = (struct group){.n = m->n_members};
        (void)snprintf(ret->name, sizeof(ret->name), "%s", m->name);
        for (size_t i = 0; i < m->n_members; i++)
            memcpy(ret->members[i].b, m->members[i].data, IDS_UID_LEN);
    }
    satchel__group__free_unpacked(m, NULL);
    return sound ? ERR_OK : err_set(err, ERR_CORRUPT, "a group in the vault is damaged");
}

int group_load(struct vault *v, const char *name, struct group *ret, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    int rc = vault_id(v, table, part_str(name), id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, table, id, &plain, NULL, err);
    if (rc == ERR_NOTFOUND)
        (void)err_set(err, rc, "no group '%.64s'", name);
    if (rc == ERR_OK)
        rc = take(part(plain.data, plain.len), ret, err);
    buf_free(&plain);
    return rc;
}

bool group_exists(struct vault *v, const char *name)
{
    struct group *g = calloc(1, sizeof(*g));
    bool yes = g != NULL && group_load(v, name, g, NULL) == ERR_OK;

    free(g);
    return yes;
}

struct walk {
    group_each_cb *each;
    void *cookie;
    struct group group;
};

static int on_row(void *cookie, const struct vault_row *row, struct err *err)
{
    struct walk *w = cookie;
    int rc = take(row->plain, &w->group, err);

    return rc == ERR_OK ? w->each(w->cookie, &w->group, err) : rc;
}

int group_each(struct vault *v, group_each_cb *each, void *cookie, struct err *err)
{
    struct walk *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    w->each = each;
    w->cookie = cookie;
    rc = vault_each(v, table, on_row, w, err);
    free(w);
    return rc;
}

/* ---- writing ---- */

static int save(struct vault *v, const struct group *g, struct err *err)
{
    Record m = SATCHEL__GROUP__INIT;
    ProtobufCBinaryData rows[GROUP_MAX];
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    int rc = vault_id(v, table, part_str(g->name), id, err);

    if (rc == ERR_OK)
        rc = backup_touch(v, err);
    m.version = 1;
    m.name = (char *)g->name;
    for (size_t i = 0; i < g->n; i++)
        rows[i] = (ProtobufCBinaryData){IDS_UID_LEN, (uint8_t *)g->members[i].b};
    m.members = rows;
    m.n_members = g->n;
    if (rc == ERR_OK && buf_reserve(&plain, satchel__group__get_packed_size(&m)) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK) {
        plain.len = satchel__group__pack(&m, plain.data);
        rc = vault_put(v, table, id, part(plain.data, plain.len), err);
    }
    buf_free(&plain);
    return rc;
}

static size_t find(const struct group *g, const struct uid *uid)
{
    size_t i = 0;

    while (i < g->n && memcmp(&g->members[i], uid, sizeof(*uid)) != 0)
        i++;
    return i;
}

/* A name for a group that is not there yet. */
static int check_name(struct vault *v, const char *name, struct err *err)
{
    enum backup_claim claim = BACKUP_NO_CLAIM;
    struct uid uid;
    int rc = contact_check_name(name, err);

    if (rc != ERR_OK)
        return rc;
    rc = contact_find(v, name, &uid, NULL);
    if (rc == ERR_NOTFOUND)
        rc = backup_claims(v, name, NULL, &claim, NULL);
    else if (rc == ERR_OK)
        claim = BACKUP_PETNAME;
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot read the contacts");
    if (claim == BACKUP_PETNAME || claim == BACKUP_USERNAME)
        return err_set(err, ERR_EXISTS, "'%s' is the name of a contact", name);
    return ERR_OK;
}

/* As it is, or a new one with nobody in it, which is not saved. */
static int load_or_begin(struct vault *v, const char *name, struct group *g, bool *ret_new,
                         struct err *err)
{
    int rc = group_load(v, name, g, err);

    *ret_new = rc == ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND)
        rc = check_name(v, name, err);
    if (rc == ERR_OK && *ret_new)
        (void)snprintf(g->name, sizeof(g->name), "%s", name);
    return rc;
}

int group_make(struct vault *v, const char *name, struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    bool is_new = false;
    int rc = g != NULL ? load_or_begin(v, name, g, &is_new, err)
                       : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && is_new)
        rc = save(v, g, err);
    free(g);
    return rc;
}

int group_add(struct vault *v, const char *name, const struct uid *uid, struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    bool is_new = false;
    int rc = g != NULL ? load_or_begin(v, name, g, &is_new, err)
                       : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && find(g, uid) == g->n) {
        if (g->n == GROUP_MAX) {
            rc = err_set(err, ERR_LIMIT, "a group has at most %d members", GROUP_MAX);
        } else {
            g->members[g->n++] = *uid;
            rc = save(v, g, err);
        }
    }
    free(g);
    return rc;
}

int group_remove(struct vault *v, const char *name, const struct uid *uid, struct err *err)
{
    struct group *g = calloc(1, sizeof(*g));
    int rc = g != NULL ? group_load(v, name, g, err) : err_set(err, ERR_NOMEM, "out of memory");
    size_t i = rc == ERR_OK ? find(g, uid) : 0;

    if (rc == ERR_OK && i == g->n)
        rc = err_set(err, ERR_NOTFOUND, "not in the group '%s'", name);
    if (rc == ERR_OK) {
        g->n--;
        memmove(&g->members[i], &g->members[i + 1], (g->n - i) * sizeof(g->members[0]));
        rc = save(v, g, err);
    }
    free(g);
    return rc;
}

int group_delete(struct vault *v, const char *name, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct group *g = calloc(1, sizeof(*g));
    int rc = g != NULL ? group_load(v, name, g, err) : err_set(err, ERR_NOMEM, "out of memory");

    free(g);
    if (rc == ERR_OK)
        rc = vault_id(v, table, part_str(name), id, err);
    /* First, as in save(): a crash in between must not leave it in the server's copy alone. */
    if (rc == ERR_OK)
        rc = backup_touch(v, err);
    return rc == ERR_OK ? vault_delete(v, table, id, err) : rc;
}

struct forgetting {
    struct vault *v;
    const struct uid *uid;
};

static int forget_in(void *cookie, const struct group *g, struct err *err)
{
    const struct forgetting *f = cookie;

    return find(g, f->uid) < g->n ? group_remove(f->v, g->name, f->uid, err) : ERR_OK;
}

int group_forget(struct vault *v, const struct uid *uid, struct err *err)
{
    struct forgetting f = {.v = v, .uid = uid};

    return group_each(v, forget_in, &f, err);
}
