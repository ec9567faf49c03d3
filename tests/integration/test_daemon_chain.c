/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever has one device of a user cannot keep the user from revoking it, or from a recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/chain.h"
#include "common/transfer/manifest_build.h"
#include "tests/integration/stage.h"

#define CODE(x)   SATCHEL__CODE__##x
#define UNLIMITED "[limits]\nmanifests = 1024\nrequests = 1000000\n"
#define DAY_MS    ((int64_t)86400000)

enum { DAILY = 20 };

static int setup(void **state)
{
    struct actor *all[] = {&alice, &bob, &carol};
    struct peer p;

    (void)state;
    actor_make(&alice, "alice");
    actor_make(&bob, "bob");
    actor_make(&carol, "carol");
    site_make(&stage_site);
    stage_site.clock = true;
    stage_shift(0);
    site_start(&stage_site, UNLIMITED);
    stage_greet(&p);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(actor_register(&p, all[i], NULL), OK);
    peer_close(&p);
    return 0;
}

/* ---- manifests ---- */

/* What a manifest lists: the user's first device, perhaps revoked, perhaps a second one. */
struct list {
    uint64_t revoked;
    const struct manifest_device *second;
};

static struct manifest *make(const struct actor *who, const struct manifest *before,
                             const struct list *what, const struct secret *isk)
{
    struct manifest_device devices[2] = {who->u.device};
    struct manifest_build_plan plan = {.previous = before,
                                       .created = SAMPLE_TIME + before->sequence,
                                       .devices = devices,
                                       .n_devices = what->second != NULL ? 2 : 1,
                                       .eks = &who->u.key,
                                       .n_eks = 1};
    struct manifest *m = NULL;

    devices[0].revoked = what->revoked;
    if (what->second != NULL)
        devices[1] = *what->second;
    assert_int_equal(manifest_build(&plan, isk, &m, NULL), ERR_OK);
    return m;
}

static struct message *send_manifest(struct peer *p, const struct manifest *m)
{
    Satchel__PutManifest msg = SATCHEL__PUT_MANIFEST__INIT;
    Satchel__Signed body = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, PUT_MANIFEST, put_manifest, &msg);

    body.body = (ProtobufCBinaryData){m->body.len, (uint8_t *)(uintptr_t)m->body.data};
    PEER_BYTES(body.signature, m->signature);
    msg.manifest = &body;
    return peer_call(p, &env);
}

static Satchel__Code put(struct peer *p, const struct manifest *m)
{
    return peer_code(send_manifest(p, m));
}

/* ${who}'s manifest ${n}, put there with all those before it; ${*newest} is replaced. */
static void put_until(struct peer *p, const struct actor *who, uint64_t n, struct manifest **newest)
{
    const struct list same = {0};

    while ((*newest)->sequence < n) {
        struct manifest *next = make(who, *newest, &same, &who->u.isk);

        assert_int_equal(put(p, next), OK);
        if (*newest != who->u.first)
            manifest_free(*newest);
        *newest = next;
    }
}

/* Another device of ${who}: with the key of ${other}'s. */
static struct manifest_device second_device(const struct actor *other)
{
    struct manifest_device d = other->u.device;

    d.added = SAMPLE_TIME + 1;
    return d;
}

/* ---- recovery ---- */

/* Over ${p}, which has said hello; the number of the request. */
static uint64_t begin_recovery(struct peer *p, const struct actor *who, const struct manifest *next)
{
    Satchel__Recover msg = SATCHEL__RECOVER__INIT;
    Satchel__Signed manifest = SATCHEL__SIGNED__INIT;
    struct login_recovery facts = {.who = PART_OF(who->u.uid.b), .manifest = next->body};
    uint8_t sig[SIGNED_SIG_LEN];
    PEER_ENV(env, RECOVER, recover, &msg);

    facts.server = p->server;
    assert_true(peer_exporter(p, facts.exporter));
    manifest.body = (ProtobufCBinaryData){next->body.len, (uint8_t *)(uintptr_t)next->body.data};
    PEER_BYTES(manifest.signature, next->signature);
    msg.manifest = &manifest;
    assert_int_equal(login_recovery_sign(&facts, &who->u.rk, sig, NULL), ERR_OK);
    msg.who_case = SATCHEL__RECOVER__WHO_USER_ID;
    PEER_BYTES(msg.user_id, who->u.uid.b);
    PEER_BYTES(msg.signature, sig);
    return peer_send(p, &env, NULL, 0);
}

