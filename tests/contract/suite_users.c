/* SPDX-License-Identifier: Apache-2.0 */
/* Users and invitations. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

static struct store_user_create create(unsigned n, const char *name, const char *email)
{
    struct store_user_create in = {.name = name,
                                   .email = email,
                                   .manifest = {(const uint8_t *)"manifest", 8},
                                   .manifest_seq = 1,
                                   .quota = 1000,
                                   .now = T0};

    harness_uid(n, in.uid);
    return in;
}

static void test_create_and_find(void **state)
{
    struct harness *h = *state;
    struct store_user_create in = create(1, "alice", "alice@example.org");
    struct store_user_get get = {.by = STORE_BY_UID};
    struct store_result *res;

    res = DO(h, user_create, &in, ERR_OK);
    ASSERT_FRESH(h, res);
    harness_uid(1, get.uid);
    for (int by = STORE_BY_UID; by <= STORE_BY_EMAIL; by++) {
        get.by = (enum store_user_by)by;
        get.text = by == STORE_BY_NAME ? "alice" : "alice@example.org";
        res = DO(h, user_get, &get, ERR_OK);
        assert_memory_equal(res->u.user.uid, in.uid, STORE_UID_LEN);
        assert_string_equal(res->u.user.name, "alice");
        assert_string_equal(res->u.user.email, "alice@example.org");
        assert_int_equal(res->u.user.state, STORE_USER_ACTIVE);
        assert_int_equal(res->u.user.quota, 1000);
        assert_int_equal(res->u.user.used, 0);
        assert_int_equal(res->u.user.manifest_seq, 1);
        assert_int_equal(res->u.user.created, T0);
    }
    get.by = STORE_BY_NAME;
    get.text = "Alice"; /* names are bytes here */
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
    get.by = STORE_BY_EMAIL;
    get.text = "alice";
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
    get.by = STORE_BY_UID;
    harness_uid(2, get.uid);
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
}

static void test_create_clashes(void **state)
{
    struct harness *h = *state;
    struct store_user_create in = create(1, "alice", "alice@example.org");

    (void)DO(h, user_create, &in, ERR_OK);
    assert_true(DO(h, user_create, &in, ERR_OK)->duplicate);
    in.manifest.len--;
    assert_int_equal(DO(h, user_create, &in, ERR_EXISTS)->u.clash, STORE_CLASH_UID);
    in = create(2, "alice", "other@example.org");
    assert_int_equal(DO(h, user_create, &in, ERR_EXISTS)->u.clash, STORE_CLASH_NAME);
    in = create(2, "other", "alice@example.org");
    assert_int_equal(DO(h, user_create, &in, ERR_EXISTS)->u.clash, STORE_CLASH_EMAIL);
    /* Nothing of what failed is left behind. */
    in = create(2, "other", "other@example.org");
    (void)DO(h, user_create, &in, ERR_OK);
}

static void test_create_refuses_bad_requests(void **state)
{
    struct harness *h = *state;
    struct store_user_create in = create(1, "", "alice@example.org");
    static uint8_t big[STORE_MANIFEST_MAX + 1];
    char text[STORE_EMAIL_MAX + 2];

    (void)DO(h, user_create, &in, ERR_INVALID);
    in.name = NULL;
    (void)DO(h, user_create, &in, ERR_INVALID);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    in = create(1, "alice", text);
    (void)DO(h, user_create, &in, ERR_TOOLARGE);
    text[STORE_EMAIL_MAX] = '\0';
    (void)DO(h, user_create, &in, ERR_OK);
    in = create(2, text, "bob@example.org");
    text[STORE_NAME_MAX + 1] = '\0';
    (void)DO(h, user_create, &in, ERR_TOOLARGE);
    text[STORE_NAME_MAX] = '\0';
    in.manifest = (struct store_blob){big, sizeof(big)};
    (void)DO(h, user_create, &in, ERR_TOOLARGE);
    in.manifest = (struct store_blob){NULL, 3};
    (void)DO(h, user_create, &in, ERR_INVALID);
    in.manifest = (struct store_blob){big, STORE_MANIFEST_MAX};
    (void)DO(h, user_create, &in, ERR_OK);
}

