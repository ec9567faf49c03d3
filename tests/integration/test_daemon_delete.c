/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteAccount: who may, what goes, what stays, and that a killed daemon brings it to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>

#include "common/crypto/totp.h"
#include "tests/integration/stage.h"

#define CODE(x)  SATCHEL__CODE__##x
#define SETTINGS "[limits]\nmin_lifetime = 1s\nregistrations = 100\n"

#define DAY ((int64_t)24 * 3600 * 1000)

/* Each test has users of its own: who is deleted does not come back. */
static int setup(void **state)
{
    (void)state;
    stage_up(SETTINGS);
    assert_int_equal(site_stop(&stage_site), 0);
    stage_site.clock = true;
    site_start(&stage_site, SETTINGS);
    return 0;
}

struct proof {
    uint8_t sig[SIGNED_SIG_LEN], recovery[SIGNED_SIG_LEN];
};

static void sign(struct peer *p, const struct actor *a, const struct secret *key,
                 uint8_t ret[SIGNED_SIG_LEN])
{
    struct login_delete l = {.server = p->server, .uid = a->u.uid};

    assert_true(peer_exporter(p, l.exporter));
    assert_int_equal(login_delete_sign(&l, key, ret, NULL), ERR_OK);
}

/* What ${a} would sign for the connection ${p}, with ${key} and with the recovery key. */
static void prove(struct peer *p, const struct actor *a, const struct secret *key,
                  struct proof *ret)
{
    sign(p, a, key, ret->sig);
    sign(p, a, &a->u.rk, ret->recovery);
}

/* With ${code}, or NULL: with the recovery key's signature. */
static Satchel__Code ask(struct peer *p, const struct proof *proof, const char *code)
{
    Satchel__DeleteAccount msg = SATCHEL__DELETE_ACCOUNT__INIT;
    PEER_ENV(env, DELETE_ACCOUNT, delete_account, &msg);

    PEER_BYTES(msg.signature, proof->sig);
    if (code != NULL)
        msg.code = (char *)(uintptr_t)code;
    else
        PEER_BYTES(msg.recovery_signature, proof->recovery);
    return peer_ask(p, &env);
}

static Satchel__Code leave(struct peer *p, const struct actor *a)
{
    struct proof proof;

    prove(p, a, &a->u.isk, &proof);
    return ask(p, &proof, NULL);
}

static bool can_log_in(const struct actor *a)
{
    struct peer p;
    Satchel__Code code;

    stage_greet(&p);
    code = actor_login(&p, a);
    peer_close(&p);
    return code == OK;
}

static void join(struct actor *a, const char *name)
{
    struct peer p;

    actor_make(a, name);
    stage_greet(&p);
    assert_int_equal(actor_register(&p, a, NULL), OK);
    peer_close(&p);
}

static Satchel__Code lookup(struct peer *p, const struct actor *a, int by)
{
    Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
    PEER_ENV(env, LOOKUP, lookup, &msg);

    msg.who_case = (Satchel__Lookup__WhoCase)by;
    if (by == SATCHEL__LOOKUP__WHO_USER_ID)
        PEER_BYTES(msg.user_id, a->u.uid.b);
    else if (by == SATCHEL__LOOKUP__WHO_USERNAME)
        msg.username = (char *)(uintptr_t)a->u.name;
    else
        msg.email = (char *)(uintptr_t)a->email;
    return peer_ask(p, &env);
}

/* ---- who may ---- */

static void test_nobody_else(void **state)
{
    struct actor a, other;
    struct proof proof, old;
    struct peer p, q;

    (void)state;
    join(&a, "dora");
    join(&other, "oskar");
    stage_enter(&p, &a);
    stage_enter(&q, &other);
    prove(&p, &a, &a.u.dsk, &proof); /* a device is not enough */
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FAILED));
    prove(&p, &a, &other.u.isk, &proof);
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FAILED));
    prove(&q, &a, &a.u.isk, &proof); /* somebody else's connection */
    assert_int_equal(ask(&q, &proof, NULL), CODE(AUTH_FAILED));
    prove(&p, &a, &a.u.isk, &old);
    old.sig[7] ^= 1;
    assert_int_equal(ask(&p, &old, NULL), CODE(AUTH_FAILED));
    /* A good proof is good on its own connection alone. */
    prove(&p, &a, &a.u.isk, &old);
    peer_close(&p);
    stage_enter(&p, &a);
    assert_int_equal(ask(&p, &old, NULL), CODE(AUTH_FAILED));
    assert_true(can_log_in(&a));
    peer_close(&p);
    stage_greet(&p); /* before a login */
    prove(&p, &a, &a.u.isk, &proof);
    assert_int_equal(ask(&p, &proof, NULL), CODE(BAD_STATE));
    peer_close(&p);
    peer_close(&q);
    actor_free(&a);
    actor_free(&other);
}

