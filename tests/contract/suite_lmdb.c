/* SPDX-License-Identifier: Apache-2.0 */
/* The LMDB engine's files: versions, what a crash leaves, damage.  Not part of the contract. */
#include <lmdb.h>

#include <openssl/evp.h>

#include "common/buf.h"
#include "server/store/lmdb_env.h"
#include "server/store/lmdb_redo.h"
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

enum { HEADER = 2, LEAF = 6, MANY_ROWS = 600, LONG_ROW = 1500 };

/* ---- hands on the files, while the store is closed ---- */

static MDB_env *begin(struct harness *h, const char *env_name, const char *table, MDB_txn **txn,
                      MDB_dbi *dbi)
{
    char path[128];
    MDB_env *env = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", h->dir, env_name);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, txn), 0);
    assert_int_equal(mdb_dbi_open(*txn, table, 0, dbi), 0);
    return env;
}

/* Put (${value} not NULL) or delete a row of a table. */
static void change_row(struct harness *h, const char *env_name, const char *table, MDB_val key,
                       MDB_val *value)
{
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_env *env = begin(h, env_name, table, &txn, &dbi);

    if (value != NULL)
        assert_int_equal(mdb_put(txn, dbi, &key, value, 0), 0);
    else
        assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* The key of a transfer's row in "rows": number, kind; returns its length. */
static size_t row_key(struct harness *h, const struct sample *s, uint8_t kind, uint8_t *key)
{
    MDB_val k = {STORE_TID_LEN, (void *)(uintptr_t)s->open.tid}, v;
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_env *env = begin(h, "index", "tids", &txn, &dbi);

    assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
    assert_int_equal(v.mv_size, 8);
    memcpy(key, v.mv_data, 8);
    key[8] = kind;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return 9;
}

static MDB_val text(const char *s)
{
    return (MDB_val){strlen(s), (void *)(uintptr_t)s};
}

static void write_meta(struct harness *h, const char *name, uint32_t value)
{
    uint8_t be[4];
    MDB_val v = {sizeof(be), be};

    put_be32(be, value);
    change_row(h, "index", "meta", text(name), &v);
}

static void test_newer_schema_is_refused(void **state)
{
    struct harness *h = *state;
    struct store *s = NULL;
    struct err err = {0};

    harness_close(h);
    write_meta(h, "schema", 4);
    assert_int_equal(store_open(&s, &h->cfg, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "schema 4"));
    write_meta(h, "schema", 0);
    assert_int_equal(store_open(&s, &h->cfg, &err), ERR_CORRUPT);
    write_meta(h, "schema", 3);
    write_meta(h, "bodies", 1000);
    assert_int_equal(store_open(&s, &h->cfg, &err), ERR_CORRUPT);
    assert_null(s);
    write_meta(h, "bodies", 1);
    harness_open(h);
}

static void piece_key(const struct sample *s, uint32_t index, uint8_t key[20])
{
    memcpy(key, s->open.tid, STORE_TID_LEN);
    put_be32(key + STORE_TID_LEN, index);
}

/* The crash came between the commit of a piece and that of its leaf. */
static void test_piece_without_leaf(void **state)
{
    struct harness *h = *state;
    struct store_upload_pieces list = {0};
    struct store_piece_put p;
    uint8_t key[20];
    MDB_val k = {sizeof(key), key}, v;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 2 * STORE_PIECE_MAX);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    harness_close(h);
    for (uint32_t i = 0; i < 2; i++) {
        p = harness_piece(&s, i);
        p.data[0] ^= (uint8_t)i; /* the second one with other bytes than will come */
        piece_key(&s, i, key);
        v = (MDB_val){p.len, p.data};
        change_row(h, "bodies-00", "pieces", k, &v);
        free(p.data);
    }
    harness_open(h);
    memcpy(list.tid, s.open.tid, sizeof(list.tid));
    memcpy(list.sender, s.open.sender, sizeof(list.sender));
    assert_int_equal(DO(h, upload_pieces, &list, ERR_OK)->count, 0);
    p = harness_piece(&s, 0);
    assert_false(DO(h, piece_put, &p, ERR_OK)->duplicate);
    p = harness_piece(&s, 1);
    (void)DO(h, piece_put, &p, ERR_EXISTS);
    assert_int_equal(DO(h, upload_pieces, &list, ERR_OK)->count, 1);
}

static uint32_t read_meta(struct harness *h, const char *name)
{
    MDB_val k = text(name), v;
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_env *env = begin(h, "index", "meta", &txn, &dbi);
    uint32_t value;

    assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
    assert_int_equal(v.mv_size, 4);
    value = get_be32(v.mv_data);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return value;
}

