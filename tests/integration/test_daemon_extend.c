/* SPDX-License-Identifier: Apache-2.0 */
/* Extend by a sender who means no good, and beside a recipient who opens at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/transfer/statement.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

enum {
    GROWTH = 1024, /* cells by which the file of erasable keys grows */
    RACES = 100,
    SECOND_MS = 1000
};

static int setup(void **state)
{
    (void)state;
    stage_up("[limits]\nmin_lifetime = 1s\nrequests = 100000\nlookups = 2\nmanifests = 1024\n");
    return 0;
}

/* What alice's device says of ${x} in the addendum of this number. */
static struct statement addendum_of(const struct parcel *x, uint32_t number)
{
    struct statement s = {.tid = x->header.tid,
                          .user = alice.u.uid,
                          .manifest = alice.u.first->hash,
                          .device = alice.u.device.id,
                          .time = x->header.created,
                          .number = number,
                          .expires = x->header.expires + (uint64_t)(number % 2) * SECOND_MS};

    assert_int_equal(header_hash(part(x->header_raw.data, x->header_raw.len), &s.header), ERR_OK);
    return s;
}

/* Extend with this addendum; the id. */
static uint64_t send_addendum(struct peer *p, const struct parcel *x, const struct statement *s)
{
    Satchel__Extend msg = SATCHEL__EXTEND__INIT;
    Satchel__Signed addendum = SATCHEL__SIGNED__INIT;
    PEER_ENV(env, EXTEND, extend, &msg);
    struct buf raw = {0}, body = {0};
    uint8_t sig[SIGNED_SIG_LEN];
    uint64_t id;

    assert_int_equal(statement_make(SIGNED_EXTEND, s, &alice.u.dsk, &raw, NULL), ERR_OK);
    assert_int_equal(signed_unpack(part(raw.data, raw.len), STATEMENT_MAX, &body, sig, NULL),
                     ERR_OK);
    addendum.body = (ProtobufCBinaryData){body.len, body.data};
    PEER_BYTES(addendum.signature, sig);
    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.addendum = &addendum;
    id = peer_send(p, &env, NULL, 0);
    buf_free(&raw);
    buf_free(&body);
    return id;
}

static uint64_t send_extend(struct peer *p, const struct parcel *x, uint32_t number)
{
    struct statement s = addendum_of(x, number);

    return send_addendum(p, x, &s);
}

static Satchel__Code extend(struct peer *p, const struct parcel *x, uint32_t number)
{
    return peer_code(peer_wait(p, send_extend(p, x, number)));
}

static void deliver(struct parcel *x, uint32_t seed)
{
    struct peer p;

    stage_enter(&p, &alice);
    stage_parcel(x, 5000, seed);
    assert_int_equal(parcel_deliver(&p, x), OK);
    peer_close(&p);
}

static long long size_of_keys(void)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/data/erasable.keys", stage_site.dir);
    assert_int_equal(stat(path, &st), 0);
    return (long long)st.st_size;
}

/* What is refused takes no cells: their numbers never come back. */
static void test_what_is_refused_takes_no_cells(void **state)
{
    struct parcel x;
    struct peer p;
    long long before;

    (void)state;
    deliver(&x, 1);
    stage_enter(&p, &alice);
    assert_int_equal(extend(&p, &x, 1), OK);
    before = size_of_keys();
    for (size_t i = 0; i < GROWTH / x.n + 1; i++)
        assert_int_equal(extend(&p, &x, 7), CODE(BAD_STATE));
    assert_int_equal(size_of_keys(), before);
    assert_int_equal(extend(&p, &x, 1), OK); /* again */
    assert_int_equal(extend(&p, &x, 2), OK);
    peer_close(&p);
    parcel_free(&x);
}

static Satchel__Code extend_as(struct peer *p, const struct parcel *x, const struct statement *s)
{
    return peer_code(peer_wait(p, send_addendum(p, x, s)));
}

