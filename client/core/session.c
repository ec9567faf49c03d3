/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: session_open -> stream is ready -> Hello out -> HelloReply ->
 * on_greeted -> session_ask ... -> session_close -> on_closed(ERR_OK).
 *
 * Ways to fail, all ending in on_closed:
 *  - as common/net/stream.h             the stream's code
 *  - the pin is to be confirmed         ERR_PIN
 *  - a bad greeting or answer           ERR_PROTO, ERR_UNSUPPORTED
 *  - the server says so with id 0       as wire_err.c maps it; Bye: ERR_DRAINING
 *  - silence while something is asked   ERR_TIMEOUT
 */
#include "client/core/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "client/core/list.h"
#include "client/core/wire_err.h"
#include "common/transfer/wire.h"

enum state { CONNECTING, GREETING, OPEN, CLOSED };

struct request {
    struct list in_session; /* waiting, or sent */
    struct session *session;
    uint64_t id;
    bool sent, forgotten, put;
    Satchel__Envelope__BodyCase expect, more;
    struct frame_out frame; /* the head is ours until it is sent */
    answer_cb *cb;
    void *cookie;
};

struct session {
    struct stream *stream;
    struct session_opts opts; /* its pointers to addresses are not valid any more */
    bool collect;
    enum state state;
    struct session_hello hello;
    struct list waiting, sent;
    size_t n_sent, n_puts;
    uint64_t next_id;
    uv_timer_t timer;
    uint64_t heard; /* the loop's milliseconds */
    size_t queued;  /* bytes that were waiting to leave when the timer last looked */
    struct err why; /* why we end it; code 0: the stream's reason counts */
    bool closing;
    uint64_t asked_at; /* our clock when Hello left, in ms since 1970 */
};

