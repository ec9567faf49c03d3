/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed transfers as they are read: views, lists, leaves, pieces. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

enum { MANY = 10000 };

/* ---- one transfer as everybody sees it ---- */

static void test_views(void **state)
{
    struct harness *h = *state;
    struct store_transfer_get sent = {0};
    struct store_slot_get get = {0};
    struct store_result *res;
    const struct store_mail *m;
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 5000);
    harness_send(h, &s);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    harness_uid(2, get.uid);
    res = DO(h, slot_get, &get, ERR_OK);
    m = &res->u.mail;
    assert_true(m->has_me);
    assert_int_equal(m->me.life, STORE_LIVE);
    assert_int_equal(m->nslots, 1);
    assert_int_equal(m->slots[0].cell, s.slots[0].cell);
    assert_memory_equal(m->slots[0].bytes.data, "slot bytes", 10);
    assert_memory_equal(m->slots[0].seed.data, "sealed seed", 11);
    assert_int_equal(m->nrecipients, 0); /* a recipient learns nothing of the others */
    assert_memory_equal(m->t.header.data, s.header, strlen(s.header));
    assert_memory_equal(m->t.meta.data, "metadata", 8);
    assert_memory_equal(m->t.sig.data, "signature", 9);
    assert_int_equal(m->t.slot_leaves.len, 64);
    assert_memory_equal(m->t.sender, s.open.sender, STORE_UID_LEN);
    assert_int_equal(m->t.arrived, s.seal.now);
    assert_int_equal(m->t.expires, s.open.expires);
    assert_int_equal(m->t.body_len, 5000);
    assert_int_equal(m->t.pieces, 1);
    assert_int_equal(m->t.policy, 5);
    memcpy(sent.tid, s.open.tid, sizeof(sent.tid));
    harness_uid(1, sent.sender);
    res = DO(h, transfer_get, &sent, ERR_OK);
    assert_int_equal(res->u.mail.nrecipients, 2);
    assert_true(res->u.mail.has_me);
    assert_int_equal(res->u.mail.nslots, 1);
    assert_int_equal(res->u.mail.slots[0].cell, s.slots[1].cell);
    /* Missing and foreign look the same. */
    harness_uid(3, get.uid);
    (void)DO(h, slot_get, &get, ERR_NOTFOUND);
    harness_uid(2, sent.sender);
    (void)DO(h, transfer_get, &sent, ERR_NOTFOUND);
    get.tid[15] ^= 1;
    harness_uid(2, get.uid);
    (void)DO(h, slot_get, &get, ERR_NOTFOUND);
}

static void test_not_visible_before_the_seal(void **state)
{
    struct harness *h = *state;
    struct store_inbox_list inbox = {0};
    struct store_sent_list sent = {0};
    struct store_slot_get get = {0};
    struct store_pieces_get pieces = {0};
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 0);
    (void)DO(h, piece_put, &p, ERR_OK);
    harness_uid(2, inbox.uid);
    harness_uid(1, sent.uid);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    harness_uid(2, get.uid);
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 0);
    (void)DO(h, slot_get, &get, ERR_NOTFOUND);
    (void)DO(h, pieces_get, &pieces, ERR_NOTFOUND);
    (void)DO(h, upload_seal, &s.seal, ERR_OK);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 1);
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 1);
    (void)DO(h, slot_get, &get, ERR_OK);
    (void)DO(h, pieces_get, &pieces, ERR_OK);
    /* The sender's own copy is in the sent list only. */
    harness_uid(1, inbox.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
}

/* ---- long lists ---- */

static void fill_box(struct harness *h, unsigned n)
{
    struct sample s;

    for (unsigned i = 0; i < n; i++) {
        harness_sample(&s, i, 1, 2);
        LATER(h, upload_open, &s.open, ERR_OK);
    }
    harness_wait(h);
    for (unsigned i = 0; i < n; i++) {
        harness_sample(&s, i, 1, 2);
        LATER(h, upload_seal, &s.seal, ERR_OK);
    }
    harness_wait(h);
}

/* Number of the transfer that a mail is about. */
static unsigned number(const struct store_mail *m)
{
    return (unsigned)(m->t.arrived - T0);
}