/* What no recipient would believe is not taken: he would refuse the transfer with it. */
static void test_what_recipients_would_refuse(void **state)
{
    const uint64_t day = (uint64_t)24 * 3600 * SECOND_MS;
    struct statement good, bad;
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 4);
    stage_enter(&p, &alice);
    good = bad = addendum_of(&x, 1);
    bad.manifest = bob.u.first->hash; /* not one of hers */
    assert_int_equal(extend_as(&p, &x, &bad), CODE(BAD_REQUEST));
    bad = good;
    bad.time -= day + 60 * SECOND_MS;
    assert_int_equal(extend_as(&p, &x, &bad), CODE(BAD_REQUEST));
    bad = good;
    bad.time += day + 60 * SECOND_MS;
    assert_int_equal(extend_as(&p, &x, &bad), CODE(BAD_REQUEST));
    bad.time = UINT64_MAX;
    assert_int_equal(extend_as(&p, &x, &bad), CODE(BAD_REQUEST));
    assert_int_equal(extend_as(&p, &x, &good), OK);
    peer_close(&p);
    parcel_free(&x);
}

/* The log of a transfer has an end. */
static void test_addenda_are_counted(void **state)
{
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 2);
    stage_enter(&p, &alice);
    assert_int_equal(extend(&p, &x, 1000), CODE(BAD_STATE));
    assert_int_equal(extend(&p, &x, 1001), CODE(TOO_LARGE));
    assert_int_equal(extend(&p, &x, UINT32_MAX), CODE(TOO_LARGE));
    peer_close(&p);
    parcel_free(&x);
}

/* The cell moves while a share is on its way: the recipient gets it all the same. */
static void test_beside_a_release(void **state)
{
    uint8_t first[SHARE_LEN], share[SHARE_LEN];
    struct parcel x;
    struct peer a, b;

    (void)state;
    deliver(&x, 3);
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    assert_int_equal(parcel_release(&b, &x, first), OK);
    for (uint32_t i = 1; i <= RACES; i++) {
        uint64_t id = send_extend(&a, &x, i);

        assert_int_equal(parcel_release(&b, &x, share), OK);
        assert_memory_equal(share, first, sizeof(first));
        assert_int_equal(parcel_release(&b, &x, share), OK);
        assert_int_equal(peer_code(peer_wait(&a, id)), OK);
    }
    peer_close(&a);
    peer_close(&b);
    parcel_free(&x);
}

/* Whose transfer it is comes before a walk through manifests. */
static void test_somebody_elses_costs_no_walk(void **state)
{
    struct statement s;
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 5);
    stage_enter(&p, &alice);
    x.header.tid.b[0] ^= 1;
    s = addendum_of(&x, 1);
    s.manifest = bob.u.first->hash;
    assert_int_equal(extend_as(&p, &x, &s), CODE(NOT_FOUND));
    peer_close(&p);
    parcel_free(&x);
}

/* Looking through many manifests is counted: the newest page of them is not. */
static void test_a_walk_is_charged(void **state)
{
    enum { MANIFESTS = 40 };
    struct manifest *m[MANIFESTS];
    struct statement old, newest, none;
    struct parcel x;
    struct peer p;

    (void)state;
    deliver(&x, 6);
    stage_enter(&p, &alice);
    for (int i = 0; i < MANIFESTS; i++) {
        m[i] = actor_next_manifest(&alice, i == 0 ? alice.u.first : m[i - 1], SAMPLE_TIME);
        assert_int_equal(actor_put_manifest(&p, m[i]), OK);
    }
    old = newest = none = addendum_of(&x, 1);
    none.manifest = bob.u.first->hash;
    assert_int_equal(extend_as(&p, &x, &none), CODE(BAD_REQUEST)); /* the two further pages */
    assert_int_equal(extend_as(&p, &x, &old), CODE(RATE));
    newest.manifest = m[MANIFESTS - 1]->hash;
    assert_int_equal(extend_as(&p, &x, &newest), OK);
    for (int i = 0; i < MANIFESTS; i++)
        manifest_free(m[i]);
    peer_close(&p);
    parcel_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused_takes_no_cells),
        cmocka_unit_test(test_what_recipients_would_refuse),
        cmocka_unit_test(test_addenda_are_counted),
        cmocka_unit_test(test_beside_a_release),
        cmocka_unit_test(test_somebody_elses_costs_no_walk),
        cmocka_unit_test(test_a_walk_is_charged),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
