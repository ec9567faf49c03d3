/* SPDX-License-Identifier: Apache-2.0 */
/* A server that lies about what became of a transfer: its log, its head, its addenda. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/statement.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

enum { RELEASED = 2, WEEK_S = 7 * 24 * 3600 };

static char id[SATCHEL_ID_SIZE]; /* of what Alice has sent last */

static void send_one(struct scene *g)
{
    send_to_bob(g);
    memcpy(id, g->alice.last.id, sizeof(id));
}

static struct fake_transfer *only(struct scene *g)
{
    return &g->fake.transfers[0];
}

/* Alice has sent to Bob, who has got it and has signed that. */
static void send_and_get(struct scene *g)
{
    send_one(g);
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_OK);
    assert_int_equal(only(g)->n_events, 2);
}

static struct ending *look(struct scene *g)
{
    return do_log(&g->alice, id);
}

/* ---- the log itself ---- */

static void change_kind(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->events_reply->events[n]->kind++;
}

static void change_hash(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->events_reply->events[n]->hash.data[7] ^= 1;
}

static void change_number(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->events_reply->events[n]->number++;
}

static void change_head(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->events_reply->head->body.data[n] ^= 1;
}

static void leave_out_the_head(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    (void)n;
    satchel__signed__free_unpacked(r->events_reply->head, NULL);
    r->events_reply->head = NULL;
}

static void leave_out_the_last(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__EventsReply *m = r->events_reply;

    (void)f;
    (void)tail;
    (void)n;
    satchel__logged_event__free_unpacked(m->events[--m->n_events], NULL);
}

static void changed_events(void **state)
{
    static const struct plan plans[] = {
        {.change = change_kind, .n = 0},   {.change = change_kind, .n = 1},
        {.change = change_hash, .n = 0},   {.change = change_hash, .n = 1},
        {.change = change_number, .n = 1}, {.change = change_head, .n = 0},
        {.change = change_head, .n = 40},  {.change = leave_out_the_head},
        {.change = leave_out_the_last},
    };
    struct scene *g = *state;

    send_and_get(g);
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct plan p = plans[i];

        p.kind = SATCHEL__ENVELOPE__BODY_EVENTS_REPLY;
        hostile(g, &p);
        if (look(g)->code != SATCHEL_E_INTEGRITY)
            fail_msg("plan %zu: %d %s", i, g->alice.last.code, g->alice.last.message);
        honest(g);
    }
    assert_int_equal(look(g)->code, SATCHEL_OK);
}

/* Two logs, each of them sound and signed: whichever she has seen first is the one. */
static void forked_log(void **state)
{
    struct scene *g = *state;
    struct fake_event hidden;

    send_and_get(g);
    assert_int_equal(look(g)->code, SATCHEL_OK);
    only(g)->n_events--; /* the receipt never came */
    assert_int_equal(look(g)->code, SATCHEL_E_INTEGRITY);
    assert_non_null(strstr(g->alice.last.message, "shorter"));
    handle_again(&g->alice); /* it is remembered on the disk */
    assert_int_equal(look(g)->code, SATCHEL_E_INTEGRITY);
    only(g)->n_events++;
    assert_int_equal(look(g)->code, SATCHEL_OK);
    hidden = only(g)->events[1];
    only(g)->events[1].kind = RELEASED; /* something else came in its place */
    only(g)->events[2] = hidden;
    only(g)->n_events++;
    assert_int_equal(look(g)->code, SATCHEL_E_INTEGRITY);
    assert_non_null(strstr(g->alice.last.message, "showed before"));
    only(g)->events[1] = hidden; /* the same, and one more: it goes on */
    assert_int_equal(look(g)->code, SATCHEL_OK);
}

/* A log of another server key, sound in itself. */
static void head_by_another_key(void **state)
{
    struct scene *g = *state;

    send_and_get(g);
    g->fake.server_seed.data[0] ^= 1;
    assert_int_equal(look(g)->code, SATCHEL_E_INTEGRITY);
}

/* ---- addenda ---- */

static struct ending *extend(struct scene *g)
{
    return do_extend(&g->alice, id, (uint64_t)WEEK_S * 1000);
}

static uint32_t number_of(const Satchel__Signed *s)
{
    Satchel__Statement *m = satchel__statement__unpack(NULL, s->body.len, s->body.data);
    uint32_t number;

    assert_non_null(m);
    number = m->number;
    satchel__statement__free_unpacked(m, NULL);
    return number;
}

