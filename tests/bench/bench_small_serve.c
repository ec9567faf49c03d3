/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_small_serve.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "tests/bench/bench_small_frames.h"
#include "tests/bench/bench_small_steps.h"

/* A connection, and its one send. */
struct peer {
    SSL *ssl;
    int fd;
    bool opened; /* the next is its seal */
    struct flight in;
    struct message ask;
    uint8_t idem[16];
    struct header header;
    struct kept kept;  /* with views of the above */
    struct peer *next; /* in whichever list it is */
};

/* The thread that writes, and what lies between it and the loop. */
struct writer {
    struct keeper *keeper;
    struct serve_counts *counts;
    int wake; /* the loop: something was written */
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t more;
    struct peer *wanted, *written;
    bool stop;
};

struct server {
    struct keeper keeper;
    struct writer writer;
    struct peer peers[PAIR_MAX];
    size_t living;
    int epoll;
    struct peer *asks, *seals; /* of this turn */
    struct flight out;
};

static void push(struct peer **list, struct peer *p)
{
    p->next = *list;
    *list = p;
}

static struct peer *take_all(struct peer **list)
{
    struct peer *all = *list;

    *list = NULL;
    return all;
}

/* All of ${more} in front of ${list}. */
static void join(struct peer **list, struct peer *more)
{
    struct peer **end = &more;

    while (*end != NULL)
        end = &(*end)->next;
    *end = *list;
    *list = more;
}

/* ---- the thread that writes ---- */

/* One record for all that has gathered during the one before: to wait for more gains nothing. */
static void write_all(struct writer *w, const struct peer *all)
{
    for (const struct peer *p = all; p != NULL; p = p->next)
        steps_keep(w->keeper, &p->kept);
    steps_durable(w->keeper);
    atomic_fetch_add(&w->counts->records, 1);
}

/* Wait for something to write; NULL: there will be nothing more. */
static struct peer *wanted(struct writer *w)
{
    struct peer *all;

    (void)pthread_mutex_lock(&w->lock);
    while (w->wanted == NULL && !w->stop)
        (void)pthread_cond_wait(&w->more, &w->lock);
    all = take_all(&w->wanted);
    (void)pthread_mutex_unlock(&w->lock);
    return all;
}

static void *keep_writing(void *arg)
{
    struct writer *w = arg;
    struct peer *all;

    while ((all = wanted(w)) != NULL) {
        write_all(w, all);
        (void)pthread_mutex_lock(&w->lock);
        join(&w->written, all);
        (void)pthread_mutex_unlock(&w->lock);
        steps_must(eventfd_write(w->wake, 1) == 0, "wake");
    }
    return NULL;
}

static void hand_over(struct writer *w, struct peer *all)
{
    (void)pthread_mutex_lock(&w->lock);
    join(&w->wanted, all);
    (void)pthread_cond_signal(&w->more);
    (void)pthread_mutex_unlock(&w->lock);
}

static void start_writer(struct server *s, struct serve_counts *counts)
{
    struct writer *w = &s->writer;

    *w = (struct writer){.keeper = &s->keeper,
                         .counts = counts,
                         .wake = eventfd(0, EFD_CLOEXEC),
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .more = PTHREAD_COND_INITIALIZER};
    steps_must(w->wake >= 0 && pthread_create(&w->thread, NULL, keep_writing, w) == 0, "thread");
}

static void stop_writer(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->more);
    (void)pthread_mutex_unlock(&w->lock);
    steps_must(pthread_join(w->thread, NULL) == 0, "thread");
}

/* ---- OpenTransfer ---- */

static void draw_seeds(struct server *s, struct peer *p)
{
    const Satchel__OpenTransfer *m = p->ask.e->open_transfer;
    struct share_place place;

    steps_must(m->n_recipients == STEPS_SLOTS && m->upload_key.len == sizeof(p->idem) &&
                   rng_bytes(place.tid.b, sizeof(place.tid.b)) == ERR_OK,
               "OpenTransfer");
    (void)memcpy(p->idem, m->upload_key.data, sizeof(p->idem));
    p->header.tid = place.tid;
    for (size_t i = 0; i < STEPS_SLOTS; i++) {
        (void)memcpy(place.uid.b, m->recipients[i]->user_id.data, sizeof(place.uid.b));
        (void)memcpy(place.ek_id.b, m->recipients[i]->ek_id.data, sizeof(place.ek_id.b));
        p->kept.uid[i] = place.uid;
        steps_seed(&s->keeper, &place, p->kept.seed[i]);
    }
}

/* Its shares are the pairs from ${at} on. */
static void answer_ask(struct server *s, struct peer *p, size_t at)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__OpenTransferReply m = SATCHEL__OPEN_TRANSFER_REPLY__INIT;
    Satchel__SlotShares slots[STEPS_SLOTS], *list[STEPS_SLOTS];

    for (size_t i = 0; i < STEPS_SLOTS; i++) {
        uint8_t *pair = (uint8_t *)(uintptr_t)share_batch_pair(s->keeper.batch, at + i);

        satchel__slot_shares__init(&slots[i]);
        slots[i].share_meta = (ProtobufCBinaryData){SHARE_LEN, pair};
        slots[i].share_body = (ProtobufCBinaryData){SHARE_LEN, pair + SHARE_LEN};
        list[i] = &slots[i];
    }
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, p->header.tid.b};
    m.n_shares = STEPS_SLOTS;
    m.shares = list;
    m.lease = SAMPLE_TIME + SAMPLE_DAY;
    e.body_case = SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY;
    e.open_transfer_reply = &m;
    flight_put(&s->out, &e, part(NULL, 0));
    flight_say(&s->out, p->ssl);
    satchel__envelope__free_unpacked(p->ask.e, NULL);
    flight_done(&p->in);
    p->opened = true;
}

