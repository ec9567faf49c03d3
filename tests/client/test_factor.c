/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor at a server that answers as the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/core/handle.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* What the server says. */
struct says {
    uint32_t digits, step; /* of the key; 0: it says RATE */
    uint64_t later;        /* ms: its advice with RATE; 0: none */
    bool confirm;          /* what comes now is the code */
    unsigned shown;        /* keys */
};

static bool answer(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    const struct says *s = f->cookie;
    Satchel__FactorEnrolReply *m;

    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_ERROR)
        return true; /* what the fake knows itself */
    if (s->step == 0 || s->confirm) {
        fake_error(r, SATCHEL__CODE__RATE, "too many requests");
        r->error->retry_after = s->later;
        return true;
    }
    fake_clear(r);
    m = calloc(1, sizeof(*m));
    assert_non_null(m);
    satchel__factor_enrol_reply__init(m);
    m->key.data = calloc(1, 20);
    m->key.len = 20;
    m->digits = s->digits;
    m->step = s->step;
    r->body_case = SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY;
    r->factor_enrol_reply = m;
    return true;
}

static void on_done(void *cookie, const struct satchel_error *err)
{
    struct ending *e = &((struct actor_handle *)cookie)->last;

    e->done = true;
    e->code = err != NULL ? err->code : SATCHEL_OK;
    snprintf(e->hint, sizeof(e->hint), "%s", err != NULL ? err->hint : "");
}

static long on_key(void *cookie, const struct satchel_factor_key *key, char *buf, size_t size)
{
    struct actor_handle *h = cookie;
    struct says *s = h->scene->fake.cookie;
    /* The code, and behind it what is left of a longer slip. */
    static const char typed[] = {'6', '5', '4', '3', '2', '1', '7', '8'};

    assert_non_null(key->uri);
    assert_true(size >= sizeof(typed));
    memcpy(buf, typed, sizeof(typed));
    s->shown++;
    s->confirm = true;
    return 6;
}

static struct ending *enrol(struct scene *g, struct says *s)
{
    struct satchel_factor_enrol_options o = {
        .cookie = &g->alice, .on_key = on_key, .done = on_done};
    struct satchel_op *op;

    g->fake.spoil = answer;
    g->fake.cookie = s;
    g->alice.last = (struct ending){0};
    assert_int_equal(satchel_factor_enrol_start(g->alice.s, &o, &op, NULL), SATCHEL_OK);
    wait_for(&g->alice);
    honest(g);
    return &g->alice.last;
}

static struct ending *take_away(struct scene *g, struct says *s, const char *code)
{
    struct satchel_factor_remove_options o = {.code = code, .cookie = &g->alice, .done = on_done};
    struct satchel_op *op;

    g->fake.spoil = answer;
    g->fake.cookie = s;
    g->alice.last = (struct ending){0};
    assert_int_equal(satchel_factor_remove_start(g->alice.s, &o, &op, NULL), SATCHEL_OK);
    wait_for(&g->alice);
    honest(g);
    return &g->alice.last;
}

/* Nobody is shown a key whose codes would be refused here. */
static void key_of_another_form(void **state)
{
    static const struct says rows[] = {
        {.digits = 8, .step = 30}, {.digits = 7, .step = 30}, {.digits = 5, .step = 30}};
    struct scene *g = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct says s = rows[i];

        assert_int_equal(enrol(g, &s)->code, SATCHEL_E_PROTO);
        assert_int_equal(s.shown, 0);
    }
}

/* There is no recovery code yet, and enrolling again draws another key. */
static void first_code_too_soon(void **state)
{
    struct scene *g = *state;
    struct says s = {.digits = 6, .step = 30, .later = 5000};
    struct ending *e = enrol(g, &s);

    assert_int_equal(s.shown, 1);
    assert_int_equal(e->code, SATCHEL_E_RATE);
    assert_string_equal(e->hint, "try again in 5 seconds");
}

static void code_too_soon(void **state)
{
    struct scene *g = *state;
    struct says s = {.later = 5000};
    struct ending *e = take_away(g, &s, "123456");

    assert_int_equal(e->code, SATCHEL_E_RATE);
    assert_string_equal(e->hint, "try again in 5 seconds with a new one-time password; a recovery "
                                 "code does not wait behind wrong ones");
    s.later = 0;
    e = take_away(g, &s, "123456");
    assert_int_equal(e->code, SATCHEL_E_RATE);
    assert_string_equal(e->hint, "try again later");
}

