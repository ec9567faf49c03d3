/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an unfinished upload: what a crash and damage leave of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/upload_entry.h"
#include "common/crypto/hex.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

#define NOW ((uint64_t)1800000000000)

struct state {
    char dir[TMPDIR_SIZE];
    struct vault *v;
    struct hash32 key;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));
    struct lock *lock = NULL;
    char *path;

    assert_non_null(tmpdir_make(s->dir));
    path = fs_join(s->dir, "lock");
    assert_int_equal(lock_open(path, &lock, NULL), ERR_OK);
    assert_int_equal(lock_take(lock, 1000, NULL), ERR_OK);
    assert_int_equal(vault_create(s->dir, NULL, lock, &s->v, NULL), ERR_OK);
    vault_unlock(s->v);
    memset(s->key.b, 9, sizeof(s->key.b));
    free(path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    vault_close(s->v);
    assert_int_equal(tmpdir_remove(s->dir), 0);
    free(s);
    return 0;
}

/* ---- a log ------------------------------------------------------------------------------- */

static void make_upload(struct upload *u)
{
    uint8_t key[32];

    *u = (struct upload){.lease = NOW + 1000, .n_slots = 2, .path = strdup("/home/alice/file")};
    memset(key, 1, sizeof(key));
    assert_int_equal(secret_copy(&u->cek, key, sizeof(key), NULL), ERR_OK);
    memset(key, 2, sizeof(key));
    assert_int_equal(secret_copy(&u->mek, key, sizeof(key), NULL), ERR_OK);
    memset(u->key, 3, sizeof(u->key));
    memset(u->header.tid.b, 4, IDS_TID_LEN);
    memset(u->header.salt, 5, HEADER_SALT_LEN);
    u->header.created = NOW;
    u->header.expires = NOW + 2000;
    u->header.body_length = 9 * 262144;
    u->header.opens = 6;
    u->mark = (struct source_mark){1, 2, 3, -4, 5};
    u->slots = calloc(2, sizeof(*u->slots));
    memset(u->slots[1].uid.b, 7, IDS_UID_LEN);
}

/* Begin, two and one leaves, and, if asked for, the sealed transfer. */
static void write_log(struct state *s, bool sealed)
{
    struct upload_log *l = NULL;
    struct upload u;
    struct hash32 leaves[3];

    for (int i = 0; i < 3; i++)
        memset(leaves[i].b, 100 + i, sizeof(leaves[i].b));
    make_upload(&u);
    assert_int_equal(upload_log_open(s->v, &s->key, &l, NULL), ERR_OK);
    assert_int_equal(upload_log_begin(l, &u, NULL), ERR_OK);
    assert_int_equal(upload_log_leaves(l, 0, leaves, 2, NULL), ERR_OK);
    assert_int_equal(upload_log_leaves(l, 2, leaves + 2, 1, NULL), ERR_OK);
    if (sealed)
        assert_int_equal(upload_log_sealed(l, part_str("the sealed transfer"), NULL), ERR_OK);
    upload_log_close(l, true);
    upload_free(&u);
}

static int load(struct state *s, struct upload_past *p)
{
    struct upload_log *l = NULL;
    int rc;

    assert_int_equal(upload_log_open(s->v, &s->key, &l, NULL), ERR_OK);
    rc = upload_log_load(l, p, NULL);
    upload_log_close(l, true);
    return rc;
}

static char *log_path(struct state *s)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    char name[64], digits[2 * VAULT_RECORD_ID_LEN + 1], *path;

    assert_int_equal(vault_id(s->v, "upload", PART_OF(s->key.b), id, NULL), ERR_OK);
    hex_encode(digits, id, sizeof(id));
    snprintf(name, sizeof(name), "upload-%s.log", digits);
    path = fs_join(vault_records(s->v), name);
    return path;
}

static void what_was_written_is_read(void **state)
{
    struct state *s = *state;
    struct upload_past p = {0};

    assert_int_equal(load(s, &p), ERR_NOTFOUND);
    write_log(s, true);
    assert_int_equal(load(s, &p), ERR_OK);
    assert_string_equal(p.upload.path, "/home/alice/file");
    assert_int_equal(p.upload.cek.data[31], 1);
    assert_int_equal(p.upload.mek.data[0], 2);
    assert_int_equal(p.upload.header.salt[23], 5);
    assert_int_equal(p.upload.header.body_length, 9 * 262144);
    assert_int_equal(p.upload.mark.modified, -4);
    assert_int_equal(p.upload.n_slots, 2);
    assert_int_equal(p.upload.slots[1].uid.b[19], 7);
    assert_int_equal(p.leaves.len, 3 * 32);
    assert_int_equal(p.leaves.data[64], 102);
    assert_memory_equal(p.sealed.data, "the sealed transfer", p.sealed.len);
    upload_past_free(&p);
}

/* The leaf of piece ${i}. */
static struct hash32 leaf_of(uint32_t i)
{
    struct hash32 leaf = {{0}};

    put_be32(leaf.b + 7, i);
    return leaf;
}

