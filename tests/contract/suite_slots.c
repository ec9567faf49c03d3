/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to sealed transfers: opens, ends of life, deletion, events. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

/* ---- moves ---- */

static struct store_slot_update move(const struct sample *s, enum store_move m, uint8_t device)
{
    struct store_slot_update in = {.move = m, .now = T0 + 10, .device = {device}};

    memcpy(in.tid, s->open.tid, sizeof(in.tid));
    memcpy(in.uid, s->slots[0].uid, sizeof(in.uid));
    return in;
}

#define MOVE(h, s, m, device, code)                                                                \
    (in = move((s), STORE_MOVE_##m, (device)), DO((h), slot_update, &in, (code)))

static void test_opens(void **state)
{
    struct harness *h = *state;
    struct store_slot_update in;
    struct store_cells_due due = {0};
    struct store_result *res;
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    s.open.opens_max = 2;
    harness_body(&s, 100);
    harness_send(h, &s);
    (void)MOVE(h, &s, COMMIT, 'a', ERR_BADSTATE); /* not claimed */
    res = MOVE(h, &s, CLAIM, 'a', ERR_OK);
    assert_int_equal(res->u.slot.opens_used, 1);
    if (!h->repeated)
        assert_int_equal(res->u.slot.claim, 1);
    res = MOVE(h, &s, CLAIM, 'a', ERR_OK); /* its own open again */
    assert_true(res->duplicate);
    assert_int_equal(res->u.slot.opens_used, 1);
    assert_true(res->u.slot.claim >= 2);
    (void)MOVE(h, &s, CLAIM, 'b', ERR_OK);
    (void)MOVE(h, &s, CLAIM, 'c', ERR_SPENT);
    in = move(&s, STORE_MOVE_GIVE_BACK, 'a');
    in.claim = 1;
    (void)DO(h, slot_update, &in, ERR_BADSTATE); /* claimed twice: it stays used */
    in = move(&s, STORE_MOVE_GIVE_BACK, 'b');
    in.claim = 1;
    if (!harness_fails()) {
        (void)DO(h, slot_update, &in, ERR_OK);
        assert_true(DO(h, slot_update, &in, ERR_OK)->duplicate);
        (void)MOVE(h, &s, CLAIM, 'c', ERR_OK);
        (void)MOVE(h, &s, COMMIT, 'c', ERR_OK);
    } else {
        (void)MOVE(h, &s, COMMIT, 'b', ERR_OK);
    }
    assert_int_equal(h->last->u.slot.life, STORE_LIVE);
    assert_int_equal(DO(h, cells_due, &due, ERR_OK)->count, 0);
    res = MOVE(h, &s, COMMIT, 'a', ERR_OK);
    assert_int_equal(res->u.slot.life, STORE_SPENT);
    assert_true(MOVE(h, &s, COMMIT, 'a', ERR_OK)->duplicate);
    (void)MOVE(h, &s, CLAIM, 'a', ERR_SPENT);
    res = DO(h, cells_due, &due, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.cells[0], s.slots[0].cell);
    in.uid[5] ^= 1;
    (void)DO(h, slot_update, &in, ERR_NOTFOUND);
    in.move = 0;
    (void)DO(h, slot_update, &in, ERR_INVALID);
}

static void test_too_many_devices(void **state)
{
    struct harness *h = *state;
    struct store_slot_update in;
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_send(h, &s);
    for (unsigned i = 0; i < STORE_OPENS_MAX; i++)
        (void)MOVE(h, &s, CLAIM, (uint8_t)i, ERR_OK);
    (void)MOVE(h, &s, CLAIM, STORE_OPENS_MAX, ERR_LIMIT);
    (void)MOVE(h, &s, CLAIM, 3, ERR_OK);
}

static uint32_t count_events(struct harness *h, const struct sample *s)
{
    struct store_event_list list = {.from = 1};

    memcpy(list.tid, s->open.tid, sizeof(list.tid));
    harness_uid(1, list.sender);
    return (uint32_t)DO(h, event_list, &list, ERR_OK)->count;
}

/* Whoever claims and gives back for ever leaves no more events than this. */
static void test_returns_are_counted(void **state)
{
    struct harness *h = *state;
    struct store_event_new event = {.kind = STORE_EVENT_RELEASED};
    struct store_slot_update in;
    struct sample s;

    if (harness_fails()) /* what is tried again is another claim */
        skip();
    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    s.open.opens_max = 1;
    harness_body(&s, 100);
    harness_send(h, &s);
    for (unsigned i = 0; i <= STORE_RETURNS_MAX; i++) {
        in = move(&s, STORE_MOVE_CLAIM, 'a');
        in.event = &event;
        in.claim = DO(h, slot_update, &in, ERR_OK)->u.slot.claim;
        in.move = STORE_MOVE_GIVE_BACK;
        (void)DO(h, slot_update, &in, i < STORE_RETURNS_MAX ? ERR_OK : ERR_BADSTATE);
    }
    assert_int_equal(count_events(h, &s), 2 * STORE_RETURNS_MAX + 1);
    (void)MOVE(h, &s, CLAIM, 'b', ERR_SPENT); /* it is used, by the one that has it */
    for (unsigned i = 0; i < STORE_REPEATS_MAX + 10; i++) {
        in = move(&s, STORE_MOVE_CLAIM, 'a');
        in.event = &event;
        assert_int_equal(DO(h, slot_update, &in, ERR_OK)->u.slot.opens_used, 1);
    }
    assert_int_equal(count_events(h, &s), 2 * STORE_RETURNS_MAX + 1 + STORE_REPEATS_MAX);
    (void)MOVE(h, &s, COMMIT, 'a', ERR_OK);
}

/* The recipient of a sample: user 2. */
static struct store_revoke revoke_bob(const struct sample *s)
{
    struct store_revoke in = {.uids = s->slots[0].uid, .nuids = 1, .now = T0 + 20};

    memcpy(in.tid, s->open.tid, sizeof(in.tid));
    memcpy(in.sender, s->open.sender, sizeof(in.sender));
    return in;
}

/* What user ${n}'s life is in the answer to a revocation. */
static enum store_life life_of(const struct store_result *res, unsigned n)
{
    uint8_t uid[STORE_UID_LEN];

    harness_uid(n, uid);
    for (size_t i = 0; i < res->u.mail.nrecipients; i++)
        if (memcmp(res->u.mail.recipients[i].uid, uid, sizeof(uid)) == 0)
            return res->u.mail.recipients[i].life;
    return 0;
}

static void test_revoke(void **state)
{
    struct harness *h = *state;
    struct store_event_list events = {.from = 1};
    struct store_cells_due due = {0};
    struct store_revoke in;
    struct store_slot_update claim;
    struct store_result *res;
    uint8_t uids[2 * STORE_UID_LEN];
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100);
    harness_send(h, &s);
    in = revoke_bob(&s);
    harness_uid(3, in.sender); /* not his to revoke */
    (void)DO(h, revoke, &in, ERR_NOTFOUND);
    in = revoke_bob(&s);
    memcpy(uids, in.uids, STORE_UID_LEN);
    harness_uid(3, uids + STORE_UID_LEN); /* no recipient: then nobody is revoked */
    in.uids = uids;
    in.nuids = 2;
    (void)DO(h, revoke, &in, ERR_NOTFOUND);
    (void)DO(h, slot_update, (claim = move(&s, STORE_MOVE_CLAIM, 'a'), &claim), ERR_OK);
    in.nuids = 1;
    res = DO(h, revoke, &in, ERR_OK);
    assert_int_equal(life_of(res, 2), STORE_REVOKED);
    assert_int_equal(life_of(res, 1), STORE_LIVE);
    assert_int_equal(res->u.mail.nslots, 1);
    assert_int_equal(res->u.mail.slots[0].cell, s.slots[0].cell);
    assert_int_equal(DO(h, cells_due, &due, ERR_OK)->count, 1);
    (void)DO(h, slot_update, &claim, ERR_REVOKED);
    in.nuids = 0; /* everybody else */
    res = DO(h, revoke, &in, ERR_OK);
    assert_int_equal(life_of(res, 1), STORE_REVOKED);
    assert_int_equal(res->u.mail.nslots, 2); /* also the one before: its cell may be there still */
    assert_int_equal(DO(h, cells_due, &due, ERR_OK)->count, 2);
    memcpy(events.tid, in.tid, sizeof(events.tid));
    memcpy(events.sender, in.sender, sizeof(events.sender));
    res = DO(h, event_list, &events, ERR_OK);
    assert_int_equal(res->count, 2);
    assert_int_equal(res->u.events[0].kind, STORE_EVENT_REVOKED);
    assert_memory_equal(res->u.events[0].uid, s.slots[0].uid, STORE_UID_LEN);
    assert_int_equal(harness_used(h, 2), STORE_SLOT_COST);
}

static void test_ends_of_life(void **state)
{
    struct harness *h = *state;
    struct store_revoke revoke;
    struct store_expired_list list = {.now = T0 + 86400000};
    struct store_pieces_get pieces = {0};
    struct store_cells_done done = {0};
    struct store_cells_due due = {0};
    struct store_slot_update in;
    struct store_result *res;
    struct sample s, r;
    uint64_t cells[1];

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 1000);
    harness_send(h, &s);
    harness_sample(&r, 2, 1, 2);
    harness_body(&r, 500);
    harness_send(h, &r);
    assert_int_equal(harness_used(h, 2), harness_price(1000) + harness_price(500));
    (void)MOVE(h, &s, EXPIRE, 0, ERR_BADSTATE); /* not yet */
    revoke = revoke_bob(&r);
    ASSERT_FRESH(h, DO(h, revoke, &revoke, ERR_OK));
    assert_true(DO(h, revoke, &revoke, ERR_OK)->duplicate);
    (void)MOVE(h, &r, CLAIM, 'a', ERR_REVOKED);
    assert_int_equal(harness_used(h, 2), harness_price(1000) + STORE_SLOT_COST);
    memcpy(pieces.tid, r.open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    (void)DO(h, pieces_get, &pieces, ERR_NOTFOUND);
    /* Due: the recipient of s, and the sender's own copies. */
    list.now--;
    assert_int_equal(DO(h, expired_list, &list, ERR_OK)->count, 0);
    list.now++;
    assert_int_equal(DO(h, expired_list, &list, ERR_OK)->count, 3);
    list.limit = 2;
    res = DO(h, expired_list, &list, ERR_OK);
    assert_int_equal(res->count, 2);
    assert_true(res->more);
    in = move(&s, STORE_MOVE_CLAIM, 'a');
    in.now = list.now;
    (void)DO(h, slot_update, &in, ERR_EXPIRED);
    in.move = STORE_MOVE_EXPIRE;
    res = DO(h, slot_update, &in, ERR_OK);
    assert_int_equal(res->u.slot.life, STORE_EXPIRED);
    revoke = revoke_bob(&s);
    res = DO(h, revoke, &revoke, ERR_OK); /* too late to revoke, and no harm */
    assert_true(res->duplicate);
    assert_int_equal(life_of(res, 2), STORE_EXPIRED);
    assert_int_equal(DO(h, expired_list, &list, ERR_OK)->count, 2);
    (void)MOVE(h, &s, RECEIVED, 0, ERR_OK); /* a receipt may come late */
    assert_true(MOVE(h, &s, RECEIVED, 0, ERR_OK)->duplicate);
    assert_int_equal(harness_used(h, 2), 2 * STORE_SLOT_COST); /* rows are there */
    res = DO(h, cells_due, &due, ERR_OK);
    assert_int_equal(res->count, 2);
    cells[0] = s.slots[0].cell;
    done.cells = cells;
    done.ncells = 1;
    (void)DO(h, cells_done, &done, ERR_OK);
    (void)DO(h, cells_done, &done, ERR_OK);
    res = DO(h, cells_due, &due, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.cells[0], r.slots[0].cell);
}

/* ---- deleting ---- */

static unsigned collect_at(struct harness *h, uint64_t now)
{
    struct store_collect in = {.now = now, .limit = 5};
    struct store_result *res;
    unsigned pieces = 0;

    do {
        res = DO(h, collect, &in, ERR_OK);
        pieces += res->u.collect.pieces;
    } while (res->more);
    return pieces;
}

static unsigned collect_all(struct harness *h)
{
    return collect_at(h, T0);
}

/* What ended is listed for 30 days after its expiry, and then nothing is left of it. */
static void test_ended_rows_go(void **state)
{
    const uint64_t expiry = T0 + 86400000, end = expiry + STORE_ENDED_MS;
    struct harness *h = *state;
    struct store_inbox_list inbox = {0};
    struct store_sent_list sent = {0};
    struct store_mail_find find = {.digits = 32, .limit = STORE_FIND_MAX};
    struct store_slot_update in;
    struct store_stats st;
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 1000);
    harness_send(h, &s);
    harness_uid(2, inbox.uid);
    harness_uid(1, sent.uid);
    harness_uid(1, find.uid);
    memcpy(find.prefix, s.open.tid, sizeof(find.prefix));
    for (unsigned user = 1; user <= 2; user++) {
        in = move(&s, STORE_MOVE_EXPIRE, 0);
        harness_uid(user, in.uid);
        in.now = expiry;
        (void)DO(h, slot_update, &in, ERR_OK);
    }
    (void)collect_at(h, end - 1);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 1);
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 1);
    assert_int_equal(DO(h, mail_find, &find, ERR_OK)->count, 1);
    assert_int_equal(harness_used(h, 2), STORE_SLOT_COST);
    (void)collect_at(h, end);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 0);
    assert_int_equal(DO(h, mail_find, &find, ERR_OK)->count, 0);
    assert_int_equal(harness_used(h, 1), 0);
    assert_int_equal(harness_used(h, 2), 0);
    (void)collect_at(h, end);
    store_stats(h->store, &st);
    assert_int_equal(st.transfers, 0);
    assert_int_equal(st.pieces, 0);
    s.seal.cid[31] ^= 1; /* its number can be used again */
    harness_send(h, &s);
}

