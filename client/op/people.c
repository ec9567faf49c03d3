/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each user: locate (worker: contact, pinned manifests) -> Lookup, again
 * while there is more -> pin (worker: check, write) -> told.
 *
 * Ways to fail:
 *  - no such user                                    ERR_NOTFOUND
 *  - not a name, ID, username or address             ERR_INVALID
 *  - manifests that do not follow from the pinned    ERR_KEYCHANGED
 *  - another user than asked for, gaps, no message   ERR_PROTO, ERR_INTEGRITY
 *  - the vault                                       its errors
 *
 * Manifests are asked for from the newest pinned one on.  If that does not
 * fit, they are asked for once more from the first: a succession may have
 * replaced some.
 */
#include "client/op/people.h"
#include "client/op/people_name.h"
#include "client/op/people_pin.h"

#include <stdio.h>
#include <string.h>

enum { RAW_MAX = 20 * 1024 * 1024, STRANGER_RAW_MAX = 2 * 1024 * 1024 };

void person_free(struct person *p)
{
    contact_free(&p->contact);
    buf_free(&p->raw);
}

const char *person_name(const struct person *p)
{
    return p->contact.name;
}

const struct chain *person_chain(const struct person *p, const struct identity *me)
{
    return p->self ? &me->chain : &p->contact.chain;
}

static const char *label(const struct person *p)
{
    return p->who != NULL ? p->who : p->contact.name;
}

static void settle(struct person *p)
{
    struct people *all = p->all;

    if (--all->left == 0)
        all->done(all->op);
}

/* This one cannot be found. */
static void give_up(struct person *p, const struct err *why)
{
    if (!p->all->each_alone) {
        op_end(p->all->op, why);
        return;
    }
    p->err = *why;
    settle(p);
}

/* Jobs leave their errors in p->err, so that one who fails need not end the operation. */
static bool job_failed(struct person *p)
{
    struct err why = p->err;

    if (why.code == ERR_OK)
        return false;
    p->err = (struct err){0};
    give_up(p, &why);
    return true;
}

/* Local failures are no fault of one user: they end the operation. */
static int sort_error(struct person *p, int rc, struct err *err)
{
    switch (rc) {
    case ERR_NOTFOUND:
    case ERR_INVALID:
    case ERR_KEYCHANGED:
    case ERR_INTEGRITY:
    case ERR_PROTO:
    case ERR_UNSUPPORTED:
    case ERR_LIMIT:
    case ERR_EXISTS:
        if (err->code != rc)
            (void)err_set(err, rc, "%s", err_text(rc));
        p->err = *err;
        return ERR_OK;
    default:
        return rc;
    }
}

/* ---- third: pin ---------------------------------------------------------------- */

static int key_changed(struct person *p, struct err *err)
{
    char why[sizeof(err->msg)];

    (void)snprintf(why, sizeof(why), "%s", err->msg);
    err_set(err, ERR_KEYCHANGED, "the keys of '%s' do not follow from the pinned ones: %.200s",
            label(p), why);
    err_hint(err, "do not send anything; ask %s by other means, then remove and add the contact",
             label(p));
    return ERR_KEYCHANGED;
}

static int pin_work(struct op_job *job, struct err *err)
{
    struct person *p = LIST_OWNER(job, struct person, job);
    struct vault *v = job->op->s->profile->vault;
    bool done = false;
    /* Most that are looked up are known: then nobody has to wait for his turn. */
    int rc = people_pin(p, v, false, &done, NULL);

    if (!done) {
        rc = vault_lock(v, err);
        if (rc != ERR_OK)
            return rc;
        rc = people_pin(p, v, true, &done, err);
        vault_unlock(v);
    }
    if (rc == ERR_KEYCHANGED)
        rc = key_changed(p, err);
    return rc == ERR_OK ? rc : sort_error(p, rc, err);
}

static void look_up(struct person *p, uint64_t from);

/*
 * A contact of this account that comes along to this machine: how far to trust him was settled
 * where he was met.  Others looked up by user ID are strangers, or senders, who may be gone.
 */
static bool is_ours(const struct person *p)
{
    return p->who == NULL && p->chosen && !p->may_be_gone;
}

