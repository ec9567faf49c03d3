/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: link_wait -> prepare -> dial -> on_greeted -> login -> on_login ->
 * operations begin.
 *
 * Ways to fail; each ends the operations that wait:
 *  - certificates cannot be read        ERR_NOTFOUND, ERR_INVALID
 *  - the connection                     as in session.h
 *  - pin not confirmed                  ERR_PIN
 *  - another server than the profile's  ERR_PIN
 *  - login refused                      ERR_AUTH
 */
#include "client/core/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/catchup.h"
#include "client/core/deposit.h"
#include "client/core/factor_seen.h"
#include "client/core/handle.h"
#include "client/core/op.h"
#include "client/core/repin.h"
#include "client/core/rotate.h"
#include "common/net/tls_ctx.h"

enum { CLOCK_NOTICE_MS = 5 * 60 * 1000 };

static void step(struct link *l);

/* The only place that sets the state. */
static void enter(struct link *l, enum link_state next)
{
    static const unsigned allowed[] = {
        [LINK_DOWN] = 1u << LINK_PREPARING | 1u << LINK_DIALING,
        [LINK_PREPARING] = 1u << LINK_DOWN | 1u << LINK_DIALING,
        [LINK_DIALING] = 1u << LINK_DOWN | 1u << LINK_ASKING | 1u << LINK_GREETED,
        [LINK_ASKING] = 1u << LINK_DOWN,
        [LINK_GREETED] = 1u << LINK_DOWN | 1u << LINK_LOGIN,
        [LINK_LOGIN] = 1u << LINK_DOWN | 1u << LINK_ROTATING | 1u << LINK_READY,
        [LINK_ROTATING] = 1u << LINK_DOWN | 1u << LINK_READY,
        [LINK_READY] = 1u << LINK_DOWN,
    };

    assert((allowed[l->state] >> next & 1) != 0);
    l->state = next;
}

void link_init(struct link *l, struct satchel *s)
{
    *l = (struct link){.s = s};
    list_init(&l->waiting);
}

void link_free(struct link *l)
{
    settings_free(&l->target);
    SSL_CTX_free(l->ctx);
}

bool link_idle(const struct link *l)
{
    return l->session == NULL && l->jobs == 0;
}

static void fail_waiting(struct link *l, const struct err *why)
{
    /* Who waits anew meanwhile is not meant. */
    for (unsigned n = l->s->n_ops; n > 0 && !list_empty(&l->waiting); n--)
        op_unlinked(LIST_OWNER(l->waiting.next, struct satchel_op, in_link), why);
}

/* ---- ending ----------------------------------------------------------------- */

static void ask_pin(struct link *l)
{
    struct satchel *s = l->s;
    char text[PIN_CHARS + 1];
    struct satchel_pin_question q = {.server = l->target.server, .pin = text};
    struct err why = {0};

    pin_encode(&l->asked, text);
    if (l->on_trial) {
        enter(l, LINK_ASKING);
        link_pin_answer(l, true);
        return;
    }
    if (s->on_pin != NULL) {
        enter(l, LINK_ASKING);
        s->on_pin(s->cookie, &q);
        return;
    }
    enter(l, LINK_DOWN);
    err_set(&why, ERR_PIN, "the key of '%s' is not known: its pin is %s", l->target.server, text);
    err_hint(&why, "compare it with the operator's, then name it with --pin");
    fail_waiting(l, &why);
}

static void on_closed(void *cookie, const struct err *why)
{
    struct link *l = cookie;

    l->session = NULL;
    if (l->asking) {
        l->asking = false;
        ask_pin(l);
    } else {
        enter(l, LINK_DOWN);
        if (l->s->watch != NULL)
            op_end(l->s->watch, why);
        if (!l->retarget)
            fail_waiting(l, why);
        l->retarget = false;
        step(l);
    }
    handle_settle(l->s);
}

void link_close(struct link *l)
{
    if (l->session != NULL)
        session_close(l->session);
}

/* ---- login ---------------------------------------------------------------------- */

static void drop(struct link *l, const struct err *why)
{
    session_drop(l->session, why);
}

/* Everything that may happen before operations has happened. */
void link_ready(struct link *l)
{
    if (l->session == NULL || !session_alive(l->session))
        return; /* on_closed() sees to it */
    enter(l, LINK_READY);
    step(l);
}

static void on_login(void *cookie, const struct answer *a)
{
    struct link *l = cookie;
    struct err why = {0};

    if (a->err != NULL) {
        why = *a->err;
        if (why.code == ERR_AUTH && strstr(why.msg, "suspended") != NULL)
            err_hint(&why, "ask the operator of the server");
        else if (why.code == ERR_AUTH)
            err_hint(&why, "the server does not know this user or device any more");
        err_wrap(&why, "cannot log in");
        if (l->session != NULL)
            drop(l, &why);
        return;
    }
    l->quota = a->e->login_reply->quota;
    l->used = a->e->login_reply->used;
    l->server_sequence = a->e->login_reply->sequence;
    l->account = a->e->login_reply->account;
    factor_seen_look(l, a->e->login_reply->factor);
    if (l->session == NULL || !(catchup_due(l) || rotate_due(l) || deposit_due(l))) {
        link_ready(l);
        return;
    }
    enter(l, LINK_ROTATING);
    if (catchup_due(l))
        catchup_start(l);
    else
        link_caught_up(l);
}

