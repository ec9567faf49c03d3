/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_bare - what a small send cannot do without, and nothing else: one thread, no
 * protocol.
 *
 *   bench_small_bare WEIGHTS COUNT STORE
 *
 * For each send the client seals a body of 4 KiB (1 KiB, padded), metadata and two slots, the
 * recipient's and its own, and signs the header; the server derives the shares of both slots
 * before, checks the signature after, and commits one row with all of it, and one for each mailbox.
 * Two round trips over one of 64 TLS 1.3 connections on loopback.  64 sends share a run of the key
 * network and a commit, and no thread ever waits for another: no program of this design can do it
 * with less.  One JSON object: CPU us for each send, whole and of each step, both ends together,
 * and how many sends a second that is on two cores.
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
    ASK = 220, /* bytes of OpenTransfer in its frame */
    SHARES = 210 /* of its answer */,
    DONE = 40, /* of a PieceAck and a SealReply */
    LARGEST = 16384
};

enum step { STEP_WIRE, STEP_SHARES, STEP_SEAL, STEP_CHECK, STEP_STORE, STEPS };

static const char *const step_names[STEPS] = {[STEP_WIRE] = "wire",
                                              [STEP_SHARES] = "shares",
                                              [STEP_SEAL] = "seal",
                                              [STEP_CHECK] = "check",
                                              [STEP_STORE] = "store"};

/* A connection, both ends, and what is on it. */
struct pair {
    SSL *client, *server;
    uint8_t sealed[LARGEST], got[LARGEST];
    size_t len;
    uint8_t signature[SIGNED_SIG_LEN];
    struct buf header;
};

struct bare {
    struct sample_user user[SLOTS];
    struct ed25519_key *signer;
    struct share_batch *batch;
    MDB_env *env;
    MDB_dbi rows, boxes;
    uint64_t next;
    struct pair pairs[CONNECTIONS];
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
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct pair *p = &b->pairs[i];
        int fds[2];

        tcp_pair(listener, &at, fds);
        p->client = side(client, fds[0]);
        p->server = side(server, fds[1]);
        check(tls_verify_attach(p->client, &judges[i], &verify, NULL) == ERR_OK, "verify");
        shake(p, fds);
    }
}

static void pass(SSL *from, SSL *to, const void *data, size_t len, uint8_t *got)
{
    check(SSL_write(from, data, (int)len) == (int)len, "SSL_write");
    for (size_t at = 0; at < len;) {
        int n = SSL_read(to, got + at, (int)(len - at));

        check(n > 0, "SSL_read");
        at += (size_t)n;
    }
}

/* ---- the store ---- */

static void open_store(struct bare *b, const char *path)
{
    MDB_txn *txn = NULL;

    check(mkdir(path, 0700) == 0 || errno == EEXIST, "mkdir");
    check(mdb_env_create(&b->env) == 0 && mdb_env_set_mapsize(b->env, 4UL << 30) == 0 &&
              mdb_env_set_maxdbs(b->env, 2) == 0 && mdb_env_open(b->env, path, 0, 0600) == 0,
          "open store");
    check(mdb_txn_begin(b->env, NULL, 0, &txn) == 0 &&
              mdb_dbi_open(txn, "rows", MDB_CREATE, &b->rows) == 0 &&
              mdb_dbi_open(txn, "boxes", MDB_CREATE, &b->boxes) == 0 && mdb_txn_commit(txn) == 0,
          "open tables");
}

static void put(MDB_txn *txn, MDB_dbi table, const void *key, size_t key_len, struct part value)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key},
            v = {value.len, (void *)(uintptr_t)part_bytes(value)};

    check(mdb_put(txn, table, &k, &v, 0) == 0, "put");
}

static void keep_all(struct bare *b)
{
    MDB_txn *txn = NULL;

    check(mdb_txn_begin(b->env, NULL, 0, &txn) == 0, "begin");
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct pair *p = &b->pairs[i];
        uint8_t key[IDS_UID_LEN + 8];

        put_be64(key + IDS_UID_LEN, ++b->next);
        put(txn, b->rows, key + IDS_UID_LEN, 8, part(p->got, p->len));
        for (size_t k = 0; k < SLOTS; k++) { /* two mailboxes of many */
            (void)memcpy(key, b->user[k].uid.b, IDS_UID_LEN);
            key[0] ^= (uint8_t)i;
            put(txn, b->boxes, key, sizeof(key), part(NULL, 0));
        }
    }
    check(mdb_txn_commit(txn) == 0, "commit");
}