/* As many of ${all} as a run of the key network takes; the rest. */
static struct peer *serve_run(struct server *s, struct peer *all)
{
    struct share_batch *batch = s->keeper.batch;
    struct peer *rest = all;
    size_t at = 0;

    for (; rest != NULL && share_batch_len(batch) + STEPS_SLOTS <= SHARE_BATCH_MAX;
         rest = rest->next)
        draw_seeds(s, rest);
    steps_derive(&s->keeper);
    for (struct peer *p = all; p != rest; p = p->next, at += STEPS_SLOTS)
        answer_ask(s, p, at);
    share_batch_clear(batch);
    return rest;
}

static void serve_asks(struct server *s)
{
    struct peer *all = take_all(&s->asks);

    while (all != NULL)
        all = serve_run(s, all);
}

/* ---- PutPiece and SealTransfer ---- */

static void take_seal(struct keeper *k, struct peer *p)
{
    struct message piece = flight_take(&p->in, SATCHEL__ENVELOPE__BODY_PUT_PIECE);
    struct message seal = flight_take(&p->in, SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER);
    const Satchel__SealTransfer *m = seal.e->seal_transfer;
    struct part header = part(m->header.data, m->header.len);

    steps_check(k, header, part(m->signature.data, m->signature.len));
    steps_must(header_parse(header, &p->header, NULL) == ERR_OK, "header");
    p->kept.tid = PART_OF(p->header.tid.b);
    p->kept.cid = PART_OF(p->header.cid.b);
    p->kept.idem = PART_OF(p->idem);
    p->kept.body = piece.tail;
    p->kept.rest = seal.head;
    satchel__envelope__free_unpacked(piece.e, NULL);
    satchel__envelope__free_unpacked(seal.e, NULL);
}

static void serve_seals(struct server *s)
{
    struct peer *all = take_all(&s->seals);

    for (struct peer *p = all; p != NULL; p = p->next)
        take_seal(&s->keeper, p);
    if (all != NULL)
        hand_over(&s->writer, all);
}

/* It is durable. */
static void answer_seal(struct server *s, struct peer *p)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PieceAck ack = SATCHEL__PIECE_ACK__INIT;
    Satchel__SealReply reply = SATCHEL__SEAL_REPLY__INIT;

    e.body_case = SATCHEL__ENVELOPE__BODY_PIECE_ACK;
    e.piece_ack = &ack;
    flight_put(&s->out, &e, part(NULL, 0));
    reply.stored = SAMPLE_TIME;
    e.body_case = SATCHEL__ENVELOPE__BODY_SEAL_REPLY;
    e.seal_reply = &reply;
    flight_put(&s->out, &e, part(NULL, 0));
    flight_done(&p->in);
    p->opened = false;
    flight_say(&s->out, p->ssl);
}

/* ---- the loop ---- */

static void on_written(struct server *s)
{
    struct writer *w = &s->writer;
    struct peer *all, *next;
    eventfd_t n;

    steps_must(eventfd_read(w->wake, &n) == 0, "wake");
    (void)pthread_mutex_lock(&w->lock);
    all = take_all(&w->written);
    (void)pthread_mutex_unlock(&w->lock);
    for (; all != NULL; all = next) {
        next = all->next; /* once it is answered it may be in another list */
        answer_seal(s, all);
    }
}

static void on_readable(struct server *s, struct peer *p)
{
    if (flight_hear(&p->in, p->ssl, p->opened ? 2 : 1)) {
        if (!p->opened)
            p->ask = flight_take(&p->in, SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER);
        push(p->opened ? &s->seals : &s->asks, p);
    } else if (p->in.ended) {
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, p->fd, NULL);
        s->living--;
    }
}

/* First what lets clients go on: while signatures are checked they have something to do. */
static void turn(struct server *s)
{
    struct epoll_event events[PAIR_MAX + 1];
    int n = epoll_wait(s->epoll, events, PAIR_MAX + 1, -1);

    steps_must(n >= 0 || errno == EINTR, "epoll_wait");
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL)
            on_written(s);
        else
            on_readable(s, events[i].data.ptr);
    }
    serve_asks(s);
    serve_seals(s);
}

static void watch(const struct server *s, int fd, struct peer *p)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};

    steps_must(epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

void small_serve(const struct small_run *r, struct pair pairs[PAIR_MAX],
                 struct serve_counts *counts)
{
    struct server *s = calloc(1, sizeof(*s));

    steps_must(s != NULL, "memory");
    steps_keeper(&s->keeper, r->weights, r->store);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    steps_must(s->epoll >= 0, "epoll");
    start_writer(s, counts);
    watch(s, s->writer.wake, NULL);
    for (s->living = 0; s->living < PAIR_MAX; s->living++) {
        struct peer *p = &s->peers[s->living];

        p->ssl = pairs[s->living].server;
        p->fd = pairs[s->living].fds[1];
        watch(s, p->fd, p);
    }
    while (s->living > 0)
        turn(s);
    stop_writer(&s->writer);
}
