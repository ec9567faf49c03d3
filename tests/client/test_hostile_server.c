/* SPDX-License-Identifier: Apache-2.0 */
/* A server that is not what it says, breaks the protocol or falls silent: typed errors, nothing
 * left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* ---- the server's identity ------------------------------------------------------------- */

static void another_server_behind_the_same_key(void **state)
{
    struct scene *g = *state;

    g->fake.server_key[0] ^= 1;
    handle_again(&g->bob);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_E_PIN);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_LOGIN], 0);
}

static void another_key(void **state)
{
    struct scene *g = *state;
    char old[PIN_CHARS + 1];
    struct ending *e;

    memcpy(old, g->fake.pin_text, sizeof(old));
    fake_new_certificate(&g->fake);
    handle_again(&g->bob);
    e = do_ping(&g->bob);
    assert_int_equal(e->code, SATCHEL_E_PIN);
    assert_non_null(strstr(e->message, old));
    assert_non_null(strstr(e->message, g->fake.pin_text));
    assert_int_equal(g->bob.pin_questions, 0);
}

static void a_pin_must_be_confirmed(void **state)
{
    struct scene *g = *state;
    struct actor_handle dave = {.accept_pin = false}, erin = {.accept_pin = true},
                        frank = {.pin_questions = 99 /* without a callback */};
    struct ending *e;

    handle_open(g, &dave, "dave", false);
    assert_int_equal(do_register(&dave, "dave", NULL)->code, SATCHEL_E_PIN);
    assert_int_equal(dave.pin_questions, 1);
    handle_open(g, &erin, "erin", false);
    assert_int_equal(do_register(&erin, "erin", NULL)->code, SATCHEL_OK);
    assert_int_equal(erin.pin_questions, 1);
    handle_again(&erin);
    assert_int_equal(do_ping(&erin)->code, SATCHEL_OK);
    assert_int_equal(erin.pin_questions, 1); /* it was kept */
    handle_open(g, &frank, "frank", false);
    e = do_register(&frank, "frank", NULL);
    assert_int_equal(e->code, SATCHEL_E_PIN);
    assert_non_null(strstr(e->message, g->fake.pin_text));
    assert_null(fake_find_user(&g->fake, "frank"));
    handle_close(&dave);
    handle_close(&erin);
    handle_close(&frank);
}

static void hello_id(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->hello_reply->server_id.data[n] ^= 1;
}

static void hello_version(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->hello_reply->version = (uint32_t)n;
}

static void hello_nonce(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->hello_reply->nonce.len = n;
}

static void hello_window(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->hello_reply->limits->window = (uint32_t)n;
}

static void hello_error(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    fake_error(r, (Satchel__Code)n, "no\x1b[31m way\n");
}

static void bad_greetings(void **state)
{
    static const struct {
        plan_change *change;
        size_t n;
        int code;
    } rows[] = {
        {hello_id, 0, SATCHEL_E_PROTO},
        {hello_version, 2, SATCHEL_E_UNSUPPORTED},
        {hello_version, 0, SATCHEL_E_UNSUPPORTED},
        {hello_nonce, 31, SATCHEL_E_PROTO},
        {hello_window, 0, SATCHEL_E_PROTO},
        {hello_error, SATCHEL__CODE__BUSY, SATCHEL_E_BUSY},
        {hello_error, 77, SATCHEL_E_PROTO},
        {hello_error, 0, SATCHEL_E_PROTO},
    };
    struct scene *g = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {
            .kind = SATCHEL__ENVELOPE__BODY_HELLO_REPLY, .change = rows[i].change, .n = rows[i].n};
        struct ending *e;

        hostile(g, &p);
        handle_again(&g->bob);
        e = do_ping(&g->bob);
        assert_int_equal(e->code, rows[i].code);
        assert_null(strchr(e->message, 0x1b));
        assert_null(strchr(e->message, '\n'));
        /* The same handle gets over it. */
        honest(g);
        assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
    }
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool garbage(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Done m = SATCHEL__DONE__INIT;

    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_DONE)
        return true;
    e.id = r->id;
    e.body_case = SATCHEL__ENVELOPE__BODY_DONE;
    e.done = &m;
    switch (*(int *)f->cookie) {
    case 0: /* no message at all */
        fake_send_raw(f, "\xff\xff\xff\xff", 4);
        break;
    case 1: /* nobody asked this */
        e.id += 1000;
        fake_send(f, &e, NULL, 0);
        break;
    case 2: /* twice */
        fake_send(f, &e, NULL, 0);
        fake_send(f, &e, NULL, 0);
        break;
    case 3: /* a tail where none belongs */
        fake_send(f, &e, "x", 1);
        break;
    case 4: /* another kind */
        e.body_case = SATCHEL__ENVELOPE__BODY__NOT_SET;
        fake_send(f, &e, NULL, 0);
        break;
    default:
        fake_drop(f);
    }
    return false;
}

