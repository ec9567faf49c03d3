/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_conns - connections that do nothing.
 *
 *   bench_conns PORT COUNT
 *
 * Opens COUNT TLS connections to the daemon on 127.0.0.1:PORT, one after the other, finishes their
 * handshakes, prints how many a second there were, and keeps them until its standard input ends.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/net/tls_ctx.h"
#include "common/net/tls_verify.h"

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void open_one(SSL_CTX *ctx, in_port_t port)
{
    const struct tls_verify verify = {.mode = TLS_VERIFY_COLLECT, .host = "127.0.0.1"};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct tls_judge judge = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = SSL_new(ctx);

    if (fd < 0 || ssl == NULL || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        SSL_set_fd(ssl, fd) != 1 || tls_verify_attach(ssl, &judge, &verify, NULL) != ERR_OK ||
        SSL_connect(ssl) != 1) {
        (void)fprintf(stderr, "bench_conns: cannot connect\n");
        exit(1);
    }
    /* The descriptor stays; this side's memory is not what is measured. */
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_set_bio(ssl, NULL, NULL);
    SSL_free(ssl);
}

int main(int argc, char *argv[])
{
    unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    struct rlimit files;
    SSL_CTX *ctx = NULL;
    double began;
    char c;

    if (count == 0 || tls_ctx_client(&ctx, NULL) != ERR_OK) {
        (void)fprintf(stderr, "usage: bench_conns PORT COUNT\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    began = now();
    for (unsigned long i = 0; i < count; i++)
        open_one(ctx, (in_port_t)strtoul(argv[1], NULL, 10));
    (void)printf("%.1f\n", (double)count / (now() - began));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    return 0;
}
