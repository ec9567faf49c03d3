/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extend: another end, later or earlier, as an addendum of the sender says.
 *
 * Happy path: the addendum is the caller's -> the transfer as it is -> the manifest that the
 * addendum names is his and lists the device -> seeds under fresh cells, durable -> the store has
 * them, and the new end
 * -> the old cells are overwritten, durable -> the store forgets them -> reply.
 *
 * A crash before the commit leaves the old cells and fresh ones that lead nowhere; one behind it
 * leaves the old ones on the store's list: the collector erases them.  This goes on also when the
 * client has gone.
 *
 * Ways to fail: see PROTOCOL.md.  Whenever the store does not take the fresh
 * cells they are erased.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/show.h"
#include "common/transfer/header.h"
#include "common/transfer/statement.h"
#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/mail.h"
#include "server/own_manifest.h"
#include "server/req.h"
#include "server/watch.h"

enum {
    DAY_MS = 86400000,
    ADDENDA_MAX = 1000 /* of a transfer: each one stays in its log, and nobody's quota pays */
};

struct extending {
    struct own_manifest own; /* first */
    uint8_t tid[STORE_TID_LEN];
    struct uid sender;
    struct buf addendum; /* serialised Signed */
    struct statement s;
    struct shares_job *moved;
    struct store_slot_move *slots; /* one for each item of moved */
    struct shares_job *old;        /* cells to be erased */
    int code;                      /* why the fresh cells are erased */
};

static void extending_free(void *data)
{
    struct extending *x = data;

    manifest_free(x->own.m);
    buf_free(&x->addendum);
    shares_job_free(x->moved);
    shares_job_free(x->old);
    free(x->slots);
    free(x);
}

/* ---- the end ---- */

static void on_told(struct call *c)
{
    collector_kick(c->d->collector); /* the new end may be near */
    call_done(c);
}

static void tell_store(struct call *c)
{
    const struct extending *x = c->data;

    call_cells_done(c, x->old, tell_store, on_told);
}

static void on_erased(struct call *c)
{
    const struct extending *x = c->data;

    if (x->old->code == ERR_OK) {
        tell_store(c);
        return;
    }
    log_event(LOG_AT_ERROR, "cells_not_erased", log_code(x->old->code),
              log_num("cells", x->old->n));
    collector_kick(c->d->collector);
    call_error(c, x->old->code, "the end is changed, but old keys could not be overwritten yet");
}

static void erase_old(struct call *c)
{
    const struct extending *x = c->data;

    call_shares(c, shares_erase(c->d->shares, x->old, call_on_shares, c), erase_old, on_erased);
}

/* ---- what the store does not take ---- */

static void on_fresh_erased(struct call *c)
{
    const struct extending *x = c->data;

    if (x->moved->code != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_code(x->moved->code),
                  log_num("cells", x->moved->n));
    if (x->code == ERR_OK) /* the same addendum had come before */
        call_done(c);
    else
        call_error(c, x->code, NULL);
}

static void erase_fresh(struct call *c)
{
    const struct extending *x = c->data;

    call_shares(c, shares_erase(c->d->shares, x->moved, call_on_shares, c), erase_fresh,
                on_fresh_erased);
}

/* ---- the store ---- */

static void on_extended(struct call *c)
{
    struct extending *x = c->data;
    const struct store_result *res = c->res;

    if (res->code == ERR_TIMEOUT) { /* perhaps kept: the cells must stay */
        call_error(c, ERR_TIMEOUT, NULL);
        return;
    }
    if (res->code != ERR_OK) {
        x->code = res->code;
        erase_fresh(c);
        return;
    }
    if (res->duplicate) {
        erase_fresh(c);
        return;
    }
    for (size_t i = 0; i < x->moved->n; i++)
        watch_kick(c->d, x->slots[i].uid);
    x->old = shares_job_new(res->count);
    if (x->old == NULL) { /* the collector will erase them */
        on_told(c);
        return;
    }
    for (size_t i = 0; i < res->count; i++)
        x->old->items[i].cell = res->u.cells[i];
    erase_old(c);
}

