/* SPDX-License-Identifier: Apache-2.0 */
/* table, rate, count, uploads: what the daemon's limits are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/count.h"
#include "server/rate.h"
#include "server/table.h"
#include "server/uploads.h"

/* ---- table ---- */

static void test_table_against_a_plain_array(void **state)
{
    enum { KEYS = 500 };
    static bool there[KEYS];
    struct table *t = NULL;
    uint32_t x = 1;
    size_t n = 0;

    (void)state;
    assert_int_equal(table_new(&t, sizeof(uint64_t), NULL), ERR_OK);
    for (int step = 0; step < 20000; step++) {
        uint32_t key;
        uint64_t *v;

        x = x * 1664525 + 1013904223;
        key = (x >> 8) % KEYS;
        v = table_get(t, &key, sizeof(key));
        assert_int_equal(v != NULL, there[key]);
        if (v != NULL)
            assert_int_equal(*v, key + 7);
        if (x >> 31) {
            v = table_add(t, &key, sizeof(key));
            assert_non_null(v);
            assert_int_equal(*v, there[key] ? key + 7 : 0);
            *v = key + 7;
            n += !there[key];
            there[key] = true;
        } else {
            table_remove(t, &key, sizeof(key));
            n -= there[key];
            there[key] = false;
        }
        assert_int_equal(table_len(t), n);
    }
    table_free(t);
}

static void test_table_keys_of_different_length(void **state)
{
    struct table *t = NULL;
    uint8_t longest[TABLE_KEY_MAX + 1] = {0};

    (void)state;
    assert_int_equal(table_new(&t, 1, NULL), ERR_OK);
    assert_non_null(table_add(t, "a", 1));
    assert_null(table_get(t, "a\0", 2));
    assert_non_null(table_add(t, "", 0));
    assert_int_equal(table_len(t), 2);
    assert_non_null(table_add(t, longest, TABLE_KEY_MAX));
    assert_null(table_add(t, longest, TABLE_KEY_MAX + 1));
    assert_null(table_get(t, longest, TABLE_KEY_MAX + 1));
    table_remove(t, longest, TABLE_KEY_MAX + 1);
    table_remove(t, "never there", 11);
    assert_int_equal(table_len(t), 3);
    table_free(t);
    table_free(NULL);
}

static void test_table_walk_with_removal(void **state)
{
    struct table *t = NULL;
    size_t pos = 0, seen = 0;
    uint32_t *v;

    (void)state;
    assert_int_equal(table_new(&t, sizeof(*v), NULL), ERR_OK);
    assert_null(table_next(t, &pos));
    for (uint32_t i = 0; i < 100; i++)
        *(uint32_t *)table_add(t, &i, sizeof(i)) = i;
    for (pos = 0; (v = table_next(t, &pos)) != NULL;)
        if (*v % 2 == 0)
            table_remove_at(t, &pos);
    /* One that wraps round the end may be met a second time, none is skipped. */
    for (pos = 0; (v = table_next(t, &pos)) != NULL; seen++)
        assert_int_equal(*v % 2, 1);
    assert_int_equal(seen, 50);
    table_free(t);
}

/* ---- rate ---- */

static void test_a_bucket(void **state)
{
    const struct rate r = {10, 1000};
    struct rate_bucket b = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(&b, &r, 1, 5000), 0);
    assert_int_equal(rate_take(&b, &r, 1, 5000), 100);
    assert_int_equal(rate_take(&b, &r, 1, 5099), 1);
    assert_int_equal(rate_take(&b, &r, 1, 5100), 0);
    assert_int_equal(rate_take(&b, &r, 1, 5100), 100);
    for (int i = 0; i < 10; i++) /* full again after a rest, and not fuller */
        assert_int_equal(rate_take(&b, &r, 1, 9000), 0);
    assert_true(rate_take(&b, &r, 1, 9000) > 0);
    assert_true(rate_take(&b, &r, 1, 8000) > 0); /* time does not run backwards */
}

