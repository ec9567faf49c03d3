/* SPDX-License-Identifier: Apache-2.0 */
/* erasable_file: keys, numbers, days, damage.  Power cuts: test_erasable_cut.c. */
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

#include "common/buf.h"
#include "common/fs.h"
#include "erasable_keys.h"

/* ---- keys and numbers ---- */

static void test_write_read_erase(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cell = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 3, &cell, NULL), ERR_OK);
    assert_int_equal(keys_get(f, cell + 3), ERR_NOTFOUND); /* not given out */
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(keys_put(f, cell + i, (uint8_t)(i + 1)), ERR_OK);
    assert_int_equal(keys_put(f, cell + 3, 9), ERR_INVALID);
    assert_int_equal(keys_put(f, 12, 9), ERR_INVALID);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    f = keys_reopen(f);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(keys_get(f, cell + i), i + 1);
    assert_int_equal(erasable_file_erase(f, cell + 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, cell + 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, 12, NULL), ERR_OK); /* not ours: ignored */
    assert_int_equal(keys_get(f, cell), 1);
    assert_int_equal(keys_get(f, cell + 1), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cell + 2), 3);
    assert_int_equal(keys_get(f, 12), ERR_NOTFOUND);
    erasable_file_close(f);
}

static void test_erased_bytes_are_gone(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cell = 0;
    struct buf b = {0};
    uint8_t key[ERASABLE_KEY_LEN];

    (void)state;
    memset(key, 0xa7, sizeof(key));
    assert_int_equal(erasable_file_alloc(f, 1, &cell, NULL), ERR_OK);
    assert_int_equal(keys_put(f, cell, 0xa7), ERR_OK);
    assert_int_equal(fs_read(keys_path, 64 << 20, &b, NULL), ERR_OK);
    assert_non_null(memmem(b.data, b.len, key, sizeof(key)));
    assert_int_equal(erasable_file_journal(f, &cell, 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, cell, NULL), ERR_OK);
    b.len = 0;
    assert_int_equal(fs_read(keys_path, 64 << 20, &b, NULL), ERR_OK);
    assert_null(memmem(b.data, b.len, key, 8));
    buf_free(&b);
    erasable_file_close(f);
}

static void test_numbers_are_never_used_twice(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t a = 0, b = 0, c = 0, later = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 5, &a, NULL), ERR_OK);
    f = keys_reopen(f);
    assert_int_equal(erasable_file_alloc(f, 5000, &b, NULL), ERR_OK);
    assert_int_equal(b, a + 5); /* closed in order: none is skipped */
    assert_int_equal(keys_put(f, b + 4999, 1), ERR_OK);
    assert_int_equal(erasable_file_alloc(f, 1, &c, NULL), ERR_OK);
    assert_int_equal(c, b + 5000);
    erasable_file_close(f);
    /* The file is lost, and a new one made a second later. */
    assert_int_equal(unlink(keys_path), 0);
    assert_int_equal(erasable_file_create(keys_path, KEYS_NOW + 1000, NULL), ERR_OK);
    f = keys_reopen(NULL);
    assert_int_equal(erasable_file_alloc(f, 1, &later, NULL), ERR_OK);
    assert_true(later > c);
    assert_int_equal(keys_get(f, a), ERR_NOTFOUND);
    assert_int_equal(erasable_file_erase(f, a, NULL), ERR_OK);
    erasable_file_close(f);
}

static void test_regions_are_punched(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cells[300];
    struct stat before, after;
    uint64_t first = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 300, &first, NULL), ERR_OK);
    for (size_t i = 0; i < 300; i++) {
        cells[i] = first + i;
        assert_int_equal(keys_put(f, cells[i], 5), ERR_OK);
    }
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    assert_int_equal(stat(keys_path, &before), 0);
    for (size_t i = 0; i < 255; i++)
        assert_int_equal(erasable_file_erase(f, cells[i], NULL), ERR_OK);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    erasable_file_punch(f, cells, 255);
    assert_int_equal(stat(keys_path, &after), 0);
    /* One whole region, and not the second one, which still has a key. */
    if (after.st_blocks != before.st_blocks)
        assert_int_equal(before.st_blocks - after.st_blocks, 128);
    assert_int_equal(keys_get(f, cells[0]), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cells[254]), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cells[255]), 5);
    f = keys_reopen(f);
    assert_int_equal(keys_get(f, cells[100]), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cells[299]), 5);
    erasable_file_close(f);
}

/* ---- days ---- */

static void test_days(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cell[3] = {0};
    unsigned days = 9;
    bool keyed = true;

    (void)state;
    for (uint32_t d = 0; d < 3; d++) {
        assert_int_equal(erasable_file_day(f, KEYS_DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
        assert_false(keyed);
        assert_int_equal(keys_get(f, cell[d]), ERR_NOTFOUND);
        assert_int_equal(keys_put(f, cell[d], (uint8_t)(d + 1)), ERR_OK);
        assert_int_equal(erasable_file_day(f, KEYS_DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
        assert_true(keyed);
    }
    assert_int_equal(erasable_file_day(f, KEYS_DAY0 - 1, &cell[0], &keyed, NULL), ERR_EXPIRED);
    assert_int_equal(erasable_file_day(f, KEYS_DAY0 + ERASABLE_DAYS, &cell[0], &keyed, NULL),
                     ERR_LIMIT);
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW + 10, &days, NULL), ERR_OK);
    assert_int_equal(days, 0); /* the day is not over */
    assert_int_equal(keys_get(f, cell[0]), 1);
    assert_int_equal(erasable_file_destroy_days(f, (KEYS_DAY0 + 1) * KEYS_DAY_MS, &days, NULL),
                     ERR_OK);
    assert_int_equal(days, 1);
    assert_int_equal(keys_get(f, cell[0]), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cell[1]), 2);
    assert_int_equal(erasable_file_day(f, KEYS_DAY0, &cell[0], &keyed, NULL), ERR_EXPIRED);
    f = keys_reopen(f);
    assert_int_equal(erasable_file_day(f, KEYS_DAY0, &cell[0], &keyed, NULL), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cell[0]), ERR_EXPIRED);
    assert_int_equal(keys_get(f, cell[2]), 3);
    erasable_file_close(f);
}

