/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_store - figures of the mailbox store by itself, through its contract.
 *
 *   bench_store DIR small COUNT INFLIGHT    durable sends of 1 KiB (open, piece, seal)
 *   bench_store DIR bodies MIB              pieces written durably, then read back
 *   bench_store DIR list COUNT              fill one inbox, then time pages of 50
 *
 * DIR keeps the store: a second run finds it warm.  One JSON object a line on standard output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/buf.h"
#include "server/store/store.h"

enum { INFLIGHT_MAX = 1024, SMALL = 1024 };

struct bench {
    uv_loop_t loop;
    struct store *store;
    struct store_port *port;
    uint64_t run; /* makes this run's IDs differ from earlier ones */
    uint64_t next, count, done;
    unsigned inflight;
    uint64_t rss_anon_max; /* KiB */
};

struct one {
    struct bench *b;
    struct store_upload_open open;
    struct store_slot_new slots[2];
    struct store_upload_seal seal;
    struct store_slot_seal sealed[2];
    uint8_t leaves[2 * STORE_HASH_LEN];
    unsigned waiting;
    double began;
};

static uint8_t meta[1024], header[600], slot_bytes[300], seed[60], sig[64];

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what, int code, const char *why)
{
    (void)fprintf(stderr, "bench_store: %s: %s %s\n", what, err_name(code), why);
    exit(1);
}

