/* SPDX-License-Identifier: Apache-2.0 */
/* Register: who may, under which names, and what must be signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

/* ---- Register ---- */

static void test_registration_again(void **state)
{
    struct peer p;

    (void)state;
    stage_greet(&p);
    assert_int_equal(actor_register(&p, &alice, NULL), OK); /* the answer was lost */
    assert_int_equal(actor_login(&p, &alice), OK);
    assert_int_equal(actor_register(&p, &alice, NULL), CODE(BAD_STATE));
    peer_close(&p);
}

static void test_names_that_are_taken(void **state)
{
    struct actor other;
    struct peer p;

    (void)state;
    stage_greet(&p);
    actor_make(&other, "dave");
    other.u.name = "alice";
    assert_int_equal(actor_register(&p, &other, NULL), CODE(EXISTS));
    other.u.name = "dave";
    (void)snprintf(other.email, sizeof(other.email), "ALICE@example.org");
    assert_int_equal(actor_register(&p, &other, NULL), CODE(EXISTS));
    actor_free(&other);
    actor_make(&other, "alice"); /* the same keys under another name */
    other.u.name = "alice2";
    (void)snprintf(other.email, sizeof(other.email), "a2@example.org");
    assert_int_equal(actor_register(&p, &other, NULL), CODE(EXISTS));
    actor_free(&other);
    peer_close(&p);
}

/* A Register message whose parts a test may spoil. */
struct registration {
    Satchel__Register msg;
    Satchel__Signed manifest;
    uint8_t sig[SIGNED_SIG_LEN];
};

static void make_registration(struct peer *p, const struct actor *a, struct registration *r)
{
    struct login_registration l = {.server = p->server,
                                   .username = a->u.name,
                                   .email = a->email,
                                   .manifest = a->u.first->hash};

    satchel__register__init(&r->msg);
    satchel__signed__init(&r->manifest);
    assert_true(peer_exporter(p, l.exporter));
    assert_int_equal(login_register_sign(&l, &a->u.isk, r->sig, NULL), ERR_OK);
    r->manifest.body.data = (uint8_t *)(uintptr_t)a->u.first->body.data;
    r->manifest.body.len = a->u.first->body.len;
    PEER_BYTES(r->manifest.signature, a->u.first->signature);
    r->msg.username = (char *)(uintptr_t)a->u.name;
    r->msg.email = (char *)(uintptr_t)a->email;
    r->msg.manifest = &r->manifest;
    PEER_BYTES(r->msg.signature, r->sig);
}

static void test_names_that_cannot_be(void **state)
{
    static const char *const names[] = {"",    "Dave",   "da ve",
                                        "d/e", "dave\n", "0123456789012345678901234567890123"};
    static const char *const emails[] = {"", "dave", "@x", "dave@", "da ve@x", "a@b@c"};
    struct registration r;
    struct actor dave;
    struct peer p;

    (void)state;
    stage_greet(&p);
    actor_make(&dave, "dave");
    make_registration(&p, &dave, &r);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        PEER_ENV(env, REGISTER, register_, &r.msg);

        r.msg.username = (char *)(uintptr_t)names[i];
        assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    }
    r.msg.username = (char *)(uintptr_t) "dave";
    for (size_t i = 0; i < sizeof(emails) / sizeof(emails[0]); i++) {
        PEER_ENV(env, REGISTER, register_, &r.msg);

        r.msg.email = (char *)(uintptr_t)emails[i];
        assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    }
    actor_free(&dave);
    peer_close(&p);
}

static void test_registration_that_does_not_verify(void **state)
{
    struct registration r;
    struct actor dave;
    struct peer p;

    (void)state;
    stage_greet(&p);
    actor_make(&dave, "dave");
    for (int i = 0; i < 6; i++) {
        PEER_ENV(env, REGISTER, register_, &r.msg);
        uint8_t sig[SIGNED_SIG_LEN];

        make_registration(&p, &dave, &r);
        memcpy(sig, dave.u.first->signature, sizeof(sig));
        switch (i) {
        case 0: /* not the signature of these names */
            r.sig[10] ^= 1;
            break;
        case 1:
            r.msg.signature.len = 63;
            break;
        case 2:
            r.msg.manifest = NULL;
            break;
        case 3: /* the manifest's own signature */
            sig[3] ^= 1;
            PEER_BYTES(r.manifest.signature, sig);
            break;
        case 4:
            r.manifest.body.len--;
            break;
        default: /* somebody else's manifest, our signature */
            r.manifest.body.data = (uint8_t *)(uintptr_t)bob.u.first->body.data;
            r.manifest.body.len = bob.u.first->body.len;
            PEER_BYTES(r.manifest.signature, bob.u.first->signature);
        }
        assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    }
    actor_free(&dave);
    peer_close(&p);
}

static void test_registration_is_bound_to_its_connection(void **state)
{
    struct registration r;
    struct actor dave;
    struct peer p, q;
    PEER_ENV(env, REGISTER, register_, &r.msg);

    (void)state;
    stage_greet(&p);
    stage_greet(&q);
    actor_make(&dave, "dave");
    make_registration(&p, &dave, &r);
    assert_int_equal(peer_ask(&q, &env), CODE(BAD_REQUEST));
    actor_free(&dave);
    peer_close(&p);
    peer_close(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registration_again),
        cmocka_unit_test(test_names_that_are_taken),
        cmocka_unit_test(test_names_that_cannot_be),
        cmocka_unit_test(test_registration_that_does_not_verify),
        cmocka_unit_test(test_registration_is_bound_to_its_connection),
    };

    return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
