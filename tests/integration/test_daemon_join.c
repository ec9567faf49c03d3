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

/* What an OfferJoin says; `id` filled with one byte. */
struct offer {
    uint8_t id;
    uint64_t lifetime;
    const char *opening, *answer;
    bool refuse, end;
    uint32_t version;
};

static ProtobufCBinaryData text_bytes(const char *text)
{
    return (ProtobufCBinaryData){text != NULL ? strlen(text) : 0, (uint8_t *)(uintptr_t)text};
}

static uint64_t send_offer(struct peer *p, const struct offer *o)
{
    Satchel__OfferJoin msg = SATCHEL__OFFER_JOIN__INIT;
    uint8_t id[ID_LEN];
    PEER_ENV(env, OFFER_JOIN, offer_join, &msg);

    memset(id, o->id, sizeof(id));
    PEER_BYTES(msg.id, id);
    msg.lifetime = o->lifetime;
    msg.opening = text_bytes(o->opening);
    msg.answer = text_bytes(o->answer);
    msg.version = o->version;
    msg.refuse = o->refuse;
    msg.end = o->end;
    return peer_send(p, &env, NULL, 0);
}

/* What a Join says, as above. */
struct asked {
    uint8_t id;
    const char *request;
    bool opened;
    uint32_t version;
};

static uint64_t send_asked(struct peer *p, const struct asked *a)
{
    Satchel__Join msg = SATCHEL__JOIN__INIT;
    uint8_t id[ID_LEN];
    PEER_ENV(env, JOIN, join, &msg);

    memset(id, a->id, sizeof(id));
    PEER_BYTES(msg.id, id);
    msg.request = text_bytes(a->request);
    msg.opened = a->opened;
    msg.version = a->version;
    return peer_send(p, &env, NULL, 0);
}

static uint64_t send_join(struct peer *p, uint8_t fill, const char *request)
{
    return send_asked(p, &(struct asked){.id = fill, .request = request});
}

/* The reply is there and says so. */
static void expect_both(struct peer *p, uint64_t id, const char *opening, const char *sealed)
{
    struct message *m = peer_wait(p, id);
    const Satchel__JoinReply *r;

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_JOIN_REPLY);
    r = m->env->join_reply;
    assert_int_equal(r->sealed.len, strlen(sealed));
    assert_memory_equal(r->sealed.data, sealed, strlen(sealed));
    assert_int_equal(r->opening.len, strlen(opening));
    assert_memory_equal(r->opening.data, opening, strlen(opening));
    message_free(m);
}

static void expect(struct peer *p, uint64_t id, const char *sealed)
{
    expect_both(p, id, "", sealed);
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

/* Between request and answer the code is opened: each hears of it once it has asked. */
static void test_opened(void **state)
{
    struct peer a, b;
    uint64_t joins;

    (void)state;
    stage_enter(&a, &alice);
    stage_greet(&b);
    begin_offer(&a, 20);
    assert_int_equal(offer(&a, (struct offer){.id = 20, .opening = "x"}), CODE(BAD_STATE));
    joins = send_join(&b, 20, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 20}), "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 20, .opening = "x"}), "");
    expect_both(&b, joins, "x", "");
    expect_both(&b, send_join(&b, 20, "me"), "x", ""); /* said again */
    expect(&a, send_offer(&a, &(struct offer){.id = 20, .opening = "x"}), "");
    assert_int_equal(offer(&a, (struct offer){.id = 20, .opening = "y"}), CODE(EXISTS));
    joins = send_asked(&b, &(struct asked){.id = 20, .request = "me", .opened = true});
    expect(&a, send_offer(&a, &(struct offer){.id = 20, .answer = "welcome"}), "");
    expect(&b, joins, "welcome");
    expect_both(&b, send_join(&b, 20, "me"), "x", ""); /* one thing after the other */
    peer_close(&a);
    peer_close(&b);
}

