/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the user, who is pinned if he was not -> SetBlock -> Done ->
 * noted in the contact.
 *
 * Ways to fail: those of the link and of people.c; ERR_TOOLARGE from the server.
 * After a lost answer the same call again finishes.
 */
#include <stdlib.h>
#include <string.h>

#include "client/op/contacts.h"
#include "client/op/people.h"

struct blocking {
    struct satchel_op op;
    char *who;
    bool unblock;
    struct op_job job;
    struct person person;
    struct people people;
    struct satchel_contact contact;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_contact *c);
};

/* ---- third: noted ---- */

static int note(struct blocking *b, struct vault *v, struct err *err)
{
    struct contact c = {0};
    int rc = contact_load(v, &b->person.uid, &c, err);

    if (rc == ERR_OK && c.blocked == b->unblock) {
        c.blocked = !b->unblock;
        rc = contact_save(v, &c, err);
    }
    if (rc == ERR_OK)
        rc = contacts_show(&c, chain_newest(&c.chain), b->op.id, &b->contact, err);
    contact_free(&c);
    return rc;
}

static int note_work(struct op_job *job, struct err *err)
{
    struct blocking *b = (struct blocking *)job->op;
    struct vault *v = b->op.s->profile->vault;
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = note(b, v, err);
    vault_unlock(v);
    return rc;
}

static void noted(struct op_job *job)
{
    op_end(job->op, NULL);
}

/* ---- second: the server ---- */

static void on_set(struct satchel_op *op, void *arg, const struct answer *a)
{
    (void)arg;
    (void)a;
    op_job(op, &((struct blocking *)op)->job, note_work, noted);
}

static void found(struct satchel_op *op)
{
    struct blocking *b = (struct blocking *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__SetBlock m = SATCHEL__SET_BLOCK__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_set};

    if (b->person.self) {
        op_fail(op, ERR_INVALID, "'%s' is yourself", b->who);
        return;
    }
    m.user_id = (ProtobufCBinaryData){sizeof(b->person.uid.b), b->person.uid.b};
    m.blocked = !b->unblock;
    e.body_case = SATCHEL__ENVELOPE__BODY_SET_BLOCK;
    e.set_block = &m;
    (void)op_ask(op, &a);
}

/* ---- first: who ---- */

static void begin(struct satchel_op *op)
{
    static const struct hash32 nothing;
    struct blocking *b = (struct blocking *)op;

    /* A contact is not looked up again: he may be gone, or have blocked us. */
    b->person.who = b->who;
    b->person.wants = &nothing;
    b->people = (struct people){.op = op, .p = &b->person, .n = 1, .done = found};
    people_find(&b->people);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct blocking *b = (struct blocking *)op;

    b->done(op->done_cookie, err, err == NULL ? &b->contact : NULL);
}

static void free_blocking(struct satchel_op *op)
{
    struct blocking *b = (struct blocking *)op;

    person_free(&b->person);
    free(b->who);
    free(b);
}

int satchel_contact_block_start(struct satchel *s, const struct satchel_contact_block_options *o,
                                struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_blocking};
    struct blocking *b;
    struct err err = {0};

    if (o->who == NULL) {
        (void)err_set(&err, ERR_INVALID, "whom to block?");
        return handle_error(error, &err);
    }
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return op_no_memory(error);
    b->unblock = o->unblock;
    b->done = o->done;
    if (settings_set(&b->who, o->who, &err) != ERR_OK) {
        free_blocking(&b->op);
        return handle_error(error, &err);
    }
    return op_start(&b->op, s, &kind, o->cookie, ret_op, error);
}