static void extend(struct call *c)
{
    const struct extending *x = c->data;
    struct store_extend in = {.now = daemon_time(),
                              .expires = x->s.expires,
                              .number = x->s.number,
                              .addendum = {x->addendum.data, x->addendum.len},
                              .slots = x->slots,
                              .nslots = x->moved->n};

    memcpy(in.tid, x->tid, sizeof(in.tid));
    memcpy(in.sender, x->sender.b, sizeof(in.sender));
    call_store(c, store_extend(c->d->port, &in, call_on_store, c), extend, on_extended);
}

/* ---- fresh cells ---- */

static void on_moved(struct call *c)
{
    struct extending *x = c->data;

    if (x->moved->code != ERR_OK) { /* nothing was left behind */
        call_error(c, x->moved->code, NULL);
        return;
    }
    for (size_t i = 0; i < x->moved->n; i++) {
        const struct shares_item *item = &x->moved->items[i];

        x->slots[i].cell = item->cell;
        x->slots[i].day_cell = item->day_cell;
        x->slots[i].day = item->day;
        x->slots[i].seed = (struct store_blob){item->sealed, sizeof(item->sealed)};
    }
    extend(c);
}

static void start_move(struct call *c)
{
    const struct extending *x = c->data;

    call_shares(c, shares_move(c->d->shares, x->moved, call_on_shares, c), start_move, on_moved);
}

/* ---- the manifest ---- */

/* Recipients will look for the device there. */
static void on_manifest(struct call *c)
{
    const struct extending *x = c->data;
    struct err err = {0};

    if (own_manifest_check(&x->own, &x->s.device, x->s.time, &err) != ERR_OK)
        call_error(c, err.code, "%s", err.msg);
    else
        start_move(c);
}

/* ---- the transfer ---- */

static bool is_live(const struct store_mail *m, const uint8_t *uid)
{
    for (size_t i = 0; i < m->nrecipients; i++)
        if (memcmp(m->recipients[i].uid, uid, STORE_UID_LEN) == 0)
            return m->recipients[i].life == STORE_LIVE;
    return false;
}

static int take_slots(struct extending *x, const struct store_mail *m)
{
    size_t n = 0;

    x->moved = shares_job_new(m->nslots);
    x->slots = calloc(m->nslots + 1, sizeof(*x->slots));
    if (x->moved == NULL || x->slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < m->nslots; i++) {
        const struct store_slot *slot = &m->slots[i];

        if (!is_live(m, slot->uid))
            continue;
        if (!mail_share_item(&x->moved->items[n], x->tid, slot))
            return ERR_CORRUPT;
        x->moved->items[n].day = (uint32_t)(x->s.expires / DAY_MS);
        memcpy(x->slots[n].uid, slot->uid, STORE_UID_LEN);
        memcpy(x->slots[n].ek, slot->ek, STORE_EK_LEN);
        x->slots[n++].old_cell = slot->cell;
    }
    x->moved->n = n;
    return n > 0 ? ERR_OK : ERR_BADSTATE;
}

/* What the store would not take costs no cells. */
static int check_number(const struct extending *x, const struct store_transfer *t, struct err *err)
{
    struct statement last = {0};
    int rc = ERR_OK;

    if (t->addendum.len > 0)
        rc = statement_read(part(t->addendum.data, t->addendum.len), &last, NULL);
    if (rc != ERR_OK)
        return err_set(err, rc == ERR_NOMEM ? rc : ERR_CORRUPT, "the newest addendum is damaged");
    if (x->s.number == last.number &&
        (x->addendum.len != t->addendum.len ||
         memcmp(x->addendum.data, t->addendum.data, t->addendum.len) != 0))
        return err_set(err, ERR_EXISTS, "another addendum has this number");
    if (x->s.number != last.number && x->s.number != last.number + 1)
        return err_set(err, ERR_BADSTATE, "the addendum's number is not the next one");
    return ERR_OK;
}

