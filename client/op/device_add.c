/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: is there a second factor? -> a code is drawn -> OfferJoin, the code is shown ->
 * OfferJoin again and again, each waits at the server -> a request comes and is made with the
 * code -> a one-time password, if there is a factor -> the next manifest lists the device -> the
 * answer is sealed on a worker -> OfferJoin with it -> done.
 *
 * Ways to fail:
 *  - nobody comes in time                      ERR_EXPIRED
 *  - five requests that were not made with it  ERR_INTEGRITY
 *  - the request came through somebody else    ERR_PIN
 *  - no good one-time password                 ERR_FACTOR, ERR_RATE
 *  - those of publish.h
 * Before the manifest is out the offer is taken back, and nothing is left.  A lost connection is
 * made again: what the server has then says where to go on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/join.h"
#include "client/op/device_name.h"
#include "client/op/publish.h"
#include "common/crypto/hex.h"

enum {
    LIFETIME_MS = 10 * 60 * 1000,
    LIFETIME_MAX_MS = 60 * 60 * 1000,
    TICK_MS = 1000,
    WRONG_MAX = 5,
    OTP_TRIES = 3
};

struct admission {
    struct satchel_op op;
    struct satchel_device_add_options o; /* callbacks; its strings are not kept */
    char name[IDENTITY_NAME_SIZE];       /* of this machine */
    bool factor;                         /* there is one */
    struct join_code code;
    uint64_t ends;  /* the loop's milliseconds; 0: not offered yet */
    uint64_t since; /* the same moment of our clock, for people */
    struct alarm tick;
    struct buf request; /* sealed */
    struct join_request joiner;
    struct manifest_device device;
    unsigned wrong, tries;
    struct secret otp;
    struct publish publish;
    bool publishing;
    struct op_job job;
    struct buf answer;
    struct satchel_device result;
};

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct admission *a = (struct admission *)op;

    a->o.done(op->done_cookie, err, err == NULL ? &a->result : NULL);
}

static void free_adding(struct satchel_op *op)
{
    struct admission *a = (struct admission *)op;

    join_code_free(&a->code);
    secret_free(&a->otp);
    publish_free(&a->publish);
    buf_free(&a->request);
    buf_free(&a->answer);
    free(a);
}

/* ---- what is said to the server ---- */

/* What a message of the offer says; ${cb} gets errors as well. */
static void tell(struct admission *a, const Satchel__OfferJoin *what, op_answer_cb *cb)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OfferJoin m = *what;
    struct op_ask ask = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_JOIN_REPLY}, .cb = cb, .errors = true};

    m.id = (ProtobufCBinaryData){sizeof(a->code.id), a->code.id};
    e.body_case = SATCHEL__ENVELOPE__BODY_OFFER_JOIN;
    e.offer_join = &m;
    (void)op_ask(&a->op, &ask);
}

/* Say it; whether the server hears so does not matter. */
static void mention(struct admission *a, bool refuse, bool end)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;
    struct ask ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_JOIN_REPLY};
    struct err err;

    m.id = (ProtobufCBinaryData){sizeof(a->code.id), a->code.id};
    m.refuse = refuse;
    m.end = end;
    e.body_case = SATCHEL__ENVELOPE__BODY_OFFER_JOIN;
    e.offer_join = &m;
    if (a->op.s->link.session != NULL && !a->op.broken)
        err.code = session_ask(a->op.s->link.session, &ask, NULL, &err);
}

/* It is over: the server need not keep the offer. */
static void stop(struct satchel_op *op)
{
    struct admission *a = (struct admission *)op;

    alarm_clear(&a->tick);
    if (a->ends != 0 && op->err.code != ERR_OK)
        mention(a, false, true);
}

static uint64_t left(const struct admission *a)
{
    uint64_t now = uv_now(a->op.s->loop);

    return a->ends > now ? a->ends - now : 0;
}

/* ---- fifth: the answer ---- */

static void on_answered(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    const struct identity *id = op->s->profile->id;
    const struct manifest_device *d = manifest_device(chain_newest(&id->chain), &a->device.id);
    struct err err;

    (void)arg;
    if (reply->err != NULL || d == NULL) {
        err = reply->err != NULL ? *reply->err : (struct err){.code = ERR_INTERNAL};
        err_wrap(&err, "the device is listed, but it did not get what it needs");
        err_hint(&err, "take it out with 'satchel device revoke', and begin anew");
        op_end(op, &err);
        return;
    }
    hex_encode(a->result.id, d->id.b, sizeof(d->id.b));
    (void)snprintf(a->result.name, sizeof(a->result.name), "%s", a->joiner.name);
    a->result.added = d->added;
    op_end(op, NULL);
}

