/* SPDX-License-Identifier: Apache-2.0 */
/* A store that is full: FULL when nothing is about to make room, BUSY while something is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

/* Bodies of the store have 16 MiB. */
enum {
    PIECE = 262144,
    LARGE = 20 * PIECE,
    HALF = 35 * PIECE,
    MANY = 8,
    PAUSES = 400,
    PAUSE_US = 50000
};

static struct peer a; /* alice */

static int setup(void **state)
{
    (void)state;
    stage_up("[store]\nbody_max = 16M\nquota = 0\n");
    stage_enter(&a, &alice);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_close(&a);
    return stage_down();
}

static void make(struct parcel *x, uint64_t length, uint32_t seed)
{
    const struct actor *who[] = {&alice};

    parcel_make(x, who, 1, length, seed);
    x->role[0] = SATCHEL__ROLE__BOTH;
}

/* As a client does: again and again while it is BUSY. */
static Satchel__Code open_at_last(struct parcel *x)
{
    Satchel__Code code = parcel_open(&a, x);

    for (int i = 0; code == CODE(BUSY) && i < PAUSES; i++) {
        usleep(PAUSE_US);
        code = parcel_open(&a, x);
    }
    return code;
}

static Satchel__Code put_at_last(const struct parcel *x, uint32_t index)
{
    Satchel__Code code = parcel_put(&a, x, index);

    for (int i = 0; code == CODE(BUSY) && i < PAUSES; i++) {
        usleep(PAUSE_US);
        code = parcel_put(&a, x, index);
    }
    return code;
}

/* From piece ${from} on, and the seal. */
static Satchel__Code finish(const struct parcel *x, uint32_t from)
{
    Satchel__Code code = OK;

    for (uint32_t i = from; code == OK && i < x->pieces; i++)
        code = put_at_last(x, i);
    return code == OK ? parcel_seal(&a, x) : code;
}

static void delete_from(Satchel__Folder folder, const struct parcel *x)
{
    Satchel__Delete msg = SATCHEL__DELETE__INIT;
    PEER_ENV(env, DELETE, delete_, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.folder = folder;
    assert_int_equal(peer_ask(&a, &env), OK);
}

static void delete (const struct parcel *x)
{
    delete_from(SATCHEL__FOLDER__INBOX, x);
    delete_from(SATCHEL__FOLDER__SENT, x);
}

/* One that does not fit is refused before a piece moves, and fits when others have gone. */
static void test_what_was_deleted_makes_room_for_an_upload(void **state)
{
    struct parcel x[MANY];
    Satchel__Code code = OK;
    uint32_t n = 0;

    (void)state;
    while (n < MANY && code == OK) {
        make(&x[n], LARGE, n);
        code = open_at_last(&x[n]);
        if (code != OK)
            break;
        parcel_fake_body(&x[n]);
        assert_int_equal(finish(&x[n++], 0), OK);
    }
    assert_int_equal(code, CODE(FULL));
    assert_in_range(n, 2, MANY - 1);
    /* One of two views makes no room, and the same once more not even the hope of it. */
    delete_from(SATCHEL__FOLDER__SENT, &x[1]);
    assert_int_equal(open_at_last(&x[n]), CODE(FULL));
    delete_from(SATCHEL__FOLDER__SENT, &x[1]);
    assert_int_equal(parcel_open(&a, &x[n]), CODE(FULL));
    delete (&x[0]);
    code = parcel_open(&a, &x[n]);
    assert_true(code == OK || code == CODE(BUSY)); /* the collector may have been faster */
    assert_int_equal(open_at_last(&x[n]), OK);
    parcel_fake_body(&x[n]);
    assert_int_equal(finish(&x[n], 0), OK);
    delete_from(SATCHEL__FOLDER__INBOX, &x[1]);
    for (uint32_t i = 2; i <= n; i++)
        delete (&x[i]);
    for (uint32_t i = 0; i <= n; i++)
        parcel_free(&x[i]);
}

/* Two that fit alone take each other's room: the piece that finds none waits for what goes. */
static void test_what_was_deleted_makes_room_for_a_piece(void **state)
{
    struct parcel x, y;
    Satchel__Code code = OK;
    uint32_t i = 0;

    (void)state;
    make(&x, HALF, 20);
    make(&y, HALF, 21);
    assert_int_equal(open_at_last(&x), OK);
    assert_int_equal(open_at_last(&y), OK);
    parcel_fake_body(&x);
    parcel_fake_body(&y);
    assert_int_equal(finish(&x, 0), OK);
    while (i < y.pieces && (code = put_at_last(&y, i)) == OK)
        i++;
    assert_int_equal(code, CODE(FULL));
    assert_true(i > 0);
    delete (&x);
    code = parcel_put(&a, &y, i);
    assert_true(code == OK || code == CODE(BUSY));
    assert_int_equal(finish(&y, i), OK);
    delete (&y);
    parcel_free(&x);
    parcel_free(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_deleted_makes_room_for_an_upload),
        cmocka_unit_test(test_what_was_deleted_makes_room_for_a_piece),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
