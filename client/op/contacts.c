/* SPDX-License-Identifier: Apache-2.0 */
/* satchel/contacts.h: adding one is an operation, the rest is the vault alone. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/group.h"
#include "client/op/contacts.h"
#include "client/op/people.h"

/* ---- showing ---------------------------------------------------------------------- */

int contacts_show(const struct contact *c, const struct manifest *newest, const struct identity *me,
                  struct satchel_contact *ret, struct err *err)
{
    struct satchel_contact out = {.named = c->named,
                                  .blocked = c->blocked,
                                  .key_changed = c->replaced,
                                  .sequence = (uint32_t)newest->sequence,
                                  .added = c->added,
                                  .changed = c->changed};
    int rc = contact_safety(c, newest, chain_newest(&me->chain), out.safety, &out.verified, err);

    if (rc != ERR_OK)
        return rc;
    (void)snprintf(out.name, sizeof(out.name), "%s", c->name);
    (void)snprintf(out.username, sizeof(out.username), "%s", c->username);
    ids_uid_to_text(&newest->uid, out.user_id);
    *ret = out;
    return ERR_OK;
}

static int finish_call(int rc, const struct err *err, struct satchel_error *error)
{
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, err);
}

static int opened(const struct satchel *s, struct err *err)
{
    return s->profile != NULL ? ERR_OK : err_set(err, ERR_BADSTATE, "no profile is open");
}

int contacts_locate(struct satchel *s, const char *who, struct uid *ret_uid, struct err *err)
{
    int rc = contact_find(s->profile->vault, who, ret_uid, err);

    if (rc == ERR_NOTFOUND && ids_uid_from_text(who, ret_uid, NULL) == ERR_OK)
        return ERR_OK;
    return rc;
}

static int load(struct satchel *s, const char *who, struct contact *ret, struct err *err)
{
    struct uid uid;
    int rc = contacts_locate(s, who, &uid, err);

    if (rc == ERR_OK)
        rc = contact_load(s->profile->vault, &uid, ret, err);
    if (rc == ERR_NOTFOUND) {
        (void)err_set(err, rc, "no contact '%.64s'", who);
        err_hint(err, "'satchel contacts' lists them; 'satchel contacts add %.64s' adds one", who);
    }
    return rc;
}

/* ---- calls -------------------------------------------------------------------------- */

struct collection {
    const struct identity *me;
    struct satchel_contact *rows;
    size_t n, cap;
};

static int on_row(void *cookie, const struct contact *c, const struct manifest *newest,
                  struct err *err)
{
    struct collection *all = cookie;

    if (all->n == all->cap) {
        size_t cap = all->cap * 2 + 16;
        struct satchel_contact *more = realloc(all->rows, cap * sizeof(*more));

        if (more == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        all->rows = more;
        all->cap = cap;
    }
    return contacts_show(c, newest, all->me, &all->rows[all->n++], err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct satchel_contact *)a)->name,
                  ((const struct satchel_contact *)b)->name);
}

int satchel_contact_list(struct satchel *s,
                         void (*each)(void *cookie, const struct satchel_contact *c), void *cookie,
                         struct satchel_error *error)
{
    struct collection all = {0};
    struct err err = {0};
    int rc = opened(s, &err);

    if (rc == ERR_OK) {
        all.me = s->profile->id;
        rc = contact_each(s->profile->vault, on_row, &all, &err);
    }
    if (rc == ERR_OK && all.n > 0)
        qsort(all.rows, all.n, sizeof(*all.rows), by_name);
    for (size_t i = 0; rc == ERR_OK && i < all.n; i++)
        each(cookie, &all.rows[i]);
    free(all.rows);
    return finish_call(rc, &err, error);
}

int satchel_contact_get(struct satchel *s, const char *who, struct satchel_contact *ret,
                        struct satchel_error *error)
{
    struct contact c = {0};
    struct err err = {0};
    int rc = opened(s, &err);

    if (rc == ERR_OK)
        rc = load(s, who, &c, &err);
    if (rc == ERR_OK)
        rc = contacts_show(&c, chain_newest(&c.chain), s->profile->id, ret, &err);
    contact_free(&c);
    return finish_call(rc, &err, error);
}

/* The digits alone: people type spaces as they like. */
static bool same_number(const char *given, const char *ours)
{
    while (*given != '\0' || *ours != '\0') {
        if (isspace((unsigned char)*given))
            given++;
        else if (*ours == ' ')
            ours++;
        else if (*given++ != *ours++)
            return false;
    }
    return true;
}

/* ERR_INVALID: not as many digits as a safety number has, or something else. */
static int check_number(const char *number, struct err *err)
{
    size_t digits = 0;
    bool other = false;

    for (; *number != '\0'; number++) {
        digits += isdigit((unsigned char)*number) != 0;
        other |= !isdigit((unsigned char)*number) && !isspace((unsigned char)*number);
    }
    if (other)
        return err_set(err, ERR_INVALID, "a safety number has %d digits and nothing else",
                       SAFETY_DIGITS);
    if (digits != SAFETY_DIGITS)
        return err_set(err, ERR_INVALID, "a safety number has %d digits, not %zu", SAFETY_DIGITS,
                       digits);
    return ERR_OK;
}

struct change;
typedef int change_fn(struct satchel *s, const struct change *what, struct err *err);

/* What is changed of ${who}, with the vault's lock held. */
struct change {
    change_fn *work;
    const char *who, *text; /* a safety number, a name; NULL: none */
};

static int change(struct satchel *s, const struct change *what, struct satchel_error *error)
{
    struct err err = {0};
    int rc = opened(s, &err);

    if (rc == ERR_OK)
        rc = vault_lock(s->profile->vault, &err);
    if (rc == ERR_OK) {
        rc = what->work(s, what, &err);
        vault_unlock(s->profile->vault);
    }
    return finish_call(rc, &err, error);
}