static void send_answer(struct admission *a)
{
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;

    m.answer = (ProtobufCBinaryData){a->answer.len, a->answer.data};
    tell(a, &m, on_answered);
}

/* ---- fourth: what it needs ---- */

static int seal_answer(struct admission *a, const struct identity *id, struct secret *account,
                       struct err *err)
{
    struct join_answer out = {.manifest = chain_newest(&id->chain)->hash, .has_box = id->has_box};
    struct join_meeting m = {
        .code = &a->code, .server = id->server, .request = part(a->request.data, a->request.len)};
    struct secret ephemeral = {0};
    int rc = secret_copy(&out.isk, id->isk.data, id->isk.len, err);

    secret_move(&out.account, account);
    memcpy(out.recovery_box, id->box, sizeof(out.recovery_box));
    (void)snprintf(out.username, sizeof(out.username), "%s", id->username);
    (void)snprintf(out.email, sizeof(out.email), "%s", id->email);
    (void)snprintf(out.name, sizeof(out.name), "%s", a->name);
    if (rc == ERR_OK)
        rc = hedge_draw(a->op.s->profile->hedge, "join answer", part(NULL, 0), &ephemeral, err);
    if (rc == ERR_OK)
        rc = join_answer_seal(&out, &m, a->joiner.key, &ephemeral, &a->answer, err);
    join_answer_free(&out);
    secret_free(&ephemeral);
    return rc;
}

/* Names of both are kept with the identity, and go with what is given. */
static int grant_work(struct op_job *job, struct err *err)
{
    struct admission *a = (struct admission *)job->op;
    struct vault *v = job->op->s->profile->vault;
    struct identity *id = NULL;
    struct secret account = {0};
    struct backup_made made; /* the deposit that follows tells what is left out */
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(v, &id, err);
    if (rc == ERR_OK) {
        identity_keep_name(id, &id->device, a->name);
        identity_keep_name(id, &a->device.id, a->joiner.name);
        rc = identity_save(id, v, err);
    }
    if (rc == ERR_OK)
        rc = backup_build(v, id, &account, &made, err);
    vault_unlock(v);
    if (rc == ERR_OK)
        rc = seal_answer(a, id, &account, err);
    secret_free(&account);
    if (rc == ERR_OK)
        a->publish.id = id;
    else
        identity_unref(id);
    return rc;
}

static void granted(struct op_job *job)
{
    struct admission *a = (struct admission *)job->op;
    struct profile *profile = job->op->s->profile;

    identity_unref(profile->id);
    profile->id = a->publish.id;
    a->publish.id = NULL;
    send_answer(a);
}

/* ---- third: listed among our devices ---- */

static void list_device(struct admission *a);

static void published(struct publish *p)
{
    struct admission *a = (struct admission *)p->op;

    a->publishing = false;
    secret_free(&a->otp);
    op_job(p->op, &a->job, grant_work, granted);
}

static void refused(struct publish *p, const struct err *why)
{
    struct admission *a = (struct admission *)p->op;

    a->publishing = false;
    if (why->code == ERR_FACTOR && a->o.ask_otp != NULL && a->tries < OTP_TRIES) {
        a->factor = true;
        list_device(a);
    } else {
        op_end(p->op, why);
    }
}

/* False: the operation has ended. */
static bool ask_otp(struct admission *a)
{
    struct satchel_joiner who = {0};
    struct secret code = {0};
    struct err err = {0};
    long len = 0;

    hex_encode(who.id, a->device.id.b, sizeof(a->device.id.b));
    (void)snprintf(who.name, sizeof(who.name), "%s", a->joiner.name);
    a->tries++;
    if (secret_new(&code, SATCHEL_CODE_SIZE, &err) == ERR_OK) {
        len = a->o.ask_otp(a->op.cookie, &who, (char *)code.data, code.len - 1);
        if (len < 0)
            err_set(&err, ERR_CANCELED, "interrupted at the code");
        else if (len == 0 || (size_t)len >= code.len)
            err_set(&err, ERR_FACTOR, "a new device needs a one-time password");
    }
    if (err.code == ERR_OK)
        secret_move(&a->otp, &code);
    else
        op_end(&a->op, &err);
    secret_free(&code);
    return err.code == ERR_OK;
}