/* Put another number into an addendum; its signature is then good no more. */
static void lie_about_the_number(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    Satchel__Signed *s = r->status_reply->addendum;
    Satchel__Statement *m = satchel__statement__unpack(NULL, s->body.len, s->body.data);

    (void)f;
    (void)tail;
    assert_non_null(m);
    m->number = (uint32_t)n;
    free(s->body.data);
    s->body.len = satchel__statement__get_packed_size(m);
    s->body.data = malloc(s->body.len);
    assert_non_null(s->body.data);
    (void)satchel__statement__pack(m, s->body.data);
    satchel__statement__free_unpacked(m, NULL);
}

/* A number that only the server says would use up all of them. */
static void numbers_are_not_the_servers(void **state)
{
    struct scene *g = *state;
    struct plan p = {
        .kind = SATCHEL__ENVELOPE__BODY_STATUS_REPLY, .change = lie_about_the_number, .n = 999};

    send_one(g);
    assert_int_equal(extend(g)->code, SATCHEL_OK);
    hostile(g, &p);
    assert_int_equal(extend(g)->code, SATCHEL_E_INTEGRITY);
    honest(g);
    assert_int_equal(number_of(only(g)->addendum), 1);
    assert_int_equal(extend(g)->code, SATCHEL_OK);
    assert_int_equal(number_of(only(g)->addendum), 2);
}

/* The addendum of another transfer, which she has signed, too. */
static void addendum_of_another_transfer(void **state)
{
    struct scene *g = *state;

    send_one(g);
    assert_int_equal(extend(g)->code, SATCHEL_OK);
    send_one(g);
    g->fake.transfers[1].addendum = g->fake.transfers[0].addendum;
    g->fake.transfers[0].addendum = NULL;
    assert_int_equal(extend(g)->code, SATCHEL_E_INTEGRITY);
}

/* ---- an end that the server does not change ---- */

struct refusal {
    Satchel__SlotState states[2]; /* of the recipients, as Status says */
    Satchel__Code said;           /* to Extend */
    int code;
    const char *hint;
};

static bool refuse(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    const struct refusal *x = f->cookie;

    (void)tail;
    if (r->body_case == SATCHEL__ENVELOPE__BODY_STATUS_REPLY)
        for (size_t i = 0; i < r->status_reply->n_recipients; i++)
            r->status_reply->recipients[i]->state = x->states[i % 2];
    if (r->body_case == SATCHEL__ENVELOPE__BODY_DONE)
        fake_error(r, x->said, "no");
    return true;
}

/* What stays so is told from what another try may bring. */
static void why_it_is_not_extended(void **state)
{
#define STATE(x) SATCHEL__SLOT_STATE__##x
#define CODE(x)  SATCHEL__CODE__##x
    static const char over[] = "that cannot be undone: send it again";
    static const char again[] = "it has changed meanwhile: try again";
    static const struct refusal rows[] = {
        {{STATE(SLOT_REVOKED), STATE(SLOT_REVOKED)}, CODE(BAD_STATE), SATCHEL_E_REVOKED, over},
        {{STATE(DELETED), STATE(DELETED)}, CODE(BAD_STATE), SATCHEL_E_REFUSED, over},
        {{STATE(DELETED), STATE(SLOT_REVOKED)}, CODE(BAD_STATE), SATCHEL_E_REFUSED, over},
        {{STATE(STORED), STATE(SLOT_REVOKED)}, CODE(BAD_STATE), SATCHEL_E_BADSTATE, again},
        {{STATE(RECEIVED), STATE(RELEASED)}, CODE(BAD_STATE), SATCHEL_E_BADSTATE, again},
        {{STATE(STORED), STATE(STORED)}, CODE(EXISTS), SATCHEL_E_EXISTS, again},
        {{STATE(STORED), STATE(STORED)}, CODE(EXPIRED), SATCHEL_E_EXPIRED, "send it again"},
    };
    struct scene *g = *state;

    send_one(g);
    g->fake.spoil = refuse;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct refusal row = rows[i];

        g->fake.cookie = &row;
        assert_int_equal(extend(g)->code, row.code);
        assert_string_equal(g->alice.last.hint, row.hint);
    }
    honest(g);
    assert_int_equal(extend(g)->code, SATCHEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changed_events),
        TEST(forked_log),
        TEST(head_by_another_key),
        TEST(numbers_are_not_the_servers),
        TEST(addendum_of_another_transfer),
        TEST(why_it_is_not_extended),
    };
    int failed = cmocka_run_group_tests_name("hostile log", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
