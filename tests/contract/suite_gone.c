/* SPDX-License-Identifier: Apache-2.0 */
/* A user who leaves, and what he leaves behind. */
#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

static void leave(struct harness *h, unsigned n)
{
    struct store_user_delete in = {.now = T0 + 50};

    harness_uid(n, in.uid);
    (void)DO(h, user_delete, &in, ERR_OK);
}

/* Clear in parts of ${limit}; how many cells were named in all. */
static size_t clear(struct harness *h, unsigned n, size_t limit)
{
    struct store_user_clear in = {.now = T0 + 60, .limit = limit};
    struct store_result *res;
    size_t cells = 0, parts = 0;

    harness_uid(n, in.uid);
    do {
        res = DO(h, user_clear, &in, ERR_OK);
        cells += res->count;
        assert_true(parts++ < 10000);
    } while (res->more);
    return cells;
}

static enum store_life life_of(struct harness *h, const struct sample *s, unsigned n)
{
    struct store_slot_get get;

    memcpy(get.tid, s->open.tid, sizeof(get.tid));
    harness_uid(n, get.uid);
    return DO(h, slot_get, &get, ERR_OK)->u.mail.me.life;
}

static void claim(struct harness *h, const struct sample *s, unsigned n)
{
    struct store_slot_update in = {.move = STORE_MOVE_CLAIM, .now = T0 + 10};

    memcpy(in.tid, s->open.tid, sizeof(in.tid));
    harness_uid(n, in.uid);
    memset(in.device, 0x44, sizeof(in.device));
    (void)DO(h, slot_update, &in, ERR_OK);
}

static void test_names(void **state)
{
    struct harness *h = *state;
    struct store_user_get get = {.by = STORE_BY_NAME, .text = "user1"};
    struct store_user_delete in = {.now = T0};
    struct store_user_create other = {.name = "user1",
                                      .email = "other@example.org",
                                      .manifest = {(const uint8_t *)"manifest", 8},
                                      .manifest_seq = 1,
                                      .now = T0};
    char email[STORE_EMAIL_MAX + 1];

    harness_uid(1, in.uid);
    (void)DO(h, user_delete, &in, ERR_NOTFOUND);
    harness_users(h, 1);
    (void)snprintf(email, sizeof(email), "%s", DO(h, user_get, &get, ERR_OK)->u.user.email);
    ASSERT_FRESH(h, DO(h, user_delete, &in, ERR_OK));
    assert_true(DO(h, user_delete, &in, ERR_OK)->duplicate);
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
    get = (struct store_user_get){.by = STORE_BY_EMAIL, .text = email};
    (void)DO(h, user_get, &get, ERR_NOTFOUND);
    get = (struct store_user_get){.by = STORE_BY_UID};
    harness_uid(1, get.uid);
    assert_int_equal(DO(h, user_get, &get, ERR_OK)->u.user.state, STORE_USER_DELETED);
    assert_string_equal(h->last->u.user.name, "");
    assert_string_equal(h->last->u.user.email, "");
    /* Nobody gets the name, not even when all is cleared; the address is free again. */
    harness_uid(2, other.uid);
    assert_int_equal(DO(h, user_create, &other, ERR_EXISTS)->u.clash, STORE_CLASH_NAME);
    (void)clear(h, 1, 0);
    assert_int_equal(DO(h, user_create, &other, ERR_EXISTS)->u.clash, STORE_CLASH_NAME);
    other.name = "other";
    other.email = email;
    (void)DO(h, user_create, &other, ERR_OK);
    harness_uid(1, other.uid);
    other.name = "again";
    other.email = "again@example.org";
    assert_int_equal(DO(h, user_create, &other, ERR_EXISTS)->u.clash, STORE_CLASH_UID);
}

