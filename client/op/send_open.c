/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTransfer: what is asked for, and what comes of the answer. */
#include "client/op/lifetime.h"
#include "client/op/send.h"

/* ---- giving up ---- */

static struct ask abandon_ask(Satchel__Envelope *e, Satchel__AbandonUpload *m,
                              const struct tid *tid)
{
    satchel__envelope__init(e);
    satchel__abandon_upload__init(m);
    m->tid = (ProtobufCBinaryData){sizeof(tid->b), (uint8_t *)tid->b};
    e->body_case = SATCHEL__ENVELOPE__BODY_ABANDON_UPLOAD;
    e->abandon_upload = m;
    return (struct ask){.e = e, .expect = SATCHEL__ENVELOPE__BODY_DONE};
}

void send_abandon(struct send *s, const struct tid *tid)
{
    struct session *session = s->op.s->link.session;
    Satchel__Envelope e;
    Satchel__AbandonUpload m;
    struct ask a = abandon_ask(&e, &m, tid);

    /* Otherwise the daemon does it when the lease ends. */
    if (session != NULL && session_ask(session, &a, NULL, NULL) != ERR_OK)
        return;
}

static void on_abandoned(struct satchel_op *op, void *arg, const struct answer *a)
{
    const struct send *s = (struct send *)op;
    struct err err = {0};

    (void)arg;
    if (a->err == NULL || (a->err->code == ERR_NOTFOUND && s->past.sealed.len == 0)) {
        op_end(op, NULL);
    } else if (a->err->code == ERR_NOTFOUND) {
        /* SealTransfer may have left, and what is sealed is no upload any more. */
        err_set(&err, ERR_BADSTATE,
                "'%s' cannot be given up: all of it has arrived, or the server has forgotten it",
                s->name);
        err_hint(&err,
                 "'satchel sent' shows whether it has arrived; 'satchel revoke %s' ends it then",
                 s->id);
        op_end(op, &err);
    } else {
        op_end(op, a->err);
    }
}

void send_give_up(struct send *s)
{
    const struct upload *u = &s->past.upload;
    Satchel__Envelope e;
    Satchel__AbandonUpload m;
    struct op_ask a = {
        .ask = abandon_ask(&e, &m, &u->header.tid), .cb = on_abandoned, .errors = true};

    s->header = u->header;
    s->size = u->mark.size;
    ids_tid_to_text(&s->header.tid, s->id);
    (void)op_ask(&s->op, &a);
}

/* ---- its answer ---- */

bool send_retry_with_lookup(struct send *s)
{
    bool guessed = false;

    for (size_t i = 0; i < s->n_to; i++)
        guessed |= s->persons[i].unasked;
    if (guessed)
        send_look_up(&s->op);
    return guessed;
}

static int take_shares(struct send *s, const Satchel__OpenTransferReply *m, struct err *err)
{
    int rc = ERR_OK;

    if (m->tid.len != IDS_TID_LEN || m->n_shares != s->n_slots)
        return err_set(err, ERR_PROTO, "the server's shares are malformed");
    memcpy(s->header.tid.b, m->tid.data, IDS_TID_LEN);
    s->lease = m->lease;
    for (size_t i = 0; rc == ERR_OK && i < s->n_slots; i++) {
        const Satchel__SlotShares *from = m->shares[i];

        if (from->share_meta.len != SHARE_LEN || from->share_body.len != SHARE_LEN)
            return err_set(err, ERR_PROTO, "the server's shares are malformed");
        secret_free(&s->slots[i].share[SHARE_META]);
        secret_free(&s->slots[i].share[SHARE_BODY]);
        rc = secret_copy(&s->slots[i].share[SHARE_META], from->share_meta.data, SHARE_LEN, err);
        if (rc == ERR_OK)
            rc = secret_copy(&s->slots[i].share[SHARE_BODY], from->share_body.data, SHARE_LEN, err);
        secret_wipe(from->share_meta.data, from->share_meta.len);
        secret_wipe(from->share_body.data, from->share_body.len);
    }
    return rc;
}

