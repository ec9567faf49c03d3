/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads: open, look, quota. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

/* ---- open ---- */

static void test_open(void **state)
{
    struct harness *h = *state;
    struct store_upload_get get = {0};
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 1000);
    res = DO(h, upload_open, &s.open, ERR_OK);
    ASSERT_FRESH(h, res);
    assert_memory_equal(res->u.upload.tid, s.open.tid, STORE_TID_LEN);
    assert_int_equal(res->u.upload.nslots, 2);
    assert_false(res->u.upload.sealed);
    for (size_t i = 0; i < 2; i++) {
        const struct store_slot *slot = &res->u.upload.slots[i];
        size_t k = memcmp(slot->uid, s.slots[0].uid, STORE_UID_LEN) == 0 ? 0 : 1;

        assert_memory_equal(slot->ek, s.slots[k].ek, STORE_EK_LEN);
        assert_memory_equal(slot->instance, s.slots[k].instance, STORE_INSTANCE_LEN);
        assert_int_equal(slot->cell, s.slots[k].cell);
        assert_int_equal(slot->day_cell, 7);
        assert_int_equal(slot->day, 20000);
        assert_memory_equal(slot->seed.data, "sealed seed", 11);
        assert_int_equal(slot->bytes.len, 0);
    }
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(get.sender, s.open.sender, sizeof(get.sender));
    res = DO(h, upload_get, &get, ERR_OK);
    assert_int_equal(res->u.upload.body_max, 1000);
    assert_int_equal(res->u.upload.lease, s.open.lease);
    assert_int_equal(res->u.upload.policy, 5);
    assert_memory_equal(res->u.upload.device, s.open.device, STORE_DEVICE_LEN);
    assert_int_equal(res->u.upload.nslots, 2);
    assert_null(res->u.upload.slots); /* a group has hundreds, and a look must cost little */
    harness_uid(2, get.sender);
    (void)DO(h, upload_get, &get, ERR_NOTFOUND); /* somebody else's */
}

/* Early: everything that is asked behind it finds it, and so does the store opened again. */
static void test_open_early(void **state)
{
    struct harness *h = *state;
    struct store_upload_pieces list = {.limit = 10};
    struct store_upload_get get = {0};
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 2);
    for (unsigned n = 1; n < 9; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, 1000);
        s.open.early = true;
        (void)DO(h, upload_open, &s.open, ERR_OK);
        memcpy(get.tid, s.open.tid, sizeof(get.tid));
        memcpy(get.sender, s.open.sender, sizeof(get.sender));
        memcpy(list.tid, s.open.tid, sizeof(list.tid));
        memcpy(list.sender, s.open.sender, sizeof(list.sender));
        if (n % 2 == 0)
            assert_int_equal(DO(h, upload_get, &get, ERR_OK)->u.upload.pieces, 0);
        if (n % 4 < 2)
            assert_int_equal(DO(h, upload_pieces, &list, ERR_OK)->count, 0);
        assert_true(DO(h, upload_open, &s.open, ERR_OK)->duplicate);
        p = harness_piece(&s, 0);
        (void)DO(h, piece_put, &p, ERR_OK);
        assert_int_equal(DO(h, upload_pieces, &list, ERR_OK)->count, 1);
        if (n > 4)
            (void)DO(h, upload_seal, &s.seal, ERR_OK);
    }
    harness_close(h);
    harness_open(h);
    (void)DO(h, upload_get, &get, ERR_OK);
}

/* A piece of anything else would not find it. */
static void test_open_early_is_for_small_bodies(void **state)
{
    struct harness *h = *state;
    struct store_upload_check look;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    s.open.early = true;
    harness_body(&s, STORE_SMALL_MAX + 1);
    look.open = s.open;
    (void)DO(h, upload_check, &look, ERR_INVALID);
    (void)DO(h, upload_open, &s.open, ERR_INVALID);
    harness_body(&s, STORE_SMALL_MAX);
    s.open.grows = true;
    (void)DO(h, upload_open, &s.open, ERR_INVALID);
    s.open.grows = false;
    (void)DO(h, upload_open, &s.open, ERR_OK);
}

static void test_open_again(void **state)
{
    struct harness *h = *state;
    struct store_result *res;
    struct sample s, again;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 1000);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    /* The same attempt with another transfer ID: the first one is the answer. */
    harness_sample(&again, 2, 1, 2);
    harness_body(&again, 1000);
    memcpy(again.open.idem, s.open.idem, sizeof(s.open.idem));
    again.open.lease += 5;
    res = DO(h, upload_open, &again.open, ERR_OK);
    assert_true(res->duplicate);
    assert_memory_equal(res->u.upload.tid, s.open.tid, STORE_TID_LEN);
    assert_int_equal(res->u.upload.lease, again.open.lease);
    assert_int_equal(harness_used(h, 1), 1000 + STORE_SLOT_COST);
    /* Another sender may happen to draw the same name for an attempt. */
    harness_sample(&again, 3, 2, 1);
    memcpy(again.open.idem, s.open.idem, sizeof(s.open.idem));
    ASSERT_FRESH(h, DO(h, upload_open, &again.open, ERR_OK));
    /* A transfer ID in use. */
    harness_sample(&again, 4, 1, 2);
    memcpy(again.open.tid, s.open.tid, sizeof(s.open.tid));
    (void)DO(h, upload_open, &again.open, ERR_EXISTS);
}