/* As many leaves as 100 GiB have, and one. */
static void a_long_record(void **state)
{
    enum { STEP = 4000, PIECES = (100 << 12) + 1 };
    struct state *s = *state;
    struct hash32 *leaves = calloc(STEP, sizeof(*leaves)), expected;
    struct upload_past p = {0};
    struct upload_log *l = NULL;
    struct upload u;

    assert_non_null(leaves);
    make_upload(&u);
    u.header.body_length = 100ULL << 30;
    u.mark.size = u.header.body_length;
    assert_int_equal(upload_log_open(s->v, &s->key, &l, NULL), ERR_OK);
    assert_int_equal(upload_log_begin(l, &u, NULL), ERR_OK);
    for (uint32_t first = 0; first < PIECES; first += STEP) {
        uint32_t n = PIECES - first < STEP ? PIECES - first : STEP;

        for (uint32_t i = 0; i < n; i++)
            leaves[i] = leaf_of(first + i);
        assert_int_equal(upload_log_leaves(l, first, leaves, n, NULL), ERR_OK);
    }
    upload_log_close(l, true);
    upload_free(&u);
    assert_int_equal(load(s, &p), ERR_OK);
    assert_true(p.upload.header.body_length == 100ULL << 30);
    assert_true(p.upload.mark.size == 100ULL << 30);
    assert_int_equal(p.leaves.len, PIECES * sizeof(*leaves));
    for (uint32_t i = 0; i < PIECES; i += 4095) {
        expected = leaf_of(i);
        assert_memory_equal(p.leaves.data + (size_t)i * sizeof(*leaves), &expected,
                            sizeof(expected));
    }
    upload_past_free(&p);
    free(leaves);
}

/* Cut anywhere, it says what was whole before, never something else. */
static void a_torn_end_is_cut_off(void **state)
{
    struct state *s = *state;
    struct upload_past p = {0};
    struct buf whole = {0};
    char *path = log_path(s);
    size_t first;

    write_log(s, true);
    assert_int_equal(fs_read(path, UPLOAD_LOG_MAX, &whole, NULL), ERR_OK);
    first = 5 + get_be32(whole.data + 1);
    for (size_t len = 1; len < whole.len; len += 7) {
        assert_int_equal(fs_replace(path, whole.data, len, 0600, NULL), ERR_OK);
        assert_int_equal(load(s, &p), len < first ? ERR_NOTFOUND : ERR_OK);
        if (len < first)
            continue;
        assert_string_equal(p.upload.path, "/home/alice/file");
        assert_true(p.leaves.len == 0 || p.leaves.len == 64 || p.leaves.len == 96);
        assert_int_equal(p.sealed.len, 0);
        upload_past_free(&p);
        assert_int_equal(load(s, &p), ERR_OK); /* what is left is whole */
        upload_past_free(&p);
    }
    buf_free(&whole);
    free(path);
}

/* A changed byte in front of other entries is no crash: nothing is believed any more. */
static void damage_is_not_taken_for_a_crash(void **state)
{
    struct state *s = *state;
    struct upload_past p = {0};
    struct buf whole = {0};
    char *path = log_path(s);
    size_t last = 5 + VAULT_RECORD_OVERHEAD + strlen("the sealed transfer");

    write_log(s, true);
    assert_int_equal(fs_read(path, UPLOAD_LOG_MAX, &whole, NULL), ERR_OK);
    for (size_t at = 5; at < whole.len - last; at += 11) {
        whole.data[at] ^= 1;
        assert_int_equal(fs_replace(path, whole.data, whole.len, 0600, NULL), ERR_OK);
        assert_int_equal(load(s, &p), ERR_CORRUPT);
        whole.data[at] ^= 1;
    }
    buf_free(&whole);
    free(path);
}

static void one_at_a_time(void **state)
{
    struct state *s = *state;
    struct upload_log *one = NULL, *other = NULL;

    assert_int_equal(upload_log_open(s->v, &s->key, &one, NULL), ERR_OK);
    assert_int_equal(upload_log_open(s->v, &s->key, &other, NULL), ERR_LOCKED);
    upload_log_close(one, false);
    assert_int_equal(upload_log_open(s->v, &s->key, &other, NULL), ERR_OK);
    upload_log_close(other, false);
}

static void begun_anew_it_knows_nothing_of_before(void **state)
{
    struct state *s = *state;
    struct upload_log *l = NULL;
    struct upload_past p = {0};
    struct upload u;

    write_log(s, false);
    make_upload(&u);
    u.header.tid.b[0] = 77;
    assert_int_equal(upload_log_open(s->v, &s->key, &l, NULL), ERR_OK);
    assert_int_equal(upload_log_drop(l, NULL), ERR_OK);
    assert_int_equal(upload_log_begin(l, &u, NULL), ERR_OK);
    upload_log_close(l, true);
    upload_free(&u);
    assert_int_equal(load(s, &p), ERR_OK);
    assert_int_equal(p.upload.header.tid.b[0], 77);
    assert_int_equal(p.leaves.len, 0);
    upload_past_free(&p);
}

static void on_upload(void *cookie, const struct upload_view *u)
{
    if (!u->busy)
        assert_string_equal(u->path, "/home/alice/file");
    ++*(unsigned *)cookie;
}

static void what_is_over_goes(void **state)
{
    struct state *s = *state;
    unsigned n = 0;
    char *path = log_path(s);

    write_log(s, false);
    assert_int_equal(upload_each(s->v, NOW, on_upload, &n, NULL), ERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(upload_each(s->v, NOW + 1001, on_upload, &n, NULL), ERR_OK);
    assert_int_equal(n, 1);
    assert_false(fs_exists(path));
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),
        TEST(a_long_record),
        TEST(a_torn_end_is_cut_off),
        TEST(damage_is_not_taken_for_a_crash),
        TEST(one_at_a_time),
        TEST(begun_anew_it_knows_nothing_of_before),
        TEST(what_is_over_goes),
    };

    return cmocka_run_group_tests_name("upload", tests, NULL, NULL);
}