/* What somebody who is gone still has under way changes nothing any more. */
static void test_nothing_comes_after(void **state)
{
    struct harness *h = *state;
    struct store_account_put account = {.number = 1, .now = T0, .bytes = {(const uint8_t *)"a", 1}};
    struct store_factor_put factor = {.number = 1, .bytes = {(const uint8_t *)"f", 1}};
    struct store_manifest_put manifest = {.seq = 2, .now = T0, .bytes = {(const uint8_t *)"m", 1}};
    struct store_block_set block = {.blocked = true, .now = T0};
    struct sample to, from;

    harness_users(h, 2);
    harness_uid(1, account.uid);
    harness_uid(1, factor.uid);
    harness_uid(1, manifest.uid);
    harness_uid(1, block.uid);
    leave(h, 1);
    (void)DO(h, account_put, &account, ERR_NOTFOUND);
    (void)DO(h, factor_put, &factor, ERR_NOTFOUND);
    (void)DO(h, manifest_put, &manifest, ERR_NOTFOUND);
    (void)DO(h, block_set, &block, ERR_NOTFOUND);
    harness_sample(&to, 1, 2, 1);
    (void)DO(h, upload_open, &to.open, ERR_NOTFOUND);
    harness_sample(&from, 2, 1, 2);
    (void)DO(h, upload_open, &from.open, ERR_NOTFOUND);
}

static void test_records_go(void **state)
{
    struct harness *h = *state;
    struct store_account_put account = {.number = 1, .now = T0, .bytes = {(const uint8_t *)"a", 1}};
    struct store_factor_put factor = {.number = 1, .bytes = {(const uint8_t *)"f", 1}};
    struct store_block_set block = {.blocked = true, .now = T0};
    struct store_manifest_list manifests = {.from = 1, .limit = 10};
    struct store_account_get get_account = {.bytes = true};
    struct store_factor_get get_factor;
    struct store_feed_list feed = {.limit = 10};
    struct sample s;

    harness_users(h, 2);
    harness_uid(1, account.uid);
    harness_uid(1, factor.uid);
    harness_uid(1, block.uid);
    harness_uid(3, block.from);
    harness_uid(1, manifests.uid);
    harness_uid(1, get_account.uid);
    harness_uid(1, get_factor.uid);
    harness_uid(1, feed.uid);
    harness_manifest(h, 1, 1, account.newest);
    (void)DO(h, account_put, &account, ERR_OK);
    (void)DO(h, factor_put, &factor, ERR_OK);
    (void)DO(h, block_set, &block, ERR_OK);
    harness_sample(&s, 1, 1, 2);
    harness_send(h, &s);
    leave(h, 1);
    assert_int_equal(DO(h, account_get, &get_account, ERR_OK)->u.account.bytes.len, 0);
    (void)DO(h, factor_get, &get_factor, ERR_NOTFOUND);
    (void)clear(h, 1, 1);
    assert_int_equal(DO(h, manifest_list, &manifests, ERR_OK)->count, 0);
    assert_int_equal(DO(h, feed_list, &feed, ERR_OK)->u.feed.newest, 0);
}

/* Whom a share had left for keeps it; for the others the transfer is revoked. */
static void test_sent(void **state)
{
    struct harness *h = *state;
    struct store_cells_due due = {.limit = 100};
    struct store_sent_list sent = {.limit = 10};
    struct store_slot_delete del = {.view = STORE_VIEW_INBOX, .now = T0 + 30};
    struct sample opened, unopened;
    struct store_result *res;

    harness_users(h, 2);
    harness_sample(&opened, 1, 1, 2);
    harness_send(h, &opened);
    harness_sample(&unopened, 2, 1, 2);
    harness_send(h, &unopened);
    claim(h, &opened, 2);
    leave(h, 1);
    assert_int_equal(life_of(h, &unopened, 2), STORE_LIVE); /* until it is cleared */
    assert_true(clear(h, 1, 0) == 3 || harness_fails());
    assert_int_equal(life_of(h, &opened, 2), STORE_LIVE);
    assert_int_equal(life_of(h, &unopened, 2), STORE_REVOKED);
    res = DO(h, cells_due, &due, ERR_OK); /* both of one, the sender's own of the other */
    assert_int_equal(res->count, 3);
    for (size_t i = 0; i < res->count; i++)
        assert_true(res->u.cells[i] != opened.slots[0].cell);
    harness_uid(1, sent.uid);
    assert_int_equal(DO(h, sent_list, &sent, ERR_OK)->count, 0);
    claim(h, &opened, 2);                                   /* the same device again */
    assert_int_equal(harness_used(h, 1), harness_price(0)); /* what bob has is not gone yet */
    memcpy(del.tid, opened.open.tid, sizeof(del.tid));
    harness_uid(2, del.uid);
    (void)DO_ONCE(h, slot_delete, &del, ERR_OK, ERR_NOTFOUND);
    assert_int_equal(harness_used(h, 1), 0);
}

