/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/rng.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "tests/client/fake_serve.h"

/* A fresh message of a kind, from malloc(), so that the envelope's freeing takes it. */
static void *make(const ProtobufCMessageDescriptor *d)
{
    void *m = malloc(d->sizeof_message);

    MUST(m != NULL);
    d->message_init(m);
    return m;
}

/* ---- sending -------------------------------------------------------------------- */

struct out {
    struct buf tail;
};

static void release(void *arg)
{
    struct out *o = arg;

    buf_free(&o->tail);
    free(o);
}

static void send_frame(struct fake *f, const void *head, size_t head_len, const void *tail,
                       size_t tail_len)
{
    struct out *o = calloc(1, sizeof(*o));
    struct frame_out frame = {.head = head, .head_len = head_len, .release = release, .arg = o};

    MUST(o != NULL);
    buf_put(&o->tail, tail, tail_len);
    frame.tail = o->tail.data;
    frame.tail_len = tail_len;
    if (f->stream == NULL || stream_send(f->stream, &frame, NULL) != ERR_OK)
        release(o);
}

void fake_send(struct fake *f, const Satchel__Envelope *e, const void *tail, size_t len)
{
    size_t head_len = satchel__envelope__get_packed_size(e);
    uint8_t *head = malloc(head_len + 1);

    MUST(head != NULL);
    (void)satchel__envelope__pack(e, head);
    send_frame(f, head, head_len, tail, len);
    free(head);
}

void fake_send_raw(struct fake *f, const void *head, size_t len)
{
    send_frame(f, head, len, NULL, 0);
}

void fake_clear(Satchel__Envelope *reply)
{
    uint64_t id = reply->id;
    Satchel__Envelope *whole = malloc(sizeof(*whole));

    MUST(whole != NULL);
    *whole = *reply;
    satchel__envelope__free_unpacked(whole, NULL);
    satchel__envelope__init(reply);
    reply->id = id;
}

void fake_error(Satchel__Envelope *reply, Satchel__Code code, const char *message)
{
    fake_clear(reply);
    reply->body_case = SATCHEL__ENVELOPE__BODY_ERROR;
    reply->error = make(&satchel__error__descriptor);
    reply->error->code = code;
    reply->error->message = strdup(message);
}

void fake_answer(struct fake *f, Satchel__Envelope *reply, struct buf *tail)
{
    static struct buf none;

    if (tail == NULL)
        tail = &none;
    if (f->spoil == NULL || f->spoil(f, reply, tail))
        fake_send(f, reply, tail->data, tail->len);
    fake_clear(reply);
}

struct fake_conn {
    struct fake_conn *next;
    struct fake *f;
    struct stream *stream;
    struct uid caller;
};

static void on_frame(struct stream *stream, void *cookie, struct frame *frame)
{
    struct fake_conn *c = cookie;
    struct fake *f = c->f;
    Satchel__Envelope reply = SATCHEL__ENVELOPE__INIT;
    Satchel__Envelope *e = satchel__envelope__unpack(NULL, frame->head.len, frame->head.data);

    MUST(e != NULL && (size_t)e->body_case < 100);
    f->stream = stream;
    f->caller = c->caller;
    f->requests[e->body_case]++;
    reply.id = e->id;
    if (f->listen == NULL || f->listen(f, e)) {
        fake_serve(f, e, &reply, &frame->tail);
        c->caller = f->caller;
        if (reply.body_case != SATCHEL__ENVELOPE__BODY__NOT_SET)
            fake_answer(f, &reply, NULL);
    }
    satchel__envelope__free_unpacked(e, NULL);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void on_closed(struct stream *stream, void *cookie, const struct err *why)
{
    struct fake_conn *c = cookie, **at = &c->f->conns;

    (void)why;
    if (c->f->stream == stream)
        c->f->stream = NULL;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

static void on_ready(struct stream *stream, void *cookie)
{
    (void)stream;
    (void)cookie;
}

static const struct stream_events events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_closed = on_closed};

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake *f = listener->data;
    struct stream_limits limits;
    struct fake_conn *c = calloc(1, sizeof(*c));
    struct stream_opts opts = {
        .net = f->net, .ctx = f->ctx, .limits = &limits, .events = &events, .cookie = c};
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    MUST(status == 0 && tcp != NULL && c != NULL);
    MUST(uv_tcp_init(f->loop, tcp) == 0 && uv_accept(listener, (uv_stream_t *)tcp) == 0);
    stream_limits_default(&limits);
    limits.queue_high = (size_t)64 << 20;
    f->connections++;
    MUST(stream_start(&c->stream, &opts, (uv_stream_t *)tcp, NULL, NULL) == ERR_OK);
    c->f = f;
    c->next = f->conns;
    f->conns = c;
}

