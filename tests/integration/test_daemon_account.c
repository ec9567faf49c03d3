/* SPDX-License-Identifier: Apache-2.0 */
/* Hello, Login, Lookup, PutManifest, Ping, Bye: what each does and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <lmdb.h>

#include "common/transfer/chain.h"
#include "common/transfer/manifest_build.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

/* ---- Hello ---- */

static void test_hello_says_who_it_is(void **state)
{
    struct peer p;
    uint8_t nonce[LOGIN_NONCE_LEN];

    (void)state;
    stage_greet(&p);
    assert_in_range(p.limits.window, 1, 64);
    assert_true(p.limits.max_transfer > 0 && p.limits.max_recipients > 0 && p.limits.page > 0);
    assert_true(p.time > SAMPLE_TIME);
    memcpy(nonce, p.nonce, sizeof(nonce));
    peer_close(&p);
    stage_greet(&p);
    assert_memory_not_equal(nonce, p.nonce, sizeof(nonce));
    peer_close(&p);
}

static void test_hello_of_another_version(void **state)
{
    Satchel__Hello hello = SATCHEL__HELLO__INIT;
    struct peer p;

    (void)state;
    hello.software = (char *)(uintptr_t) "future";
    for (int i = 0; i < 2; i++) {
        PEER_ENV(env, HELLO, hello, &hello);

        hello.min_version = i == 0 ? 2 : 0;
        hello.max_version = i == 0 ? 9 : 0;
        assert_true(peer_open(&p, stage_site.port));
        assert_int_equal(peer_ask(&p, &env), CODE(UNSUPPORTED));
        assert_true(peer_ended(&p));
        peer_close(&p);
    }
}

static void test_hello_twice(void **state)
{
    struct peer p;

    (void)state;
    stage_greet(&p);
    assert_int_equal(peer_hello(&p), CODE(BAD_STATE));
    assert_int_equal(actor_login(&p, &alice), OK); /* and it goes on */
    peer_close(&p);
}

/* ---- Login ---- */

static void fill_login(struct peer *p, const struct actor *a, struct login *l)
{
    *l = (struct login){
        .server = p->server, .uid = a->u.uid, .device = a->u.device.id, .time = p->time};
    memcpy(l->nonce, p->nonce, sizeof(l->nonce));
    assert_true(peer_exporter(p, l->exporter));
}

static Satchel__Code send_login(struct peer *p, const struct login *l, const struct secret *key)
{
    Satchel__Login msg = SATCHEL__LOGIN__INIT;
    PEER_ENV(env, LOGIN, login, &msg);
    uint8_t sig[SIGNED_SIG_LEN];

    assert_int_equal(login_sign(l, key, sig, NULL), ERR_OK);
    PEER_BYTES(msg.user_id, l->uid.b);
    PEER_BYTES(msg.device, l->device.b);
    msg.time = l->time;
    PEER_BYTES(msg.signature, sig);
    return peer_ask(p, &env);
}

/* Unknown user, unknown device, wrong key, another connection's nonce and binding: one answer. */
static void test_logins_that_are_refused_alike(void **state)
{
    struct actor stranger;

    (void)state;
    actor_make(&stranger, "stranger");
    for (int i = 0; i < 6; i++) {
        const struct secret *key = &alice.u.dsk;
        struct peer p, q;
        struct login l;

        stage_greet(&p);
        stage_greet(&q);
        fill_login(&p, &alice, &l);
        switch (i) {
        case 0:
            l.uid = stranger.u.uid;
            break;
        case 1:
            l.device = bob.u.device.id;
            break;
        case 2:
            key = &bob.u.dsk;
            break;
        case 3:
            memcpy(l.nonce, q.nonce, sizeof(l.nonce));
            break;
        case 4:
            assert_true(peer_exporter(&q, l.exporter));
            break;
        default:
            l.server.b[0] ^= 1;
        }
        assert_int_equal(send_login(&p, &l, key), CODE(AUTH_FAILED));
        assert_true(peer_ended(&p));
        peer_close(&p);
        peer_close(&q);
    }
    actor_free(&stranger);
}