/* Who is refused several at once loses none of those that are left. */
static void test_several_at_once(void **state)
{
    const struct rate r = {10, 1000};
    struct rate_bucket b = {0};

    (void)state;
    assert_int_equal(rate_take(&b, &r, 4, 5000), 0);
    assert_int_equal(rate_take(&b, &r, 4, 5000), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_take(&b, &r, 4, 5000), 200); /* two are left, two more it takes */
    assert_int_equal(rate_take(&b, &r, 2, 5000), 0);
    assert_int_equal(rate_take(&b, &r, 1, 5000), 100);
    assert_int_equal(rate_take(&b, &r, 4, 5399), 1);
    assert_int_equal(rate_take(&b, &r, 4, 5400), 0);
    /* More than there ever are: all. */
    assert_int_equal(rate_take(&b, &r, UINT64_MAX, 9000), 0);
    assert_int_equal(rate_take(&b, &r, 1, 9000), 100);
}

/* Who may wait leaves something to who is refused. */
static void test_what_is_spare(void **state)
{
    const struct rate r = {8, 1000};
    struct rate_table *t = NULL;
    uint8_t key[4] = {1};

    (void)state;
    assert_int_equal(rate_table_new(&t, 1, NULL), ERR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rate_table_spare(t, &r, 3, PART_OF(key), 5000), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rate_table_spare(t, &r, 1, PART_OF(key), 5000), 125);
    assert_int_equal(rate_table_take(t, &r, 2, PART_OF(key), 5000), 0);
    assert_int_equal(rate_table_take(t, &r, 1, PART_OF(key), 5000), 125);
    assert_int_equal(rate_table_spare(t, &r, 1, PART_OF(key), 5374), 1);
    assert_int_equal(rate_table_spare(t, &r, 1, PART_OF(key), 5375), 0);
    /* More than there ever are: all that are spare. */
    assert_int_equal(rate_table_spare(t, &r, UINT64_MAX, PART_OF(key), 9000), 0);
    assert_int_equal(rate_table_spare(t, &r, 1, PART_OF(key), 9000), 125);
    assert_int_equal(rate_table_take(t, &r, 2, PART_OF(key), 9000), 0);
    key[0]++; /* the table is full */
    assert_true(rate_table_spare(t, &r, 1, PART_OF(key), 9000) > 0);
    rate_table_free(t);
}

static void test_a_large_bucket_does_not_overflow(void **state)
{
    const struct rate r = {100000, 3600000};
    struct rate_bucket b = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_int_equal(rate_take(&b, &r, 1, 1), 0);
    assert_true(rate_take(&b, &r, 1, 1) > 0);
    assert_int_equal(rate_take(&b, &r, 1, UINT64_MAX - 1), 0);
}

static void test_buckets_of_keys(void **state)
{
    const struct rate r = {2, 1000};
    struct rate_table *t = NULL;

    (void)state;
    assert_int_equal(rate_table_new(&t, 3, NULL), ERR_OK);
    for (int i = 0; i < 2; i++)
        for (const char *k = "abc"; *k != '\0'; k++)
            assert_int_equal(rate_table_take(t, &r, 1, part(k, 1), 0), 0);
    assert_true(rate_table_take(t, &r, 1, part("a", 1), 0) > 0);
    /* Full of keys that are in use: nobody else. */
    assert_true(rate_table_take(t, &r, 1, part("d", 1), 0) > 0);
    assert_true(rate_table_take(t, &r, 1, part("d", 1), 999) > 0);
    /* They are at rest again and make room. */
    assert_int_equal(rate_table_take(t, &r, 1, part("d", 1), 1001), 0);
    assert_int_equal(rate_table_take(t, &r, 1, part("a", 1), 1001), 0);
    rate_table_free(t);
    rate_table_free(NULL);
}

/* ---- count ---- */

static void test_count(void **state)
{
    struct count *c = NULL;

    (void)state;
    assert_int_equal(count_new(&c, NULL), ERR_OK);
    assert_int_equal(count_up(c, "a", 1, 2), ERR_OK);
    assert_int_equal(count_up(c, "a", 1, 2), ERR_OK);
    assert_int_equal(count_up(c, "a", 1, 2), ERR_LIMIT);
    assert_int_equal(count_up(c, "b", 1, 0), ERR_LIMIT);
    count_down(c, "a", 1);
    assert_int_equal(count_up(c, "a", 1, 2), ERR_OK);
    count_down(c, "a", 1);
    count_down(c, "a", 1);
    count_down(c, "a", 1); /* holds none: nothing happens */
    assert_int_equal(count_up(c, "a", 1, 1), ERR_OK);
    count_free(c);
    count_free(NULL);
}