void link_caught_up(struct link *l)
{
    if (l->session != NULL && rotate_due(l))
        rotate_start(l);
    else
        deposit_last(l);
}

/* proto/FORMATS.md section 5. */
static void login(struct link *l)
{
    const struct identity *id = l->s->profile->id;
    const struct session_hello *hello = session_hello(l->session);
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Login m = SATCHEL__LOGIN__INIT;
    struct ask ask = {
        .e = &e, .expect = SATCHEL__ENVELOPE__BODY_LOGIN_REPLY, .cb = on_login, .cookie = l};
    struct login facts = {
        .server = hello->server, .uid = id->uid, .device = id->device, .time = handle_now()};
    uint8_t sig[SIGNED_SIG_LEN];
    struct err err = {0};
    int rc;

    enter(l, LINK_LOGIN);
    memcpy(facts.nonce, hello->nonce, sizeof(facts.nonce));
    rc = session_binding(l->session, facts.exporter, &err);
    if (rc == ERR_OK)
        rc = login_sign(&facts, &id->dsk, sig, &err);
    m.user_id = (ProtobufCBinaryData){sizeof(id->uid.b), (uint8_t *)id->uid.b};
    m.device = (ProtobufCBinaryData){sizeof(id->device.b), (uint8_t *)id->device.b};
    m.time = facts.time;
    m.signature = (ProtobufCBinaryData){sizeof(sig), sig};
    e.body_case = SATCHEL__ENVELOPE__BODY_LOGIN;
    e.login = &m;
    if (rc == ERR_OK)
        rc = session_ask(l->session, &ask, NULL, &err);
    if (rc != ERR_OK)
        drop(l, &err);
}

/* ---- greeting ------------------------------------------------------------------- */

/* The key of the certificate is right, but is it the server where we are registered? */
static int check_server(struct link *l, const struct session_hello *hello, struct err *err)
{
    const struct profile *p = l->s->profile;

    if (p == NULL || memcmp(&p->id->server, &hello->server, sizeof(hello->server)) == 0)
        return ERR_OK;
    err_set(err, ERR_PIN, "'%s' is not the server where this profile is registered",
            l->target.server);
    err_hint(err, "its server ID has changed: ask the operator");
    return ERR_PIN;
}

static void on_greeted(void *cookie)
{
    struct link *l = cookie;
    const struct session_hello *hello = session_hello(l->session);
    int64_t ahead = hello->clock_difference;
    struct err why = {0};

    if (check_server(l, hello, &why) != ERR_OK || repin_look(l, &why) != ERR_OK) {
        drop(l, &why);
        return;
    }
    if (ahead > CLOCK_NOTICE_MS || ahead < -CLOCK_NOTICE_MS)
        handle_notice(
            l->s, SATCHEL_NOTICE_CLOCK, NULL, "the server's clock is %lld seconds %s ours",
            (long long)((ahead > 0 ? ahead : -ahead) / 1000), ahead > 0 ? "ahead of" : "behind");
    enter(l, LINK_GREETED);
    step(l);
}

/* ---- dialling -------------------------------------------------------------------- */

static void on_pin(void *cookie, const struct pin *pin)
{
    struct link *l = cookie;

    l->asked = *pin;
    l->asking = true;
}

static void on_event(void *cookie, const Satchel__Event *e)
{
    struct satchel *s = ((struct link *)cookie)->s;

    if (s->watch != NULL)
        s->on_event(s->watch, e);
}

static void dial(struct link *l)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_COLLECT};
    struct addr to;
    struct session_opts opts = {.net = l->s->net,
                                .ctx = l->ctx,
                                .to = &to,
                                .verify = &verify,
                                .connect_ms = l->s->connect_ms,
                                .request_ms = l->s->request_ms,
                                .cookie = l,
                                .on_pin = on_pin,
                                .on_greeted = on_greeted,
                                .on_event = on_event,
                                .on_closed = on_closed};
    struct err err = {0};
    int rc = addr_parse(&to, l->target.server, &err);

    uv_update_time(l->s->loop); /* a question may have taken minutes: none of them counts here */
    if (rc == ERR_OK)
        rc = repin_verify(&l->target, &verify, &err);
    verify.host = to.host;
    if (rc == ERR_OK)
        rc = session_open(&l->session, &opts, &err);
    if (rc == ERR_OK) {
        enter(l, LINK_DIALING);
        return;
    }
    if (l->state != LINK_DOWN)
        enter(l, LINK_DOWN);
    fail_waiting(l, &err);
}

