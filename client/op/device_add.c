/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: is there a second factor? -> a code is drawn -> OfferJoin, the code is shown ->
 * OfferJoin again and again, each waits at the server -> a request comes and is made with the
 * code -> OfferJoin with the code's opening -> a person says that it is the machine that is meant
 * -> a one-time password, if there is a factor -> the next manifest lists the device -> the
 * answer is sealed on a worker -> OfferJoin with it -> done.
 *
 * Ways to fail:
 *  - nobody comes in time                      ERR_EXPIRED
 *  - five requests that were not made with it  ERR_INTEGRITY
 *  - one of another version                    ERR_UNSUPPORTED
 *  - another one after the code was opened     ERR_EXISTS
 *  - the request came through somebody else    ERR_PIN
 *  - the person says no                       ERR_REFUSED
 *  - no good one-time password                 ERR_FACTOR, ERR_RATE
 *  - those of publish.h
 * Before the manifest is out the offer is taken back, and nothing is left.  A lost connection is
 * made again: what the server has then says where to go on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/op/device_code.h"
#include "client/op/device_grant.h"
#include "client/op/device_name.h"
#include "client/op/publish.h"
#include "common/crypto/hex.h"

enum { LIFETIME_MS = 10 * 60 * 1000, LIFETIME_MAX_MS = 60 * 60 * 1000, TICK_MS = 1000 };
enum { WRONG_MAX = 5, OTP_TRIES = 3 };

struct admission {
    struct satchel_op op;
    struct satchel_device_add_options o; /* callbacks; its strings are not kept */
    char name[IDENTITY_NAME_SIZE];       /* of this machine */
    bool factor;                         /* there is one */
    struct join_code code;
    uint64_t ends;  /* the loop's milliseconds; 0: not offered yet */
    uint64_t since; /* the same moment of our clock, for people */
    struct alarm tick;
    struct device_guest guest;   /* who has come */
    struct satchel_joiner shown; /* the same for people */
    bool allowed;                /* a person has said yes */
    unsigned wrong, tries;
    struct secret otp;
    struct err slip; /* what was wrong with the last code */
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
    device_guest_free(&a->guest);
    buf_free(&a->answer);
    free(a);
}

/* ---- what is said to the server ---- */

static struct ask ask_of(struct admission *a, Satchel__Envelope *e, Satchel__OfferJoin *m)
{
    m->id = (ProtobufCBinaryData){sizeof(a->code.id), a->code.id};
    e->body_case = SATCHEL__ENVELOPE__BODY_OFFER_JOIN;
    e->offer_join = m;
    return (struct ask){.e = e, .expect = SATCHEL__ENVELOPE__BODY_JOIN_REPLY};
}

/* What a message of the offer says; ${cb} gets errors as well. */
static void tell(struct admission *a, Satchel__OfferJoin *what, op_answer_cb *cb)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    struct op_ask ask = {.ask = ask_of(a, &e, what), .cb = cb, .errors = true};

    (void)op_ask(&a->op, &ask);
}

/* Say it; whether the server hears so does not matter. */
static void mention(struct admission *a, bool refuse, bool end)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;
    struct ask ask = ask_of(a, &e, &m);
    struct err err;

    m.refuse = refuse;
    m.end = end;
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
    const struct manifest_device *d = manifest_device(chain_newest(&id->chain), &a->guest.entry.id);
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
    (void)snprintf(a->result.name, sizeof(a->result.name), "%s", a->guest.what.name);
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

static int grant_work(struct op_job *job, struct err *err)
{
    struct admission *a = (struct admission *)job->op;
    struct device_grant g = {job->op->s->profile, &a->guest, a->name};

    return device_grant(&g, &a->publish.id, &a->answer, err);
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
        a->slip = *why;
        list_device(a);
    } else {
        op_end(p->op, why);
    }
}

/* False: the operation has ended, for what was wrong before if nothing is given behind it. */
static bool ask_otp(struct admission *a)
{
    struct err err = {0};
    long len = 0;

    a->tries++;
    if (secret_new(&a->otp, SATCHEL_CODE_SIZE, &err) == ERR_OK) {
        len = a->o.ask_otp(a->op.cookie, &a->shown, (char *)a->otp.data, a->otp.len - 1);
        if (len < 0)
            err_set(&err, ERR_CANCELED, "interrupted at the code");
        else if ((len == 0 || (size_t)len >= a->otp.len) && a->slip.code != ERR_OK)
            err = a->slip;
        else if (len == 0 || (size_t)len >= a->otp.len)
            err_set(&err, ERR_FACTOR, "a new device needs a one-time password");
        else
            a->otp.data[len] = '\0';
    }
    if (err.code != ERR_OK)
        op_end(&a->op, &err);
    return !a->op.ended;
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
                                  .change.add = &a->guest.entry,
                                  .code = (const char *)a->otp.data,
                                  .done = published,
                                  .refused = refused};
    publish_start(&a->publish);
}

