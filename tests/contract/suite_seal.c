/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an upload: sealed, given up, or its lease over. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

/* ---- seal ---- */

static void test_seal(void **state)
{
    struct harness *h = *state;
    struct store_upload_get get = {0};
    struct store_piece_put p;
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 2 * STORE_PIECE_MAX + 1);
    (void)DO(h, upload_seal, &s.seal, ERR_NOTFOUND);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 1);
    (void)DO(h, piece_put, &p, ERR_OK);
    assert_int_equal(DO(h, upload_seal, &s.seal, ERR_BADSTATE)->u.seal.missing, 2);
    p = harness_piece(&s, 0);
    (void)DO(h, piece_put, &p, ERR_OK);
    p = harness_piece(&s, 2);
    (void)DO(h, piece_put, &p, ERR_OK);
    res = DO(h, upload_seal, &s.seal, ERR_OK);
    ASSERT_FRESH(h, res);
    assert_int_equal(res->u.seal.arrived, s.seal.now);
    /* Again, later: the same answer, and it does not arrive twice. */
    s.seal.now += 50;
    res = DO(h, upload_seal, &s.seal, ERR_OK);
    assert_true(res->duplicate);
    assert_int_equal(res->u.seal.arrived, s.seal.now - 50);
    s.header[0] = 'H';
    (void)DO(h, upload_seal, &s.seal, ERR_EXISTS);
    harness_uid(2, s.seal.sender);
    (void)DO(h, upload_seal, &s.seal, ERR_NOTFOUND);
    /* It is no upload any more, and says so. */
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    memcpy(get.sender, s.open.sender, sizeof(get.sender));
    assert_true(DO(h, upload_get, &get, ERR_OK)->u.upload.sealed);
    res = DO(h, upload_open, &s.open, ERR_OK);
    assert_true(res->duplicate && res->u.upload.sealed);
    p = harness_piece(&s, 0);
    assert_true(DO(h, piece_put, &p, ERR_OK)->duplicate);
    s.open.body_max += STORE_PIECE_MAX;
    p = harness_piece(&s, 3);
    (void)DO(h, piece_put, &p, ERR_BADSTATE);
}

static void test_seal_refuses(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s, good;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, STORE_PIECE_MAX + 100);
    good = s;
    good.seal.slots = good.sealed;
    (void)DO(h, upload_open, &s.open, ERR_OK);
    for (uint32_t i = 0; i < 2; i++) {
        p = harness_piece(&s, i);
        (void)DO(h, piece_put, &p, ERR_OK);
    }
    s.seal.body_len++;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID); /* another length */
    s.seal.body_len--;
    s.seal.pieces = 1;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID); /* more pieces than that are there */
    s.seal.pieces = 2;
    s.sealed[0].uid[0] ^= 1;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID); /* a slot that was not opened */
    s.sealed[0].uid[0] ^= 1;
    s.sealed[1].position = 0;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID); /* two slots in one place */
    s.sealed[1].position = 2;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.sealed[1].position = 1;
    s.seal.nslots = 1;
    s.seal.slot_leaves.len = STORE_HASH_LEN;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID); /* a slot left out */
    s.seal.nslots = 2;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.seal.slot_leaves.len = 2 * STORE_HASH_LEN;
    s.seal.header.len = STORE_HEADER_MAX + 1;
    (void)DO(h, upload_seal, &s.seal, ERR_TOOLARGE);
    s.seal.header.len = 0;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.seal.header.len = 5;
    s.seal.now = s.open.lease + 1;
    (void)DO(h, upload_seal, &s.seal, ERR_EXPIRED);
    (void)DO(h, upload_seal, &good.seal, ERR_OK);
}

static void test_cid_only_once(void **state)
{
    struct harness *h = *state;
    struct store_slot_delete del = {.view = STORE_VIEW_SENT};
    struct sample a, b;

    harness_users(h, 2);
    harness_sample(&a, 1, 1, 2);
    harness_send(h, &a);
    harness_sample(&b, 2, 1, 2);
    memcpy(b.seal.cid, a.seal.cid, sizeof(b.seal.cid));
    (void)DO(h, upload_open, &b.open, ERR_OK);
    (void)DO(h, upload_seal, &b.seal, ERR_KEYREUSED);
    /* Also when the first one is long gone. */
    memcpy(del.tid, a.open.tid, sizeof(del.tid));
    harness_uid(1, del.uid);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    del.view = STORE_VIEW_INBOX;
    harness_uid(2, del.uid);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    (void)DO(h, upload_seal, &b.seal, ERR_KEYREUSED);
    b.seal.cid[31] ^= 1;
    (void)DO(h, upload_seal, &b.seal, ERR_OK);
}

