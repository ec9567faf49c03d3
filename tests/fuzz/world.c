/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/world.h"

#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

#include "common/fs.h"
#include "common/net/tls_cert.h"
#include "common/transfer/manifest_build.h"
#include "server/hedge.h"
#include "server/service.h"
#include "server/store/erasable_file.h"
#include "tests/exact/sample_net.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/nomem.h"

enum { SECRET_MODE = 0600, DEAF_TURNS = 4 };

static struct world *now_open; /* for peer_open() */
static uint64_t later;         /* ms that the clock was put forward */

/* ---- in the place of the system ---------------------------------------- */

uint64_t __wrap_daemon_time(void);
int __wrap_uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *to, int *len);

/* An hour after the sample's users were made. */
uint64_t __wrap_daemon_time(void)
{
    return SAMPLE_TIME + 3600 * 1000 + later;
}

int __wrap_uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *to, int *len)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

    (void)tcp;
    MUST((size_t)*len >= sizeof(sa));
    memcpy(to, &sa, sizeof(sa));
    return 0;
}

/* ---- the folder ----------------------------------------------------------- */

static void file_in(const struct world *w, const char *name, char ret_path[128])
{
    (void)snprintf(ret_path, 128, "%s/%s", w->dir, name);
}

static void write_file(const struct world *w, const char *name, const void *data, size_t len)
{
    char path[128];

    file_in(w, name, path);
    MUST_OK(fs_create(path, data, len, SECRET_MODE, NULL));
}

static void make_keys(const struct world *w)
{
    static const char *const names[] = {"localhost"};
    struct secret key = {0};
    struct buf cert = {0}, weights = {0};
    uint8_t seed[32];
    char path[128];

    sample_bytes("server", seed);
    write_file(w, "server.key", seed, sizeof(seed));
    MUST_OK(tls_cert_make("fuzz", names, 1, &key, &cert, NULL));
    write_file(w, "tls.key", key.data, key.len);
    write_file(w, "tls.crt", cert.data, cert.len);
    MUST_OK(sample_net_file(SAMPLE_NET_SEED, &weights, NULL));
    write_file(w, "keynet.weights", weights.data, weights.len);
    file_in(w, "hedge.key", path);
    MUST_OK(hedge_create(path, NULL));
    file_in(w, "erasable.keys", path);
    MUST_OK(erasable_file_create(path, daemon_time(), NULL));
    secret_free(&key);
    buf_free(&cert);
    buf_free(&weights);
}

/* No limit of time or rate stands in the way; those of size do. */
static void write_settings(const struct world *w, char ret_path[128])
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "[server]\ndata = %s\nlisten = 127.0.0.1:0\nlog_level = error\ndrain = 0s\n"
                     "[store]\nindex_max = 64M\nbody_max = 256M\nquota = 1T\n"
                     "[limits]\nhandshakes = 100000\nhandshakes_per_address = "
                     "100000\nregistrations = 100000\nrequests = 1000000\n"
                     "lookups = 1000000\nreleases = 1000000\nuploads = 100000\nqueued = 1M\n"
                     "queued_total = 4M\nmax_transfer = 16M\nmax_recipients = 4\nwindow = 4\n"
                     "page = 4\n",
                     w->dir);

    write_file(w, "satcheld.conf", text, (size_t)n);
    file_in(w, "satcheld.conf", ret_path);
}

/* ---- users and transfers ----------------------------------------------------- */

static void make_users(struct world *w)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    struct peer p;

    MUST(peer_open(&p, 0) && peer_hello(&p) == SATCHEL__CODE__CODE_NONE);
    for (int i = 0; i < WORLD_DAVE; i++) {
        actor_make(&w->who[i], names[i]);
        MUST(actor_register(&p, &w->who[i], NULL) == SATCHEL__CODE__CODE_NONE);
    }
    peer_close(&p);
}

static void make_dave(struct world *w)
{
    if (w->who[WORLD_DAVE].u.name != NULL)
        actor_free(&w->who[WORLD_DAVE]);
    (void)snprintf(w->dave, sizeof(w->dave), "dave%u", w->round);
    actor_make(&w->who[WORLD_DAVE], w->dave);
}

/* What is stored of Alice: 1 and the ones after it. */
static uint64_t last_sequence(struct world *w, struct peer *p)
{
    Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
    PEER_ENV(env, LOOKUP, lookup, &msg);
    struct message *m;
    uint64_t last;

    msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    PEER_BYTES(msg.user_id, w->who[WORLD_ALICE].u.uid.b);
    m = peer_call(p, &env);
    MUST(m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY);
    last = m->env->lookup_reply->last_sequence;
    message_free(m);
    return last;
}

static void make_next_manifest(struct world *w, struct peer *p)
{
    const struct actor *a = &w->who[WORLD_ALICE];
    struct manifest *before = w->next;
    struct manifest_build_plan plan = {.previous = before != NULL ? before : a->u.first,
                                       .devices = &a->u.device,
                                       .n_devices = 1,
                                       .eks = &a->u.key,
                                       .n_eks = 1};

    if (last_sequence(w, p) < plan.previous->sequence)
        return; /* the next one is still to come */
    plan.created = plan.previous->created + 1;
    MUST_OK(manifest_build(&plan, &a->u.isk, &w->next, NULL));
    manifest_free(before);
}