static void test_received(void **state)
{
    struct harness *h = *state;
    struct store_inbox_list inbox = {.limit = 10};
    struct store_cells_due due = {.limit = 100};
    struct store_transfer_get get = {0};
    struct store_result *res;
    struct sample s;

    harness_users(h, 2);
    harness_sample(&s, 1, 1, 2);
    harness_send(h, &s);
    leave(h, 2);
    assert_true(clear(h, 2, 0) == 1 || harness_fails());
    harness_uid(2, inbox.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
    res = DO(h, cells_due, &due, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.cells[0], s.slots[0].cell);
    memcpy(get.tid, s.open.tid, sizeof(get.tid));
    harness_uid(1, get.sender);
    res = DO(h, transfer_get, &get, ERR_OK); /* its sender has it still */
    assert_int_equal(res->u.mail.nrecipients, 2);
    assert_int_equal(harness_used(h, 2), 0);
}

/* An upload of his ends; one to him that was begun before is sealed, and cleared then. */
static void test_uploads(void **state)
{
    struct harness *h = *state;
    struct store_user_clear any = {.any = true, .now = T0 + 60, .limit = 100};
    struct store_inbox_list inbox = {.limit = 10};
    struct store_upload_get get = {0};
    struct sample own, to;

    harness_users(h, 2);
    harness_sample(&own, 1, 1, 2);
    (void)DO(h, upload_open, &own.open, ERR_OK);
    harness_sample(&to, 2, 2, 1);
    (void)DO(h, upload_open, &to.open, ERR_OK);
    leave(h, 1);
    assert_true(clear(h, 1, 0) == 2 || harness_fails());
    memcpy(get.tid, own.open.tid, sizeof(get.tid));
    memcpy(get.sender, own.open.sender, sizeof(get.sender));
    (void)DO(h, upload_get, &get, ERR_NOTFOUND);
    assert_true(DO(h, user_clear, &any, ERR_OK)->duplicate); /* nobody is left to be cleared */
    for (uint32_t i = 0; i < to.seal.pieces; i++) {
        struct store_piece_put piece = harness_piece(&to, i);

        (void)DO(h, piece_put, &piece, ERR_OK);
    }
    (void)DO(h, upload_seal, &to.seal, ERR_OK);
    harness_uid(1, inbox.uid);
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 1);
    assert_true(DO(h, user_clear, &any, ERR_OK)->count == 1 || harness_fails());
    assert_int_equal(DO(h, inbox_list, &inbox, ERR_OK)->count, 0);
    assert_int_equal(life_of(h, &to, 2), STORE_LIVE);
}

/* In small parts, with the store opened anew between them: all of it goes in the end. */
static void test_parts_and_restarts(void **state)
{
    enum { MANY = 12 };
    struct harness *h = *state;
    struct store_user_clear any = {.any = true, .now = T0 + 60, .limit = 3};
    struct store_cells_due due = {.limit = 100};
    struct store_collect collect = {.now = T0 + 60, .limit = 100};
    struct store_verify verify = {.limit = 100};
    unsigned parts = 0;
    bool more = true;
    struct sample s;

    harness_users(h, 3);
    for (unsigned i = 0; i < MANY; i++) {
        harness_sample(&s, i + 1, i % 2 == 0 ? 1 : 2, i % 2 == 0 ? 2 : 1);
        harness_send(h, &s);
    }
    leave(h, 1);
    leave(h, 3);
    for (; more; parts++) {
        more = DO(h, user_clear, &any, ERR_OK)->more;
        harness_close(h);
        harness_open(h);
        assert_true(parts < 200);
    }
    assert_true(parts > 5);
    assert_int_equal(DO(h, cells_due, &due, ERR_OK)->count, MANY + MANY / 2);
    assert_int_equal(harness_used(h, 1), 0);
    while (DO(h, collect, &collect, ERR_OK)->more)
        ;
    assert_int_equal(DO(h, verify, &verify, ERR_OK)->count, 0);
}

int suite_gone(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, harness_setup, harness_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_nothing_comes_after),
        TEST(test_records_go),
        TEST(test_sent),
        TEST(test_received),
        TEST(test_uploads),
        TEST(test_parts_and_restarts),
    };

    return cmocka_run_group_tests_name("gone", tests, NULL, NULL);
}
