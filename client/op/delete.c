/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID and its folders -> Delete, for each -> Done.
 * Ways to fail: ERR_NOTFOUND (also: not in that folder), ERR_INVALID (ambiguous).
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/find.h"

struct deletion {
    struct satchel_op op;
    struct find find;
    enum satchel_folder folder;
    unsigned left; /* requests without an answer */
    void (*done)(void *cookie, const struct satchel_error *err, const char *id);
};

static void on_deleted(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct deletion *d = (struct deletion *)op;
    struct err err;

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&d->find, a->err);
        op_end(op, &err);
    } else if (--d->left == 0) {
        op_end(op, NULL);
    }
}

static void ask(struct deletion *d, Satchel__Folder folder)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Delete m = SATCHEL__DELETE__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_deleted, .errors = true};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, d->find.tid.b};
    m.folder = folder;
    e.body_case = SATCHEL__ENVELOPE__BODY_DELETE;
    e.delete_ = &m;
    if (op_ask(&d->op, &a))
        d->left++;
}

static void found(struct satchel_op *op)
{
    struct deletion *d = (struct deletion *)op;
    bool in_inbox = d->find.role != SATCHEL__ROLE__SENDER;
    bool in_sent = d->find.role != SATCHEL__ROLE__RECIPIENT;

    if ((d->folder == SATCHEL_INBOX && !in_inbox) || (d->folder == SATCHEL_SENT && !in_sent)) {
        op_fail(op, ERR_NOTFOUND, "transfer '%s' is not in this folder", d->find.prefix);
        return;
    }
    if (in_inbox && d->folder != SATCHEL_SENT)
        ask(d, SATCHEL__FOLDER__INBOX);
    if (in_sent && d->folder != SATCHEL_INBOX && !op->ended)
        ask(d, SATCHEL__FOLDER__SENT);
}

static void begin(struct satchel_op *op)
{
    struct deletion *d = (struct deletion *)op;

    d->find.op = op;
    d->find.role_wanted = true;
    d->find.done = found;
    find_one(&d->find);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct deletion *d = (struct deletion *)op;

    d->done(op->done_cookie, err, err == NULL ? d->find.id : NULL);
}

static void free_deletion(struct satchel_op *op)
{
    free(op);
}

int satchel_delete_start(struct satchel *s, const struct satchel_delete_options *o,
                         struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_deletion};
    struct deletion *d;
    struct err err = {0};
    char prefix[SATCHEL_ID_SIZE];

    if (find_check(o->id, prefix, &err) != ERR_OK)
        return handle_error(error, &err);
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return op_no_memory(error);
    memcpy(d->find.prefix, prefix, sizeof(prefix));
    d->folder = o->folder;
    d->done = o->done;
    return op_start(&d->op, s, &kind, o->cookie, ret_op, error);
}