static void make_parcels(struct world *w, struct peer *p, unsigned stale)
{
    static const uint64_t lengths[WORLD_PARCELS] = {262145, 10, 20};
    const struct actor *who[] = {&w->who[WORLD_ALICE], &w->who[WORLD_BOB]};

    for (uint32_t i = 0; i < WORLD_PARCELS; i++) {
        struct parcel *x = &w->parcel[i];

        if ((stale & 1U << i) == 0)
            continue;
        parcel_free(x);
        parcel_make(x, who, 2, lengths[i], w->round * WORLD_PARCELS + i);
        x->header.opens = i == WORLD_ONCE ? 1 : 0;
        if (i != WORLD_BEGUN) {
            MUST(parcel_deliver(p, x) == SATCHEL__CODE__CODE_NONE);
            continue;
        }
        MUST(parcel_open(p, x) == SATCHEL__CODE__CODE_NONE);
        parcel_seal_body(x);
    }
}

static uint64_t writes_of(const struct world *w)
{
    struct store_stats st;

    store_stats(w->d->store, &st);
    return st.committed;
}

void world_refresh(struct world *w, unsigned stale)
{
    struct peer p;

    later = 0;
    if (writes_of(w) == w->writes)
        return;
    w->round++;
    actor_enter(&p, 0, &w->who[WORLD_ALICE]);
    if ((stale & WORLD_STALE_DAVE) != 0)
        make_dave(w);
    if ((stale & WORLD_STALE_MANIFEST) != 0)
        make_next_manifest(w, &p);
    make_parcels(w, &p, stale);
    peer_close(&p);
    w->writes = writes_of(w);
}

void world_later(uint64_t ms)
{
    later += ms;
}

/* ---- life ------------------------------------------------------------------------ */

void world_open(struct world *w)
{
    struct err err = {0};
    char path[128];

    scratch_show_secure_heap();
    *w = (struct world){0};
    scratch_make(w->dir);
    make_keys(w);
    write_settings(w, path);
    if (service_open(&w->d, path, &err) != ERR_OK)
        fprintf(stderr, "%s\n", err.msg);
    MUST(w->d != NULL);
    for (size_t i = 0; i < 3; i++) /* signals are for whoever runs us */
        (void)uv_signal_stop(&w->d->signals[i]);
    now_open = w;
    make_users(w);
    world_refresh(w, WORLD_STALE_ALL);
}

void world_close(struct world *w)
{
    if (w->d == NULL)
        return;
    service_stop(w->d);
    MUST(service_run(w->d) == 0);
    now_open = NULL;
    for (int i = 0; i < WORLD_PARCELS; i++)
        parcel_free(&w->parcel[i]);
    manifest_free(w->next);
    for (int i = 0; i < WORLD_USERS; i++)
        actor_free(&w->who[i]);
    scratch_remove(w->dir);
    *w = (struct world){0};
}

void world_connect(struct world *w, struct mem_end *end)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    MUST(tcp != NULL && uv_tcp_init(w->d->loop, tcp) == 0);
    mem_expect(end);
    conn_accept(w->d, tcp);
    MUST(end->stream != NULL);
}

static bool is_working(const struct world *w)
{
    struct store_stats store;
    struct shares_stats shares;

    store_stats(w->d->store, &store);
    shares_stats(w->d->shares, &shares);
    return store.in_flight > 0 || shares.waiting > 0;
}

static void turn(struct world *w, uv_run_mode mode)
{
    (void)nomem_run(true);
    (void)uv_run(w->d->loop, mode);
    (void)nomem_run(false);
}

void world_turn(struct world *w)
{
    turn(w, UV_RUN_NOWAIT);
}

void world_settle(struct world *w, struct mem_end *end)
{
    unsigned rest = 0;

    do {
        turn(w, UV_RUN_NOWAIT);
        if (is_working(w))
            turn(w, UV_RUN_ONCE);
        rest = is_working(w) || mem_is_busy(end) ? 0 : rest + 1;
    } while (end->deaf ? rest < DEAF_TURNS : rest == 0 || w->d->n_calls > 0);
}

/* ---- tests/integration/peer.h: connections to this daemon -------------------------- */

struct mem_end *world_end(const struct peer *p)
{
    return p->link;
}

bool peer_open(struct peer *p, uint16_t port)
{
    struct mem_end *end = calloc(1, sizeof(*end));

    (void)port;
    MUST(end != NULL);
    *p = (struct peer){.fd = -1, .link = end};
    world_connect(now_open, end);
    return true;
}

void peer_hang_up(struct peer *p)
{
    struct mem_end *end = p->link;

    if (end == NULL)
        return;
    mem_cut(end);
    while (end->stream != NULL)
        (void)uv_run(now_open->d->loop, UV_RUN_ONCE);
    buf_free(&end->in);
    buf_free(&end->out);
    free(end);
    p->link = NULL;
}

bool peer_write(struct peer *p, const void *data, size_t len)
{
    if (world_end(p)->stream == NULL)
        return false;
    mem_write(p->link, data, len);
    return true;
}

bool peer_read(struct peer *p, void *to, size_t len)
{
    struct mem_end *end = p->link;

    while (end->out.len < len && end->stream != NULL)
        (void)uv_run(now_open->d->loop, UV_RUN_ONCE);
    if (end->out.len < len)
        return false;
    memcpy(to, end->out.data, len);
    end->out.len -= len;
    memmove(end->out.data, end->out.data + len, end->out.len);
    return true;
}

bool peer_said_goodbye(const struct peer *p)
{
    return world_end(p)->stream == NULL && world_end(p)->why == ERR_OK;
}

bool peer_exporter(struct peer *p, uint8_t ret[LOGIN_EXPORTER_LEN])
{
    const struct stream *s = world_end(p)->stream;

    return s != NULL && stream_binding((struct stream *)(uintptr_t)s, ret, NULL) == ERR_OK;
}