static void test_clock_jumps_must_be_confirmed(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cell = 0;
    unsigned days = 0;
    bool keyed;

    (void)state;
    assert_int_equal(erasable_file_day(f, KEYS_DAY0, &cell, &keyed, NULL), ERR_OK);
    assert_int_equal(keys_put(f, cell, 1), ERR_OK);
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW + KEYS_DAY_MS + 1, &days, NULL),
                     ERR_REFUSED);
    assert_int_equal(keys_get(f, cell), 1);
    assert_int_equal(erasable_file_time(f), KEYS_NOW);
    f = keys_reopen(f); /* a restart is no confirmation */
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW + 300 * KEYS_DAY_MS, &days, NULL),
                     ERR_REFUSED);
    assert_int_equal(keys_get(f, cell), 1);
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW - 5000, &days, NULL), ERR_OK);
    assert_int_equal(erasable_file_time(f), KEYS_NOW); /* back in time: nothing happens */
    assert_int_equal(erasable_file_confirm(f, KEYS_NOW + 300 * KEYS_DAY_MS, NULL), ERR_OK);
    assert_int_equal(keys_get(f, cell), 1); /* confirming destroys nothing yet */
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW + 300 * KEYS_DAY_MS + 1, &days, NULL),
                     ERR_OK);
    assert_int_equal(days, 1);
    assert_int_equal(keys_get(f, cell), ERR_EXPIRED);
    /* Exactly 24 hours are no jump. */
    assert_int_equal(erasable_file_destroy_days(f, KEYS_NOW + 301 * KEYS_DAY_MS + 1, &days, NULL),
                     ERR_OK);
    erasable_file_close(f);
}

/* ---- damage ---- */

static void test_open_refuses(void **state)
{
    struct erasable_file *f = NULL, *second = NULL;
    struct err err = {0};

    (void)state;
    (void)unlink(keys_path);
    assert_int_equal(erasable_file_open(&f, keys_path, &err), ERR_NOTFOUND);
    assert_int_equal(fs_create(keys_path, "something else", 14, 0600, NULL), ERR_OK);
    assert_int_equal(erasable_file_open(&f, keys_path, &err), ERR_CORRUPT);
    assert_int_equal(erasable_file_create(keys_path, KEYS_NOW, NULL), ERR_EXISTS);
    f = keys_fresh();
    assert_int_equal(erasable_file_open(&second, keys_path, &err), ERR_BUSY);
    erasable_file_close(f);
    /* The only header there is so far is the second one. */
    for (off_t at = 0; at < 80; at += 7) {
        keys_flip(ERASABLE_HEADER_STEP + at);
        assert_int_equal(erasable_file_open(&second, keys_path, &err), ERR_CORRUPT);
        keys_flip(ERASABLE_HEADER_STEP + at);
    }
    assert_int_equal(truncate(keys_path, 100000), 0);
    assert_int_equal(erasable_file_open(&second, keys_path, &err), ERR_CORRUPT);
    assert_null(second);
}

static void test_newer_version_is_refused(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint8_t block[ERASABLE_HEADER_LEN];

    (void)state;
    assert_int_equal(erasable_block_read(f, block, sizeof(block), ERASABLE_HEADER_STEP, NULL),
                     ERR_OK);
    put_be32(block + 16, ERASABLE_VERSION + 1);
    put_be32(block + sizeof(block) - 4, erasable_block_crc(block, sizeof(block) - 4));
    assert_int_equal(erasable_block_write(f, block, sizeof(block), ERASABLE_HEADER_STEP, NULL),
                     ERR_OK);
    erasable_file_close(f);
    f = NULL;
    assert_int_equal(erasable_file_open(&f, keys_path, NULL), ERR_UNSUPPORTED);
}

static void test_damaged_cells_give_no_key(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t cell = 0, day = 0, index;
    bool keyed = true;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 1, &cell, NULL), ERR_OK);
    index = cell - f->first;
    for (unsigned at = 0; at < 52; at++) {
        assert_int_equal(keys_put(f, cell, 1), ERR_OK);
        keys_flip((off_t)erasable_block_place(index) + (off_t)at);
        assert_int_equal(keys_get(f, cell), ERR_CORRUPT);
    }
    assert_int_equal(erasable_file_erase(f, cell, NULL), ERR_OK);
    assert_int_equal(keys_get(f, cell), ERR_EXPIRED);
    /* A day whose key is damaged gets another one, and is destroyed in the end. */
    assert_int_equal(erasable_file_day(f, KEYS_DAY0, &day, &keyed, NULL), ERR_OK);
    assert_int_equal(keys_put(f, day, 1), ERR_OK);
    keys_flip((off_t)erasable_block_place(0) + 20);
    assert_int_equal(erasable_file_day(f, KEYS_DAY0, &day, &keyed, NULL), ERR_OK);
    assert_false(keyed);
    erasable_file_close(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_read_erase),
        cmocka_unit_test(test_erased_bytes_are_gone),
        cmocka_unit_test(test_numbers_are_never_used_twice),
        cmocka_unit_test(test_regions_are_punched),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_clock_jumps_must_be_confirmed),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_newer_version_is_refused),
        cmocka_unit_test(test_damaged_cells_give_no_key),
    };

    return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}
