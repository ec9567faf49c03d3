/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_bare - what small sends cannot do without, and nothing else.
 *
 *   bench_small_bare WEIGHTS COUNT STORE         64 clients
 *   bench_small_bare --one WEIGHTS COUNT STORE   one client
 *
 * For each send the client draws its keys, seals a body of 4 KiB (1 KiB, padded), metadata and two
 * slots, the recipient's and its own, and signs the header.  The server draws and seals the seeds
 * of both slots and derives their shares before, checks the signature after, and commits the rows
 * of proto/FORMATS.md section 14.  Two round trips over TLS 1.3 on loopback.  There is no protocol,
 * no event loop, and nothing else that the server knows.
 *
 * 64 clients: all in one thread, client and server; 64 sends share a run of the key network and a
 * commit.  Nobody ever waits for anybody, and no program of this design can do it with less.  One
 * client: two processes of one thread each, which is the least that may be, and a commit for each
 * send.
 *
 * One JSON object: sends a second (with 64 clients: as many as two cores could do that never rest),
 * and with 64 clients CPU us for each send, of all and of each step, both ends together.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/crypto/rng.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "common/net/tls_verify.h"
#include "models/keynet.h"
#include "server/share_batch.h"
#include "tests/sample/sample.h"

enum {
    CONNECTIONS = 64,
    SLOTS = 2,
    BODY = 4096,
    ASK = 220,    /* bytes of OpenTransfer in its frame */
    SHARES = 210, /* of its answer */
    DONE = 40,    /* of a PieceAck and a SealReply */
    LARGEST = 16384,
    CELL = 32
};

enum step { STEP_WIRE, STEP_SHARES, STEP_SEAL, STEP_CHECK, STEP_STORE, STEPS };

static const char *const step_names[STEPS] = {[STEP_WIRE] = "wire",
                                              [STEP_SHARES] = "shares",
                                              [STEP_SEAL] = "seal",
                                              [STEP_CHECK] = "check",
                                              [STEP_STORE] = "store"};

/* The tables of the store that a send writes to. */
enum table { T_ROWS, T_TIDS, T_IDEM, T_CIDS, T_TIMES, T_BOXES, T_USERS, TABLES };

static const char *const table_names[TABLES] = {"rows",  "tids",  "idem", "cids",
                                                "times", "boxes", "users"};

/* A connection, both ends, and what is on it. */
struct pair {
    SSL *client, *server;
    uint8_t sealed[LARGEST], got[LARGEST];
    size_t len;
    uint8_t signature[SIGNED_SIG_LEN];
    struct buf header;
};

