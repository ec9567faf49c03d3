/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_small_run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_small_frames.h"
#include "tests/bench/bench_small_serve.h"
#include "tests/bench/bench_small_steps.h"

enum {
    THREADS = 2,         /* on two cores one is slower, and three are no faster */
    WARM = 20 * PAIR_MAX /* sends before it counts */
};

/* What has been used up at a moment. */
struct mark {
    double time, client, server; /* seconds, CPU seconds */
    unsigned records;
};

struct run {
    const char *file;
    uint32_t count;
    struct pair *pairs;
    struct serve_counts *counts;
    clockid_t server; /* its CPU */
    atomic_uint begun, done;
    struct mark began, ended;
};

struct client {
    SSL *ssl;
    int fd;
    bool opened; /* asked for, and sealed */
    struct ticket ticket;
    struct flight in;
    uint8_t plain[STEPS_BODY];
};

/* A thread, with clients and a loop of its own. */
struct worker {
    pthread_t thread;
    struct run *run;
    struct sealer sealer;
    struct sealed sealed;
    struct flight out;
    int epoll;
    size_t first, last, living;
    struct client clients[PAIR_MAX];
};

static void mark(const struct run *r, struct mark *m)
{
    *m = (struct mark){.time = steps_seconds(CLOCK_MONOTONIC),
                       .client = steps_seconds(CLOCK_PROCESS_CPUTIME_ID),
                       .server = steps_seconds(r->server),
                       .records = atomic_load(&r->counts->records)};
}

/* ---- a send ---- */

static void read_file(const struct run *r, uint8_t plain[STEPS_BODY])
{
    int fd = open(r->file, O_RDONLY | O_CLOEXEC);

    steps_must(fd >= 0 && read(fd, plain, STEPS_FILE) == STEPS_FILE, "file");
    (void)close(fd);
}

/* OpenTransfer; or the end, when enough were begun. */
static void ask(struct worker *w, struct client *c)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OpenTransfer m = SATCHEL__OPEN_TRANSFER__INIT;
    Satchel__Recipient rows[STEPS_SLOTS], *at[STEPS_SLOTS];
    uint8_t key[16];

    if (atomic_fetch_add(&w->run->begun, 1) >= WARM + w->run->count) {
        (void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, c->fd, NULL);
        (void)shutdown(c->fd, SHUT_RDWR);
        w->living--;
        return;
    }
    read_file(w->run, c->plain);
    steps_must(rng_bytes(key, sizeof(key)) == ERR_OK, "random bytes");
    for (size_t i = 0; i < STEPS_SLOTS; i++) {
        const struct sample_user *u = &w->sealer.user[i];

        satchel__recipient__init(&rows[i]);
        rows[i].user_id = (ProtobufCBinaryData){IDS_UID_LEN, c->ticket.uid[i].b};
        rows[i].ek_id = (ProtobufCBinaryData){IDS_EK_LEN, (uint8_t *)(uintptr_t)u->key.id.b};
        rows[i].role = i == 0 ? SATCHEL__ROLE__RECIPIENT : SATCHEL__ROLE__SENDER;
        at[i] = &rows[i];
    }
    rows[0].known_manifest = (ProtobufCBinaryData){IDS_HASH_LEN, w->sealer.user[0].first->hash.b};
    m.upload_key = (ProtobufCBinaryData){sizeof(key), key};
    m.recipients = at;
    m.n_recipients = STEPS_SLOTS;
    m.body_length = STEPS_BODY;
    m.created = SAMPLE_TIME;
    m.expires = SAMPLE_TIME + SAMPLE_DAY;
    e.body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER;
    e.open_transfer = &m;
    flight_put(&w->out, &e, part(NULL, 0));
    c->opened = false;
    flight_say(&w->out, c->ssl);
}

static ProtobufCBinaryData view(struct part p)
{
    return (ProtobufCBinaryData){p.len, (uint8_t *)(uintptr_t)p.data};
}

static void put_piece(struct worker *w, struct client *c)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutPiece m = SATCHEL__PUT_PIECE__INIT;

    m.tid = view(PART_OF(c->ticket.tid.b));
    m.leaf = view(PART_OF(w->sealed.leaf.b));
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_PIECE;
    e.put_piece = &m;
    flight_put(&w->out, &e, w->sealed.piece);
}

static void put_seal(struct worker *w, struct client *c)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__SealTransfer m = SATCHEL__SEAL_TRANSFER__INIT;
    Satchel__SealedSlot rows[STEPS_SLOTS], *at[STEPS_SLOTS];

    for (size_t i = 0; i < STEPS_SLOTS; i++) {
        satchel__sealed_slot__init(&rows[i]);
        rows[i].user_id = view(PART_OF(c->ticket.uid[i].b));
        rows[i].slot = view(w->sealed.slot[i]);
        at[i] = &rows[i];
    }
    m.header = view(w->sealed.header);
    m.signature = view(w->sealed.signature);
    m.slots = at;
    m.n_slots = STEPS_SLOTS;
    m.metadata = view(w->sealed.metadata);
    e.body_case = SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER;
    e.seal_transfer = &m;
    flight_put(&w->out, &e, part(NULL, 0));
}