static void test_long_inbox(void **state)
{
    struct harness *h = *state;
    uint8_t cursor[STORE_CURSOR_LEN];
    struct store_inbox_list list = {.limit = 333};
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX};
    struct store_stats before, after;
    struct store_result *res;
    unsigned next = 0;

    if (harness_fails())
        skip();
    harness_users(h, 3);
    store_stats(h->store, &before);
    fill_box(h, MANY);
    store_stats(h->store, &after);
    /* Group commit: everything that waits shares the next one. */
    assert_true(after.commits - before.commits < 2 * MANY / 20);
    assert_true(after.largest_commit > 20);
    assert_int_equal(after.transfers, MANY);
    harness_uid(2, list.uid);
    do {
        res = DO(h, inbox_list, &list, ERR_OK);
        for (size_t i = 0; i < res->count; i++)
            assert_int_equal(number(&res->u.mails[i]), next++);
        memcpy(cursor, res->cursor, sizeof(cursor));
        list.cursor = cursor;
        if (next == 333) { /* the row the cursor stands on may go */
            memcpy(del.tid, res->u.mails[332].t.tid, sizeof(del.tid));
            harness_uid(2, del.uid);
            (void)DO(h, slot_delete, &del, ERR_OK);
            res = h->last;
            res->more = true;
        }
    } while (res->more);
    assert_int_equal(next, MANY);
}

static void test_newest_first(void **state)
{
    struct harness *h = *state;
    uint8_t cursor[STORE_CURSOR_LEN];
    struct store_sent_list list = {.limit = 7, .newest_first = true};
    struct store_result *res;
    unsigned next = 20;

    harness_users(h, 3);
    if (harness_fails())
        skip();
    fill_box(h, 20);
    harness_uid(1, list.uid);
    do {
        res = DO(h, sent_list, &list, ERR_OK);
        for (size_t i = 0; i < res->count; i++)
            assert_int_equal(number(&res->u.mails[i]), --next);
        memcpy(cursor, res->cursor, sizeof(cursor));
        list.cursor = cursor;
    } while (res->more);
    assert_int_equal(next, 0);
}

/* Boxes of neighbours in the order of user IDs do not leak into each other. */
static void test_boxes_are_apart(void **state)
{
    struct harness *h = *state;
    struct store_inbox_list list = {.newest_first = false};
    struct sample s;

    harness_users(h, 3);
    for (unsigned i = 0; i < 4; i++) {
        harness_sample(&s, i, i % 2 + 1, i % 3 == 0 ? 3 : 2 - i % 2);
        harness_send(h, &s);
    }
    for (unsigned newest = 0; newest < 2; newest++) {
        list.newest_first = newest == 1;
        harness_uid(3, list.uid);
        assert_int_equal(DO(h, inbox_list, &list, ERR_OK)->count, 2);
        harness_uid(4, list.uid);
        assert_int_equal(DO(h, inbox_list, &list, ERR_OK)->count, 0);
    }
}

/* ---- leaves and pieces ---- */

static void test_leaves_and_pieces(void **state)
{
    struct harness *h = *state;
    struct store_leaves_get leaves = {0};
    struct store_pieces_get pieces = {.limit = 2};
    struct store_piece_put p;
    struct store_result *res;
    struct sample s;
    uint8_t *taken;

    harness_users(h, 3);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 4 * STORE_PIECE_MAX + 17);
    harness_send(h, &s);
    memcpy(leaves.tid, s.open.tid, sizeof(leaves.tid));
    harness_uid(2, leaves.uid);
    res = DO(h, leaves_get, &leaves, ERR_OK);
    assert_int_equal(res->count, 5);
    p = harness_piece(&s, 3);
    assert_memory_equal(res->u.leaves + 3 * STORE_HASH_LEN, p.leaf, STORE_HASH_LEN);
    free(p.data);
    leaves.from = 4;
    assert_int_equal(DO(h, leaves_get, &leaves, ERR_OK)->count, 1);
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    for (uint32_t i = 0; i < 5; i += 2) {
        pieces.from = i;
        res = DO(h, pieces_get, &pieces, ERR_OK);
        assert_int_equal(res->more, i < 4);
        assert_int_equal(res->count, i < 4 ? 2 : 1);
        for (uint32_t k = 0; k < res->count; k++) {
            p = harness_piece(&s, i + k);
            assert_int_equal(res->u.pieces[k].index, i + k);
            assert_int_equal(res->u.pieces[k].len, p.len);
            assert_memory_equal(res->u.pieces[k].data, p.data, p.len);
            free(p.data);
        }
        taken = store_piece_take(res, 0);
        assert_non_null(taken);
        assert_null(store_piece_take(res, 0));
        assert_null(store_piece_take(res, 2));
        free(taken);
    }
    pieces.from = 5;
    assert_int_equal(DO(h, pieces_get, &pieces, ERR_OK)->count, 0);
    harness_uid(1, pieces.uid);
    (void)DO(h, pieces_get, &pieces, ERR_OK); /* the sender */
    harness_uid(3, pieces.uid);
    (void)DO(h, pieces_get, &pieces, ERR_NOTFOUND);
    harness_uid(3, leaves.uid);
    (void)DO(h, leaves_get, &leaves, ERR_NOTFOUND);
}

int suite_mail(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_views),           TEST(test_not_visible_before_the_seal),
        TEST(test_long_inbox),      TEST(test_newest_first),
        TEST(test_boxes_are_apart), TEST(test_leaves_and_pieces),
    };

    return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
