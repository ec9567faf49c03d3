/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable_file and power cuts: pwrite() and fdatasync() below stand between the module and the
 * file.  They know which sectors are durable and which are only written; at a cut every later call
 * fails, and the file is made anew from the durable sectors and some of the others.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fs.h"
#include "erasable_keys.h"

enum { CASES = 3, SECTOR = 512, PENDING_MAX = 4096 };

/* ---- the disk ---- */

static struct {
    bool watching;
    unsigned calls, cut_at; /* cut_at: this call and all later ones fail; 0: never */
    struct {
        uint64_t at;
        uint8_t bytes[SECTOR];
    } pending[PENDING_MAX];
    size_t npending;
    uint8_t *durable;
    size_t len, cap;
} disk;

static void make_durable(uint64_t at, const uint8_t *bytes)
{
    if (at + SECTOR > disk.cap) {
        disk.cap = (size_t)at + (1 << 20);
        disk.durable = realloc(disk.durable, disk.cap);
        assert_non_null(disk.durable);
    }
    if (at + SECTOR > disk.len) {
        memset(disk.durable + disk.len, 0, (size_t)at + SECTOR - disk.len);
        disk.len = (size_t)at + SECTOR;
    }
    memcpy(disk.durable + at, bytes, SECTOR);
}

static bool cut(void)
{
    if (!disk.watching)
        return false;
    disk.calls++;
    return disk.cut_at != 0 && disk.calls >= disk.cut_at;
}

__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    if (cut()) {
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; disk.watching && i < len; i += SECTOR) {
        assert_true(disk.npending < PENDING_MAX);
        disk.pending[disk.npending].at = (uint64_t)at + i;
        memcpy(disk.pending[disk.npending++].bytes, (const uint8_t *)buf + i, SECTOR);
    }
    return syscall(SYS_pwrite64, fd, buf, len, at);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    if (cut()) {
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; i < disk.npending; i++)
        make_durable(disk.pending[i].at, disk.pending[i].bytes);
    disk.npending = 0;
    return (int)syscall(SYS_fdatasync, fd);
}

/* The file as it is now counts as durable; the ${cut_at}-th write or sync from here on fails. */
static void disk_watch(unsigned cut_at)
{
    struct buf b = {0};

    assert_int_equal(fs_read(keys_path, 64 << 20, &b, NULL), ERR_OK);
    free(disk.durable);
    disk.durable = b.data;
    disk.len = b.len;
    disk.cap = b.cap;
    disk.npending = 0;
    disk.calls = 0;
    disk.cut_at = cut_at;
    disk.watching = true;
}

/* The power is back: of what was not durable, ${which} decides sector by sector what is there. */
static void disk_reboot(unsigned which)
{
    disk.watching = false;
    for (size_t i = 0; i < disk.npending; i++) {
        which = which * 1103515245 + 12345;
        if (which & 0x10000)
            make_durable(disk.pending[i].at, disk.pending[i].bytes);
    }
    assert_int_equal(fs_replace(keys_path, disk.durable, disk.len, 0600, NULL), ERR_OK);
}

static void test_a_damaged_newest_header_repeats_no_number(void **state)
{
    struct erasable_file *f = keys_fresh();
    uint64_t a = 0, b = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 1, &a, NULL), ERR_OK);    /* header 2, in place 0 */
    assert_int_equal(erasable_file_alloc(f, 2000, &a, NULL), ERR_OK); /* header 3, in place 1 */
    assert_int_equal(keys_put(f, a + 1900, 7), ERR_OK);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    keys_flip(ERASABLE_HEADER_STEP + 33);
    /* As after a crash: closing would write a header. */
    disk_watch(1);
    erasable_file_close(f);
    disk.watching = false;
    f = keys_reopen(NULL);
    assert_int_equal(keys_get(f, a + 1900), 7);
    assert_int_equal(erasable_file_alloc(f, 1, &b, NULL), ERR_OK);
    assert_true(b > a + 1900);
    erasable_file_close(f);
}

/* Allocate and write three keys, twice, the second time through growth: cut everywhere. */
static void test_cut_while_writing(void **state)
{
    unsigned calls = 1;

    (void)state;
    for (unsigned at = 1; at <= calls; at++) {
        for (unsigned which = 0; which < CASES; which++) {
            struct erasable_file *f = keys_fresh();
            uint64_t cell[2] = {0}, last = 0, next = 0;
            bool acked[2] = {false};
            int rc = ERR_OK;

            disk_watch(at);
            for (unsigned k = 0; k < 2 && rc == ERR_OK; k++) {
                rc = erasable_file_alloc(f, k == 0 ? 3 : 1023, &cell[k], NULL);
                if (rc == ERR_OK)
                    last = cell[k] + (k == 0 ? 2 : 1022);
                for (unsigned i = 0; i < 3 && rc == ERR_OK; i++)
                    rc = keys_put(f, cell[k] + i, (uint8_t)(10 * k + i));
                if (rc == ERR_OK)
                    rc = erasable_file_sync(f, NULL);
                acked[k] = rc == ERR_OK;
            }
            calls = rc == ERR_OK ? calls : calls > at + 1 ? calls : at + 1;
            disk.cut_at = 1; /* closing is too late as well */
            erasable_file_close(f);
            disk_reboot(which);
            f = keys_reopen(NULL);
            for (unsigned k = 0; k < 2; k++)
                for (unsigned i = 0; i < 3 && cell[k] != 0; i++) {
                    int n = keys_get(f, cell[k] + i);

                    if (acked[k] || n >= 0)
                        assert_int_equal(n, 10 * k + i);
                }
            assert_int_equal(erasable_file_alloc(f, 1, &next, NULL), ERR_OK);
            assert_true(next > last);
            erasable_file_close(f);
        }
    }
    assert_in_range(calls, 10, 60);
}