struct bare {
    const char *weights, *store;
    struct sample_user user[SLOTS]; /* to whom, and from whom */
    struct ed25519_key *signer;
    struct rng_hedge hedge;
    struct share_batch *batch;
    struct secret day_key;
    int cells;
    MDB_env *env;
    MDB_dbi tables[TABLES];
    uint64_t next; /* number of a transfer */
    struct pair pairs[CONNECTIONS];
    size_t n; /* connections in use */
    double us[STEPS], since;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_small_bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void check(bool good, const char *what)
{
    if (!good)
        die(what);
}

static double cpu(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* All since the last call was of ${step}. */
static void took(struct bare *b, enum step step)
{
    double now = cpu();

    b->us[step] += 1e6 * (now - b->since);
    b->since = now;
}

/* ---- connections ---- */

static void tcp_pair(int listener, const struct sockaddr_in *at, int ret[2])
{
    int on = 1;

    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(ret[0] >= 0 && connect(ret[0], (const struct sockaddr *)at, sizeof(*at)) == 0, "connect");
    ret[1] = accept(listener, NULL, NULL);
    check(ret[1] >= 0, "accept");
    for (int i = 0; i < 2; i++)
        check(setsockopt(ret[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0, "TCP_NODELAY");
}

static SSL *side(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);

    check(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL");
    SSL_set_read_ahead(ssl, 1);
    return ssl;
}

static bool shaken(SSL *ssl, int rc)
{
    int why = SSL_get_error(ssl, rc);

    check(rc == 1 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE, "handshake");
    return rc == 1;
}

/* Both ends in one thread: in turns, until both are through. */
static void shake(struct pair *p, const int fds[2])
{
    bool there = false, here = false;

    for (int i = 0; i < 2; i++)
        check(fcntl(fds[i], F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
    while (!there || !here) {
        here = here || shaken(p->client, SSL_connect(p->client));
        there = there || shaken(p->server, SSL_accept(p->server));
    }
    for (int i = 0; i < 2; i++)
        check(fcntl(fds[i], F_SETFL, 0) == 0, "blocking");
}

static void connect_all(struct bare *b)
{
    static const struct tls_verify verify = {.mode = TLS_VERIFY_COLLECT, .host = "localhost"};
    static struct tls_judge judges[CONNECTIONS];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *name = "localhost";
    socklen_t len = sizeof(at);
    struct secret key = {0};
    struct buf cert = {0};
    SSL_CTX *client = NULL, *server = NULL;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    check(tls_cert_make("bench", &name, 1, &key, &cert, NULL) == ERR_OK &&
              tls_ctx_server(&server, cert.data, cert.len, &key, NULL) == ERR_OK &&
              tls_ctx_client(&client, NULL) == ERR_OK,
          "certificate");
    check(listener >= 0 && bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
              listen(listener, CONNECTIONS) == 0 &&
              getsockname(listener, (struct sockaddr *)&at, &len) == 0,
          "listen");
    for (size_t i = 0; i < b->n; i++) {
        struct pair *p = &b->pairs[i];
        int fds[2];

        tcp_pair(listener, &at, fds);
        p->client = side(client, fds[0]);
        p->server = side(server, fds[1]);
        check(tls_verify_attach(p->client, &judges[i], &verify, NULL) == ERR_OK, "verify");
        shake(p, fds);
    }
}

static void say(SSL *ssl, const void *data, size_t len)
{
    check(SSL_write(ssl, data, (int)len) == (int)len, "SSL_write");
}

static void hear(SSL *ssl, uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        int n = SSL_read(ssl, data + at, (int)(len - at));

        check(n > 0, "SSL_read");
        at += (size_t)n;
    }
}

/* ---- the store ---- */

static void open_store(struct bare *b, const char *path)
{
    MDB_txn *txn = NULL;
    char cells[4096];

    (void)snprintf(cells, sizeof(cells), "%s/cells", path);
    check(mkdir(path, 0700) == 0 || errno == EEXIST, "mkdir");
    b->cells = open(cells, O_RDWR | O_CREAT, 0600);
    check(b->cells >= 0, "cells");
    check(mdb_env_create(&b->env) == 0 && mdb_env_set_mapsize(b->env, 4UL << 30) == 0 &&
              mdb_env_set_maxdbs(b->env, TABLES) == 0 && mdb_env_open(b->env, path, 0, 0600) == 0,
          "open store");
    check(mdb_txn_begin(b->env, NULL, 0, &txn) == 0, "begin");
    for (size_t i = 0; i < TABLES; i++)
        check(mdb_dbi_open(txn, table_names[i], MDB_CREATE, &b->tables[i]) == 0, "open table");
    check(mdb_txn_commit(txn) == 0, "commit");
}

/* A row whose key are these parts. */
struct row {
    enum table table;
    struct part key[3];
    struct part value;
};

static void put_row(const struct bare *b, MDB_txn *txn, const struct row *row)
{
    uint8_t key[128];
    MDB_val k = {0, key}, v = {row->value.len, (void *)(uintptr_t)part_bytes(row->value)};

    for (size_t i = 0; i < 3; i++) {
        (void)memcpy(key + k.mv_size, part_bytes(row->key[i]), row->key[i].len);
        k.mv_size += row->key[i].len;
    }
    check(mdb_put(txn, b->tables[row->table], &k, &v, 0) == 0, "put");
}

/* The rows of what came on connection ${i}: IDs are random bytes of it. */
static void keep_one(struct bare *b, MDB_txn *txn, size_t i)
{
    static const uint8_t zeros[160];
    const uint8_t *got = b->pairs[i].got;
    size_t body = body_sealed_len(BODY, 0);
    struct part tid = part(got, IDS_TID_LEN), cid = part(got + 16, IDS_HASH_LEN);
    uint8_t number[8], uid[SLOTS][IDS_UID_LEN];
    struct part nr = PART_OF(number), from = PART_OF(uid[1]), to = PART_OF(uid[0]), none = {0};
    /* Time stands for what rises as well as it does. */
    const struct row rows[] = {
        {T_TIDS, {tid}, nr},
        {T_IDEM, {from, part(got + 48, 16)}, tid},
        {T_ROWS, {nr, part_str("1")}, PART_OF(zeros)},
        {T_ROWS, {nr, part_str("2")}, part(got + body, b->pairs[i].len - body)}, /* slots too */
        {T_ROWS, {nr, part_str("3"), to}, part(zeros, 60)},
        {T_ROWS, {nr, part_str("3"), from}, part(zeros, 60)},
        {T_ROWS, {nr, part_str("4"), to}, part(zeros, SHARE_SEALED_LEN + 60)},
        {T_ROWS, {nr, part_str("4"), from}, part(zeros, SHARE_SEALED_LEN + 60)},
        {T_ROWS, {nr, part_str("6")}, part(got, body)},
        {T_ROWS, {nr, part_str("7")}, PART_OF(zeros)},
        {T_BOXES, {to, nr, tid}, nr},
        {T_BOXES, {from, nr, tid}, nr},
        {T_CIDS, {cid}, tid},
        {T_TIMES, {part_str("c"), nr, cid}, none},
        {T_TIMES, {part_str("e"), nr, to}, none},
        {T_TIMES, {part_str("e"), nr, from}, none},
        {T_USERS, {to}, part(zeros, 80)},
        {T_USERS, {from}, part(zeros, 80)},
    };

    put_be64(number, ++b->next);
    for (size_t k = 0; k < SLOTS; k++) {
        (void)memcpy(uid[k], b->user[k].uid.b, IDS_UID_LEN);
        uid[k][0] ^= k == 1 ? (uint8_t)i : 0; /* one sends, on each connection, to one */
    }
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        put_row(b, txn, &rows[k]);
}

static void keep_all(struct bare *b)
{
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(b->env, NULL, 0, &txn) == 0, "begin");
    for (size_t i = 0; i < b->n; i++)
        keep_one(b, txn, i);
    check(mdb_txn_commit(txn) == 0, "commit");
}

/* ---- a send ---- */

/* A hedged secret. */
static void draw(struct bare *b, struct secret *s)
{
    check(secret_new(s, RNG_HEDGED_LEN, NULL) == ERR_OK &&
              rng_hedged(&b->hedge, "bench", PART_OF(b->user[0].uid.b), s->data) == ERR_OK,
          "secret");
}

/* The seed of a slot: drawn, its key written to a cell, sealed under it, and to be derived from. */
static void draw_seed(struct bare *b, const struct sample_user *to, size_t cell)
{
    struct share_place place = {.uid = to->uid, .ek_id = to->key.id};
    struct secret seed = {0}, slot_key = {0};
    const struct share_cells cells = {&b->day_key, &slot_key};
    uint8_t nonce[SHARE_NONCE_LEN], sealed[SHARE_SEALED_LEN];

    draw(b, &seed);
    draw(b, &slot_key);
    check(rng_bytes(place.tid.b, sizeof(place.tid.b)) == ERR_OK &&
              rng_bytes(nonce, sizeof(nonce)) == ERR_OK,
          "random bytes");
    check(pwrite(b->cells, slot_key.data, CELL, (off_t)cell * CELL) == CELL, "cell");
    check(share_seal_seed(&cells, &place, &seed, nonce, sealed) == ERR_OK &&
              share_batch_add(b->batch, &place, seed.data) == ERR_OK,
          "seed");
    secret_free(&seed);
    secret_free(&slot_key);
}

static void derive(struct bare *b)
{
    check(share_batch_run(b->batch) == ERR_OK, "shares");
    share_batch_clear(b->batch);
}

static void derive_all(struct bare *b)
{
    for (size_t i = 0; i < b->n * SLOTS; i++) {
        if (share_batch_len(b->batch) == SHARE_BATCH_MAX)
            derive(b);
        draw_seed(b, &b->user[i % SLOTS], i);
    }
    derive(b);
}

static void seal_slots(struct bare *b, struct header *h, const struct secret keys[2],
                       struct buf *out)
{
    struct part parts[SLOTS];
    size_t begins[SLOTS];

    for (size_t i = 0; i < SLOTS; i++) {
        struct secret ephemeral = {0}, shares[2] = {{0}, {0}};
        struct slot slot;
        struct slot_seal in = {.header = h,
                               .to = &b->user[i].uid,
                               .ek = &b->user[i].key,
                               .share = {&shares[0], &shares[1]},
                               .mek = &keys[0],
                               .cek = &keys[1],
                               .ephemeral = &ephemeral};

        draw(b, &ephemeral);
        for (size_t k = 0; k < 2; k++) /* any: what came from the server */
            check(secret_copy(&shares[k], b->user[i].ek_public, SHARE_LEN, NULL) == ERR_OK,
                  "share");
        begins[i] = out->len;
        check(slot_seal(&in, &slot, NULL) == ERR_OK && slot_pack(&slot, out, NULL) == ERR_OK,
              "slot");
        secret_free(&ephemeral);
        secret_free(&shares[0]);
        secret_free(&shares[1]);
    }
    for (size_t i = 0; i < SLOTS; i++)
        parts[i] =
            part(out->data + begins[i], (i + 1 < SLOTS ? begins[i + 1] : out->len) - begins[i]);
    check(slot_root(parts, SLOTS, &h->slots_root) == ERR_OK, "root");
}

static void seal_one(struct bare *b, struct pair *p)
{
    static const uint8_t plain[BODY];
    struct metadata meta = {.name = "file", .length = 1024, .modified = SAMPLE_TIME};
    struct header h = {.version = HEADER_VERSION,
                       .suite = IDS_SUITE_X25519,
                       .sender = b->user[1].uid,
                       .manifest = b->user[1].first->hash,
                       .device = b->user[1].device.id,
                       .created = SAMPLE_TIME,
                       .expires = SAMPLE_TIME + SAMPLE_DAY,
                       .body_length = BODY,
                       .slots = SLOTS};
    struct secret keys[2] = {{0}, {0}};
    struct body *body = NULL;
    struct buf out = {0};
    struct hash32 leaf;

    draw(b, &keys[0]);
    draw(b, &keys[1]);
    check(rng_bytes(h.tid.b, sizeof(h.tid.b)) == ERR_OK &&
              rng_bytes(h.salt, sizeof(h.salt)) == ERR_OK &&
              body_kid(&keys[1], 0, &h.kid) == ERR_OK && body_cid(&keys[1], &h.cid) == ERR_OK &&
              metadata_mkid(&keys[0], &h.tid, &h.mkid) == ERR_OK &&
              body_new(&keys[1], &h, &body, NULL) == ERR_OK,
          "keys");
    h.commitment = *body_commitment(body);
    p->len = body_sealed_len(BODY, 0);
    check(body_seal_piece(body, 0, part(plain, BODY), p->sealed, &leaf) == ERR_OK &&
              body_root(&leaf, 1, &h.body_root) == ERR_OK &&
              metadata_seal(&keys[0], &h.tid, &meta, &out, NULL) == ERR_OK &&
              hash_sha256(h.metadata_hash.b, out.data, out.len) == ERR_OK,
          "body");
    seal_slots(b, &h, keys, &out);
    buf_reset(&p->header);
    check(header_pack(&h, &p->header, NULL) == ERR_OK &&
              header_sign(part(p->header.data, p->header.len), b->signer, p->signature, NULL) ==
                  ERR_OK,
          "header");
    buf_put(&out, p->header.data, p->header.len);
    buf_put(&out, p->signature, sizeof(p->signature));
    check(buf_check(&out, NULL) == ERR_OK && p->len + out.len <= LARGEST, "size");
    (void)memcpy(p->sealed + p->len, out.data, out.len);
    p->len += out.len;
    buf_free(&out);
    body_free(body);
    secret_free(&keys[0]);
    secret_free(&keys[1]);
}

static void check_one(const struct bare *b, const struct pair *p)
{
    check(header_verify(part(p->header.data, p->header.len), PART_OF(p->signature),
                        b->user[1].device.key, NULL) == ERR_OK,
          "signature");
}

static void make_keys(struct bare *b)
{
    (void)secret_setup();
    sample_user(&b->user[0], "bob");
    sample_user(&b->user[1], "alice");
    sample_secret("hedge", &b->hedge.key);
    sample_secret("day", &b->day_key);
    check(ed25519_key_new(&b->signer, b->user[1].dsk.data) == ERR_OK, "key");
}

/* What must not be carried over a fork. */
static void open_server(struct bare *b)
{
    struct keynet *net = NULL;

    check(keynet_load(&net, b->weights, NULL) == ERR_OK &&
              share_batch_new(&b->batch, net, NULL) == ERR_OK,
          "the key network");
    open_store(b, b->store);
}

/* One send on each connection. */
static void send_all(struct bare *b)
{
    uint8_t some[LARGEST] = {0};

    b->since = cpu();
    for (size_t i = 0; i < b->n; i++) {
        say(b->pairs[i].client, some, ASK);
        hear(b->pairs[i].server, some, ASK);
    }
    took(b, STEP_WIRE);
    derive_all(b);
    took(b, STEP_SHARES);
    for (size_t i = 0; i < b->n; i++) {
        say(b->pairs[i].server, some, SHARES);
        hear(b->pairs[i].client, some, SHARES);
    }
    took(b, STEP_WIRE);
    for (size_t i = 0; i < b->n; i++)
        seal_one(b, &b->pairs[i]);
    took(b, STEP_SEAL);
    for (size_t i = 0; i < b->n; i++) {
        say(b->pairs[i].client, b->pairs[i].sealed, b->pairs[i].len);
        hear(b->pairs[i].server, b->pairs[i].got, b->pairs[i].len);
    }
    took(b, STEP_WIRE);
    for (size_t i = 0; i < b->n; i++)
        check_one(b, &b->pairs[i]);
    took(b, STEP_CHECK);
    keep_all(b);
    took(b, STEP_STORE);
    for (size_t i = 0; i < b->n; i++) {
        say(b->pairs[i].server, some, DONE);
        hear(b->pairs[i].client, some, DONE);
    }
    took(b, STEP_WIRE);
}

static void report_all(struct bare *b, uint32_t count)
{
    double sum = 0;
    uint32_t n;

    open_server(b);
    send_all(b); /* the first time is warming up */
    (void)memset(b->us, 0, sizeof(b->us));
    for (n = 0; n < count; n += CONNECTIONS)
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
    struct pair *p = &b->pairs[0];
    uint8_t some[LARGEST] = {0};

    open_server(b);
    say(p->server, some, DONE);
    for (uint32_t n = 0; n < count; n++) {
        hear(p->server, some, ASK);
        derive_all(b);
        say(p->server, some, SHARES);
        hear(p->server, p->got, p->len);
        check_one(b, p);
        keep_all(b);
        say(p->server, some, DONE);
    }
}

static void report_one(struct bare *b, uint32_t count)
{
    struct pair *p = &b->pairs[0];
    uint8_t some[LARGEST] = {0};
    struct timespec begun, ended;
    int status = 0;
    pid_t child;

    seal_one(b, p); /* how long it is, and a header to check, are the same each time */
    child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        serve_one(b, count);
        _exit(0);
    }
    hear(p->client, some, DONE); /* it is ready */
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    for (uint32_t n = 0; n < count; n++) {
        say(p->client, some, ASK);
        hear(p->client, some, SHARES);
        seal_one(b, p);
        say(p->client, p->sealed, p->len);
        hear(p->client, some, DONE);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    check(waitpid(child, &status, 0) == child && status == 0, "server");
    (void)printf("{\"per_s\": %.0f}\n", count / ((double)(ended.tv_sec - begun.tv_sec) +
                                                 (double)(ended.tv_nsec - begun.tv_nsec) / 1e9));
}

int main(int argc, char *argv[])
{
    struct bare *b = calloc(1, sizeof(*b));
    bool one = argc == 5 && strcmp(argv[1], "--one") == 0;

    if (argc != 4 && !one) {
        (void)fprintf(stderr, "usage: bench_small_bare [--one] WEIGHTS COUNT STORE\n");
        return 2;
    }
    check(b != NULL, "memory");
    b->weights = argv[argc - 3];
    b->store = argv[argc - 1];
    b->n = one ? 1 : CONNECTIONS;
    make_keys(b);
    connect_all(b);
    if (one)
        report_one(b, (uint32_t)strtoul(argv[argc - 2], NULL, 10));
    else
        report_all(b, (uint32_t)strtoul(argv[argc - 2], NULL, 10));
    return 0;
}