static uint64_t wall_ms(void)
{
    struct timeval tv;

    (void)gettimeofday(&tv, NULL);
    return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

static uv_loop_t *loop_of(const struct session *s)
{
    return net_loop_uv(s->opts.net);
}

/* ---- ending --------------------------------------------------------------- */

static void request_free(struct request *r)
{
    list_remove(&r->in_session);
    if (!r->sent && r->frame.release != NULL)
        r->frame.release(r->frame.arg);
    if (r->frame.head != NULL)
        secret_wipe((void *)(uintptr_t)r->frame.head, r->frame.head_len); /* codes travel in it */
    free((void *)r->frame.head);
    free(r);
}

void session_drop(struct session *s, const struct err *why)
{
    if (s->state == CLOSED || s->closing)
        return;
    s->closing = true;
    s->why = *why;
    stream_drop(s->stream, why->code);
}

static void fail(struct session *s, int code, const char *text)
{
    struct err why = {0};

    (void)err_set(&why, code, "%s", text);
    session_drop(s, &why);
}

static void pump(struct session *s);

void session_close(struct session *s)
{
    if (s->state == CLOSED || s->closing)
        return;
    pump(s);
    s->closing = true;
    stream_close(s->stream);
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

/* The last callback of the stream: nothing of it is left. */
static void on_closed(struct stream *stream, void *cookie, const struct err *why)
{
    struct session *s = cookie;
    struct err reason = s->why.code != ERR_OK ? s->why : *why;

    (void)stream;
    s->state = CLOSED;
    s->stream = NULL;
    if (reason.code == ERR_OK)
        (void)err_set(&reason, ERR_CLOSED, "the connection was closed");
    while (!list_empty(&s->waiting) || !list_empty(&s->sent)) {
        struct list *from = list_empty(&s->sent) ? &s->waiting : &s->sent;
        struct request *r = LIST_OWNER(from->next, struct request, in_session);
        struct answer a = {.err = &reason, .last = true};
        answer_cb *cb = r->forgotten ? NULL : r->cb;
        void *asker = r->cookie;

        request_free(r);
        if (cb != NULL)
            cb(asker, &a);
    }
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    s->opts.on_closed(s->opts.cookie, &reason);
}

/* ---- time ------------------------------------------------------------------- */

/* The time the wait at hand may take; 0: we wait for nothing. */
static unsigned patience(const struct session *s)
{
    if (s->state == GREETING)
        return s->opts.connect_ms;
    return s->state == OPEN && s->n_sent > 0 ? s->opts.request_ms : 0;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct session *s)
{
    unsigned ms = patience(s);

    if (ms == 0)
        (void)uv_timer_stop(&s->timer);
    else if (!uv_is_active((uv_handle_t *)&s->timer))
        (void)uv_timer_start(&s->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct session *s = timer->data;
    unsigned ms = patience(s);
    uint64_t silent = uv_now(loop_of(s)) - s->heard;

    if (s->closing || ms == 0)
        return;
    /* A slow line that takes our bytes is not silence; one that takes none the stream ends. */
    if (stream_queued(s->stream) != s->queued) {
        s->queued = stream_queued(s->stream);
        s->heard = uv_now(loop_of(s));
        silent = 0;
    }
    if (silent < ms) /* it was armed for an earlier wait */
        (void)uv_timer_start(timer, on_timer, ms - silent, 0);
    else
        fail(s, ERR_TIMEOUT, "the server does not answer");
}

/* ---- asking ------------------------------------------------------------------ */

/* Send what may leave now, in order. */
static void pump(struct session *s)
{
    while (!list_empty(&s->waiting) && !s->closing) {
        struct request *r = LIST_OWNER(s->waiting.next, struct request, in_session);
        int rc;

        if (s->state == OPEN && s->n_sent >= SESSION_REQUESTS_MAX)
            break;
        if (r->put && s->n_puts >= s->hello.window)
            break;
        rc = stream_send(s->stream, &r->frame, NULL);
        if (rc == ERR_AGAIN || rc == ERR_BADSTATE) /* later; the stream ends, and will say why */
            break;
        if (rc != ERR_OK) {
            fail(s, rc, "cannot send");
            break;
        }
        r->sent = true;
        if (s->n_sent++ == 0)
            s->heard = uv_now(loop_of(s)); /* the silence before nobody asked does not count */
        s->n_puts += r->put;
        list_remove(&r->in_session);
        list_push(&s->sent, &r->in_session);
    }
    arm(s);
}

static void on_drain(struct stream *stream, void *cookie)
{
    (void)stream;
    pump(cookie);
}

static int ask(struct session *s, const struct ask *a, struct request **ret, struct err *err)
{
    struct request *r;
    uint8_t *head;
    size_t len;

    a->e->id = s->next_id;
    len = satchel__envelope__get_packed_size(a->e);
    if (len > FRAME_HEAD_MAX)
        return err_set(err, ERR_TOOLARGE, "the request is too large");
    r = calloc(1, sizeof(*r));
    head = malloc(len);
    if (r == NULL || head == NULL) {
        free(r);
        free(head);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    (void)satchel__envelope__pack(a->e, head);
    r->session = s;
    r->id = s->next_id++;
    r->put = a->e->body_case == SATCHEL__ENVELOPE__BODY_PUT_PIECE;
    r->expect = a->expect;
    r->more = a->more;
    r->cb = a->cb;
    r->cookie = a->cookie;
    r->frame = (struct frame_out){.head = head,
                                  .head_len = len,
                                  .tail = a->tail,
                                  .tail_len = a->tail_len,
                                  .release = a->release,
                                  .arg = a->arg};
    list_push(&s->waiting, &r->in_session);
    pump(s);
    if (ret != NULL)
        *ret = r;
    return ERR_OK;
}

int session_ask(struct session *s, const struct ask *a, struct request **ret, struct err *err)
{
    if (s->state != OPEN || s->closing)
        return err_set(err, ERR_CLOSED, "the connection is closed");
    return ask(s, a, ret, err);
}

void session_forget(struct request *r)
{
    if (r->sent)
        r->forgotten = true; /* its answer is still to come */
    else
        request_free(r);
}

/* ---- greeting ------------------------------------------------------------------ */

static int check_hello(struct session *s, const Satchel__HelloReply *m, struct err *err)
{
    struct session_hello *h = &s->hello;
    const Satchel__Limits *l = m->limits;
    struct server_id id;

    if (m->version != 1)
        return err_set(err, ERR_UNSUPPORTED, "the server speaks version %u", m->version);
    if (m->server_id.len != IDS_SERVER_LEN || m->server_key.len != IDS_KEY_LEN ||
        m->nonce.len != LOGIN_NONCE_LEN || l == NULL || l->window < 1 || l->max_transfer < 1 ||
        l->max_lifetime < l->min_lifetime || l->max_recipients < 1)
        return err_set(err, ERR_PROTO, "the server's greeting is malformed");
    if ((m->next_pin.len != 0 && m->next_pin.len != sizeof(h->next_pin.b)) ||
        (m->next_pin_signature.len != 0 && m->next_pin_signature.len != SIGNED_SIG_LEN))
        return err_set(err, ERR_PROTO, "the server's greeting has a malformed pin");
    if (ids_server(m->server_key.data, &id) != ERR_OK ||
        memcmp(id.b, m->server_id.data, sizeof(id.b)) != 0)
        return err_set(err, ERR_PROTO, "the server's ID does not belong to its key");
    h->server = id;
    memcpy(h->server_key, m->server_key.data, sizeof(h->server_key));
    memcpy(h->nonce, m->nonce.data, sizeof(h->nonce));
    (void)snprintf(h->software, sizeof(h->software), "%s", m->software);
    for (char *p = h->software; *p != '\0'; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    h->time = m->time;
    h->clock_difference = (int64_t)(m->time - s->asked_at);
    h->registration = (unsigned)m->registration;
    h->max_transfer = l->max_transfer;
    h->min_lifetime = l->min_lifetime;
    h->max_lifetime = l->max_lifetime;
    h->max_recipients = l->max_recipients;
    h->window = l->window < SESSION_WINDOW_MAX ? l->window : SESSION_WINDOW_MAX;
    h->page = l->page;
    h->has_next_pin = m->next_pin.len > 0;
    if (h->has_next_pin)
        memcpy(h->next_pin.b, m->next_pin.data, sizeof(h->next_pin.b));
    h->signed_next = m->next_pin_signature.len > 0;
    if (h->signed_next)
        memcpy(h->next_pin_signature, m->next_pin_signature.data, SIGNED_SIG_LEN);
    for (size_t i = 0; i < m->n_features; i++) {
        h->open_length |= strcmp(m->features[i], "open-length") == 0;
        h->known_manifest |= strcmp(m->features[i], "known-manifest") == 0;
    }
    return ERR_OK;
}

static void on_hello(void *cookie, const struct answer *a)
{
    struct session *s = cookie;
    struct err err = {0};

    if (a->err != NULL && s->state == CLOSED)
        return;
    if (a->err != NULL)
        session_drop(s, a->err);
    else if (check_hello(s, a->e->hello_reply, &err) != ERR_OK)
        session_drop(s, &err);
    if (s->closing)
        return;
    s->state = OPEN;
    s->opts.on_greeted(s->opts.cookie);
}

/* TLS stands and the peer has the right key, or its key is to be judged. */
static void on_ready(struct stream *stream, void *cookie)
{
    struct session *s = cookie;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Hello m = SATCHEL__HELLO__INIT;
    struct ask a = {
        .e = &e, .expect = SATCHEL__ENVELOPE__BODY_HELLO_REPLY, .cb = on_hello, .cookie = s};

    if (s->collect) {
        struct pin pin = *stream_peer_pin(stream);

        fail(s, ERR_PIN, "the server's key is not known yet");
        s->opts.on_pin(s->opts.cookie, &pin);
        return;
    }
    s->state = GREETING;
    s->asked_at = wall_ms();
    m.min_version = m.max_version = 1;
    m.software = (char *)"satchel/" SATCHEL_VERSION;
    e.body_case = SATCHEL__ENVELOPE__BODY_HELLO;
    e.hello = &m;
    if (ask(s, &a, NULL, NULL) != ERR_OK)
        fail(s, ERR_NOMEM, "out of memory");
}

/* ---- answers -------------------------------------------------------------------- */

static struct request *find(struct session *s, uint64_t id)
{
    for (struct list *l = s->sent.next; l != &s->sent; l = l->next)
        if (LIST_OWNER(l, struct request, in_session)->id == id)
            return LIST_OWNER(l, struct request, in_session);
    return NULL;
}

/* The end, with or without an error; and what happens to transfers. */
static void on_event(struct session *s, const Satchel__Envelope *e)
{
    struct err why = {0};

    if (e->body_case == SATCHEL__ENVELOPE__BODY_ERROR) {
        (void)wire_err(e->error, &why);
        session_drop(s, &why);
    } else if (e->body_case == SATCHEL__ENVELOPE__BODY_BYE) {
        err_set(&why, ERR_DRAINING, "the server is shutting down");
        err_hint(&why, "try again later");
        wire_wait(e->bye->retry_after, &why);
        session_drop(s, &why);
    } else if (e->body_case == SATCHEL__ENVELOPE__BODY_EVENT && s->opts.on_event != NULL) {
        s->opts.on_event(s->opts.cookie, e->event);
    }
}

static void answer(struct session *s, struct request *r, Satchel__Envelope *e, struct buf *tail)
{
    struct err err = {0};
    struct answer a = {.e = e, .tail = tail, .last = true};
    answer_cb *cb = r->forgotten ? NULL : r->cb;
    void *asker = r->cookie;

    if (e->body_case == SATCHEL__ENVELOPE__BODY_ERROR) {
        (void)wire_err(e->error, &err);
        a.err = &err;
    } else if (r->more != 0 && e->body_case == r->more) {
        a.last = false;
    } else if (e->body_case != r->expect) {
        fail(s, ERR_PROTO, "the server's answer is of the wrong kind");
        return;
    }
    if (a.last) {
        s->n_sent--;
        s->n_puts -= r->put;
        request_free(r);
    }
    if (cb != NULL)
        cb(asker, &a);
    if (!s->closing)
        pump(s);
}

static void on_frame(struct stream *stream, void *cookie, struct frame *f)
{
    struct session *s = cookie;
    Satchel__Envelope *e;
    struct request *r;

    (void)stream;
    if (s->closing)
        return;
    s->heard = uv_now(loop_of(s));
    e = satchel__envelope__unpack(NULL, f->head.len, f->head.data);
    secret_wipe(f->head.data, f->head.len); /* shares come in heads */
    r = e != NULL && e->id != 0 ? find(s, e->id) : NULL;
    if (e == NULL)
        fail(s, ERR_PROTO, "the server sent something that is not a message");
    else if (f->tail.len > 0 && e->body_case != SATCHEL__ENVELOPE__BODY_PIECE)
        fail(s, ERR_PROTO, "the server sent bytes that belong to nothing");
    else if (e->id == 0)
        on_event(s, e);
    else if (r == NULL)
        fail(s, ERR_PROTO, "the server answered what was not asked");
    else
        answer(s, r, e, &f->tail);
    if (e != NULL)
        wire_wipe(&e->base);
    satchel__envelope__free_unpacked(e, NULL);
}

/* ---- opening ------------------------------------------------------------------- */

static const struct stream_events events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_drain = on_drain, .on_closed = on_closed};

int session_open(struct session **ret, const struct session_opts *opts, struct err *err)
{
    struct stream_limits limits;
    struct stream_opts stream = {
        .net = opts->net, .ctx = opts->ctx, .limits = &limits, .events = &events};
    struct session *s = calloc(1, sizeof(*s));
    int rc;

    if (s == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    list_init(&s->waiting);
    list_init(&s->sent);
    s->opts = *opts;
    s->collect = opts->verify->mode == TLS_VERIFY_COLLECT;
    s->next_id = 1;
    stream.cookie = s;
    stream_limits_default(&limits);
    limits.connect_ms = limits.handshake_ms = opts->connect_ms;
    limits.idle_ms = 0; /* our own timer knows what we wait for */
    rc = stream_connect(&s->stream, &stream, opts->to, opts->verify, err);
    if (rc != ERR_OK) {
        free(s);
        return rc;
    }
    (void)uv_timer_init(loop_of(s), &s->timer); /* cannot fail */
    s->timer.data = s;
    *ret = s;
    return ERR_OK;
}

bool session_alive(const struct session *s)
{
    return s->state != CLOSED && !s->closing;
}

const struct session_hello *session_hello(const struct session *s)
{
    return &s->hello;
}

const struct pin *session_peer_pin(const struct session *s)
{
    return stream_peer_pin(s->stream);
}

int session_binding(struct session *s, uint8_t ret[LOGIN_EXPORTER_LEN], struct err *err)
{
    return stream_binding(s->stream, ret, err);
}
