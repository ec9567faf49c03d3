/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_fair - how long small sends take while somebody else sends in bulk.
 *
 *   bench_fair PORT COUNT       to a daemon on 127.0.0.1, without quota and with open registration
 *
 * COUNT durable sends of 1 KiB on one connection, one after the other: first alone, then while
 * another process keeps a window of pieces of a large transfer under way, then while one reads such
 * a transfer, which it has sent before.  One JSON object on standard output: median and 99th
 * percentile of each, in ms.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/integration/parcel.h"

enum { SMALL = 1024, WINDOW = 32, COUNT_MAX = 100000 };
#define BULK ((uint64_t)256 << 20)
#define OK   SATCHEL__CODE__CODE_NONE

static uint16_t port;
static struct actor one, two, heavy;
static int ready; /* where a load says that it goes on evenly from now on */

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_fair: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

/* ---- the load ---- */

static void tell(void)
{
    if (write(ready, "", 1) != 1)
        die("nobody waits for the load");
}

/* Pieces of one transfer after the other, WINDOW of them unanswered, for ever. */
static void send_in_bulk(void)
{
    const struct actor *who[] = {&heavy, &two};
    struct peer p;

    actor_enter(&p, port, &heavy);
    for (uint32_t round = 0;; round++) {
        struct parcel x;
        uint64_t ids[WINDOW] = {0};

        parcel_make(&x, who, 2, BULK, (uint32_t)getpid() + round);
        if (parcel_open(&p, &x) != OK)
            die("the bulk transfer was refused");
        parcel_fake_body(&x);
        if (round == 0)
            tell();
        for (uint32_t i = 0; i < x.pieces + WINDOW; i++) {
            if (ids[i % WINDOW] != 0 && peer_code(peer_wait(&p, ids[i % WINDOW])) != OK)
                die("a piece was refused");
            ids[i % WINDOW] = i + 1 < x.pieces ? parcel_send_piece(&p, &x, i) : 0;
        }
        parcel_free(&x);
    }
}

/* The same transfer again and again, as fast as it comes. */
static void read_in_bulk(void)
{
    const struct actor *who[] = {&heavy, &two};
    struct parcel x;
    struct peer p;

    actor_enter(&p, port, &heavy);
    parcel_make(&x, who, 2, BULK, (uint32_t)getpid() | 1U << 31); /* nobody else has that key */
    if (parcel_open(&p, &x) != OK)
        die("the bulk transfer was refused");
    parcel_fake_body(&x);
    if (parcel_put_all(&p, &x) != OK || parcel_seal(&p, &x) != OK)
        die("the bulk transfer was refused");
    tell();
    for (uint32_t first = 0;; first = (first + WINDOW) % (x.pieces - WINDOW)) {
        uint64_t id = parcel_ask_pieces(&p, &x, first, WINDOW);

        for (uint32_t i = 0; i < WINDOW; i++)
            if (parcel_take_piece(&p, &x, id, first + i) != OK)
                die("a piece did not come");
        if (peer_code(peer_wait(&p, id)) != OK)
            die("pieces did not end");
    }
}

static pid_t start(void (*load)(void))
{
    int ends[2];
    pid_t pid = pipe(ends) == 0 ? fork() : -1;
    char byte;

    if (pid < 0)
        die("cannot fork");
    if (pid == 0) {
        (void)close(ends[0]);
        ready = ends[1];
        load();
        _exit(0);
    }
    (void)close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        die("the load did not begin");
    (void)close(ends[0]);
    return pid;
}

static void stop(pid_t pid)
{
    int status;

    if (kill(pid, SIGTERM) != 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        die("the load had ended before");
}

/* ---- the small ones ---- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void measure(const char *name, unsigned count, uint32_t seed)
{
    const struct actor *who[] = {&one, &two};
    double *took = calloc(count, sizeof(*took));
    struct peer p;

    if (took == NULL)
        die("out of memory");
    actor_enter(&p, port, &one);
    for (unsigned i = 0; i < count; i++) {
        struct parcel x;
        double began;

        parcel_make(&x, who, 2, SMALL, seed + i);
        began = now_ms();
        if (parcel_deliver(&p, &x) != OK)
            die("a small transfer was refused");
        took[i] = now_ms() - began;
        parcel_free(&x);
    }
    peer_close(&p);
    qsort(took, count, sizeof(*took), by_size);
    printf("\"%s_p50\":%.3f,\"%s_p99\":%.3f", name, took[count / 2], name, took[count * 99 / 100]);
    free(took);
}

int main(int argc, char *argv[])
{
    struct actor *all[] = {&one, &two, &heavy};
    static const char *const names[] = {"one", "two", "heavy"};
    unsigned count;
    struct peer p;
    pid_t load;

    if (argc != 3)
        die("usage: bench_fair PORT COUNT");
    port = (uint16_t)strtoul(argv[1], NULL, 10);
    count = (unsigned)strtoul(argv[2], NULL, 10);
    if (count < 100 || count > COUNT_MAX || !peer_open(&p, port) || peer_hello(&p) != OK)
        die("cannot connect");
    for (size_t i = 0; i < 3; i++) {
        actor_make(all[i], names[i]);
        if (actor_register(&p, all[i], NULL) != OK)
            die("cannot register");
    }
    peer_close(&p);
    printf("{");
    measure("idle", count, 1000000);
    printf(",");
    load = start(send_in_bulk);
    measure("sending", count, 2000000);
    stop(load);
    printf(",");
    load = start(read_in_bulk);
    measure("getting", count, 3000000);
    stop(load);
    printf("}\n");
    for (size_t i = 0; i < 3; i++)
        actor_free(all[i]);
    return 0;
}
