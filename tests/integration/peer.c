/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/peer.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/frame.h"

void peer_close(struct peer *p)
{
    while (p->queued != NULL) {
        struct message *m = p->queued;

        p->queued = m->next;
        message_free(m);
    }
    peer_hang_up(p);
}

/* ---- out ---- */

bool peer_frame(struct peer *p, const void *head, size_t head_len, const void *tail,
                size_t tail_len)
{
    uint8_t prefix[FRAME_PREFIX];

    put_be32(prefix, (uint32_t)head_len);
    put_be32(prefix + 4, (uint32_t)tail_len);
    return peer_write(p, prefix, sizeof(prefix)) && peer_write(p, head, head_len) &&
           peer_write(p, tail, tail_len);
}

uint64_t peer_send(struct peer *p, Satchel__Envelope *env, const void *tail, size_t tail_len)
{
    size_t len;
    uint8_t *head;
    bool sent;

    if (env->id == 0)
        env->id = ++p->id;
    len = satchel__envelope__get_packed_size(env);
    head = malloc(len + 1);
    if (head == NULL)
        return 0;
    (void)satchel__envelope__pack(env, head);
    sent = peer_frame(p, head, len, tail, tail_len);
    free(head);
    return sent ? env->id : 0;
}

/* ---- in ---- */

static struct message *read_message(struct peer *p)
{
    struct message *m = calloc(1, sizeof(*m));
    uint8_t prefix[FRAME_PREFIX], *head = NULL, *tail = NULL;
    uint32_t head_len, tail_len;

    if (m == NULL || !peer_read(p, prefix, sizeof(prefix)))
        goto fail;
    head_len = get_be32(prefix);
    tail_len = get_be32(prefix + 4);
    if (head_len > FRAME_HEAD_MAX || tail_len > FRAME_TAIL_MAX)
        goto fail;
    head = malloc(head_len + 1);
    tail = buf_reserve(&m->tail, tail_len + 1);
    if (head == NULL || tail == NULL || !peer_read(p, head, head_len) ||
        !peer_read(p, tail, tail_len))
        goto fail;
    m->tail.len = tail_len;
    m->env = satchel__envelope__unpack(NULL, head_len, head);
    free(head);
    if (m->env != NULL)
        return m;
    head = NULL;
fail:
    free(head);
    message_free(m);
    return NULL;
}

struct message *peer_next(struct peer *p)
{
    struct message *m = p->queued;

    if (m == NULL)
        return read_message(p);
    p->queued = m->next;
    m->next = NULL;
    return m;
}

struct message *peer_wait(struct peer *p, uint64_t id)
{
    struct message **at = &p->queued, *m;

    for (;;) {
        if (*at == NULL) {
            m = read_message(p);
            if (m == NULL)
                return NULL;
            *at = m;
        }
        m = *at;
        if (m->env->id == id) {
            *at = m->next;
            m->next = NULL;
            return m;
        }
        at = &m->next;
    }
}

void message_free(struct message *m)
{
    if (m == NULL)
        return;
    if (m->env != NULL)
        satchel__envelope__free_unpacked(m->env, NULL);
    buf_free(&m->tail);
    free(m);
}

struct message *peer_call(struct peer *p, Satchel__Envelope *env)
{
    uint64_t id = peer_send(p, env, NULL, 0);

    return id != 0 ? peer_wait(p, id) : NULL;
}

Satchel__Code peer_code(struct message *m)
{
    Satchel__Code code = SATCHEL__CODE__INTERNAL;

    if (m != NULL)
        code = m->env->body_case == SATCHEL__ENVELOPE__BODY_ERROR ? m->env->error->code
                                                                  : SATCHEL__CODE__CODE_NONE;
    message_free(m);
    return code;
}

Satchel__Code peer_ask(struct peer *p, Satchel__Envelope *env)
{
    return peer_code(peer_call(p, env));
}

bool peer_ended(struct peer *p)
{
    struct message *m;

    while ((m = peer_next(p)) != NULL)
        message_free(m);
    return peer_said_goodbye(p);
}

/* ---- greeting ---- */

Satchel__Code peer_hello(struct peer *p)
{
    Satchel__Hello hello = SATCHEL__HELLO__INIT;
    PEER_ENV(env, HELLO, hello, &hello);
    struct message *m;
    const Satchel__HelloReply *r;

    hello.min_version = hello.max_version = 1;
    hello.software = (char *)(uintptr_t) "peer";
    m = peer_call(p, &env);
    if (m == NULL || m->env->body_case != SATCHEL__ENVELOPE__BODY_HELLO_REPLY)
        return peer_code(m);
    r = m->env->hello_reply;
    if (r->server_id.len == sizeof(p->server.b) && r->nonce.len == sizeof(p->nonce)) {
        memcpy(p->server.b, r->server_id.data, sizeof(p->server.b));
        memcpy(p->nonce, r->nonce.data, sizeof(p->nonce));
    }
    p->time = r->time;
    p->limits = *r->limits;
    return peer_code(m);
}