static void test_one_flight(void **state)
{
    struct harness *h = *state;
    struct store_piece_put p;
    struct sample s;

    if (harness_fails())
        skip();
    harness_users(h, 2);
    for (unsigned n = 1; n <= 20; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, STORE_PIECE_MAX + 1000 + n);
        (void)DO(h, upload_open, &s.open, ERR_OK);
        for (uint32_t i = 0; i < 2; i++) {
            p = harness_piece(&s, i);
            LATER(h, piece_put, &p, ERR_OK);
        }
        LATER(h, upload_seal, &s.seal, ERR_OK);
    }
    harness_wait(h);
}

/* ---- the end of an upload that was not sealed ---- */

/* The one piece of ${s} goes with its seal; ${p} keeps the bytes. */
static void take_along(struct sample *s, const struct store_piece_put *p)
{
    s->seal.piece = (struct store_blob){p->data, p->len};
    memcpy(s->seal.leaf, p->leaf, sizeof(s->seal.leaf));
}

/* What the sender reads of piece 0. */
static void check_piece(struct harness *h, const struct sample *s, const struct store_piece_put *p)
{
    struct store_pieces_get get = {.limit = 2};
    struct store_result *res;

    memcpy(get.tid, s->open.tid, sizeof(get.tid));
    memcpy(get.uid, s->open.sender, sizeof(get.uid));
    res = DO(h, pieces_get, &get, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.pieces[0].index, 0);
    assert_int_equal(res->u.pieces[0].len, p->len);
    assert_memory_equal(res->u.pieces[0].data, p->data, p->len);
}

/* Small bodies: the piece before its seal, or along with it; just too large for that. */
static void test_small_bodies(void **state)
{
    static const size_t lengths[] = {1, 4112, STORE_SMALL_MAX, STORE_SMALL_MAX + 1};
    struct harness *h = *state;

    harness_users(h, 2);
    for (unsigned i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct store_piece_put p, copy;
        struct sample s;

        harness_sample(&s, i + 1, 1, 2);
        harness_body(&s, lengths[i / 2]);
        copy = harness_piece(&s, 0);
        (void)DO(h, upload_open, &s.open, ERR_OK);
        if (i % 2 == 0) {
            p = harness_piece(&s, 0);
            (void)DO(h, piece_put, &p, ERR_OK);
        } else {
            take_along(&s, &copy);
        }
        if (s.seal.piece.len > STORE_SMALL_MAX)
            (void)DO(h, upload_seal, &s.seal, ERR_TOOLARGE);
        else
            (void)DO(h, upload_seal, &s.seal, ERR_OK);
        if (s.seal.piece.len <= STORE_SMALL_MAX)
            check_piece(h, &s, &copy);
        free(copy.data);
    }
}

/* The upload was there before; what came with the seal is seen by the one who sealed it. */
static void test_leaves_of_one_flight(void **state)
{
    struct harness *h = *state;
    struct store_leaves_get leaves = {.limit = 2};
    struct store_piece_put p;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 0);
    s.seal.piece = (struct store_blob){p.data, p.len};
    memcpy(s.seal.leaf, p.leaf, sizeof(s.seal.leaf));
    (void)DO(h, upload_seal, &s.seal, ERR_OK);
    memcpy(leaves.tid, s.seal.tid, sizeof(leaves.tid));
    memcpy(leaves.uid, s.seal.sender, sizeof(leaves.uid));
    assert_int_equal(DO(h, leaves_get, &leaves, ERR_OK)->count, 1);
    free(p.data);
}