/* RssAnon in KiB. */
static uint64_t rss_anon(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    uint64_t kib = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoull(line + 8, NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    return kib;
}

static double cpu(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
           (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

static void id(const struct bench *b, uint8_t *to, size_t len, uint8_t kind, uint64_t n)
{
    uint64_t mixed = (b->run + n) * 0x9e3779b97f4a7c15ULL; /* spread over the tables */

    memset(to, kind, len);
    put_be64(to, mixed);
}

/* ---- users ---- */

static void on_user(void *arg, struct store_result *res)
{
    if (res->code != ERR_OK)
        die("user", res->code, res->why);
    ++*(unsigned *)arg;
    store_result_free(res);
}

static void user_id(unsigned n, uint8_t uid[STORE_UID_LEN])
{
    memset(uid, (int)n, STORE_UID_LEN);
}

static void make_users(struct bench *b)
{
    unsigned made = 0;

    for (unsigned n = 1; n <= 2; n++) {
        char name[16];
        struct store_user_create in = {.name = name,
                                       .email = name,
                                       .manifest = {(const uint8_t *)"m", 1},
                                       .manifest_seq = 1,
                                       .quota = UINT64_MAX / 2,
                                       .now = 1};
        int rc;

        (void)snprintf(name, sizeof(name), "user%u", n);
        user_id(n, in.uid);
        rc = store_user_create(b->port, &in, on_user, &made);
        if (rc != ERR_OK)
            die("user", rc, "");
    }
    while (made < 2)
        (void)uv_run(&b->loop, UV_RUN_ONCE);
}

/* ---- one send ---- */

static void make(struct one *o, uint64_t n, uint64_t body)
{
    struct bench *b = o->b;

    *o = (struct one){.b = b};
    id(b, o->open.tid, sizeof(o->open.tid), 't', n);
    id(b, o->open.idem, sizeof(o->open.idem), 'i', n);
    user_id(1, o->open.sender);
    o->open.now = 1 + b->run + n;
    o->open.lease = o->open.expires = UINT64_MAX / 2;
    o->open.body_max = body;
    o->open.slots = o->slots;
    o->open.nslots = 2;
    for (unsigned i = 0; i < 2; i++) {
        user_id(2 - i, o->slots[i].uid);
        o->slots[i].cell = 2 * n + i;
        o->slots[i].seed = (struct store_blob){seed, sizeof(seed)};
        o->slots[i].inbox = i == 0;
        memcpy(o->sealed[i].uid, o->slots[i].uid, STORE_UID_LEN);
        o->sealed[i].position = i;
        o->sealed[i].bytes = (struct store_blob){slot_bytes, sizeof(slot_bytes)};
    }
    memcpy(o->seal.tid, o->open.tid, STORE_TID_LEN);
    memcpy(o->seal.sender, o->open.sender, STORE_UID_LEN);
    id(b, o->seal.cid, sizeof(o->seal.cid), 'c', n);
    o->seal.header = (struct store_blob){header, sizeof(header)};
    o->seal.sig = (struct store_blob){sig, sizeof(sig)};
    o->seal.meta = (struct store_blob){meta, sizeof(meta)};
    o->seal.slot_leaves = (struct store_blob){o->leaves, sizeof(o->leaves)};
    o->seal.pieces = (uint32_t)((body + STORE_PIECE_MAX - 1) / STORE_PIECE_MAX);
    o->seal.body_len = body;
    o->seal.now = o->open.now;
    o->seal.slots = o->sealed;
    o->seal.nslots = 2;
}

static int put_piece(struct one *o, uint32_t index, store_cb *cb, void *arg)
{
    uint64_t left = o->open.body_max - (uint64_t)index * STORE_PIECE_MAX;
    struct store_piece_put p = {.index = index, .lease = o->open.lease};
    int rc;

    p.len = left < STORE_PIECE_MAX ? (size_t)left : STORE_PIECE_MAX;
    p.data = malloc(p.len);
    if (p.data == NULL)
        die("piece", ERR_NOMEM, "");
    memset(p.data, (int)index, p.len);
    memcpy(p.tid, o->open.tid, sizeof(p.tid));
    memcpy(p.sender, o->open.sender, sizeof(p.sender));
    put_be32(p.leaf, index);
    rc = store_piece_put(o->b->port, &p, cb, arg);
    if (rc != ERR_OK)
        free(p.data);
    return rc;
}

/* ---- small ---- */

static void next_small(struct one *o);

static void on_small_done(void *arg, struct store_result *res)
{
    struct one *o = arg;

    if (res->code != ERR_OK)
        die("send", res->code, res->why);
    store_result_free(res);
    if (--o->waiting > 0)
        return;
    o->b->done++;
    next_small(o);
}

static void on_small_open(void *arg, struct store_result *res)
{
    struct one *o = arg;
    int rc;

    if (res->code != ERR_OK)
        die("open", res->code, res->why);
    store_result_free(res);
    o->waiting = o->open.body_max > 0 ? 2 : 1;
    if (o->open.body_max > 0) {
        rc = put_piece(o, 0, on_small_done, o);
        if (rc != ERR_OK)
            die("piece", rc, "");
    }
    rc = store_upload_seal(o->b->port, &o->seal, on_small_done, o);
    if (rc != ERR_OK)
        die("seal", rc, "");
}

static void next_small(struct one *o)
{
    struct bench *b = o->b;
    uint64_t body = o->open.body_max;
    int rc;

    if (b->next == b->count)
        return;
    make(o, b->next++, body);
    rc = store_upload_open(b->port, &o->open, on_small_open, o);
    if (rc != ERR_OK)
        die("open", rc, "");
}

static void run_sends(struct bench *b, uint64_t count, unsigned inflight, uint64_t body)
{
    static struct one ones[INFLIGHT_MAX];

    b->next = b->done = 0;
    b->count = count;
    for (unsigned i = 0; i < inflight; i++) {
        ones[i] = (struct one){.b = b, .open = {.body_max = body}};
        next_small(&ones[i]);
    }
    while (b->done < count)
        (void)uv_run(&b->loop, UV_RUN_ONCE);
}

static void bench_small(struct bench *b, uint64_t count, unsigned inflight)
{
    struct store_stats s0, s1;
    double t, c;

    store_stats(b->store, &s0);
    t = now();
    c = cpu();
    run_sends(b, count, inflight, SMALL);
    t = now() - t;
    c = cpu() - c;
    store_stats(b->store, &s1);
    (void)printf("{\"name\":\"small\",\"inflight\":%u,\"sends_per_s\":%.0f,\"cpu_us\":%.1f,"
                 "\"writes_per_commit\":%.1f,\"commit_us\":%.0f,\"transfers\":%lu}\n",
                 inflight, (double)count / t, c / (double)count * 1e6,
                 (double)(s1.committed - s0.committed) / (double)(s1.commits - s0.commits),
                 (double)(s1.commit_us - s0.commit_us) / (double)(s1.commits - s0.commits),
                 s1.transfers);
}

/* ---- bodies ---- */

static void on_any(void *arg, struct store_result *res)
{
    struct bench *b = arg;

    if (res->code != ERR_OK)
        die("bodies", res->code, res->why);
    if (res->pieces_inside)
        b->next += res->count;
    b->done++;
    store_result_free(res);
}

static void wait_done(struct bench *b, uint64_t n)
{
    while (b->done < n)
        (void)uv_run(&b->loop, UV_RUN_ONCE);
}

static void note_rss(struct bench *b)
{
    uint64_t kib = rss_anon();

    if (b->rss_anon_max < kib)
        b->rss_anon_max = kib;
}

static void write_body(struct bench *b, struct one *o)
{
    b->done = 0;
    if (store_upload_open(b->port, &o->open, on_any, b) != ERR_OK)
        die("open", ERR_BUSY, "");
    wait_done(b, 1);
    for (uint32_t i = 0; i < o->seal.pieces;) {
        if (put_piece(o, i, on_any, b) == ERR_OK)
            i++;
        else
            (void)uv_run(&b->loop, UV_RUN_ONCE);
        if (i % 64 == 0)
            note_rss(b);
    }
    if (store_upload_seal(b->port, &o->seal, on_any, b) != ERR_OK)
        die("seal", ERR_BUSY, "");
    wait_done(b, o->seal.pieces + 2);
}

static void read_body(struct bench *b, const struct one *o)
{
    struct store_pieces_get in = {.limit = 8};

    b->next = 0;
    memcpy(in.tid, o->open.tid, sizeof(in.tid));
    user_id(2, in.uid);
    for (uint32_t i = 0; i < o->seal.pieces;) {
        in.from = i;
        if (store_pieces_get(b->port, &in, on_any, b) == ERR_OK)
            i += 8;
        else
            (void)uv_run(&b->loop, UV_RUN_ONCE);
        if (i % 64 == 0)
            note_rss(b);
    }
    while (b->next < o->seal.pieces)
        (void)uv_run(&b->loop, UV_RUN_ONCE);
}

/* Delete what was written, so that the next run finds free pages. */
static void delete_body(struct bench *b, const struct one *o)
{
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX};
    struct store_collect collect = {.now = 1};

    memcpy(del.tid, o->open.tid, sizeof(del.tid));
    b->done = 0;
    for (unsigned i = 0; i < 2; i++) {
        user_id(2 - i, del.uid);
        if (store_slot_delete(b->port, &del, on_any, b) != ERR_OK)
            die("delete", ERR_BUSY, "");
        del.view = STORE_VIEW_SENT;
    }
    wait_done(b, 2);
    for (uint32_t i = 0; i <= o->seal.pieces / STORE_LIST_MAX + 8; i++) {
        if (store_collect(b->port, &collect, on_any, b) != ERR_OK)
            die("collect", ERR_BUSY, "");
        wait_done(b, 3 + i);
    }
}

static void bench_bodies(struct bench *b, uint64_t mib)
{
    struct one o = {.b = b};
    double t, c;

    for (unsigned pass = 0; pass < 4; pass++) {
        make(&o, 1000000 + pass, mib << 20);
        b->rss_anon_max = 0;
        c = cpu();
        t = now();
        write_body(b, &o);
        t = now() - t;
        c = cpu() - c;
        (void)printf("{\"name\":\"bodies\",\"pass\":%u,\"MiB\":%lu,\"write_GBps\":%.2f,"
                     "\"cpu_s_per_GiB\":%.2f,\"rss_anon_max_MiB\":%.1f",
                     pass, mib, (double)mib / 1024 * 1.073741824 / t, c / ((double)mib / 1024),
                     (double)b->rss_anon_max / 1024);
        c = cpu();
        t = now();
        read_body(b, &o);
        t = now() - t;
        c = cpu() - c;
        (void)printf(",\"read_GBps\":%.2f,\"read_cpu_s_per_GiB\":%.2f,\"rss_anon_max_MiB\":%.1f}\n",
                     (double)mib / 1024 * 1.073741824 / t, c / ((double)mib / 1024),
                     (double)b->rss_anon_max / 1024);
        delete_body(b, &o);
    }
}

/* ---- list ---- */

struct list {
    struct bench *b;
    uint8_t cursor[STORE_CURSOR_LEN];
    bool more;
};

static void on_page(void *arg, struct store_result *res)
{
    struct list *l = arg;

    if (res->code != ERR_OK)
        die("list", res->code, res->why);
    memcpy(l->cursor, res->cursor, sizeof(l->cursor));
    l->more = res->more;
    l->b->done++;
    store_result_free(res);
}

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return d < 0 ? -1 : d > 0;
}

static void bench_list(struct bench *b, uint64_t count)
{
    struct list l = {.b = b, .more = true};
    struct store_inbox_list in = {.limit = 50};
    static double times[1000];
    struct store_stats st;
    size_t n = 0;

    store_stats(b->store, &st);
    if (st.transfers < count)
        run_sends(b, count - st.transfers, 1024, 0);
    user_id(2, in.uid);
    for (b->done = 0; n < 1000 && l.more; n++) {
        times[n] = now();
        if (store_inbox_list(b->port, &in, on_page, &l) != ERR_OK)
            die("list", ERR_BUSY, "");
        wait_done(b, n + 1);
        times[n] = now() - times[n];
        in.cursor = l.cursor;
    }
    qsort(times, n, sizeof(times[0]), by_value);
    store_stats(b->store, &st);
    (void)printf("{\"name\":\"list\",\"transfers\":%lu,\"pages\":%zu,\"page_p50_us\":%.0f,"
                 "\"page_p99_us\":%.0f,\"index_used_MiB\":%lu}\n",
                 st.transfers, n, times[n / 2] * 1e6, times[n * 99 / 100] * 1e6,
                 st.index_used >> 20);
}

int main(int argc, char **argv)
{
    struct store_config cfg = {.path = argc > 1 ? argv[1] : NULL};
    struct bench b = {0};
    struct err err = {0};
    uint64_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

    if (argc < 4 || n == 0) {
        (void)fprintf(stderr,
                      "usage: bench_store DIR small COUNT INFLIGHT | bodies MIB | list N\n");
        return 2;
    }
    if (uv_loop_init(&b.loop) != 0 || store_open(&b.store, &cfg, &err) != ERR_OK ||
        store_port_open(&b.port, b.store, &b.loop, &err) != ERR_OK)
        die("open", err.code, err.msg);
    b.run = (uint64_t)time(NULL) << 24;
    make_users(&b);
    if (strcmp(argv[2], "small") == 0 && argc > 4)
        bench_small(&b, n, (unsigned)strtoul(argv[4], NULL, 10) % (INFLIGHT_MAX + 1));
    else if (strcmp(argv[2], "bodies") == 0)
        bench_bodies(&b, n);
    else if (strcmp(argv[2], "list") == 0)
        bench_list(&b, n);
    store_port_close(b.port, NULL, NULL);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    store_close(b.store);
    return uv_loop_close(&b.loop) == 0 ? 0 : 1;
}