/* Whoever holds one device has the identity key, and no more: not enough for something for good. */
static void test_a_device_is_not_enough(void **state)
{
    struct actor a, other;
    struct proof proof;
    struct peer p;

    (void)state;
    join(&a, "petra");
    actor_make(&other, "quirin");
    stage_enter(&p, &a);
    prove(&p, &a, &a.u.isk, &proof);
    assert_int_equal(ask(&p, &proof, ""), CODE(AUTH_FACTOR));
    assert_int_equal(ask(&p, &proof, "123456"), CODE(AUTH_FACTOR)); /* of no factor */
    sign(&p, &a, &a.u.isk, proof.recovery);
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FACTOR));
    sign(&p, &a, &other.u.rk, proof.recovery);
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FACTOR));
    prove(&p, &a, &a.u.isk, &proof); /* of a connection that is over */
    peer_close(&p);
    stage_enter(&p, &a);
    sign(&p, &a, &a.u.isk, proof.sig);
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FACTOR));
    sign(&p, &a, &a.u.rk, proof.recovery);
    sign(&p, &a, &a.u.rk, proof.sig); /* the words alone are for recovering */
    assert_int_equal(ask(&p, &proof, NULL), CODE(AUTH_FAILED));
    assert_true(can_log_in(&a));
    peer_close(&p);
    stage_enter(&p, &a);
    assert_int_equal(leave(&p, &a), OK);
    assert_false(can_log_in(&a));
    peer_close(&p);
    actor_free(&a);
    actor_free(&other);
}

static void code_of(const uint8_t key[20], uint64_t step, char *ret)
{
    const struct totp t = {HASH_SHA1, 6, 30};

    assert_int_equal(totp_code(ret, &t, part(key, 20), step * 30), ERR_OK);
}

static uint64_t enrol(struct peer *p, uint8_t ret_key[20])
{
    Satchel__FactorEnrol enrol = SATCHEL__FACTOR_ENROL__INIT;
    Satchel__FactorConfirm confirm = SATCHEL__FACTOR_CONFIRM__INIT;
    PEER_ENV(enrol_env, FACTOR_ENROL, factor_enrol, &enrol);
    PEER_ENV(confirm_env, FACTOR_CONFIRM, factor_confirm, &confirm);
    uint64_t step = (uint64_t)time(NULL) / 30;
    char code[TOTP_CODE_SIZE];
    struct message *m = peer_call(p, &enrol_env);

    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_FACTOR_ENROL_REPLY);
    memcpy(ret_key, m->env->factor_enrol_reply->key.data, 20);
    message_free(m);
    code_of(ret_key, step, code);
    confirm.code = code;
    assert_int_equal(peer_ask(p, &confirm_env), OK);
    return step;
}

/* One that stands for days is its owner's; a fresh one whoever has a device could enrol. */
static void test_the_second_factor(void **state)
{
    char code[TOTP_CODE_SIZE];
    uint8_t key[20];
    struct proof proof;
    struct actor a;
    struct peer p;
    uint64_t step;

    (void)state;
    join(&a, "frida");
    stage_enter(&p, &a);
    step = enrol(&p, key);
    prove(&p, &a, &a.u.isk, &proof);
    code_of(key, step + 1, code);
    assert_int_equal(ask(&p, &proof, code), CODE(AUTH_FACTOR));
    stage_shift(7 * DAY - 3600000);
    code_of(key, step + (7 * 24 - 1) * 120, code);
    assert_int_equal(ask(&p, &proof, code), CODE(AUTH_FACTOR));
    peer_close(&p);

    stage_shift(7 * DAY);
    stage_enter(&p, &a);
    prove(&p, &a, &a.u.isk, &proof);
    assert_int_equal(ask(&p, &proof, ""), CODE(AUTH_FACTOR));
    code_of(key, step + 14 * 24 * 120, code); /* of another time */
    assert_int_equal(ask(&p, &proof, code), CODE(AUTH_FACTOR));
    assert_true(can_log_in(&a));
    code_of(key, step + 7 * 24 * 120 + 1, code);
    assert_int_equal(ask(&p, &proof, code), OK);
    assert_false(can_log_in(&a));
    peer_close(&p);
    stage_shift(0);
    actor_free(&a);
}