static void test_list(void **state)
{
    struct harness *h = *state;
    struct store_user_list list = {.limit = 7};
    uint8_t cursor[STORE_UID_LEN], before[STORE_UID_LEN] = {0};
    struct store_result *res;
    unsigned seen = 0;

    res = DO(h, user_list, &list, ERR_OK);
    assert_int_equal(res->count, 0);
    assert_false(res->more);
    for (unsigned i = 1; i <= 21; i++)
        harness_user(h, i, 1);
    do {
        res = DO(h, user_list, &list, ERR_OK);
        assert_int_equal(res->count, 7);
        for (size_t i = 0; i < res->count; i++, seen++) {
            assert_true(memcmp(before, res->u.users[i].uid, STORE_UID_LEN) < 0);
            memcpy(before, res->u.users[i].uid, STORE_UID_LEN);
        }
        memcpy(cursor, res->cursor, sizeof(cursor));
        list.after = cursor;
    } while (res->more);
    assert_int_equal(seen, 21);
}

static void test_quota_and_state(void **state)
{
    struct harness *h = *state;
    struct store_user_set_quota quota = {.quota = 5};
    struct store_user_set_state to = {.state = STORE_USER_SUSPENDED};
    struct store_user_get get = {.by = STORE_BY_UID};
    struct store_result *res;

    harness_user(h, 1, 10);
    harness_uid(1, quota.uid);
    harness_uid(1, to.uid);
    harness_uid(1, get.uid);
    ASSERT_FRESH(h, DO(h, user_set_quota, &quota, ERR_OK));
    assert_true(DO(h, user_set_quota, &quota, ERR_OK)->duplicate);
    (void)DO(h, user_set_state, &to, ERR_OK);
    res = DO(h, user_get, &get, ERR_OK);
    assert_int_equal(res->u.user.quota, 5);
    assert_int_equal(res->u.user.state, STORE_USER_SUSPENDED);
    assert_string_equal(res->u.user.name, "user1"); /* the row's other fields survive */
    to.state = STORE_USER_DELETED;
    (void)DO(h, user_set_state, &to, ERR_OK);
    assert_true(DO(h, user_set_state, &to, ERR_OK)->duplicate);
    to.state = STORE_USER_ACTIVE;
    (void)DO(h, user_set_state, &to, ERR_BADSTATE);
    to.state = 0;
    (void)DO(h, user_set_state, &to, ERR_INVALID);
    harness_uid(2, quota.uid);
    (void)DO(h, user_set_quota, &quota, ERR_NOTFOUND);
    harness_uid(2, to.uid);
    to.state = STORE_USER_ACTIVE;
    (void)DO(h, user_set_state, &to, ERR_NOTFOUND);
}

static void test_invitations(void **state)
{
    struct harness *h = *state;
    struct store_invite_create invite = {
        .hash = "a code", .now = T0, .expires = T0 + 100, .uses = 2};
    struct store_invite_list list = {0};
    struct store_user_create in = create(1, "alice", "alice@example.org");
    struct store_result *res;

    in.invite = (const uint8_t *)"a code which nobody has given out";
    (void)DO(h, user_create, &in, ERR_REFUSED);
    ASSERT_FRESH(h, DO(h, invite_create, &invite, ERR_OK));
    assert_true(DO(h, invite_create, &invite, ERR_OK)->duplicate);
    invite.uses = 3;
    (void)DO(h, invite_create, &invite, ERR_EXISTS);
    in.invite = invite.hash;
    in.now = T0 + 100;
    (void)DO(h, user_create, &in, ERR_REFUSED); /* expired */
    in.now = T0 + 99;
    (void)DO(h, user_create, &in, ERR_OK);
    assert_true(DO(h, user_create, &in, ERR_OK)->duplicate); /* takes no second use */
    in = create(2, "alice", "bob@example.org");
    in.invite = invite.hash;
    (void)DO(h, user_create, &in, ERR_EXISTS); /* nor does one that fails */
    in.name = "bob";
    (void)DO(h, user_create, &in, ERR_OK);
    res = DO(h, invite_list, &list, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.invites[0].uses, 2);
    assert_int_equal(res->u.invites[0].left, 0);
    in = create(3, "carol", "carol@example.org");
    in.invite = invite.hash;
    (void)DO(h, user_create, &in, ERR_REFUSED); /* used up */
    in.name = "alice";                          /* and then nobody learns that the name is taken */
    (void)DO(h, user_create, &in, ERR_REFUSED);
    invite.hash[0] = 'b';
    invite.uses = 0;
    (void)DO(h, invite_create, &invite, ERR_INVALID);
}

