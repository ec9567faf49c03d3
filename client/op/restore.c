/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: what is noted is read on a worker -> for some contacts at a time:
 * looked up and pinned -> what was known of them is noted on a worker -> the
 * next ones -> the groups, and nothing is left to do.
 *
 * Contacts keep the names and usernames of the record, whatever the server calls
 * them now: that is only told.  A contact who is gone, or whose keys do not follow
 * from those that were pinned, is lost or marked: that does not end the operation.
 */
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/op/people.h"

enum { AT_A_TIME = 32 };

struct restore {
    struct satchel_op op;
    struct op_job job;
    struct backup_contact *list;
    size_t n, at;
    struct person persons[AT_A_TIME];
    struct people people;
    struct satchel_restored result;
    struct backup_lost lost; /* groups */
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_restored *r);
};

static void drop_persons(struct restore *r)
{
    for (size_t i = 0; i < r->people.n; i++)
        person_free(&r->persons[i]);
    memset(r->persons, 0, sizeof(r->persons));
    r->people.n = 0;
}

/* ---- third: groups ---- */

static int finish_work(struct op_job *job, struct err *err)
{
    struct restore *r = (struct restore *)job->op;
    struct vault *v = r->op.s->profile->vault;
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = backup_make_groups(v, &r->lost, err);
    if (rc == ERR_OK)
        rc = backup_note_rest(v, NULL, err);
    vault_unlock(v);
    return rc;
}

static void finished(struct op_job *job)
{
    struct restore *r = (struct restore *)job->op;

    r->result.lost_groups = (uint32_t)r->lost.n;
    for (size_t i = 0; i < r->lost.n && !r->op.ended; i++)
        handle_notice(r->op.s, SATCHEL_NOTICE_LOST, r->lost.names[i],
                      "the group '%s' did not come back whole: its name is a contact's, or it is "
                      "too large",
                      r->lost.names[i]);
    if (r->op.ended) /* by the caller, inside on_notice */
        return;
    op_end(job->op, NULL);
}

/* ---- second: some of them ---- */

static void next(struct restore *r);

/* What was known of ${b} besides his keys. */
static int note(struct vault *v, const struct backup_contact *b, struct err *err)
{
    struct contact c = {0};
    int rc = contact_load(v, &b->uid, &c, err);

    if (rc == ERR_OK) {
        memcpy(c.verified, b->verified, sizeof(c.verified));
        memcpy(c.email, b->email, sizeof(c.email));
        c.blocked = b->blocked;
        /* Keys that do not follow from what was pinned are for somebody to look at. */
        c.replaced |= b->replaced || chain_find(&c.chain, &b->manifest) == NULL;
        rc = contact_save(v, &c, err);
    }
    contact_free(&c);
    return rc;
}

static int note_work(struct op_job *job, struct err *err)
{
    struct restore *r = (struct restore *)job->op;
    struct vault *v = r->op.s->profile->vault;
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < r->people.n; i++) {
        const struct person *p = &r->persons[i];

        if (p->err.code == ERR_OK && !p->self)
            rc = note(v, &r->list[r->at + i], err);
        r->result.contacts += p->err.code == ERR_OK;
        r->result.lost += p->err.code != ERR_OK;
    }
    vault_unlock(v);
    return rc;
}

/* A username may change, and a server may lie: that is for somebody to look at. */
static void tell_username(const struct restore *r, size_t i)
{
    const struct person *p = &r->persons[i];
    const char *before = r->list[r->at + i].username;

    if (p->err.code == ERR_OK && !p->self && before[0] != '\0' && p->username[0] != '\0' &&
        strcmp(before, p->username) != 0)
        handle_notice(r->op.s, SATCHEL_NOTICE_USERNAME, p->contact.name,
                      "the server calls '%s' '%s' now, no longer '%s': here the contact's name "
                      "stays as it was",
                      p->contact.name, p->username, before);
}

static void noted(struct op_job *job)
{
    struct restore *r = (struct restore *)job->op;

    for (size_t i = 0; i < r->people.n && !r->op.ended; i++)
        tell_username(r, i);
    if (r->op.ended) /* by the caller, inside on_notice */
        return;
    r->at += r->people.n;
    drop_persons(r);
    next(r);
}

/* Whom nobody finds again, and why: his owner knows him by this name alone. */
static void name_lost(struct restore *r)
{
    char id[IDS_UID_TEXT];

    for (size_t i = 0; i < r->people.n && !r->op.ended; i++) {
        const struct backup_contact *b = &r->list[r->at + i];
        const char *name = b->name[0] != '\0' ? b->name : id;

        ids_uid_to_text(&b->uid, id);
        if (r->persons[i].err.code != ERR_OK)
            handle_notice(r->op.s, SATCHEL_NOTICE_LOST, name,
                          "the contact '%s' (%s) did not come back: %.200s", name, id,
                          r->persons[i].err.code == ERR_NOTFOUND ? "there is no such user any more"
                                                                 : r->persons[i].err.msg);
    }
}

static void found(struct satchel_op *op)
{
    name_lost((struct restore *)op);
    if (op->ended) /* by the caller, inside on_notice */
        return;
    op_job(op, &((struct restore *)op)->job, note_work, noted);
}

static void next(struct restore *r)
{
    size_t n = r->n - r->at < AT_A_TIME ? r->n - r->at : AT_A_TIME;

    if (n == 0) {
        op_job(&r->op, &r->job, finish_work, finished);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct backup_contact *b = &r->list[r->at + i];

        r->persons[i].uid = b->uid;
        r->persons[i].chosen = true; /* strangers came last in the record, if at all */
        r->persons[i].new_name = b->named ? b->name : NULL;
        r->persons[i].old_username = b->username;
    }
    r->people =
        (struct people){.op = &r->op, .p = r->persons, .n = n, .each_alone = true, .done = found};
    people_find(&r->people);
}

/* ---- first: what is left to do ---- */

static int read_work(struct op_job *job, struct err *err)
{
    struct restore *r = (struct restore *)job->op;
    int rc = backup_rest(r->op.s->profile->vault, &r->list, &r->n, err);

    /* No record is written over it as long as the note is there (backup_build()). */
    if (rc == ERR_CORRUPT)
        err_hint(err, "the server still has the account record: 'satchel profile reset', then "
                      "'satchel recover' or 'satchel device join', read it again");
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

static void was_read(struct op_job *job)
{
    struct restore *r = (struct restore *)job->op;

    if (r->list == NULL)
        op_end(job->op, NULL);
    else
        next(r);
}

static void begin(struct satchel_op *op)
{
    op_job(op, &((struct restore *)op)->job, read_work, was_read);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct restore *r = (struct restore *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->result : NULL);
}

static void free_restore(struct satchel_op *op)
{
    struct restore *r = (struct restore *)op;

    drop_persons(r);
    backup_lost_free(&r->lost);
    free(r->list);
    free(r);
}

int satchel_restore_start(struct satchel *s, const struct satchel_restore_options *o,
                          struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_restore};
    struct restore *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return op_no_memory(error);
    r->done = o->done;
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}