/* A seal that fails leaves nothing of the piece that came along, and may come again. */
static void test_piece_with_a_bad_seal(void **state)
{
    struct harness *h = *state;
    struct store_upload_pieces list = {.limit = 1};
    struct store_piece_put p, other;
    struct sample a, s;

    harness_users(h, 2);
    harness_sample(&a, 1, 1, 2);
    harness_send(h, &a);
    harness_sample(&s, 2, 1, 2);
    harness_body(&s, 100);
    p = harness_piece(&s, 0);
    take_along(&s, &p);
    (void)DO(h, upload_seal, &s.seal, ERR_NOTFOUND);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    memcpy(list.tid, s.open.tid, sizeof(list.tid));
    memcpy(list.sender, s.open.sender, sizeof(list.sender));
    memcpy(s.seal.cid, a.seal.cid, sizeof(s.seal.cid));
    (void)DO(h, upload_seal, &s.seal, ERR_KEYREUSED);
    assert_int_equal(DO(h, upload_pieces, &list, ERR_OK)->count, 0);
    s.seal.cid[0] ^= 1;
    s.seal.pieces = 2;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.seal.pieces = 1;
    s.seal.body_len = 99;
    (void)DO(h, upload_seal, &s.seal, ERR_INVALID);
    s.seal.body_len = 100;
    /* Another piece is there already; or this one, which does no harm. */
    other = harness_piece(&s, 0);
    (void)DO(h, piece_put, &other, ERR_OK);
    s.seal.leaf[0] ^= 1;
    (void)DO(h, upload_seal, &s.seal, ERR_EXISTS);
    s.seal.leaf[0] ^= 1;
    ASSERT_FRESH(h, DO(h, upload_seal, &s.seal, ERR_OK));
    assert_true(DO(h, upload_seal, &s.seal, ERR_OK)->duplicate);
    check_piece(h, &s, &p);
    free(p.data);
}

/* A seal that is refused leaves the others their commit, also when it brought its piece. */
static void test_a_bad_seal_among_many(void **state)
{
    enum { N = 60 };
    struct harness *h = *state;
    struct store_piece_put p[N];
    static struct sample a, s[N];
    struct store_stats before, after;

    if (harness_fails())
        skip();
    harness_users(h, 2);
    harness_sample(&a, 1, 1, 2);
    harness_send(h, &a);
    for (unsigned i = 0; i < N; i++) {
        harness_sample(&s[i], 10 + i, 1, 2);
        harness_body(&s[i], 100);
        p[i] = harness_piece(&s[i], 0);
        take_along(&s[i], &p[i]);
        (void)DO(h, upload_open, &s[i].open, ERR_OK);
    }
    memcpy(s[N / 2].seal.cid, a.seal.cid, sizeof(a.seal.cid));
    store_stats(h->store, &before);
    for (unsigned i = 0; i < N; i++)
        LATER(h, upload_seal, &s[i].seal, i == N / 2 ? ERR_KEYREUSED : ERR_OK);
    harness_wait(h);
    store_stats(h->store, &after);
    assert_true(after.commits - before.commits < 10);
    for (unsigned i = 0; i < N; i++)
        free(p[i].data);
}

static void collect_all(struct harness *h, uint64_t now, unsigned *uploads, unsigned *pieces)
{
    struct store_collect in = {.now = now, .limit = 3};
    struct store_result *res;

    do {
        res = DO(h, collect, &in, ERR_OK);
        assert_in_range(res->u.collect.pieces, 0, 3);
        *uploads += res->u.collect.uploads;
        *pieces += res->u.collect.pieces;
    } while (res->more);
}

static void test_abort(void **state)
{
    struct harness *h = *state;
    struct store_upload_abort drop = {0};
    struct store_cells_due due = {0};
    unsigned uploads = 0, pieces = 0;
    struct store_piece_put p;
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 8 * STORE_PIECE_MAX);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    for (uint32_t i = 0; i < 8; i++) {
        p = harness_piece(&s, i);
        (void)DO(h, piece_put, &p, ERR_OK);
    }
    memcpy(drop.tid, s.open.tid, sizeof(drop.tid));
    harness_uid(2, drop.sender);
    (void)DO(h, upload_abort, &drop, ERR_NOTFOUND); /* somebody else's */
    harness_uid(1, drop.sender);
    (void)DO_ONCE(h, upload_abort, &drop, ERR_OK, ERR_NOTFOUND);
    (void)DO(h, upload_abort, &drop, ERR_NOTFOUND);
    assert_int_equal(harness_used(h, 1), 0);
    p = harness_piece(&s, 0);
    (void)DO(h, piece_put, &p, ERR_NOTFOUND);
    /* Its name stays taken until nothing of it is left. */
    (void)DO(h, upload_open, &s.open, ERR_EXISTS);
    res = DO(h, cells_due, &due, ERR_OK);
    assert_int_equal(res->count, 2);
    collect_all(h, T0, &uploads, &pieces);
    assert_int_equal(uploads, 0);
    if (!harness_fails())
        assert_int_equal(pieces, 8);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    p = harness_piece(&s, 0);
    p.data[0] ^= 1; /* nothing of the first one's pieces is left */
    p.leaf[31] ^= 1;
    ASSERT_FRESH(h, DO(h, piece_put, &p, ERR_OK));
}