/* Two that would not understand each other hear so, whichever is the older one. */
static void test_versions(void **state)
{
    struct peer a, b;
    uint64_t id;

    (void)state;
    stage_enter(&a, &alice);
    for (uint32_t version = 0; version < 3; version++) {
        uint8_t n = (uint8_t)(30 + version);

        stage_greet(&b);
        expect(&a, send_offer(&a, &(struct offer){n, MINUTE, .version = version}), "");
        for (uint32_t other = 0; other < 3; other++) {
            struct message *m;

            if (other == version)
                continue;
            m = peer_wait(&b, send_asked(&b, &(struct asked){n, "me", .version = other}));
            assert_non_null(m);
            assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
            assert_string_equal(m->env->error->message,
                                "your two devices have different versions of Satchel");
            assert_int_equal(peer_code(m), CODE(UNSUPPORTED));
        }
        id = send_asked(&b, &(struct asked){n, "me", .version = version});
        expect(&a, send_offer(&a, &(struct offer){.id = n}),
               "me"); /* of nobody else it has heard */
        expect(&a, send_offer(&a, &(struct offer){.id = n, .answer = "welcome"}), "");
        expect(&b, id, "welcome");
        peer_close(&b);
    }
    peer_close(&a);
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
    static char long_text[3000], longer_text[161 * 1024];
    struct peer a, b, c;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    memset(longer_text, 'x', sizeof(longer_text) - 1);
    stage_enter(&a, &alice);
    stage_enter(&c, &bob);
    stage_greet(&b);
    assert_int_equal(offer(&b, (struct offer){.id = 6, .lifetime = MINUTE}), CODE(BAD_STATE));
    assert_int_equal(code_of(&a, send_join(&a, 6, "me")), CODE(BAD_STATE));
    assert_int_equal(code_of(&b, send_join(&b, 6, "")), CODE(BAD_REQUEST));
    assert_int_equal(code_of(&b, send_join(&b, 6, long_text)), CODE(BAD_REQUEST));
    begin_offer(&a, 6);
    assert_int_equal(offer(&a, (struct offer){.id = 6, .answer = "to whom"}), CODE(BAD_STATE));
    (void)send_join(&b, 6, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 6}), "me");
    assert_int_equal(offer(&a, (struct offer){.id = 6, .opening = long_text}), CODE(TOO_LARGE));
    assert_int_equal(offer(&a, (struct offer){.id = 6, .answer = longer_text}), CODE(TOO_LARGE));
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

/* From many addresses no more is asked for an account than its owner may be offered. */
static void test_rate_of_an_account(void **state)
{
    enum { FROM = 4, OTHERS = 4, EACH = 40, ALLOWED = 120 };
    struct actor dave; /* whom nobody has asked yet */
    struct peer a, b, first;
    int busy = 0, limited = 0;

    (void)state;
    actor_make(&dave, "dave");
    stage_enter(&a, &bob);
    begin_offer(&a, 90);
    peer_from = FROM;
    stage_greet(&first);
    (void)send_join(&first, 90, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 90}), "me");
    for (int i = 1; i <= OTHERS; i++) {
        peer_from = (uint8_t)(FROM + i);
        stage_greet(&b);
        for (int n = 0; n < EACH; n++) {
            Satchel__Code code = code_of(&b, send_join(&b, 90, "you"));

            assert_true(code == CODE(BUSY) || code == CODE(RATE));
            busy += code == CODE(BUSY);
            limited += code == CODE(RATE);
        }
        peer_close(&b);
    }
    /* No address has had its own 120; a second or two gives some back. */
    assert_in_range(busy, ALLOWED - 1, OTHERS * EACH - 1);
    assert_int_equal(busy + limited, OTHERS * EACH);
    assert_true(limited > 0);
    /* Another account's are not counted with them. */
    peer_close(&a);
    stage_greet(&a);
    assert_int_equal(actor_register(&a, &dave, NULL), OK);
    peer_close(&a);
    stage_enter(&a, &dave);
    begin_offer(&a, 91);
    stage_greet(&b);
    (void)send_join(&b, 91, "me");
    expect(&a, send_offer(&a, &(struct offer){.id = 91}), "me");
    peer_from = 0;
    actor_free(&dave);
    peer_close(&a);
    peer_close(&b);
    peer_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_meet),
        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_what_is_not_allowed),
        cmocka_unit_test(test_run_out),
        cmocka_unit_test(test_drained),
        cmocka_unit_test(test_rates), /* uses up what the address may ask */
        cmocka_unit_test(test_rate_of_an_account),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
