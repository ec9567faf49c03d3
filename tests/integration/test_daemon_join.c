/* SPDX-License-Identifier: Apache-2.0 */
/* Offers for new devices: who hears what, how often, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

enum { ID_LEN = 16, MINUTE = 60 * 1000, WRONG = 5 };

static int setup(void **state)
{
    (void)state;
    stage_up(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

/* What an OfferJoin says; `id` filled with one byte. */
struct offer {
    uint8_t id;
    uint64_t lifetime;
    const char *answer;
    bool refuse, end;
};

static uint64_t send_offer(struct peer *p, const struct offer *o)
{
    Satchel__OfferJoin msg = SATCHEL__OFFER_JOIN__INIT;
    uint8_t id[ID_LEN];
    PEER_ENV(env, OFFER_JOIN, offer_join, &msg);

    memset(id, o->id, sizeof(id));
    PEER_BYTES(msg.id, id);
    msg.lifetime = o->lifetime;
    if (o->answer != NULL)
        msg.answer = (ProtobufCBinaryData){strlen(o->answer), (uint8_t *)(uintptr_t)o->answer};
    msg.refuse = o->refuse;
    msg.end = o->end;
    return peer_send(p, &env, NULL, 0);
}

static uint64_t send_join(struct peer *p, uint8_t fill, const char *request)
{
    Satchel__Join msg = SATCHEL__JOIN__INIT;
    uint8_t id[ID_LEN];
    PEER_ENV(env, JOIN, join, &msg);

    memset(id, fill, sizeof(id));
    PEER_BYTES(msg.id, id);
    msg.request = (ProtobufCBinaryData){strlen(request), (uint8_t *)(uintptr_t)request};
    return peer_send(p, &env, NULL, 0);
}

/* The reply is there and says ${sealed}. */
static void expect(struct peer *p, uint64_t id, const char *sealed)
{
    struct message *m = peer_wait(p, id);

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_JOIN_REPLY);
    assert_int_equal(m->env->join_reply->sealed.len, strlen(sealed));
    assert_memory_equal(m->env->join_reply->sealed.data, sealed, strlen(sealed));
    message_free(m);
}

static Satchel__Code code_of(struct peer *p, uint64_t id)
{
    return peer_code(peer_wait(p, id));
}

static Satchel__Code offer(struct peer *p, struct offer o)
{
    return code_of(p, send_offer(p, &o));
}

static void begin_offer(struct peer *p, uint8_t id)
{
    expect(p, send_offer(p, &(struct offer){.id = id, .lifetime = MINUTE}), "");
}

/* Each waits for the other, whoever comes first. */
static void test_they_meet(void **state)
{
    struct peer a, b;
    struct message *m;
    uint64_t waits, joins;

    (void)state;
    stage_enter(&a, &alice);
    stage_greet(&b);
    assert_int_equal(code_of(&b, send_join(&b, 1, "me")), CODE(NOT_FOUND));
    begin_offer(&a, 1);
    waits = send_offer(&a, &(struct offer){.id = 1});
    joins = send_join(&b, 1, "me");
    expect(&a, waits, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 1}), "me"); /* said again */
    expect(&a, send_offer(&a, &(struct offer){.id = 1, .answer = "welcome"}), "");
    m = peer_wait(&b, joins);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_JOIN_REPLY);
    assert_int_equal(m->env->join_reply->sealed.len, 7);
    assert_memory_equal(m->env->join_reply->sealed.data, "welcome", 7);
    assert_int_equal(m->env->join_reply->n_manifests, 1);
    assert_int_equal(m->env->join_reply->last_sequence, 1);
    message_free(m);
    /* The same request hears it again; another one does not. */
    expect(&b, send_join(&b, 1, "me"), "welcome");
    assert_int_equal(code_of(&b, send_join(&b, 1, "you")), CODE(EXISTS));
    assert_int_equal(offer(&a, (struct offer){.id = 1, .answer = "again"}), CODE(EXISTS));
    assert_int_equal(offer(&a, (struct offer){.id = 1, .answer = "welcome"}), OK);
    assert_int_equal(offer(&a, (struct offer){.id = 1, .end = true}), OK);
    assert_int_equal(code_of(&b, send_join(&b, 1, "me")), CODE(NOT_FOUND));
    peer_close(&a);
    peer_close(&b);
}

/* Who waits hears of the end at once. */
static void test_taken_back(void **state)
{
    struct peer a, b;
    uint64_t waits, joins;

    (void)state;
    stage_enter(&a, &alice);
    stage_greet(&b);
    begin_offer(&a, 2);
    joins = send_join(&b, 2, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 2}), "me");
    assert_int_equal(offer(&a, (struct offer){.id = 2, .end = true}), OK);
    assert_int_equal(code_of(&b, joins), CODE(NOT_FOUND));
    /* Another one in its place ends the first as well. */
    begin_offer(&a, 3);
    waits = send_offer(&a, &(struct offer){.id = 3});
    begin_offer(&a, 4);
    assert_int_equal(code_of(&a, waits), CODE(NOT_FOUND));
    peer_close(&a);
    peer_close(&b);
}

