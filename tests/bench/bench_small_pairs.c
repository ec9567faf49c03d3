/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_small_pairs.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "common/net/tls_verify.h"
#include "tests/bench/bench_small_steps.h"

static void tcp_pair(int listener, const struct sockaddr_in *at, int ret[2])
{
    int on = 1;

    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    steps_must(ret[0] >= 0 && connect(ret[0], (const struct sockaddr *)at, sizeof(*at)) == 0,
               "connect");
    ret[1] = accept(listener, NULL, NULL);
    steps_must(ret[1] >= 0, "accept");
    for (int i = 0; i < 2; i++)
        steps_must(setsockopt(ret[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
                   "TCP_NODELAY");
}

static SSL *side(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    steps_must(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL");
    SSL_set_read_ahead(ssl, 1);
    (void)SSL_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* all are busy all the time */
    return ssl;
}

static bool shaken(SSL *ssl, int rc)
{
    int why = SSL_get_error(ssl, rc);

    steps_must(rc == 1 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE, "handshake");
    return rc == 1;
}

/* Both ends in one thread: in turns, until both are through. */
static void shake(struct pair *p)
{
    bool there = false, here = false;

    for (int i = 0; i < 2; i++)
        steps_must(fcntl(p->fds[i], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    while (!there || !here) {
        here = here || shaken(p->client, SSL_connect(p->client));
        there = there || shaken(p->server, SSL_accept(p->server));
    }
    for (int i = 0; i < 2; i++)
        steps_must(fcntl(p->fds[i], F_SETFL, 0) == 0, "blocking");
}

void pair_all(struct pair *pairs, size_t n)
{
    static const struct tls_verify verify = {.mode = TLS_VERIFY_COLLECT, .host = "localhost"};
    static struct tls_judge judges[PAIR_MAX];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *name = "localhost";
    socklen_t len = sizeof(at);
    struct secret key = {0};
    struct buf cert = {0};
    SSL_CTX *client = NULL, *server = NULL;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    steps_must(tls_cert_make("bench", &name, 1, &key, &cert, NULL) == ERR_OK &&
                   tls_ctx_server(&server, cert.data, cert.len, &key, NULL) == ERR_OK &&
                   tls_ctx_client(&client, NULL) == ERR_OK,
               "certificate");
    steps_must(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                   listen(listener, PAIR_MAX) == 0 &&
                   getsockname(listener, (struct sockaddr *)&at, &len) == 0,
               "listen");
    for (size_t i = 0; i < n; i++) {
        struct pair *p = &pairs[i];

        tcp_pair(listener, &at, p->fds);
        p->client = side(client, p->fds[0]);
        p->server = side(server, p->fds[1]);
        steps_must(tls_verify_attach(p->client, &judges[i], &verify, NULL) == ERR_OK, "verify");
        shake(p);
    }
}

void pair_say(SSL *ssl, const void *data, size_t len)
{
    steps_must(SSL_write(ssl, data, (int)len) == (int)len, "SSL_write");
}

void pair_hear(SSL *ssl, uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        int n = SSL_read(ssl, data + at, (int)(len - at));

        steps_must(n > 0, "SSL_read");
        at += (size_t)n;
    }
}
