/* SPDX-License-Identifier: Apache-2.0 */
/* Revoke: what it stops, what it tells, and that nothing brings a share back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

static int setup(void **state)
{
    (void)state;
    stage_up("[limits]\nmin_lifetime = 1s\n");
    return 0;
}

/* Revoke ${x} from ${n} of ${whom}; 0: from everybody. */
static struct message *revoke(struct peer *p, const struct parcel *x,
                              const struct actor *const *whom, size_t n)
{
    ProtobufCBinaryData uids[PARCEL_SLOTS_MAX];
    Satchel__Revoke msg = SATCHEL__REVOKE__INIT;
    PEER_ENV(env, REVOKE, revoke, &msg);

    for (size_t i = 0; i < n; i++)
        PEER_BYTES(uids[i], whom[i]->u.uid.b);
    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.user_ids = uids;
    msg.n_user_ids = n;
    return peer_call(p, &env);
}

static Satchel__Code revoke_code(struct peer *p, const struct parcel *x,
                                 const struct actor *const *whom, size_t n)
{
    return peer_code(revoke(p, x, whom, n));
}

static const Satchel__RecipientStatus *row_of(const struct message *m, const struct actor *who)
{
    const Satchel__RevokeReply *r = m->env->revoke_reply;

    for (size_t i = 0; i < r->n_recipients; i++)
        if (memcmp(r->recipients[i]->user_id.data, who->u.uid.b, IDS_UID_LEN) == 0)
            return r->recipients[i];
    return NULL;
}

static void deliver(struct parcel *x, uint64_t length, uint32_t seed)
{
    struct peer p;

    stage_enter(&p, &alice);
    stage_parcel(x, length, seed);
    assert_int_equal(parcel_deliver(&p, x), OK);
    peer_close(&p);
}

static void test_one_of_two(void **state)
{
    const struct actor *whom[] = {&bob};
    struct message *m;
    struct parcel x;
    struct peer a, b, c;

    (void)state;
    deliver(&x, 300000, 1);
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    stage_enter(&c, &carol);
    assert_int_equal(parcel_release(&b, &x, NULL), OK);
    m = revoke(&a, &x, whom, 1);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_REVOKE_REPLY);
    assert_int_equal(m->env->revoke_reply->n_recipients, 2);
    assert_int_equal(row_of(m, &bob)->state, SATCHEL__SLOT_STATE__SLOT_REVOKED);
    assert_int_equal(row_of(m, &bob)->opens_used, 1); /* it had left before */
    assert_int_equal(row_of(m, &carol)->state, SATCHEL__SLOT_STATE__STORED);
    message_free(m);
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(REVOKED));
    assert_int_equal(parcel_receive(&c, &x, 2), OK);
    assert_int_equal(revoke_code(&a, &x, whom, 1), OK); /* again */
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
    parcel_free(&x);
}

static void test_everybody(void **state)
{
    struct message *m;
    struct parcel x;
    struct peer a, b;

    (void)state;
    deliver(&x, 300000, 2);
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    m = revoke(&a, &x, NULL, 0);
    assert_int_equal(row_of(m, &bob)->state, SATCHEL__SLOT_STATE__SLOT_REVOKED);
    assert_int_equal(row_of(m, &carol)->state, SATCHEL__SLOT_STATE__SLOT_REVOKED);
    assert_int_equal(row_of(m, &bob)->opens_used, 0);
    message_free(m);
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(REVOKED));
    assert_int_equal(parcel_release(&a, &x, NULL), CODE(REVOKED)); /* his own copy too */
    assert_int_equal(peer_code(peer_wait(&b, parcel_ask_pieces(&b, &x, 0, 1))), CODE(NOT_FOUND));
    peer_close(&a);
    peer_close(&b);
    parcel_free(&x);
}

