/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of an upload: those that come, come again, or are refused, and the list of them. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

static void test_pieces(void **state)
{
    struct harness *h = *state;
    struct store_upload_pieces list = {0};
    struct store_piece_put p;
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 6 * STORE_PIECE_MAX + 5);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    for (uint32_t i = 0; i < 7; i++) {
        if (i == 2 || i == 3)
            continue;
        p = harness_piece(&s, i);
        res = DO(h, piece_put, &p, ERR_OK);
        ASSERT_FRESH(h, res);
    }
    memcpy(list.tid, s.open.tid, sizeof(list.tid));
    memcpy(list.sender, s.open.sender, sizeof(list.sender));
    res = DO(h, upload_pieces, &list, ERR_OK);
    assert_int_equal(res->count, 2);
    assert_int_equal(res->u.pieces_durable.ranges[0].first, 0);
    assert_int_equal(res->u.pieces_durable.ranges[0].count, 2);
    assert_int_equal(res->u.pieces_durable.ranges[1].first, 4);
    assert_int_equal(res->u.pieces_durable.ranges[1].count, 3);
    assert_false(res->more);
    list.limit = 1;
    res = DO(h, upload_pieces, &list, ERR_OK);
    assert_true(res->more);
    assert_int_equal(res->u.pieces_durable.next, 4);
    list.from = 4;
    res = DO(h, upload_pieces, &list, ERR_OK);
    assert_false(res->more);
    assert_int_equal(res->u.pieces_durable.ranges[0].count, 3);
    harness_uid(2, list.sender);
    (void)DO(h, upload_pieces, &list, ERR_NOTFOUND);
}

static void test_piece_again(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 2 * STORE_PIECE_MAX);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 0);
    (void)DO(h, piece_put, &p, ERR_OK);
    p = harness_piece(&s, 0);
    assert_true(DO(h, piece_put, &p, ERR_OK)->duplicate);
    p = harness_piece(&s, 0);
    p.leaf[31] ^= 1;
    (void)DO(h, piece_put, &p, ERR_EXISTS);
    /* Two different ones at once: the first wins, whatever the second says. */
    p = harness_piece(&s, 1);
    LATER(h, piece_put, &p, ERR_OK);
    p = harness_piece(&s, 1);
    p.data[0] ^= 1;
    p.leaf[31] ^= 1;
    if (!harness_fails())
        LATER(h, piece_put, &p, ERR_EXISTS);
    else
        free(p.data);
    harness_wait(h);
}

static void test_piece_refused(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 3 * STORE_PIECE_MAX);
    p = harness_piece(&s, 0);
    (void)DO(h, piece_put, &p, ERR_NOTFOUND); /* no upload */
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 0);
    harness_uid(2, p.sender);
    (void)DO(h, piece_put, &p, ERR_NOTFOUND); /* somebody else's */
    p = harness_piece(&s, 3);
    (void)DO(h, piece_put, &p, ERR_TOOLARGE); /* beyond the end */
    p = harness_piece(&s, 1);
    p.len = STORE_PIECE_MAX - 1;
    (void)DO(h, piece_put, &p, ERR_OK);
    p = harness_piece(&s, 2);
    p.len = STORE_PIECE_MAX - 1;
    (void)DO(h, piece_put, &p, ERR_INVALID); /* a second short one */
    p = harness_piece(&s, STORE_NO_PIECE);
    (void)DO(h, piece_put, &p, ERR_INVALID);
    p = harness_piece(&s, 0);
    free(p.data);
    p.data = malloc(STORE_PIECE_MAX + 1);
    assert_non_null(p.data);
    memset(p.data, 0, STORE_PIECE_MAX + 1);
    p.len = STORE_PIECE_MAX + 1;
    (void)DO(h, piece_put, &p, ERR_TOOLARGE);
}

/* ---- far pieces ---- */

static void put_far(struct harness *h, const struct sample *s, uint32_t index, int code)
{
    struct store_piece_put p = harness_piece(s, index);

    (void)DO(h, piece_put, &p, code);
}

/* A body of ${len} bytes: its last pieces, and those where counting in 32 bits would end. */
static void far_pieces(struct harness *h, unsigned n, uint64_t len)
{
    uint32_t last = (uint32_t)((len - 1) / STORE_PIECE_MAX), edge = UINT32_MAX / STORE_PIECE_MAX;
    struct store_upload_pieces list = {.limit = 10};
    const struct store_range *r;
    struct store_result *res;
    struct sample s;

    harness_sample(&s, n, 1, 2);
    harness_body(&s, len);
    s.open.grows = true; /* nobody asks whether this disk has room for it */
    (void)DO(h, upload_open, &s.open, ERR_OK);
    put_far(h, &s, last, ERR_OK);
    put_far(h, &s, edge, ERR_OK);
    put_far(h, &s, last - 1, ERR_OK);
    put_far(h, &s, edge + 1, ERR_OK);
    put_far(h, &s, last + 1, ERR_TOOLARGE);
    put_far(h, &s, STORE_NO_PIECE - 1, ERR_TOOLARGE);
    memcpy(list.tid, s.open.tid, sizeof(list.tid));
    memcpy(list.sender, s.open.sender, sizeof(list.sender));
    res = DO(h, upload_pieces, &list, ERR_OK);
    r = res->u.pieces_durable.ranges;
    assert_int_equal(res->count, 2);
    assert_true(r[0].first == edge && r[0].count == 2);
    assert_true(r[1].first == last - 1 && r[1].count == 2);
    list.from = edge + 2;
    res = DO(h, upload_pieces, &list, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_true(res->u.pieces_durable.ranges[0].first == last - 1);
}

static void test_far_pieces(void **state)
{
    struct harness *h = *state;

    harness_users(h, 2);
    far_pieces(h, 1, (100ULL << 30) + 12345);
    far_pieces(h, 2, (uint64_t)STORE_PIECE_MAX << 31); /* the longest that a header may name */
}

int suite_pieces(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_pieces),
        TEST(test_piece_again),
        TEST(test_piece_refused),
        TEST(test_far_pieces),
    };

    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
