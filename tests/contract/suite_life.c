/* SPDX-License-Identifier: Apache-2.0 */
/* Another end for a transfer, and what users are told. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

static const uint64_t later = T0 + 7 * (uint64_t)86400000;

/* ---- extend ---- */

struct extension {
    struct store_extend in;
    struct store_slot_move slots[2];
};

static void extension_of(struct extension *x, const struct sample *s, uint32_t number)
{
    *x = (struct extension){.in = {.now = T0 + 50, .expires = later, .number = number}};
    memcpy(x->in.tid, s->open.tid, sizeof(x->in.tid));
    memcpy(x->in.sender, s->open.sender, sizeof(x->in.sender));
    x->in.addendum = (struct store_blob){(const uint8_t *)"until next week", 15};
    x->in.slots = x->slots;
    x->in.nslots = 2;
    for (size_t i = 0; i < 2; i++) {
        memcpy(x->slots[i].uid, s->slots[i].uid, STORE_UID_LEN);
        memcpy(x->slots[i].ek, s->slots[i].ek, STORE_EK_LEN);
        x->slots[i].old_cell = s->slots[i].cell;
        x->slots[i].cell = 900000 + i;
        x->slots[i].day_cell = 17;
        x->slots[i].day = 1234;
        x->slots[i].seed = (struct store_blob){(const uint8_t *)"sealed anew", 11};
    }
}

static void test_extend(void **state)
{
    struct harness *h = *state;
    struct store_expired_list due = {.now = T0 + 86400000};
    struct store_transfer_get get = {.all_slots = true};
    struct store_cells_due cells = {0};
    struct store_result *res;
    struct extension x;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_send(h, &s);
    extension_of(&x, &s, 1);
    x.in.sender[0] ^= 1;
    (void)DO(h, extend, &x.in, ERR_NOTFOUND);
    extension_of(&x, &s, 2); /* not the next number */
    (void)DO(h, extend, &x.in, ERR_BADSTATE);
    extension_of(&x, &s, 1);
    x.slots[1].old_cell++; /* somebody was faster */
    (void)DO(h, extend, &x.in, ERR_BADSTATE);
    extension_of(&x, &s, 1);
    x.in.nslots = 1; /* one is forgotten */
    (void)DO(h, extend, &x.in, ERR_BADSTATE);
    extension_of(&x, &s, 1);
    x.in.now = s.open.expires;
    (void)DO(h, extend, &x.in, ERR_EXPIRED);
    extension_of(&x, &s, 1);
    ASSERT_FRESH(h, DO(h, extend, &x.in, ERR_OK));
    assert_true(DO(h, extend, &x.in, ERR_OK)->duplicate);
    x.in.addendum.len--;
    (void)DO(h, extend, &x.in, ERR_EXISTS);

    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(get.sender, s.open.sender, sizeof(get.sender));
    res = DO(h, transfer_get, &get, ERR_OK);
    assert_int_equal(res->u.mail.t.expires, later);
    assert_int_equal(res->u.mail.t.addendum.len, 15);
    assert_int_equal(res->u.mail.nslots, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct store_slot *slot = &res->u.mail.slots[i];

        assert_in_range(slot->cell, 900000, 900001);
        assert_int_equal(slot->day_cell, 17);
        assert_int_equal(slot->day, 1234);
        assert_int_equal(slot->seed.len, 11);
        assert_true(slot->bytes.len > 0); /* the sealed slot is what it was */
    }
    res = DO(h, cells_due, &cells, ERR_OK); /* those it had */
    assert_int_equal(res->count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(res->u.cells[i] == s.slots[0].cell || res->u.cells[i] == s.slots[1].cell);
    assert_int_equal(DO(h, expired_list, &due, ERR_OK)->count, 0);
    due.now = later;
    assert_int_equal(DO(h, expired_list, &due, ERR_OK)->count, 2);
}

/* Somebody who was revoked between the look and the change: the fresh cell goes. */
static void test_extend_beside_a_revocation(void **state)
{
    struct harness *h = *state;
    struct store_revoke revoke = {.nuids = 1, .now = T0 + 20};
    struct store_cells_due cells = {0};
    struct store_result *res;
    struct extension x;
    struct sample s;
    bool fresh = false;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_send(h, &s);
    extension_of(&x, &s, 1);
    memcpy(revoke.tid, s.open.tid, sizeof(revoke.tid));
    memcpy(revoke.sender, s.open.sender, sizeof(revoke.sender));
    revoke.uids = s.slots[0].uid;
    (void)DO(h, revoke, &revoke, ERR_OK);
    (void)DO(h, extend, &x.in, ERR_OK);
    res = DO(h, cells_due, &cells, ERR_OK);
    assert_int_equal(res->count, 3); /* both old ones, and the fresh one of the revoked */
    for (size_t i = 0; i < res->count; i++)
        fresh |= res->u.cells[i] == x.slots[0].cell;
    assert_true(fresh);
}

/* ---- what users are told ---- */

static struct store_result *feed(struct harness *h, unsigned user, uint64_t after)
{
    struct store_feed_list in = {.after = after};

    harness_uid(user, in.uid);
    return DO(h, feed_list, &in, ERR_OK);
}

static void test_feed(void **state)
{
    struct harness *h = *state;
    struct store_event_new stored = {.kind = STORE_EVENT_STORED};
    struct store_collect collect = {.now = T0 + STORE_FEED_MS + 1000, .limit = 100};
    struct store_revoke revoke = {.now = T0 + 20};
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    assert_int_equal(feed(h, 1, 0)->u.feed.newest, 0);
    harness_sample(&s, 1, 1, 2);
    harness_uid(1, stored.uid);
    s.seal.event = &stored;
    harness_send(h, &s);
    res = feed(h, 2, 0);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.feed.newest, 1);
    assert_int_equal(res->u.feed.rows[0].number, 1);
    assert_int_equal(res->u.feed.rows[0].kind, STORE_FEED_ARRIVED);
    assert_memory_equal(res->u.feed.rows[0].tid, s.open.tid, STORE_TID_LEN);
    assert_memory_equal(res->u.feed.rows[0].other, s.open.sender, STORE_UID_LEN);
    memcpy(revoke.tid, s.open.tid, sizeof(revoke.tid));
    memcpy(revoke.sender, s.open.sender, sizeof(revoke.sender));
    (void)DO(h, revoke, &revoke, ERR_OK);
    (void)DO(h, revoke, &revoke, ERR_OK); /* nothing changed: nobody is told */
    res = feed(h, 2, 1);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.feed.rows[0].number, 2);
    assert_int_equal(res->u.feed.rows[0].kind, STORE_FEED_REVOKED);
    res = feed(h, 1, 0);
    assert_int_equal(res->count, 2); /* stored, and bob's revocation; his own copy is his affair */
    assert_int_equal(res->u.feed.rows[1].kind, STORE_FEED_REVOKED);
    assert_memory_equal(res->u.feed.rows[1].other, s.slots[0].uid, STORE_UID_LEN);
    assert_int_equal(feed(h, 2, 2)->count, 0);
    assert_int_equal(feed(h, 2, UINT64_MAX)->count, 0);
    /* Old rows go; the newest stays, so that its number is not used again. */
    (void)DO(h, collect, &collect, ERR_OK);
    res = feed(h, 2, 0);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.feed.rows[0].number, 2);
}