static int check_end(struct call *c, const struct store_transfer *t, struct err *err)
{
    const struct extending *x = c->data;
    struct part raw = part(t->header.data, t->header.len);
    struct header h;
    struct hash32 hash;
    char day[SHOW_TIME];
    int rc = header_parse(raw, &h, err);

    if (rc == ERR_OK && header_hash(raw, &hash) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot hash a header");
    if (rc != ERR_OK)
        return rc;
    if (memcmp(&hash, &x->s.header, sizeof(hash)) != 0)
        return err_set(err, ERR_INVALID, "addendum: not of this transfer");
    if (t->expires <= daemon_time())
        return err_set(err, ERR_EXPIRED, "it expired on %s", show_date(t->expires, day));
    if (x->s.expires <= daemon_time())
        return err_set(err, ERR_INVALID, "addendum: expires has passed");
    if (x->s.expires <= h.created || x->s.expires - h.created > c->d->settings.max_lifetime)
        return err_set(err, ERR_TOOLARGE, "expires is beyond the longest lifetime");
    return ERR_OK;
}

static void on_transfer(struct call *c)
{
    struct extending *x = c->data;
    const struct store_mail *m = &c->res->u.mail;
    struct err err = {0};
    int rc;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    rc = check_end(c, &m->t, &err);
    if (rc == ERR_OK)
        rc = check_number(x, &m->t, &err);
    if (rc != ERR_OK) {
        call_error(c, rc, "%s", err.msg);
        return;
    }
    rc = take_slots(x, m);
    if (rc == ERR_BADSTATE)
        call_error(c, rc, "nobody is left who could open it");
    else if (rc != ERR_OK)
        call_error(c, rc, NULL);
    else
        own_manifest_find(c);
}

static void get_transfer(struct call *c)
{
    const struct extending *x = c->data;
    struct store_transfer_get in = {.all_slots = true};

    memcpy(in.tid, x->tid, sizeof(in.tid));
    memcpy(in.sender, x->sender.b, sizeof(in.sender));
    call_store(c, store_transfer_get(c->d->port, &in, call_on_store, c), get_transfer, on_transfer);
}

/* ---- the request ---- */

static int check_addendum(struct extending *x, const struct conn *conn, const Satchel__Signed *s,
                          struct err *err)
{
    struct part raw;
    int rc;

    if (s == NULL || s->body.len > STATEMENT_MAX || s->signature.len != SIGNED_SIG_LEN)
        return err_set(err, ERR_INVALID, "addendum: body or signature has the wrong size");
    rc = signed_pack(part(s->body.data, s->body.len), part(s->signature.data, s->signature.len),
                     &x->addendum, err);
    raw = part(x->addendum.data, x->addendum.len);
    if (rc == ERR_OK)
        rc = statement_read(raw, &x->s, err);
    if (rc != ERR_OK)
        return rc;
    if (memcmp(x->s.tid.b, x->tid, sizeof(x->tid)) != 0)
        return err_set(err, ERR_INVALID, "addendum: not of this transfer");
    if (memcmp(&x->s.user, &conn->uid, sizeof(conn->uid)) != 0 ||
        memcmp(&x->s.device, &conn->device, sizeof(conn->device)) != 0)
        return err_set(err, ERR_INVALID, "addendum: not of this user and device");
    if (x->s.number == 0)
        return err_set(err, ERR_INVALID, "addendum: number is 0");
    if (!call_time_is_near(x->s.time))
        return err_set(err, ERR_INVALID,
                       "addendum: time is more than 24 hours from the daemon's time");
    if (x->s.number > ADDENDA_MAX)
        return err_set(err, ERR_TOOLARGE, "a transfer's end is changed at most %d times",
                       ADDENDA_MAX);
    if (statement_verify(SIGNED_EXTEND, raw, conn->device_key, err) != ERR_OK)
        return err_set(err, ERR_INVALID, "addendum: the signature is not good");
    return ERR_OK;
}

void req_extend(struct call *c)
{
    struct extending *x = calloc(1, sizeof(*x));
    struct err err = {0};
    int rc;

    if (x == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = x;
    c->drop = extending_free;
    x->sender = c->conn->uid;
    if (!call_take(c, &c->msg->extend->tid, "tid", x->tid, sizeof(x->tid)))
        return;
    rc = check_addendum(x, c->conn, c->msg->extend->addendum, &err);
    if (rc != ERR_OK) {
        call_error(c, rc, "%s", err.msg);
        return;
    }
    x->own = (struct own_manifest){
        .uid = x->sender, .hash = x->s.manifest, .what = "addendum", .then = on_manifest};
    get_transfer(c);
}