/* Who is blocked finds nobody, and sends nothing; others do. */
static void test_blocks(void **state)
{
    struct harness *h = *state;
    struct store_user_create in = create(1, "alice", "alice@example.org");
    struct store_block_set block = {.blocked = true, .now = T0};
    struct store_user_get get = {.by = STORE_BY_NAME, .text = "alice"};
    uint8_t bob[STORE_UID_LEN], carol[STORE_UID_LEN];

    harness_uid(1, block.uid);
    harness_uid(2, block.from);
    harness_uid(2, bob);
    harness_uid(3, carol);
    (void)DO(h, block_set, &block, ERR_NOTFOUND);
    (void)DO(h, user_create, &in, ERR_OK);
    get.asker = bob;
    (void)DO(h, user_get, &get, ERR_OK);
    ASSERT_FRESH(h, DO(h, block_set, &block, ERR_OK));
    assert_true(DO(h, block_set, &block, ERR_OK)->duplicate);
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
    get.asker = carol;
    (void)DO(h, user_get, &get, ERR_OK);
    get.asker = NULL;
    (void)DO(h, user_get, &get, ERR_OK);
    block.blocked = false;
    ASSERT_FRESH(h, DO(h, block_set, &block, ERR_OK));
    assert_true(DO(h, block_set, &block, ERR_OK)->duplicate);
    get.asker = bob;
    (void)DO(h, user_get, &get, ERR_OK);
}

static void test_blocks_are_limited(void **state)
{
    struct harness *h = *state;
    struct store_user_create in = create(1, "alice", "alice@example.org");
    struct store_block_set block = {.blocked = true, .now = T0};

    harness_uid(1, block.uid);
    (void)DO(h, user_create, &in, ERR_OK);
    for (unsigned i = 0; i < STORE_BLOCKS_MAX; i++) {
        harness_uid(i + 2, block.from);
        (void)DO(h, block_set, &block, ERR_OK);
    }
    harness_uid(STORE_BLOCKS_MAX + 2, block.from);
    (void)DO(h, block_set, &block, ERR_TOOLARGE);
    harness_uid(2, block.from);
    block.blocked = false;
    (void)DO(h, block_set, &block, ERR_OK);
    block.blocked = true;
    harness_uid(STORE_BLOCKS_MAX + 2, block.from);
    (void)DO(h, block_set, &block, ERR_OK);
}

static void test_account_records(void **state)
{
    static const uint8_t big[STORE_ACCOUNT_MAX + 1];
    struct harness *h = *state;
    struct store_user_create in = create(1, "alice", "alice@example.org");
    struct store_account_put put = {
        .number = 1, .now = T0, .bytes = {(const uint8_t *)"record", 6}};
    struct store_account_get get = {.bytes = true};
    struct store_result *res;

    harness_uid(1, put.uid);
    harness_uid(1, get.uid);
    (void)DO(h, account_put, &put, ERR_NOTFOUND);
    (void)DO(h, user_create, &in, ERR_OK);
    harness_manifest(h, 1, 1, put.newest);
    assert_int_equal(DO(h, account_get, &get, ERR_OK)->u.account.number, 0);
    ASSERT_FRESH(h, DO(h, account_put, &put, ERR_OK));
    assert_true(DO(h, account_put, &put, ERR_OK)->duplicate);
    put.bytes.len = 5;
    (void)DO(h, account_put, &put, ERR_EXISTS);
    put.number = 3; /* not the next */
    (void)DO(h, account_put, &put, ERR_BADSTATE);
    put.number = UINT64_MAX;
    (void)DO(h, account_put, &put, ERR_BADSTATE);
    res = DO(h, account_get, &get, ERR_OK);
    assert_int_equal(res->u.account.number, 1);
    assert_int_equal(res->u.account.stored, T0);
    assert_int_equal(res->u.account.bytes.len, 6);
    assert_memory_equal(res->u.account.bytes.data, "record", 6);
    get.bytes = false;
    res = DO(h, account_get, &get, ERR_OK);
    assert_int_equal(res->u.account.number, 1);
    assert_int_equal(res->u.account.bytes.len, 0);
    put.number = 2;
    ASSERT_FRESH(h, DO(h, account_put, &put, ERR_OK));
    put.number = 1;
    (void)DO(h, account_put, &put, ERR_EXISTS);
    put.bytes = (struct store_blob){big, sizeof(big)};
    put.number = 3;
    (void)DO(h, account_put, &put, ERR_TOOLARGE);
    put.bytes.len = STORE_ACCOUNT_MAX;
    ASSERT_FRESH(h, DO(h, account_put, &put, ERR_OK));
    put.bytes.len = 0;
    put.number = 4;
    (void)DO(h, account_put, &put, ERR_INVALID);
    put.bytes.len = 1;
    put.number = 0;
    (void)DO(h, account_put, &put, ERR_INVALID);
}