static void test_open_refuses_bad_requests(void **state)
{
    struct harness *h = *state;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    s.open.nslots = 0;
    (void)DO(h, upload_open, &s.open, ERR_INVALID);
    s.open.nslots = STORE_SLOTS_MAX + 1;
    (void)DO(h, upload_open, &s.open, ERR_TOOLARGE);
    harness_sample(&s, 1, 1, 2);
    s.slots[0].seed.len = 0;
    (void)DO(h, upload_open, &s.open, ERR_INVALID);
    harness_sample(&s, 1, 1, 2);
    s.slots[1] = s.slots[0];
    (void)DO(h, upload_open, &s.open, ERR_INVALID); /* two slots alike */
    harness_sample(&s, 1, 1, 2);
    s.slots[0].inbox = false;
    (void)DO(h, upload_open, &s.open, ERR_INVALID); /* nobody would list it */
    harness_sample(&s, 1, 1, 3);
    (void)DO(h, upload_open, &s.open, ERR_NOTFOUND); /* no such user */
    harness_sample(&s, 1, 1, 2);
    s.open.lease = s.open.now;
    (void)DO(h, upload_open, &s.open, ERR_INVALID);
    harness_sample(&s, 1, 1, 2);
    (void)DO(h, upload_open, &s.open, ERR_OK);
}

/* Looking before: the same answers, also with slots that are not drawn yet, and nothing changes. */
static void test_check(void **state)
{
    struct harness *h = *state;
    struct store_upload_check look;
    struct store_block_set block = {.blocked = true, .now = T0};
    struct store_upload_get get = {0};
    struct sample s;

    harness_user(h, 1, 0);
    harness_user(h, 2, 160000);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 160000 - STORE_SLOT_COST);
    look.open = s.open;
    s.slots[0].seed = s.slots[1].seed = (struct store_blob){0};
    assert_false(DO(h, upload_check, &look, ERR_OK)->duplicate);
    assert_int_equal(harness_used(h, 1), 0);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(get.sender, s.open.sender, sizeof(get.sender));
    (void)DO(h, upload_get, &get, ERR_NOTFOUND);
    look.open.body_max++;
    assert_int_equal(DO(h, upload_check, &look, ERR_QUOTA)->u.over_quota, 0);
    look.open.nslots = 0;
    (void)DO(h, upload_check, &look, ERR_INVALID);
    look.open.nslots = STORE_SLOTS_MAX + 1;
    (void)DO(h, upload_check, &look, ERR_TOOLARGE);
    harness_sample(&s, 1, 1, 3);
    look.open = s.open;
    (void)DO(h, upload_check, &look, ERR_NOTFOUND); /* no such user */
    harness_sample(&s, 1, 1, 2);
    look.open = s.open;
    s.slots[1] = s.slots[0];
    (void)DO(h, upload_check, &look, ERR_INVALID);
    /* One who has blocked the sender is not there; an attempt that is known passes all the same. */
    harness_sample(&s, 1, 1, 2);
    look.open = s.open;
    (void)DO(h, upload_open, &s.open, ERR_OK);
    harness_uid(2, block.uid);
    harness_uid(1, block.from);
    (void)DO(h, block_set, &block, ERR_OK);
    assert_true(DO(h, upload_check, &look, ERR_OK)->duplicate);
    harness_sample(&s, 2, 1, 2);
    look.open = s.open;
    (void)DO(h, upload_check, &look, ERR_NOTFOUND);
}

