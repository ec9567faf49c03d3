/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FactorEnrol, FactorConfirm, FactorRemove, FactorList: the caller's second factor.
 *
 * Happy path: enrol draws a key, which is pending -> the first code of it makes it
 * active, and recovery codes are shown once.  Removing takes a code, or the recovery key.
 * Renewing is enrolling with a code of the active one, which stays until the end.
 *
 * Ways to fail: EXISTS (an active one is there), BAD_STATE (nothing to confirm), NOT_FOUND
 * (nothing to remove), AUTH_FACTOR, RATE, BUSY (changed at the same time).
 */
#include <stdlib.h>
#include <string.h>

#include "common/transfer/login.h"
#include "common/transfer/manifest.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/factor.h"
#include "server/manifest_page.h"
#include "server/req.h"

/* ---- FactorEnrol ---- */

static void on_enrolled(struct call *c)
{
    struct factor_row *row = factor_of(c);
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorEnrolReply msg = SATCHEL__FACTOR_ENROL_REPLY__INIT;

    const struct secret *key = row->state == FACTOR_ACTIVE ? &row->next : &row->key;

    msg.key.data = key->data;
    msg.key.len = key->len;
    msg.digits = FACTOR_CODE_DIGITS;
    msg.step = FACTOR_STEP;
    env.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY;
    env.factor_enrol_reply = &msg;
    call_reply(c, &env);
}

static void drawn(struct call *c, int rc)
{
    if (rc == ERR_OK)
        factor_save(c, on_enrolled);
    else
        call_error(c, rc, NULL);
}

/* The active one, which a code was given of, stays until one of the new key has come. */
static void renew(struct call *c)
{
    drawn(c, factor_row_renew(factor_of(c)));
}

static void enrol(struct call *c)
{
    const char *code = c->msg->factor_enrol->code;

    if (factor_of(c)->state != FACTOR_ACTIVE)
        drawn(c, factor_row_enrol(factor_of(c), daemon_time()));
    else if (code[0] == '\0')
        call_error(c, ERR_EXISTS, "a factor is enrolled already");
    else
        factor_check(c, &c->conn->uid, code, FACTOR_ALWAYS, renew);
}

void req_factor_enrol(struct call *c)
{
    factor_load(c, &c->conn->uid, enrol);
}

/* ---- FactorConfirm ---- */

struct confirming {
    struct uid uid;
    char codes[FACTOR_CODES][FACTOR_CODE_TEXT];
};

static void confirming_free(void *data)
{
    struct confirming *f = data;

    secret_wipe(f, sizeof(*f));
    free(f);
}

static void on_confirmed(struct call *c)
{
    struct confirming *f = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorConfirmReply msg = SATCHEL__FACTOR_CONFIRM_REPLY__INIT;
    char *codes[FACTOR_CODES];

    for (size_t i = 0; i < FACTOR_CODES; i++)
        codes[i] = f->codes[i];
    msg.n_recovery_codes = FACTOR_CODES;
    msg.recovery_codes = codes;
    env.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM_REPLY;
    env.factor_confirm_reply = &msg;
    call_reply(c, &env);
}

static void confirm(struct call *c)
{
    struct factor_row *row = factor_of(c);
    struct confirming *f = c->data;
    const struct factor_confirm by = {
        .uid = f->uid, .device = c->conn->device, .now_ms = daemon_time()};
    int rc;

    if (row->state != FACTOR_PENDING && row->next.len == 0) {
        call_error(c, ERR_BADSTATE, "there is no factor to confirm");
        return;
    }
    if (factor_refuse_rate(c, &f->uid))
        return;
    rc = factor_row_take_new(row, &f->uid, c->msg->factor_confirm->code, daemon_time());
    if (rc == ERR_OK)
        rc = factor_row_confirm(row, &by, f->codes);
    if (rc == ERR_RATE)
        call_later(c, rc, factor_row_wait(row, daemon_time()));
    else if (rc == ERR_FACTOR && row->state == FACTOR_ACTIVE)
        factor_fail(c); /* the row has counted it */
    else if (rc != ERR_OK)
        factor_refuse(c, rc);
    if (rc != ERR_OK)
        return;
    factor_tell(c, STORE_FEED_FACTOR_ENROLLED);
    factor_save(c, on_confirmed);
}

void req_factor_confirm(struct call *c)
{
    struct confirming *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    f->uid = c->conn->uid;
    c->data = f;
    c->drop = confirming_free;
    factor_load(c, &f->uid, confirm);
}

/* ---- FactorRemove ---- */

static void removed(struct call *c)
{
    call_done(c);
}

/* Whoever brought us here may remove it.  One that is pending was never told, either. */
static void take_away(struct call *c)
{
    if (factor_of(c)->state == FACTOR_ACTIVE)
        factor_tell(c, STORE_FEED_FACTOR_REMOVED);
    factor_row_free(factor_of(c));
    factor_save(c, removed);
}

/* One that is pending grants nothing yet, and asks for nothing. */
static void on_removing(struct call *c)
{
    const struct factor_row *row = factor_of(c);

    if (row->state == FACTOR_NONE)
        call_error(c, ERR_NOTFOUND, "no factor is enrolled");
    else if (row->state == FACTOR_PENDING)
        take_away(c);
    else
        factor_check(c, &c->conn->uid, c->msg->factor_remove->code, FACTOR_ALWAYS, take_away);
}

/* The recovery key, which the user ID commits to, has signed on this connection. */
static int check_recovery(struct call *c, struct err *err)
{
    const ProtobufCBinaryData *sig = &c->msg->factor_remove->signature;
    struct login_factor f = {.server = c->d->id, .uid = c->conn->uid};
    struct manifest *m = NULL;
    int rc = manifest_page_first(c->res, &m, err);

    if (rc == ERR_OK)
        rc = conn_exporter(c->conn, f.exporter, err);
    if (rc == ERR_OK)
        rc = login_factor_check(&f, m->recovery_key, part(sig->data, sig->len), err);
    manifest_free(m);
    return rc;
}

static void on_manifest(struct call *c)
{
    struct err err = {0};
    int rc;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    rc = check_recovery(c, &err);
    if (rc == ERR_INTEGRITY)
        call_error(c, ERR_FACTOR, "the signature is not the recovery key's");
    else if (rc != ERR_OK)
        call_error(c, rc, "%s", err.msg);
    else
        factor_load(c, &c->conn->uid, take_away);
}

static void get_manifest(struct call *c)
{
    struct store_manifest_list in = {.from = 1, .limit = 1};

    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifest,
               on_manifest);
}

void req_factor_remove(struct call *c)
{
    if (c->msg->factor_remove->signature.len == 0)
        factor_load(c, &c->conn->uid, on_removing);
    else if (!factor_refuse_rate(c, &c->conn->uid))
        get_manifest(c);
}

/* ---- FactorList ---- */

static void list(struct call *c)
{
    const struct factor_row *row = factor_of(c);
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorListReply msg = SATCHEL__FACTOR_LIST_REPLY__INIT;
    Satchel__Factor factor = SATCHEL__FACTOR__INIT, *all[] = {&factor};

    factor_describe(row, &factor);
    msg.n_factors = row->state != FACTOR_NONE ? 1 : 0;
    msg.factors = all;
    env.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_LIST_REPLY;
    env.factor_list_reply = &msg;
    call_reply(c, &env);
}

void req_factor_list(struct call *c)
{
    factor_load(c, &c->conn->uid, list);
}