/* ---- who hears of it ---- */

/* When the factor was enrolled that a login tells of, by another device; 0: there is none. */
static bool tell_factor(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    const uint64_t *enrolled = f->cookie;
    Satchel__Factor *m;

    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_LOGIN_REPLY)
        return true;
    m = calloc(1, sizeof(*m));
    assert_non_null(m);
    satchel__factor__init(m);
    m->active = *enrolled != 0;
    m->enrolled = m->since = *enrolled;
    satchel__factor__free_unpacked(r->login_reply->factor, NULL);
    r->login_reply->factor = m;
    return true;
}

/* The same of Alice's device. */
static bool tell_own_device(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    struct scene *g = LIST_OWNER(f, struct scene, fake);
    bool sent = tell_factor(f, r, tail);

    if (r->body_case == SATCHEL__ENVELOPE__BODY_LOGIN_REPLY) {
        ProtobufCBinaryData *device = &r->login_reply->factor->device;

        device->data = malloc(IDS_DEVICE_LEN);
        assert_non_null(device->data);
        device->len = IDS_DEVICE_LEN;
        memcpy(device->data, g->alice.s->profile->id->device.b, IDS_DEVICE_LEN);
    }
    return sent;
}

static uint64_t days_ago(unsigned days)
{
    return ((uint64_t)time(NULL) - (uint64_t)days * 24 * 3600) * 1000;
}

/* A login of Alice's; how often she is told of a factor. */
static unsigned told_by(struct scene *g, fake_spoil *how, uint64_t enrolled)
{
    g->fake.spoil = how;
    g->fake.cookie = &enrolled;
    handle_again(&g->alice);
    assert_int_equal(do_ping(&g->alice)->code, SATCHEL_OK);
    honest(g);
    return g->alice.last.notices[SATCHEL_NOTICE_FACTOR];
}

static unsigned told(struct scene *g, uint64_t enrolled)
{
    return told_by(g, tell_factor, enrolled);
}

/* A login of a program that does not listen to notices. */
static void deaf_login(struct scene *g, uint64_t enrolled)
{
    struct actor_handle *h = &g->alice;
    struct satchel_options o = {.place.home = h->home, .cookie = h};

    handle_close(h);
    g->fake.spoil = tell_factor;
    g->fake.cookie = &enrolled;
    assert_int_equal(satchel_new(&h->s, &g->loop, &o, NULL), SATCHEL_OK);
    assert_int_equal(satchel_open(h->s, NULL, NULL, NULL), SATCHEL_OK);
    assert_int_equal(do_ping(h)->code, SATCHEL_OK);
    honest(g);
}

static void told_until_it_counts(void **state)
{
    struct scene *g = *state;
    uint64_t young = days_ago(1), old = days_ago(8);

    assert_int_equal(told(g, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(told(g, young), 1);
    assert_int_equal(told(g, old), 1);
    assert_int_equal(told(g, old), 0); /* nothing can be done without it any more */
    assert_int_equal(told(g, 0), 1);   /* removed */
    assert_int_equal(told(g, 0), 0);
}

static void told_when_somebody_listens(void **state)
{
    struct scene *g = *state;
    uint64_t old = days_ago(8);

    deaf_login(g, old);
    assert_int_equal(told(g, old), 1);
    assert_int_equal(told(g, old), 0);
    deaf_login(g, 0);
    assert_int_equal(told(g, 0), 1);
    assert_int_equal(told(g, 0), 0);
}

/* Who has a copy of the vault has the device: what was not enrolled with this one is told. */
static void told_of_a_copy(void **state)
{
    struct scene *g = *state;
    uint64_t young = days_ago(1), old = days_ago(8);

    for (int i = 0; i < 3; i++)
        assert_int_equal(told_by(g, tell_own_device, young), 1);
    assert_int_equal(told_by(g, tell_own_device, old), 1);
    assert_int_equal(told_by(g, tell_own_device, old), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key_of_another_form),  TEST(first_code_too_soon),        TEST(code_too_soon),
        TEST(told_until_it_counts), TEST(told_when_somebody_listens), TEST(told_of_a_copy)};

    int failed = cmocka_run_group_tests_name("factor", tests, NULL, NULL);

    uv_library_shutdown(); /* its threads are joined, and with them their memory is freed */
    return failed;
}