static void broken_frames(void **state)
{
    static const int codes[] = {SATCHEL_E_PROTO, SATCHEL_E_PROTO, SATCHEL_OK,
                                SATCHEL_E_PROTO, SATCHEL_E_PROTO, SATCHEL_E_CLOSED};
    struct scene *g = *state;

    for (int i = 0; i < 6; i++) {
        handle_again(&g->bob);
        g->fake.spoil = garbage;
        g->fake.cookie = &i;
        assert_int_equal(do_ping(&g->bob)->code, codes[i]);
        honest(g);
        if (i != 2) /* then the second answer may still be on its way */
            assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
    }
}

static bool say_bye(struct fake *f, const Satchel__Envelope *q)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Bye m = SATCHEL__BYE__INIT;

    if (q->body_case != SATCHEL__ENVELOPE__BODY_PING)
        return true;
    e.body_case = SATCHEL__ENVELOPE__BODY_BYE;
    e.bye = &m;
    fake_send(f, &e, NULL, 0);
    return false;
}

static bool say_error(struct fake *f, const Satchel__Envelope *q)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Error m = SATCHEL__ERROR__INIT;

    if (q->body_case != SATCHEL__ENVELOPE__BODY_PING)
        return true;
    m.code = SATCHEL__CODE__RATE;
    m.message = (char *)"slower";
    m.retry_after = 1500;
    e.body_case = SATCHEL__ENVELOPE__BODY_ERROR;
    e.error = &m;
    fake_send(f, &e, NULL, 0);
    return false;
}

static void ends_that_are_announced(void **state)
{
    struct scene *g = *state;
    struct ending *e;

    g->fake.listen = say_bye;
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_E_DRAINING);
    g->fake.listen = say_error;
    e = do_ping(&g->bob);
    assert_int_equal(e->code, SATCHEL_E_RATE);
    assert_string_equal(e->hint, "try again in 2 seconds");
    honest(g);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
}

/* ---- silence -------------------------------------------------------------------------------- */

static void endless_silence(void **state)
{
    static const struct {
        Satchel__Envelope__BodyCase kind;
        unsigned after;
    } rows[] = {
        {SATCHEL__ENVELOPE__BODY_HELLO_REPLY, 0},    {SATCHEL__ENVELOPE__BODY_LOGIN_REPLY, 0},
        {SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY, 0}, {SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY, 0},
        {SATCHEL__ENVELOPE__BODY_RELEASE_REPLY, 0},  {SATCHEL__ENVELOPE__BODY_LEAVES_REPLY, 0},
        {SATCHEL__ENVELOPE__BODY_PIECE, 0},          {SATCHEL__ENVELOPE__BODY_PIECE, 2},
    };
    struct scene *g = *state;

    send_to_bob(g);
    g->patience = 400;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct plan p = {.kind = rows[i].kind, .after = rows[i].after, .swallow = true};

        handle_again(&g->bob);
        /* After a piece that is left out, Done comes too early. */
        assert_spoiled(g, p,
                       rows[i].kind == SATCHEL__ENVELOPE__BODY_PIECE ? SATCHEL_E_PROTO
                                                                     : SATCHEL_E_TIMEOUT);
    }
}

/* Nothing more comes after the first piece. */
static bool fall_silent(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    bool *silent = f->cookie;
    bool speaks = !*silent;

    (void)tail;
    *silent = *silent || r->body_case == SATCHEL__ENVELOPE__BODY_PIECE;
    return speaks;
}

static void silence_in_the_middle(void **state)
{
    struct scene *g = *state;
    bool silent = false;

    send_to_bob(g);
    g->patience = 400;
    handle_again(&g->bob);
    g->fake.spoil = fall_silent;
    g->fake.cookie = &silent;
    assert_int_equal(do_get(&g->bob, NULL)->code, SATCHEL_E_TIMEOUT);
    assert_no_output(g);
}

static void nobody_there(void **state)
{
    struct scene *g = *state;

    handle_again(&g->bob);
    fake_drop(&g->fake);
    uv_close((uv_handle_t *)&g->fake.listener, NULL);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_E_CONNECT);
    /* For the teardown. */
    assert_int_equal(uv_run(&g->loop, UV_RUN_NOWAIT) >= 0, 1);
    assert_int_equal(uv_tcp_init(&g->loop, &g->fake.listener), 0);
}

