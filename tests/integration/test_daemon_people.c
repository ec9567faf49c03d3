/* SPDX-License-Identifier: Apache-2.0 */
/* SetBlock: to whom is blocked, a user looks like one who is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

static int setup(void **state)
{
    (void)state;
    stage_up(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

static Satchel__Code set_block(struct peer *p, const struct uid *who, bool blocked)
{
    Satchel__SetBlock msg = SATCHEL__SET_BLOCK__INIT;
    PEER_ENV(env, SET_BLOCK, set_block, &msg);

    PEER_BYTES(msg.user_id, who->b);
    msg.blocked = blocked;
    return peer_ask(p, &env);
}

static struct message *look_up(struct peer *p, const struct uid *who)
{
    Satchel__Lookup msg = SATCHEL__LOOKUP__INIT;
    PEER_ENV(env, LOOKUP, lookup, &msg);

    msg.who_case = SATCHEL__LOOKUP__WHO_USER_ID;
    PEER_BYTES(msg.user_id, who->b);
    return peer_call(p, &env);
}

/* The same words as for a user ID that nobody has. */
static void assert_absent(struct peer *p, const struct uid *who)
{
    struct uid nobody = {{9}};
    struct message *a = look_up(p, who), *b = look_up(p, &nobody);

    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->env->body_case, SATCHEL__ENVELOPE__BODY_ERROR);
    assert_int_equal(a->env->error->code, CODE(NOT_FOUND));
    assert_int_equal(b->env->error->code, CODE(NOT_FOUND));
    assert_string_equal(a->env->error->message, b->env->error->message);
    message_free(a);
    message_free(b);
}

static Satchel__Code open_to_bob(struct peer *p, uint32_t seed)
{
    const struct actor *who[] = {&alice, &bob};
    struct parcel x;
    Satchel__Code code;

    parcel_make(&x, who, 2, 1000, seed);
    code = parcel_open(p, &x);
    parcel_free(&x);
    return code;
}

static void test_who_is_blocked_finds_nobody(void **state)
{
    struct peer a, b, c;

    (void)state;
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    stage_enter(&c, &carol);
    assert_int_equal(open_to_bob(&a, 1), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, true), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, true), OK);
    assert_absent(&a, &bob.u.uid);
    assert_int_equal(open_to_bob(&a, 2), CODE(NOT_FOUND));
    assert_int_equal(open_to_bob(&a, 1), OK); /* begun before: it goes on */
    /* Others are not concerned, nor is what bob asks for. */
    assert_int_equal(peer_code(look_up(&c, &bob.u.uid)), OK);
    assert_int_equal(peer_code(look_up(&b, &alice.u.uid)), OK);
    assert_int_equal(set_block(&b, &alice.u.uid, false), OK);
    assert_int_equal(peer_code(look_up(&a, &bob.u.uid)), OK);
    assert_int_equal(open_to_bob(&a, 3), OK);
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
}

static void test_blocks_that_are_refused(void **state)
{
    Satchel__SetBlock msg = SATCHEL__SET_BLOCK__INIT;
    struct uid nobody = {{9}};
    struct peer p;
    PEER_ENV(env, SET_BLOCK, set_block, &msg);

    (void)state;
    stage_greet(&p);
    assert_int_equal(set_block(&p, &alice.u.uid, true), CODE(BAD_STATE));
    peer_close(&p);
    stage_enter(&p, &bob);
    assert_int_equal(set_block(&p, &bob.u.uid, true), CODE(BAD_REQUEST));
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST)); /* nobody named */
    msg.user_id.data = nobody.b;
    msg.user_id.len = 19;
    assert_int_equal(peer_ask(&p, &env), CODE(BAD_REQUEST));
    /* Whether there is such a user is not told. */
    assert_int_equal(set_block(&p, &nobody, true), OK);
    assert_int_equal(set_block(&p, &nobody, false), OK);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_blocked_finds_nobody),
        cmocka_unit_test(test_blocks_that_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
