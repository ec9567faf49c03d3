/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/contact.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/group.h"
#include "common/transfer/utf8.h"
#include "proto/vault.pb-c.h"

typedef Satchel__Vault__Contact Record;

static const char table[] = "contact";

static int damaged(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a contact in the vault is damaged");
}

void contact_free(struct contact *c)
{
    chain_free(&c->chain);
    *c = (struct contact){0};
}

int contact_check_name(const char *name, struct err *err)
{
    size_t n = strlen(name);
    struct uid uid;

    if (n < 1 || n >= CONTACT_NAME_SIZE)
        return err_set(err, ERR_INVALID, "a contact's name has 1 to %d bytes",
                       CONTACT_NAME_SIZE - 1);
    if (!utf8_valid(name))
        return err_set(err, ERR_INVALID, "a contact's name is UTF-8");
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)name[i]) || name[i] == ',')
            return err_set(err, ERR_INVALID,
                           "a contact's name has no control character and no ','");
    if (name[0] == ' ' || name[n - 1] == ' ')
        return err_set(err, ERR_INVALID, "a contact's name does not begin or end with a space");
    if (ids_uid_from_text(name, &uid, NULL) == ERR_OK)
        return err_set(err, ERR_INVALID, "a contact's name is not a user ID");
    return ERR_OK;
}

/* ---- reading ---- */

/* A record's message, its fixed fields checked; NULL: damaged. */
static Record *unpack(struct part plain)
{
    Record *m = satchel__vault__contact__unpack(NULL, plain.len, plain.data);

    if (m != NULL && m->version == 1 && m->user_id.len == IDS_UID_LEN &&
        strlen(m->name) < CONTACT_NAME_SIZE && strlen(m->username) < IDS_USERNAME_TEXT &&
        strlen(m->email) < IDS_EMAIL_TEXT && strlen(m->verified) < SAFETY_TEXT &&
        m->n_manifests > 0)
        return m;
    satchel__vault__contact__free_unpacked(m, NULL);
    return NULL;
}

static void take_fields(const Record *m, struct contact *c)
{
    (void)snprintf(c->name, sizeof(c->name), "%s", m->name);
    (void)snprintf(c->username, sizeof(c->username), "%s", m->username);
    (void)snprintf(c->email, sizeof(c->email), "%s", m->email);
    (void)snprintf(c->verified, sizeof(c->verified), "%s", m->verified);
    c->named = m->named;
    c->blocked = m->blocked;
    c->chosen = m->chosen;
    c->replaced = m->replaced;
    c->added = m->added;
    c->changed = m->changed;
    memcpy(c->chain.uid.b, m->user_id.data, IDS_UID_LEN);
}

static int take_chain(const Record *m, struct chain *chain, struct err *err)
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < m->n_manifests; i++) {
        struct manifest *one = NULL;
        enum chain_change change;

        rc = manifest_parse_signed(part(m->manifests[i].data, m->manifests[i].len), &one, err);
        if (rc == ERR_OK)
            rc = chain_add(chain, one, &change, err);
    }
    return rc == ERR_OK || rc == ERR_NOMEM ? rc : damaged(err);
}

int contact_load(struct vault *v, const struct uid *uid, struct contact *ret, struct err *err)
{
    struct contact c = {0};
    struct buf plain = {0};
    uint8_t id[VAULT_RECORD_ID_LEN];
    Record *m = NULL;
    int rc = vault_id(v, table, PART_OF(uid->b), id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, table, id, &plain, NULL, err);
    if (rc != ERR_OK)
        goto done;
    m = unpack(part(plain.data, plain.len));
    if (m == NULL || memcmp(m->user_id.data, uid->b, IDS_UID_LEN) != 0) {
        rc = damaged(err);
        goto done;
    }
    take_fields(m, &c);
    rc = take_chain(m, &c.chain, err);
    if (rc != ERR_OK)
        goto done;
    *ret = c;
    c = (struct contact){0};
done:
    satchel__vault__contact__free_unpacked(m, NULL);
    contact_free(&c);
    buf_free(&plain);
    return rc;
}