static void test_a_login_cannot_be_replayed(void **state)
{
    struct peer p;
    struct login l;

    (void)state;
    stage_greet(&p);
    fill_login(&p, &alice, &l);
    assert_int_equal(send_login(&p, &l, &alice.u.dsk), OK);
    assert_int_equal(send_login(&p, &l, &alice.u.dsk), CODE(BAD_STATE));
    peer_close(&p);
    stage_greet(&p); /* the same bytes on another connection */
    assert_int_equal(send_login(&p, &l, &alice.u.dsk), CODE(AUTH_FAILED));
    peer_close(&p);
}

static void test_a_clock_that_is_off(void **state)
{
    struct peer p;
    struct login l;

    (void)state;
    stage_greet(&p);
    fill_login(&p, &alice, &l);
    l.time += 25ULL * 3600 * 1000;
    assert_int_equal(send_login(&p, &l, &alice.u.dsk), CODE(AUTH_FAILED));
    assert_true(peer_ended(&p));
    peer_close(&p);
}

static void test_malformed_logins(void **state)
{
    Satchel__Login msg = SATCHEL__LOGIN__INIT;
    struct peer p;
    uint8_t bytes[32] = {0};
    PEER_ENV(env, LOGIN, login, &msg);

    (void)state;
    stage_greet(&p);
    msg.user_id = (ProtobufCBinaryData){19, bytes};
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    msg.user_id.len = 20;
    msg.device = (ProtobufCBinaryData){17, bytes};
    env.id = 0;
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    peer_close(&p);
}

/* ---- Lookup ---- */

static struct message *look_up(struct peer *p, Satchel__Lookup *msg)
{
    PEER_ENV(env, LOOKUP, lookup, msg);

    return peer_call(p, &env);
}

static void test_lookup_in_three_ways(void **state)
{
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    for (int i = 0; i < 3; i++) {
        Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
        const Satchel__LookupReply *r;
        struct message *m;

        if (i == 0) {
            msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
            PEER_BYTES(msg.user_id, bob.u.uid.b);
        } else if (i == 1) {
            msg.who_case = SATCHEL__LOOKUP__WHO_USERNAME;
            msg.username = (char *)(uintptr_t) "bob";
        } else {
            msg.who_case = SATCHEL__LOOKUP__WHO_EMAIL;
            msg.email = (char *)(uintptr_t) "BOB@example.org";
        }
        m = look_up(&p, &msg);
        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LOOKUP_REPLY);
        r = m->env->lookup_reply;
        assert_memory_equal(r->user_id.data, bob.u.uid.b, IDS_UID_LEN);
        assert_string_equal(r->username, "bob");
        assert_int_equal(r->n_manifests, 1);
        assert_int_equal(r->last_sequence, 1);
        assert_int_equal(r->manifests[0]->body.len, bob.u.first->body.len);
        assert_memory_equal(r->manifests[0]->body.data, bob.u.first->body.data,
                            bob.u.first->body.len);
        message_free(m);
    }
    peer_close(&p);
}

static void test_lookup_of_nobody(void **state)
{
    struct peer p;
    uint8_t uid[20] = {9};

    (void)state;
    stage_enter(&p, &alice);
    for (int i = 0; i < 7; i++) {
        static const Satchel__Code want[] = {
            CODE(NOT_FOUND),   CODE(NOT_FOUND),   CODE(NOT_FOUND),  CODE(BAD_REQUEST),
            CODE(BAD_REQUEST), CODE(BAD_REQUEST), CODE(BAD_REQUEST)};
        Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;

        PEER_BYTES(msg.user_id, uid);
        msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
        if (i == 1 || i == 4) {
            msg.who_case = SATCHEL__LOOKUP__WHO_USERNAME;
            msg.username = (char *)(uintptr_t)(i == 1 ? "nobody" : "NO BODY");
        } else if (i == 2 || i == 5) {
            msg.who_case = SATCHEL__LOOKUP__WHO_EMAIL;
            msg.email = (char *)(uintptr_t)(i == 2 ? "no@body" : "nobody");
        } else if (i == 3) {
            msg.user_id.len = 19;
        } else if (i == 6) {
            msg.who_case = SATCHEL__LOOKUP__WHO__NOT_SET;
        }
        assert_int_equal(peer_code(look_up(&p, &msg)), want[i]);
    }
    peer_close(&p);
}

