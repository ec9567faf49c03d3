/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_share - the key network and the shares around it, on one thread.
 *
 *   bench_share WEIGHTS net BATCH SECONDS      inputs a CPU second through the network alone
 *   bench_share WEIGHTS shares SECONDS         body shares a CPU second from fresh seeds, in
 * batches bench_share WEIGHTS wait RATE SECONDS      body shares asked for at that rate, one by
 * one, and answered in batches of what waits: ms of the 99th percentile
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/crypto/rng.h"
#include "models/keynet.h"
#include "server/share_batch.h"

enum { WAITS_MAX = 4000000, NET_MAX = 4096 };

static double seconds_of(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* One thread that never waits: what the machine does beside it does not count. */
static double cpu(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static double now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "bench_share: %s\n", what);
    exit(1);
}

static void bench_net(struct keynet *net, size_t batch, double seconds)
{
    static uint8_t in[NET_MAX * KEYNET_IN], out[NET_MAX * KEYNET_OUT];
    struct keynet_worker *w = NULL;
    double began, ended;
    size_t n = 0;

    check(batch > 0 && batch <= NET_MAX && rng_bytes(in, batch * KEYNET_IN) == ERR_OK &&
              keynet_worker_new(&w, net, KEYNET_AUTO, NULL) == ERR_OK,
          "worker");
    for (size_t i = 0; i < batch * KEYNET_IN; i++)
        in[i] &= KEYNET_IN_MAX;
    check(keynet_run(w, in, batch, out) == ERR_OK, "run");
    for (began = ended = cpu(); ended < began + seconds; ended = cpu(), n += batch)
        check(keynet_run(w, in, batch, out) == ERR_OK, "run");
    (void)printf("%.1f\n", (double)n / (ended - began));
    keynet_worker_free(w);
}

/* Seeds and places are drawn in one go: what counts is the way from a seed to its share. */
static void derive(struct share_batch *b, size_t n)
{
    static struct {
        struct share_place place;
        uint8_t seed[SHARE_SEED_LEN];
    } drawn[SHARE_BATCH_MAX];

    check(rng_bytes(drawn, n * sizeof(drawn[0])) == ERR_OK, "seeds");
    for (size_t i = 0; i < n; i++)
        check(share_batch_add(b, &drawn[i].place, drawn[i].seed) == ERR_OK, "seed");
    check(share_batch_run(b) == ERR_OK, "shares");
    share_batch_clear(b);
}

static void bench_shares(struct share_batch *b, double seconds)
{
    double began = cpu(), ended = began;
    size_t n = 0;

    for (; ended < began + seconds; ended = cpu(), n += SHARE_BATCH_MAX)
        derive(b, SHARE_BATCH_MAX);
    (void)printf("%.1f\n", (double)n / (ended - began));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bench_wait(struct share_batch *b, double rate, double seconds)
{
    size_t count = (size_t)(rate * seconds), done = 0;
    double *took = calloc(count, sizeof(*took)), began = now();

    check(count > 0 && count <= WAITS_MAX && took != NULL, "rate");
    while (done < count) {
        size_t come = (size_t)((now() - began) * rate), n;
        double ended;

        come = come < count ? come : count;
        n = come - done < SHARE_BATCH_MAX ? come - done : SHARE_BATCH_MAX;
        if (n == 0)
            continue;
        derive(b, n);
        ended = now() - began;
        for (size_t i = done; i < done + n; i++)
            took[i] = ended - (double)(i + 1) / rate;
        done += n;
    }
    qsort(took, count, sizeof(*took), by_value);
    (void)printf("%.3f\n", 1000 * took[count * 99 / 100]);
    free(took);
}

int main(int argc, char *argv[])
{
    struct share_batch *b = NULL;
    struct keynet *net = NULL;

    check(argc >= 4, "usage: WEIGHTS net BATCH SECONDS | shares SECONDS | wait RATE SECONDS");
    (void)secret_setup();
    check(keynet_load(&net, argv[1], NULL) == ERR_OK && share_batch_new(&b, net, NULL) == ERR_OK,
          "cannot load the key network");
    share_batch_want(b, SHARE_WANT(SHARE_BODY));
    if (strcmp(argv[2], "net") == 0 && argc == 5)
        bench_net(net, strtoul(argv[3], NULL, 10), strtod(argv[4], NULL));
    else if (strcmp(argv[2], "shares") == 0)
        bench_shares(b, strtod(argv[3], NULL));
    else if (strcmp(argv[2], "wait") == 0 && argc == 5)
        bench_wait(b, strtod(argv[3], NULL), strtod(argv[4], NULL));
    share_batch_free(b);
    keynet_free(net);
    return 0;
}