/* ---- registering
 * ------------------------------------------------------------------------------------------ */

static bool drop_answer(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_REGISTER_REPLY)
        return true;
    fake_drop(f);
    return false;
}

static enum satchel_profile_state profile_state(const struct actor_handle *h)
{
    struct satchel_place place = {.home = h->home};
    struct satchel_profile_info info;

    assert_int_equal(satchel_profile_look(&place, &info, NULL), SATCHEL_OK);
    return info.state;
}

static void a_lost_answer_is_made_good(void **state)
{
    struct scene *g = *state;
    struct actor_handle dave = {0};
    struct uid uid;

    g->words = 0;
    handle_open(g, &dave, "dave", false);
    g->fake.spoil = drop_answer;
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_E_CLOSED);
    assert_int_equal(g->words, 0);
    assert_int_equal(profile_state(&dave), SATCHEL_PROFILE_PENDING);
    assert_int_equal(satchel_open(dave.s, NULL, NULL, NULL), SATCHEL_E_NOTFOUND);
    uid = fake_find_user(&g->fake, "dave")->uid;
    handle_close(&dave);
    honest(g);
    handle_open(g, &dave, "dave", false);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_OK);
    assert_true(dave.last.resumed);
    assert_int_equal(g->words, 1);
    assert_memory_equal(&fake_find_user(&g->fake, "dave")->uid, &uid, sizeof(uid));
    assert_int_equal(profile_state(&dave), SATCHEL_PROFILE_ACTIVE);
    assert_int_equal(do_send(&dave, "bob")->code, SATCHEL_OK);
    handle_close(&dave);
}

static void a_taken_name_leaves_nothing(void **state)
{
    struct scene *g = *state;
    struct actor_handle dave = {0};
    char path[200];

    handle_open(g, &dave, "dave", false);
    assert_int_equal(do_register(&dave, "bob", g->fake.pin_text)->code, SATCHEL_E_EXISTS);
    assert_int_equal(profile_state(&dave), SATCHEL_PROFILE_NONE);
    snprintf(path, sizeof(path), "%s/profiles/default", dave.home);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_OK);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_E_BADSTATE);
    handle_close(&dave);
    handle_open(g, &dave, "dave", false);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_E_EXISTS);
    handle_close(&dave);
}

static void words_that_cannot_be_shown(void **state)
{
    struct scene *g = *state;
    struct actor_handle dave = {0};

    g->words = 0;
    g->expect_words = -1;
    handle_open(g, &dave, "dave", false);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_E_IO);
    assert_int_equal(profile_state(&dave), SATCHEL_PROFILE_PENDING);
    g->expect_words = 0;
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_OK);
    assert_int_equal(g->words, 2);
    handle_close(&dave);
}

static void register_other_id(struct fake *f, Satchel__Envelope *r, struct buf *tail, size_t n)
{
    (void)f;
    (void)tail;
    r->register_reply->user_id.data[n] ^= 1;
}

static void closed_registration(void **state)
{
    struct scene *g = *state;
    struct actor_handle dave = {0};
    struct plan p = {.kind = SATCHEL__ENVELOPE__BODY_REGISTER_REPLY, .change = register_other_id};

    handle_open(g, &dave, "dave", false);
    hostile(g, &p);
    assert_int_equal(do_register(&dave, "dave", g->fake.pin_text)->code, SATCHEL_E_PROTO);
    honest(g);
    handle_close(&dave);
    handle_open(g, &dave, "erin", false);
    g->fake.registration = SATCHEL__REGISTRATION__CLOSED;
    assert_int_equal(do_register(&dave, "erin", g->fake.pin_text)->code, SATCHEL_E_AUTH);
    g->fake.registration = SATCHEL__REGISTRATION__INVITE;
    handle_close(&dave);
    handle_open(g, &dave, "erin", false);
    assert_int_equal(do_register(&dave, "erin", g->fake.pin_text)->code, SATCHEL_E_AUTH);
    assert_string_not_equal(dave.last.hint, "");
    assert_int_equal(profile_state(&dave), SATCHEL_PROFILE_NONE);
    handle_close(&dave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_server_behind_the_same_key),
        TEST(another_key),
        TEST(a_pin_must_be_confirmed),
        TEST(bad_greetings),
        TEST(broken_frames),
        TEST(ends_that_are_announced),
        TEST(endless_silence),
        TEST(silence_in_the_middle),
        TEST(nobody_there),
        TEST(a_lost_answer_is_made_good),
        TEST(a_taken_name_leaves_nothing),
        TEST(words_that_cannot_be_shown),
        TEST(closed_registration),
    };
    int failed = cmocka_run_group_tests_name("hostile server", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
