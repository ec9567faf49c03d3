/* SPDX-License-Identifier: Apache-2.0 */
/* The peer's connection: TLS over a blocking socket. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/net/tls_ctx.h"
#include "tests/integration/peer.h"

uint8_t peer_from;

/* Come from 127.0.0.N. */
static bool bind_to(int fd, uint8_t n)
{
    struct sockaddr_in from = {.sin_family = AF_INET};

    from.sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00U) | n);
    return bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval wait = {.tv_sec = PEER_WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && ((peer_from != 0 && !bind_to(fd, peer_from)) ||
                    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)) {
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

    (void)signal(SIGPIPE, SIG_IGN); /* a daemon that closes is no reason to die */
    *p = (struct peer){.fd = connect_to(port)};
    if (ctx == NULL && (tls_ctx_client(&ctx, NULL) != ERR_OK))
        return false;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, NULL, NULL);
    p->ssl = p->fd >= 0 ? SSL_new(ctx) : NULL;
    if (p->ssl != NULL && SSL_set_fd(p->ssl, p->fd) == 1 && SSL_connect(p->ssl) == 1)
        return true;
    peer_hang_up(p);
    return false;
}

void peer_hang_up(struct peer *p)
{
    SSL_free(p->ssl);
    if (p->fd >= 0)
        close(p->fd);
    p->ssl = NULL;
    p->fd = -1;
}

bool peer_write(struct peer *p, const void *data, size_t len)
{
    size_t n = 0;

    return len == 0 || (p->ssl != NULL && SSL_write_ex(p->ssl, data, len, &n) == 1 && n == len);
}

bool peer_read(struct peer *p, void *to, size_t len)
{
    uint8_t *at = to;

    while (len > 0) {
        size_t n = 0;

        if (p->ssl == NULL || SSL_read_ex(p->ssl, at, len, &n) != 1)
            return false;
        at += n;
        len -= n;
    }
    return true;
}

bool peer_said_goodbye(const struct peer *p)
{
    return p->ssl == NULL || (SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool peer_exporter(struct peer *p, uint8_t ret[LOGIN_EXPORTER_LEN])
{
    static const char label[] = "EXPORTER-Channel-Binding";

    return SSL_export_keying_material(p->ssl, ret, LOGIN_EXPORTER_LEN, label, sizeof(label) - 1,
                                      NULL, 0, 0) == 1;
}
