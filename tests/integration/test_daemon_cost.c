/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that make more work than most count like several: who asks for them without end waits,
 * or is refused, and the others do not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

enum {
    ROWS = 40,
    LISTS = 15,
    SEARCHES = 12,
    STRAYS = 800,
    REFUSED = 800,
    PIECES = 128,
    TRIES = 150, /* as requests they are not too many */
    /* Listings and searches are worth 600 requests, where 200 are there and 200 a second come. */
    AT_LEAST_MS = 1000
};

static int setup(void **state)
{
    (void)state;
    stage_up("[limits]\nrequests = 200");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return stage_down();
}

static uint64_t now_ms(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Take the answers to all of them, each with ${code}. */
static void take_all(struct peer *p, const uint64_t *ids, size_t n, Satchel__Code code)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(peer_code(peer_wait(p, ids[i])), code);
}

static void test_rows_of_listings(void **state)
{
    const struct actor *who[] = {&alice, &bob};
    Satchel__ListTransfers msg = SATCHEL__LIST_TRANSFERS__INIT;
    uint64_t ids[LISTS], began;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct parcel x;

        parcel_make(&x, who, 2, 100, 100 + i);
        assert_int_equal(parcel_deliver(&p, &x), OK);
        parcel_free(&x);
    }
    peer_close(&p);
    stage_enter(&p, &bob);
    msg.folder = SATCHEL__FOLDER__INBOX;
    began = now_ms();
    for (size_t i = 0; i < LISTS; i++) {
        PEER_ENV(env, LIST_TRANSFERS, list_transfers, &msg);

        ids[i] = peer_send(&p, &env, NULL, 0);
    }
    for (size_t i = 0; i < LISTS; i++) {
        struct message *m = peer_wait(&p, ids[i]);

        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LIST_REPLY);
        assert_int_equal(m->env->list_reply->n_transfers, ROWS);
        message_free(m);
    }
    assert_true(now_ms() - began >= AT_LEAST_MS);
    peer_close(&p);
}

static void test_searches(void **state)
{
    Satchel__FindTransfers msg = SATCHEL__FIND_TRANSFERS__INIT;
    uint64_t ids[SEARCHES], began = now_ms();
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    msg.prefix = (char *)(uintptr_t) "a";
    for (size_t i = 0; i < SEARCHES; i++) {
        PEER_ENV(env, FIND_TRANSFERS, find_transfers, &msg);

        ids[i] = peer_send(&p, &env, NULL, 0);
    }
    take_all(&p, ids, SEARCHES, OK);
    assert_true(now_ms() - began >= AT_LEAST_MS);
    peer_close(&p);
}

/* Pieces are free, but not where nobody knows of their upload. */
static void test_pieces_of_nothing(void **state)
{
    static const uint8_t leaf[32] = {1}, tail[16];
    static uint64_t ids[STRAYS];
    unsigned none = 0, rate = 0;
    uint8_t tid[16] = {0};
    Satchel__PutPiece msg = SATCHEL__PUT_PIECE__INIT;
    struct peer p;

    (void)state;
    stage_enter(&p, &carol);
    PEER_BYTES(msg.tid, tid);
    PEER_BYTES(msg.leaf, leaf);
    for (size_t i = 0; i < STRAYS; i++) {
        PEER_ENV(env, PUT_PIECE, put_piece, &msg);

        tid[0] = (uint8_t)i;
        ids[i] = peer_send(&p, &env, tail, sizeof(tail));
    }
    for (size_t i = 0; i < STRAYS; i++) {
        Satchel__Code code = peer_code(peer_wait(&p, ids[i]));

        none += code == CODE(NOT_FOUND);
        rate += code == CODE(RATE);
    }
    assert_int_equal(none + rate, STRAYS);
    assert_in_range(rate, 1, none / 4);
    peer_close(&p);
}

static Satchel__Code ask_state(struct peer *p, const struct parcel *x)
{
    Satchel__UploadState msg = SATCHEL__UPLOAD_STATE__INIT;
    PEER_ENV(env, UPLOAD_STATE, upload_state, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_ask(p, &env);
}

/* Ask until it is too much, then until it is not any more. */
static void tire(struct peer *p, const struct parcel *x,
                 Satchel__Code (*ask)(struct peer *p, const struct parcel *x), Satchel__Code expect)
{
    Satchel__Code code = expect;
    unsigned n = 0;

    for (; code == expect && n < TRIES; n++)
        code = ask(p, x);
    assert_int_equal(code, CODE(RATE));
    for (n = 0; code == CODE(RATE) && n < TRIES; n++) {
        usleep(20000);
        code = ask(p, x);
    }
    assert_int_equal(code, expect);
}

static void test_many_pieces(void **state)
{
    Satchel__Code code;
    struct parcel x;
    struct peer p;

    (void)state;
    stage_enter(&p, &alice);
    stage_parcel(&x, (uint64_t)PIECES * 262144, 1);
    assert_int_equal(parcel_open(&p, &x), OK);
    parcel_fake_body(&x);
    assert_int_equal(parcel_put_all(&p, &x), OK);
    tire(&p, &x, ask_state, OK);
    /* A root that is wrong is found out by hashing all leaves, however often it is tried. */
    x.header.body_root.b[0] ^= 1;
    parcel_sign(&x);
    tire(&p, &x, parcel_seal, CODE(BAD_REQUEST));
    x.header.body_root.b[0] ^= 1;
    parcel_sign(&x);
    while ((code = parcel_seal(&p, &x)) == CODE(RATE))
        usleep(20000);
    assert_int_equal(code, OK);
    peer_close(&p);
    parcel_free(&x);
}

/* Refusing is work as well: it is not done for one who goes on without a pause. */
static void test_who_is_refused_is_not_heard_for_a_while(void **state)
{
    static uint64_t ids[REFUSED];
    Satchel__Status msg = SATCHEL__STATUS__INIT;
    unsigned none = 0, rate = 0;
    uint8_t tid[16] = {1};
    struct peer p;

    (void)state;
    stage_enter(&p, &bob);
    PEER_BYTES(msg.tid, tid);
    for (size_t i = 0; i < REFUSED; i++) {
        PEER_ENV(env, STATUS, status, &msg);

        ids[i] = peer_send(&p, &env, NULL, 0);
    }
    for (size_t i = 0; i < REFUSED; i++) {
        Satchel__Code code = peer_code(peer_wait(&p, ids[i]));

        none += code == CODE(NOT_FOUND);
        rate += code == CODE(RATE);
    }
    assert_int_equal(none + rate, REFUSED);
    assert_in_range(rate, 1, none / 4);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_listings),
        cmocka_unit_test(test_searches),
        cmocka_unit_test(test_pieces_of_nothing),
        cmocka_unit_test(test_many_pieces),
        cmocka_unit_test(test_who_is_refused_is_not_heard_for_a_while),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
