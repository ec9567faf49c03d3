/* SPDX-License-Identifier: Apache-2.0 */
/* underway: what each user may have of what all may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/underway.h"

enum { KIB = 1024, TOTAL = 1024 * KIB, CONNS = 8 };

struct fix {
    uint64_t total;
    struct underway *u;
    struct underway_conn c[CONNS];
};

static const struct uid alice = {{1}}, bob = {{2}}, carol = {{3}};

static int setup(void **state)
{
    static struct fix f;

    f = (struct fix){.total = TOTAL};
    if (underway_new(&f.u, &f.total, NULL) != ERR_OK)
        return -1;
    for (int i = 0; i < CONNS; i++)
        underway_enter(f.u, &f.c[i]);
    *state = &f;
    return 0;
}

/* Whatever a test did, nothing is left. */
static int teardown(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < CONNS; i++)
        underway_less(f->u, &f->c[i], f->c[i].bytes);
    if (underway_all(f->u) != 0)
        return -1;
    for (int i = 0; i < CONNS; i++) {
        if (underway_is_short(f->u, &f->c[i]))
            return -1;
        underway_leave(f->u, &f->c[i]);
    }
    underway_free(f->u);
    underway_free(NULL);
    return 0;
}

/* Take as much as there is on connection ${i}; returns the bytes. */
static size_t take_all(struct fix *f, int i)
{
    size_t before = f->c[i].bytes;

    while (!underway_is_full(f->u, &f->c[i]))
        underway_add(f->u, &f->c[i], KIB);
    return f->c[i].bytes - before;
}

static void test_parts(void **state)
{
    struct fix *f = *state;

    underway_log_in(f->u, &f->c[0], &alice);
    underway_log_in(f->u, &f->c[1], &bob);
    underway_log_in(f->u, &f->c[2], &carol);
    assert_int_equal(take_all(f, 0), TOTAL / 2);
    assert_int_equal(take_all(f, 1), TOTAL / 4);
    assert_false(underway_is_short(f->u, &f->c[2]));
    assert_int_equal(take_all(f, 2), TOTAL / 8);
    /* As the first lets go, the others may have more. */
    underway_less(f->u, &f->c[0], TOTAL / 4);
    assert_int_equal(take_all(f, 2), TOTAL / 8);
    assert_int_equal(underway_all(f->u), TOTAL / 4 * 3);
    assert_true(underway_is_full(f->u, &f->c[0]));
}

/* A user's connections have one part together, and each a little; that is nobody else's loss. */
static void test_many_connections(void **state)
{
    struct fix *f = *state;
    size_t sum = 0;

    for (int i = 0; i < CONNS - 1; i++) {
        underway_log_in(f->u, &f->c[i], &alice);
        sum += take_all(f, i);
    }
    assert_int_equal(sum, TOTAL / 2 + (CONNS - 2) * KIB);
    assert_int_equal(underway_all(f->u), sum);
    underway_log_in(f->u, &f->c[CONNS - 1], &bob);
    assert_int_equal(take_all(f, CONNS - 1), TOTAL / 4);
    /* What is beside the part stays so until it is through, although there is room again. */
    underway_less(f->u, &f->c[0], TOTAL / 4);
    assert_false(underway_is_short(f->u, &f->c[1]));
    assert_true(underway_is_full(f->u, &f->c[1]));
    underway_less(f->u, &f->c[1], KIB);
    assert_false(underway_is_full(f->u, &f->c[1]));
    assert_true(take_all(f, 1) > 2 * KIB);
}

/* Something is left for each, but less and less; who has nothing may still have a little. */
static void test_no_room_at_all(void **state)
{
    struct fix *f = *state;

    underway_log_in(f->u, &f->c[0], &alice);
    underway_log_in(f->u, &f->c[1], &bob);
    underway_add(f->u, &f->c[0], 2 * TOTAL);
    assert_true(underway_is_short(f->u, &f->c[1]));
    assert_false(underway_is_full(f->u, &f->c[1]));
    assert_int_equal(take_all(f, 1), KIB);
    f->total = 8 * TOTAL; /* the settings were changed */
    assert_false(underway_is_short(f->u, &f->c[1]));
}

/* Those that have not logged in are one user, and take what they have along. */
static void test_strangers(void **state)
{
    struct fix *f = *state;

    assert_int_equal(take_all(f, 0), TOTAL / 2);
    assert_int_equal(take_all(f, 1), KIB);
    underway_log_in(f->u, &f->c[2], &alice);
    underway_add(f->u, &f->c[2], TOTAL / 8);
    assert_false(underway_is_full(f->u, &f->c[2]));
    underway_log_in(f->u, &f->c[0], &alice);
    underway_log_in(f->u, &f->c[1], &alice); /* what is beside stays beside */
    assert_true(underway_is_full(f->u, &f->c[2]));
    assert_int_equal(take_all(f, 3), TOTAL / 16 * 3);
}

/* One that comes back after all its connections have gone begins anew. */
static void test_users_come_and_go(void **state)
{
    struct fix *f = *state;

    for (int i = 0; i < 100; i++) {
        underway_log_in(f->u, &f->c[0], &alice);
        underway_log_in(f->u, &f->c[1], &alice);
        assert_int_equal(take_all(f, 0), TOTAL / 2);
        for (int k = 0; k < 2; k++) {
            underway_less(f->u, &f->c[k], f->c[k].bytes);
            underway_leave(f->u, &f->c[k]);
            underway_enter(f->u, &f->c[k]);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_users_come_and_go, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
