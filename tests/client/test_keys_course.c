/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in the course of time: new encryption keys, lapsed ones, those of another device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/transfer/header.h"
#include "common/transfer/statement.h"
#include "tests/client/old_user.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* Of a small send nobody is asked about whose newest manifest is pinned: then the server says that
 * it is another, and the transfer is for the new key. */
static void an_old_key_is_noticed(void **state)
{
    struct scene *g = *state;
    const unsigned *lookups = &g->fake.requests[SATCHEL__ENVELOPE__BODY_LOOKUP];
    struct old_user u;
    unsigned before;

    g->fake.compares = true;
    assert_int_equal(truncate(g->file, 1000), 0);
    old_user_make(g, &u, 28);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* brings the new key */
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    for (unsigned i = 1; i < 3; i++) {
        before = *lookups;
        assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
        assert_int_equal(g->fake.known, i); /* the second time it is right */
        assert_int_equal(*lookups - before, i == 1 ? 1 : 0);
        assert_int_equal(g->fake.n_transfers, i);
        assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
        assert_output(g);
    }
    old_user_free(&u);
}

/* A key that has ended is not guessed: there is likely another, and nobody is told of the old one.
 */
static void an_ended_key_is_not_guessed(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    g->fake.compares = true;
    assert_int_equal(truncate(g->file, 1000), 0);
    old_user_make(g, &u, 40);
    handle_again(&g->alice);
    assert_int_equal(do_add(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK); /* brings the new key */
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    assert_int_equal(g->fake.known, 0);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    old_user_free(&u);
}

static void a_new_key_comes_in_time(void **state)
{
    struct scene *g = *state;
    struct fake_user *dave;
    struct old_user u;
    char id[SATCHEL_ID_SIZE];

    old_user_make(g, &u, 28);
    dave = fake_find_user(&g->fake, "dave");
    /* Sent to the old key, received after the new one has come. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    memcpy(id, g->alice.last.id, sizeof(id));
    assert_int_equal(do_get(&u.h, id)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_int_equal(dave->n, 2);
    assert_output(g);
    /* Once is enough. */
    handle_again(&u.h);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 0);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST], 1);
    /* And the new one works, for those who knew the old one and for others. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(do_send(&g->carol, "dave")->code, SATCHEL_OK);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    assert_int_equal(do_get(&u.h, id)->code, SATCHEL_OK);
    assert_output(g);
    /* Headers name the manifest that is the newest at the server. */
    assert_int_equal(do_send(&u.h, "bob")->code, SATCHEL_OK);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    old_user_free(&u);
}

static void a_lapsed_key_is_used_and_told(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 40);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 1);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_output(g);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    assert_int_equal(g->alice.last.notices[SATCHEL_NOTICE_LAPSED], 0);
    old_user_free(&u);
}

static bool refuse_put(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_DONE &&
        f->requests[SATCHEL__ENVELOPE__BODY_GET_PIECES] == 0)
        fake_error(r, SATCHEL__CODE__BUSY, "not now");
    return true;
}

static void a_new_key_that_is_refused(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 28);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    g->fake.spoil = refuse_put;
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK); /* the old one still works */
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_KEY_FAILED], 1);
    assert_output(g);
    honest(g);
    handle_again(&u.h);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    old_user_free(&u);
}

/* The server keeps account records, and another device's has come between. */
static bool overtake(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_LOGIN_REPLY)
        r->login_reply->account = 1;
    else if (r->body_case == SATCHEL__ENVELOPE__BODY_ERROR &&
             f->requests[SATCHEL__ENVELOPE__BODY_PUT_ACCOUNT] == 1) {
        fake_clear(r);
        fake_error(r, SATCHEL__CODE__EXISTS, "a newer account record is there");
    }
    return true;
}

