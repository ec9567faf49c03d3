/* SPDX-License-Identifier: Apache-2.0 */
/* What a vault keeps of its files: never more than they say. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/vault_cache.h"
#include "common/crypto/hex.h"
#include "common/fs.h"
#include "tests/unit/clock_fix.h"
#include "tests/unit/vault_fix.h"

enum { LATER = VAULT_CACHE_COARSE_TICK_MS + 50 }; /* ms */

static void put(struct vault_fix *f, const char *table, const char *key, const char *text)
{
    uint8_t id[16];

    assert_int_equal(vault_id(f->vault, table, part_str(key), id, NULL), ERR_OK);
    assert_int_equal(vault_lock(f->vault, NULL), ERR_OK);
    assert_int_equal(vault_put(f->vault, table, id, part_str(text), NULL), ERR_OK);
    vault_unlock(f->vault);
}

static int count_rows(void *cookie, const struct vault_row *row, struct err *err)
{
    size_t *seen = cookie;

    (void)err;
    assert_int_equal(row->plain.len, 3);
    *seen += 1;
    return ERR_OK;
}

static char *record_file(struct vault_fix *f, const char *table, const char *key,
                         uint8_t ret_id[16])
{
    char digits[33], name[64];

    assert_int_equal(vault_id(f->vault, table, part_str(key), ret_id, NULL), ERR_OK);
    hex_encode(digits, ret_id, 16);
    (void)snprintf(name, sizeof(name), "records/%s-%s", table, digits);
    return fs_join(f->dir, name);
}

static void assert_record(struct vault *v, const char *table, const uint8_t *id, const char *want)
{
    struct buf out = {0};
    uint64_t number = 0;

    assert_int_equal(vault_get(v, table, id, &out, &number, NULL), ERR_OK);
    assert_int_equal(out.len, strlen(want));
    assert_memory_equal(out.data, want, out.len);
    assert_true(number > 0);
    buf_free(&out);
}

