/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Release: the body share, after policy.
 *
 * Happy path: the slot is open -> the code, if the transfer asks for one, is good -> this device's
 * claim is durable -> the share is regenerated -> reply.  A claim whose share did not leave is
 * given back.  A share whose cell went between is looked for once more.
 *
 * Ways to fail: NOT_FOUND, EXPIRED, REVOKED, SPENT, AUTH_FACTOR.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/show.h"
#include "common/transfer/header.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/mail.h"
#include "server/req.h"
#include "server/watch.h"

struct releasing {
    uint8_t tid[STORE_TID_LEN];
    struct uid uid;
    struct device_id device;
    struct shares_job *job;
    uint32_t opens_max, opens_used, claim;
    bool again; /* this is the second try */
    int code;   /* why the share does not leave */
};

static void releasing_free(void *data)
{
    struct releasing *r = data;

    shares_job_free(r->job);
    free(r);
}

/* ${event} must live as long as ${in}. */
static void fill_move(const struct releasing *r, enum store_move move, struct store_slot_update *in,
                      struct store_event_new *event)
{
    *in = (struct store_slot_update){
        .move = move, .claim = r->claim, .now = daemon_time(), .event = event};
    *event = (struct store_event_new){.kind = move == STORE_MOVE_CLAIM ? STORE_EVENT_RELEASED
                                                                       : STORE_EVENT_GIVEN_BACK,
                                      .data = {r->device.b, sizeof(r->device.b)}};
    memcpy(event->uid, r->uid.b, sizeof(event->uid));
    memcpy(in->tid, r->tid, sizeof(in->tid));
    memcpy(in->uid, r->uid.b, sizeof(in->uid));
    memcpy(in->device, r->device.b, sizeof(in->device));
}

static void get_slot(struct call *c);

/*
 * The cell was erased since the row was read: revoked meanwhile, or moved by an Extend.  The row
 * tells them apart.
 */
static void try_again(struct call *c)
{
    struct releasing *r = c->data;

    shares_job_free(r->job);
    r->job = shares_job_new(1);
    r->again = true;
    if (r->job == NULL)
        call_error(c, ERR_NOMEM, NULL);
    else
        get_slot(c);
}

static void on_given_back(struct call *c)
{
    const struct releasing *r = c->data;

    if (c->res->code != ERR_OK && c->res->code != ERR_BADSTATE)
        log_event(LOG_AT_WARN, "claim_not_given_back", log_code(c->res->code));
    if (r->code == ERR_EXPIRED && !r->again && !c->answered)
        try_again(c);
    else
        call_error(c, r->code, NULL);
}

static void give_back(struct call *c)
{
    struct store_event_new event;
    struct store_slot_update in;

    fill_move(c->data, STORE_MOVE_GIVE_BACK, &in, &event);
    call_store(c, store_slot_update(c->d->port, &in, call_on_store, c), give_back, on_given_back);
}

static void reply(struct call *c)
{
    const struct releasing *r = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__ReleaseReply msg = SATCHEL__RELEASE_REPLY__INIT;

    msg.share_body.data = (uint8_t *)(uintptr_t)shares_body(r->job, 0);
    msg.share_body.len = SHARE_LEN;
    msg.opens_left = r->opens_max > r->opens_used ? r->opens_max - r->opens_used : 0;
    env.body_case = SATCHEL__ENVELOPE__BODY_RELEASE_REPLY;
    env.release_reply = &msg;
    call_reply(c, &env);
}

static void on_share(struct call *c)
{
    struct releasing *r = c->data;

    r->code = r->job->code != ERR_OK ? r->job->code : r->job->items[0].code;
    if (r->code == ERR_OK && c->answered)
        r->code = ERR_CLOSED; /* nobody takes it */
    if (r->code != ERR_OK)
        give_back(c);
    else
        reply(c);
}

static void get_share(struct call *c)
{
    struct releasing *r = c->data;

    call_shares(c, shares_find(c->d->shares, r->job, call_on_shares, c), get_share, on_share);
}

static void on_claimed(struct call *c)
{
    struct releasing *r = c->data;

    if (c->res->code == ERR_LIMIT) {
        call_error(c, ERR_SPENT, "opened on as many devices as there may be");
        return;
    }
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    watch_kick(c->d, c->res->u.slot.sender);
    r->claim = c->res->u.slot.claim;
    r->opens_used = c->res->u.slot.opens_used;
    get_share(c);
}

static void claim(struct call *c)
{
    struct store_event_new event;
    struct store_slot_update in;

    fill_move(c->data, STORE_MOVE_CLAIM, &in, &event);
    call_store(c, store_slot_update(c->d->port, &in, call_on_store, c), claim, on_claimed);
}

/* Policy, as far as the row shows it; the claim decides the rest.  ${err} only with words. */
static int check_policy(const struct store_mail *m, uint64_t now, struct err *err)
{
    char day[SHOW_TIME];

    if (m->nslots == 0)
        return ERR_CORRUPT;
    if (m->me.life == STORE_REVOKED)
        return m->me.ended == 0 ? ERR_REVOKED
                                : err_set(err, ERR_REVOKED, "its sender revoked it on %s",
                                          show_date(m->me.ended, day));
    if (m->me.life == STORE_EXPIRED || m->t.expires <= now)
        return err_set(err, ERR_EXPIRED, "it expired on %s", show_date(m->t.expires, day));
    if (m->me.life == STORE_SPENT)
        return ERR_SPENT;
    if (m->me.life == STORE_DELETED)
        return ERR_NOTFOUND;
    return ERR_OK;
}

static void on_slot(struct call *c)
{
    struct releasing *r = c->data;
    const struct store_mail *m = &c->res->u.mail;
    struct err err = {0};
    int rc;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    rc = check_policy(m, daemon_time(), &err);
    if (rc == ERR_OK && !mail_share_item(&r->job->items[0], m->t.tid, &m->slots[0]))
        rc = ERR_CORRUPT;
    r->opens_max = m->t.opens_max;
    if (rc != ERR_OK && err.msg[0] != '\0')
        call_error(c, rc, "%s", err.msg);
    else if (rc != ERR_OK)
        call_error(c, rc, NULL);
    else if ((m->t.policy & HEADER_REQUIRE_OTP) != 0 && !r->again) /* a code counts once */
        factor_check(c, &r->uid, c->msg->release->code, FACTOR_ALWAYS, claim);
    else
        claim(c);
}

static void get_slot(struct call *c)
{
    const struct releasing *r = c->data;
    struct store_slot_get in;

    memcpy(in.tid, r->tid, sizeof(in.tid));
    memcpy(in.uid, r->uid.b, sizeof(in.uid));
    call_store(c, store_slot_get(c->d->port, &in, call_on_store, c), get_slot, on_slot);
}

void req_release(struct call *c)
{
    struct releasing *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = releasing_free;
    if (!call_take(c, &c->msg->release->tid, "tid", r->tid, sizeof(r->tid)))
        return;
    r->uid = c->conn->uid;
    r->device = c->conn->device;
    r->job = shares_job_new(1);
    if (r->job == NULL)
        call_error(c, ERR_NOMEM, NULL);
    else
        get_slot(c);
}
