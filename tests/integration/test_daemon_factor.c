/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: enrolling, transfers that ask for a code, and what counts how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/crypto/totp.h"
#include "common/fs.h"
#include "common/transfer/login.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

#define DAY ((int64_t)24 * 3600 * 1000)

enum { CODES = 10, STEP = 30, TRIES = 5 };

/* A user's factor as his authenticator and his paper know it. */
struct authenticator {
    uint8_t key[20];
    char recovery[CODES][24];
    uint64_t step; /* of its first code */
};

static int setup(void **state)
{
    (void)state;
    stage_up(NULL);
    assert_int_equal(site_stop(&stage_site), 0);
    stage_site.clock = true;
    site_start(&stage_site, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

/*
 * The code ${n} steps behind the first.  0 and 1 count until the clock has moved on by a step: no
 * test needs to be quick for longer than that.
 */
static char *code_of(const struct authenticator *a, unsigned n)
{
    static char code[TOTP_CODE_SIZE];
    const struct totp t = {HASH_SHA1, 6, STEP};

    assert_int_equal(totp_code(code, &t, PART_OF(a->key), (a->step + n) * STEP), ERR_OK);
    return code;
}

/* With ${code} of the one that is there: renew it. */
static Satchel__Code renew(struct peer *p, struct authenticator *a, char *code)
{
    Satchel__FactorEnrol msg = SATCHEL__FACTOR_ENROL__INIT;
    PEER_ENV(env, FACTOR_ENROL, factor_enrol, &msg);
    struct message *m;

    msg.code = code;
    m = peer_call(p, &env);
    a->step = (uint64_t)time(NULL) / STEP;
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY) {
        const Satchel__FactorEnrolReply *r = m->env->factor_enrol_reply;

        assert_int_equal(r->key.len, sizeof(a->key));
        assert_true(r->digits == 6 && r->step == STEP);
        memcpy(a->key, r->key.data, sizeof(a->key));
    }
    return peer_code(m);
}

static Satchel__Code enrol(struct peer *p, struct authenticator *a)
{
    char no_code[] = "";

    return renew(p, a, no_code);
}

static Satchel__Code confirm(struct peer *p, struct authenticator *a, char *code)
{
    Satchel__FactorConfirm msg = SATCHEL__FACTOR_CONFIRM__INIT;
    PEER_ENV(env, FACTOR_CONFIRM, factor_confirm, &msg);
    struct message *m;

    msg.code = code;
    m = peer_call(p, &env);
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM_REPLY) {
        const Satchel__FactorConfirmReply *r = m->env->factor_confirm_reply;

        assert_int_equal(r->n_recovery_codes, CODES);
        for (size_t i = 0; i < CODES; i++)
            (void)snprintf(a->recovery[i], sizeof(a->recovery[i]), "%s", r->recovery_codes[i]);
    }
    return peer_code(m);
}

static Satchel__Code take_away(struct peer *p, char *code)
{
    Satchel__FactorRemove msg = SATCHEL__FACTOR_REMOVE__INIT;
    PEER_ENV(env, FACTOR_REMOVE, factor_remove, &msg);

    msg.code = code;
    return peer_ask(p, &env);
}

/* As the recovery key ${key} of ${a} signs it. */
static Satchel__Code take_away_signed(struct peer *p, const struct actor *a,
                                      const struct secret *key)
{
    Satchel__FactorRemove msg = SATCHEL__FACTOR_REMOVE__INIT;
    PEER_ENV(env, FACTOR_REMOVE, factor_remove, &msg);
    struct login_factor f = {.server = p->server, .uid = a->u.uid};
    uint8_t sig[SIGNED_SIG_LEN];

    assert_true(peer_exporter(p, f.exporter));
    assert_int_equal(login_factor_sign(&f, key, sig, NULL), ERR_OK);
    PEER_BYTES(msg.signature, sig);
    return peer_ask(p, &env);
}

/* -1: none; else recovery codes left, 100 more if it is active. */
static int listed(struct peer *p)
{
    Satchel__FactorList msg = SATCHEL__FACTOR_LIST__INIT;
    PEER_ENV(env, FACTOR_LIST, factor_list, &msg);
    struct message *m = peer_call(p, &env);
    int found = -1;

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_FACTOR_LIST_REPLY);
    if (m->env->factor_list_reply->n_factors > 0) {
        const Satchel__Factor *f = m->env->factor_list_reply->factors[0];

        assert_int_equal(f->kind, SATCHEL__FACTOR_KIND__TOTP);
        assert_true(f->since > SAMPLE_TIME);
        found = (f->active ? 100 : 0) + (int)f->recovery_codes;
    }
    message_free(m);
    return found;
}

