/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor of who has lost a device: who is told, and what a recovery asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/transfer/login.h"
#include "tests/integration/factor_fix.h"

#define CODE(x) SATCHEL__CODE__##x
#define DAY     ((int64_t)24 * 3600 * 1000)

static char none[] = "", wrong[] = "000000";

/* Somebody who has lost the only device, and the new one that the recovery lets in. */
struct loser {
    struct actor old, fresh; /* the latter with the identity that the recovery gives */
    struct manifest *next;
    struct authenticator phone; /* of whoever enrolled it */
    struct peer p;              /* the old device */
};

/* The factor is enrolled, and not confirmed. */
static void lose(struct loser *l, const char *name)
{
    struct peer p;

    *l = (struct loser){0};
    actor_make(&l->old, name);
    actor_make(&l->fresh, "somebody");
    stage_greet(&p);
    assert_int_equal(actor_register(&p, &l->old, NULL), OK);
    peer_close(&p);
    l->fresh.u.uid = l->old.u.uid;
    l->fresh.u.device.added = SAMPLE_TIME + 9;
    l->next = actor_succeed(&l->old, l->old.u.first, &l->fresh.u.device, &l->fresh.u.isk);
    stage_enter(&l->p, &l->old);
    assert_int_equal(factor_enrol(&l->p, &l->phone), OK);
}

/* The same, with a factor that has stood for ${ms}. */
static void lose_with_factor(struct loser *l, const char *name, int64_t ms)
{
    lose(l, name);
    assert_int_equal(factor_confirm(&l->p, &l->phone, factor_code(&l->phone, 0)), OK);
    stage_shift(ms);
}

static void loser_free(struct loser *l)
{
    peer_close(&l->p);
    manifest_free(l->next);
    actor_free(&l->old);
    actor_free(&l->fresh);
}

/* When the factor was enrolled that went with it comes in *ret_removed. */
static Satchel__Code recover(const struct loser *l, char *code, uint64_t *ret_removed)
{
    Satchel__Recover msg = SATCHEL__RECOVER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    struct login_recovery facts = {.who = PART_OF(l->old.u.uid.b), .manifest = l->next->body};
    uint8_t sig[SIGNED_SIG_LEN];
    struct message *m;
    struct peer p;
    PEER_ENV(env, RECOVER, recover, &msg);

    stage_greet(&p);
    facts.server = p.server;
    assert_true(peer_exporter(&p, facts.exporter));
    assert_int_equal(login_recovery_sign(&facts, &l->old.u.rk, sig, NULL), ERR_OK);
    manifest.body.data = (uint8_t *)(uintptr_t)l->next->body.data;
    manifest.body.len = l->next->body.len;
    PEER_BYTES(manifest.signature, l->next->signature);
    msg.manifest = &manifest;
    msg.who_case = SATCHEL__RECOVER__WHO_USER_ID;
    PEER_BYTES(msg.user_id, l->old.u.uid.b);
    PEER_BYTES(msg.signature, sig);
    msg.code = code;
    m = peer_call(&p, &env);
    *ret_removed = 0;
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_DONE)
        *ret_removed = m->env->done->factor_removed;
    peer_close(&p);
    return peer_code(m);
}

/* The next event about ${who}'s account; what happened to transfers before is passed over. */
static void assert_told(struct peer *watching, const struct actor *who, Satchel__EventKind kind)
{
    bool told = false;

    while (!told) {
        struct message *m = peer_next(watching);
        const Satchel__Event *e;

        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_EVENT);
        e = m->env->event;
        told = e->kind >= SATCHEL__EVENT_KIND__EVENT_FACTOR;
        if (told) {
            assert_int_equal(e->kind, kind);
            assert_memory_equal(e->user_id.data, who->u.uid.b, sizeof(who->u.uid.b));
            assert_memory_equal(e->tid.data, who->u.device.id.b, IDS_DEVICE_LEN);
        }
        message_free(m);
    }
}

/* When the factor was enrolled that a login hears of; 0: there is none. */
static uint64_t told_at_login(const struct actor *who)
{
    const Satchel__Factor *f;
    struct message *m;
    struct peer p;
    uint64_t enrolled;

    stage_greet(&p);
    m = peer_wait(&p, actor_send_login(&p, who));
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LOGIN_REPLY);
    f = m->env->login_reply->factor;
    assert_non_null(f);
    enrolled = f->active ? f->enrolled : 0;
    if (f->active)
        assert_memory_equal(f->device.data, who->u.device.id.b, IDS_DEVICE_LEN);
    message_free(m);
    peer_close(&p);
    return enrolled;
}

