/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/op/addendum.h"
#include "common/show.h"

#define FORGET_MS                                                                                  \
    ((uint64_t)31 * 24 * 3600 * 1000) /* rows are shown for 30 days after their end                \
                                       */

static struct part view_of(ProtobufCBinaryData b)
{
    return part(b.data, b.len);
}

int row_take(struct row *row, Satchel__Transfer *t, struct err *err)
{
    int rc = ERR_OK;

    row->t = t;
    if (t->share_meta.len > 0) {
        rc = secret_copy(&row->share, t->share_meta.data, t->share_meta.len, err);
        secret_wipe(t->share_meta.data, t->share_meta.len);
    }
    if (rc == ERR_OK &&
        receive_peek(view_of(t->header), view_of(t->slot), &row->claim, &row->problem) == ERR_NOMEM)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK && t->addendum != NULL)
        rc = addendum_peek(t->addendum, &row->addendum, err); /* it fails its check later */
    return rc;
}

void row_free(struct row *row)
{
    satchel__transfer__free_unpacked(row->t, NULL);
    secret_free(&row->share);
    receive_free(&row->r);
    *row = (struct row){0};
}

void row_input(const struct row *row, const struct row_view *view, struct part *proof,
               struct receive_in *ret_in)
{
    const Satchel__Transfer *t = row->t;
    size_t n = t->n_proof < SLOT_PROOF_MAX ? t->n_proof : SLOT_PROOF_MAX;

    for (size_t i = 0; i < n; i++)
        proof[i] = view_of(t->proof[i]);
    *ret_in = (struct receive_in){.header = view_of(t->header),
                                  .signature = view_of(t->signature),
                                  .slot = view_of(t->slot),
                                  .slot_index = t->slot_index,
                                  .proof = proof,
                                  .n_proof = n,
                                  .metadata = view_of(t->metadata),
                                  .share_meta = &row->share,
                                  .chain = person_chain(row->sender, view->me),
                                  .me = &view->me->uid,
                                  .now = view->now,
                                  .ek = identity_ek(view->me, &row->claim.ek_id)};
}

/* When ${ms} was, as " on 2026-11-20"; nothing if it is not known, or has not come. */
static const char *on_day(uint64_t ms, uint64_t now, char out[SHOW_TIME + 4])
{
    char day[SHOW_TIME];

    out[0] = '\0';
    if (ms != 0 && ms <= now)
        (void)snprintf(out, SHOW_TIME + 4, " on %s", show_minute(ms, day));
    return out;
}

/* Whom to ask; nobody for what we have sent ourselves. */
static void hint_sender(const struct person *sender, struct err *err)
{
    if (sender->self)
        err_hint(err, "send it again");
    else
        err_hint(err, "ask %s to send it again", person_name(sender));
}

void row_hint(const struct row *row, struct err *err)
{
    if (err->code == ERR_EXPIRED || err->code == ERR_SPENT)
        hint_sender(row->sender, err);
}

static int expired(const struct row *row, uint64_t now, struct err *err)
{
    char day[SHOW_TIME + 4];

    err_set(err, ERR_EXPIRED, "it expired%s",
            on_day(row->extended != 0 ? row->extended : row->r.header.expires, now, day));
    hint_sender(row->sender, err);
    return ERR_EXPIRED;
}

/* Why the server withholds share and metadata; ERR_OK: it should not. */
static int withheld(const struct row *row, uint64_t now, struct err *err)
{
    char day[SHOW_TIME + 4];

    switch (row->t->state) {
    case SATCHEL__SLOT_STATE__SLOT_EXPIRED:
        return expired(row, now, err);
    case SATCHEL__SLOT_STATE__SLOT_REVOKED:
        err_set(err, ERR_REVOKED, "%s revoked it%s",
                row->sender->self ? "you" : person_name(row->sender),
                on_day(row->t->ended, now, day));
        return ERR_REVOKED;
    case SATCHEL__SLOT_STATE__SLOT_SPENT:
        err_set(err, ERR_SPENT, "no opens are left");
        hint_sender(row->sender, err);
        return ERR_SPENT;
    case SATCHEL__SLOT_STATE__DELETED:
        return err_set(err, ERR_NOTFOUND, "it was deleted");
    default:
        return ERR_OK;
    }
}