/* Schema 1 kept small pieces with the others: such a store is read, and then has the newest. */
static void test_small_piece_of_schema_1(void **state)
{
    struct harness *h = *state;
    struct store_pieces_get get = {.limit = 1};
    struct store_piece_put p;
    struct store_result *res;
    uint8_t place[20], row[13], leaf[STORE_HASH_LEN + 4];
    MDB_val k = {sizeof(row), row}, at = {sizeof(place), place}, v = {sizeof(leaf), leaf};
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100);
    p = harness_piece(&s, 0);
    harness_send(h, &s);
    harness_close(h);
    assert_int_equal(row_key(h, &s, LEAF, row), 9);
    put_be32(row + 9, 0);
    memcpy(leaf, p.leaf, STORE_HASH_LEN);
    put_be32(leaf + STORE_HASH_LEN, (uint32_t)p.len);
    change_row(h, "index", "rows", k, &v);
    piece_key(&s, 0, place);
    v = (MDB_val){p.len, p.data};
    change_row(h, "bodies-00", "pieces", at, &v);
    write_meta(h, "schema", 1);
    harness_open(h);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(get.uid, s.open.sender, sizeof(get.uid));
    res = DO(h, pieces_get, &get, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.pieces[0].len, p.len);
    assert_memory_equal(res->u.pieces[0].data, p.data, p.len);
    harness_close(h);
    assert_int_equal(read_meta(h, "schema"), 3);
    harness_open(h);
    free(p.data);
}

/* A transfer whose leaves are hashes. */
static void send_hashed(struct harness *h, struct sample *s, unsigned n)
{
    struct store_piece_put p;
    uint8_t *bytes;

    harness_sample(s, n, 1, 2);
    harness_body(s, 3 * STORE_PIECE_MAX - 10);
    (void)DO(h, upload_open, &s->open, ERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        p = harness_piece(s, i);
        bytes = calloc(1, p.len + 1);
        assert_non_null(bytes);
        memcpy(bytes + 1, p.data, p.len);
        assert_int_equal(EVP_Digest(bytes, p.len + 1, p.leaf, NULL, EVP_sha256(), NULL), 1);
        free(bytes);
        (void)DO(h, piece_put, &p, ERR_OK);
    }
    (void)DO(h, upload_seal, &s->seal, ERR_OK);
}

static void test_verify_finds_damage(void **state)
{
    struct harness *h = *state;
    struct store_verify verify = {0};
    struct store_slot_get get = {0};
    struct store_pieces_get pieces = {0};
    struct store_result *res;
    uint8_t key[20], byte = 1;
    MDB_val k = {sizeof(key), key}, v = {1, &byte};
    struct sample s[4];

    harness_users(h, 2);
    for (unsigned n = 0; n < 4; n++)
        send_hashed(h, &s[n], n + 1);
    res = DO(h, verify, &verify, ERR_OK);
    assert_int_equal(res->u.verify.transfers, 4);
    assert_int_equal(res->u.verify.pieces, 12);
    assert_int_equal(res->count, 0);
    harness_close(h);
    piece_key(&s[0], 1, key);
    change_row(h, "bodies-00", "pieces", k, NULL); /* a piece is gone */
    piece_key(&s[1], 2, key);
    change_row(h, "bodies-00", "pieces", k, &v); /* a piece is another one */
    k.mv_size = row_key(h, &s[2], LEAF, key) + 4;
    put_be32(key + 9, 0);
    change_row(h, "index", "rows", k, NULL); /* a leaf is gone */
    k.mv_size = row_key(h, &s[3], HEADER, key);
    change_row(h, "index", "rows", k, &v); /* a row is nonsense */
    harness_open(h);
    res = DO(h, verify, &verify, ERR_OK);
    assert_int_equal(res->u.verify.transfers, 4);
    assert_true(res->count >= 4);
    for (size_t i = 0; i < res->count; i++) {
        const struct store_fault *f = &res->u.verify.faults[i];

        if (memcmp(f->tid, s[0].open.tid, STORE_TID_LEN) == 0)
            assert_int_equal(f->piece, 1);
        else if (memcmp(f->tid, s[1].open.tid, STORE_TID_LEN) == 0)
            assert_int_equal(f->piece, 2);
        else if (memcmp(f->tid, s[2].open.tid, STORE_TID_LEN) == 0)
            assert_int_equal(f->piece, 0);
        else
            assert_int_equal(f->piece, STORE_NO_PIECE);
    }
    /* Reading what is damaged is an error of that operation, and of nothing else. */
    memcpy(get.tid, s[3].open.tid, sizeof(get.tid));
    harness_uid(2, get.uid);
    (void)DO(h, slot_get, &get, ERR_CORRUPT);
    memcpy(pieces.tid, s[0].open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    (void)DO(h, pieces_get, &pieces, ERR_CORRUPT);
    memcpy(get.tid, s[2].open.tid, sizeof(get.tid));
    (void)DO(h, slot_get, &get, ERR_OK);
}

enum { MANY = 300 }; /* transfers: more than a page tells the faults of */

/* No fault is lost where there are many: the page ends, and the next one goes on. */
static void test_verify_tells_every_fault(void **state)
{
    struct harness *h = *state;
    struct store_verify verify = {0};
    uint8_t cursor[STORE_PLACE_LEN];
    const struct store_result *res;
    struct store_piece_put p;
    struct sample s;
    size_t faults = 0, pages = 0;

    harness_users(h, 2);
    for (unsigned n = 1; n <= MANY; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, 10);
        LATER(h, upload_open, &s.open, ERR_OK);
    }
    harness_wait(h);
    for (unsigned n = 1; n <= MANY; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, 10);
        p = harness_piece(&s, 0); /* its leaf is not its hash */
        s.seal.piece = (struct store_blob){p.data, p.len};
        memcpy(s.seal.leaf, p.leaf, sizeof(s.seal.leaf));
        LATER(h, upload_seal, &s.seal, ERR_OK);
        free(p.data);
    }
    harness_wait(h);
    do {
        res = DO(h, verify, &verify, ERR_OK);
        faults += res->count;
        pages++;
        memcpy(cursor, res->cursor, sizeof(cursor));
        verify.cursor = cursor;
    } while (res->more);
    assert_int_equal(faults, MANY);
    assert_int_equal(pages, 2);
}