/* Deleted by its recipient before: the row that says when it ends finds nothing. */
static void test_ended_rows_of_what_is_gone(void **state)
{
    const uint64_t end = T0 + 86400000 + STORE_ENDED_MS;
    struct harness *h = *state;
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX};
    struct store_sent_list sent = {0};
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 1000);
    harness_send(h, &s);
    memcpy(del.tid, s.open.tid, sizeof(del.tid));
    harness_uid(2, del.uid);
    (void)DO(h, slot_delete, &del, ERR_OK);
    harness_uid(1, sent.uid);
    (void)collect_at(h, end); /* the sender's copy is live: its expiry comes first */
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 1);
    assert_int_equal(harness_used(h, 1), harness_price(1000));
}

static void test_delete(void **state)
{
    struct harness *h = *state;
    struct store_inbox_list inbox = {0};
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX};
    struct store_slot_get get = {0};
    struct store_event_list events = {0};
    struct store_stats st;
    struct sample s;
    unsigned pieces;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 12 * STORE_PIECE_MAX);
    harness_send(h, &s);
    memcpy(del.tid, s.open.tid, sizeof(del.tid));
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(events.tid, s.open.tid, sizeof(events.tid));
    harness_uid(3, del.uid);
    (void)DO(h, slot_delete, &del, ERR_NOTFOUND);
    harness_uid(2, del.uid);
    del.view = STORE_VIEW_SENT;
    (void)DO(h, slot_delete, &del, ERR_NOTFOUND);
    del.view = STORE_VIEW_INBOX;
    ASSERT_FRESH(h, DO(h, slot_delete, &del, ERR_OK));
    assert_true(DO(h, slot_delete, &del, ERR_OK)->duplicate);
    harness_uid(2, inbox.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
    assert_int_equal(harness_used(h, 2), 0);
    harness_uid(2, get.uid);
    (void)DO(h, slot_get, &get, ERR_NOTFOUND);
    assert_int_equal(collect_all(h), 0); /* the sender's copy still needs the body */
    harness_uid(1, del.uid);
    del.view = STORE_VIEW_SENT;
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    harness_uid(1, events.sender);
    (void)DO(h, event_list, &events, ERR_NOTFOUND);
    pieces = collect_all(h);
    if (!harness_fails())
        assert_int_equal(pieces, 12);
    assert_int_equal(collect_all(h), 0);
    store_stats(h->store, &st);
    assert_int_equal(st.transfers, 0);
    assert_int_equal(st.pieces, 0);
    /* Nothing is left: the same numbers can be used again. */
    s.seal.cid[31] ^= 1;
    harness_send(h, &s);
}

