/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTransfer: begin an upload.
 *
 * Happy path: the request is sound -> the recipients are there and have room (not asked of a small
 * one, if the connection's last one was taken) -> seeds are drawn, their cells durable, shares
 * derived -> the store reserves quota and keeps the upload -> reply.
 *
 * The same upload_key again: the store answers with the upload it has.  If it
 * is the same transfer, its own seeds are opened and give the same shares;
 * the fresh cells are erased.
 *
 * Ways to fail: see PROTOCOL.md.  Whenever the store does not keep the new
 * upload, the cells written for it are erased; this goes on also when the
 * client has gone (the dispatch row says so).
 */
#include <stdlib.h>
#include <string.h>

#include "common/crypto/rng.h"
#include "common/log.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/length.h"
#include "server/mail.h"
#include "server/open_check.h"
#include "server/req.h"
#include "server/uploads.h"

enum { DAY_MS = 86400000, FEW = 4 /* recipients, the sender among them */ };

struct opening {
    struct uid sender;
    struct device_id device;
    struct uploads_entry entry; /* tid, key and the lease told */
    struct uploads *counted;    /* there is an entry of ${drawn}, which goes unless it is kept */
    struct tid drawn;
    uint64_t lease, sealed_length;
    struct shares_job *fresh; /* for the upload as asked */
    struct shares_job *found; /* for the one that is there already */
    uint32_t stored;
    int code; /* why nothing is to be kept */
    const char *words;
    char why[128]; /* what the store says */
};

static void opening_free(void *data)
{
    struct opening *o = data;

    if (o->counted != NULL)
        uploads_remove(o->counted, &o->sender, &o->drawn);
    shares_job_free(o->fresh);
    shares_job_free(o->found);
    free(o);
}

/* ---- what it costs ---- */

/* Each slot is a key, a cell and a run of the network: it counts like a request.  A quarter of the
 * requests of a second is enough for the largest group. */
static uint64_t charge(struct call *c)
{
    size_t n = c->msg->open_transfer->n_recipients, most = c->d->settings.requests / 4;
    size_t cost = n < most ? n : most; /* one was taken when the request came */

    return cost > 1 ? daemon_charge_all(c->d, DAEMON_REQUESTS, cost - 1, PART_OF(c->conn->uid.b))
                    : 0;
}

/* ---- answers ---- */

static void reply(struct call *c, const struct shares_job *job)
{
    struct opening *o = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__OpenTransferReply msg = SATCHEL__OPEN_TRANSFER_REPLY__INIT;
    Satchel__SlotShares *slots = calloc(job->n, sizeof(*slots));
    Satchel__SlotShares **list = calloc(job->n, sizeof(*list));

    if (slots == NULL || list == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        goto done;
    }
    for (size_t i = 0; i < job->n; i++) {
        satchel__slot_shares__init(&slots[i]);
        slots[i].share_meta.data = (uint8_t *)(uintptr_t)shares_meta(job, i);
        slots[i].share_body.data = (uint8_t *)(uintptr_t)shares_body(job, i);
        slots[i].share_meta.len = slots[i].share_body.len = SHARE_LEN;
        list[i] = &slots[i];
    }
    msg.tid.data = o->entry.tid.b;
    msg.tid.len = sizeof(o->entry.tid.b);
    msg.n_shares = job->n;
    msg.shares = list;
    msg.lease = o->entry.lease;
    msg.stored = o->stored;
    env.body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY;
    env.open_transfer_reply = &msg;
    if (o->counted != NULL && memcmp(&o->drawn, &o->entry.tid, sizeof(o->drawn)) == 0)
        o->counted = NULL;
    uploads_add(c->d->uploads, &o->sender, &o->entry);
    call_reply(c, &env);
done:
    free(slots);
    free(list);
}

static void on_found(struct call *c);

/* The fresh cells lead nowhere: erase them, then go on. */
static void on_erased(struct call *c)
{
    struct opening *o = c->data;

    if (o->fresh->code != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_code(o->fresh->code),
                  log_num("cells", o->fresh->n));
    if (o->code != ERR_OK)
        call_error(c, o->code, o->words != NULL ? "%s" : NULL, o->words);
    else
        call_shares(c, shares_find(c->d->shares, o->found, call_on_shares, c), on_erased, on_found);
}

static void erase_fresh(struct call *c)
{
    struct opening *o = c->data;

    call_shares(c, shares_erase(c->d->shares, o->fresh, call_on_shares, c), erase_fresh, on_erased);
}

static void give_up(struct call *c, int code, const char *words)
{
    struct opening *o = c->data;

    o->code = code;
    o->words = words;
    erase_fresh(c);
}

/* ---- the upload that is there already ---- */

static void on_found(struct call *c)
{
    struct opening *o = c->data;

    for (size_t i = 0; o->found->code == ERR_OK && i < o->found->n; i++)
        if (o->found->items[i].code != ERR_OK)
            o->found->code = o->found->items[i].code;
    if (o->found->code != ERR_OK)
        call_error(c, o->found->code, NULL);
    else
        reply(c, o->found);
}

static const struct store_slot *slot_of(const struct store_upload *up,
                                        const struct share_place *place)
{
    for (size_t i = 0; i < up->nslots; i++)
        if (memcmp(up->slots[i].uid, place->uid.b, IDS_UID_LEN) == 0 &&
            memcmp(up->slots[i].ek, place->ek_id.b, IDS_EK_LEN) == 0)
            return &up->slots[i];
    return NULL;
}

/* Is what the store has the transfer that was asked for?  Then o->found is ready. */
static int compare(struct opening *o, const Satchel__OpenTransfer *msg,
                   const struct store_upload *up)
{
    if (up->nslots != o->fresh->n || up->expires != msg->expires || up->opens_max != msg->opens ||
        up->policy != msg->policy_flags ||
        (!up->sealed && (up->body_max != o->sealed_length || up->grows != msg->open_length)))
        return ERR_EXISTS;
    o->found = shares_job_new(o->fresh->n);
    if (o->found == NULL)
        return ERR_NOMEM;
    memcpy(o->entry.tid.b, up->tid, sizeof(o->entry.tid.b));
    o->entry.lease = up->lease;
    o->stored = up->pieces;
    for (size_t i = 0; i < o->fresh->n; i++) {
        const struct store_slot *slot = slot_of(up, &o->fresh->items[i].place);

        if (slot == NULL)
            return ERR_EXISTS;
        if (!mail_share_item(&o->found->items[i], up->tid, slot))
            return ERR_CORRUPT;
    }
    return ERR_OK;
}

static void on_duplicate(struct call *c)
{
    struct opening *o = c->data;
    int rc = compare(o, c->msg->open_transfer, &c->res->u.upload);

    o->code = rc;
    o->words = rc == ERR_EXISTS ? "upload_key was used for another transfer" : NULL;
    erase_fresh(c);
}

/* ---- the new upload ---- */

/* What is said of ${res}, which does not take the upload; NULL: the code's own words. */
static const char *why_not(struct opening *o, const struct store_result *res)
{
    const char *words;

    if (res->code == ERR_NOTFOUND)
        return "a recipient is not a user of this daemon";
    if (res->code == ERR_BADSTATE)
        return "a recipient has another manifest by now";
    if (res->code == ERR_QUOTA)
        return "a mailbox is full";
    words = call_why(res);
    if (words == NULL)
        return NULL;
    (void)snprintf(o->why, sizeof(o->why), "%s", words);
    return o->why;
}

/* The store has said whether it takes it. */
static void judged(const struct call *c, bool good)
{
    if (c->conn != NULL)
        c->conn->open_trusted = good;
}

/* Pieces and seal follow on this connection. */
static void remember(struct call *c)
{
    const Satchel__OpenTransfer *msg = c->msg->open_transfer;
    const struct opening *o = c->data;
    const struct conn_upload up = {.tid = o->entry.tid,
                                   .body_length = msg->body_length,
                                   .grows = msg->open_length,
                                   .created = msg->created,
                                   .expires = msg->expires,
                                   .policy = msg->policy_flags,
                                   .opens = msg->opens,
                                   .slots = (uint32_t)o->fresh->n};

    conn_remember_upload(c->conn, &up);
}

static void on_opened(struct call *c)
{
    struct opening *o = c->data;

    if (c->res->code == ERR_TIMEOUT) { /* perhaps kept: the cells must stay */
        call_error(c, ERR_TIMEOUT, NULL);
        return;
    }
    judged(c, c->res->code == ERR_OK);
    if (c->res->code != ERR_OK) {
        give_up(c, c->res->code, why_not(o, c->res));
        return;
    }
    if (c->res->duplicate) {
        on_duplicate(c);
        return;
    }
    o->entry.lease = c->res->u.upload.lease;
    if (c->conn != NULL)
        remember(c);
    reply(c, o->fresh);
}

static struct store_slot_new *slots_for(const struct opening *o, const Satchel__OpenTransfer *msg)
{
    struct store_slot_new *slots = calloc(o->fresh->n, sizeof(*slots));

    for (size_t i = 0; slots != NULL && i < o->fresh->n; i++) {
        const struct shares_item *item = &o->fresh->items[i];

        memcpy(slots[i].uid, item->place.uid.b, sizeof(slots[i].uid));
        memcpy(slots[i].ek, item->place.ek_id.b, sizeof(slots[i].ek));
        memcpy(slots[i].instance, item->instance.b, sizeof(slots[i].instance));
        slots[i].cell = item->cell;
        slots[i].day_cell = item->day_cell;
        slots[i].day = item->day;
        slots[i].seed = (struct store_blob){item->sealed, sizeof(item->sealed)};
        slots[i].inbox = msg->recipients[i]->role != SATCHEL__ROLE__SENDER;
        slots[i].has_manifest = msg->recipients[i]->known_manifest.len > 0;
        if (slots[i].has_manifest)
            memcpy(slots[i].manifest, msg->recipients[i]->known_manifest.data, STORE_HASH_LEN);
    }
    return slots;
}

/* The upload for the store, but for its slots. */
static struct store_upload_open upload_for(const struct call *c)
{
    const struct opening *o = c->data;
    const Satchel__OpenTransfer *msg = c->msg->open_transfer;
    struct store_upload_open in = {.now = msg->created, /* the seal compares the header with it */
                                   .lease = o->lease,
                                   .expires = msg->expires,
                                   .opens_max = msg->opens,
                                   .policy = msg->policy_flags,
                                   .body_max = o->sealed_length,
                                   .grows = msg->open_length,
                                   /* Piece and seal are about to follow, and share its commit. */
                                   .early =
                                       !msg->open_length && o->sealed_length <= STORE_SMALL_MAX,
                                   .nslots = o->fresh->n};

    memcpy(in.tid, o->entry.tid.b, sizeof(in.tid));
    memcpy(in.sender, o->sender.b, sizeof(in.sender));
    memcpy(in.device, o->device.b, sizeof(in.device));
    memcpy(in.idem, o->entry.key, sizeof(in.idem));
    return in;
}

static void keep(struct call *c)
{
    struct opening *o = c->data;
    struct store_upload_open in = upload_for(c);
    struct store_slot_new *slots = slots_for(o, c->msg->open_transfer);
    int rc = ERR_NOMEM;

    in.slots = slots;
    if (slots != NULL)
        rc = store_upload_open(c->d->port, &in, call_on_store, c);
    free(slots);
    if (rc != ERR_OK && (rc != ERR_BUSY || c->answered))
        give_up(c, rc, NULL);
    else
        call_store(c, rc, keep, on_opened);
}

static void on_drawn(struct call *c)
{
    struct opening *o = c->data;

    if (o->fresh->code != ERR_OK)
        call_error(c, o->fresh->code, NULL);
    else if (c->answered)
        give_up(c, ERR_CLOSED, NULL); /* nobody wants it any more */
    else
        keep(c);
}

static void draw(struct call *c)
{
    struct opening *o = c->data;

    call_shares(c, shares_open(c->d->shares, o->fresh, call_on_shares, c), draw, on_drawn);
}

/* ---- is it worth the cells? ---- */

/* What is wrong with it the store still says when it keeps the upload: at most FEW cells were for
 * nothing. */
static bool may_skip_check(const struct call *c)
{
    const struct opening *o = c->data;

    return c->conn->open_trusted && o->fresh->n <= FEW && o->sealed_length <= STORE_SMALL_MAX;
}

static void on_looked(struct call *c)
{
    struct opening *o = c->data;
    const char *words;
    uint64_t wait;

    if (c->answered) { /* nobody wants it any more, and there is nothing to erase */
        call_orphan(c);
    } else if (c->res->code != ERR_OK) {
        judged(c, false);
        /* It has told whether somebody's keys have changed, as Lookup would have. */
        wait = c->res->code == ERR_BADSTATE
                   ? daemon_charge(c->d, DAEMON_LOOKUPS, c->conn->uid.b, sizeof(c->conn->uid.b))
                   : 0;
        if (wait > 0) {
            call_later(c, ERR_RATE, wait);
            return;
        }
        words = why_not(o, c->res);
        call_error(c, c->res->code, words != NULL ? "%s" : NULL, words);
    } else {
        draw(c);
    }
}

/* The store looks again when it keeps the upload: this spares cells and runs of the network. */
static void look(struct call *c)
{
    struct opening *o = c->data;
    struct store_upload_check in = {.open = upload_for(c)};
    struct store_slot_new *slots = slots_for(o, c->msg->open_transfer);
    int rc = ERR_NOMEM;

    in.open.slots = slots;
    if (slots != NULL)
        rc = store_upload_check(c->d->port, &in, call_on_store, c);
    free(slots);
    call_store(c, rc, look, on_looked);
}

/* ---- the request's way in ---- */

static int prepare(struct call *c, struct opening *o)
{
    const Satchel__OpenTransfer *msg = c->msg->open_transfer;

    o->sender = c->conn->uid;
    o->device = c->conn->device;
    o->sealed_length = length_sealed(msg->body_length);
    o->lease = daemon_time() + c->d->settings.lease;
    o->fresh = shares_job_new(msg->n_recipients);
    if (o->fresh == NULL)
        return ERR_NOMEM;
    if (rng_bytes(o->entry.tid.b, sizeof(o->entry.tid.b)) != ERR_OK)
        return ERR_INTERNAL;
    for (size_t i = 0; i < msg->n_recipients; i++) {
        struct shares_item *item = &o->fresh->items[i];

        item->place.tid = o->entry.tid;
        memcpy(item->place.uid.b, msg->recipients[i]->user_id.data, IDS_UID_LEN);
        memcpy(item->place.ek_id.b, msg->recipients[i]->ek_id.data, IDS_EK_LEN);
        item->day = (uint32_t)(msg->expires / DAY_MS);
    }
    /* From now on it counts: requests without waiting for answers do not pass the limit. */
    o->drawn = o->entry.tid;
    o->entry.lease = o->lease;
    uploads_add(c->d->uploads, &o->sender, &o->entry);
    o->counted = c->d->uploads;
    return ERR_OK;
}

void req_open(struct call *c)
{
    const Satchel__OpenTransfer *msg = c->msg->open_transfer;
    struct opening *o = calloc(1, sizeof(*o));
    struct err err = {0};
    uint64_t wait;
    int rc;

    if (o == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = o;
    c->drop = opening_free;
    if (!call_take(c, &msg->upload_key, "upload_key", o->entry.key, sizeof(o->entry.key)))
        return;
    rc = open_check(msg, &c->d->settings, &c->conn->uid, &err);
    if (rc == ERR_OK && uploads_check(c->d->uploads, &c->conn->uid, &o->entry,
                                      c->d->settings.uploads, daemon_time()) != ERR_OK)
        rc = err_set(&err, ERR_RATE, "too many unfinished uploads; finish or abandon some");
    if (rc == ERR_OK && (wait = charge(c)) > 0) {
        call_later(c, ERR_RATE, wait);
        return;
    }
    if (rc == ERR_OK)
        rc = prepare(c, o);
    if (rc != ERR_OK)
        call_error(c, rc, err.msg[0] != '\0' ? "%s" : NULL, err.msg);
    else if (may_skip_check(c))
        draw(c);
    else
        look(c);
}
