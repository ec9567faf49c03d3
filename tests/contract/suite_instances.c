/* SPDX-License-Identifier: Apache-2.0 */
/* Which key networks are needed. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

/* Sample ${n}, of which all slots have instance ${mark}. */
static void sample_of(struct sample *s, unsigned n, uint8_t mark)
{
    harness_sample(s, n, 1, 2);
    for (size_t i = 0; i < 4; i++)
        memset(s->slots[i].instance, mark, sizeof(s->slots[i].instance));
    harness_body(s, 100);
}

/* How many slots need instance ${mark}, by pages of ${limit} transfers; *ret_pages may be NULL. */
static uint64_t count(struct harness *h, uint8_t mark, size_t limit, unsigned *ret_pages)
{
    uint8_t cursor[STORE_TID_LEN], instance[STORE_INSTANCE_LEN];
    struct store_instances in = {.limit = limit};
    uint64_t slots = 0;
    unsigned pages = 0;
    bool more = true;

    memset(instance, mark, sizeof(instance));
    for (; more; pages++) {
        struct store_result *res = DO(h, instances, &in, ERR_OK);

        for (size_t i = 0; i < res->count; i++)
            if (memcmp(res->u.instances[i].instance, instance, sizeof(instance)) == 0)
                slots += res->u.instances[i].slots;
        memcpy(cursor, res->cursor, sizeof(cursor));
        in.cursor = cursor;
        more = res->more;
    }
    if (ret_pages != NULL)
        *ret_pages = pages;
    return slots;
}

static void test_a_life(void **state)
{
    struct harness *h = *state;
    struct store_revoke revoke = {.nuids = 1, .now = T0 + 20};
    struct store_slot_delete delete = {.view = STORE_VIEW_SENT, .now = T0 + 30};
    struct store_upload_abort abort = {0};
    struct sample s, other;

    harness_users(h, 2);
    assert_int_equal(count(h, 'a', 0, NULL), 0);
    sample_of(&s, 1, 'a');
    (void)DO(h, upload_open, &s.open, ERR_OK); /* the upload: its share may be asked for again */
    assert_int_equal(count(h, 'a', 0, NULL), 2);
    harness_send(h, &s);
    assert_int_equal(count(h, 'a', 0, NULL), 2);
    sample_of(&other, 2, 'b');
    (void)DO(h, upload_open, &other.open, ERR_OK);
    assert_int_equal(count(h, 'a', 0, NULL), 2);
    assert_int_equal(count(h, 'b', 0, NULL), 2);
    memcpy(abort.tid, other.open.tid, sizeof(abort.tid));
    memcpy(abort.sender, other.open.sender, sizeof(abort.sender));
    (void)DO(h, upload_abort, &abort, ERR_OK);
    assert_int_equal(count(h, 'b', 0, NULL), 0);
    memcpy(revoke.tid, s.open.tid, sizeof(revoke.tid));
    memcpy(revoke.sender, s.open.sender, sizeof(revoke.sender));
    revoke.uids = s.slots[0].uid;
    (void)DO(h, revoke, &revoke, ERR_OK); /* the recipient's is over, the sender's own is not */
    assert_int_equal(count(h, 'a', 0, NULL), 1);
    memcpy(delete.tid, s.open.tid, sizeof(delete.tid));
    memcpy(delete.uid, s.open.sender, sizeof(delete.uid));
    (void)DO(h, slot_delete, &delete, ERR_OK);
    assert_int_equal(count(h, 'a', 0, NULL), 0);
}

static void test_expired(void **state)
{
    struct harness *h = *state;
    struct store_slot_update in = {.move = STORE_MOVE_EXPIRE};
    struct sample s;

    harness_users(h, 2);
    sample_of(&s, 1, 'a');
    harness_send(h, &s);
    memcpy(in.tid, s.open.tid, sizeof(in.tid));
    in.now = s.open.expires;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(count(h, 'a', 0, NULL), 2 - i);
        memcpy(in.uid, s.slots[i].uid, sizeof(in.uid));
        (void)DO(h, slot_update, &in, ERR_OK);
    }
    assert_int_equal(count(h, 'a', 0, NULL), 0);
}

static void test_pages(void **state)
{
    enum { TRANSFERS = 7 };
    struct harness *h = *state;
    unsigned pages;

    harness_users(h, 2);
    for (unsigned i = 0; i < TRANSFERS; i++) {
        struct sample s;

        sample_of(&s, 1 + i, i % 2 == 0 ? 'a' : 'b');
        harness_send(h, &s);
    }
    for (size_t limit = 1; limit <= TRANSFERS + 1; limit++) {
        assert_int_equal(count(h, 'a', limit, &pages), 8);
        assert_int_equal(pages, (TRANSFERS + limit - 1) / limit);
        assert_int_equal(count(h, 'b', limit, NULL), 6);
    }
}

static void test_behind_the_last(void **state)
{
    struct harness *h = *state;
    uint8_t last[STORE_TID_LEN];
    struct store_instances in = {.cursor = last};
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    sample_of(&s, 1, 'a');
    harness_send(h, &s);
    memset(last, 0xff, sizeof(last));
    res = DO(h, instances, &in, ERR_OK);
    assert_int_equal(res->count, 0);
    assert_false(res->more);
}

int suite_instances(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_life),
        TEST(expired),
        TEST(pages),
        TEST(behind_the_last),
    };

    return cmocka_run_group_tests_name("instances", tests, NULL, NULL);
}
