/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small - sends of a small file over connections that stand, durable, from real clients.
 *
 *   bench_small COUNT FILE TO HOME...
 *   bench_small --syncs COUNT FILE
 *
 * Each HOME is a registered user with a handle and a connection of its own, which sends FILE
 * to the user TO again and again, one at a time, until all together have sent COUNT times.  All
 * clients live in this process.  Connecting and each client's first send are not counted.  One JSON
 * object: sends a second, milliseconds of the median and the 99th percentile, our CPU in us for
 * each send.
 *
 * --syncs writes 4 KiB into FILE, made for it, and waits for the disk, COUNT times: nothing that is
 * durable when it is acknowledged can be faster, one after the other.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "client/satchel.h"

struct client;

struct bench {
    uv_loop_t loop;
    const char *file, *to;
    struct client *all;
    size_t clients, warm; /* warm: have sent once */
    size_t begun, done, count;
    double *took; /* of each send, seconds */
    double began, ended, cpu_began, cpu_ended;
};

struct client {
    struct bench *b;
    struct satchel *s;
    double sent_at;
    bool warm;
};

static double seconds(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const struct satchel_error *err)
{
    (void)fprintf(stderr, "bench_small: %s\n", err->message);
    exit(1);
}

static void send_one(struct client *c);

static void on_sent(void *cookie, const struct satchel_error *err, const struct satchel_sent *r)
{
    struct client *c = cookie;
    struct bench *b = c->b;
    double now = seconds(CLOCK_MONOTONIC);

    (void)r;
    if (err != NULL)
        die(err);
    if (c->warm) {
        b->took[b->done++] = now - c->sent_at;
        if (b->done == b->count) {
            b->ended = now;
            b->cpu_ended = seconds(CLOCK_PROCESS_CPUTIME_ID);
        }
    }
    c->warm = true;
    if (b->warm < b->clients) {
        b->warm++;
        if (b->warm < b->clients)
            return; /* wait for the others */
        b->began = now;
        b->cpu_began = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i < b->clients; i++)
            send_one(&b->all[i]);
    } else {
        send_one(c);
    }
}

static void send_one(struct client *c)
{
    struct satchel_send_options o = {
        .path = c->b->file, .to = &c->b->to, .to_count = 1, .cookie = c, .done = on_sent};
    struct satchel_error err;

    if (c->warm && c->b->begun++ >= c->b->count) {
        satchel_close(c->s, NULL, NULL);
        return;
    }
    c->sent_at = seconds(CLOCK_MONOTONIC);
    if (satchel_send_start(c->s, &o, NULL, &err) != SATCHEL_OK)
        die(&err);
}

static void open_client(struct bench *b, struct client *c, const char *home)
{
    struct satchel_options o = {.place.home = home};
    struct satchel_error err;

    c->b = b;
    if (satchel_new(&c->s, &b->loop, &o, &err) != SATCHEL_OK ||
        satchel_open(c->s, NULL, NULL, &err) != SATCHEL_OK)
        die(&err);
    send_one(c);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* In place, as a store does: a file that grows would pay for that as well. */
static int sync_alone(size_t count, const char *path)
{
    static const char page[4096];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && pwrite(fd, page, sizeof(page), 0) == sizeof(page) && fsync(fd) == 0;
    double began = seconds(CLOCK_MONOTONIC);

    for (size_t i = 0; good && i < count; i++)
        good = pwrite(fd, page, sizeof(page), 0) == sizeof(page) && fdatasync(fd) == 0;
    if (!good) {
        perror(path);
        return 1;
    }
    (void)printf("{\"per_s\": %.1f}\n", (double)count / (seconds(CLOCK_MONOTONIC) - began));
    (void)close(fd);
    return 0;
}

int main(int argc, char *argv[])
{
    struct bench b = {0};
    struct client *clients;

    if (argc == 4 && strcmp(argv[1], "--syncs") == 0)
        return sync_alone(strtoul(argv[2], NULL, 10), argv[3]);
    if (argc < 5) {
        (void)fprintf(stderr, "usage: bench_small COUNT FILE TO HOME...\n"
                              "       bench_small --syncs COUNT FILE\n");
        return 2;
    }
    b.count = strtoul(argv[1], NULL, 10);
    b.file = argv[2];
    b.to = argv[3];
    b.clients = (size_t)argc - 4;
    b.took = calloc(b.count, sizeof(*b.took));
    clients = calloc(b.clients, sizeof(*clients));
    if (b.took == NULL || clients == NULL || b.count == 0 || uv_loop_init(&b.loop) != 0)
        return 1;
    b.all = clients;
    for (size_t i = 0; i < b.clients; i++)
        open_client(&b, &clients[i], argv[4 + i]);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    qsort(b.took, b.count, sizeof(*b.took), by_value);
    (void)printf("{\"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"cpu_us\": %.0f}\n",
                 (double)b.count / (b.ended - b.began), 1000 * b.took[b.count / 2],
                 1000 * b.took[b.count * 99 / 100],
                 1e6 * (b.cpu_ended - b.cpu_began) / (double)b.count);
    free(b.took);
    free(clients);
    return 0;
}