/* Somebody else may have been at one of them: the owner hears of it, at each. */
static void test_devices_are_told(void **state)
{
    const uint64_t now = (uint64_t)time(NULL) * 1000;
    Satchel__Subscribe subscribe = SATCHEL__SUBSCRIBE__INIT;
    PEER_ENV(sub, SUBSCRIBE, subscribe, &subscribe);
    struct peer watching;
    struct loser l;

    (void)state;
    subscribe.from_now = true;
    lose(&l, "theresa");
    stage_enter(&watching, &l.old);
    assert_int_equal(peer_ask(&watching, &sub), OK);
    assert_int_equal(told_at_login(&l.old), 0);      /* it counts for nothing yet */
    assert_int_equal(factor_remove(&l.p, none), OK); /* never told, nor now */
    factor_activate(&l.p, &l.phone);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_ENROLLED);
    assert_in_range(told_at_login(&l.old), now, now + DAY);
    assert_int_equal(factor_remove(&l.p, l.phone.recovery[0]), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_REMOVED);
    assert_int_equal(told_at_login(&l.old), 0);
    factor_activate(&l.p, &l.phone);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_ENROLLED);
    assert_int_equal(factor_remove_signed(&l.p, &l.old, &l.old.u.rk), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_REMOVED);
    peer_close(&watching);
    loser_free(&l);
}

/* As factor_listed(), for the device that a recovery has let in. */
static int left_after(const struct loser *l)
{
    struct peer p;
    int found;

    stage_enter(&p, &l->fresh);
    found = factor_listed(&p);
    peer_close(&p);
    return found;
}

/* Whoever has got hold of the only device could have enrolled it: it keeps out nobody who has the
 * words, and goes with the device. */
static void test_a_recovery_drops_a_young_factor(void **state)
{
    const uint64_t now = (uint64_t)time(NULL) * 1000;
    uint64_t removed;
    struct loser l;

    (void)state;
    lose_with_factor(&l, "yvonne", 7 * DAY - 3600000);
    assert_int_equal(recover(&l, none, &removed), OK);
    assert_in_range(removed, now, now + DAY);
    assert_true(peer_ended(&l.p));
    assert_int_equal(left_after(&l), -1);
    assert_int_equal(recover(&l, none, &removed), OK); /* again */
    assert_int_equal(removed, 0);
    stage_shift(0);
    loser_free(&l);
}

/* One that has stood for a while is its owner's: with the words alone nobody gets past it. */
static void test_a_recovery_asks_for_a_settled_factor(void **state)
{
    uint64_t removed;
    struct loser l;

    (void)state;
    lose_with_factor(&l, "selma", 7 * DAY + 3600000);
    assert_int_equal(recover(&l, none, &removed), CODE(AUTH_FACTOR));
    assert_int_equal(recover(&l, wrong, &removed), CODE(AUTH_FACTOR));
    assert_int_equal(factor_listed(&l.p), 100 + FACTOR_CODES); /* the old device is in still */
    assert_int_equal(recover(&l, l.phone.recovery[0], &removed), OK);
    assert_int_equal(removed, 0);
    assert_true(peer_ended(&l.p));
    assert_int_equal(left_after(&l), 100 + FACTOR_CODES - 1);
    stage_shift(0);
    loser_free(&l);
}

/* Whoever has got hold of a code and a device must not keep the owner from recovering. */
static void test_renewing_begins_anew(void **state)
{
    struct authenticator old;
    uint64_t removed;
    struct loser l;

    (void)state;
    lose_with_factor(&l, "renate", 7 * DAY + 3600000);
    old = l.phone;
    assert_int_equal(factor_renew(&l.p, &l.phone, wrong), CODE(AUTH_FACTOR));
    assert_int_equal(factor_renew(&l.p, &l.phone, old.recovery[0]), OK);
    l.phone.step += 7 * 24 * 120 + 120; /* the daemon's clock */
    assert_int_equal(factor_listed(&l.p),
                     100 + FACTOR_CODES - 1); /* the old one, until a code has come */
    assert_int_equal(factor_confirm(&l.p, &l.phone, wrong), CODE(AUTH_FACTOR));
    assert_int_equal(factor_confirm(&l.p, &l.phone, factor_code(&l.phone, 0)), OK);
    assert_int_equal(factor_listed(&l.p), 100 + FACTOR_CODES);
    assert_int_equal(recover(&l, none, &removed), OK); /* it has not settled */
    assert_int_not_equal(removed, 0);
    stage_shift(0);
    loser_free(&l);
}

/* Nor is there anything left of one that was only begun, for whoever has seen its key. */
static void test_a_recovery_drops_a_pending_factor(void **state)
{
    uint64_t removed;
    struct loser l;

    (void)state;
    lose(&l, "paula");
    stage_shift(7 * DAY + 3600000);
    assert_int_equal(recover(&l, none, &removed), OK);
    assert_int_equal(removed, 0);
    assert_int_equal(left_after(&l), -1);
    stage_shift(0);
    loser_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices_are_told),
        cmocka_unit_test(test_a_recovery_drops_a_young_factor),
        cmocka_unit_test(test_a_recovery_drops_a_pending_factor),
        cmocka_unit_test(test_a_recovery_asks_for_a_settled_factor),
        cmocka_unit_test(test_renewing_begins_anew),
    };

    return cmocka_run_group_tests(tests, factor_fix_setup, factor_fix_teardown);
}