/* ---- a send ---- */

static void derive_all(struct bare *b)
{
    for (size_t i = 0; i < CONNECTIONS * SLOTS; i++) {
        struct share_place place = {.uid = b->user[i % SLOTS].uid,
                                    .ek_id = b->user[i % SLOTS].key.id};
        uint8_t seed[SHARE_SEED_LEN];

        check(rng_bytes(place.tid.b, sizeof(place.tid.b)) == ERR_OK &&
                  rng_bytes(seed, sizeof(seed)) == ERR_OK,
              "random bytes");
        check(share_batch_add(b->batch, &place, seed) == ERR_OK, "seed");
        if (share_batch_len(b->batch) == SHARE_BATCH_MAX || i + 1 == (size_t)CONNECTIONS * SLOTS) {
            check(share_batch_run(b->batch) == ERR_OK, "shares");
            share_batch_clear(b->batch);
        }
    }
}

static void draw(struct secret *s)
{
    check(secret_new(s, 32, NULL) == ERR_OK && rng_bytes(s->data, 32) == ERR_OK, "secret");
}

static void seal_slots(const struct bare *b, struct header *h, const struct secret keys[2],
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

        draw(&ephemeral);
        draw(&shares[0]);
        draw(&shares[1]);
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

static void seal_one(const struct bare *b, struct pair *p)
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

    draw(&keys[0]);
    draw(&keys[1]);
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

/* One send on each connection. */
static void all(struct bare *b)
{
    uint8_t got[LARGEST] = {0};

    b->since = cpu();
    for (size_t i = 0; i < CONNECTIONS; i++)
        pass(b->pairs[i].client, b->pairs[i].server, got, ASK, got);
    took(b, STEP_WIRE);
    derive_all(b);
    took(b, STEP_SHARES);
    for (size_t i = 0; i < CONNECTIONS; i++)
        pass(b->pairs[i].server, b->pairs[i].client, got, SHARES, got);
    took(b, STEP_WIRE);
    for (size_t i = 0; i < CONNECTIONS; i++)
        seal_one(b, &b->pairs[i]);
    took(b, STEP_SEAL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct pair *p = &b->pairs[i];

        pass(p->client, p->server, p->sealed, p->len, p->got);
    }
    took(b, STEP_WIRE);
    for (size_t i = 0; i < CONNECTIONS; i++)
        check_one(b, &b->pairs[i]);
    took(b, STEP_CHECK);
    keep_all(b);
    took(b, STEP_STORE);
    for (size_t i = 0; i < CONNECTIONS; i++)
        pass(b->pairs[i].server, b->pairs[i].client, got, DONE, got);
    took(b, STEP_WIRE);
}

static void prepare(struct bare *b, const char *weights, const char *store)
{
    struct keynet *net = NULL;

    (void)secret_setup();
    check(keynet_load(&net, weights, NULL) == ERR_OK &&
              share_batch_new(&b->batch, net, NULL) == ERR_OK,
          "the key network");
    share_batch_want(b->batch, SHARE_WANT(SHARE_META) | SHARE_WANT(SHARE_BODY));
    sample_user(&b->user[0], "bob");
    sample_user(&b->user[1], "alice");
    check(ed25519_key_new(&b->signer, b->user[1].dsk.data) == ERR_OK, "key");
    open_store(b, store);
    connect_all(b);
}

int main(int argc, char *argv[])
{
    struct bare *b = calloc(1, sizeof(*b));
    double sum = 0, n;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_small_bare WEIGHTS COUNT STORE\n");
        return 2;
    }
    check(b != NULL, "memory");
    prepare(b, argv[1], argv[3]);
    all(b); /* the first time is warming up */
    (void)memset(b->us, 0, sizeof(b->us));
    for (n = 0; n < strtod(argv[2], NULL); n += CONNECTIONS)
        all(b);
    for (size_t i = 0; i < STEPS; i++)
        sum += b->us[i];
    (void)printf("{\"per_s\": %.0f, \"cpu_us\": %.0f", 2e6 * n / sum, sum / n);
    for (size_t i = 0; i < STEPS; i++)
        (void)printf(", \"%s_us\": %.1f", step_names[i], b->us[i] / n);
    (void)printf("}\n");
    return 0;
}
