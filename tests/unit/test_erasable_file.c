/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable_file: keys, numbers, days, damage, and power cuts.
 *
 * The power cuts: pwrite() and fdatasync() below stand between the module and the file.  They know
 * which sectors are durable and which are only written; at a cut every later call fails, and the
 * file is made anew from the durable sectors and some of the others.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fs.h"
#include "server/erasable_block.h"

enum { DAY0 = 20000, CASES = 3, SECTOR = 512, PENDING_MAX = 4096 };

static const uint64_t day_ms = 86400000;
#define NOW (DAY0 * day_ms + 1000)

static char dir[64], path[96];

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

    assert_int_equal(fs_read(path, 64 << 20, &b, NULL), ERR_OK);
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
    assert_int_equal(fs_replace(path, disk.durable, disk.len, 0600, NULL), ERR_OK);
}

/* ---- helpers ---- */

static struct erasable_file *reopen(struct erasable_file *f)
{
    struct err err = {0};

    erasable_file_close(f);
    f = NULL;
    if (erasable_file_open(&f, path, &err) != ERR_OK)
        fail_msg("cannot open: %s", err.msg);
    return f;
}

static struct erasable_file *fresh(void)
{
    (void)unlink(path);
    assert_int_equal(erasable_file_create(path, NOW, NULL), ERR_OK);
    return reopen(NULL);
}

static struct secret key_of(uint8_t n)
{
    struct secret s = {0};

    assert_int_equal(secret_new(&s, ERASABLE_KEY_LEN, NULL), ERR_OK);
    memset(s.data, n, s.len);
    return s;
}

static int put(struct erasable_file *f, uint64_t cell, uint8_t n)
{
    struct secret key = key_of(n);
    int rc = erasable_file_write(f, cell, &key, NULL);

    secret_free(&key);
    return rc;
}

/* The key's bytes, all alike, or a code. */
static int get(struct erasable_file *f, uint64_t cell)
{
    struct secret key = {0};
    int rc = erasable_file_read(f, cell, &key, NULL), n;

    if (rc != ERR_OK)
        return rc;
    assert_int_equal(key.len, ERASABLE_KEY_LEN);
    n = key.data[0];
    for (size_t i = 0; i < key.len; i++)
        assert_int_equal(key.data[i], n);
    secret_free(&key);
    return n;
}