/* ---- PutManifest ---- */

static void test_manifests_follow_each_other(void **state)
{
    Satchel__Lookup look = SATCHEL__LOOKUP__INIT;
    struct manifest *second, *other, *third, *foreign;
    struct message *m;
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    second = actor_next_manifest(&carol, carol.u.first, SAMPLE_TIME);
    other = actor_next_manifest(&carol, carol.u.first, SAMPLE_TIME + 1);
    third = actor_next_manifest(&carol, second, SAMPLE_TIME + 2);
    foreign = actor_next_manifest(&bob, bob.u.first, SAMPLE_TIME);
    assert_int_equal(actor_put_manifest(&p, third), CODE(BAD_REQUEST)); /* the second is missing */
    assert_int_equal(actor_put_manifest(&p, foreign), CODE(BAD_REQUEST));
    assert_int_equal(actor_put_manifest(&p, second), OK);
    assert_int_equal(actor_put_manifest(&p, second), OK); /* again */
    assert_int_equal(actor_put_manifest(&p, other), CODE(EXISTS));
    assert_int_equal(actor_put_manifest(&p, third), OK);
    assert_int_equal(actor_put_manifest(&p, second), OK);
    assert_int_equal(actor_put_manifest(&p, carol.u.first), OK);

    look.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    PEER_BYTES(look.user_id, carol.u.uid.b);
    look.from_sequence = 2;
    m = look_up(&p, &look);
    assert_non_null(m);
    assert_int_equal(m->env->lookup_reply->n_manifests, 2);
    assert_int_equal(m->env->lookup_reply->last_sequence, 3);
    assert_memory_equal(m->env->lookup_reply->manifests[1]->body.data, third->body.data,
                        third->body.len);
    message_free(m);
    manifest_free(second);
    manifest_free(other);
    manifest_free(third);
    manifest_free(foreign);
    peer_close(&p);
}

static void test_manifests_that_do_not_verify(void **state)
{
    Satchel__PutManifest msg = SATCHEL__PUT_MANIFEST__INIT;
    struct manifest *next = actor_next_manifest(&bob, bob.u.first, SAMPLE_TIME);
    struct manifest last = *bob.u.first, *beyond;
    struct peer p;
    PEER_ENV(env, PUT_MANIFEST, put_manifest, &msg);

    (void)state;
    stage_enter(&p, &bob);
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST)); /* none */
    next->signature[5] ^= 1;
    assert_int_equal(actor_put_manifest(&p, next), CODE(BAD_REQUEST));
    manifest_free(next);
    last.sequence = CHAIN_MAX; /* nobody reads longer chains */
    beyond = actor_next_manifest(&bob, &last, SAMPLE_TIME);
    assert_int_equal(actor_put_manifest(&p, beyond), CODE(TOO_LARGE));
    manifest_free(beyond);
    peer_close(&p);
}

/* A revoked device is sent away, and cannot log in; the other one can. */
static void test_a_revoked_device(void **state)
{
    struct manifest_device devices[2] = {carol.u.device, bob.u.device};
    struct manifest_build_plan plan = {
        .created = SAMPLE_TIME + 3, .devices = devices, .n_devices = 2, .n_eks = 1};
    Satchel__Lookup look = SATCHEL__LOOKUP__INIT;
    struct manifest *newest = NULL, *next = NULL;
    const Satchel__Signed *s;
    struct message *m;
    struct peer p, thief, other;
    struct login l;

    (void)state;
    stage_enter(&p, &carol);
    stage_enter(&thief, &carol);
    stage_enter(&other, &bob);
    look.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    PEER_BYTES(look.user_id, carol.u.uid.b);
    m = look_up(&p, &look);
    assert_non_null(m);
    s = m->env->lookup_reply->manifests[m->env->lookup_reply->n_manifests - 1];
    assert_int_equal(manifest_parse(part(s->body.data, s->body.len),
                                    part(s->signature.data, s->signature.len), &newest, NULL),
                     ERR_OK);
    message_free(m);
    devices[0].revoked = SAMPLE_TIME + 3;
    plan.previous = newest;
    plan.eks = &carol.u.key;
    assert_int_equal(manifest_build(&plan, &carol.u.isk, &next, NULL), ERR_OK);
    assert_int_equal(actor_put_manifest(&p, next), OK);
    assert_true(peer_ended(&p));
    assert_true(peer_ended(&thief));
    peer_close(&p);
    peer_close(&thief);
    look.from_sequence = 1;
    assert_int_equal(peer_code(look_up(&other, &look)), OK); /* others stay */
    peer_close(&other);

    stage_greet(&p);
    assert_int_equal(actor_login(&p, &carol), CODE(AUTH_FAILED));
    peer_close(&p);
    stage_greet(&p);
    fill_login(&p, &carol, &l);
    l.device = bob.u.device.id;
    assert_int_equal(send_login(&p, &l, &bob.u.dsk), OK);
    peer_close(&p);
    manifest_free(newest);
    manifest_free(next);
}

