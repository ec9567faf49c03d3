/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/find.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int find_check(const char *text, char ret_prefix[SATCHEL_ID_SIZE], struct err *err)
{
    size_t n = text != NULL ? strlen(text) : 0;

    if (n < 1 || n >= SATCHEL_ID_SIZE || strspn(text, "0123456789abcdefABCDEF") != n)
        return err_set(err, ERR_INVALID, "'%.64s' is not a transfer ID, or the beginning of one",
                       text != NULL ? text : "");
    for (size_t i = 0; i <= n; i++)
        ret_prefix[i] = (char)tolower((unsigned char)text[i]);
    return ERR_OK;
}

static void none(const struct find *f, struct err *ret)
{
    err_set(ret, ERR_NOTFOUND, "no transfer '%s'", f->prefix);
    err_hint(ret, "'satchel inbox --all' and 'satchel sent' list them");
}

struct err find_error(const struct find *f, const struct err *why)
{
    struct err e = *why;

    if (e.code == ERR_NOTFOUND)
        none(f, &e);
    else
        err_wrap(&e, "transfer '%s'", f->prefix);
    return e;
}

static void ask(struct satchel_op *op, const char *prefix, op_answer_cb *cb, void *arg)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FindTransfers m = SATCHEL__FIND_TRANSFERS__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_FIND_REPLY}, .cb = cb, .arg = arg};

    m.prefix = (char *)prefix;
    e.body_case = SATCHEL__ENVELOPE__BODY_FIND_TRANSFERS;
    e.find_transfers = &m;
    (void)op_ask(op, &a);
}

/* A row that really begins with the prefix. */
static bool fits(const Satchel__Found *row, const char *prefix, char ret_id[SATCHEL_ID_SIZE])
{
    struct tid tid;

    if (row->tid.len != IDS_TID_LEN)
        return false;
    memcpy(tid.b, row->tid.data, IDS_TID_LEN);
    ids_tid_to_text(&tid, ret_id);
    return strncmp(ret_id, prefix, strlen(prefix)) == 0;
}

static void on_one(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct find *f = arg;
    const Satchel__FindReply *m = a->e->find_reply;
    struct err err = {0};

    if (m->n_found == 0) {
        none(f, &err);
        op_end(op, &err);
    } else if (m->n_found > 1) {
        err_set(&err, ERR_INVALID, "several transfers begin with '%s'", f->prefix);
        err_hint(&err, "type more of it");
        op_end(op, &err);
    } else if (!fits(m->found[0], f->prefix, f->id)) {
        op_fail(op, ERR_PROTO, "the server found another transfer than '%s'", f->prefix);
    } else {
        memcpy(f->tid.b, m->found[0]->tid.data, IDS_TID_LEN);
        f->role = m->found[0]->role;
        f->done(op);
    }
}

void find_one(struct find *f)
{
    if (!f->role_wanted && strlen(f->prefix) == SATCHEL_ID_SIZE - 1 &&
        ids_tid_from_text(f->prefix, &f->tid, NULL) == ERR_OK) {
        memcpy(f->id, f->prefix, sizeof(f->id));
        f->done(f->op);
        return;
    }
    ask(f->op, f->prefix, on_one, f);
}

/* ---- not the sender ---- */

static void on_not_sent(struct satchel_op *op, void *arg, const struct answer *a)
{
    const struct find *f = arg;
    const Satchel__FindReply *m = a->e->find_reply;
    char id[SATCHEL_ID_SIZE];
    struct err err = {0};

    if (m->n_found == 1 && fits(m->found[0], f->prefix, id) &&
        m->found[0]->role == SATCHEL__ROLE__RECIPIENT) {
        err_set(&err, ERR_REFUSED, "transfer '%s' was sent to you: only its sender can %s",
                f->prefix, f->what);
        err_hint(&err, "'satchel delete %s' takes it out of your inbox", f->prefix);
    } else {
        none(f, &err);
    }
    op_end(op, &err);
}

void find_end_not_sent(struct find *f, const char *what)
{
    f->what = what;
    ask(f->op, f->prefix, on_not_sent, f);
}

/* ---- satchel_find_start ------------------------------------------------------- */

struct finding {
    struct satchel_op op;
    char prefix[SATCHEL_ID_SIZE];
    void (*on_found)(void *cookie, const char *id, bool inbox, bool sent);
    satchel_done_cb *done;
};

static void on_found(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct finding *f = (struct finding *)op;
    const Satchel__FindReply *m = a->e->find_reply;

    (void)arg;
    for (size_t i = 0; i < m->n_found && !op->ended; i++) {
        char id[SATCHEL_ID_SIZE];

        if (!fits(m->found[i], f->prefix, id)) {
            op_fail(op, ERR_PROTO, "the server found another transfer than '%s'", f->prefix);
            return;
        }
        if (f->on_found != NULL)
            f->on_found(op->cookie, id, m->found[i]->role != SATCHEL__ROLE__SENDER,
                        m->found[i]->role != SATCHEL__ROLE__RECIPIENT);
    }
    op_end(op, NULL);
}

static void begin(struct satchel_op *op)
{
    ask(op, ((struct finding *)op)->prefix, on_found, NULL);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    ((struct finding *)op)->done(op->done_cookie, err);
}

static void free_finding(struct satchel_op *op)
{
    free(op);
}

int satchel_find_start(struct satchel *s, const struct satchel_find_options *o,
                       struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_finding};
    struct finding *f;
    struct err err = {0};
    char prefix[SATCHEL_ID_SIZE];

    if (find_check(o->prefix, prefix, &err) != ERR_OK)
        return handle_error(error, &err);
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return op_no_memory(error);
    memcpy(f->prefix, prefix, sizeof(prefix));
    f->on_found = o->on_found;
    f->done = o->done;
    return op_start(&f->op, s, &kind, o->cookie, ret_op, error);
}