/* Change one byte of the file. */
static void flip(off_t at)
{
    FILE *file = fopen(path, "r+b");
    int c;

    assert_non_null(file);
    assert_int_equal(fseeko(file, at, SEEK_SET), 0);
    c = fgetc(file);
    assert_int_equal(fseeko(file, at, SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 1, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static int group_setup(void **state)
{
    (void)state;
    /* A new file of 8 MiB is synced some hundred times: better in memory. */
    (void)snprintf(dir, sizeof(dir), "%s/satchel-erasable-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/erasable.keys", dir);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    free(disk.durable);
    (void)unlink(path);
    return rmdir(dir);
}

/* ---- keys and numbers ---- */

static void test_write_read_erase(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cell = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 3, &cell, NULL), ERR_OK);
    assert_int_equal(get(f, cell + 3), ERR_NOTFOUND); /* not given out */
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(put(f, cell + i, (uint8_t)(i + 1)), ERR_OK);
    assert_int_equal(put(f, cell + 3, 9), ERR_INVALID);
    assert_int_equal(put(f, 12, 9), ERR_INVALID);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    f = reopen(f);
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(get(f, cell + i), i + 1);
    assert_int_equal(erasable_file_erase(f, cell + 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, cell + 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, 12, NULL), ERR_OK); /* not ours: ignored */
    assert_int_equal(get(f, cell), 1);
    assert_int_equal(get(f, cell + 1), ERR_EXPIRED);
    assert_int_equal(get(f, cell + 2), 3);
    assert_int_equal(get(f, 12), ERR_NOTFOUND);
    erasable_file_close(f);
}

static void test_erased_bytes_are_gone(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cell = 0;
    struct buf b = {0};
    uint8_t key[ERASABLE_KEY_LEN];

    (void)state;
    memset(key, 0xa7, sizeof(key));
    assert_int_equal(erasable_file_alloc(f, 1, &cell, NULL), ERR_OK);
    assert_int_equal(put(f, cell, 0xa7), ERR_OK);
    assert_int_equal(fs_read(path, 64 << 20, &b, NULL), ERR_OK);
    assert_non_null(memmem(b.data, b.len, key, sizeof(key)));
    assert_int_equal(erasable_file_journal(f, &cell, 1, NULL), ERR_OK);
    assert_int_equal(erasable_file_erase(f, cell, NULL), ERR_OK);
    b.len = 0;
    assert_int_equal(fs_read(path, 64 << 20, &b, NULL), ERR_OK);
    assert_null(memmem(b.data, b.len, key, 8));
    buf_free(&b);
    erasable_file_close(f);
}

static void test_numbers_are_never_used_twice(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t a = 0, b = 0, c = 0, later = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 5, &a, NULL), ERR_OK);
    f = reopen(f);
    assert_int_equal(erasable_file_alloc(f, 5000, &b, NULL), ERR_OK);
    assert_int_equal(b, a + 5); /* closed in order: none is skipped */
    assert_int_equal(put(f, b + 4999, 1), ERR_OK);
    assert_int_equal(erasable_file_alloc(f, 1, &c, NULL), ERR_OK);
    assert_int_equal(c, b + 5000);
    erasable_file_close(f);
    /* The file is lost, and a new one made a second later. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(erasable_file_create(path, NOW + 1000, NULL), ERR_OK);
    f = reopen(NULL);
    assert_int_equal(erasable_file_alloc(f, 1, &later, NULL), ERR_OK);
    assert_true(later > c);
    assert_int_equal(get(f, a), ERR_NOTFOUND);
    assert_int_equal(erasable_file_erase(f, a, NULL), ERR_OK);
    erasable_file_close(f);
}

static void test_regions_are_punched(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cells[300];
    struct stat before, after;
    uint64_t first = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 300, &first, NULL), ERR_OK);
    for (size_t i = 0; i < 300; i++) {
        cells[i] = first + i;
        assert_int_equal(put(f, cells[i], 5), ERR_OK);
    }
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    assert_int_equal(stat(path, &before), 0);
    for (size_t i = 0; i < 255; i++)
        assert_int_equal(erasable_file_erase(f, cells[i], NULL), ERR_OK);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    erasable_file_punch(f, cells, 255);
    assert_int_equal(stat(path, &after), 0);
    /* One whole region, and not the second one, which still has a key. */
    if (after.st_blocks != before.st_blocks)
        assert_int_equal(before.st_blocks - after.st_blocks, 128);
    assert_int_equal(get(f, cells[0]), ERR_EXPIRED);
    assert_int_equal(get(f, cells[254]), ERR_EXPIRED);
    assert_int_equal(get(f, cells[255]), 5);
    f = reopen(f);
    assert_int_equal(get(f, cells[100]), ERR_EXPIRED);
    assert_int_equal(get(f, cells[299]), 5);
    erasable_file_close(f);
}

/* ---- days ---- */