static void list_device(struct admission *a)
{
    if (a->factor && !ask_otp(a))
        return;
    if (a->op.ended) /* by what was called */
        return;
    publish_free(&a->publish);
    a->publishing = true;
    a->publish = (struct publish){.op = &a->op,
                                  .change.add = &a->device,
                                  .code = (const char *)a->otp.data,
                                  .done = published,
                                  .refused = refused};
    publish_start(&a->publish);
}

/* ---- second: somebody comes ---- */

static void wait_for(struct admission *a, bool refuse);

/* Between the new machine and the server stands nobody: it sees the key that we know. */
static int check_pin(const struct admission *a, struct err *err)
{
    const struct settings *t = &a->op.s->profile->settings;
    struct pin ours;

    if (!a->joiner.has_pin)
        return ERR_OK;
    if (t->pin == NULL) {
        err_set(err, ERR_PIN, "this device trusts the server through authorities");
        err_hint(err, "join with the same: satchel device join --ca");
        return ERR_PIN;
    }
    if (pin_decode(&ours, t->pin, err) != ERR_OK || !pin_equal(&ours, &a->joiner.pin)) {
        err_set(err, ERR_PIN, "the new device sees another key than '%s' has", t->server);
        err_hint(err, "somebody may be in between: is the server's name right there?");
        return ERR_PIN;
    }
    return ERR_OK;
}

static int take_request(struct admission *a, const Satchel__JoinReply *m, struct err *err)
{
    int rc = join_request_open(&a->joiner, &a->code, &a->op.s->profile->id->server,
                               part(m->sealed.data, m->sealed.len), err);

    if (rc != ERR_OK)
        return rc;
    buf_free(&a->request);
    buf_put(&a->request, m->sealed.data, m->sealed.len);
    rc = buf_check(&a->request, err);
    a->device = (struct manifest_device){.has_box = true};
    memcpy(a->device.key, a->joiner.device_key, sizeof(a->device.key));
    memcpy(a->device.box, a->joiner.box, sizeof(a->device.box));
    if (rc == ERR_OK)
        rc = ids_device(a->device.key, &a->device.id);
    return rc;
}

static void on_come(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    struct err err = {0};
    int rc;

    (void)arg;
    if (reply->err != NULL) {
        err = *reply->err;
        if (err.code == ERR_NOTFOUND)
            err_set(&err, ERR_EXPIRED, "the code counts no more");
        op_end(op, &err);
        return;
    }
    if (reply->e->join_reply->sealed.len == 0) {
        wait_for(a, false);
        return;
    }
    rc = take_request(a, reply->e->join_reply, &err);
    if (rc == ERR_NOMEM || rc == ERR_INTERNAL) {
        op_end(op, &err);
    } else if (rc != ERR_OK && ++a->wrong < WRONG_MAX) {
        wait_for(a, true);
    } else if (rc != ERR_OK) {
        op_fail(op, ERR_INTEGRITY, "%d requests came that were not made with this code", WRONG_MAX);
    } else if (check_pin(a, &err) != ERR_OK) {
        mention(a, true, false); /* the new device hears of it before the offer ends */
        op_end(op, &err);
    } else {
        alarm_clear(&a->tick);
        list_device(a);
    }
}

static void wait_for(struct admission *a, bool refuse)
{
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;

    m.refuse = refuse;
    tell(a, &m, on_come);
}

static void on_tick(struct alarm *alarm)
{
    struct admission *a = LIST_OWNER(alarm, struct admission, tick);

    if (left(a) == 0) {
        op_fail(&a->op, ERR_EXPIRED, "nobody has joined in time: the code counts no more");
        return;
    }
    if (a->o.on_wait != NULL)
        a->o.on_wait(a->op.cookie, left(a));
    if (!a->op.ended)
        alarm_set(a->op.s->alarms, &a->tick, TICK_MS);
}

/* ---- first: a code ---- */