static uint64_t send_release(struct peer *p, const struct parcel *x, char *code)
{
    Satchel__Release msg = SATCHEL__RELEASE__INIT;
    PEER_ENV(env, RELEASE, release, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.code = code;
    return peer_send(p, &env, NULL, 0);
}

static Satchel__Code release(struct peer *p, const struct parcel *x, char *code)
{
    return peer_code(peer_wait(p, send_release(p, x, code)));
}

/* From alice to bob and carol, who must show a code. */
static void deliver(struct parcel *x, uint32_t seed)
{
    struct peer p;

    stage_parcel(x, 5000, seed);
    x->header.policy_flags = HEADER_REQUIRE_OTP;
    stage_enter(&p, &alice);
    assert_int_equal(parcel_deliver(&p, x), OK);
    peer_close(&p);
}

static char none[] = "", wrong[] = "000000";

static void test_a_factor_comes_and_goes(void **state)
{
    struct authenticator a, b;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(listed(&p), -1);
    assert_int_equal(confirm(&p, &a, wrong), CODE(BAD_STATE));
    assert_int_equal(take_away(&p, none), CODE(NOT_FOUND));
    assert_int_equal(enrol(&p, &a), OK);
    assert_int_equal(listed(&p), 0);
    assert_int_equal(enrol(&p, &b), OK); /* begun anew: the first key counts no more */
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    assert_int_equal(confirm(&p, &a, code_of(&a, 0)), CODE(AUTH_FACTOR));
    assert_int_equal(confirm(&p, &b, code_of(&b, 0)), OK);
    assert_int_equal(listed(&p), 100 + CODES);
    assert_int_equal(enrol(&p, &a), CODE(EXISTS));
    assert_int_equal(confirm(&p, &b, code_of(&b, 1)), CODE(BAD_STATE));
    assert_int_equal(take_away(&p, none), CODE(AUTH_FACTOR));
    assert_int_equal(take_away(&p, code_of(&b, 0)), CODE(AUTH_FACTOR)); /* was used to confirm */
    assert_int_equal(take_away(&p, b.recovery[0]), OK);
    assert_int_equal(listed(&p), -1);
    peer_close(&p);
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

/* The key of the recovery words, on this very connection. */
static void test_the_recovery_key_removes_it(void **state)
{
    struct authenticator a;
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    assert_int_equal(enrol(&p, &a), OK);
    assert_int_equal(confirm(&p, &a, code_of(&a, 0)), OK);
    assert_int_equal(take_away_signed(&p, &carol, &carol.u.isk), CODE(AUTH_FACTOR));
    assert_int_equal(take_away_signed(&p, &alice, &carol.u.rk), CODE(AUTH_FACTOR));
    assert_int_equal(listed(&p), 100 + CODES);
    assert_int_equal(take_away_signed(&p, &carol, &carol.u.rk), OK);
    assert_int_equal(listed(&p), -1);
    peer_close(&p);
}

/* One bob for the two tests below: what the first leaves is the second's. */
static struct authenticator bobs;

static void test_release_asks_for_a_code(void **state)
{
    struct parcel x;
    struct peer p, q;

    (void)state;
    deliver(&x, 1);
    stage_enter(&p, &bob);
    assert_int_equal(release(&p, &x, none), CODE(AUTH_FACTOR));
    assert_int_equal(release(&p, &x, wrong), CODE(AUTH_FACTOR)); /* none is enrolled */
    assert_int_equal(enrol(&p, &bobs), OK);
    assert_int_equal(release(&p, &x, code_of(&bobs, 0)), CODE(AUTH_FACTOR)); /* not yet active */
    assert_int_equal(confirm(&p, &bobs, code_of(&bobs, 0)), OK);
    assert_int_equal(release(&p, &x, none), CODE(AUTH_FACTOR));

    /* Two requests at the same time with one code. */
    stage_enter(&q, &bob);
    uint64_t one = send_release(&p, &x, code_of(&bobs, 1));
    uint64_t two = send_release(&q, &x, code_of(&bobs, 1));
    Satchel__Code first = peer_code(peer_wait(&p, one)), second = peer_code(peer_wait(&q, two));

    assert_true((first == OK && second == CODE(AUTH_FACTOR)) ||
                (first == CODE(AUTH_FACTOR) && second == OK));
    peer_close(&q);
    assert_int_equal(release(&p, &x, bobs.recovery[2]), OK);
    assert_int_equal(release(&p, &x, bobs.recovery[2]), CODE(AUTH_FACTOR));
    assert_int_equal(listed(&p), 100 + CODES - 1);
    peer_close(&p);
    parcel_free(&x);
}

/* What was used stays used; tries are counted anew. */
static void test_restart_forgets_no_code(void **state)
{
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 2);
    site_kill(&stage_site);
    site_start(&stage_site, NULL);
    stage_enter(&p, &bob);
    assert_int_equal(release(&p, &x, code_of(&bobs, 1)), CODE(AUTH_FACTOR));
    assert_int_equal(release(&p, &x, bobs.recovery[2]), CODE(AUTH_FACTOR));
    for (int i = 2; i < TRIES; i++)
        assert_int_equal(release(&p, &x, wrong), CODE(AUTH_FACTOR));
    /* Five wrong ones: even a good one has to wait, also in another request. */
    assert_int_equal(release(&p, &x, bobs.recovery[3]), CODE(RATE));
    assert_int_equal(take_away(&p, bobs.recovery[3]), CODE(RATE));
    assert_int_equal(listed(&p), 100 + CODES - 1);
    peer_close(&p);
    parcel_free(&x);
}

/* From the third on the user is told; behind the fifth the wait outlives a restart. */
static void test_wrong_ones_are_remembered(void **state)
{
    Satchel__Subscribe subscribe = SATCHEL__SUBSCRIBE__INIT;
    Satchel__FactorRemove remove = SATCHEL__FACTOR_REMOVE__INIT;
    struct authenticator a;
    struct message *m;
    int told = 0;
    struct peer p, watching;
    PEER_ENV(sub, SUBSCRIBE, subscribe, &subscribe);
    PEER_ENV(env, FACTOR_REMOVE, factor_remove, &remove);

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(enrol(&p, &a), OK);
    assert_int_equal(confirm(&p, &a, code_of(&a, 0)), OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(take_away(&p, wrong), CODE(AUTH_FACTOR));
    peer_close(&p);
    site_kill(&stage_site); /* the tries of a minute begin anew, the count does not */
    site_start(&stage_site, NULL);
    stage_enter(&watching, &alice);
    assert_int_equal(peer_ask(&watching, &sub), OK);
    stage_enter(&p, &alice);
    for (int i = 2; i < 5; i++)
        assert_int_equal(take_away(&p, wrong), CODE(AUTH_FACTOR));
    while (told < 3) { /* behind what happened to her transfers */
        m = peer_next(&watching);
        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_EVENT);
        if (m->env->event->kind == SATCHEL__EVENT_KIND__EVENT_FACTOR) {
            told++;
            assert_memory_equal(m->env->event->user_id.data, alice.u.uid.b, sizeof(alice.u.uid.b));
        }
        message_free(m);
    }
    peer_close(&watching);
    peer_close(&p);
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, NULL);
    stage_enter(&p, &alice);
    remove.code = code_of(&a, 1);
    for (int i = 0; i < TRIES + 2; i++) { /* a minute has fewer: this wait is told all the same */
        m = peer_call(&p, &env);          /* good as it is */
        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
        assert_int_equal(m->env->error->code, CODE(RATE));
        assert_in_range(m->env->error->retry_after, 60001, 120000);
        message_free(m);
    }
    peer_close(&p);
    site_kill(&stage_site);
    site_start(&stage_site, NULL);
    stage_enter(&p, &alice);
    assert_int_equal(take_away(&p, a.recovery[1]), OK);
    peer_close(&p);
}