/* ---- what the sender pays ---- */

static struct store_slot_delete deletion(const struct sample *s, unsigned user,
                                         enum store_view view)
{
    struct store_slot_delete del = {.now = T0 + 10, .view = view};

    memcpy(del.tid, s->open.tid, sizeof(del.tid));
    harness_uid(user, del.uid);
    return del;
}

static struct store_revoke revocation(const struct sample *s, const uint8_t *uid)
{
    struct store_revoke in = {.now = T0 + 20, .uids = uid, .nuids = 1};

    memcpy(in.tid, s->open.tid, sizeof(in.tid));
    memcpy(in.sender, s->open.sender, sizeof(in.sender));
    return in;
}

static void send_to_bob(struct harness *h, struct sample *s, unsigned n)
{
    harness_sample(s, n, 1, 2);
    harness_body(s, 1000);
    harness_send(h, s);
}

/* Who deletes what he has sent pays for it until no recipient can open it any more. */
static void test_senders_pay_till_the_end(void **state)
{
    enum { DELETED, EXPIRED, REVOKED, WAYS };
    struct harness *h = *state;
    struct store_slot_update end = {.move = STORE_MOVE_EXPIRE, .now = T0 + 86400000};
    struct store_slot_delete del;
    struct store_revoke revoke;
    struct sample s;

    harness_users(h, 2);
    harness_uid(2, end.uid);
    for (unsigned way = DELETED; way < WAYS; way++) {
        send_to_bob(h, &s, way + 1);
        del = deletion(&s, 1, STORE_VIEW_SENT);
        (void)DO(h, slot_delete, &del, ERR_OK);
        assert_int_equal(harness_used(h, 1), harness_price(1000));
        memcpy(end.tid, s.open.tid, sizeof(end.tid));
        revoke = revocation(&s, end.uid);
        if (way == EXPIRED)
            (void)DO(h, slot_update, &end, ERR_OK);
        else if (way == REVOKED)
            (void)DO(h, revoke, &revoke, ERR_OK);
        if (way != DELETED) {
            assert_int_equal(harness_used(h, 2), STORE_SLOT_COST);
            assert_int_equal(harness_used(h, 1), 0);
        }
        del = deletion(&s, 2, STORE_VIEW_INBOX);
        (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
        assert_int_equal(harness_used(h, 1), 0);
        assert_int_equal(harness_used(h, 2), 0);
    }
}

/* That the sender's own copy has come to its end changes nothing about it. */
static void test_senders_who_end_their_copy_pay_on(void **state)
{
    struct harness *h = *state;
    struct store_slot_delete del;
    struct store_revoke revoke;
    struct sample s;

    harness_users(h, 2);
    send_to_bob(h, &s, 1);
    revoke = revocation(&s, s.open.sender);
    (void)DO(h, revoke, &revoke, ERR_OK);
    assert_int_equal(harness_used(h, 1), harness_price(1000));
    del = deletion(&s, 2, STORE_VIEW_INBOX);
    (void)DO(h, slot_delete, &del, ERR_OK);
    assert_int_equal(harness_used(h, 1), STORE_SLOT_COST); /* its row is still listed */
    del = deletion(&s, 1, STORE_VIEW_SENT);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    assert_int_equal(harness_used(h, 1), 0);
}

int suite_life(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_extend),
        TEST(test_extend_beside_a_revocation),
        TEST(test_feed),
        TEST(test_senders_pay_till_the_end),
        TEST(test_senders_who_end_their_copy_pay_on),
    };

    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
