/* SPDX-License-Identifier: Apache-2.0 */
/* erasable_file and power cuts, and syncs that fail, on the disk of sectors.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/erasable_keys.h"
#include "tests/unit/sectors.h"

enum { CASES = 3 };

/* The file as it is now counts as durable; the ${cut_at}-th write or sync from here on fails. */
static void watch(unsigned cut_at)
{
    sectors_watch(keys_path);
    sectors_cut_at(cut_at);
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
    watch(1);
    erasable_file_close(f);
    sectors_cut_at(0);
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

            watch(at);
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
            sectors_cut_at(1); /* closing is too late as well */
            erasable_file_close(f);
            sectors_reboot(which);
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
            watch(at);
            rc = erasable_file_journal(f, cells, 3, NULL);
            journaled = rc == ERR_OK;
            for (unsigned i = 0; i < 3 && rc == ERR_OK; i++)
                rc = erasable_file_erase(f, cells[i], NULL);
            if (rc == ERR_OK)
                rc = erasable_file_sync(f, NULL);
            acked = rc == ERR_OK;
            calls = acked ? calls : calls > at + 1 ? calls : at + 1;
            sectors_cut_at(1);
            erasable_file_close(f);
            sectors_reboot(which);
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
            watch(at);
            rc = erasable_file_destroy_days(f, (KEYS_DAY0 + 2) * KEYS_DAY_MS, &days, NULL);
            acked = rc == ERR_OK;
            calls = acked ? calls : calls > at + 1 ? calls : at + 1;
            sectors_cut_at(1);
            erasable_file_close(f);
            sectors_reboot(which);
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

/* The sync of a destruction fails: doing it again must write it again, whatever is read by then. */
static void test_a_lost_sync_while_destroying_days(void **state)
{
    unsigned syncs = 1;

    (void)state;
    for (unsigned at = 1; at <= syncs; at++) {
        struct erasable_file *f = keys_fresh();
        uint64_t cell[3] = {0}, now = (KEYS_DAY0 + 2) * KEYS_DAY_MS;
        unsigned days = 0;
        bool keyed;

        for (uint32_t d = 0; d < 3; d++) {
            assert_int_equal(erasable_file_day(f, KEYS_DAY0 + d, &cell[d], &keyed, NULL), ERR_OK);
            assert_int_equal(keys_put(f, cell[d], (uint8_t)d), ERR_OK);
        }
        assert_int_equal(erasable_file_confirm(f, now - 1, NULL), ERR_OK);
        sectors_watch(keys_path);
        sectors_lose_at(at);
        if (erasable_file_destroy_days(f, now, &days, NULL) != ERR_OK)
            assert_int_equal(erasable_file_destroy_days(f, now + 1, &days, NULL), ERR_OK);
        syncs = at == 1 ? sectors_syncs() : syncs;
        sectors_freeze();
        erasable_file_close(f);
        sectors_reboot(0);
        f = keys_reopen(NULL);
        assert_int_equal(keys_get(f, cell[0]), ERR_EXPIRED);
        assert_int_equal(keys_get(f, cell[1]), ERR_EXPIRED);
        assert_int_equal(keys_get(f, cell[2]), 2);
        erasable_file_close(f);
    }
    assert_in_range(syncs, 2, 4);
}

static int teardown(void **state)
{
    sectors_free();
    return keys_teardown(state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_damaged_newest_header_repeats_no_number),
        cmocka_unit_test(test_cut_while_writing),
        cmocka_unit_test(test_cut_while_erasing),
        cmocka_unit_test(test_cut_while_destroying_days),
        cmocka_unit_test(test_a_lost_sync_while_destroying_days),
    };

    return cmocka_run_group_tests(tests, keys_setup, teardown);
}