static void test_what_is_refused(void **state)
{
    const struct actor *both[] = {&bob, &carol}, *only[] = {&alice, &bob};
    Satchel__Revoke msg = SATCHEL__REVOKE__INIT;
    PEER_ENV(env, REVOKE, revoke, &msg);
    ProtobufCBinaryData uid = {5, alice.u.uid.b}, *uids = &uid;
    struct parcel x, y;
    struct peer a, b;

    (void)state;
    deliver(&x, 10, 3);
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    parcel_make(&y, only, 2, 10, 4);
    assert_int_equal(parcel_deliver(&a, &y), OK);
    assert_int_equal(revoke_code(&b, &x, NULL, 0), CODE(NOT_FOUND)); /* not his */
    assert_int_equal(revoke_code(&b, &x, both, 1), CODE(NOT_FOUND));
    assert_int_equal(revoke_code(&a, &y, both, 2), CODE(NOT_FOUND)); /* carol is no recipient, */
    assert_int_equal(parcel_release(&b, &y, NULL), OK);              /* so bob keeps it */
    PEER_BYTES(msg.tid, x.header.tid.b);
    msg.user_ids = uids;
    msg.n_user_ids = 1;
    assert_int_equal(peer_ask(&a, &env), CODE(BAD_REQUEST));
    env.id = 0;
    msg.n_user_ids = 0;
    msg.tid.len--;
    assert_int_equal(peer_ask(&a, &env), CODE(BAD_REQUEST));
    assert_int_equal(parcel_release(&b, &x, NULL), OK);
    peer_close(&a);
    peer_close(&b);
    parcel_free(&x);
    parcel_free(&y);
}

/* ---- a backup brings nothing back ---- */

static void copy(const char *from, const char *to)
{
    char a[128], b[128], out[256];

    (void)snprintf(a, sizeof(a), "%s/%s", stage_site.dir, from);
    (void)snprintf(b, sizeof(b), "%s/%s", stage_site.dir, to);
    assert_int_equal(site_run(out, sizeof(out), "/bin/rm", "-rf", b, NULL), 0);
    assert_int_equal(site_run(out, sizeof(out), "/bin/cp", "-a", a, b, NULL), 0);
}

/* Does the daemon give the metadata's share? */
static bool shows_metadata(struct peer *p, const struct parcel *x)
{
    Satchel__GetTransfer msg = SATCHEL__GET_TRANSFER__INIT;
    PEER_ENV(env, GET_TRANSFER, get_transfer, &msg);
    struct message *m;
    bool shown;

    PEER_BYTES(msg.tid, x->header.tid.b);
    m = peer_call(p, &env);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY);
    shown = m->env->transfer_reply->transfer->share_meta.len > 0;
    message_free(m);
    return shown;
}

static void restart_after(const char *from, const char *to)
{
    assert_int_equal(site_stop(&stage_site), 0);
    if (from != NULL)
        copy(from, to);
    site_start(&stage_site, NULL);
}

/*
 * Bob has all his keys; the ciphertext and the store are as they were before the
 * revocation.  Without the erased cells that is not enough; with them it is.
 */
static void test_a_restored_store(void **state)
{
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 300000, 5);
    assert_int_equal(site_stop(&stage_site), 0);
    copy("data/store", "store.old");
    copy("data/erasable.keys", "erasable.old");
    site_start(&stage_site, NULL);
    stage_enter(&p, &alice);
    assert_int_equal(revoke_code(&p, &x, NULL, 0), OK);
    peer_close(&p);

    restart_after("store.old", "data/store");
    stage_enter(&p, &bob);
    assert_int_equal(parcel_release(&p, &x, NULL), CODE(EXPIRED)); /* its row says it is live */
    assert_false(shows_metadata(&p, &x));
    peer_close(&p);

    assert_int_equal(site_stop(&stage_site), 0);
    copy("store.old", "data/store");
    copy("erasable.old", "data/erasable.keys");
    site_start(&stage_site, NULL);
    stage_enter(&p, &bob);
    assert_true(shows_metadata(&p, &x));
    assert_int_equal(parcel_receive(&p, &x, 1), OK); /* so the test can fail */
    peer_close(&p);
    parcel_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_two),
        cmocka_unit_test(test_everybody),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_restored_store),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