/* What the sender knows of whoever he did not ask about is what there is. */
static void test_known_manifests(void **state)
{
    struct harness *h = *state;
    struct store_upload_check look;
    struct store_manifest_put next = {
        .seq = 2, .bytes = {(const uint8_t *)"the next one", 12}, .now = T0};
    struct sample s;

    harness_user(h, 1, 0);
    harness_user(h, 2, 0);
    for (unsigned i = 0; i < 2; i++) { /* of him, and of the sender */
        harness_sample(&s, 1 + i, 1, 2);
        s.slots[i].has_manifest = true;
        look.open = s.open;
        (void)DO(h, upload_check, &look, ERR_BADSTATE);
        (void)DO(h, upload_open, &s.open, ERR_BADSTATE);
        (void)DO(h, upload_check, &look, ERR_BADSTATE); /* nothing of it is kept */
        harness_manifest(h, i == 0 ? 2 : 1, 1, s.slots[i].manifest);
        look.open = s.open;
        assert_false(DO(h, upload_check, &look, ERR_OK)->duplicate);
        ASSERT_FRESH(h, DO(h, upload_open, &s.open, ERR_OK));
    }
    /* An attempt that is known is what it was, whatever is there by now. */
    s.slots[1].manifest[0] ^= 1;
    assert_true(DO(h, upload_open, &s.open, ERR_OK)->duplicate);
    /* Who is not there has no manifest. */
    harness_sample(&s, 3, 1, 3);
    s.slots[0].has_manifest = true;
    (void)DO(h, upload_open, &s.open, ERR_NOTFOUND);
    /* It is the newest one that counts. */
    harness_sample(&s, 4, 1, 2);
    s.slots[0].has_manifest = true;
    harness_manifest(h, 2, 1, s.slots[0].manifest);
    memcpy(next.before, s.slots[0].manifest, sizeof(next.before));
    harness_uid(2, next.uid);
    (void)DO(h, manifest_put, &next, ERR_OK);
    (void)DO(h, upload_open, &s.open, ERR_BADSTATE);
}

/* ---- quota ---- */

/* The sender pays at once, and only its own box. */
static void test_quota(void **state)
{
    struct harness *h = *state;
    struct store_upload_abort drop = {0};
    struct store_result *res;
    struct sample s;

    harness_user(h, 1, 200000);
    harness_user(h, 2, 160000);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 160001 - STORE_SLOT_COST);
    res = DO(h, upload_open, &s.open, ERR_QUOTA);
    assert_int_equal(res->u.over_quota, 0);
    harness_body(&s, 160000 - STORE_SLOT_COST);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    assert_int_equal(harness_used(h, 1), 160000);
    assert_int_equal(harness_used(h, 2), 0);
    memcpy(drop.tid, s.open.tid, sizeof(drop.tid));
    memcpy(drop.sender, s.open.sender, sizeof(drop.sender));
    harness_sample(&s, 2, 1, 2);
    harness_body(&s, 40001 - STORE_SLOT_COST);
    res = DO(h, upload_open, &s.open, ERR_QUOTA); /* it would not fit beside the first */
    assert_int_equal(res->u.over_quota, 1);
    (void)DO_ONCE(h, upload_abort, &drop, ERR_OK, ERR_NOTFOUND);
    assert_int_equal(harness_used(h, 1), 0);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    /* Each slot costs. */
    harness_user(h, 3, 0);
    harness_user(h, 4, 0); /* 0 is no limit */
    harness_sample(&s, 3, 3, 4);
    harness_body(&s, 500000);
    s.slots[0] = s.slots[1];
    s.slots[0].ek[0] ^= 1;
    s.slots[0].cell++;
    (void)DO(h, upload_open, &s.open, ERR_OK);
    assert_int_equal(harness_used(h, 3), 500000 + 2 * STORE_SLOT_COST);
}

/* Uploads that never end block nobody; who comes first with a seal has the room. */
static void test_quota_at_the_seal(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s[3];

    harness_user(h, 1, 0);
    harness_user(h, 2, 2 * harness_price(100000));
    for (unsigned i = 0; i < 3; i++) {
        harness_sample(&s[i], i, 1, 2);
        harness_body(&s[i], 100000);
        (void)DO(h, upload_open, &s[i].open, ERR_OK);
        p = harness_piece(&s[i], 0);
        (void)DO(h, piece_put, &p, ERR_OK);
    }
    assert_int_equal(harness_used(h, 2), 0);
    (void)DO(h, upload_seal, &s[2].seal, ERR_OK);
    (void)DO(h, upload_seal, &s[0].seal, ERR_OK);
    assert_int_equal(harness_used(h, 2), 2 * harness_price(100000));
    assert_false(DO(h, upload_seal, &s[1].seal, ERR_QUOTA)->own);
    assert_true(DO(h, upload_seal, &s[0].seal, ERR_OK)->duplicate);
    assert_int_equal(harness_used(h, 2), 2 * harness_price(100000));
    {
        struct store_slot_delete del = {.view = STORE_VIEW_INBOX};

        memcpy(del.tid, s[0].open.tid, sizeof(del.tid));
        harness_uid(2, del.uid);
        (void)DO(h, slot_delete, &del, ERR_OK);
    }
    (void)DO(h, upload_seal, &s[1].seal, ERR_OK); /* there is room again, and it is all there */
}