static void pinned(struct op_job *job)
{
    struct person *p = LIST_OWNER(job, struct person, job);
    struct satchel *s = job->op->s;

    if ((p->err.code == ERR_KEYCHANGED || p->err.code == ERR_PROTO) && p->from > 1) {
        p->err = (struct err){0};
        look_up(p, 1);
        return;
    }
    if (job_failed(p))
        return;
    buf_free(&p->raw);
    if (p->address)
        handle_notice(
            s, SATCHEL_NOTICE_PINNED, p->contact.name,
            "the server says that '%s' is the address of '%s': it does not check addresses",
            p->email, p->contact.name);
    if (p->fresh && !is_ours(p))
        handle_notice(s, SATCHEL_NOTICE_PINNED, p->contact.name,
                      "'%s' is seen for the first time: the keys were pinned, not verified "
                      "('satchel contacts verify %s')",
                      p->contact.name, p->contact.name);
    if (p->succeeded && !p->fresh)
        handle_notice(s, SATCHEL_NOTICE_SUCCESSION, p->contact.name,
                      "'%s' has a new identity key after a recovery: verify the contact again",
                      p->contact.name);
    settle(p);
}

/* ---- second: ask ------------------------------------------------------------------- */

/* That one small manifest of him is pinned makes nobody less of a stranger. */
static size_t raw_max(const struct person *p)
{
    bool stranger = !p->chosen && contact_rank(&p->contact) == CONTACT_STRANGER;

    return stranger ? STRANGER_RAW_MAX : RAW_MAX;
}

/* Keep what came, unread: signatures are checked on a worker. */
static int keep(struct person *p, const Satchel__LookupReply *m, struct err *err)
{
    for (size_t i = 0; i < m->n_manifests; i++) {
        const Satchel__Signed *one = m->manifests[i];
        size_t len = satchel__signed__get_packed_size(one);
        uint8_t *to;

        if (p->raw.len + len + 4 > raw_max(p))
            return err_set(err, ERR_LIMIT, "the server has too many manifests of '%s'", label(p));
        buf_u32(&p->raw, (uint32_t)len);
        to = buf_reserve(&p->raw, len);
        if (to != NULL)
            p->raw.len += satchel__signed__pack(one, to);
    }
    return buf_check(&p->raw, err);
}

static int take_reply(struct person *p, const Satchel__LookupReply *m, struct err *err)
{
    if (m->user_id.len != IDS_UID_LEN ||
        (p->known && memcmp(m->user_id.data, p->uid.b, IDS_UID_LEN) != 0))
        return err_set(err, ERR_PROTO, "the server answered with another user than '%s'", label(p));
    memcpy(p->uid.b, m->user_id.data, IDS_UID_LEN);
    p->known = true;
    (void)snprintf(p->username, sizeof(p->username), "%s", m->username);
    p->last = m->last_sequence;
    p->next += m->n_manifests;
    if (p->next - p->from > CHAIN_MAX + 1)
        return err_set(err, ERR_LIMIT, "the server has too many manifests of '%s'", label(p));
    if (m->n_manifests == 0 && p->last >= p->next)
        return err_set(err, ERR_PROTO, "the server holds back manifests of '%s'", label(p));
    return keep(p, m, err);
}

static void ask(struct person *p);

static void on_reply(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct person *p = arg;
    const Satchel__LookupReply *m = a->err == NULL ? a->e->lookup_reply : NULL;
    struct err err = {0};

    if (a->err != NULL) {
        err = *a->err;
        if (err.code == ERR_NOTFOUND && p->may_be_gone && p->contact.chain.n > 0) {
            settle(p);
        } else if (err.code == ERR_NOTFOUND) {
            err_set(&err, ERR_NOTFOUND, "no user '%s'", label(p));
            err_hint(&err, "ask them for their username on this server, or for their user ID");
            give_up(p, &err);
        } else if (p->all->skips && (err.code == ERR_RATE || err.code == ERR_BUSY)) {
            give_up(p, &err);
        } else {
            op_end(op, &err);
        }
        return;
    }
    if (take_reply(p, m, &err) != ERR_OK) {
        give_up(p, &err);
        return;
    }
    if (memcmp(&p->uid, &op->id->uid, sizeof(p->uid)) == 0) {
        p->self = true; /* by our own username */
        (void)snprintf(p->contact.name, sizeof(p->contact.name), "%s", op->id->username);
        settle(p);
    } else if (p->next <= p->last) {
        ask(p);
    } else if (m->n_manifests == 1 && people_is_as_before(p, m->manifests[0])) {
        settle(p);
    } else {
        op_job(op, &p->job, pin_work, pinned);
    }
}