/* The header known under this (sender, tid), of earlier times or of this page. */
static const struct hash32 *known_header(const struct row *row, const struct row_view *view,
                                         const struct row *before, size_t n, struct seen_entry *e)
{
    e->sender = row->claim.sender;
    e->tid = row->claim.tid;
    if (seen_find(view->seen, e, NULL) == ERR_OK)
        return &e->header;
    for (size_t i = 0; i < n; i++)
        if (before[i].origin && memcmp(&before[i].claim.tid, &e->tid, sizeof(e->tid)) == 0 &&
            memcmp(&before[i].claim.sender, &e->sender, sizeof(e->sender)) == 0)
            return &before[i].r.header_hash;
    return NULL;
}

/* Behind receive_origin(): the sender's own word that it ends at another time. */
static int check_addendum(struct row *row, const struct receive_in *in, struct err *err)
{
    struct addendum_of of = {&row->r.header, &row->r.header_hash, in->chain};
    struct statement s;
    int rc;

    if (row->t->addendum == NULL)
        return ERR_OK;
    rc = addendum_check(row->t->addendum, &of, &s, err);
    if (rc == ERR_OK)
        row->extended = s.expires;
    return rc;
}

static int check(struct row *row, const struct receive_in *in, struct err *err)
{
    struct receive_in extended;
    int rc = receive_origin(in, &row->r, err);

    if (rc != ERR_OK)
        return rc;
    /* Step 5 stands here for rows whose metadata is withheld. */
    if (in->seen != NULL && memcmp(in->seen, &row->r.header_hash, sizeof(*in->seen)) != 0)
        return err_set(err, ERR_INTEGRITY, "another header was seen under this transfer ID");
    row->origin = true;
    row->remember = in->seen == NULL;
    rc = check_addendum(row, in, err);
    if (rc != ERR_OK)
        return rc;
    rc = withheld(row, in->now, err);
    if (rc != ERR_OK)
        return rc;
    if (in->ek == NULL)
        return err_set(err, ERR_INTEGRITY, "it is sealed to a key that we do not have");
    receive_free(&row->r);
    extended = *in;
    extended.expires = row->extended;
    rc = receive_check(&extended, &row->r, err);
    if (rc == ERR_EXPIRED) /* a moment ago: the server does not say so yet */
        return expired(row, in->now, err);
    row->opened = rc == ERR_OK;
    /* One that does not open is the sender's fault, but no reason to withhold the rest. */
    if (rc == ERR_OK && preview_open(&row->r.metadata, &row->r.mek, &row->r.header.tid,
                                     row->preview, &row->preview_len, NULL) != ERR_OK)
        row->preview_len = 0;
    return rc;
}

/*
 * Nothing can be checked.  Of somebody who is not there any more it is told what became of the
 * transfer: that it cannot be opened needs no proof.
 */
static void sender_fault(struct row *row, uint64_t now)
{
    const struct err *why = &row->sender->err;

    row->problem = *why;
    if (why->code != ERR_NOTFOUND || withheld(row, now, &row->problem) != ERR_OK)
        return;
    err_set(&row->problem, ERR_NOTFOUND,
            "its sender, %s, is no user of this server any more, and his keys are not known here",
            person_name(row->sender));
}

int row_check(struct row *row, const struct row_view *view, const struct row *before, size_t n,
              struct err *err)
{
    struct part proof[SLOT_PROOF_MAX];
    struct receive_in in;
    struct seen_entry e;
    int rc;

