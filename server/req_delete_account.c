/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeleteAccount: the caller leaves, for good.
 *
 * Happy path: the identity key has signed for this connection -> so has the recovery key, or there
 * is a code of a second factor that has stood for a while -> the user is marked deleted, durably;
 * from here on nothing brings him back -> part by part: rows go, their cells are overwritten,
 * durably, the store forgets the cells -> reply, and the connection ends.
 *
 * Each device has the identity key, and whoever has got hold of one can enrol a factor: neither is
 * enough for what cannot be undone.
 *
 * The other connections of the user end with the mark.  This goes on also when the client has
 * gone; what a crash or a failing disk interrupts is the collector's.
 *
 * Ways to fail, before the mark: AUTH_FAILED (the signature), AUTH_FACTOR, RATE.  Behind it:
 * INTERNAL, FULL: deleted, but the keys could not be overwritten yet.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/transfer/login.h"
#include "common/transfer/manifest.h"
#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/joins.h"
#include "server/manifest_page.h"
#include "server/req.h"

struct departure {
    struct daemon *d;
    struct login_delete proof;
    uint64_t sequence;      /* of the newest manifest */
    struct shares_job *job; /* cells to be erased */
    bool counted;           /* in d->leaving */
    bool more;              /* parts to come */
};

static void departure_free(void *data)
{
    struct departure *l = data;

    if (l->counted)
        l->d->leaving--;
    shares_job_free(l->job);
    free(l);
}

static void clear(struct call *c);

/* ---- the parts ---- */

static void finish(struct call *c)
{
    const struct departure *l = c->data;
    struct uid uid = l->proof.uid;
    struct daemon *d = c->d;

    call_done(c);
    daemon_end_user(d, &uid, NULL);
    collector_kick(d->collector); /* the bodies */
}

/* Deleted for good all the same; the collector goes on. */
static void fail(struct call *c, const char *step, int code)
{
    const struct departure *l = c->data;
    struct uid uid = l->proof.uid;
    struct daemon *d = c->d;

    log_event(LOG_AT_ERROR, "account_not_cleared", log_str("step", step), log_code(code));
    call_error(c, code, "deleted, but not everything could be taken away yet");
    daemon_end_user(d, &uid, NULL);
    collector_kick(d->collector);
}

static void next_part(struct call *c)
{
    const struct departure *l = c->data;

    if (l->more)
        clear(c);
    else
        finish(c);
}

/* That the store has not heard of it does no harm: the collector erases them once more. */
static void on_told(struct call *c)
{
    next_part(c);
}

static void tell_store(struct call *c)
{
    const struct departure *l = c->data;

    call_cells_done(c, l->job, tell_store, on_told);
}

static void on_erased(struct call *c)
{
    const struct departure *l = c->data;

    if (l->job->code == ERR_OK)
        tell_store(c);
    else
        fail(c, "erase", l->job->code);
}

static void erase(struct call *c)
{
    const struct departure *l = c->data;

    call_shares(c, shares_erase(c->d->shares, l->job, call_on_shares, c), erase, on_erased);
}

static void on_cleared(struct call *c)
{
    struct departure *l = c->data;
    const struct store_result *res = c->res;

    if (res->code != ERR_OK) {
        fail(c, "clear", res->code);
        return;
    }
    l->more = res->more;
    if (res->count == 0) {
        next_part(c);
        return;
    }
    collector_expect(c->d->collector);
    shares_job_free(l->job);
    l->job = shares_job_new(res->count);
    if (l->job == NULL) {
        fail(c, "erase", ERR_NOMEM);
        return;
    }
    for (size_t i = 0; i < res->count; i++)
        l->job->items[i].cell = res->u.cleared.cells[i];
    erase(c);
}

static void clear(struct call *c)
{
    const struct departure *l = c->data;
    struct store_user_clear in = {.now = daemon_time()};

    memcpy(in.uid, l->proof.uid.b, sizeof(in.uid));
    call_store(c, store_user_clear(c->d->port, &in, call_on_store, c), clear, on_cleared);
}

/* ---- the mark ---- */

static void on_marked(struct call *c)
{
    const struct departure *l = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    log_plain(LOG_AT_INFO, "account_deleted");
    joins_end_user(c->d->joins, &l->proof.uid);
    daemon_end_others(c->d, &l->proof.uid, c->conn);
    clear(c);
}

static void mark(struct call *c)
{
    struct departure *l = c->data;
    struct store_user_delete in = {.now = daemon_time()};

    if (!l->counted)
        l->d->leaving++;
    l->counted = true;
    memcpy(in.uid, l->proof.uid.b, sizeof(in.uid));
    call_store(c, store_user_delete(c->d->port, &in, call_on_store, c), mark, on_marked);
}

/* ---- the proof ---- */

static bool has_words(const struct call *c)
{
    return c->msg->delete_account->recovery_signature.len > 0;
}

/* Both signatures, as far as they came; ERR_INTEGRITY: the identity key's is bad, ERR_FACTOR: the
 * recovery key's. */
static int check(struct call *c, struct err *err)
{
    const struct departure *l = c->data;
    const Satchel__DeleteAccount *msg = c->msg->delete_account;
    struct manifest *m = NULL;
    int rc = manifest_page_first(c->res, &m, err);

    if (rc == ERR_OK)
        rc = login_delete_check(&l->proof, m->identity_key,
                                part(msg->signature.data, msg->signature.len), err);
    if (rc == ERR_OK && has_words(c)) {
        rc = login_delete_check(&l->proof, m->recovery_key,
                                part(msg->recovery_signature.data, msg->recovery_signature.len),
                                err);
        if (rc == ERR_INTEGRITY)
            rc = ERR_FACTOR;
    }
    manifest_free(m);
    return rc;
}

static void on_manifest(struct call *c)
{
    const struct departure *l = c->data;
    struct err err = {0};
    int rc;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    rc = check(c, &err);
    if (rc == ERR_INTEGRITY)
        call_error(c, ERR_AUTH, "the signature is not the identity key's");
    else if (rc == ERR_FACTOR)
        call_error(c, rc, "the signature is not the recovery key's");
    else if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (has_words(c))
        mark(c);
    else
        factor_check(c, &l->proof.uid, c->msg->delete_account->code, FACTOR_SETTLED, mark);
}

static void get_manifest(struct call *c)
{
    const struct departure *l = c->data;
    struct store_manifest_list in = {.from = l->sequence, .limit = 1};

    memcpy(in.uid, l->proof.uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifest,
               on_manifest);
}

static void on_user(struct call *c)
{
    struct departure *l = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    l->sequence = c->res->u.user.manifest_seq;
    get_manifest(c);
}

static void get_user(struct call *c)
{
    const struct departure *l = c->data;
    struct store_user_get in = {.by = STORE_BY_UID};

    memcpy(in.uid, l->proof.uid.b, sizeof(in.uid));
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

void req_delete_account(struct call *c)
{
    struct departure *l = calloc(1, sizeof(*l));
    struct err err = {0};
    int rc;

    if (l == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    c->data = l;
    c->drop = departure_free;
    l->d = c->d;
    l->proof.server = c->d->id;
    l->proof.uid = c->conn->uid;
    rc = conn_exporter(c->conn, l->proof.exporter, &err);
    if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else if (!has_words(c) || !factor_refuse_rate(c, &l->proof.uid))
        get_user(c);
}