static int verify(struct satchel *s, const struct change *what, struct err *err)
{
    const char *number = what->text;
    struct contact c = {0};
    char ours[SAFETY_TEXT];
    int rc = number != NULL ? check_number(number, err) : ERR_OK;

    if (rc == ERR_OK)
        rc = load(s, what->who, &c, err);
    if (rc == ERR_OK)
        rc = contact_safety(&c, chain_newest(&c.chain), chain_newest(&s->profile->id->chain), ours,
                            NULL, err);
    if (rc == ERR_OK && number != NULL && !same_number(number, ours)) {
        rc = err_set(err, ERR_INTEGRITY, "this is not the safety number with '%s'", c.name);
        err_hint(err, "one of you has wrong keys of the other: send nothing, and ask the operator");
    }
    if (rc == ERR_OK) {
        memcpy(c.verified, ours, sizeof(c.verified));
        c.replaced = false;
        rc = contact_save(s->profile->vault, &c, err);
    }
    contact_free(&c);
    return rc;
}

int satchel_contact_verify(struct satchel *s, const char *who, const char *number,
                           struct satchel_error *error)
{
    return change(s, &(struct change){verify, who, number}, error);
}

static int remove_contact(struct satchel *s, const struct change *what, struct err *err)
{
    struct contact c = {0};
    struct uid uid;
    int rc = contacts_locate(s, what->who, &uid, err);

    /* A damaged one can be removed as well. */
    if (rc == ERR_OK && contact_load(s->profile->vault, &uid, &c, err) == ERR_NOTFOUND)
        rc = err_set(err, ERR_NOTFOUND, "no contact '%.64s'", what->who);
    if (rc == ERR_OK && c.blocked) {
        rc = err_set(err, ERR_REFUSED, "'%s' is blocked", c.name);
        err_hint(err, "'satchel contacts unblock %s' comes first", c.name);
    }
    contact_free(&c);
    if (rc == ERR_OK)
        rc = group_forget(s->profile->vault, &uid, err);
    return rc == ERR_OK ? contact_delete(s->profile->vault, &uid, err) : rc;
}

static int accept_key(struct satchel *s, const struct change *what, struct err *err)
{
    struct contact c = {0};
    int rc = load(s, what->who, &c, err);

    if (rc == ERR_OK && c.replaced) {
        c.replaced = false;
        rc = contact_save(s->profile->vault, &c, err);
    }
    contact_free(&c);
    return rc;
}

int satchel_contact_accept(struct satchel *s, const char *who, struct satchel_error *error)
{
    return change(s, &(struct change){accept_key, who, NULL}, error);
}

static int rename_contact(struct satchel *s, const struct change *what, struct err *err)
{
    struct contact c = {0};
    int rc = load(s, what->who, &c, err);

    if (rc == ERR_OK)
        rc = contact_name(s->profile->vault, &c, what->text, c.username, err);
    if (rc == ERR_OK)
        rc = contact_save(s->profile->vault, &c, err);
    contact_free(&c);
    return rc;
}

int satchel_contact_rename(struct satchel *s, const char *who, const char *name,
                           struct satchel_error *error)
{
    return change(s, &(struct change){rename_contact, who, name}, error);
}

int satchel_contact_remove(struct satchel *s, const char *who, struct satchel_error *error)
{
    return change(s, &(struct change){remove_contact, who, NULL}, error);
}

/* ---- adding ---------------------------------------------------------------------------- */

struct adding {
    struct satchel_op op;
    char *who, *name;
    struct person person;
    struct people people;
    struct satchel_contact contact;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_contact *c);
};

static void found(struct satchel_op *op)
{
    struct adding *a = (struct adding *)op;
    const struct contact *c = &a->person.contact;
    struct err err = {0};
    int rc;

    if (a->person.self)
        rc = err_set(&err, ERR_INVALID, "'%s' is yourself", a->who);
    else
        rc = contacts_show(c, chain_newest(&c->chain), op->id, &a->contact, &err);
    op_end(op, rc == ERR_OK ? NULL : &err);
}

static void begin(struct satchel_op *op)
{
    struct adding *a = (struct adding *)op;

    a->person.who = a->who;
    a->person.new_name = a->name;
    a->people = (struct people){.op = op, .p = &a->person, .n = 1, .done = found};
    people_find(&a->people);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct adding *a = (struct adding *)op;

    a->done(op->done_cookie, err, err == NULL ? &a->contact : NULL);
}

static void free_adding(struct satchel_op *op)
{
    struct adding *a = (struct adding *)op;

    person_free(&a->person);
    free(a->who);
    free(a->name);
    free(a);
}

int satchel_contact_add_start(struct satchel *s, const struct satchel_contact_add_options *o,
                              struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_adding};
    struct adding *a;
    struct err err = {0};
    int rc = ERR_OK;

    if (o->who == NULL)
        rc = err_set(&err, ERR_INVALID, "whom to add?");
    if (rc == ERR_OK && o->name != NULL)
        rc = contact_check_name(o->name, &err);
    if (rc != ERR_OK)
        return handle_error(error, &err);
    a = calloc(1, sizeof(*a));
    if (a == NULL)
        return op_no_memory(error);
    a->done = o->done;
    if (settings_set(&a->who, o->who, &err) != ERR_OK ||
        settings_set(&a->name, o->name, &err) != ERR_OK) {
        free_adding(&a->op);
        return handle_error(error, &err);
    }
    return op_start(&a->op, s, &kind, o->cookie, ret_op, error);
}