static Satchel__Code recover(const struct actor *who, const struct manifest *next)
{
    Satchel__Code code;
    struct peer p;

    stage_greet(&p);
    code = peer_code(peer_wait(&p, begin_recovery(&p, who, next)));
    peer_close(&p);
    return code;
}

static void new_identity(struct secret *isk, uint8_t n)
{
    *isk = (struct secret){0};
    assert_int_equal(secret_new(isk, 32, NULL), ERR_OK);
    memset(isk->data, n, 32);
}

/* All that Lookup shows of ${who}, as a chain that has ${known} pinned. */
static void look_up(const struct actor *who, struct chain *known, enum chain_change *ret_change)
{
    uint64_t from = 1, last = 1;
    struct peer p;

    stage_enter(&p, &alice);
    while (from <= last) {
        Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
        struct message *m;
        PEER_ENV(env, LOOKUP, lookup, &msg);

        msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
        PEER_BYTES(msg.user_id, who->u.uid.b);
        msg.from_sequence = from;
        m = peer_call(&p, &env);
        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY);
        last = m->env->lookup_reply->last_sequence;
        for (size_t i = 0; i < m->env->lookup_reply->n_manifests; i++) {
            const Satchel__Signed *s = m->env->lookup_reply->manifests[i];
            struct manifest *one = NULL;

            assert_int_equal(manifest_parse(part(s->body.data, s->body.len),
                                            part(s->signature.data, s->signature.len), &one, NULL),
                             ERR_OK);
            assert_int_equal(chain_add(known, one, ret_change, NULL), ERR_OK);
            from++;
        }
        message_free(m);
    }
    peer_close(&p);
}

/* ---- tests ---- */

static void test_the_last_numbers_are_for_revoking(void **state)
{
    const struct manifest_device second = second_device(&bob);
    const struct list both = {0, &second}, first_out = {SAMPLE_TIME + 5, &second};
    struct manifest *newest = carol.u.first, *m, *out;
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    put_until(&p, &carol, CHAIN_ORDINARY - 1, &newest);
    m = make(&carol, newest, &both, &carol.u.isk);
    assert_int_equal(put(&p, m), OK);
    manifest_free(newest);
    newest = m;
    /* The same lists again, and other lists of as many devices. */
    m = make(&carol, newest, &both, &carol.u.isk);
    assert_int_equal(put(&p, m), CODE(TOO_LARGE));
    manifest_free(m);
    out = make(&carol, newest, &first_out, &carol.u.isk);
    assert_int_equal(put(&p, out), OK);
    assert_true(peer_ended(&p));
    peer_close(&p);
    stage_greet(&p);
    assert_int_equal(actor_login(&p, &carol), CODE(AUTH_FAILED));
    peer_close(&p);
    manifest_free(newest);
    manifest_free(out);
}

/* After the numbers were used up: behind the newest one, or behind an earlier one. */
static void test_a_recovery_goes_back(void **state)
{
    struct chain known = {.uid = carol.u.uid};
    const struct manifest_device second = second_device(&alice);
    enum chain_change change = CHAIN_SAME;
    struct secret isk[2];
    struct manifest *ahead, *back, *bad;

    (void)state;
    new_identity(&isk[0], 71);
    new_identity(&isk[1], 72);
    look_up(&carol, &known, &change);
    assert_int_equal(known.n, CHAIN_ORDINARY + 1);
    ahead = actor_succeed(&carol, chain_newest(&known), &second, &isk[0]);
    assert_int_equal(recover(&carol, ahead), OK);
    assert_int_equal(recover(&carol, ahead), OK); /* again */
    look_up(&carol, &known, &change);
    assert_int_equal(known.n, CHAIN_ORDINARY + 2);
    /* An earlier one that does not say what has happened since. */
    bad = actor_succeed(&carol, known.m[9], &second, &isk[1]);
    assert_int_equal(recover(&carol, bad), CODE(BAD_REQUEST));
    manifest_free(bad);
    manifest_free(ahead);
    chain_free(&known);

    /* Bob's chain has no succession yet: back to the first. */
    {
        struct manifest *newest = bob.u.first;
        struct peer p;

        stage_enter(&p, &bob);
        put_until(&p, &bob, 30, &newest);
        known = (struct chain){.uid = bob.u.uid};
        look_up(&bob, &known, &change);
        assert_int_equal(known.n, 30);
        back = actor_succeed(&bob, bob.u.first, &second, &isk[0]);
        assert_int_equal(recover(&bob, back), OK);
        assert_true(peer_ended(&p)); /* whose device is revoked */
        peer_close(&p);
        assert_int_equal(recover(&bob, back), OK);
        manifest_free(newest);
    }
    look_up(&bob, &known, &change);
    assert_int_equal(change, CHAIN_SUCCEEDED);
    assert_int_equal(known.n, 2);
    assert_memory_equal(&chain_newest(&known)->hash, &back->hash, sizeof(back->hash));
    chain_free(&known);
    manifest_free(back);
    secret_free(&isk[0]);
    secret_free(&isk[1]);
}