static void ask(struct person *p)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Lookup m = SATCHEL__LOOKUP__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY},
                       .cb = on_reply,
                       .arg = p,
                       .errors = true};

    if (p->known) {
        m.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
        m.user_id = (ProtobufCBinaryData){sizeof(p->uid.b), p->uid.b};
    } else if (p->email[0] != '\0') {
        m.who_case = SATCHEL__LOOKUP__WHO_EMAIL;
        m.email = p->email;
    } else {
        m.who_case = SATCHEL__LOOKUP__WHO_USERNAME;
        m.username = (char *)p->who;
    }
    m.from_sequence = p->next;
    e.body_case = SATCHEL__ENVELOPE__BODY_LOOKUP;
    e.lookup = &m;
    (void)op_ask(p->all->op, &a);
}

static void look_up(struct person *p, uint64_t from)
{
    buf_reset(&p->raw);
    p->from = p->next = from;
    ask(p);
}

/* ---- first: locate ------------------------------------------------------------------ */

/*
 * Need the server not be asked about him?  Not if something would be pinned, nor if his key has
 * ended: then there is likely another.
 */
static bool will_do(const struct person *p)
{
    const struct manifest_ek *ek = NULL;
    bool lapsed = false;

    return p->all->pinned_will_do && p->pinned > 0 && p->email[0] == '\0' && people_is_pinned(p) &&
           manifest_choose_ek(chain_newest(&p->contact.chain), handle_now(), &ek, &lapsed, NULL) ==
               ERR_OK &&
           !lapsed;
}

static int locate(struct person *p, struct err *err)
{
    const struct satchel_op *op = p->all->op;
    struct vault *v = op->s->profile->vault;
    int rc = ERR_OK;

    p->known = p->who == NULL;
    if (!p->known)
        rc = people_identify(p, v, err);
    if (rc == ERR_OK && p->known) {
        p->self = memcmp(&p->uid, &op->id->uid, sizeof(p->uid)) == 0;
        if (!p->self)
            rc = contact_load(v, &p->uid, &p->contact, err);
        if (rc == ERR_NOTFOUND) { /* not seen before */
            ids_uid_to_text(&p->uid, p->contact.name);
            rc = ERR_OK;
        }
    }
    p->pinned = p->contact.chain.n;
    if (rc == ERR_OK && will_do(p)) {
        rc = manifest_digest(chain_newest(&p->contact.chain), &p->newest);
        p->unasked = rc == ERR_OK;
    }
    p->located = true;
    return rc == ERR_OK ? rc : sort_error(p, rc, err);
}

static int locate_work(struct op_job *job, struct err *err)
{
    return locate(LIST_OWNER(job, struct person, job), err);
}

static bool has_wanted(const struct person *p)
{
    for (size_t i = 0; i < p->n_wants; i++)
        if (chain_find(&p->contact.chain, &p->wants[i]) == NULL)
            return false;
    return p->wants != NULL && p->contact.chain.n > 0;
}

static void go_on(struct person *p)
{
    if (job_failed(p))
        return;
    if (p->self) {
        (void)snprintf(p->contact.name, sizeof(p->contact.name), "%s", p->all->op->id->username);
        settle(p);
    } else if (p->unasked || has_wanted(p)) {
        settle(p);
    } else {
        look_up(p, p->pinned > 1 ? p->pinned : 1);
    }
}

static void located(struct op_job *job)
{
    go_on(LIST_OWNER(job, struct person, job));
}

static void prepare(struct people *all, struct person *p)
{
    p->all = all;
    p->chosen |= p->who != NULL || p->new_name != NULL;
}

int people_locate(struct people *all, struct err *err)
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < all->n; i++) {
        prepare(all, &all->p[i]);
        rc = locate(&all->p[i], err);
    }
    return rc;
}

void people_find(struct people *all)
{
    struct satchel_op *op = all->op;
    size_t n = all->n;

    all->left = n;
    for (size_t i = 0; i < n && op_going(op); i++) {
        struct person *p = &all->p[i];

        prepare(all, p);
        if (p->located)
            go_on(p);
        else
            op_job(op, &p->job, locate_work, located);
    }
}
