/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_bare - what small sends cannot do without, and nothing else.
 *
 *   bench_small_bare WEIGHTS COUNT STORE             64 clients, the steps alone
 *   bench_small_bare --run WEIGHTS COUNT STORE FILE  64 clients, a program (bench_small_run.h)
 *   bench_small_bare --one WEIGHTS COUNT STORE       one client
 *
 * For each send all of bench_small_steps.h, and two round trips over TLS 1.3 on loopback.
 *
 * The steps alone: all in one thread, client and server; 64 sends share a run of the key network
 * and a record.  There is no protocol and no event loop, nobody ever waits for anybody, and no
 * program of this design can do it with less.  One client: two processes of one thread each, which
 * is the least that may be, and a record for each send.
 *
 * One JSON object: sends a second (of the steps alone: as many as two cores could do that never
 * rest; otherwise in the time that it took), and but for one client CPU us for each send, both ends
 * together, of the steps alone also of each step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_small_pairs.h"
#include "tests/bench/bench_small_run.h"
#include "tests/bench/bench_small_steps.h"

enum {
    ASK = 220,    /* bytes of OpenTransfer in its frame */
    SHARES = 210, /* of its answer */
    DONE = 40     /* of a PieceAck and a SealReply */
};

enum step { STEP_WIRE, STEP_SHARES, STEP_SEAL, STEP_CHECK, STEP_STORE, STEPS };

static const char *const step_names[STEPS] = {[STEP_WIRE] = "wire",
                                              [STEP_SHARES] = "shares",
                                              [STEP_SEAL] = "seal",
                                              [STEP_CHECK] = "check",
                                              [STEP_STORE] = "store"};

/* What is on a connection. */
struct one {
    struct ticket ticket;
    struct sealed sealed;
    uint8_t got[STEPS_SEALED_MAX];
    uint8_t seed[STEPS_SLOTS][SHARE_SEALED_LEN];
};

struct bare {
    const char *weights, *store;
    struct sealer sealer;
    struct keeper keeper;
    struct pair pairs[PAIR_MAX];
    struct one ones[PAIR_MAX];
    size_t n; /* connections in use */
    double us[STEPS], since;
};

static double cpu(void)
{
    return steps_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

/* All since the last call was of ${step}. */
static void took(struct bare *b, enum step step)
{
    double now = cpu();

    b->us[step] += 1e6 * (now - b->since);
    b->since = now;
}

/* ---- a send on each connection ---- */

static void derive(struct bare *b)
{
    steps_derive(&b->keeper);
    share_batch_clear(b->keeper.batch);
}

static void derive_all(struct bare *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct ticket *t = &b->ones[i].ticket;

        if (share_batch_len(b->keeper.batch) + STEPS_SLOTS > SHARE_BATCH_MAX)
            derive(b);
        for (size_t k = 0; k < STEPS_SLOTS; k++) {
            struct share_place place = {
                .tid = t->tid, .uid = t->uid[k], .ek_id = b->sealer.user[k].key.id};

            steps_seed(&b->keeper, &place, b->ones[i].seed[k]);
        }
    }
    derive(b);
}

/* Any shares will do, and any ID: both come from the server. */
static void fill_ticket(struct bare *b, size_t i)
{
    struct ticket *t = &b->ones[i].ticket;

    steps_users(&b->sealer, i, t->uid);
    steps_must(rng_bytes(t->tid.b, sizeof(t->tid.b)) == ERR_OK, "random bytes");
    for (size_t k = 0; k < STEPS_SLOTS; k++)
        for (size_t j = 0; j < 2; j++)
            (void)memcpy(t->share[k][j], b->sealer.user[k].ek_public, SHARE_LEN);
}

static void seal_one(struct bare *b, size_t i)
{
    static const uint8_t plain[STEPS_BODY];

    fill_ticket(b, i);
    steps_seal(&b->sealer, &b->ones[i].ticket, plain, &b->ones[i].sealed);
}

static void check_one(const struct bare *b, size_t i)
{
    steps_check(&b->keeper, b->ones[i].sealed.header, b->ones[i].sealed.signature);
}

/* IDs are random bytes of what came. */
static void keep_all(struct bare *b)
{
    size_t body = body_sealed_len(STEPS_BODY, 0);

    for (size_t i = 0; i < b->n; i++) {
        const struct one *o = &b->ones[i];
        struct kept kept = {.tid = part(o->got, IDS_TID_LEN),
                            .cid = part(o->got + 16, IDS_HASH_LEN),
                            .idem = part(o->got + 48, 16),
                            .body = part(o->got, body),
                            .rest = part(o->got + body, o->sealed.bytes.len - body)};

        (void)memcpy(kept.uid, o->ticket.uid, sizeof(kept.uid));
        (void)memcpy(kept.seed, o->seed, sizeof(kept.seed));
        steps_keep(&b->keeper, &kept);
    }
    steps_durable(&b->keeper);
}

