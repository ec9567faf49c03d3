/* SPDX-License-Identifier: Apache-2.0 */
/* What a fake knows of a transfer after its seal: status, addenda, and a log with a signed head. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/crypto/hash.h"
#include "common/transfer/event_log.h"
#include "common/transfer/signed.h"
#include "tests/client/fake_serve.h"

enum { STORED = 1, RECEIVED = 5, EXTENDED = 9 };
#define BEGIN ((uint64_t)1767225600000) /* when the first event was; one each second */

static void add_event(struct fake_transfer *t, uint16_t kind, const struct uid *who,
                      struct part data)
{
    struct fake_event *e = &t->events[t->n_events++];

    MUST(t->n_events <= FAKE_EVENTS && data.len <= sizeof(e->data));
    e->kind = kind;
    e->who = *who;
    if (data.len > 0)
        memcpy(e->data, data.data, data.len);
    e->len = data.len;
}

static void add_signed(struct fake_transfer *t, uint16_t kind, const struct uid *who,
                       const Satchel__Signed *s)
{
    struct buf raw = {0};

    MUST(signed_pack(part(s->body.data, s->body.len), part(s->signature.data, s->signature.len),
                     &raw, NULL) == ERR_OK);
    add_event(t, kind, who, part(raw.data, raw.len));
    buf_free(&raw);
}

void fake_log_stored(const struct fake *f, struct fake_transfer *t)
{
    uint8_t hash[HASH_SHA256_LEN];

    MUST(hash_sha256(hash, t->seal->header.data, t->seal->header.len) == ERR_OK);
    add_event(t, STORED, &f->caller, PART_OF(hash));
}

void fake_log_status(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const struct fake_transfer *t = fake_wanted(f, e->status->tid, r);
    Satchel__StatusReply *m;

    if (t == NULL)
        return;
    m = fake_make(&satchel__status_reply__descriptor);
    m->header = fake_copy(t->seal->header);
    m->signature = fake_copy(t->seal->signature);
    m->recipients = calloc(FAKE_SLOTS, sizeof(Satchel__RecipientStatus *));
    for (size_t i = 0; i < t->n; i++) {
        m->recipients[i] = fake_make(&satchel__recipient_status__descriptor);
        m->recipients[i]->user_id = fake_bytes(t->who[i].b, IDS_UID_LEN);
        m->n_recipients++;
    }
    if (t->addendum != NULL)
        m->addendum = fake_clone(&t->addendum->base);
    r->body_case = SATCHEL__ENVELOPE__BODY_STATUS_REPLY;
    r->status_reply = m;
}

void fake_log_receipt(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    struct fake_transfer *t = fake_wanted(f, e->put_receipt->tid, r);

    if (t == NULL)
        return;
    if (e->put_receipt->receipt != NULL)
        add_signed(t, RECEIVED, &f->caller, e->put_receipt->receipt);
    fake_done(r);
}

void fake_log_extend(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    struct fake_transfer *t = fake_wanted(f, e->extend->tid, r);

    if (t == NULL)
        return;
    add_signed(t, EXTENDED, &f->caller, e->extend->addendum);
    satchel__signed__free_unpacked(t->addendum, NULL);
    t->addendum = fake_clone(&e->extend->addendum->base);
    fake_done(r);
}

/* ---- the log ---- */

static Satchel__LoggedEvent *make_event(const struct fake_transfer *t, uint32_t i,
                                        struct hash32 *hash)
{
    const struct fake_event *from = &t->events[i];
    struct event_log_row row = {.number = i + 1,
                                .time = BEGIN + (uint64_t)i * 1000,
                                .kind = from->kind,
                                .uid = from->who,
                                .data = part(from->data, from->len)};
    Satchel__LoggedEvent *e = fake_make(&satchel__logged_event__descriptor);
    struct hash32 prev = *hash;

    e->number = row.number;
    e->time = row.time;
    e->kind = from->kind;
    e->user_id = fake_bytes(from->who.b, sizeof(from->who.b));
    e->data = fake_bytes(from->data, from->len);
    MUST(event_log_hash(&t->tid, &row, &prev, hash) == ERR_OK);
    e->hash = fake_bytes(hash->b, sizeof(hash->b));
    return e;
}

static Satchel__Signed *make_head(const struct fake *f, const struct fake_transfer *t,
                                  const struct hash32 *hash)
{
    struct event_log_head h = {
        .tid = t->tid, .number = (uint32_t)t->n_events, .hash = *hash, .time = BEGIN};
    Satchel__Signed *head = fake_make(&satchel__signed__descriptor);
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};

    MUST(ids_server(f->server_key, &h.server) == ERR_OK);
    MUST(event_log_head_pack(&h, &body, NULL) == ERR_OK);
    MUST(signed_make(SIGNED_EVENTS, &f->server_seed, part(body.data, body.len), sig, NULL) ==
         ERR_OK);
    head->body = fake_bytes(body.data, body.len);
    head->signature = fake_bytes(sig, sizeof(sig));
    buf_free(&body);
    return head;
}

/* Whatever the list says now, with hashes and a head that fit it. */
void fake_log_events(struct fake *f, const Satchel__Envelope *e, Satchel__Envelope *r)
{
    const struct fake_transfer *t = fake_wanted(f, e->list_events->tid, r);
    struct hash32 hash = {0};
    Satchel__EventsReply *m;

    if (t == NULL)
        return;
    m = fake_make(&satchel__events_reply__descriptor);
    m->events = calloc(FAKE_EVENTS, sizeof(Satchel__LoggedEvent *));
    for (uint32_t i = 0; i < t->n_events; i++)
        m->events[m->n_events++] = make_event(t, i, &hash);
    m->head = make_head(f, t, &hash);
    r->body_case = SATCHEL__ENVELOPE__BODY_EVENTS_REPLY;
    r->events_reply = m;
}