static void on_shares(struct worker *w, struct client *c)
{
    struct message m = flight_take(&c->in, SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY);
    const Satchel__OpenTransferReply *reply = m.e->open_transfer_reply;

    steps_must(reply->tid.len == IDS_TID_LEN && reply->n_shares == STEPS_SLOTS, "shares");
    (void)memcpy(c->ticket.tid.b, reply->tid.data, IDS_TID_LEN);
    for (size_t i = 0; i < STEPS_SLOTS; i++) {
        (void)memcpy(c->ticket.share[i][SHARE_META], reply->shares[i]->share_meta.data, SHARE_LEN);
        (void)memcpy(c->ticket.share[i][SHARE_BODY], reply->shares[i]->share_body.data, SHARE_LEN);
    }
    satchel__envelope__free_unpacked(m.e, NULL);
    flight_done(&c->in);
    steps_seal(&w->sealer, &c->ticket, c->plain, &w->sealed);
    put_piece(w, c);
    put_seal(w, c);
    c->opened = true;
    flight_say(&w->out, c->ssl);
}

static void on_sealed(struct worker *w, struct client *c)
{
    struct message ack = flight_take(&c->in, SATCHEL__ENVELOPE__BODY_PIECE_ACK);
    struct message reply = flight_take(&c->in, SATCHEL__ENVELOPE__BODY_SEAL_REPLY);
    unsigned done = atomic_fetch_add(&w->run->done, 1) + 1;

    satchel__envelope__free_unpacked(ack.e, NULL);
    satchel__envelope__free_unpacked(reply.e, NULL);
    flight_done(&c->in);
    if (done == WARM)
        mark(w->run, &w->run->began);
    else if (done == WARM + w->run->count)
        mark(w->run, &w->run->ended);
    ask(w, c);
}

/* ---- a thread of clients ---- */

static void on_readable(struct worker *w, struct client *c)
{
    if (flight_hear(&c->in, c->ssl, c->opened ? 2 : 1)) {
        if (c->opened)
            on_sealed(w, c);
        else
            on_shares(w, c);
    }
    steps_must(!c->in.ended, "the server has gone");
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct epoll_event events[PAIR_MAX];

    steps_sealer(&w->sealer);
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    steps_must(w->epoll >= 0, "epoll");
    w->living = w->last - w->first;
    for (size_t i = w->first; i < w->last; i++) {
        struct client *c = &w->clients[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        *c = (struct client){.ssl = w->run->pairs[i].client, .fd = w->run->pairs[i].fds[0]};
        steps_users(&w->sealer, i, c->ticket.uid);
        steps_must(epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0, "epoll_ctl");
        ask(w, c);
    }
    while (w->living > 0) {
        int n = epoll_wait(w->epoll, events, PAIR_MAX, -1);

        steps_must(n >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < n; i++)
            on_readable(w, events[i].data.ptr);
    }
    return NULL;
}

static void send_all(struct run *r)
{
    static struct worker workers[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        struct worker *w = &workers[i];

        w->run = r;
        w->first = PAIR_MAX * i / THREADS;
        w->last = PAIR_MAX * (i + 1) / THREADS;
        steps_must(pthread_create(&w->thread, NULL, work, w) == 0, "thread");
    }
    for (size_t i = 0; i < THREADS; i++)
        steps_must(pthread_join(workers[i].thread, NULL) == 0, "thread");
}

/* ---- both processes ---- */

/* This process has one end of each connection. */
static void keep_end(const struct pair *pairs, int end)
{
    for (size_t i = 0; i < PAIR_MAX; i++) {
        (void)close(pairs[i].fds[1 - end]);
        steps_must(fcntl(pairs[i].fds[end], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    }
}

static void report(const struct run *r)
{
    double us = 1e6 / r->count, seconds = r->ended.time - r->began.time;
    double client = us * (r->ended.client - r->began.client);
    double server = us * (r->ended.server - r->began.server);
    unsigned records = r->ended.records - r->began.records;

    (void)printf("{\"per_s\": %.0f, \"cpu_us\": %.0f, \"client_cpu_us\": %.0f, "
                 "\"server_cpu_us\": %.0f, \"sends_per_record\": %.1f}\n",
                 r->count / seconds, client + server, client, server, (double)r->count / records);
}

void small_run(const struct small_run *what)
{
    struct pair *pairs = calloc(PAIR_MAX, sizeof(*pairs));
    struct run r = {.file = what->file, .count = what->count, .pairs = pairs};
    int status = 0;
    pid_t child;

    r.counts =
        mmap(NULL, sizeof(*r.counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    steps_must(pairs != NULL && r.counts != MAP_FAILED, "memory");
    pair_all(pairs, PAIR_MAX);
    child = fork();
    steps_must(child >= 0, "fork");
    keep_end(pairs, child == 0);
    if (child == 0) {
        small_serve(what, pairs, r.counts);
        _exit(0);
    }
    steps_must(clock_getcpuclockid(child, &r.server) == 0, "clock");
    send_all(&r);
    steps_must(waitpid(child, &status, 0) == child && status == 0, "server");
    report(&r);
}