struct search {
    const char *name;
    const char *email;     /* folded; "": none */
    const struct uid *but; /* this contact is not looked at; NULL: all are */
    struct uid by_name, by_username, by_email;
    bool found, found_username, found_email;
};

static int on_search_row(void *cookie, const struct vault_row *row, struct err *err)
{
    struct search *s = cookie;
    Record *m = unpack(row->plain);

    if (m == NULL)
        return damaged(err);
    if (s->but != NULL && memcmp(m->user_id.data, s->but->b, IDS_UID_LEN) == 0) {
        satchel__vault__contact__free_unpacked(m, NULL);
        return ERR_OK;
    }
    if (strcmp(m->name, s->name) == 0) {
        memcpy(s->by_name.b, m->user_id.data, IDS_UID_LEN);
        s->found = true;
    } else if (strcmp(m->username, s->name) == 0) {
        memcpy(s->by_username.b, m->user_id.data, IDS_UID_LEN);
        s->found_username = true;
    } else if (s->email != NULL && s->email[0] != '\0' && strcmp(m->email, s->email) == 0) {
        memcpy(s->by_email.b, m->user_id.data, IDS_UID_LEN);
        s->found_email = true;
    }
    satchel__vault__contact__free_unpacked(m, NULL);
    return ERR_OK;
}

int contact_find(struct vault *v, const char *name, struct uid *ret_uid, struct err *err)
{
    char email[IDS_EMAIL_TEXT] = "";
    struct search s = {.name = name, .email = email};
    int rc = ids_fold_email(name, email, NULL);

    if (rc == ERR_OK || rc == ERR_INVALID)
        rc = vault_each(v, table, on_search_row, &s, err);
    if (rc != ERR_OK)
        return rc;
    if (!s.found && !s.found_username && !s.found_email)
        return err_set(err, ERR_NOTFOUND, "no contact '%.64s'", name);
    *ret_uid = s.found ? s.by_name : s.found_username ? s.by_username : s.by_email;
    return ERR_OK;
}

/* Users, sorted once they are all there. */
struct members {
    struct uid *rows;
    size_t n, cap;
};

static int by_uid(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uid));
}