    if (row->problem.code != ERR_OK)
        return ERR_OK;
    if (row->sender->err.code != ERR_OK) {
        sender_fault(row, view->now);
        return ERR_OK;
    }
    row_input(row, view, proof, &in);
    if (row->t->n_proof > SLOT_PROOF_MAX) {
        err_set(&row->problem, ERR_INTEGRITY, "Transfer.proof: too long");
        return ERR_OK;
    }
    in.seen = known_header(row, view, before, n, &e);
    rc = check(row, &in, &row->problem);
    if (rc == ERR_NOMEM || rc == ERR_INTERNAL)
        return err_set(err, rc, "cannot check a transfer");
    if (rc != ERR_OK && row->problem.code != rc)
        (void)err_set(&row->problem, rc, "%s", err_text(rc));
    return ERR_OK;
}

/* Times come from others: a sum that does not fit is the end of time, not its beginning. */
static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

int row_remember(const struct row *rows, size_t n, const struct row_view *view,
                 uint64_t max_lifetime, struct err *err)
{
    struct seen_entry *e = calloc(n + 1, sizeof(*e));
    size_t k = 0;
    int rc;

    if (e == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct header *h = &rows[i].r.header;
        /* An extension reaches no further than this. */
        uint64_t last = add(h->created, max_lifetime);

        if (!rows[i].origin || !rows[i].remember)
            continue;
        if (last < h->expires)
            last = h->expires;
        e[k++] = (struct seen_entry){.sender = rows[i].claim.sender,
                                     .tid = rows[i].claim.tid,
                                     .header = rows[i].r.header_hash,
                                     .until = add(last, FORGET_MS)};
    }
    rc = k > 0 ? seen_add(view->seen, e, k, view->now, err) : ERR_OK;
    free(e);
    return rc;
}

/* ---- showing -------------------------------------------------------------------- */

static bool sender_verified(const struct row *row, const struct identity *me)
{
    const struct person *p = row->sender;
    char number[SAFETY_TEXT];
    bool verified = false;

    if (p->self)
        return true;
    if (p->contact.verified[0] == '\0' ||
        contact_safety(&p->contact, chain_newest(&p->contact.chain), chain_newest(&me->chain),
                       number, &verified, NULL) != ERR_OK)
        return false;
    return verified;
}

static void show_origin(const struct row *row, const struct identity *me,
                        struct satchel_transfer *ret)
{
    const struct header *h = &row->r.header;

    ids_uid_to_text(&h->sender, ret->from_id);
    (void)snprintf(ret->from, sizeof(ret->from), "%s", person_name(row->sender));
    ret->from_verified = sender_verified(row, me);
    ret->created = h->created;
    ret->expires = row->extended != 0 ? row->extended : h->expires;
    ret->opens = h->opens;
    ret->recipients = h->slots > 1 && row->t->role != SATCHEL__ROLE__BOTH ? h->slots - 1 : h->slots;
    ret->padded_size = h->body_length;
}

void row_show(const struct row *row, const struct identity *me, struct satchel_transfer *ret,
              struct satchel_error *ret_problem)
{
    const Satchel__Transfer *t = row->t;
    const struct metadata *m = &row->r.metadata;

    *ret = (struct satchel_transfer){.state = (enum satchel_state)t->state,
                                     .stored = t->stored,
                                     .expires = t->expires,
                                     .opens_used = t->opens_used,
                                     .opened = row->opened,
                                     .message = ""};
    ids_tid_to_text(&row->claim.tid, ret->id);
    if (row->origin)
        show_origin(row, me, ret);
    if (row->opened) {
        (void)snprintf(ret->name, sizeof(ret->name), "%s", m->name);
        (void)snprintf(ret->media_type, sizeof(ret->media_type), "%s", m->media_type);
        ret->folder = m->kind == METADATA_ARCHIVE;
        ret->size = m->length;
        ret->modified = m->modified;
        ret->message = m->message != NULL ? m->message : "";
        ret->preview = row->preview_len > 0 ? row->preview : NULL;
        ret->preview_len = row->preview_len;
        if (ret->preview != NULL && m->weights_told)
            ret->preview_weights = m->preview_weights;
    }
    if (row->problem.code != ERR_OK) {
        (void)handle_error(ret_problem, &row->problem);
        ret->problem = ret_problem;
    }
}