/* ---- preparing -------------------------------------------------------------------- */

struct prepare {
    uv_work_t req;
    struct link *l;
    char *ca_file; /* NULL: none */
    SSL_CTX *ctx;
    struct err err;
};

static void prepare_work(uv_work_t *req)
{
    struct prepare *p = LIST_OWNER(req, struct prepare, req);
    const char *file = p->ca_file;
    int rc = tls_ctx_client(&p->ctx, &p->err);

    if (rc == ERR_OK && file != NULL)
        rc = tls_ctx_trust(p->ctx, strcmp(file, "system") == 0 ? NULL : file, &p->err);
    if (rc != ERR_OK) {
        SSL_CTX_free(p->ctx);
        p->ctx = NULL;
    }
}

static void prepared(uv_work_t *req, int status)
{
    struct prepare *p = LIST_OWNER(req, struct prepare, req);
    struct link *l = p->l;

    (void)status;
    l->jobs--;
    if (p->ctx != NULL && !l->s->closing) {
        SSL_CTX_free(l->ctx);
        l->ctx = p->ctx;
        dial(l);
    } else {
        SSL_CTX_free(p->ctx);
        enter(l, LINK_DOWN);
        fail_waiting(l, &p->err);
    }
    free(p->ca_file);
    free(p);
    handle_settle(l->s);
}

static void prepare(struct link *l)
{
    struct prepare *p = calloc(1, sizeof(*p));
    struct err err = {0};
    int rc = p != NULL ? settings_set(&p->ca_file, l->target.ca_file, &err)
                       : err_set(&err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK) {
        p->l = l;
        if (uv_queue_work(l->s->loop, &p->req, prepare_work, prepared) == 0) {
            l->jobs++;
            enter(l, LINK_PREPARING);
            return;
        }
        free(p->ca_file);
        err_set(&err, ERR_INTERNAL, "cannot start a job");
    }
    free(p);
    fail_waiting(l, &err);
}

int link_target(struct link *l, const struct settings *target, struct err *err)
{
    int rc = settings_copy(target, &l->target, err);

    if (rc != ERR_OK)
        return rc;
    SSL_CTX_free(l->ctx);
    l->ctx = NULL;
    l->on_trial = false;
    if (l->session != NULL) {
        struct err why = {0};

        err_set(&why, ERR_CLOSED, "the connection was closed");
        l->retarget = true;
        session_drop(l->session, &why);
    }
    return ERR_OK;
}

/* ---- operations --------------------------------------------------------------------- */

/* Let those begin whose connection is there; true if one still needs a login. */
static bool begin_waiting(struct link *l)
{
    bool login_needed = false;

    for (struct list *at = l->waiting.next; at != &l->waiting;) {
        struct satchel_op *op = LIST_OWNER(at, struct satchel_op, in_link);

        at = at->next;
        if (op->need == LINK_NEED_READY && l->state != LINK_READY) {
            login_needed = true;
            continue;
        }
        list_remove(&op->in_link);
        op_go_on(op);
    }
    return login_needed;
}

/* Do the next thing that the waiting operations need. */
static void step(struct link *l)
{
    if (list_empty(&l->waiting) || l->s->closing || l->retarget)
        return;
    if (l->state == LINK_DOWN && l->ctx == NULL)
        prepare(l);
    else if (l->state == LINK_DOWN)
        dial(l);
    else if (l->state == LINK_READY || l->state == LINK_GREETED)
        if (begin_waiting(l) && l->state == LINK_GREETED)
            login(l);
}

void link_wait(struct link *l, struct satchel_op *op)
{
    if (op->need == LINK_NEED_NOTHING) {
        op_go_on(op);
        return;
    }
    list_push(&l->waiting, &op->in_link);
    step(l);
}

void link_forget(struct satchel_op *op)
{
    list_remove(&op->in_link);
}

/* ---- the pin --------------------------------------------------------------------------- */

/* The connection goes on with the pin that was accepted. */
static void pin_saved(struct link *l, const struct err *why)
{
    if (why != NULL)
        fail_waiting(l, why);
    enter(l, LINK_DOWN);
    step(l);
}

void link_pin_answer(struct link *l, bool accept)
{
    char text[PIN_CHARS + 1];
    struct err why = {0};
    int rc;

    if (l->state != LINK_ASKING)
        return;
    pin_encode(&l->asked, text);
    if (!accept)
        rc = err_set(&why, ERR_PIN, "the key of '%s' was not confirmed", l->target.server);
    else
        rc = settings_set(&l->target.pin, text, &why);
    if (rc == ERR_OK && l->s->profile != NULL) {
        rc = repin_keep(l, pin_saved, &why);
        if (rc == ERR_OK)
            return; /* pin_saved() goes on */
    }
    enter(l, LINK_DOWN);
    if (rc != ERR_OK)
        fail_waiting(l, &why);
    step(l);
}
