/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that is lost in the middle of an operation.
 *
 * Happy path: op_lost -> requests forgotten, pause() -> the last job ends ->
 * op_retry_wait -> alarm -> the link, shared with other operations -> again().
 *
 * Ways to fail: a reason that does not pass; no step forward for the handle's
 * retry time, or RETRY_TRIES tries: the operation ends with the newest reason.
 */
#include "client/core/op.h"
#include "common/crypto/rng.h"

enum {
    RETRY_FIRST_MS = 250, /* the wait before the first try; each further one is twice as long */
    RETRY_MAX_MS = 15000,
    RETRY_TRIES = 100
};

void op_advanced(struct satchel_op *op)
{
    op->retry.tries = 0;
}

/* Will the same, asked a little later, perhaps go well?  RATE: if the server says when. */
static bool passes(const struct err *why)
{
    switch (why->code) {
    case ERR_CLOSED:
    case ERR_TIMEOUT:
    case ERR_CONNECT:
    case ERR_TLS:
    case ERR_BUSY:
    case ERR_DRAINING:
        return true;
    case ERR_RATE:
        return why->retry_ms > 0;
    default:
        return false;
    }
}

/* Twice as long each time, half of it at random: clients of one server must not come back as one.
 */
static unsigned pick_delay(unsigned tries, unsigned advice)
{
    unsigned step = tries < 6 ? (unsigned)RETRY_FIRST_MS << tries : RETRY_MAX_MS;
    uint16_t draw = 0;

    if (rng_bytes(&draw, sizeof(draw)) != ERR_OK)
        draw = 0;
    return advice + step / 2 + (unsigned)((uint64_t)step * draw / (2 * UINT16_MAX));
}

bool op_may_pass(int code)
{
    static const int codes[] = {ERR_CLOSED,   ERR_TIMEOUT, ERR_CONNECT, ERR_TLS,      ERR_BUSY,
                                ERR_DRAINING, ERR_RATE,    ERR_FULL,    ERR_INTERNAL, ERR_NOMEM,
                                ERR_CANCELED, ERR_QUOTA,   ERR_LOCKED};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Nothing is asked and nobody called until again(). */
static void suspend(struct satchel_op *op, unsigned delay)
{
    op->retry.delay = delay;
    op->broken = true;
    link_forget(op);
    op_forget_requests(op);
    op->kind->pause(op);
}

void op_restart(struct satchel_op *op)
{
    if (!op_going(op))
        return;
    suspend(op, 0);
    if (op->jobs == 0)
        op_retry_wait(op);
}

bool op_lost(struct satchel_op *op, const struct err *why)
{
    uint64_t now = uv_now(op->s->loop), spent;
    unsigned delay;

    if (op->broken && !op->ended)
        return true; /* another request said so already */
    if (op->ended || op->kind->again == NULL || !op->linked || op->s->closing || !passes(why))
        return false;
    if (op->retry.tries == 0)
        op->retry.since = now;
    spent = now - op->retry.since;
    delay = pick_delay(op->retry.tries, why->retry_ms);
    if (op->retry.tries >= RETRY_TRIES || spent + delay > op->s->retry_ms)
        return false;
    op->retry.tries++;
    op->retry.why = why->code;
    suspend(op, delay);
    op_phase(op, SATCHEL_PHASE_CONNECT);
    handle_notice(op->s, SATCHEL_NOTICE_RETRY, NULL, "%s: trying again in %u.%u seconds", why->msg,
                  delay / 1000, delay % 1000 / 100);
    if (op->broken && !op->ended && op->jobs == 0)
        op_retry_wait(op);
    return true;
}

void op_unheard(struct satchel_op *op)
{
    struct err why = {0};

    err_set(&why, ERR_CLOSED, "the connection was lost");
    if (!op_lost(op, &why))
        op_end(op, &why);
}

static void on_alarm(struct alarm *a)
{
    struct satchel_op *op = LIST_OWNER(a, struct satchel_op, retry.alarm);

    op->broken = false;
    op_connect(op, LINK_NEED_READY, op->kind->again);
}

void op_retry_init(struct satchel_op *op)
{
    alarm_init(&op->retry.alarm, on_alarm);
}

void op_retry_wait(struct satchel_op *op)
{
    alarm_set(op->s->alarms, &op->retry.alarm, op->retry.delay);
}