static void show_code(struct admission *a)
{
    const struct settings *t = &a->op.s->profile->settings;
    struct secret text = {0}, uri = {0};
    struct satchel_join_code c = {.server = t->server, .ca = t->ca_file};
    struct err err = {0};
    int rc = join_code_show(&a->code, &text, &err);

    if (rc == ERR_OK)
        rc = secret_new(&uri, SATCHEL_JOIN_URI_SIZE, &err);
    if (rc == ERR_OK) {
        (void)snprintf((char *)uri.data, uri.len, "satchel://join/%s/%s", t->server,
                       (const char *)text.data);
        c.code = (const char *)text.data;
        c.uri = (const char *)uri.data;
        c.expires = a->since + a->o.lifetime;
        a->o.on_code(a->op.cookie, &c);
    } else {
        op_end(&a->op, &err);
    }
    secret_free(&text);
    secret_free(&uri);
}

static void on_offered(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    bool again = a->ends != 0;

    (void)arg;
    if (reply->err != NULL) {
        op_end(op, reply->err);
        return;
    }
    if (!again) {
        a->ends = uv_now(op->s->loop) + a->o.lifetime;
        a->since = handle_now();
        show_code(a);
    }
    if (op->ended)
        return;
    op_advanced(op);
    alarm_set(op->s->alarms, &a->tick, 0);
    wait_for(a, false);
}

static void offer(struct admission *a)
{
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;

    m.lifetime = a->ends == 0 ? a->o.lifetime : left(a);
    if (m.lifetime == 0)
        m.lifetime = 1;
    tell(a, &m, on_offered);
}

static int draw_work(struct op_job *job, struct err *err)
{
    struct admission *a = (struct admission *)job->op;
    struct secret s = {0};
    int rc = hedge_draw(job->op->s->profile->hedge, "join code", part(NULL, 0), &s, err);

    if (rc == ERR_OK) {
        secret_truncate(&s, JOIN_SECRET_LEN);
        rc = join_code_make(&a->code, &s, err);
    }
    secret_free(&s);
    return rc;
}

static void drawn(struct op_job *job)
{
    offer((struct admission *)job->op);
}

static void on_factors(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    const Satchel__FactorListReply *m = reply->e->factor_list_reply;

    (void)arg;
    for (size_t i = 0; i < m->n_factors; i++)
        a->factor = a->factor || m->factors[i]->active;
    if (a->factor && a->o.ask_otp == NULL)
        op_fail(op, ERR_FACTOR, "a new device needs a one-time password");
    else
        op_job(op, &a->job, draw_work, drawn);
}

static void begin(struct satchel_op *op)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__FactorList m = SATCHEL__FACTOR_LIST__INIT;
    struct op_ask ask = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_FACTOR_LIST_REPLY},
                         .cb = on_factors};

    e.body_case = SATCHEL__ENVELOPE__BODY_FACTOR_LIST;
    e.factor_list = &m;
    (void)op_ask(op, &ask);
}

/* ---- a lost connection ---- */

static void pause_adding(struct satchel_op *op)
{
    alarm_clear(&((struct admission *)op)->tick);
}

/* After the login we know whether the server has the manifest that lists the device. */
static void again(struct satchel_op *op)
{
    struct admission *a = (struct admission *)op;
    bool listed;

    identity_unref(op->id);
    op->id = identity_ref(op->s->profile->id);
    listed = manifest_device(chain_newest(&op->id->chain), &a->device.id) != NULL;
    if (a->code.secret.len == 0)
        begin(op);
    else if (a->answer.len > 0)
        send_answer(a);
    else if (listed)
        op_job(op, &a->job, grant_work, granted);
    else if (a->publishing)
        list_device(a);
    else
        offer(a);
}

int satchel_device_add_start(struct satchel *s, const struct satchel_device_add_options *o,
                             struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_READY,
                                        .begin = begin,
                                        .stop = stop,
                                        .pause = pause_adding,
                                        .again = again,
                                        .finish = finish,
                                        .free = free_adding};
    struct admission *a;
    struct err err = {0};

    if (o->on_code == NULL || o->lifetime > LIFETIME_MAX_MS) {
        (void)err_set(&err, ERR_INVALID, "a code counts for an hour at most");
        return handle_error(error, &err);
    }
    a = calloc(1, sizeof(*a));
    if (a == NULL)
        return op_no_memory(error);
    a->o = *o;
    if (a->o.lifetime == 0)
        a->o.lifetime = LIFETIME_MS;
    alarm_init(&a->tick, on_tick);
    if (device_name_take(o->name, a->name, &err) != ERR_OK) {
        free_adding(&a->op);
        return handle_error(error, &err);
    }
    return op_start(&a->op, s, &kind, o->cookie, ret_op, error);
}