static void test_leases(void **state)
{
    struct harness *h = *state;
    unsigned uploads = 0, pieces = 0;
    struct store_piece_put p;
    struct sample s[3];

    harness_users(h, 2);
    for (unsigned i = 0; i < 3; i++) {
        harness_sample(&s[i], i, 1, 2);
        harness_body(&s[i], STORE_PIECE_MAX);
        s[i].open.lease = T0 + 100;
        (void)DO(h, upload_open, &s[i].open, ERR_OK);
    }
    p = harness_piece(&s[0], 0);
    p.lease = T0 + 200; /* renewed by a piece */
    (void)DO(h, piece_put, &p, ERR_OK);
    (void)DO(h, upload_seal, &s[0].seal, ERR_OK); /* sealed: no lease any more */
    p = harness_piece(&s[1], 0);
    p.lease = T0 + 200;
    (void)DO(h, piece_put, &p, ERR_OK);
    collect_all(h, T0 + 99, &uploads, &pieces);
    assert_int_equal(uploads, 0);
    collect_all(h, T0 + 100, &uploads, &pieces);
    if (!harness_fails())
        assert_int_equal(uploads, 1);
    assert_int_equal(harness_used(h, 1),
                     harness_price(STORE_PIECE_MAX) + STORE_PIECE_MAX + STORE_SLOT_COST);
    (void)DO(h, upload_seal, &s[2].seal, ERR_NOTFOUND);
    collect_all(h, T0 + 200, &uploads, &pieces);
    if (!harness_fails()) {
        assert_int_equal(uploads, 2);
        assert_int_equal(pieces, 1);
    }
    assert_int_equal(harness_used(h, 1), harness_price(STORE_PIECE_MAX));
    assert_int_equal(harness_used(h, 2), harness_price(STORE_PIECE_MAX));
}

/* It is forgotten a year later, but not before its transfer. */
static void test_cid_is_forgotten(void **state)
{
    struct harness *h = *state;
    struct store_slot_delete del = {.view = STORE_VIEW_SENT};
    struct sample a, b;
    unsigned uploads, pieces;
    uint64_t year;

    harness_users(h, 2);
    harness_sample(&a, 1, 1, 2);
    harness_send(h, &a);
    year = a.seal.now + STORE_CID_MS;
    harness_sample(&b, 2, 1, 2);
    memcpy(b.seal.cid, a.seal.cid, sizeof(b.seal.cid));
    b.open.lease = b.open.expires = 4 * year;
    (void)DO(h, upload_open, &b.open, ERR_OK);
    collect_all(h, year, &uploads, &pieces);
    (void)DO(h, upload_seal, &b.seal, ERR_KEYREUSED);
    memcpy(del.tid, a.open.tid, sizeof(del.tid));
    harness_uid(1, del.uid);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    del.view = STORE_VIEW_INBOX;
    harness_uid(2, del.uid);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    collect_all(h, year + STORE_CID_MS - 1, &uploads, &pieces);
    (void)DO(h, upload_seal, &b.seal, ERR_KEYREUSED);
    collect_all(h, year + STORE_CID_MS, &uploads, &pieces);
    (void)DO(h, upload_seal, &b.seal, ERR_OK);
}

/* Pieces and seal in one flight: the seal sees them all. */
int suite_seal(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_seal),
        TEST(test_seal_refuses),
        TEST(test_cid_only_once),
        TEST(test_one_flight),
        TEST(test_small_bodies),
        TEST(test_leaves_of_one_flight),
        TEST(test_piece_with_a_bad_seal),
        TEST(test_a_bad_seal_among_many),
        TEST(test_abort),
        TEST(test_leases),
        TEST(test_cid_is_forgotten),
    };

    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
