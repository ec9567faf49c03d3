/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/net/frame.h"
#include "common/net/tls_ctx.h"

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval wait = {.tv_sec = PEER_WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

bool peer_open(struct peer *p, uint16_t port)
{
    static SSL_CTX *ctx; /* of all peers, for the life of the process */

    *p = (struct peer){.fd = connect_to(port)};
    if (ctx == NULL && (tls_ctx_client(&ctx, NULL) != ERR_OK))
        return false;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, NULL, NULL);
    p->ssl = p->fd >= 0 ? SSL_new(ctx) : NULL;
    if (p->ssl != NULL && SSL_set_fd(p->ssl, p->fd) == 1 && SSL_connect(p->ssl) == 1)
        return true;
    peer_close(p);
    return false;
}

void peer_close(struct peer *p)
{
    while (p->queued != NULL) {
        struct message *m = p->queued;

        p->queued = m->next;
        message_free(m);
    }
    SSL_free(p->ssl);
    if (p->fd >= 0)
        close(p->fd);
    p->ssl = NULL;
    p->fd = -1;
}

/* ---- out ---- */

bool peer_write(struct peer *p, const void *data, size_t len)
{
    size_t n = 0;

    return len == 0 || (SSL_write_ex(p->ssl, data, len, &n) == 1 && n == len);
}

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

static bool read_all(struct peer *p, void *to, size_t len)
{
    uint8_t *at = to;

    while (len > 0) {
        size_t n = 0;

        if (SSL_read_ex(p->ssl, at, len, &n) != 1)
            return false;
        at += n;
        len -= n;
    }
    return true;
}

static struct message *read_message(struct peer *p)
{
    struct message *m = calloc(1, sizeof(*m));
    uint8_t prefix[FRAME_PREFIX], *head = NULL, *tail = NULL;
    uint32_t head_len, tail_len;

    if (m == NULL || !read_all(p, prefix, sizeof(prefix)))
        goto fail;
    head_len = get_be32(prefix);
    tail_len = get_be32(prefix + 4);
    if (head_len > FRAME_HEAD_MAX || tail_len > FRAME_TAIL_MAX)
        goto fail;
    head = malloc(head_len + 1);
    tail = buf_reserve(&m->tail, tail_len + 1);
    if (head == NULL || tail == NULL || !read_all(p, head, head_len) ||
        !read_all(p, tail, tail_len))
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
        return p->ssl != NULL ? read_message(p) : NULL;
    p->queued = m->next;
    m->next = NULL;
    return m;
}

struct message *peer_wait(struct peer *p, uint64_t id)
{
    struct message **at = &p->queued, *m;

    for (;;) {
        if (*at == NULL) {
            m = p->ssl != NULL ? read_message(p) : NULL;
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
    return p->ssl == NULL || (SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
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

bool peer_exporter(struct peer *p, uint8_t ret[LOGIN_EXPORTER_LEN])
{
    static const char label[] = "EXPORTER-Channel-Binding";

    return SSL_export_keying_material(p->ssl, ret, LOGIN_EXPORTER_LEN, label, sizeof(label) - 1,
                                      NULL, 0, 0) == 1;
}