/* Who has lost the authenticator has the words; a factor is no reason to keep an account. */
static void test_words_in_place_of_the_factor(void **state)
{
    uint8_t key[20];
    struct actor a;
    struct peer p;

    (void)state;
    join(&a, "rita");
    stage_enter(&p, &a);
    (void)enrol(&p, key);
    assert_int_equal(leave(&p, &a), OK);
    assert_false(can_log_in(&a));
    peer_close(&p);
    actor_free(&a);
}

/* ---- what goes ---- */

static void test_what_goes_and_stays(void **state)
{
    const struct actor *whom[] = {NULL, &bob, &carol}, *to_her[] = {&alice, NULL};
    struct parcel sent, received, unfinished, late;
    struct actor a, again;
    struct peer p, other, b, c, first;
    char email[sizeof(a.email)];

    (void)state;
    join(&a, "gerda");
    whom[0] = to_her[1] = &a;
    stage_enter(&p, &a);
    stage_enter(&other, &a);
    stage_enter(&b, &bob);
    stage_enter(&c, &carol);
    stage_enter(&first, &alice);
    parcel_make(&sent, whom, 3, 300000, 1);
    assert_int_equal(parcel_deliver(&p, &sent), OK);
    parcel_make(&received, to_her, 2, 300000, 2);
    assert_int_equal(parcel_deliver(&first, &received), OK);
    parcel_make(&unfinished, whom, 3, 300000, 3);
    assert_int_equal(parcel_open(&p, &unfinished), OK);
    parcel_make(&late, to_her, 2, 100, 4);
    assert_int_equal(parcel_open(&first, &late), OK);
    assert_int_equal(parcel_release(&b, &sent, NULL), OK); /* bob has opened it, carol has not */

    assert_int_equal(leave(&p, &a), OK);
    assert_true(peer_ended(&p));
    assert_true(peer_ended(&other));
    assert_false(can_log_in(&a));
    for (int by = SATCHEL__LOOKUP__WHO_USER_ID; by <= SATCHEL__LOOKUP__WHO_EMAIL; by++)
        assert_int_equal(lookup(&b, &a, by), CODE(NOT_FOUND));
    assert_int_equal(parcel_receive(&b, &sent, 1), OK);
    assert_int_equal(parcel_release(&c, &sent, NULL), CODE(REVOKED));
    parcel_free(&unfinished);
    parcel_make(&unfinished, to_her, 2, 100, 5);
    assert_int_equal(parcel_open(&first, &unfinished), CODE(NOT_FOUND)); /* nothing to her, */
    parcel_seal_body(&late);
    assert_int_equal(parcel_put_all(&first, &late), OK);
    assert_int_equal(parcel_seal(&first, &late), OK); /* but what was begun before */

    /* Nobody else gets the name, nor herself; the address is free. */
    (void)snprintf(email, sizeof(email), "%s", a.email);
    peer_close(&p);
    actor_make(&again, "gerda2");
    again.u.name = "gerda";
    stage_greet(&p);
    assert_int_equal(actor_register(&p, &again, NULL), CODE(EXISTS));
    peer_close(&p);
    again.u.name = "gerda2";
    (void)snprintf(again.email, sizeof(again.email), "%s", email);
    stage_greet(&p);
    assert_int_equal(actor_register(&p, &again, NULL), OK);
    peer_close(&p);
    stage_greet(&p);
    assert_int_equal(actor_register(&p, &a, NULL), CODE(EXISTS)); /* nor with the old keys */
    peer_close(&p);
    peer_close(&other);
    peer_close(&b);
    peer_close(&c);
    peer_close(&first);
    parcel_free(&sent);
    parcel_free(&received);
    parcel_free(&unfinished);
    parcel_free(&late);
    actor_free(&a);
    actor_free(&again);
}

/* ---- what a restored store brings back ---- */

static void copy(const char *from, const char *to)
{
    char a[128], b[128], out[256];

    (void)snprintf(a, sizeof(a), "%s/%s", stage_site.dir, from);
    (void)snprintf(b, sizeof(b), "%s/%s", stage_site.dir, to);
    assert_int_equal(site_run(out, sizeof(out), "/bin/rm", "-rf", b, NULL), 0);
    assert_int_equal(site_run(out, sizeof(out), "/bin/cp", "-a", a, b, NULL), 0);
}