static int add_members(void *cookie, const struct group *g, struct err *err)
{
    struct members *all = cookie;

    if (g->n == 0)
        return ERR_OK;
    if (all->cap - all->n < g->n) {
        size_t cap = all->cap * 2 + GROUP_MAX;
        struct uid *more = realloc(all->rows, cap * sizeof(*more));

        if (more == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        all->rows = more;
        all->cap = cap;
    }
    memcpy(&all->rows[all->n], g->members, g->n * sizeof(*all->rows));
    all->n += g->n;
    return ERR_OK;
}

struct walk {
    contact_each_cb *each;
    void *cookie;
    struct members members; /* who is chosen because a group has him; empty: not looked at */
};

static bool is_member(const struct members *all, const struct uid *uid)
{
    return all->n > 0 && bsearch(uid, all->rows, all->n, sizeof(*all->rows), by_uid) != NULL;
}

static int on_walk_row(void *cookie, const struct vault_row *row, struct err *err)
{
    struct walk *w = cookie;
    struct contact c = {0};
    struct manifest *newest = NULL;
    Record *m = unpack(row->plain);
    const ProtobufCBinaryData *last = m != NULL ? &m->manifests[m->n_manifests - 1] : NULL;
    int rc =
        m != NULL ? manifest_parse_signed(part(last->data, last->len), &newest, err) : damaged(err);

    if (rc == ERR_OK) {
        take_fields(m, &c);
        c.chosen |= is_member(&w->members, &c.chain.uid);
        rc = w->each(w->cookie, &c, newest, err);
    }
    manifest_free(newest);
    satchel__vault__contact__free_unpacked(m, NULL);
    contact_free(&c);
    return rc;
}

int contact_each(struct vault *v, contact_each_cb *each, void *cookie, struct err *err)
{
    struct walk w = {.each = each, .cookie = cookie};

    return vault_each(v, table, on_walk_row, &w, err);
}

int contact_each_ranked(struct vault *v, contact_each_cb *each, void *cookie, struct err *err)
{
    struct walk w = {.each = each, .cookie = cookie};
    int rc = group_each(v, add_members, &w.members, err);

    if (w.members.n > 0)
        qsort(w.members.rows, w.members.n, sizeof(*w.members.rows), by_uid);
    if (rc == ERR_OK)
        rc = vault_each(v, table, on_walk_row, &w, err);
    free(w.members.rows);
    return rc;
}

/* ---- writing ---- */

static int pack(const struct contact *c, struct buf *out, struct err *err)
{
    Record m = SATCHEL__VAULT__CONTACT__INIT;
    ProtobufCBinaryData *rows = calloc(c->chain.n + 1, sizeof(*rows));
    struct buf *packed = calloc(c->chain.n + 1, sizeof(*packed));
    int rc = rows != NULL && packed != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    m.version = 1;
    m.user_id.data = (uint8_t *)c->chain.uid.b;
    m.user_id.len = IDS_UID_LEN;
    m.name = (char *)c->name;
    m.named = c->named;
    m.blocked = c->blocked;
    m.chosen = c->chosen;
    m.replaced = c->replaced;
    m.username = (char *)c->username;
    m.email = (char *)c->email;
    m.verified = (char *)c->verified;
    m.added = c->added;
    m.changed = c->changed;
    for (size_t i = 0; rc == ERR_OK && i < c->chain.n; i++) {
        rc = manifest_pack(c->chain.m[i], &packed[i], err);
        rows[i].data = packed[i].data;
        rows[i].len = packed[i].len;
    }
    m.manifests = rows;
    m.n_manifests = c->chain.n;
    if (rc == ERR_OK && buf_reserve(out, satchel__vault__contact__get_packed_size(&m)) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        out->len += satchel__vault__contact__pack(&m, out->data + out->len);
    for (size_t i = 0; packed != NULL && i < c->chain.n; i++)
        buf_free(&packed[i]);
    free(packed);
    free(rows);
    return rc;
}

int contact_save(struct vault *v, const struct contact *c, struct err *err)
{
    struct buf plain = {0};
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = pack(c, &plain, err);

    if (rc == ERR_OK)
        rc = vault_id(v, table, PART_OF(c->chain.uid.b), id, err);
    /* First: a crash in between must not leave the server's copy behind, unnoticed. */
    if (rc == ERR_OK)
        rc = backup_touch(v, err);
    if (rc == ERR_OK)
        rc = vault_put(v, table, id, part(plain.data, plain.len), err);
    buf_free(&plain);
    return rc;
}

/* ---- strangers ---- */

unsigned contact_rank(const struct contact *c)
{
    if (c->verified[0] != '\0')
        return 0;
    if (c->named)
        return 1;
    if (c->blocked)
        return 2;
    return c->chosen ? 3 : CONTACT_STRANGER;
}

struct stranger {
    uint64_t added;
    bool replaced;
    struct uid uid;
};

struct strangers {
    struct stranger *rows;
    size_t n, cap;
};

static int on_stranger(void *cookie, const struct contact *c, const struct manifest *newest,
                       struct err *err)
{
    struct strangers *all = cookie;

    if (contact_rank(c) != CONTACT_STRANGER)
        return ERR_OK;
    if (all->n == all->cap) {
        size_t cap = all->cap * 2 + 64;
        struct stranger *more = realloc(all->rows, cap * sizeof(*more));

        if (more == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        all->rows = more;
        all->cap = cap;
    }
    all->rows[all->n++] = (struct stranger){c->added, c->replaced, newest->uid};
    return ERR_OK;
}

/* One whose keys were replaced has something to be told: the others go before him. */
static int by_age(const void *a, const void *b)
{
    const struct stranger *x = a, *y = b;

    if (x->replaced != y->replaced)
        return x->replaced ? 1 : -1;
    return x->added < y->added ? -1 : x->added > y->added;
}

int contact_bound_strangers(struct vault *v, size_t *count, struct err *err)
{
    struct strangers all = {0};
    size_t drop = 0;
    int rc = contact_each_ranked(v, on_stranger, &all, err);

    if (rc == ERR_OK && all.n >= CONTACT_STRANGERS_MAX) {
        qsort(all.rows, all.n, sizeof(*all.rows), by_age);
        drop = all.n - CONTACT_STRANGERS_LEFT;
    }
    for (size_t i = 0; rc == ERR_OK && i < drop; i++)
        rc = contact_delete(v, &all.rows[i].uid, err);
    if (rc == ERR_OK)
        *count = all.n - drop;
    free(all.rows);
    return rc;
}

int contact_delete(struct vault *v, const struct uid *uid, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = vault_id(v, table, PART_OF(uid->b), id, err);

    if (rc == ERR_OK)
        rc = backup_touch(v, err); /* first, as in contact_save() */
    return rc == ERR_OK ? vault_delete(v, table, id, err) : rc;
}

/* What other contacts than ${c}, or groups, are called so, or were until a recovery? */
static int others(struct vault *v, const struct contact *c, const char *name,
                  struct search *ret_found, struct err *err)
{
    struct search s = {.name = name, .but = &c->chain.uid};
    enum backup_claim claim = BACKUP_NO_CLAIM;
    int rc = vault_each(v, table, on_search_row, &s, err);

    if (rc == ERR_OK && !s.found)
        rc = backup_claims(v, name, s.but, &claim, err);
    if (claim != BACKUP_NO_CLAIM || (rc == ERR_OK && !s.found && group_exists(v, name)))
        s.found = true;
    if (rc == ERR_OK)
        *ret_found = s;
    return rc;
}

/*
 * What the server calls a user counts only if it can be a username and finds nobody else: it
 * must not lead away from somebody who is pinned.
 */
static int take_username(struct vault *v, struct contact *c, const char *username, struct err *err)
{
    char text[IDS_USERNAME_TEXT] = "";
    struct search s = {0};
    int rc = ERR_OK;

    if (ids_check_username(username, NULL) == ERR_OK) {
        (void)snprintf(text, sizeof(text), "%s", username);
        rc = others(v, c, text, &s, err);
    }
    if (rc == ERR_OK)
        (void)snprintf(c->username, sizeof(c->username), "%s",
                       s.found || s.found_username ? "" : text);
    return rc;
}

int contact_name(struct vault *v, struct contact *c, const char *name, const char *username,
                 struct err *err)
{
    struct search s = {0};
    int rc = take_username(v, c, username, err);

    if (rc != ERR_OK || (name == NULL && c->named))
        return rc;
    if (name == NULL) {
        if (c->username[0] == '\0')
            ids_uid_to_text(&c->chain.uid, c->name);
        else
            (void)snprintf(c->name, sizeof(c->name), "%s", c->username);
        return ERR_OK;
    }
    rc = contact_check_name(name, err);
    if (rc == ERR_OK)
        rc = others(v, c, name, &s, err);
    if (rc == ERR_OK && s.found)
        rc = err_set(err, ERR_EXISTS, "another contact, or a group, is called '%s'", name);
    if (rc != ERR_OK)
        return rc;
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    c->named = true;
    return ERR_OK;
}

int contact_check_seen(const struct contact *c, struct err *err)
{
    if (!c->replaced)
        return ERR_OK;
    err_set(err, ERR_KEYCHANGED, "the identity key of '%s' was replaced, by a recovery", c->name);
    err_hint(err, "compare numbers: 'satchel contacts verify %s'; or 'satchel contacts accept %s'",
             c->name, c->name);
    return ERR_KEYCHANGED;
}

int contact_safety(const struct contact *c, const struct manifest *newest,
                   const struct manifest *mine, char ret_text[SAFETY_TEXT], bool *ret_verified,
                   struct err *err)
{
    int rc = safety_number(newest, mine, ret_text);

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot compute the safety number");
    if (ret_verified != NULL)
        *ret_verified = strcmp(ret_text, c->verified) == 0;
    return ERR_OK;
}