/* That is no failure: it is said as what it is. */
static void another_device_was_faster(void **state)
{
    struct scene *g = *state;

    g->fake.spoil = overtake;
    handle_again(&g->bob);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_ACCOUNT], 1);
    assert_int_equal(g->bob.last.notices[SATCHEL_NOTICE_KEY_FAILED], 1);
    assert_non_null(strstr(g->bob.last.notice, "nothing is lost"));
    assert_null(strstr(g->bob.last.notice, "account record"));
}

static bool drop_put(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (f->requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST] != 1 ||
        r->body_case != SATCHEL__ENVELOPE__BODY_DONE)
        return true;
    fake_drop(f);
    return false;
}

/* The server has it, but its answer is lost: the next login learns of it, and nothing goes out
 * again. */
static void a_new_key_with_a_lost_answer(void **state)
{
    struct scene *g = *state;
    struct old_user u;

    old_user_make(g, &u, 28);
    g->fake.spoil = drop_put;
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_E_CLOSED);
    /* Others use the new key already. */
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    honest(g);
    handle_again(&u.h);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_ROTATED], 1);
    assert_output(g);
    assert_int_equal(fake_find_user(&g->fake, "dave")->n, 2);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PUT_MANIFEST], 1);
    old_user_free(&u);
}

/* ---- another device ------------------------------------------------------------- */

/* Another device of Dave's publishes a manifest behind his first. */
static struct manifest *publish(struct scene *g, const struct old_user *u)
{
    struct manifest_build_plan plan = old_user_plan(u->first);

    return old_user_publish(g, &plan, &u->isk);
}

/* The login of the very same command brings it. */
static void a_receipt_names_what_the_login_brought(void **state)
{
    struct scene *g = *state;
    const struct fake_transfer *t = g->fake.transfers;
    const struct fake_event *e;
    struct statement receipt;
    struct manifest *newest;
    struct old_user u;

    old_user_make(g, &u, 1);
    assert_int_equal(do_send(&g->alice, "dave")->code, SATCHEL_OK);
    newest = publish(g, &u);
    assert_int_equal(do_get(&u.h, NULL)->code, SATCHEL_OK);
    assert_output(g);
    e = &t->events[t->n_events - 1];
    assert_int_equal(statement_read(part(e->data, e->len), &receipt, NULL), ERR_OK);
    assert_memory_equal(&receipt.manifest, &newest->hash, sizeof(newest->hash));
    manifest_free(newest);
    old_user_free(&u);
}

static bool drop_opened(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY ||
        f->requests[SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER] != 1)
        return true;
    fake_drop(f);
    return false;
}

/* It came after the login of this connection; the next one, in the same send, brings it. */
static void a_header_names_what_the_next_connection_brought(void **state)
{
    struct scene *g = *state;
    const Satchel__SealTransfer *seal;
    struct manifest *newest;
    struct old_user u;
    struct header h;

    old_user_make(g, &u, 1);
    handle_retry(&u.h, 60000);
    assert_int_equal(do_ping(&u.h)->code, SATCHEL_OK);
    newest = publish(g, &u);
    g->fake.spoil = drop_opened;
    assert_int_equal(do_send(&u.h, "bob")->code, SATCHEL_OK);
    assert_int_equal(u.h.last.notices[SATCHEL_NOTICE_RETRY], 1);
    seal = g->fake.transfers[g->fake.n_transfers - 1].seal;
    assert_int_equal(header_parse(part(seal->header.data, seal->header.len), &h, NULL), ERR_OK);
    assert_memory_equal(&h.manifest, &newest->hash, sizeof(newest->hash));
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_output(g);
    manifest_free(newest);
    old_user_free(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_comes_in_time),
        TEST(an_old_key_is_noticed),
        TEST(an_ended_key_is_not_guessed),
        TEST(a_lapsed_key_is_used_and_told),
        TEST(a_new_key_that_is_refused),
        TEST(a_new_key_with_a_lost_answer),
        TEST(a_receipt_names_what_the_login_brought),
        TEST(a_header_names_what_the_next_connection_brought),
        TEST(another_device_was_faster),
    };
    int failed = cmocka_run_group_tests_name("keys in the course of time", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
