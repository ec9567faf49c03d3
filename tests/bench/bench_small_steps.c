/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_small_steps.h"

enum { LOG_BLOCK = 4096 };

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/hash.h"
#include "models/keynet.h"

enum { CELL = 32 };

/* The tables of the store that a send writes to. */
enum table { K_ROWS, K_TIDS, K_IDEM, K_CIDS, K_TIMES, K_BOXES, K_USERS };

static const char *const table_names[STEPS_TABLES] = {"rows",  "tids",  "idem", "cids",
                                                      "times", "boxes", "users"};

void steps_must(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "bench_small_bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

double steps_seconds(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A hedged secret. */
static void draw(struct rng_hedge *hedge, const struct uid *uid, struct secret *s)
{
    steps_must(secret_new(s, RNG_HEDGED_LEN, NULL) == ERR_OK &&
                   rng_hedged(hedge, "bench", PART_OF(uid->b), s->data) == ERR_OK,
               "secret");
}

/* ---- the client's half ---- */

void steps_sealer(struct sealer *s)
{
    (void)secret_setup();
    sample_user(&s->user[0], "bob");
    sample_user(&s->user[1], "alice");
    sample_secret("hedge", &s->hedge.key);
    steps_must(ed25519_key_new(&s->signer, s->user[1].dsk.data) == ERR_OK, "key");
}

void steps_users(const struct sealer *s, size_t i, struct uid ret_uid[STEPS_SLOTS])
{
    for (size_t k = 0; k < STEPS_SLOTS; k++)
        ret_uid[k] = s->user[k].uid;
    ret_uid[1].b[0] ^= (uint8_t)i;
}

/* What a seal is made with. */
struct sealing {
    struct sealer *s;
    const struct ticket *t;
    struct header h;
    struct secret mek, cek;
    struct body *body;
    struct sealed *to;
};

/* What was appended from ${from} on.  Its place is final: there is room for all. */
static struct part view(const struct sealed *to, size_t from)
{
    return part(to->bytes.data + from, to->bytes.len - from);
}

static void make_keys(struct sealing *g)
{
    struct header *h = &g->h;

    draw(&g->s->hedge, &g->t->uid[1], &g->mek);
    draw(&g->s->hedge, &g->t->uid[1], &g->cek);
    steps_must(rng_bytes(h->salt, sizeof(h->salt)) == ERR_OK &&
                   body_kid(&g->cek, 0, &h->kid) == ERR_OK &&
                   body_cid(&g->cek, &h->cid) == ERR_OK &&
                   metadata_mkid(&g->mek, &h->tid, &h->mkid) == ERR_OK &&
                   body_new(&g->cek, h, &g->body, NULL) == ERR_OK,
               "keys");
    h->commitment = *body_commitment(g->body);
}

static void seal_body(struct sealing *g, const uint8_t plain[STEPS_BODY])
{
    struct metadata meta = {.name = "file", .length = STEPS_FILE, .modified = SAMPLE_TIME};
    struct sealed *to = g->to;
    size_t len = body_sealed_len(STEPS_BODY, 0);

    steps_must(body_seal_piece(g->body, 0, part(plain, STEPS_BODY), to->bytes.data, &to->leaf) ==
                       ERR_OK &&
                   body_root(&to->leaf, 1, &g->h.body_root) == ERR_OK,
               "body");
    to->bytes.len = len;
    to->piece = view(to, 0);
    steps_must(metadata_seal(&g->mek, &g->h.tid, &meta, &to->bytes, NULL) == ERR_OK, "metadata");
    to->metadata = view(to, len);
    steps_must(hash_sha256(g->h.metadata_hash.b, to->metadata.data, to->metadata.len) == ERR_OK,
               "metadata");
}

static void seal_slot(struct sealing *g, size_t i)
{
    struct secret ephemeral = {0}, shares[2] = {{0}, {0}};
    struct slot slot;
    struct slot_seal in = {.header = &g->h,
                           .to = &g->t->uid[i],
                           .ek = &g->s->user[i].key,
                           .share = {&shares[0], &shares[1]},
                           .mek = &g->mek,
                           .cek = &g->cek,
                           .ephemeral = &ephemeral};
    size_t begin = g->to->bytes.len;

    draw(&g->s->hedge, in.to, &ephemeral);
    for (size_t k = 0; k < 2; k++)
        steps_must(secret_copy(&shares[k], g->t->share[i][k], SHARE_LEN, NULL) == ERR_OK, "share");
    steps_must(slot_seal(&in, &slot, NULL) == ERR_OK &&
                   slot_pack(&slot, &g->to->bytes, NULL) == ERR_OK,
               "slot");
    g->to->slot[i] = view(g->to, begin);
    secret_free(&ephemeral);
    secret_free(&shares[0]);
    secret_free(&shares[1]);
}

static void sign(struct sealing *g)
{
    uint8_t signature[SIGNED_SIG_LEN];
    struct sealed *to = g->to;
    size_t begin = to->bytes.len;

    steps_must(slot_root(to->slot, STEPS_SLOTS, &g->h.slots_root) == ERR_OK &&
                   header_pack(&g->h, &to->bytes, NULL) == ERR_OK,
               "header");
    to->header = view(to, begin);
    steps_must(header_sign(to->header, g->s->signer, signature, NULL) == ERR_OK, "signature");
    begin = to->bytes.len;
    buf_put(&to->bytes, signature, sizeof(signature));
    to->signature = view(to, begin);
}

void steps_seal(struct sealer *s, const struct ticket *t, const uint8_t plain[STEPS_BODY],
                struct sealed *ret)
{
    struct sealing g = {.s = s,
                        .t = t,
                        .h = {.version = HEADER_VERSION,
                              .suite = IDS_SUITE_X25519,
                              .tid = t->tid,
                              .sender = t->uid[1],
                              .manifest = s->user[1].first->hash,
                              .device = s->user[1].device.id,
                              .created = SAMPLE_TIME,
                              .expires = SAMPLE_TIME + SAMPLE_DAY,
                              .body_length = STEPS_BODY,
                              .slots = STEPS_SLOTS},
                        .to = ret};

    buf_reset(&ret->bytes);
    steps_must(buf_reserve(&ret->bytes, STEPS_SEALED_MAX) != NULL, "memory");
    make_keys(&g);
    seal_body(&g, plain);
    for (size_t i = 0; i < STEPS_SLOTS; i++)
        seal_slot(&g, i);
    sign(&g);
    body_free(g.body);
    secret_free(&g.mek);
    secret_free(&g.cek);
}

/* ---- the daemon's half: shares ---- */

void steps_seed(struct keeper *k, const struct share_place *place,
                uint8_t ret_sealed[SHARE_SEALED_LEN])
{
    struct secret seed = {0}, slot_key = {0};
    const struct share_cells cells = {&k->day_key, &slot_key};
    uint8_t nonce[SHARE_NONCE_LEN];

    draw(&k->hedge, &place->uid, &seed);
    draw(&k->hedge, &place->uid, &slot_key);
    steps_must(rng_bytes(nonce, sizeof(nonce)) == ERR_OK, "random bytes");
    steps_must(pwrite(k->cells, slot_key.data, CELL, (off_t)(k->cell * CELL)) == CELL, "cell");
    k->cell++;
    steps_must(share_seal_seed(&cells, place, &seed, nonce, ret_sealed) == ERR_OK &&
                   share_batch_add(k->batch, place, seed.data) == ERR_OK,
               "seed");
    secret_free(&seed);
    secret_free(&slot_key);
}

void steps_derive(struct keeper *k)
{
    steps_must(share_batch_run(k->batch) == ERR_OK, "shares");
}

void steps_check(const struct keeper *k, struct part header, struct part signature)
{
    steps_must(header_verify(header, signature, k->device, NULL) == ERR_OK, "signature");
}

/* ---- the daemon's half: the store ---- */

static void begin(struct keeper *k)
{
    if (k->txn == NULL)
        steps_must(mdb_txn_begin(k->env, NULL, 0, &k->txn) == 0, "begin");
}

static void commit(struct keeper *k)
{
    steps_must(mdb_txn_commit(k->txn) == 0, "commit");
    k->txn = NULL;
    k->logged = 0;
}

/* As a record: hashed, and up to a whole block. */
static bool write_record(struct keeper *k)
{
    static const uint8_t zeros[LOG_BLOCK];
    uint8_t hash[HASH_SHA256_LEN];
    size_t len;

    steps_must(hash_sha256(hash, k->changes.data, k->changes.len) == ERR_OK, "hash");
    buf_put(&k->changes, hash, sizeof(hash));
    len = (k->changes.len + LOG_BLOCK - 1) / LOG_BLOCK * LOG_BLOCK;
    if (len > LMDB_REDO_LEN - k->logged)
        return false;
    buf_put(&k->changes, zeros, len - k->changes.len);
    steps_must(buf_check(&k->changes, NULL) == ERR_OK &&
                   pwrite(k->log, k->changes.data, len, (off_t)k->logged) == (ssize_t)len &&
                   fdatasync(k->log) == 0,
               "redo log");
    k->logged += len;
    return true;
}

void steps_durable(struct keeper *k)
{
    if (!write_record(k))
        commit(k);
    buf_reset(&k->changes);
}

static int open_log(const char *store)
{
    static const uint8_t zeros[LMDB_REDO_LEN];
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/redo", store);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    steps_must(fd >= 0 && pwrite(fd, zeros, sizeof(zeros), 0) == (ssize_t)sizeof(zeros) &&
                   fsync(fd) == 0,
               "redo log");
    return fd;
}

static void open_store(struct keeper *k, const char *path)
{
    char cells[4096];

    (void)snprintf(cells, sizeof(cells), "%s/cells", path);
    steps_must(mkdir(path, 0700) == 0 || errno == EEXIST, "mkdir");
    k->cells = open(cells, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    steps_must(k->cells >= 0, "cells");
    steps_must(mdb_env_create(&k->env) == 0 && mdb_env_set_mapsize(k->env, 4UL << 30) == 0 &&
                   mdb_env_set_maxdbs(k->env, STEPS_TABLES) == 0 &&
                   mdb_env_open(k->env, path, 0, 0600) == 0,
               "open store");
    k->log = open_log(path);
    begin(k);
    for (size_t i = 0; i < STEPS_TABLES; i++)
        steps_must(mdb_dbi_open(k->txn, table_names[i], MDB_CREATE, &k->tables[i]) == 0,
                   "open table");
    commit(k);
}

void steps_keeper(struct keeper *k, const char *weights, const char *store)
{
    struct keynet *net = NULL;
    struct sample_user alice;

    (void)secret_setup();
    sample_user(&alice, "alice");
    (void)memcpy(k->device, alice.device.key, sizeof(k->device));
    sample_user_free(&alice);
    sample_secret("hedge", &k->hedge.key);
    sample_secret("day", &k->day_key);
    steps_must(keynet_load(&net, weights, NULL) == ERR_OK &&
                   share_batch_new(&k->batch, net, NULL) == ERR_OK,
               "the key network");
    open_store(k, store);
}

/* A row whose key are these parts. */
struct row {
    enum table table;
    struct part key[3];
    struct part value;
};

static void put_row(struct keeper *k, const struct row *row)
{
    uint8_t bytes[128];
    MDB_val key = {0, bytes}, value = {row->value.len, (void *)(uintptr_t)part_bytes(row->value)};

    for (size_t i = 0; i < 3; i++) {
        (void)memcpy(bytes + key.mv_size, part_bytes(row->key[i]), row->key[i].len);
        key.mv_size += row->key[i].len;
    }
    lmdb_redo_note_put(&k->changes, (enum lmdb_table)row->table, part(bytes, key.mv_size),
                       row->value);
    steps_must(mdb_put(k->txn, k->tables[row->table], &key, &value, 0) == 0, "put");
}

void steps_keep(struct keeper *k, const struct kept *kept)
{
    static const uint8_t zeros[160];
    uint8_t number[8];
    struct part nr = PART_OF(number), none = {0};
    struct part to = PART_OF(kept->uid[0].b), from = PART_OF(kept->uid[1].b);
    uint8_t state[STEPS_SLOTS][SHARE_SEALED_LEN + 60] = {{0}};
    /* Time stands for what rises as well as it does. */
    const struct row rows[] = {
        {K_TIDS, {kept->tid}, nr},
        {K_IDEM, {from, kept->idem}, kept->tid},
        {K_ROWS, {nr, part_str("1")}, PART_OF(zeros)},
        {K_ROWS, {nr, part_str("2")}, kept->rest}, /* slots too */
        {K_ROWS, {nr, part_str("3"), to}, part(zeros, 60)},
        {K_ROWS, {nr, part_str("3"), from}, part(zeros, 60)},
        {K_ROWS, {nr, part_str("4"), to}, PART_OF(state[0])},
        {K_ROWS, {nr, part_str("4"), from}, PART_OF(state[1])},
        {K_ROWS, {nr, part_str("6")}, kept->body},
        {K_ROWS, {nr, part_str("7")}, PART_OF(zeros)},
        {K_BOXES, {to, nr, kept->tid}, nr},
        {K_BOXES, {from, nr, kept->tid}, nr},
        {K_CIDS, {kept->cid}, kept->tid},
        {K_TIMES, {part_str("c"), nr, kept->cid}, none},
        {K_TIMES, {part_str("e"), nr, to}, none},
        {K_TIMES, {part_str("e"), nr, from}, none},
        {K_USERS, {to}, part(zeros, 80)},
        {K_USERS, {from}, part(zeros, 80)},
    };

    put_be64(number, ++k->next);
    for (size_t i = 0; i < STEPS_SLOTS; i++)
        (void)memcpy(state[i], kept->seed[i], SHARE_SEALED_LEN);
    begin(k);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put_row(k, &rows[i]);
}