/* The store has neither the key nor a code in the clear; without factors.key it opens nothing. */
static void test_store_gives_no_codes(void **state)
{
    struct authenticator a;
    struct buf index = {0};
    struct peer p;
    char path[128];

    (void)state;
    stage_enter(&p, &carol);
    assert_int_equal(enrol(&p, &a), OK);
    assert_int_equal(confirm(&p, &a, code_of(&a, 0)), OK);
    peer_close(&p);
    assert_int_equal(site_stop(&stage_site), 0);
    (void)snprintf(path, sizeof(path), "%s/data/store/index/data.mdb", stage_site.dir);
    assert_int_equal(fs_read(path, 1 << 30, &index, NULL), ERR_OK);
    assert_non_null(memmem(index.data, index.len, "carol", 5));
    assert_null(memmem(index.data, index.len, a.key, sizeof(a.key)));
    for (size_t i = 0; i < CODES; i++)
        assert_null(memmem(index.data, index.len, a.recovery[i], 9));
    buf_free(&index);
    (void)snprintf(path, sizeof(path), "%s/data/factors.key", stage_site.dir);
    assert_int_equal(remove(path), 0);
    site_start(&stage_site, NULL);
    stage_enter(&p, &carol);
    assert_int_equal(take_away(&p, a.recovery[0]), CODE(INTERNAL));
    assert_true(site_logged(&stage_site, "factor_does_not_open"));
    assert_true(site_logged(&stage_site, "event=request_failed request=FactorRemove code=corrupt"));
    peer_close(&p);
}

