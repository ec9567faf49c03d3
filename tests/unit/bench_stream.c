/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures streams over loopback TCP: one process for each side.
 *
 *     bench_stream throughput [GIB]   one connection, tails of 262,400 bytes
 *     bench_stream idle [N]           memory of N connections at rest, server side
 *     bench_stream handshake [N]      N connections one after the other
 *
 * One JSON object on standard output.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/net/stream.h"
#include "net_pair.h"

enum { TAIL = 262400 };

struct bench {
    uv_loop_t loop;
    uv_tcp_t listener;
    struct net_loop *net;
    struct net_keys keys;
    struct addr at;
    const char *mode;
    unsigned long n, sent, got, open;
    size_t heap_before, rss_before;
    double start, cpu_start;
    FILE *report; /* the server writes here */
};

static uint8_t tail[TAIL];

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct rusage ru;

    (void)getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "%s: %d\n", what, rc);
    exit(1);
}

static size_t resident(void)
{
    size_t rss = 0;

    must(uv_resident_set_memory(&rss), "rss");
    return rss;
}

static bool is(const struct bench *b, const char *mode)
{
    return strcmp(b->mode, mode) == 0;
}

/* ---- the server ----------------------------------------------------------- */

static void report(struct bench *b)
{
    double s = now() - b->start, c = cpu() - b->cpu_start;

    if (is(b, "throughput"))
        (void)fprintf(b->report, "\"GB/s\":%.3f,\"receiver_cpu_s/GiB\":%.3f",
                      (double)b->got * TAIL / s / 1e9, c / ((double)b->got * TAIL / (1 << 30)));
    else if (is(b, "idle"))
        (void)fprintf(b->report, "\"connections\":%lu,\"heap_KiB_each\":%.2f,\"rss_KiB_each\":%.2f",
                      b->open,
                      (double)(mallinfo2().uordblks - b->heap_before) / 1024 / (double)b->open,
                      (double)(resident() - b->rss_before) / 1024 / (double)b->open);
    else
        (void)fprintf(b->report, "\"handshakes/s\":%.0f,\"server_us_each\":%.1f",
                      (double)b->open / s, c / (double)b->open * 1e6);
    (void)fclose(b->report);
    _exit(0);
}

static void server_ready(struct stream *s, void *cookie)
{
    struct bench *b = cookie;

    if (++b->open == 1) {
        b->start = now();
        b->cpu_start = cpu();
    }
    if (is(b, "handshake"))
        stream_close(s);
    if (!is(b, "throughput") && b->open == b->n)
        report(b);
}

static void server_frame(struct stream *s, void *cookie, struct frame *f)
{
    struct bench *b = cookie;

    (void)s;
    (void)f;
    if (++b->got == b->n)
        report(b);
}

static void no_closed(struct stream *s, void *cookie, const struct err *why)
{
    (void)s;
    (void)cookie;
    (void)why;
}

static const struct stream_events server_events = {
    .on_ready = server_ready, .on_frame = server_frame, .on_closed = no_closed};

static void on_connection(uv_stream_t *server, int status)
{
    struct bench *b = server->data;
    struct stream_opts opts = {
        .net = b->net, .ctx = b->keys.server, .events = &server_events, .cookie = b};
    uv_tcp_t *conn = malloc(sizeof(*conn));
    struct stream *s = NULL;

    must(status, "listen");
    must(uv_tcp_init(server->loop, conn), "init");
    must(uv_accept(server, (uv_stream_t *)conn), "accept");
    must(stream_start(&s, &opts, (uv_stream_t *)conn, NULL, NULL), "start");
}

/* ---- the client ------------------------------------------------------------ */

static void dial(struct bench *b);

static void send_some(struct stream *s, struct bench *b)
{
    struct frame_out f = {.head = tail, .head_len = 40, .tail = tail, .tail_len = TAIL};

    while (is(b, "throughput") && b->sent < b->n && stream_send(s, &f, NULL) == ERR_OK)
        b->sent++;
}

static void client_ready(struct stream *s, void *cookie)
{
    struct bench *b = cookie;

    b->open++;
    send_some(s, b);
    if (is(b, "idle"))
        dial(b);
}

static void client_frame(struct stream *s, void *cookie, struct frame *f)
{
    (void)s;
    (void)cookie;
    (void)f;
}

static void client_drain(struct stream *s, void *cookie)
{
    send_some(s, cookie);
}

static void client_closed(struct stream *s, void *cookie, const struct err *why)
{
    struct bench *b = cookie;

    (void)s;
    (void)why;
    if (is(b, "handshake"))
        dial(b);
}

static const struct stream_events client_events = {.on_ready = client_ready,
                                                   .on_frame = client_frame,
                                                   .on_drain = client_drain,
                                                   .on_closed = client_closed};

static void dial(struct bench *b)
{
    struct tls_verify verify = {.mode = TLS_VERIFY_PIN, .pin = b->keys.pin};
    struct stream_opts opts = {
        .net = b->net, .ctx = b->keys.client, .events = &client_events, .cookie = b};
    struct stream *s = NULL;

    if (b->open < b->n)
        must(stream_connect(&s, &opts, &b->at, &verify, NULL), "connect");
}

/* ---- both -------------------------------------------------------------------- */

static void listen_on(struct bench *b)
{
    struct sockaddr_storage sa = {0};
    int len = sizeof(sa);

    must(uv_ip4_addr("127.0.0.1", 0, (struct sockaddr_in *)&sa), "address");
    must(uv_tcp_init(&b->loop, &b->listener), "init");
    b->listener.data = b;
    must(uv_tcp_bind(&b->listener, (struct sockaddr *)&sa, 0), "bind");
    must(uv_listen((uv_stream_t *)&b->listener, 512, on_connection), "listen");
    must(uv_tcp_getsockname(&b->listener, (struct sockaddr *)&sa, &len), "name");
    must(addr_from_sockaddr(&b->at, (struct sockaddr *)&sa, NULL), "name");
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct rlimit files = {65536, 65536};
    struct rusage ru = {0};
    char line[256] = "";
    int fds[2];
    pid_t client;

    b.mode = argc > 1 ? argv[1] : "throughput";
    b.n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (is(&b, "throughput"))
        b.n = (b.n > 0 ? b.n : 4) * (1ul << 30) / TAIL;
    else if (b.n == 0)
        b.n = 1000;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    memset(tail, 0x5a, sizeof(tail));
    must(net_keys_make(&b.keys), "keys");
    must(pipe(fds), "pipe");
    must(uv_loop_init(&b.loop), "loop");
    listen_on(&b);
    client = fork();
    if (client == 0) {
        must(uv_loop_fork(&b.loop), "fork");
        uv_close((uv_handle_t *)&b.listener, NULL);
        must(net_loop_new(&b.net, &b.loop, NULL), "net");
        dial(&b);
        (void)uv_run(&b.loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    if (fork() == 0) {
        (void)close(fds[0]);
        b.report = fdopen(fds[1], "w");
        must(uv_loop_fork(&b.loop), "fork");
        must(net_loop_new(&b.net, &b.loop, NULL), "net");
        b.heap_before = mallinfo2().uordblks;
        b.rss_before = resident();
        (void)uv_run(&b.loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    (void)close(fds[1]);
    if (read(fds[0], line, sizeof(line) - 1) <= 0)
        return 1;
    (void)waitpid(client, NULL, 0);
    (void)getrusage(RUSAGE_CHILDREN, &ru);
    (void)printf("{\"name\":\"stream.%s\",%s,\"client_cpu_s\":%.3f}\n", b.mode, line,
                 (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                     (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6);
    (void)wait(NULL);
    return 0;
}
