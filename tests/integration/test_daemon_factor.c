/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor: enrolling, transfers that ask for a code, and what counts how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs.h"
#include "tests/integration/factor_fix.h"

#define CODE(x) SATCHEL__CODE__##x

enum { TRIES = 5 };

static char none[] = "", wrong[] = "000000";

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

static void test_a_factor_comes_and_goes(void **state)
{
    struct authenticator a, b;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    assert_int_equal(factor_listed(&p), -1);
    assert_int_equal(factor_confirm(&p, &a, wrong), CODE(BAD_STATE));
    assert_int_equal(factor_remove(&p, none), CODE(NOT_FOUND));
    assert_int_equal(factor_enrol(&p, &a), OK);
    assert_int_equal(factor_listed(&p), 0);
    assert_int_equal(factor_enrol(&p, &b), OK); /* begun anew: the first key counts no more */
    assert_memory_not_equal(a.key, b.key, sizeof(a.key));
    assert_int_equal(factor_confirm(&p, &a, factor_code(&a, 0)), CODE(AUTH_FACTOR));
    assert_int_equal(factor_confirm(&p, &b, factor_code(&b, 0)), OK);
    assert_int_equal(factor_listed(&p), 100 + FACTOR_CODES);
    assert_int_equal(factor_enrol(&p, &a), CODE(EXISTS));
    assert_int_equal(factor_confirm(&p, &b, factor_code(&b, 1)), CODE(BAD_STATE));
    assert_int_equal(factor_remove(&p, none), CODE(AUTH_FACTOR));
    assert_int_equal(factor_remove(&p, factor_code(&b, 0)),
                     CODE(AUTH_FACTOR)); /* was used to confirm */
    assert_int_equal(factor_remove(&p, b.recovery[0]), OK);
    assert_int_equal(factor_listed(&p), -1);
    peer_close(&p);
}

/* The key of the recovery words, on this very connection. */
static void test_the_recovery_key_removes_it(void **state)
{
    struct authenticator a;
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    factor_activate(&p, &a);
    assert_int_equal(factor_remove_signed(&p, &carol, &carol.u.isk), CODE(AUTH_FACTOR));
    assert_int_equal(factor_remove_signed(&p, &alice, &carol.u.rk), CODE(AUTH_FACTOR));
    assert_int_equal(factor_listed(&p), 100 + FACTOR_CODES);
    assert_int_equal(factor_remove_signed(&p, &carol, &carol.u.rk), OK);
    assert_int_equal(factor_listed(&p), -1);
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
    assert_int_equal(factor_enrol(&p, &bobs), OK);
    assert_int_equal(release(&p, &x, factor_code(&bobs, 0)),
                     CODE(AUTH_FACTOR)); /* not yet active */
    assert_int_equal(factor_confirm(&p, &bobs, factor_code(&bobs, 0)), OK);
    assert_int_equal(release(&p, &x, none), CODE(AUTH_FACTOR));

    /* Two requests at the same time with one code. */
    stage_enter(&q, &bob);
    uint64_t one = send_release(&p, &x, factor_code(&bobs, 1));
    uint64_t two = send_release(&q, &x, factor_code(&bobs, 1));
    Satchel__Code first = peer_code(peer_wait(&p, one)), second = peer_code(peer_wait(&q, two));

    assert_true((first == OK && second == CODE(AUTH_FACTOR)) ||
                (first == CODE(AUTH_FACTOR) && second == OK));
    peer_close(&q);
    assert_int_equal(release(&p, &x, bobs.recovery[2]), OK);
    assert_int_equal(release(&p, &x, bobs.recovery[2]), CODE(AUTH_FACTOR));
    assert_int_equal(factor_listed(&p), 100 + FACTOR_CODES - 1);
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
    assert_int_equal(release(&p, &x, factor_code(&bobs, 1)), CODE(AUTH_FACTOR));
    assert_int_equal(release(&p, &x, bobs.recovery[2]), CODE(AUTH_FACTOR));
    for (int i = 2; i < TRIES; i++)
        assert_int_equal(release(&p, &x, wrong), CODE(AUTH_FACTOR));
    /* Five wrong ones: even a good one has to wait, also in another request. */
    assert_int_equal(release(&p, &x, bobs.recovery[3]), CODE(RATE));
    assert_int_equal(factor_remove(&p, bobs.recovery[3]), CODE(RATE));
    assert_int_equal(factor_listed(&p), 100 + FACTOR_CODES - 1);
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
    factor_activate(&p, &a);
    for (int i = 0; i < 2; i++)
        assert_int_equal(factor_remove(&p, wrong), CODE(AUTH_FACTOR));
    peer_close(&p);
    site_kill(&stage_site); /* the tries of a minute begin anew, the count does not */
    site_start(&stage_site, NULL);
    stage_enter(&watching, &alice);
    assert_int_equal(peer_ask(&watching, &sub), OK);
    stage_enter(&p, &alice);
    for (int i = 2; i < 5; i++)
        assert_int_equal(factor_remove(&p, wrong), CODE(AUTH_FACTOR));
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
    remove.code = factor_code(&a, 1);
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
    assert_int_equal(factor_remove(&p, a.recovery[1]), OK);
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
    factor_activate(&p, &a);
    peer_close(&p);
    assert_int_equal(site_stop(&stage_site), 0);
    (void)snprintf(path, sizeof(path), "%s/data/store/index/data.mdb", stage_site.dir);
    assert_int_equal(fs_read(path, 1 << 30, &index, NULL), ERR_OK);
    assert_non_null(memmem(index.data, index.len, "carol", 5));
    assert_null(memmem(index.data, index.len, a.key, sizeof(a.key)));
    for (size_t i = 0; i < FACTOR_CODES; i++)
        assert_null(memmem(index.data, index.len, a.recovery[i], 9));
    buf_free(&index);
    (void)snprintf(path, sizeof(path), "%s/data/factors.key", stage_site.dir);
    assert_int_equal(remove(path), 0);
    site_start(&stage_site, NULL);
    stage_enter(&p, &carol);
    assert_int_equal(factor_remove(&p, a.recovery[0]), CODE(INTERNAL));
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
    factor_activate(&p, &a);
    sample_secret("another identity", &isk);
    next = actor_succeed(&alice, alice.u.first, NULL, &isk);
    assert_int_equal(actor_put_manifest(&p, next), CODE(AUTH_FACTOR));
    manifest_free(next);
    next = actor_next_manifest(&alice, alice.u.first, SAMPLE_TIME); /* nobody new speaks for her */
    assert_int_equal(actor_put_manifest(&p, next), OK);
    manifest_free(next);
    assert_int_equal(factor_remove(&p, a.recovery[0]), OK);
    secret_free(&isk);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_factor_comes_and_goes),
        cmocka_unit_test(test_the_recovery_key_removes_it),
        cmocka_unit_test(test_release_asks_for_a_code),
        cmocka_unit_test(test_restart_forgets_no_code),
        cmocka_unit_test(test_wrong_ones_are_remembered),
        cmocka_unit_test(test_a_succession_asks_for_a_code),
        cmocka_unit_test(test_store_gives_no_codes),
    };

    return cmocka_run_group_tests(tests, factor_fix_setup, factor_fix_teardown);
}
