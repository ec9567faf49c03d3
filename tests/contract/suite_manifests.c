/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, recoveries, and what was under way when one came. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

static struct store_blob text(const char *s)
{
    return (struct store_blob){(const uint8_t *)s, strlen(s)};
}

/* Behind the one that is there, of user 1. */
static void put_next(struct harness *h, struct store_manifest_put *put)
{
    harness_manifest(h, 1, put->seq - 1, put->before);
    ASSERT_FRESH(h, DO(h, manifest_put, put, ERR_OK));
}

/* As a recovery that has seen all of those of user 1, up to the newest, ${newest}. */
static void recover_at(struct harness *h, struct store_manifest_put *put, uint64_t newest)
{
    put->newest = newest;
    harness_manifest(h, 1, newest, put->newest_hash);
    put_next(h, put);
}

static void test_manifests(void **state)
{
    struct harness *h = *state;
    struct store_manifest_put put = {.now = T0 + 1, .bytes = {(const uint8_t *)"second", 6}};
    struct store_manifest_list list = {.from = 1};
    struct store_result *res;

    harness_user(h, 1, 1);
    harness_uid(1, put.uid);
    harness_uid(1, list.uid);
    put.seq = 3;
    (void)DO(h, manifest_put, &put, ERR_BADSTATE);
    put.seq = 1;
    (void)DO(h, manifest_put, &put, ERR_EXISTS);
    put.seq = 2;
    (void)DO(h, manifest_put, &put, ERR_BADSTATE); /* it does not say which one it follows */
    harness_manifest(h, 1, 1, put.before);
    ASSERT_FRESH(h, DO(h, manifest_put, &put, ERR_OK));
    assert_true(DO(h, manifest_put, &put, ERR_OK)->duplicate);
    res = DO(h, manifest_list, &list, ERR_OK);
    assert_int_equal(res->count, 2);
    assert_int_equal(res->u.manifests[1].seq, 2);
    assert_int_equal(res->u.manifests[1].stored, T0 + 1);
    assert_memory_equal(res->u.manifests[1].bytes.data, "second", 6);
    assert_memory_equal(res->u.manifests[0].bytes.data, "manifest", 8);
    list.from = 2;
    list.limit = 1;
    res = DO(h, manifest_list, &list, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_false(res->more);
    harness_uid(2, put.uid);
    (void)DO(h, manifest_put, &put, ERR_NOTFOUND);
    harness_uid(2, list.uid);
    (void)DO(h, manifest_list, &list, ERR_NOTFOUND);
}

/* A recovery goes back behind an earlier manifest; those that follow it are gone. */
static void test_a_recovery_goes_back(void **state)
{
    struct harness *h = *state;
    struct store_manifest_put put = {.now = T0 + 1, .bytes = {(const uint8_t *)"later", 5}};
    struct store_account_put record = {
        .number = 1, .now = T0, .bytes = {(const uint8_t *)"record", 6}};
    struct store_account_get old = {.bytes = true};
    struct store_manifest_list list = {.from = 1};
    struct store_user_get get = {.by = STORE_BY_UID};
    struct store_result *res;

    harness_user(h, 1, 1);
    harness_uid(1, put.uid);
    harness_uid(1, list.uid);
    harness_uid(1, get.uid);
    harness_uid(1, record.uid);
    harness_uid(1, old.uid);
    for (put.seq = 2; put.seq <= 9; put.seq++)
        put_next(h, &put);
    put.bytes = (struct store_blob){(const uint8_t *)"recovered", 9};
    put.seq = 3;
    harness_manifest(h, 1, 2, put.before);
    harness_manifest(h, 1, 9, put.newest_hash);
    put.newest = 8; /* another one came meanwhile */
    (void)DO(h, manifest_put, &put, ERR_BADSTATE);
    put.newest = 10;
    (void)DO(h, manifest_put, &put, ERR_BADSTATE);
    put.newest = 9;
    harness_manifest(h, 1, 9, record.newest);
    (void)DO(h, account_put, &record, ERR_OK);
    put.seq = 1; /* the first one stays */
    (void)DO(h, manifest_put, &put, ERR_BADSTATE);
    put.seq = 11;
    (void)DO(h, manifest_put, &put, ERR_BADSTATE);
    put.seq = 3;
    ASSERT_FRESH(h, DO(h, manifest_put, &put, ERR_OK));
    assert_true(DO(h, manifest_put, &put, ERR_OK)->duplicate);
    assert_int_equal(DO(h, user_get, &get, ERR_OK)->u.user.manifest_seq, 3);
    res = DO(h, manifest_list, &list, ERR_OK);
    assert_int_equal(res->count, 3);
    assert_memory_equal(res->u.manifests[1].bytes.data, "later", 5);
    assert_memory_equal(res->u.manifests[2].bytes.data, "recovered", 9);
    /* The account record stays, too; the next one has number 1 again. */
    res = DO(h, account_get, &old, ERR_OK);
    assert_int_equal(res->u.account.number, 0);
    assert_memory_equal(res->u.account.bytes.data, "record", 6);
    harness_manifest(h, 1, 3, record.newest);
    record.number = 2;
    (void)DO(h, account_put, &record, ERR_BADSTATE);
    record.number = 1;
    ASSERT_FRESH(h, DO(h, account_put, &record, ERR_OK));
    assert_int_equal(DO(h, account_get, &old, ERR_OK)->u.account.number, 1);
    /* Or behind the newest, like any other. */
    put.seq = 4;
    recover_at(h, &put, 3);
    put.newest = 0;
    put.seq = 5;
    put_next(h, &put);
}

/* A page of large rows ends by its bytes, and goes on behind its last row. */
static void test_pages_are_bounded_by_bytes(void **state)
{
    struct harness *h = *state;
    static uint8_t big[STORE_MANIFEST_MAX];
    struct store_manifest_put put = {.now = T0, .bytes = {big, sizeof(big)}};
    struct store_manifest_list list = {.from = 1};
    struct store_result *res;
    size_t seen = 0;
    int pages = 0;

    harness_user(h, 1, 1);
    harness_uid(1, put.uid);
    harness_uid(1, list.uid);
    for (put.seq = 2; put.seq <= 60; put.seq++)
        put_next(h, &put);
    do {
        res = DO(h, manifest_list, &list, ERR_OK);
        assert_in_range(res->count, 1, 25);
        assert_int_equal(res->u.manifests[0].seq, list.from);
        seen += res->count;
        list.from += res->count;
        pages++;
    } while (res->more);
    assert_int_equal(seen, 60);
    assert_in_range(pages, 3, 6);
}

static uint64_t newest_of(struct harness *h)
{
    struct store_user_get get = {.by = STORE_BY_UID};

    harness_uid(1, get.uid);
    return DO(h, user_get, &get, ERR_OK)->u.user.manifest_seq;
}

/* What followed a manifest that a recovery has taken away does not come back under its number. */
static void test_numbers_come_again(void **state)
{
    struct harness *h = *state;
    struct store_manifest_put second = {.seq = 2, .now = T0, .bytes = text("second")};
    struct store_manifest_put third = {.seq = 3, .now = T0, .bytes = text("third")};
    struct store_manifest_put back = {.seq = 2, .now = T0, .bytes = text("recovered")};
    struct store_manifest_put resent;

    harness_user(h, 1, 1);
    harness_uid(1, second.uid);
    harness_uid(1, third.uid);
    harness_uid(1, back.uid);
    put_next(h, &second);
    put_next(h, &third);
    resent = third;
    resent.again = true;
    memset(resent.before, 0, sizeof(resent.before));
    assert_true(DO(h, manifest_put, &resent, ERR_OK)->duplicate);
    recover_at(h, &back, 3);
    (void)DO(h, manifest_put, &resent, ERR_BADSTATE);
    (void)DO(h, manifest_put, &third, ERR_BADSTATE);
    harness_manifest(h, 1, 2, resent.before); /* even so: nobody has checked it */
    (void)DO(h, manifest_put, &resent, ERR_BADSTATE);
    assert_int_equal(newest_of(h), 2);
    third.bytes = text("of the new device");
    put_next(h, &third);
    (void)DO(h, manifest_put, &resent, ERR_EXISTS);
    assert_int_equal(newest_of(h), 3);
}

/* Of two recoveries that have seen the same, one has to look anew, whatever the numbers are. */
static void test_recoveries_at_once(void **state)
{
    struct harness *h = *state;
    struct store_manifest_put next = {.seq = 2, .now = T0, .bytes = text("second")};
    struct store_manifest_put one = {.seq = 2, .now = T0, .bytes = text("one")};
    struct store_manifest_put other = {.seq = 3, .now = T0, .newest = 2, .bytes = text("other")};

    harness_user(h, 1, 1);
    harness_uid(1, next.uid);
    harness_uid(1, one.uid);
    harness_uid(1, other.uid);
    put_next(h, &next);
    harness_manifest(h, 1, 2, other.before);
    harness_manifest(h, 1, 2, other.newest_hash);
    recover_at(h, &one, 2);
    (void)DO(h, manifest_put, &other, ERR_BADSTATE);
    other.seq = 2; /* in its place */
    harness_manifest(h, 1, 1, other.before);
    (void)DO(h, manifest_put, &other, ERR_BADSTATE);
    other.seq = 3;
    harness_manifest(h, 1, 2, other.newest_hash); /* the newest is known, what it follows is not */
    (void)DO(h, manifest_put, &other, ERR_BADSTATE);
    assert_int_equal(newest_of(h), 2);
    recover_at(h, &other, 2);
    assert_int_equal(newest_of(h), 3);
}

/* The first number after a recovery is for who has seen the recovery. */
static void test_records_of_before(void **state)
{
    struct harness *h = *state;
    struct store_account_put old = {.number = 1, .now = T0, .bytes = text("of before")};
    struct store_account_put record = {.number = 1, .now = T0, .bytes = text("record")};
    struct store_manifest_put next = {.seq = 2, .now = T0, .bytes = text("second")};

    harness_user(h, 1, 1);
    harness_uid(1, old.uid);
    harness_uid(1, record.uid);
    harness_uid(1, next.uid);
    harness_manifest(h, 1, 1, old.newest);
    recover_at(h, &next, 1);
    (void)DO(h, account_put, &old, ERR_BADSTATE); /* there was none */
    harness_manifest(h, 1, 2, record.newest);
    ASSERT_FRESH(h, DO(h, account_put, &record, ERR_OK));
    assert_true(DO(h, account_put, &record, ERR_OK)->duplicate);
    (void)DO(h, account_put, &old, ERR_EXISTS);
    next.bytes = text("again");
    harness_manifest(h, 1, 2, old.newest);
    recover_at(h, &next, 2); /* in its place: the newest has the same number */
    (void)DO(h, account_put, &old, ERR_BADSTATE);
    record.number = 2;
    (void)DO(h, account_put, &record, ERR_BADSTATE);
    record.number = 1;
    harness_manifest(h, 1, 2, record.newest);
    ASSERT_FRESH(h, DO(h, account_put, &record, ERR_OK));
}

/* It goes with the manifests that a recovery takes away, and who had read it writes nothing. */
static void test_a_factor_goes(void **state)
{
    struct harness *h = *state;
    struct store_manifest_put next = {.seq = 2, .now = T0, .bytes = text("second")};
    struct store_factor_put put = {.number = 1, .bytes = text("sealed")};
    struct store_factor_get get;
    struct store_factor *f;

    harness_user(h, 1, 1);
    harness_uid(1, next.uid);
    harness_uid(1, put.uid);
    harness_uid(1, get.uid);
    next.drop_factor = true;
    harness_manifest(h, 1, 1, next.before);
    (void)DO(h, manifest_put, &next, ERR_INVALID); /* it is no recovery */
    recover_at(h, &next, 1);                       /* there is none */
    (void)DO(h, factor_get, &get, ERR_NOTFOUND);
    (void)DO(h, factor_put, &put, ERR_OK);
    assert_true(DO(h, manifest_put, &next, ERR_OK)->duplicate); /* nothing happens again */
    assert_int_equal(DO(h, factor_get, &get, ERR_OK)->u.factor.bytes.len, 6);
    next.bytes = text("third");
    next.seq = 3;
    next.drop_factor = false;
    recover_at(h, &next, 2);
    assert_int_equal(DO(h, factor_get, &get, ERR_OK)->u.factor.bytes.len, 6);
    next.bytes = text("fourth");
    next.seq = 4;
    next.drop_factor = true;
    recover_at(h, &next, 3);
    f = &DO(h, factor_get, &get, ERR_OK)->u.factor;
    assert_true(f->number == 2 && f->bytes.len == 0);
    put.number = 2;
    (void)DO(h, factor_put, &put, ERR_BADSTATE);
    next.bytes = text("fifth");
    next.seq = 5;
    recover_at(h, &next, 4); /* gone already */
    assert_int_equal(DO(h, factor_get, &get, ERR_OK)->u.factor.number, 2);
}

int suite_manifests(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_manifests),          TEST(test_a_recovery_goes_back),
        TEST(test_numbers_come_again), TEST(test_recoveries_at_once),
        TEST(test_records_of_before),  TEST(test_pages_are_bounded_by_bytes),
        TEST(test_a_factor_goes),
    };

    return cmocka_run_group_tests_name("manifests", tests, NULL, NULL);
}
