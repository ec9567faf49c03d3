/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoke: nobody named can be given a share any more.
 *
 * Happy path: the recipients are REVOKED, durably -> their cells are
 * overwritten, durably -> the store forgets the cells -> reply.
 *
 * From the first step on Release is refused; before the answer the keys are gone.  A crash
 * between the two leaves the cells on the store's list, and the collector's first
 * round erases them.  This goes on also when the client has gone.
 *
 * Ways to fail: NOT_FOUND (no such transfer of the caller's, or not a recipient of it).
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/mail.h"
#include "server/req.h"
#include "server/watch.h"

struct revoking {
    uint8_t tid[STORE_TID_LEN], sender[STORE_UID_LEN];
    uint8_t *uids;
    size_t n;
    struct store_result *done; /* of the revocation: the answer */
    struct shares_job *job;    /* cells to be erased */
};

static void revoking_free(void *data)
{
    struct revoking *r = data;

    store_result_free(r->done);
    shares_job_free(r->job);
    free(r->uids);
    free(r);
}

static void reply(struct call *c)
{
    const struct revoking *r = c->data;
    const struct store_mail *m = &r->done->u.mail;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__RevokeReply msg = SATCHEL__REVOKE_REPLY__INIT;
    struct mail_statuses list = {0};

    if (mail_statuses(&list, &m->t, m->recipients, m->nrecipients) != ERR_OK) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    msg.recipients = list.at;
    msg.n_recipients = list.n;
    msg.already = r->done->duplicate;
    env.body_case = SATCHEL__ENVELOPE__BODY_REVOKE_REPLY;
    env.revoke_reply = &msg;
    call_reply(c, &env);
    mail_statuses_free(&list);
}

/* That the store has not heard of it does no harm: the collector erases them once more. */
static void on_told(struct call *c)
{
    collector_kick(c->d->collector); /* the body, perhaps */
    reply(c);
}

static void tell_store(struct call *c)
{
    const struct revoking *r = c->data;

    call_cells_done(c, r->job, tell_store, on_told);
}

static void on_erased(struct call *c)
{
    const struct revoking *r = c->data;

    if (r->job->code == ERR_OK) {
        tell_store(c);
        return;
    }
    /* Refused for good all the same; the keys go when the disk lets them. */
    log_event(LOG_AT_ERROR, "cells_not_erased", log_code(r->job->code),
              log_num("cells", r->job->n));
    collector_kick(c->d->collector);
    call_error(c, r->job->code, "revoked, but the keys could not be overwritten yet");
}

static void erase(struct call *c)
{
    const struct revoking *r = c->data;

    call_shares(c, shares_erase(c->d->shares, r->job, call_on_shares, c), erase, on_erased);
}

static void on_revoked(struct call *c)
{
    struct revoking *r = c->data;
    const struct store_mail *m = &c->res->u.mail;

    if (c->res->code == ERR_NOTFOUND && r->n > 0) {
        call_error(c, ERR_NOTFOUND, "no such transfer, or not one of its recipients");
        return;
    }
    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    r->job = shares_job_new(m->nslots);
    if (r->job == NULL) { /* the collector will erase them */
        collector_kick(c->d->collector);
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < m->nslots; i++) {
        r->job->items[i].cell = m->slots[i].cell;
        watch_kick(c->d, m->slots[i].uid);
    }
    watch_kick(c->d, r->sender);
    if (!c->res->duplicate)
        collector_expect(c->d->collector);
    r->done = c->res;
    c->res = NULL;
    if (r->job->n > 0)
        erase(c);
    else
        reply(c);
}

static void start_revoke(struct call *c)
{
    const struct revoking *r = c->data;
    struct store_revoke in = {.uids = r->uids, .nuids = r->n, .now = daemon_time()};

    memcpy(in.tid, r->tid, sizeof(in.tid));
    memcpy(in.sender, r->sender, sizeof(in.sender));
    call_store(c, store_revoke(c->d->port, &in, call_on_store, c), start_revoke, on_revoked);
}

static bool take_users(struct call *c, struct revoking *r)
{
    const Satchel__Revoke *msg = c->msg->revoke;

    if (msg->n_user_ids > STORE_SLOTS_MAX) {
        call_error(c, ERR_TOOLARGE, "user_ids: more than a transfer has recipients");
        return false;
    }
    r->uids = calloc(msg->n_user_ids + 1, STORE_UID_LEN);
    if (r->uids == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return false;
    }
    for (; r->n < msg->n_user_ids; r->n++)
        if (!call_take(c, &msg->user_ids[r->n], "user_ids", r->uids + r->n * STORE_UID_LEN,
                       STORE_UID_LEN))
            return false;
    return true;
}

void req_revoke(struct call *c)
{
    struct revoking *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = r;
    c->drop = revoking_free;
    memcpy(r->sender, c->conn->uid.b, sizeof(r->sender));
    if (call_take(c, &c->msg->revoke->tid, "tid", r->tid, sizeof(r->tid)) && take_users(c, r))
        start_revoke(c);
}