static void test_days(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cell[3] = {0};
    unsigned days = 9;
    bool keyed = true;

    (void)state;
    for (uint32_t d = 0; d < 3; d++) {
        assert_int_equal(erasable_file_day(f, DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
        assert_false(keyed);
        assert_int_equal(get(f, cell[d]), ERR_NOTFOUND);
        assert_int_equal(put(f, cell[d], (uint8_t)(d + 1)), ERR_OK);
        assert_int_equal(erasable_file_day(f, DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
        assert_true(keyed);
    }
    assert_int_equal(erasable_file_day(f, DAY0 - 1, &cell[0], &keyed, NULL), ERR_EXPIRED);
    assert_int_equal(erasable_file_day(f, DAY0 + ERASABLE_DAYS, &cell[0], &keyed, NULL), ERR_LIMIT);
    assert_int_equal(erasable_file_destroy_days(f, NOW + 10, &days, NULL), ERR_OK);
    assert_int_equal(days, 0); /* the day is not over */
    assert_int_equal(get(f, cell[0]), 1);
    assert_int_equal(erasable_file_destroy_days(f, (DAY0 + 1) * day_ms, &days, NULL), ERR_OK);
    assert_int_equal(days, 1);
    assert_int_equal(get(f, cell[0]), ERR_EXPIRED);
    assert_int_equal(get(f, cell[1]), 2);
    assert_int_equal(erasable_file_day(f, DAY0, &cell[0], &keyed, NULL), ERR_EXPIRED);
    f = reopen(f);
    assert_int_equal(erasable_file_day(f, DAY0, &cell[0], &keyed, NULL), ERR_EXPIRED);
    assert_int_equal(get(f, cell[0]), ERR_EXPIRED);
    assert_int_equal(get(f, cell[2]), 3);
    erasable_file_close(f);
}

static void test_clock_jumps_must_be_confirmed(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cell = 0;
    unsigned days = 0;
    bool keyed;

    (void)state;
    assert_int_equal(erasable_file_day(f, DAY0, &cell, &keyed, NULL), ERR_OK);
    assert_int_equal(put(f, cell, 1), ERR_OK);
    assert_int_equal(erasable_file_destroy_days(f, NOW + day_ms + 1, &days, NULL), ERR_REFUSED);
    assert_int_equal(get(f, cell), 1);
    assert_int_equal(erasable_file_time(f), NOW);
    f = reopen(f); /* a restart is no confirmation */
    assert_int_equal(erasable_file_destroy_days(f, NOW + 300 * day_ms, &days, NULL), ERR_REFUSED);
    assert_int_equal(get(f, cell), 1);
    assert_int_equal(erasable_file_destroy_days(f, NOW - 5000, &days, NULL), ERR_OK);
    assert_int_equal(erasable_file_time(f), NOW); /* back in time: nothing happens */
    assert_int_equal(erasable_file_confirm(f, NOW + 300 * day_ms, NULL), ERR_OK);
    assert_int_equal(get(f, cell), 1); /* confirming destroys nothing yet */
    assert_int_equal(erasable_file_destroy_days(f, NOW + 300 * day_ms + 1, &days, NULL), ERR_OK);
    assert_int_equal(days, 1);
    assert_int_equal(get(f, cell), ERR_EXPIRED);
    /* Exactly 24 hours are no jump. */
    assert_int_equal(erasable_file_destroy_days(f, NOW + 301 * day_ms + 1, &days, NULL), ERR_OK);
    erasable_file_close(f);
}

/* ---- damage ---- */

static void test_open_refuses(void **state)
{
    struct erasable_file *f = NULL, *second = NULL;
    struct err err = {0};

    (void)state;
    (void)unlink(path);
    assert_int_equal(erasable_file_open(&f, path, &err), ERR_NOTFOUND);
    assert_int_equal(fs_create(path, "something else", 14, 0600, NULL), ERR_OK);
    assert_int_equal(erasable_file_open(&f, path, &err), ERR_CORRUPT);
    assert_int_equal(erasable_file_create(path, NOW, NULL), ERR_EXISTS);
    f = fresh();
    assert_int_equal(erasable_file_open(&second, path, &err), ERR_BUSY);
    erasable_file_close(f);
    /* The only header there is so far is the second one. */
    for (off_t at = 0; at < 80; at += 7) {
        flip(ERASABLE_HEADER_STEP + at);
        assert_int_equal(erasable_file_open(&second, path, &err), ERR_CORRUPT);
        flip(ERASABLE_HEADER_STEP + at);
    }
    assert_int_equal(truncate(path, 100000), 0);
    assert_int_equal(erasable_file_open(&second, path, &err), ERR_CORRUPT);
    assert_null(second);
}

static void test_newer_version_is_refused(void **state)
{
    struct erasable_file *f = fresh();
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
    assert_int_equal(erasable_file_open(&f, path, NULL), ERR_UNSUPPORTED);
}

static void test_a_damaged_newest_header_repeats_no_number(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t a = 0, b = 0;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 1, &a, NULL), ERR_OK);    /* header 2, in place 0 */
    assert_int_equal(erasable_file_alloc(f, 2000, &a, NULL), ERR_OK); /* header 3, in place 1 */
    assert_int_equal(put(f, a + 1900, 7), ERR_OK);
    assert_int_equal(erasable_file_sync(f, NULL), ERR_OK);
    flip(ERASABLE_HEADER_STEP + 33);
    /* As after a crash: closing would write a header. */
    disk_watch(1);
    erasable_file_close(f);
    disk.watching = false;
    f = reopen(NULL);
    assert_int_equal(get(f, a + 1900), 7);
    assert_int_equal(erasable_file_alloc(f, 1, &b, NULL), ERR_OK);
    assert_true(b > a + 1900);
    erasable_file_close(f);
}

static void test_damaged_cells_give_no_key(void **state)
{
    struct erasable_file *f = fresh();
    uint64_t cell = 0, day = 0, index;
    bool keyed = true;

    (void)state;
    assert_int_equal(erasable_file_alloc(f, 1, &cell, NULL), ERR_OK);
    index = cell - f->first;
    for (unsigned at = 0; at < 52; at++) {
        assert_int_equal(put(f, cell, 1), ERR_OK);
        flip((off_t)erasable_block_place(index) + (off_t)at);
        assert_int_equal(get(f, cell), ERR_CORRUPT);
    }
    assert_int_equal(erasable_file_erase(f, cell, NULL), ERR_OK);
    assert_int_equal(get(f, cell), ERR_EXPIRED);
    /* A day whose key is damaged gets another one, and is destroyed in the end. */
    assert_int_equal(erasable_file_day(f, DAY0, &day, &keyed, NULL), ERR_OK);
    assert_int_equal(put(f, day, 1), ERR_OK);
    flip((off_t)erasable_block_place(0) + 20);
    assert_int_equal(erasable_file_day(f, DAY0, &day, &keyed, NULL), ERR_OK);
    assert_false(keyed);
    erasable_file_close(f);
}

/* ---- power cuts ---- */

/* Allocate and write three keys, twice, the second time through growth: cut everywhere. */
static void test_cut_while_writing(void **state)
{
    unsigned calls = 1;

    (void)state;
    for (unsigned at = 1; at <= calls; at++) {
        for (unsigned which = 0; which < CASES; which++) {
            struct erasable_file *f = fresh();
            uint64_t cell[2] = {0}, last = 0, next = 0;
            bool acked[2] = {false};
            int rc = ERR_OK;

            disk_watch(at);
            for (unsigned k = 0; k < 2 && rc == ERR_OK; k++) {
                rc = erasable_file_alloc(f, k == 0 ? 3 : 1023, &cell[k], NULL);
                if (rc == ERR_OK)
                    last = cell[k] + (k == 0 ? 2 : 1022);
                for (unsigned i = 0; i < 3 && rc == ERR_OK; i++)
                    rc = put(f, cell[k] + i, (uint8_t)(10 * k + i));
                if (rc == ERR_OK)
                    rc = erasable_file_sync(f, NULL);
                acked[k] = rc == ERR_OK;
            }
            calls = rc == ERR_OK ? calls : calls > at + 1 ? calls : at + 1;
            disk.cut_at = 1; /* closing is too late as well */
            erasable_file_close(f);
            disk_reboot(which);
            f = reopen(NULL);
            for (unsigned k = 0; k < 2; k++)
                for (unsigned i = 0; i < 3 && cell[k] != 0; i++) {
                    int n = get(f, cell[k] + i);

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
            struct erasable_file *f = fresh();
            uint64_t cell = 0, cells[3];
            bool journaled, acked;
            int rc;

            assert_int_equal(erasable_file_alloc(f, 4, &cell, NULL), ERR_OK);
            for (uint8_t i = 0; i < 4; i++)
                assert_int_equal(put(f, cell + i, i), ERR_OK);
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
            f = reopen(NULL);
            for (unsigned i = 0; i < 3; i++) {
                int n = get(f, cells[i]);

                if (journaled || n < 0)
                    assert_int_equal(n, ERR_EXPIRED);
                else
                    assert_int_equal(n, i);
            }
            assert_int_equal(get(f, cell + 3), 3);
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
            struct erasable_file *f = fresh();
            uint64_t cell[3] = {0};
            unsigned days = 0;
            bool acked, keyed;
            int rc;

            for (uint32_t d = 0; d < 3; d++) {
                assert_int_equal(erasable_file_day(f, DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
                assert_int_equal(put(f, cell[d], (uint8_t)d), ERR_OK);
            }
            assert_int_equal(erasable_file_confirm(f, (DAY0 + 2) * day_ms - 1, NULL), ERR_OK);
            disk_watch(at);
            rc = erasable_file_destroy_days(f, (DAY0 + 2) * day_ms, &days, NULL);
            acked = rc == ERR_OK;
            calls = acked ? calls : calls > at + 1 ? calls : at + 1;
            disk.cut_at = 1;
            erasable_file_close(f);
            disk_reboot(which);
            f = reopen(NULL);
            for (unsigned d = 0; d < 2; d++) {
                int n = get(f, cell[d]);

                if (acked || n < 0)
                    assert_int_equal(n, ERR_EXPIRED);
                else
                    assert_int_equal(n, d);
            }
            assert_int_equal(get(f, cell[2]), 2);
            /* It can always be finished. */
            assert_int_equal(erasable_file_destroy_days(f, (DAY0 + 2) * day_ms + 1, &days, NULL),
                             ERR_OK);
            assert_int_equal(get(f, cell[0]), ERR_EXPIRED);
            assert_int_equal(get(f, cell[1]), ERR_EXPIRED);
            erasable_file_close(f);
        }
    }
    assert_int_equal(calls, 6);
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
        cmocka_unit_test(test_a_damaged_newest_header_repeats_no_number),
        cmocka_unit_test(test_damaged_cells_give_no_key),
        cmocka_unit_test(test_cut_while_writing),
        cmocka_unit_test(test_cut_while_erasing),
        cmocka_unit_test(test_cut_while_destroying_days),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
