/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a whole: reopening, limits, a full store, ports, many operations at once. */
#include <sys/mount.h>

#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

/* ---- what is there stays there ---- */

static void test_reopen(void **state)
{
    struct harness *h = *state;
    struct store_pieces_get pieces = {0};
    struct store_slot_get get = {0};
    struct store_result *res;
    struct store_piece_put p;
    struct store_stats st;
    struct sample s, u;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 3 * STORE_PIECE_MAX);
    harness_send(h, &s);
    harness_sample(&u, 2, 1, 2);
    harness_body(&u, 2 * STORE_PIECE_MAX);
    (void)DO(h, upload_open, &u.open, ERR_OK);
    p = harness_piece(&u, 1);
    (void)DO(h, piece_put, &p, ERR_OK);
    harness_close(h);
    harness_open(h);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    harness_uid(2, get.uid);
    res = DO(h, slot_get, &get, ERR_OK);
    assert_memory_equal(res->u.mail.t.header.data, s.header, strlen(s.header));
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    assert_int_equal(DO(h, pieces_get, &pieces, ERR_OK)->count, 3);
    assert_int_equal(harness_used(h, 2), harness_price(3 * STORE_PIECE_MAX));
    assert_int_equal(harness_used(h, 1),
                     harness_price(3 * STORE_PIECE_MAX) + 2 * STORE_PIECE_MAX + STORE_SLOT_COST);
    /* The upload goes on where it was. */
    p = harness_piece(&u, 1);
    assert_true(DO(h, piece_put, &p, ERR_OK)->duplicate);
    assert_int_equal(DO(h, upload_seal, &u.seal, ERR_BADSTATE)->u.seal.missing, 1);
    p = harness_piece(&u, 0);
    (void)DO(h, piece_put, &p, ERR_OK);
    (void)DO(h, upload_seal, &u.seal, ERR_OK);
    store_stats(h->store, &st);
    assert_int_equal(st.transfers, 2);
    assert_int_equal(st.users, 2);
}

static void test_only_one_process(void **state)
{
    struct harness *h = *state;
    struct store *second = NULL;
    struct err err = {0};

    assert_int_equal(store_open(&second, &h->cfg, &err), ERR_BUSY);
    assert_null(second);
    assert_non_null(strstr(err.msg, "another process"));
}

static void test_open_refuses(void **state)
{
    struct store_config cfg = {.engine = "cards", .path = "/tmp"};
    struct store *s = NULL;

    (void)state;
    assert_int_equal(store_open(&s, &cfg, NULL), ERR_UNSUPPORTED);
    cfg.engine = NULL;
    cfg.path = "/proc/satchel";
    assert_int_equal(store_open(&s, &cfg, NULL), ERR_IO);
    cfg.path = "/tmp";
    cfg.bodies = 100;
    assert_int_equal(store_open(&s, &cfg, NULL), ERR_INVALID);
    assert_null(s);
}

static void test_two_body_environments(void **state)
{
    struct harness *h = *state;
    struct store_pieces_get pieces = {0};
    struct sample s;

    harness_close(h);
    harness_remove(h);
    h->cfg.bodies = 2;
    harness_open(h);
    harness_close(h);
    h->cfg.bodies = 1; /* it was fixed when the store was made */
    harness_open(h);
    harness_users(h, 2);
    for (unsigned n = 0; n < 4; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, STORE_PIECE_MAX + n);
        harness_send(h, &s);
        memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
        harness_uid(2, pieces.uid);
        assert_int_equal(DO(h, pieces_get, &pieces, ERR_OK)->count, n == 0 ? 1 : 2);
    }
}

/* ---- a full store ---- */

static int put(struct harness *h, const struct sample *s, uint32_t index)
{
    struct store_piece_put p = harness_piece(s, index);

    return harness_try(h, STORE_OP_piece_put, &p);
}