/* The recovery key alone does not change who speaks for a user with a factor. */
static void test_a_succession_asks_for_a_code(void **state)
{
    struct authenticator a;
    struct secret isk = {0};
    struct manifest *next;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(enrol(&p, &a), OK);
    assert_int_equal(confirm(&p, &a, code_of(&a, 0)), OK);
    sample_secret("another identity", &isk);
    next = actor_succeed(&alice, alice.u.first, NULL, &isk);
    assert_int_equal(actor_put_manifest(&p, next), CODE(AUTH_FACTOR));
    manifest_free(next);
    next = actor_next_manifest(&alice, alice.u.first, SAMPLE_TIME); /* nobody new speaks for her */
    assert_int_equal(actor_put_manifest(&p, next), OK);
    manifest_free(next);
    assert_int_equal(take_away(&p, a.recovery[0]), OK);
    secret_free(&isk);
    peer_close(&p);
}

/* ---- recoveries ---- */

/* Somebody who has lost the only device, and the new one that the recovery lets in. */
struct loser {
    struct actor old, fresh; /* the latter with the identity that the recovery gives */
    struct manifest *next;
    struct authenticator phone; /* of whoever enrolled it */
    struct peer p;              /* the old device */
};

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
    assert_int_equal(enrol(&l->p, &l->phone), OK);
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
    assert_int_equal(told_at_login(&l.old), 0);  /* it counts for nothing yet */
    assert_int_equal(take_away(&l.p, none), OK); /* never told, nor now */
    assert_int_equal(enrol(&l.p, &l.phone), OK);
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_ENROLLED);
    assert_in_range(told_at_login(&l.old), now, now + DAY);
    assert_int_equal(take_away(&l.p, l.phone.recovery[0]), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_REMOVED);
    assert_int_equal(told_at_login(&l.old), 0);
    assert_int_equal(enrol(&l.p, &l.phone), OK);
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_ENROLLED);
    assert_int_equal(take_away_signed(&l.p, &l.old, &l.old.u.rk), OK);
    assert_told(&watching, &l.old, SATCHEL__EVENT_KIND__EVENT_FACTOR_REMOVED);
    peer_close(&watching);
    loser_free(&l);
}

/* As listed(), for the device that a recovery has let in. */
static int left_after(const struct loser *l)
{
    struct peer p;
    int found;

    stage_enter(&p, &l->fresh);
    found = listed(&p);
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
    lose(&l, "yvonne");
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    stage_shift(7 * DAY - 3600000);
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
    lose(&l, "selma");
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    stage_shift(7 * DAY + 3600000);
    assert_int_equal(recover(&l, none, &removed), CODE(AUTH_FACTOR));
    assert_int_equal(recover(&l, wrong, &removed), CODE(AUTH_FACTOR));
    assert_int_equal(listed(&l.p), 100 + CODES); /* the old device is in still */
    assert_int_equal(recover(&l, l.phone.recovery[0], &removed), OK);
    assert_int_equal(removed, 0);
    assert_true(peer_ended(&l.p));
    assert_int_equal(left_after(&l), 100 + CODES - 1);
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
    lose(&l, "renate");
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    stage_shift(7 * DAY + 3600000);
    old = l.phone;
    assert_int_equal(renew(&l.p, &l.phone, wrong), CODE(AUTH_FACTOR));
    assert_int_equal(renew(&l.p, &l.phone, old.recovery[0]), OK);
    l.phone.step += 7 * 24 * 120 + 120;              /* the daemon's clock */
    assert_int_equal(listed(&l.p), 100 + CODES - 1); /* the old one, until a code has come */
    assert_int_equal(confirm(&l.p, &l.phone, wrong), CODE(AUTH_FACTOR));
    assert_int_equal(confirm(&l.p, &l.phone, code_of(&l.phone, 0)), OK);
    assert_int_equal(listed(&l.p), 100 + CODES);
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
        cmocka_unit_test(test_a_factor_comes_and_goes),
        cmocka_unit_test(test_devices_are_told),
        cmocka_unit_test(test_the_recovery_key_removes_it),
        cmocka_unit_test(test_release_asks_for_a_code),
        cmocka_unit_test(test_restart_forgets_no_code),
        cmocka_unit_test(test_wrong_ones_are_remembered),
        cmocka_unit_test(test_a_succession_asks_for_a_code),
        cmocka_unit_test(test_store_gives_no_codes),
        cmocka_unit_test(test_a_recovery_drops_a_young_factor),
        cmocka_unit_test(test_a_recovery_drops_a_pending_factor),
        cmocka_unit_test(test_a_recovery_asks_for_a_settled_factor),
        cmocka_unit_test(test_renewing_begins_anew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
