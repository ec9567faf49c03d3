/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mail.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/merkle.h"
#include "common/transfer/statement.h"
#include "common/transfer/wire.h"
#include "server/daemon.h"

bool mail_share_item(struct shares_item *item, const uint8_t tid[STORE_TID_LEN],
                     const struct store_slot *slot)
{
    if (slot->seed.len != sizeof(item->sealed))
        return false;
    memset(item, 0, sizeof(*item));
    memcpy(item->place.tid.b, tid, sizeof(item->place.tid.b));
    memcpy(item->place.uid.b, slot->uid, sizeof(item->place.uid.b));
    memcpy(item->place.ek_id.b, slot->ek, sizeof(item->place.ek_id.b));
    memcpy(item->instance.b, slot->instance, sizeof(item->instance.b));
    memcpy(item->sealed, slot->seed.data, sizeof(item->sealed));
    item->cell = slot->cell;
    item->day_cell = slot->day_cell;
    item->day = slot->day;
    return true;
}

/* PROTOCOL.md: what a recipient's slot is at ${now}. */
static Satchel__SlotState state_of(const struct store_recipient *r, uint64_t expires, uint64_t now)
{
    switch (r->life) {
    case STORE_LIVE:
        if (expires <= now)
            return SATCHEL__SLOT_STATE__SLOT_EXPIRED;
        break;
    case STORE_EXPIRED:
        return SATCHEL__SLOT_STATE__SLOT_EXPIRED;
    case STORE_REVOKED:
        return SATCHEL__SLOT_STATE__SLOT_REVOKED;
    case STORE_DELETED:
        return SATCHEL__SLOT_STATE__DELETED;
    case STORE_SPENT:
        break;
    }
    if (r->received != 0)
        return SATCHEL__SLOT_STATE__RECEIVED;
    return r->opens_used > 0 ? SATCHEL__SLOT_STATE__RELEASED : SATCHEL__SLOT_STATE__STORED;
}

bool mail_is_open(const struct store_mail *m, uint64_t now)
{
    return m->has_me && m->nslots > 0 && m->me.life == STORE_LIVE && m->t.expires > now;
}

/* The audit path of the owner's slot. */
static int add_proof(struct mail_row *row, const struct store_mail *m)
{
    struct merkle_proof proof;
    uint32_t index = m->slots[0].position;
    size_t n = m->t.slot_leaves.len / MERKLE_LEN;
    int rc;

    if (m->t.slot_leaves.len % MERKLE_LEN != 0 || index >= n)
        return ERR_CORRUPT;
    rc = merkle_prove(&proof, (const merkle_hash *)(const void *)m->t.slot_leaves.data, n, index);
    if (rc != ERR_OK)
        return rc;
    memcpy(row->hashes, proof.path, proof.len * MERKLE_LEN);
    for (size_t i = 0; i < proof.len; i++)
        row->proof[i] = (ProtobufCBinaryData){MERKLE_LEN, row->hashes[i]};
    row->msg.n_proof = proof.len;
    row->msg.proof = row->proof;
    row->msg.slot_index = index;
    return ERR_OK;
}

static ProtobufCBinaryData borrow(const struct store_blob *b)
{
    return wire_data(part(b->data, b->len));
}

Satchel__Signed *mail_addendum(struct mail_signed *s, const struct store_transfer *t)
{
    *s = (struct mail_signed){.msg = SATCHEL__SIGNED__INIT};
    if (t->addendum.len == 0 || signed_unpack(part(t->addendum.data, t->addendum.len),
                                              STATEMENT_MAX, &s->body, s->sig, NULL) != ERR_OK) {
        buf_free(&s->body);
        return NULL;
    }
    s->msg.body = (ProtobufCBinaryData){s->body.len, s->body.data};
    s->msg.signature = (ProtobufCBinaryData){sizeof(s->sig), s->sig};
    return &s->msg;
}

int mail_row(struct mail_row *ret_row, const struct store_mail *m, const uint8_t *share_meta,
             uint64_t now)
{
    Satchel__Transfer *msg = &ret_row->msg;

    satchel__transfer__init(msg);
    if (!m->has_me || m->nslots == 0)
        return ERR_CORRUPT;
    msg->header = borrow(&m->t.header);
    msg->signature = borrow(&m->t.sig);
    msg->slot = borrow(&m->slots[0].bytes);
    if (share_meta != NULL) {
        msg->metadata = borrow(&m->t.meta);
        msg->share_meta = (ProtobufCBinaryData){SHARE_LEN, (uint8_t *)(uintptr_t)share_meta};
    }
    msg->state = m->me.life == STORE_SPENT ? SATCHEL__SLOT_STATE__SLOT_SPENT
                                           : state_of(&m->me, m->t.expires, now);
    msg->opens_used = m->me.opens_used;
    msg->stored = m->t.arrived;
    msg->expires = m->t.expires;
    msg->ended = m->me.ended;
    msg->addendum = mail_addendum(&ret_row->addendum, &m->t);
    if (memcmp(m->me.uid, m->t.sender, STORE_UID_LEN) == 0)
        msg->role = m->me.in_inbox ? SATCHEL__ROLE__BOTH : SATCHEL__ROLE__SENDER;
    return add_proof(ret_row, m);
}

/* ---- states of recipients ---- */

/* When the state last changed, as far as the rows tell. */
static uint64_t changed_at(const struct store_recipient *r, const struct store_transfer *t)
{
    uint64_t at = t->arrived;

    for (size_t i = 0; i < r->nopens; i++)
        if (r->opens[i].at > at)
            at = r->opens[i].at;
    if (r->received > at)
        at = r->received;
    if (r->life == STORE_EXPIRED || r->ended > at)
        at = r->ended != 0 ? r->ended : t->expires;
    return at;
}

static void fill_status(Satchel__RecipientStatus *to, const struct store_recipient *r,
                        const struct store_transfer *t)
{
    satchel__recipient_status__init(to);
    to->user_id = (ProtobufCBinaryData){STORE_UID_LEN, (uint8_t *)(uintptr_t)r->uid};
    to->state = state_of(r, t->expires, daemon_time());
    to->opens_used = r->opens_used;
    to->changed = changed_at(r, t);
    to->received = r->received;
}

int mail_statuses(struct mail_statuses *ret, const struct store_transfer *t,
                  const struct store_recipient *recipients, size_t n)
{
    struct mail_statuses l = {.rows = calloc(n + 1, sizeof(*l.rows)),
                              .at = calloc(n + 1, sizeof(*l.at))};

    if (l.rows == NULL || l.at == NULL) {
        mail_statuses_free(&l);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct store_recipient *r = &recipients[i];

        if (n > 1 && memcmp(r->uid, t->sender, STORE_UID_LEN) == 0 && !r->in_inbox)
            continue;
        fill_status(&l.rows[l.n], r, t);
        l.at[l.n] = &l.rows[l.n];
        l.n++;
    }
    *ret = l;
    return ERR_OK;
}

void mail_statuses_free(struct mail_statuses *l)
{
    free(l->rows);
    free(l->at);
    *l = (struct mail_statuses){0};
}