void fake_new_certificate(struct fake *f)
{
    static const char *const names[] = {"127.0.0.1"};
    struct secret key = {0};
    struct buf cert = {0};

    SSL_CTX_free(f->ctx);
    f->ctx = NULL;
    MUST(tls_cert_make("fake", names, 1, &key, &cert, NULL) == ERR_OK);
    MUST(tls_ctx_server(&f->ctx, cert.data, cert.len, &key, NULL) == ERR_OK);
    MUST(pin_of_pem(&f->pin, cert.data, cert.len, NULL) == ERR_OK);
    pin_encode(&f->pin, f->pin_text);
    secret_free(&key);
    buf_free(&cert);
}

void fake_start(struct fake *f, uv_loop_t *loop)
{
    struct sockaddr_in at;
    int len = sizeof(at);

    *f = (struct fake){.loop = loop, .registration = SATCHEL__REGISTRATION__OPEN, .window = 16};
    fake_new_certificate(f);
    MUST(secret_new(&f->server_seed, ED25519_SEED_LEN, NULL) == ERR_OK);
    MUST(rng_bytes(f->server_seed.data, f->server_seed.len) == ERR_OK);
    MUST(ed25519_public(f->server_key, f->server_seed.data) == ERR_OK);
    MUST(net_loop_new(&f->net, loop, NULL) == ERR_OK);
    MUST(uv_ip4_addr("127.0.0.1", 0, &at) == 0 && uv_tcp_init(loop, &f->listener) == 0);
    MUST(uv_tcp_bind(&f->listener, (const struct sockaddr *)&at, 0) == 0);
    f->listener.data = f;
    MUST(uv_listen((uv_stream_t *)&f->listener, 8, on_connection) == 0);
    MUST(uv_tcp_getsockname(&f->listener, (struct sockaddr *)&at, &len) == 0);
    (void)snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", ntohs(at.sin_port));
    f->listening = true;
}

void fake_drop(struct fake *f)
{
    if (f->stream != NULL)
        stream_drop(f->stream, ERR_CANCELED);
    f->stream = NULL;
}

void fake_stop(struct fake *f)
{
    for (struct fake_conn *c = f->conns; c != NULL; c = c->next)
        stream_drop(c->stream, ERR_CANCELED);
    uv_close((uv_handle_t *)&f->listener, NULL);
}

void fake_free(struct fake *f)
{
    net_loop_free(f->net);
    for (size_t i = 0; i < f->n_users; i++)
        for (size_t k = 0; k < f->users[i].n; k++)
            satchel__signed__free_unpacked(f->users[i].manifests[k], NULL);
    for (size_t i = 0; i < f->n_transfers; i++) {
        for (size_t k = 0; k < FAKE_PIECES; k++)
            buf_free(&f->transfers[i].pieces[k]);
        satchel__seal_transfer__free_unpacked(f->transfers[i].seal, NULL);
        satchel__signed__free_unpacked(f->transfers[i].addendum, NULL);
    }
    secret_free(&f->server_seed);
    SSL_CTX_free(f->ctx);
}