static void test_refused(void **state)
{
    static const char *const requests[WRONG] = {"a", "b", "c", "d", "e"};
    struct peer a, b, c;

    (void)state;
    stage_enter(&a, &alice);
    begin_offer(&a, 5);
    for (int i = 0; i < WRONG; i++) {
        uint64_t joins, refuses;

        stage_greet(&b);
        joins = send_join(&b, 5, requests[i]);
        expect(&a, send_offer(&a, &(struct offer){.id = 5}), requests[i]);
        stage_greet(&c);
        assert_int_equal(code_of(&c, send_join(&c, 5, "x")), CODE(BUSY)); /* one at a time */
        peer_close(&c);
        refuses = send_offer(&a, &(struct offer){.id = 5, .refuse = true});
        assert_int_equal(code_of(&b, joins), i + 1 < WRONG ? CODE(AUTH_FAILED) : CODE(NOT_FOUND));
        if (i + 1 == WRONG)
            assert_int_equal(code_of(&a, refuses), CODE(NOT_FOUND));
        peer_close(&b);
    }
    assert_int_equal(offer(&a, (struct offer){.id = 5}), CODE(NOT_FOUND));
    peer_close(&a);
}

static void test_what_is_not_allowed(void **state)
{
    static char long_text[3000];
    struct peer a, b, c;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    stage_enter(&a, &alice);
    stage_enter(&c, &bob);
    stage_greet(&b);
    assert_int_equal(offer(&b, (struct offer){.id = 6, .lifetime = MINUTE}), CODE(BAD_STATE));
    assert_int_equal(code_of(&a, send_join(&a, 6, "me")), CODE(BAD_STATE));
    assert_int_equal(code_of(&b, send_join(&b, 6, "")), CODE(BAD_REQUEST));
    assert_int_equal(code_of(&b, send_join(&b, 6, long_text)), CODE(BAD_REQUEST));
    begin_offer(&a, 6);
    assert_int_equal(offer(&a, (struct offer){.id = 6, .answer = "to whom"}), CODE(BAD_STATE));
    /* Somebody else's is none. */
    assert_int_equal(offer(&c, (struct offer){.id = 6, .lifetime = MINUTE}), CODE(EXISTS));
    assert_int_equal(offer(&c, (struct offer){.id = 6}), CODE(NOT_FOUND));
    assert_int_equal(offer(&c, (struct offer){.id = 6, .end = true}), OK);
    begin_offer(&a, 6); /* it is there */
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
}

/* It ends by itself; who waits hears so. */
static void test_run_out(void **state)
{
    struct peer a;

    (void)state;
    stage_enter(&a, &alice);
    expect(&a, send_offer(&a, &(struct offer){.id = 7, .lifetime = 1}), "");
    assert_int_equal(offer(&a, (struct offer){.id = 7}), CODE(NOT_FOUND));
    peer_close(&a);
}

/* A daemon that stops lets nobody wait. */
static void test_drained(void **state)
{
    struct peer a;
    uint64_t waits;
    Satchel__Code code;

    (void)state;
    stage_enter(&a, &alice);
    begin_offer(&a, 8);
    waits = send_offer(&a, &(struct offer){.id = 8});
    assert_int_equal(site_stop(&stage_site), 0);
    code = code_of(&a, waits);
    assert_true(code == CODE(DRAINING) || code == CODE(INTERNAL)); /* or the end */
    peer_close(&a);
    site_start(&stage_site, NULL);
}

/* New offers are counted by user, and what is asked under them by address. */
static void test_rates(void **state)
{
    Satchel__Code code = CODE(BUSY);
    struct peer a, b, c;
    uint8_t n = 10;

    (void)state;
    stage_enter(&a, &carol);
    while (offer(&a, (struct offer){.id = n, .lifetime = MINUTE}) == OK)
        n++;
    assert_int_equal(offer(&a, (struct offer){.id = n, .lifetime = MINUTE}), CODE(RATE));
    assert_int_equal(n, 10 + 60);
    begin_offer(&a, (uint8_t)(n - 1)); /* the same one again */
    expect(&a, send_offer(&a, &(struct offer){.id = (uint8_t)(n - 1), .end = true}), "");
    peer_close(&a);
    stage_enter(&a, &alice);
    begin_offer(&a, 9);
    stage_greet(&c);
    stage_greet(&b);
    (void)send_join(&c, 9, "me"); /* it waits; the next of a connection would wait for it */
    expect(&a, send_offer(&a, &(struct offer){.id = 9}), "me");
    for (n = 0; code == CODE(BUSY) && n < 250; n++)
        code = code_of(&b, send_join(&b, 9, "you"));
    assert_int_equal(code, CODE(RATE));
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_meet), cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_what_is_not_allowed),
        cmocka_unit_test(test_run_out),   cmocka_unit_test(test_drained),
        cmocka_unit_test(test_rates),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