/* Another process writes, removes and damages: whoever has looked before sees it. */
static void what_others_write_is_seen(void **state)
{
    struct vault_fix *f = *state;
    struct vault *other = NULL;
    struct buf out = {0};
    uint8_t id[16];
    char *path;
    size_t seen;

    put(f, "contact", "alice", "one");
    path = record_file(f, "contact", "alice", id);
    assert_int_equal(vault_open(f->dir, NULL, &other, NULL), ERR_OK);
    for (int i = 0; i < 60; i++) { /* as fast as it goes: many within a tick */
        const char *text = i % 2 == 0 ? "two" : "six";

        assert_record(other, "contact", id, i % 2 == 0 ? (i == 0 ? "one" : "six") : "two");
        put(f, "contact", "alice", text);
        assert_record(other, "contact", id, text);
        assert_record(f->vault, "contact", id, text);
    }
    for (int i = 0; i < 30; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "k%d", i);
        put(f, "contact", key, "new");
        seen = 0;
        assert_int_equal(vault_each(other, "contact", count_rows, &seen, NULL), ERR_OK);
        assert_int_equal(seen, i + 2);
    }
    clock_fix_ahead(LATER); /* now it is kept */
    assert_record(other, "contact", id, "six");
    assert_record(other, "contact", id, "six");
    seen = 0;
    assert_int_equal(vault_each(other, "contact", count_rows, &seen, NULL), ERR_OK);
    clock_fix_ahead(0);
    put(f, "contact", "alice", "two");
    assert_record(other, "contact", id, "two");
    clock_fix_ahead(LATER);
    assert_record(other, "contact", id, "two");
    assert_int_equal(fs_replace(path, "damage", 6, 0600, NULL), ERR_OK);
    assert_int_equal(vault_get(other, "contact", id, &out, NULL, NULL), ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vault_get(other, "contact", id, &out, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(out.len, 0);
    seen = 0;
    assert_int_equal(vault_each(other, "contact", count_rows, &seen, NULL), ERR_OK);
    assert_int_equal(seen, 30);
    clock_fix_ahead(0);
    vault_close(other);
    free(path);
}

static const uint8_t some_id[VAULT_RECORD_ID_LEN] = {1, 2, 3};
static const struct vault_mark settled = {
    .device = 1, .inode = 2, .size = 3, .modified = 4, .changed = 5, .settled = true};

/* Each part of a mark counts, and one that is not settled is never trusted. */
static void a_mark_decides(void **state)
{
    struct vault_place place = {.table = "contact", .id = some_id, .number = 7};
    struct vault_cache *c = vault_cache_new();
    struct vault_mark marks[7];
    struct buf out = {0};
    uint64_t number = 0;

    (void)state;
    for (size_t i = 0; i < 7; i++)
        marks[i] = settled;
    marks[1].device++;
    marks[2].inode++;
    marks[3].size++;
    marks[4].modified++;
    marks[5].changed++;
    marks[6].settled = false; /* it is the file, not the hour, that is asked for */
    assert_false(vault_cache_get(c, &place, &settled, &out, &number));
    vault_cache_put(c, &place, &settled, part_str("abc"));
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(vault_cache_get(c, &place, &marks[i], &out, &number), i % 6 == 0);
    assert_int_equal(number, 7);
    assert_int_equal(out.len, 6);
    vault_cache_put(c, &place, &marks[6], part_str("abd"));
    assert_false(vault_cache_get(c, &place, &settled, &out, &number));
    vault_cache_put_ids(c, "contact", &settled, PART_OF(some_id));
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(vault_cache_get_ids(c, "contact", &marks[i], &out), i % 6 == 0);
    assert_false(vault_cache_get_ids(c, "group", &settled, &out));
    vault_cache_put_ids(c, "contact", &marks[6], PART_OF(some_id));
    assert_false(vault_cache_get_ids(c, "contact", &settled, &out));
    buf_free(&out);
    vault_cache_free(c);
    vault_cache_free(NULL);
}

static void what_is_kept_is_limited(void **state)
{
    struct vault_place place = {.table = "contact", .id = some_id, .number = 1};
    struct vault_place secret = {.table = "identity", .id = some_id, .number = 1};
    uint8_t *big = calloc(1, VAULT_CACHE_ROW_MAX + 1), id[VAULT_RECORD_ID_LEN] = {0};
    struct vault_cache *c = vault_cache_new();
    struct buf out = {0};
    uint64_t number;
    size_t kept = 0;

    (void)state;
    assert_true(vault_cache_has("contact") && vault_cache_has("group"));
    assert_false(vault_cache_has("identity") || vault_cache_has("counter"));
    vault_cache_put(c, &secret, &settled, part_str("abc"));
    assert_false(vault_cache_get(c, &secret, &settled, &out, &number));
    vault_cache_put(c, &place, &settled, part(big, VAULT_CACHE_ROW_MAX + 1));
    assert_false(vault_cache_get(c, &place, &settled, &out, &number));
    place.id = id;
    for (unsigned i = 0; i < 2 * VAULT_CACHE_ROWS; i++) {
        memcpy(id, &i, sizeof(i));
        vault_cache_put(c, &place, &settled, part(big, VAULT_CACHE_ROW_MAX));
        assert_true(vault_cache_get(c, &place, &settled, &out, &number));
        buf_reset(&out);
    }
    for (unsigned i = 0; i < 2 * VAULT_CACHE_ROWS; i++) {
        memcpy(id, &i, sizeof(i));
        kept += vault_cache_get(c, &place, &settled, &out, &number);
        buf_reset(&out);
    }
    assert_true(kept > 0 && kept <= VAULT_CACHE_MAX / VAULT_CACHE_ROW_MAX);
    buf_free(&out);
    free(big);
    vault_cache_free(c);
}

static void marks_of_files(void **state)
{
    struct vault_fix *f = *state;
    struct timespec hour[2] = {{.tv_sec = 1000000, .tv_nsec = 5},
                               {.tv_sec = 1000000, .tv_nsec = 5}};
    char *path = fs_join(f->dir, "vault");
    struct vault_mark a, b;

    assert_int_equal(fs_replace(path, "abc", 3, 0600, NULL), ERR_OK);
    assert_true(vault_cache_look(path, &a));
    assert_false(a.settled);
    assert_int_equal(a.size, 3);
    assert_int_equal(utimensat(AT_FDCWD, path, hour, 0), 0); /* an old date does not make it old */
    assert_true(vault_cache_look(path, &b));
    assert_false(b.settled);
    assert_int_not_equal(b.modified, a.modified);
    clock_fix_ahead(LATER);
    assert_true(vault_cache_look(path, &b));
    assert_true(b.settled);
    clock_fix_ahead(0);
    assert_false(vault_cache_look("/nonexistent", &b));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_others_write_is_seen, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(marks_of_files, vault_fix_setup, vault_fix_teardown),
        cmocka_unit_test(a_mark_decides),
        cmocka_unit_test(what_is_kept_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