/* A damaged row met by a write fails that write alone, in the middle of a batch. */
static void test_damage_spares_the_batch(void **state)
{
    struct harness *h = *state;
    uint8_t uid[STORE_UID_LEN], byte = 1;
    MDB_val k = {sizeof(uid), uid}, v = {1, &byte};
    struct store_user_set_quota in = {.quota = 3};
    struct store_stats st;

    harness_users(h, 20);
    harness_close(h);
    harness_uid(7, uid);
    change_row(h, "index", "users", k, &v);
    harness_open(h);
    for (unsigned n = 1; n <= 20; n++) {
        harness_uid(n, in.uid);
        LATER(h, user_set_quota, &in, n == 7 ? ERR_CORRUPT : ERR_OK);
    }
    harness_wait(h);
    store_stats(h->store, &st);
    assert_int_equal(st.failed, 1);
}

/* ---- the redo log ---- */

/* A record of ${n} rows stands on the last commit. */
static void write_record(struct harness *h, uint32_t n)
{
    static const uint8_t value[LONG_ROW];
    char index[96];
    struct lmdb_env_config ec = {
        .path = index, .tables = lmdb_tables_index, .ntables = T_INDEX_COUNT, .max = 2 << 20};
    struct lmdb_redo *redo = NULL;
    struct buf changes = {0};
    struct lmdb_txn t = {0};

    (void)snprintf(index, sizeof(index), "%s/index", h->dir);
    assert_int_equal(lmdb_env_open(&t.env, &ec, NULL), ERR_OK);
    assert_int_equal(lmdb_redo_open(&redo, h->dir, NULL), ERR_OK);
    for (uint32_t i = 0; i < n; i++) {
        struct lmdb_key key = {0};

        lmdb_key_u64(&key, i);
        lmdb_redo_note_put(&changes, T_CELLS, part(key.bytes, key.len), part(value, sizeof(value)));
    }
    assert_int_equal(lmdb_env_read(t.env, &t.txn), 0);
    assert_int_equal(lmdb_redo_write(redo, &t, &changes, NULL), ERR_OK);
    lmdb_env_read_end(t.env, t.txn);
    buf_free(&changes);
    lmdb_redo_close(redo);
    lmdb_env_close(t.env);
}

/* It was full before, and is to be emptied. */
static void test_a_log_for_a_full_store(void **state)
{
    struct harness *h = *state;
    MDB_txn *txn = NULL;
    MDB_stat st;
    MDB_env *env;
    MDB_dbi dbi;

    harness_close(h);
    harness_remove(h);
    h->cfg.index_max = 2 << 20;
    harness_open(h);
    harness_close(h);
    write_record(h, MANY_ROWS);
    harness_open(h);
    harness_close(h);
    env = begin(h, "index", "cells", &txn, &dbi);
    assert_int_equal(mdb_stat(txn, dbi, &st), 0);
    assert_int_equal(st.ms_entries, MANY_ROWS);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    harness_open(h);
}

int suite_lmdb(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_newer_schema_is_refused), TEST(test_piece_without_leaf),
        TEST(test_small_piece_of_schema_1), TEST(test_verify_finds_damage),
        TEST(test_a_log_for_a_full_store),  TEST(test_verify_tells_every_fault),
        TEST(test_damage_spares_the_batch),
    };

    return cmocka_run_group_tests_name("lmdb", tests, NULL, NULL);
}