/* ---- uploads ---- */

static struct uploads_entry entry(uint8_t number, uint64_t lease)
{
    struct uploads_entry e = {.lease = lease};

    memset(e.tid.b, number, sizeof(e.tid.b));
    memset(e.key, 0x80 + number, sizeof(e.key));
    return e;
}

static void test_uploads(void **state)
{
    const struct uid alice = {{1}}, bob = {{2}};
    struct uploads *u = NULL;
    struct uploads_entry e;

    (void)state;
    assert_int_equal(uploads_new(&u, NULL), ERR_OK);
    for (uint8_t i = 0; i < 5; i++) {
        e = entry(i, 1000 + i);
        assert_int_equal(uploads_check(u, &alice, &e, 5, 0), ERR_OK);
        uploads_add(u, &alice, &e);
        uploads_add(u, &alice, &e); /* goes on: counts once */
    }
    e = entry(9, 2000);
    assert_int_equal(uploads_check(u, &alice, &e, 5, 0), ERR_LIMIT);
    assert_int_equal(uploads_check(u, &bob, &e, 5, 0), ERR_OK);
    e = entry(3, 2000); /* one that is known may go on at the limit */
    assert_int_equal(uploads_check(u, &alice, &e, 5, 0), ERR_OK);
    uploads_remove(u, &alice, &e.tid);
    uploads_remove(u, &alice, &e.tid);
    uploads_remove(u, &bob, &e.tid);
    e = entry(9, 2000);
    assert_int_equal(uploads_check(u, &alice, &e, 5, 0), ERR_OK);
    uploads_add(u, &alice, &e);
    assert_int_equal(uploads_check(u, &alice, &(struct uploads_entry){0}, 5, 999), ERR_LIMIT);
    assert_int_equal(uploads_check(u, &alice, &(struct uploads_entry){0}, 5, 1000), ERR_OK);
    assert_int_equal(uploads_check(u, &alice, &(struct uploads_entry){0}, 1, 5000), ERR_OK);
    uploads_free(u);
    uploads_free(NULL);
}

/* Each piece renews its upload: it counts until the new end, the others until theirs. */
static void test_a_renewed_upload_counts_on(void **state)
{
    const struct uid alice = {{1}}, bob = {{2}};
    const struct uploads_entry renewed = entry(1, 1000), other = entry(2, 1000),
                               next = entry(3, 9000);
    struct uploads *u = NULL;

    (void)state;
    assert_int_equal(uploads_new(&u, NULL), ERR_OK);
    uploads_add(u, &alice, &renewed);
    uploads_add(u, &alice, &other);
    uploads_renew(u, &alice, &renewed.tid, 3000);
    uploads_renew(u, &alice, &renewed.tid, 10); /* never earlier */
    uploads_renew(u, &alice, &next.tid, 3000);  /* what nobody began is not counted */
    uploads_renew(u, &bob, &renewed.tid, 3000); /* nor somebody else's */
    assert_int_equal(uploads_check(u, &bob, &next, 1, 0), ERR_OK);
    assert_int_equal(uploads_check(u, &alice, &next, 2, 999), ERR_LIMIT);
    assert_int_equal(uploads_check(u, &alice, &next, 1, 2999), ERR_LIMIT);
    assert_int_equal(uploads_check(u, &alice, &next, 2, 2999), ERR_OK); /* the other is over */
    uploads_add(u, &alice, &next);
    assert_int_equal(uploads_check(u, &alice, &other, 2, 2999), ERR_LIMIT);
    assert_int_equal(uploads_check(u, &alice, &renewed, 2, 2999), ERR_OK); /* may go on */
    assert_int_equal(uploads_check(u, &alice, &other, 2, 3000), ERR_OK);
    assert_int_equal(uploads_check(u, &alice, &other, 1, 3000), ERR_LIMIT);
    uploads_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_against_a_plain_array),
        cmocka_unit_test(test_table_keys_of_different_length),
        cmocka_unit_test(test_table_walk_with_removal),
        cmocka_unit_test(test_a_bucket),
        cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_what_is_spare),
        cmocka_unit_test(test_a_large_bucket_does_not_overflow),
        cmocka_unit_test(test_buckets_of_keys),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_a_renewed_upload_counts_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