/* Twice at once, as after a connection that only seemed to be lost: it is stored once. */
static void test_a_recovery_that_is_sent_twice(void **state)
{
    const struct manifest_device second = second_device(&alice);
    struct chain known = {.uid = bob.u.uid};
    enum chain_change change = CHAIN_SAME;
    struct manifest *next;
    struct secret isk;
    struct peer p[2];
    uint64_t id[2];
    size_t before;

    (void)state;
    new_identity(&isk, 73);
    look_up(&bob, &known, &change);
    before = known.n;
    next = actor_succeed(&bob, chain_newest(&known), &second, &isk);
    for (size_t i = 0; i < 2; i++)
        stage_greet(&p[i]);
    for (size_t i = 0; i < 2; i++)
        id[i] = begin_recovery(&p[i], &bob, next);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(peer_code(peer_wait(&p[i], id[i])), OK);
        peer_close(&p[i]);
    }
    look_up(&bob, &known, &change);
    assert_int_equal(known.n, before + 1);
    assert_memory_equal(&chain_newest(&known)->hash, &next->hash, sizeof(next->hash));
    chain_free(&known);
    manifest_free(next);
    secret_free(&isk);
}

static uint64_t rate_wait(struct peer *p, const struct manifest *m)
{
    struct message *answer = send_manifest(p, m);
    uint64_t wait;

    assert_non_null(answer);
    assert_int_equal(answer->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
    assert_int_equal(answer->env->error->code, CODE(RATE));
    wait = answer->env->error->retry_after;
    message_free(answer);
    return wait;
}

static void test_a_day_has_a_share(void **state)
{
    const struct manifest_device second = second_device(&carol);
    const struct list out = {SAMPLE_TIME + 5, &second}, both = {0, &second};
    struct manifest *newest = alice.u.first, *next;
    struct peer p;

    (void)state;
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, NULL);
    stage_enter(&p, &alice);
    put_until(&p, &alice, DAILY - 1, &newest);
    next = make(&alice, newest, &both, &alice.u.isk);
    assert_int_equal(put(&p, next), OK);
    manifest_free(newest);
    newest = next;
    next = make(&alice, newest, &both, &alice.u.isk);
    assert_in_range(rate_wait(&p, next), 23 * 3600000, DAY_MS);
    peer_close(&p);
    /* A restart gives nothing back. */
    assert_int_equal(site_stop(&stage_site), 0);
    site_start(&stage_site, NULL);
    stage_enter(&p, &alice);
    assert_in_range(rate_wait(&p, next), 23 * 3600000, DAY_MS);
    stage_shift(DAY_MS);
    peer_close(&p);
    stage_enter(&p, &alice);
    assert_int_equal(put(&p, next), OK);
    manifest_free(newest);
    newest = next;
    stage_shift(0);
    next = make(&alice, newest, &both, &alice.u.isk);
    assert_true(rate_wait(&p, next) > 0);
    manifest_free(next);
    next = make(&alice, newest, &out, &alice.u.isk);
    assert_int_equal(put(&p, next), OK); /* revoking is always allowed */
    assert_true(peer_ended(&p));
    peer_close(&p);
    manifest_free(newest);
    manifest_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_numbers_are_for_revoking),
        cmocka_unit_test(test_a_recovery_goes_back),
        cmocka_unit_test(test_a_recovery_that_is_sent_twice),
        cmocka_unit_test(test_a_day_has_a_share),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