/* Fill up, read on, delete, write again. */
static void check_full(struct harness *h)
{
    struct store_upload_abort drop = {0};
    struct store_pieces_get pieces = {0};
    struct store_collect collect = {.now = T0};
    struct store_upload_check look;
    struct sample s, big;
    uint32_t n = 0;
    uint64_t used;
    int rc;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 2 * STORE_PIECE_MAX);
    harness_send(h, &s);
    used = harness_used(h, 1);
    harness_sample(&big, 2, 1, 2);
    harness_body(&big, 1000ULL * STORE_PIECE_MAX);
    look.open = big.open;
    (void)DO(h, upload_check, &look, ERR_FULL); /* what is announced is known not to fit */
    (void)DO(h, upload_open, &big.open, ERR_FULL);
    assert_int_equal(harness_used(h, 1), used);
    big.open.grows = true;
    (void)DO(h, upload_open, &big.open, ERR_OK); /* this may turn out shorter */
    while ((rc = put(h, &big, n)) == ERR_OK && n < 200)
        n++;
    assert_int_equal(rc, ERR_FULL);
    assert_true(n > 3);
    assert_int_equal(put(h, &big, n), ERR_FULL); /* and again, without breaking */
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    harness_uid(2, pieces.uid);
    assert_int_equal(DO(h, pieces_get, &pieces, ERR_OK)->count, 2);
    memcpy(drop.tid, big.open.tid, sizeof(drop.tid));
    harness_uid(1, drop.sender);
    (void)DO_ONCE(h, upload_abort, &drop, ERR_OK, ERR_NOTFOUND);
    harness_sample(&s, 3, 1, 2);
    harness_body(&s, (uint64_t)(n - 1) * STORE_PIECE_MAX);
    look.open = s.open;
    (void)DO(h, upload_check, &look, ERR_FULL); /* what was given up is still there */
    while (DO(h, collect, &collect, ERR_OK)->more)
        ;
    (void)DO(h, upload_check, &look, ERR_OK);
    harness_body(&s, 4 * STORE_PIECE_MAX);
    harness_send(h, &s);
}

static void test_ceiling(void **state)
{
    struct harness *h = *state;

    harness_close(h);
    h->cfg.body_max = 8 << 20;
    harness_open(h);
    check_full(h);
}

/* The same with a disk that is full, if we may make one. */
static void test_full_disk(void **state)
{
    struct harness *h = *state;

    harness_close(h);
    harness_remove(h);
    if (mount("tmpfs", h->dir, "tmpfs", 0, "size=16m") != 0) {
        harness_open(h);
        skip();
    }
    harness_open(h);
    check_full(h);
}

/* Where there is no room for the redo log all works as without it. */
static void test_no_room_for_the_log(void **state)
{
    struct harness *h = *state;
    struct sample s;

    harness_close(h);
    harness_remove(h);
    if (mount("tmpfs", h->dir, "tmpfs", 0, "size=4m") != 0) {
        harness_open(h);
        skip();
    }
    harness_open(h);
    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 100);
    harness_send(h, &s);
    harness_close(h);
    harness_open(h);
    assert_true(harness_used(h, 1) > 0);
}

/* ---- many at once ---- */

static void count_down(void *arg)
{
    --*(unsigned *)arg;
}