/* ---- a factor that cannot be read ---- */

/* Put one for ${who} into the store, or take it away; the daemon is not running. */
static void damage(const struct actor *who, bool put)
{
    struct uid uid = who->u.uid;
    char bad[] = "bad";
    MDB_val key = {sizeof(uid.b), uid.b}, row = {sizeof(bad), bad};
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    char path[96];
    MDB_dbi dbi;

    (void)snprintf(path, sizeof(path), "%s/data/store/index", stage_site.dir);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "factors", 0, &dbi), 0);
    if (put)
        assert_int_equal(mdb_put(txn, dbi, &key, &row, 0), 0);
    else
        assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static Satchel__Code log_in(const struct actor *who)
{
    struct peer p;
    Satchel__Code code;

    stage_greet(&p);
    code = actor_login(&p, who);
    peer_close(&p);
    return code;
}

/* Whoever has no key of a device is refused before anything is read of a factor. */
static void test_a_login_is_proved_first(void **state)
{
    struct actor forger = bob;

    (void)state;
    forger.u.dsk = carol.u.dsk;
    assert_int_equal(site_stop(&stage_site), 0);
    damage(&bob, true);
    site_start(&stage_site, NULL);
    assert_int_equal(log_in(&forger), CODE(AUTH_FAILED));
    assert_int_equal(log_in(&bob), CODE(INTERNAL)); /* so the test can fail */
    assert_int_equal(site_stop(&stage_site), 0);
    damage(&bob, false);
    site_start(&stage_site, NULL);
    assert_int_equal(log_in(&forger), CODE(AUTH_FAILED));
    assert_int_equal(log_in(&bob), OK);
}

/* ---- Ping, Bye ---- */

static void test_ping_and_bye(void **state)
{
    Satchel__Ping ping = SATCHEL__PING__INIT;
    Satchel__Bye bye = SATCHEL__BYE__INIT;
    struct peer p;

    (void)state;
    for (int i = 0; i < 2; i++) {
        PEER_ENV(env, PING, ping, &ping);
        PEER_ENV(end, BYE, bye, &bye);

        stage_greet(&p);
        if (i == 1)
            assert_int_equal(actor_login(&p, &alice), OK);
        assert_int_equal(peer_ask(&p, &env), OK);
        assert_true(peer_send(&p, &end, NULL, 0) != 0);
        assert_true(peer_ended(&p));
        peer_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_says_who_it_is),
        cmocka_unit_test(test_hello_of_another_version),
        cmocka_unit_test(test_hello_twice),
        cmocka_unit_test(test_logins_that_are_refused_alike),
        cmocka_unit_test(test_a_login_cannot_be_replayed),
        cmocka_unit_test(test_a_login_is_proved_first),
        cmocka_unit_test(test_a_clock_that_is_off),
        cmocka_unit_test(test_malformed_logins),
        cmocka_unit_test(test_lookup_in_three_ways),
        cmocka_unit_test(test_lookup_of_nobody),
        cmocka_unit_test(test_manifests_follow_each_other),
        cmocka_unit_test(test_manifests_that_do_not_verify),
        cmocka_unit_test(test_a_revoked_device),
        cmocka_unit_test(test_ping_and_bye),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