static void on_opened(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct send *s = (struct send *)op;
    struct tid before = s->header.tid;
    struct err err = {0};

    (void)arg;
    if (a->err != NULL && !op_may_pass(a->err->code) && send_retry_with_lookup(s))
        return;
    if (a->err != NULL && s->resuming && !op_may_pass(a->err->code)) {
        send_start_over(s, "the server does not have it any more");
        return;
    }
    if (a->err != NULL || take_shares(s, a->e->open_transfer_reply, &err) != ERR_OK) {
        op_end(op, a->err != NULL ? a->err : &err);
        return;
    }
    s->opened = true;
    /* Another upload: the one we know is gone, and its keys are for its tid alone. */
    if (s->resuming && memcmp(&before, &s->header.tid, sizeof(before)) != 0) {
        send_abandon(s, &s->header.tid);
        send_start_over(s, "the server does not have it any more");
        return;
    }
    ids_tid_to_text(&s->header.tid, s->id);
    op->progress.id = s->id;
    send_body(s);
}

/* ---- the request ---- */

/* How long from its creation on; 0: as long as is usual. */
static uint64_t asked_lifetime(const struct send *s)
{
    if (s->expires == 0)
        return s->lifetime;
    return s->expires > s->header.created ? s->expires - s->header.created : 1;
}

int send_fill_header(struct send *s, const struct session_hello *limits, struct err *err)
{
    struct header *h = &s->header;
    uint64_t lifetime;
    int rc;

    if (!s->asked)
        h->created = handle_now();
    rc = lifetime_choose(limits, asked_lifetime(s), &lifetime, err);
    if (rc != ERR_OK)
        return rc;
    if (!send_length_known(s) && !limits->open_length)
        return err_set(err, ERR_UNSUPPORTED,
                       "this server takes nothing whose length is not known before");
    h->version = HEADER_VERSION;
    h->suite = IDS_SUITE_X25519;
    h->sender = s->op.id->uid;
    h->manifest = chain_newest(&s->op.id->chain)->hash;
    h->device = s->op.id->device;
    h->expires = h->created + lifetime;
    h->opens = s->opens;
    h->policy_flags = s->policy;
    if (!send_length_known(s)) /* the longest that may come */
        h->body_length =
            limits->max_transfer < HEADER_BODY_MAX ? limits->max_transfer : HEADER_BODY_MAX - 1;
    else
        h->body_length = s->no_padding ? s->size : body_padded(s->size);
    h->slots = (uint32_t)s->n_slots;
    if (h->body_length > limits->max_transfer || h->body_length >= HEADER_BODY_MAX)
        return err_set(
            err, ERR_TOOLARGE, "'%s' is too large: with padding %llu bytes, the server takes %llu",
            s->name, (unsigned long long)h->body_length, (unsigned long long)limits->max_transfer);
    if (s->n_recipients > limits->max_recipients)
        return err_set(err, ERR_TOOLARGE, "the server takes at most %u recipient%s",
                       limits->max_recipients, limits->max_recipients == 1 ? "" : "s");
    return ERR_OK;
}

void send_open(struct send *s)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OpenTransfer m = SATCHEL__OPEN_TRANSFER__INIT;
    Satchel__Recipient rows[HEADER_SLOTS_MAX], *at[HEADER_SLOTS_MAX];
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY},
                       .cb = on_opened,
                       .errors = true};

    s->asked = true;
    if (s->stale)
        send_abandon(s, &s->stale_tid);
    s->stale = false;
    for (size_t i = 0; i < s->n_slots; i++) {
        struct send_slot *slot = &s->slots[i];

        satchel__recipient__init(&rows[i]);
        rows[i].user_id = (ProtobufCBinaryData){IDS_UID_LEN, slot->uid.b};
        rows[i].ek_id = (ProtobufCBinaryData){IDS_EK_LEN, (uint8_t *)slot->ek->id.b};
        rows[i].role = slot->role;
        if (slot->person != NULL && slot->person->unasked)
            rows[i].known_manifest =
                (ProtobufCBinaryData){IDS_HASH_LEN, (uint8_t *)slot->person->newest.b};
        at[i] = &rows[i];
    }
    m.upload_key = (ProtobufCBinaryData){sizeof(s->upload_key), s->upload_key};
    m.recipients = at;
    m.n_recipients = s->n_slots;
    m.body_length = s->header.body_length;
    /* The server looks how near it is; of an upload that it has it keeps what it was told first. */
    m.created = s->resuming ? handle_now() : s->header.created;
    m.expires = s->header.expires;
    m.opens = s->header.opens;
    m.open_length = !send_length_known(s);
    m.policy_flags = s->header.policy_flags;
    e.body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER;
    e.open_transfer = &m;
    if (op_ask(&s->op, &a) && !s->resuming && send_is_small(s))
        send_slots_ahead(s);
}