/* To oneself: one slot, two views. */
static void test_to_oneself(void **state)
{
    struct harness *h = *state;
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX};
    struct store_pieces_get pieces = {0};
    struct store_inbox_list inbox = {0};
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 1);
    s.open.nslots = s.seal.nslots = 1;
    s.seal.slot_leaves.len = STORE_HASH_LEN;
    harness_body(&s, 100);
    harness_send(h, &s);
    harness_uid(1, inbox.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 1);
    memcpy(del.tid, s.open.tid, sizeof(del.tid));
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    harness_uid(1, del.uid);
    harness_uid(1, pieces.uid);
    (void)DO(h, slot_delete, &del, ERR_OK);
    (void)DO(h, pieces_get, &pieces, ERR_OK);
    del.view = STORE_VIEW_SENT;
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    (void)DO(h, pieces_get, &pieces, ERR_NOTFOUND);
}

/* ---- events ---- */

static void test_events(void **state)
{
    struct harness *h = *state;
    static const uint8_t zeros[STORE_HASH_LEN];
    struct store_event_new arrived = {.kind = 1, .data = {(const uint8_t *)"sealed", 6}};
    struct store_event_append add = {.seq = 2, .now = T0 + 5};
    struct store_event_list list = {0};
    struct store_slot_update in;
    struct store_result *res;
    uint8_t head[STORE_HASH_LEN];
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_uid(1, arrived.uid);
    s.seal.event = &arrived;
    harness_send(h, &s);
    memcpy(add.tid, s.open.tid, sizeof(add.tid));
    add.event = (struct store_event_new){.kind = 2, .data = {NULL, 0}};
    harness_uid(2, add.event.uid);
    ASSERT_FRESH(h, DO(h, event_append, &add, ERR_OK));
    assert_int_equal(h->last->u.event.seq, 2);
    memcpy(head, h->last->u.event.hash, sizeof(head));
    res = DO(h, event_append, &add, ERR_OK);
    assert_true(res->duplicate);
    assert_memory_equal(res->u.event.hash, head, sizeof(head));
    add.event.kind = 3;
    (void)DO(h, event_append, &add, ERR_EXISTS);
    add.seq = 4;
    (void)DO(h, event_append, &add, ERR_BADSTATE);
    in = move(&s, STORE_MOVE_RECEIVED, 0);
    in.event = &add.event;
    (void)DO(h, slot_update, &in, ERR_OK);
    (void)DO(h, slot_update, &in, ERR_OK); /* nothing changed: no event */
    memcpy(list.tid, s.open.tid, sizeof(list.tid));
    harness_uid(1, list.sender);
    list.from = 1;
    res = DO(h, event_list, &list, ERR_OK);
    assert_int_equal(res->count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct store_event *e = &res->u.events[i];

        assert_int_equal(e->seq, i + 1);
        assert_int_equal(e->kind, i + 1);
        assert_memory_equal(e->prev, i == 0 ? zeros : e[-1].hash, STORE_HASH_LEN);
        assert_memory_not_equal(e->hash, zeros, STORE_HASH_LEN);
    }
    assert_memory_equal(res->u.events[0].data.data, "sealed", 6);
    assert_int_equal(res->u.events[1].at, T0 + 5);
    harness_uid(2, list.sender);
    (void)DO(h, event_list, &list, ERR_NOTFOUND);
}

int suite_slots(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_opens),        TEST(test_too_many_devices), TEST(test_returns_are_counted),
        TEST(test_ends_of_life), TEST(test_ended_rows_go),    TEST(test_ended_rows_of_what_is_gone),
        TEST(test_delete),       TEST(test_to_oneself),       TEST(test_events),
        TEST(test_revoke),
    };

    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