/* Journal, erase three of four, sync: cut everywhere. */
static void test_cut_while_erasing(void **state)
{
    unsigned calls = 1;

    (void)state;
    for (unsigned at = 1; at <= calls; at++) {
        for (unsigned which = 0; which < CASES; which++) {
            struct erasable_file *f = keys_fresh();
            uint64_t cell = 0, cells[3];
            bool journaled, acked;
            int rc;

            assert_int_equal(erasable_file_alloc(f, 4, &cell, NULL), ERR_OK);
            for (uint8_t i = 0; i < 4; i++)
                assert_int_equal(keys_put(f, cell + i, i), ERR_OK);
            assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
            for (unsigned i = 0; i < 3; i++)
                cells[i] = cell + i;
            disk_watch(at);
            rc = erasable_file_journal(f, cells, 3, NULL);
            journaled = rc == ERR_OK;
            for (unsigned i = 0; i < 3 && rc == ERR_OK; i++)
                rc = erasable_file_erase(f, cells[i], NULL);
            if (rc == ERR_OK)
                rc = erasable_file_sync(f, NULL);
            acked = rc == ERR_OK;
            calls = acked ? calls : calls > at + 1 ? calls : at + 1;
            disk.cut_at = 1;
            erasable_file_close(f);
            disk_reboot(which);
            f = keys_reopen(NULL);
            for (unsigned i = 0; i < 3; i++) {
                int n = keys_get(f, cells[i]);

                if (journaled || n < 0)
                    assert_int_equal(n, ERR_EXPIRED);
                else
                    assert_int_equal(n, i);
            }
            assert_int_equal(keys_get(f, cell + 3), 3);
            erasable_file_close(f);
        }
    }
    assert_int_equal(calls, 7);
}

/* Destroy two days of three: cut everywhere. */
static void test_cut_while_destroying_days(void **state)
{
    unsigned calls = 1;

    (void)state;
    for (unsigned at = 1; at <= calls; at++) {
        for (unsigned which = 0; which < CASES; which++) {
            struct erasable_file *f = keys_fresh();
            uint64_t cell[3] = {0};
            unsigned days = 0;
            bool acked, keyed;
            int rc;

            for (uint32_t d = 0; d < 3; d++) {
                assert_int_equal(erasable_file_day(f, KEYS_DAY0 + d, &cell[d], &keyed, NULL),
                                 ERR_OK);
                assert_int_equal(keys_put(f, cell[d], (uint8_t)d), ERR_OK);
            }
            assert_int_equal(erasable_file_confirm(f, (KEYS_DAY0 + 2) * KEYS_DAY_MS - 1, NULL),
                             ERR_OK);
            disk_watch(at);
            rc = erasable_file_destroy_days(f, (KEYS_DAY0 + 2) * KEYS_DAY_MS, &days, NULL);
            acked = rc == ERR_OK;
            calls = acked ? calls : calls > at + 1 ? calls : at + 1;
            disk.cut_at = 1;
            erasable_file_close(f);
            disk_reboot(which);
            f = keys_reopen(NULL);
            for (unsigned d = 0; d < 2; d++) {
                int n = keys_get(f, cell[d]);

                if (acked || n < 0)
                    assert_int_equal(n, ERR_EXPIRED);
                else
                    assert_int_equal(n, d);
            }
            assert_int_equal(keys_get(f, cell[2]), 2);
            /* It can always be finished. */
            assert_int_equal(
                erasable_file_destroy_days(f, (KEYS_DAY0 + 2) * KEYS_DAY_MS + 1, &days, NULL),
                ERR_OK);
            assert_int_equal(keys_get(f, cell[0]), ERR_EXPIRED);
            assert_int_equal(keys_get(f, cell[1]), ERR_EXPIRED);
            erasable_file_close(f);
        }
    }
    assert_int_equal(calls, 6);
}

static int teardown(void **state)
{
    free(disk.durable);
    return keys_teardown(state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_damaged_newest_header_repeats_no_number),
        cmocka_unit_test(test_cut_while_writing),
        cmocka_unit_test(test_cut_while_erasing),
        cmocka_unit_test(test_cut_while_destroying_days),
    };

    return cmocka_run_group_tests(tests, keys_setup, teardown);
}