/* ---- second: somebody comes ---- */

static void wait_for(struct admission *a, bool refuse);

/* The server does not hear us any more, or has forgotten the offer. */
static void unheard(struct satchel_op *op, const struct err *why)
{
    struct err err = *why;

    if (err.code == ERR_NOTFOUND)
        err_set(&err, ERR_EXPIRED, "the code counts no more");
    op_end(op, &err);
}

/* The new device hears of it before the offer ends. */
static void turn_away(struct admission *a, const struct err *why)
{
    mention(a, true, false);
    op_end(&a->op, why);
}

/* A person says who comes in, once for a request. */
static void on_opened(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    struct err err = {0};

    (void)arg;
    if (reply->err != NULL) {
        unheard(op, reply->err);
        return;
    }
    if (reply->e->join_reply->sealed.len > 0) { /* it has told us of the request again */
        err_set(&err, ERR_UNSUPPORTED, "the server cannot pass on what opens a code");
        err_hint(&err, "its version of Satchel is too old: tell its operator");
        turn_away(a, &err);
        return;
    }
    alarm_clear(&a->tick);
    if (!a->allowed)
        a->allowed = a->o.allow(op->cookie, &a->shown);
    if (op->ended) /* by what was called */
        return;
    if (a->allowed) {
        list_device(a);
        return;
    }
    err_set(&err, ERR_REFUSED, "the new device was not let in, and the code counts no more");
    turn_away(a, &err);
}

/* Who has come hears from what its number follows: now it cannot be another one any more. */
static void open_code(struct admission *a)
{
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;
    struct device_guest *g = &a->guest;
    struct err err = {0};

    if (device_guest_check_pin(g, &a->op.s->profile->settings, &err) != ERR_OK ||
        device_guest_open(g, &err) != ERR_OK) {
        turn_away(a, &err);
        return;
    }
    device_guest_show(g, &a->shown);
    m.opening = (ProtobufCBinaryData){g->opening.len, g->opening.data};
    tell(a, &m, on_opened);
}

static void on_come(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    struct err err = {0};
    struct part sealed;
    int rc;

    (void)arg;
    if (reply->err != NULL) {
        unheard(op, reply->err);
        return;
    }
    sealed = part(reply->e->join_reply->sealed.data, reply->e->join_reply->sealed.len);
    if (sealed.len == 0) {
        wait_for(a, false);
        return;
    }
    rc = device_guest_take(&a->guest, sealed, &err);
    if (rc == ERR_OK)
        open_code(a);
    else if (rc != ERR_INVALID && rc != ERR_INTEGRITY)
        turn_away(a, &err);
    else if (++a->wrong < WRONG_MAX)
        wait_for(a, true);
    else
        op_fail(op, ERR_INTEGRITY, "%d requests came that were not made with this code", WRONG_MAX);
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

static void on_offered(struct satchel_op *op, void *arg, const struct answer *reply)
{
    struct admission *a = (struct admission *)op;
    bool again = a->ends != 0;
    struct err err = {0};

    (void)arg;
    if (reply->err != NULL) {
        op_end(op, reply->err);
        return;
    }
    if (!again) {
        a->ends = uv_now(op->s->loop) + a->o.lifetime;
        a->since = handle_now();
        if (device_code_show(&a->code, &op->s->profile->settings, a->since + a->o.lifetime, &a->o,
                             &err) != ERR_OK)
            op_end(op, &err);
    }
    if (op->ended) /* or by what was called */
        return;
    op_advanced(op);
    alarm_set(op->s->alarms, &a->tick, 0);
    wait_for(a, false);
}

static void offer(struct admission *a)
{
    Satchel__OfferJoin m = SATCHEL__OFFER_JOIN__INIT;

    m.version = JOIN_VERSION;
    m.lifetime = a->ends == 0 ? a->o.lifetime : left(a);
    if (m.lifetime == 0)
        m.lifetime = 1;
    tell(a, &m, on_offered);
}

static int draw_work(struct op_job *job, struct err *err)
{
    struct admission *a = (struct admission *)job->op;

    return device_code_draw(job->op->s->profile, &job->op->id->uid, &a->code, err);
}

static void drawn(struct op_job *job)
{
    struct admission *a = (struct admission *)job->op;

    a->guest.code = &a->code;
    a->guest.server = job->op->id->server;
    offer(a);
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
    listed = manifest_device(chain_newest(&op->id->chain), &a->guest.entry.id) != NULL;
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

    if (o->on_code == NULL || o->allow == NULL || o->lifetime > LIFETIME_MAX_MS) {
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