/* More than fits is refused, and the port hears when there is room again. */
static void test_busy_and_room(void **state)
{
    struct harness *h = *state;
    struct store_stats st;
    struct sample s;
    unsigned waits = 1, refused = 0;
    uint32_t i = 0;

    if (harness_fails())
        skip();
    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_body(&s, 200ULL * STORE_PIECE_MAX);
    (void)DO(h, upload_open, &s.open, ERR_OK);
    store_port_on_room(h->port, count_down, &waits);
    while (i < 200) {
        struct store_piece_put p = harness_piece(&s, i);

        if (harness_later_once(h, STORE_OP_piece_put, &p, ERR_OK) == ERR_OK) {
            i++;
            continue;
        }
        free(p.data); /* refused: it is still ours */
        refused++;
        waits = 1;
        while (waits > 0)
            (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
    harness_wait(h);
    assert_true(refused > 0);
    store_stats(h->store, &st);
    assert_int_equal(st.busy, refused);
    assert_int_equal(st.in_flight, 0);
    assert_int_equal(st.queued_bytes, 0);
    (void)DO(h, upload_seal, &s.seal, ERR_OK);
}

/* Readers and writers of everything at once, through growth of the map. */
static void test_mixed_load(void **state)
{
    struct harness *h = *state;
    struct store_inbox_list list = {.limit = 20};
    struct store_pieces_get pieces = {.limit = 2};
    struct store_user_list all = {0};
    struct store_piece_put p;
    struct sample s;

    if (harness_fails())
        skip();
    harness_users(h, 2);
    harness_uid(2, list.uid);
    harness_uid(2, pieces.uid);
    harness_sample(&s, 0, 1, 2);
    harness_body(&s, 2 * STORE_PIECE_MAX);
    harness_send(h, &s);
    memcpy(pieces.tid, s.open.tid, sizeof(pieces.tid));
    for (unsigned n = 1; n <= 60; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, STORE_PIECE_MAX + n);
        LATER(h, upload_open, &s.open, ERR_OK);
        LATER(h, inbox_list, &list, ERR_OK);
        LATER(h, pieces_get, &pieces, ERR_OK);
        LATER(h, user_list, &all, ERR_OK);
    }
    harness_wait(h);
    for (unsigned n = 1; n <= 60; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, STORE_PIECE_MAX + n);
        for (uint32_t i = 0; i < 2; i++) {
            p = harness_piece(&s, i);
            LATER(h, piece_put, &p, ERR_OK);
        }
        LATER(h, upload_seal, &s.seal, ERR_OK);
        LATER(h, inbox_list, &list, ERR_OK);
        LATER(h, pieces_get, &pieces, ERR_OK);
    }
    harness_wait(h);
    list.limit = 0;
    assert_int_equal(DO(h, inbox_list, &list, ERR_OK)->count, 61);
}

static void test_verify(void **state)
{
    struct harness *h = *state;
    struct store_verify verify = {.limit = 2};
    uint8_t cursor[STORE_PLACE_LEN];
    struct store_result *res;
    unsigned transfers = 0, pieces = 0, faults = 0, pages = 0;
    struct sample s;

    harness_users(h, 2);
    for (unsigned n = 1; n <= 3; n++) {
        harness_sample(&s, n, 1, 2);
        harness_body(&s, n == 2 ? 70 * STORE_PIECE_MAX : 0);
        harness_send(h, &s);
    }
    do {
        res = DO(h, verify, &verify, ERR_OK);
        transfers += (unsigned)res->u.verify.transfers;
        pieces += (unsigned)res->u.verify.pieces;
        faults += (unsigned)res->count;
        /* The samples' leaves are no hashes: that is found. */
        for (size_t i = 0; i < res->count; i++) {
            assert_memory_equal(res->u.verify.faults[i].tid + 1, "t\0\0\0\0\0\2", 7);
            assert_string_equal(res->u.verify.faults[i].what, "piece does not match its leaf");
        }
        memcpy(cursor, res->cursor, sizeof(cursor));
        verify.cursor = cursor;
        pages++;
    } while (res->more);
    assert_int_equal(transfers, 3);
    assert_int_equal(pieces, 70);
    assert_int_equal(faults, 70);
    assert_int_equal(pages, 2);
}

int suite_store(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_reopen),       TEST(test_no_room_for_the_log),   TEST(test_only_one_process),
        TEST(test_open_refuses), TEST(test_two_body_environments), TEST(test_ceiling),
        TEST(test_full_disk),    TEST(test_busy_and_room),         TEST(test_mixed_load),
        TEST(test_verify),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