/* Who has not read the newest one replaces nothing; a removed one keeps its number. */
static void test_factors(void **state)
{
    struct harness *h = *state;
    struct store_factor_get get = {0};
    struct store_feed_list feed = {.limit = 9};
    struct store_factor_put put = {.number = 1, .bytes = {(const uint8_t *)"sealed", 6}};
    static const uint8_t big[STORE_FACTOR_MAX + 1];
    struct store_result *res;

    harness_uid(1, get.uid);
    harness_uid(1, put.uid);
    (void)DO(h, factor_put, &put, ERR_NOTFOUND); /* no such user */
    harness_user(h, 1, 1);
    (void)DO(h, factor_get, &get, ERR_NOTFOUND);
    put.number = 2;
    (void)DO(h, factor_put, &put, ERR_BADSTATE);
    put.number = 1;
    ASSERT_FRESH(h, DO(h, factor_put, &put, ERR_OK));
    assert_true(DO(h, factor_put, &put, ERR_OK)->duplicate);
    put.bytes.len = 5;
    (void)DO(h, factor_put, &put, ERR_BADSTATE); /* the number is another's */
    res = DO(h, factor_get, &get, ERR_OK);
    assert_true(res->u.factor.number == 1 && res->u.factor.bytes.len == 6);
    assert_memory_equal(res->u.factor.bytes.data, "sealed", 6);
    put = (struct store_factor_put){.number = 2};
    harness_uid(1, put.uid);
    (void)DO(h, factor_put, &put, ERR_OK);
    assert_true(DO(h, factor_put, &put, ERR_OK)->duplicate);
    res = DO(h, factor_get, &get, ERR_OK);
    assert_true(res->u.factor.number == 2 && res->u.factor.bytes.len == 0);
    put.number = 1;
    (void)DO(h, factor_put, &put, ERR_BADSTATE);
    /* What happened is told in the same transaction; a duplicate tells nothing. */
    put = (struct store_factor_put){.number = 3,
                                    .tell = {.at = T0, .kind = STORE_FEED_FACTOR, .tid = {7}},
                                    .bytes = {(const uint8_t *)"x", 1}};
    harness_uid(1, put.uid);
    harness_uid(1, feed.uid);
    (void)DO(h, factor_put, &put, ERR_OK);
    (void)DO(h, factor_put, &put, ERR_OK);
    res = DO(h, feed_list, &feed, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_true(res->u.feed.rows[0].kind == STORE_FEED_FACTOR && res->u.feed.rows[0].at == T0);
    assert_int_equal(res->u.feed.rows[0].tid[0], 7);
    assert_memory_equal(res->u.feed.rows[0].other, put.uid, sizeof(put.uid));
    put.number = 0;
    (void)DO(h, factor_put, &put, ERR_INVALID);
    put = (struct store_factor_put){.number = 4, .bytes = {big, sizeof(big)}};
    harness_uid(1, put.uid);
    (void)DO(h, factor_put, &put, ERR_TOOLARGE);
}

int suite_users(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_create_and_find),
        TEST(test_create_clashes),
        TEST(test_create_refuses_bad_requests),
        TEST(test_list),
        TEST(test_quota_and_state),
        TEST(test_invitations),
        TEST(test_blocks),
        TEST(test_account_records),
        TEST(test_blocks_are_limited),
        TEST(test_factors),
    };

    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
