/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: connect, log in -> Ping -> Done.  Ways to fail: those of the link. */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/op.h"
#include "client/op/pong.h"
#include "common/crypto/hex.h"

struct ping {
    struct satchel_op op;
    uint64_t asked; /* uv_hrtime() */
    struct satchel_pong pong;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_pong *r);
};

void pong_fill(const struct link *l, struct satchel_pong *ret)
{
    const struct session_hello *h = session_hello(l->session);

    *ret = (struct satchel_pong){.clock_difference = h->clock_difference,
                                 .registration = (enum satchel_registration)h->registration,
                                 .max_transfer = h->max_transfer,
                                 .min_lifetime = h->min_lifetime,
                                 .max_lifetime = h->max_lifetime,
                                 .max_recipients = h->max_recipients,
                                 .quota = l->quota,
                                 .used = l->used};
    (void)snprintf(ret->software, sizeof(ret->software), "%s", h->software);
    hex_encode(ret->server_id, h->server.b, sizeof(h->server.b));
}

static void on_done(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct ping *p = (struct ping *)op;

    (void)arg;
    (void)a;
    pong_fill(&op->s->link, &p->pong);
    p->pong.ms = (double)(uv_hrtime() - p->asked) / 1e6;
    op_end(op, NULL);
}

static void begin(struct satchel_op *op)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Ping m = SATCHEL__PING__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_done};

    e.body_case = SATCHEL__ENVELOPE__BODY_PING;
    e.ping = &m;
    ((struct ping *)op)->asked = uv_hrtime();
    (void)op_ask(op, &a);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct ping *p = (struct ping *)op;

    p->done(op->done_cookie, err, err == NULL ? &p->pong : NULL);
}

static void free_ping(struct satchel_op *op)
{
    free(op);
}

int satchel_ping_start(struct satchel *s, const struct satchel_ping_options *o,
                       struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {
        .need = LINK_NEED_READY, .begin = begin, .finish = finish, .free = free_ping};
    struct ping *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return op_no_memory(error);
    p->done = o->done;
    return op_start(&p->op, s, &kind, o->cookie, ret_op, error);
}