static void send_all(struct bare *b)
{
    uint8_t some[SHARES + ASK] = {0};

    b->since = cpu();
    for (size_t i = 0; i < b->n; i++) {
        pair_say(b->pairs[i].client, some, ASK);
        pair_hear(b->pairs[i].server, some, ASK);
    }
    took(b, STEP_WIRE);
    derive_all(b);
    took(b, STEP_SHARES);
    for (size_t i = 0; i < b->n; i++) {
        pair_say(b->pairs[i].server, some, SHARES);
        pair_hear(b->pairs[i].client, some, SHARES);
    }
    took(b, STEP_WIRE);
    for (size_t i = 0; i < b->n; i++)
        seal_one(b, i);
    took(b, STEP_SEAL);
    for (size_t i = 0; i < b->n; i++) {
        const struct buf *bytes = &b->ones[i].sealed.bytes;

        pair_say(b->pairs[i].client, bytes->data, bytes->len);
        pair_hear(b->pairs[i].server, b->ones[i].got, bytes->len);
    }
    took(b, STEP_WIRE);
    for (size_t i = 0; i < b->n; i++)
        check_one(b, i);
    took(b, STEP_CHECK);
    keep_all(b);
    took(b, STEP_STORE);
    for (size_t i = 0; i < b->n; i++) {
        pair_say(b->pairs[i].server, some, DONE);
        pair_hear(b->pairs[i].client, some, DONE);
    }
    took(b, STEP_WIRE);
}

static void report_all(struct bare *b, uint32_t count)
{
    double sum = 0;
    uint32_t n;

    steps_keeper(&b->keeper, b->weights, b->store);
    send_all(b); /* the first time is warming up */
    (void)memset(b->us, 0, sizeof(b->us));
    for (n = 0; n < count; n += PAIR_MAX)
        send_all(b);
    for (size_t i = 0; i < STEPS; i++)
        sum += b->us[i];
    (void)printf("{\"per_s\": %.0f, \"cpu_us\": %.0f", 2e6 * n / sum, sum / n);
    for (size_t i = 0; i < STEPS; i++)
        (void)printf(", \"%s_us\": %.1f", step_names[i], b->us[i] / n);
    (void)printf("}\n");
}

/* ---- one client and its server, a process each ---- */

static void serve_one(struct bare *b, uint32_t count)
{
    struct one *o = &b->ones[0];
    SSL *ssl = b->pairs[0].server;
    uint8_t some[SHARES + ASK] = {0};

    steps_keeper(&b->keeper, b->weights, b->store);
    pair_say(ssl, some, DONE);
    for (uint32_t n = 0; n < count; n++) {
        pair_hear(ssl, some, ASK);
        derive_all(b);
        pair_say(ssl, some, SHARES);
        pair_hear(ssl, o->got, o->sealed.bytes.len);
        check_one(b, 0);
        keep_all(b);
        pair_say(ssl, some, DONE);
    }
}

static void report_one(struct bare *b, uint32_t count)
{
    struct one *o = &b->ones[0];
    SSL *ssl = b->pairs[0].client;
    uint8_t some[SHARES + ASK] = {0};
    double begun;
    int status = 0;
    pid_t child;

    seal_one(b, 0); /* how long it is, and a header to check, are the same each time */
    child = fork();
    steps_must(child >= 0, "fork");
    if (child == 0) {
        serve_one(b, count);
        _exit(0);
    }
    pair_hear(ssl, some, DONE); /* it is ready */
    begun = steps_seconds(CLOCK_MONOTONIC);
    for (uint32_t n = 0; n < count; n++) {
        pair_say(ssl, some, ASK);
        pair_hear(ssl, some, SHARES);
        seal_one(b, 0);
        pair_say(ssl, o->sealed.bytes.data, o->sealed.bytes.len);
        pair_hear(ssl, some, DONE);
    }
    begun = steps_seconds(CLOCK_MONOTONIC) - begun;
    steps_must(waitpid(child, &status, 0) == child && status == 0, "server");
    (void)printf("{\"per_s\": %.0f}\n", count / begun);
}

int main(int argc, char *argv[])
{
    bool run = argc == 6 && strcmp(argv[1], "--run") == 0;
    bool one = argc == 5 && strcmp(argv[1], "--one") == 0;
    char **args = argv + (run || one ? 2 : 1);
    struct bare *b;
    uint32_t count;

    count = argc > 3 ? (uint32_t)strtoul(args[1], NULL, 10) : 0;
    if (count == 0 || (argc != 4 && !run && !one)) {
        (void)fprintf(stderr, "usage: bench_small_bare [--one] WEIGHTS COUNT STORE\n"
                              "       bench_small_bare --run WEIGHTS COUNT STORE FILE\n");
        return 2;
    }
    if (run) {
        small_run(&(struct small_run){
            .weights = args[0], .count = count, .store = args[2], .file = args[3]});
        return 0;
    }
    b = calloc(1, sizeof(*b));
    steps_must(b != NULL, "memory");
    b->weights = args[0];
    b->store = args[2];
    b->n = one ? 1 : PAIR_MAX;
    steps_sealer(&b->sealer);
    pair_all(b->pairs, b->n);
    if (one)
        report_one(b, count);
    else
        report_all(b, count);
    return 0;
}
