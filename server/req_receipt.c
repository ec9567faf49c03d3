/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PutReceipt: the caller's device has got all of a transfer.
 *
 * Happy path: the receipt is the caller's and about this transfer -> the manifest it names is his
 * and lists the device -> its open is committed -> the receipt is an event -> reply.  After the
 * last commit the slot's cell is due, and the collector erases it.
 *
 * Ways to fail: NOT_FOUND, BAD_REQUEST (the receipt), BAD_STATE (this device never
 * claimed an open).  A transfer that has ended meanwhile still takes the receipt.
 */
#include <stdlib.h>
#include <string.h>

#include "common/transfer/header.h"
#include "common/transfer/statement.h"
#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/own_manifest.h"
#include "server/req.h"
#include "server/watch.h"

struct receiving {
    struct own_manifest own; /* first */
    uint8_t tid[STORE_TID_LEN];
    struct uid uid;
    struct device_id device;
    uint8_t device_key[IDS_KEY_LEN];
    struct buf receipt; /* serialised Signed; empty: none */
    uint64_t signed_at; /* what it says */
};

static void receiving_free(void *data)
{
    struct receiving *r = data;

    manifest_free(r->own.m);
    buf_free(&r->receipt);
    free(r);
}

static void fill_move(const struct receiving *r, enum store_move move, struct store_slot_update *in,
                      const struct store_event_new *event)
{
    *in = (struct store_slot_update){.move = move, .now = daemon_time(), .event = event};
    memcpy(in->tid, r->tid, sizeof(in->tid));
    memcpy(in->uid, r->uid.b, sizeof(in->uid));
    memcpy(in->device, r->device.b, sizeof(in->device));
}

static void on_received(struct call *c)
{
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    watch_kick(c->d, c->res->u.slot.sender);
    call_done(c);
}

static void note_receipt(struct call *c)
{
    const struct receiving *r = c->data;
    struct store_event_new event = {.kind = STORE_EVENT_RECEIVED,
                                    .data = {r->receipt.data, r->receipt.len}};
    struct store_slot_update in;

    memcpy(event.uid, r->uid.b, sizeof(event.uid));
    fill_move(r, STORE_MOVE_RECEIVED, &in, &event);
    call_store(c, store_slot_update(c->d->port, &in, call_on_store, c), note_receipt, on_received);
}

static bool has_ended(int code)
{
    return code == ERR_EXPIRED || code == ERR_REVOKED || code == ERR_SPENT;
}

static void on_committed(struct call *c)
{
    const struct receiving *r = c->data;
    int code = c->res->code;

    if (code == ERR_BADSTATE) {
        call_error(c, code, "this device has not opened it");
        return;
    }
    if (code != ERR_OK && !has_ended(code)) {
        call_failed(c);
        return;
    }
    if (code == ERR_OK && c->res->u.slot.life == STORE_SPENT) {
        collector_expect(c->d->collector);
        collector_kick(c->d->collector); /* its cell is due */
    }
    if (r->receipt.len > 0)
        note_receipt(c);
    else
        call_done(c);
}

static void commit(struct call *c)
{
    const struct receiving *r = c->data;
    struct store_event_new event = {.kind = STORE_EVENT_COMMITTED,
                                    .data = {r->device.b, sizeof(r->device.b)}};
    struct store_slot_update in;

    memcpy(event.uid, r->uid.b, sizeof(event.uid));
    fill_move(r, STORE_MOVE_COMMIT, &in, &event);
    call_store(c, store_slot_update(c->d->port, &in, call_on_store, c), commit, on_committed);
}

/* The sender will look for the device there. */
static void on_manifest(struct call *c)
{
    const struct receiving *r = c->data;
    struct err err = {0};

    if (own_manifest_check(&r->own, &r->device, r->signed_at, &err) != ERR_OK)
        call_error(c, err.code, "%s", err.msg);
    else
        commit(c);
}

/* The signature says who; these say about what. */
static int check_receipt(struct receiving *r, const struct store_transfer *t, struct err *err)
{
    struct part raw = part(r->receipt.data, r->receipt.len);
    struct hash32 hash;
    struct statement s;
    int rc = statement_read(raw, &s, err);

    if (rc == ERR_OK && header_hash(part(t->header.data, t->header.len), &hash) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot hash a header");
    if (rc != ERR_OK)
        return rc;
    if (memcmp(s.tid.b, r->tid, sizeof(r->tid)) != 0 || memcmp(&s.header, &hash, sizeof(hash)) != 0)
        return err_set(err, ERR_INVALID, "receipt: not of this transfer");
    if (memcmp(&s.user, &r->uid, sizeof(s.user)) != 0 ||
        memcmp(&s.device, &r->device, sizeof(s.device)) != 0)
        return err_set(err, ERR_INVALID, "receipt: not of this user and device");
    if (s.number != 0 || s.expires != 0)
        return err_set(err, ERR_INVALID, "receipt: has fields of an addendum");
    if (!call_time_is_near(s.time))
        return err_set(err, ERR_INVALID,
                       "receipt: time is more than 24 hours from the daemon's time");
    if (statement_verify(SIGNED_RECEIPT, raw, r->device_key, err) != ERR_OK)
        return err_set(err, ERR_INVALID, "receipt: the signature is not good");
    r->own = (struct own_manifest){
        .uid = r->uid, .hash = s.manifest, .what = "receipt", .then = on_manifest};
    r->signed_at = s.time;
    return ERR_OK;
}

static void on_slot(struct call *c)
{
    struct receiving *r = c->data;
    struct err err = {0};
    int rc;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    rc = check_receipt(r, &c->res->u.mail.t, &err);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        own_manifest_find(c);
}

static void get_slot(struct call *c)
{
    const struct receiving *r = c->data;
    struct store_slot_get in;

    memcpy(in.tid, r->tid, sizeof(in.tid));
    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    call_store(c, store_slot_get(c->d->port, &in, call_on_store, c), get_slot, on_slot);
}

void req_put_receipt(struct call *c)
{
    const Satchel__PutReceipt *msg = c->msg->put_receipt;
    const Satchel__Signed *s = msg->receipt;
    struct receiving *r = calloc(1, sizeof(*r));
    struct err err = {0};

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = receiving_free;
    r->uid = c->conn->uid;
    r->device = c->conn->device;
    memcpy(r->device_key, c->conn->device_key, sizeof(r->device_key));
    if (!call_take(c, &msg->tid, "tid", r->tid, sizeof(r->tid)))
        return;
    if (s == NULL) {
        commit(c);
        return;
    }
    if (s->body.len > STATEMENT_MAX || s->signature.len != SIGNED_SIG_LEN)
        call_error(c, ERR_INVALID, "receipt: body or signature has the wrong size");
    else if (signed_pack(part(s->body.data, s->body.len), part(s->signature.data, s->signature.len),
                         &r->receipt, &err) != ERR_OK)
        call_error(c, err.code, NULL);
    else
        get_slot(c);
}