static Satchel__Code release_as(const struct actor *who, const struct parcel *x)
{
    struct peer p;
    Satchel__Code code;

    stage_enter(&p, who);
    code = parcel_release(&p, x, NULL);
    peer_close(&p);
    return code;
}

/* Her keys of mail, and those of what she sent, are overwritten when she is answered. */
static void test_a_restored_store(void **state)
{
    const struct actor *whom[] = {NULL, &bob}, *to_her[] = {&alice, NULL};
    struct parcel sent, received;
    struct actor a;
    struct peer p, first;

    (void)state;
    join(&a, "hilde");
    whom[0] = to_her[1] = &a;
    stage_enter(&p, &a);
    stage_enter(&first, &alice);
    parcel_make(&sent, whom, 2, 1000, 6);
    assert_int_equal(parcel_deliver(&p, &sent), OK);
    parcel_make(&received, to_her, 2, 1000, 7);
    assert_int_equal(parcel_deliver(&first, &received), OK);
    peer_close(&p);
    peer_close(&first);
    assert_int_equal(site_stop(&stage_site), 0);
    copy("data/store", "store.old");
    copy("data/erasable.keys", "erasable.old");
    site_start(&stage_site, NULL);
    stage_enter(&p, &a);
    assert_int_equal(leave(&p, &a), OK);
    peer_close(&p);
    site_kill(&stage_site); /* behind the answer nothing is left to be done */
    copy("store.old", "data/store");
    site_start(&stage_site, NULL);
    assert_int_equal(release_as(&a, &received), CODE(EXPIRED)); /* her row says that she is there */
    assert_int_equal(release_as(&bob, &sent), CODE(EXPIRED));
    assert_int_equal(site_stop(&stage_site), 0);
    copy("store.old", "data/store");
    copy("erasable.old", "data/erasable.keys");
    site_start(&stage_site, NULL);
    assert_int_equal(release_as(&a, &received), OK); /* so the test can fail */
    assert_int_equal(release_as(&bob, &sent), OK);
    parcel_free(&sent);
    parcel_free(&received);
    actor_free(&a);
}

/* ---- a store that is damaged ---- */

/* Put it, or take it away. */
static void change_row(MDB_txn *txn, bool put, const char *table, MDB_val key, MDB_val value)
{
    MDB_dbi dbi;

    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    if (put)
        assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    else
        assert_int_equal(mdb_del(txn, dbi, &key, NULL), 0);
}

/* Somebody who has left, and of whose mail one row cannot be read: put into the store, or away. */
static void damage(bool put)
{
    uint8_t uid[20], box[44] = {0}, row[9] = {0x77, [8] = 1}, time[8] = {0};
    char path[96];
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;

    memset(uid, 0xEE, sizeof(uid));
    memcpy(box, uid, sizeof(uid));
    (void)snprintf(path, sizeof(path), "%s/data/store/index", stage_site.dir);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    change_row(txn, put, "deleted", (MDB_val){sizeof(uid), uid}, (MDB_val){sizeof(time), time});
    change_row(txn, put, "inbox", (MDB_val){sizeof(box), box}, (MDB_val){8, row});
    change_row(txn, put, "rows", (MDB_val){sizeof(row), row}, (MDB_val){1, row});
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* What cannot be cleared is told, and holds up nobody's keys. */
static void test_damage_holds_up_nobody(void **state)
{
    const struct actor *whom[] = {&alice, &bob};
    struct parcel x;
    struct peer p;

    (void)state;
    assert_int_equal(site_stop(&stage_site), 0);
    damage(true);
    site_start(&stage_site, SETTINGS);
    assert_true(site_logged(&stage_site, "user_clear"));
    stage_enter(&p, &alice);
    parcel_make(&x, whom, 2, 1000, 8);
    x.header.created = p.time;
    x.header.expires = p.time + 4000;
    assert_int_equal(parcel_deliver(&p, &x), OK);
    peer_close(&p);
    assert_true(stage_status_shows("\"erased\":2"));
    assert_int_equal(site_stop(&stage_site), 0);
    damage(false);
    site_start(&stage_site, SETTINGS);
    parcel_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_holds_up_nobody),
        cmocka_unit_test(test_nobody_else),
        cmocka_unit_test(test_a_device_is_not_enough),
        cmocka_unit_test(test_words_in_place_of_the_factor),
        cmocka_unit_test(test_what_goes_and_stays),
        cmocka_unit_test(test_a_restored_store),
        cmocka_unit_test(test_the_second_factor), /* the last: it moves the clock */
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