/* How full somebody else's box is shows in sixteenths only. */
static void test_quota_tells_little(void **state)
{
    const uint64_t step = 1000000, quota = 16 * step;
    struct harness *h = *state;
    struct sample s;

    harness_user(h, 1, 0);
    harness_user(h, 2, quota);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100000);
    harness_send(h, &s);
    harness_sample(&s, 2, 1, 2);
    harness_body(&s, 15 * step - STORE_SLOT_COST + 1); /* there is room for it */
    (void)DO(h, upload_open, &s.open, ERR_QUOTA);
    harness_body(&s, 15 * step - STORE_SLOT_COST);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    harness_user(h, 3, quota);
    harness_sample(&s, 3, 3, 1);
    harness_body(&s, quota - STORE_SLOT_COST); /* the own box is no secret */
    (void)DO(h, upload_open, &s.open, ERR_OK);
}

/* Many at once for a box with room for ten: exactly ten get in. */
static void test_quota_race(void **state)
{
    struct harness *h = *state;
    struct store_stats st;
    struct sample s;

    if (harness_fails())
        skip();
    harness_user(h, 1, 10 * (1000 + STORE_SLOT_COST));
    harness_user(h, 2, 0);
    for (unsigned i = 0; i < 50; i++) {
        harness_sample(&s, i, 1, 2);
        harness_body(&s, 1000);
        LATER(h, upload_open, &s.open, i < 10 ? ERR_OK : ERR_QUOTA);
    }
    harness_wait(h);
    assert_int_equal(harness_used(h, 1), 10 * (1000 + STORE_SLOT_COST));
    store_stats(h->store, &st);
    assert_int_equal(st.uploads, 10);
}

/* An upload whose length only its end shows reserves as its pieces come. */
static void test_quota_grows(void **state)
{
    static const unsigned held[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 18};
    enum { PIECES = sizeof(held) / sizeof(held[0]) };
    struct harness *h = *state;
    struct store_upload_abort drop = {0};
    struct store_piece_put p;
    struct sample s;

    harness_user(h, 1, (uint64_t)18 * STORE_PIECE_MAX + STORE_SLOT_COST);
    harness_user(h, 2, 0);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, (uint64_t)1000 * STORE_PIECE_MAX);
    s.open.grows = true;
    assert_true(DO(h, upload_open, &s.open, ERR_OK)->u.upload.grows);
    assert_int_equal(harness_used(h, 1), STORE_PIECE_MAX + STORE_SLOT_COST);
    assert_int_equal(harness_used(h, 2), 0);
    for (uint32_t i = 0; i < PIECES; i++) {
        p = harness_piece(&s, i);
        (void)DO(h, piece_put, &p, ERR_OK);
        p = harness_piece(&s, i); /* again: counted once */
        (void)DO(h, piece_put, &p, ERR_OK);
        assert_int_equal(harness_used(h, 1), held[i] * (uint64_t)STORE_PIECE_MAX + STORE_SLOT_COST);
    }
    p = harness_piece(&s, PIECES);
    assert_true(DO(h, piece_put, &p, ERR_QUOTA)->own);
    p = harness_piece(&s, PIECES + 1);
    (void)DO(h, piece_put, &p, ERR_QUOTA);
    memcpy(drop.tid, s.open.tid, sizeof(drop.tid));
    memcpy(drop.sender, s.open.sender, sizeof(drop.sender));
    (void)DO_ONCE(h, upload_abort, &drop, ERR_OK, ERR_NOTFOUND);
    assert_int_equal(harness_used(h, 1), 0);
}

/* At the seal the mailbox holds what has come, to the byte. */
static void test_grown_is_sealed(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, (uint64_t)1000 * STORE_PIECE_MAX);
    s.open.grows = true;
    (void)DO(h, upload_open, &s.open, ERR_OK);
    for (uint32_t i = 0; i < 18; i++) {
        p = harness_piece(&s, i);
        p.len = i < 17 ? p.len : 100;
        (void)DO(h, piece_put, &p, ERR_OK);
    }
    s.seal.body_len = (uint64_t)17 * STORE_PIECE_MAX + 101;
    s.seal.pieces = 18;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.seal.body_len--;
    (void)DO(h, upload_seal, &s.seal, ERR_OK);
    for (unsigned user = 1; user <= 2; user++)
        assert_int_equal(harness_used(h, user),
                         s.seal.body_len + s.seal.meta.len + STORE_SLOT_COST);
}

int suite_uploads(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_open),
        TEST(test_open_early),
        TEST(test_open_early_is_for_small_bodies),
        TEST(test_open_again),
        TEST(test_open_refuses_bad_requests),
        TEST(test_check),
        TEST(test_known_manifests),
        TEST(test_quota),
        TEST(test_quota_race),
        TEST(test_quota_grows),
        TEST(test_grown_is_sealed),
        TEST(test_quota_at_the_seal),
        TEST(test_quota_tells_little),
    };

    return cmocka_run_group_tests_name("uploads", tests, NULL, NULL);
}
