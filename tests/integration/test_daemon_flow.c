/* SPDX-License-Identifier: Apache-2.0 */
/* The main job through the real daemon: register, send, list, receive, delete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/parcel.h"
#include "tests/integration/site.h"

#define OK SATCHEL__CODE__CODE_NONE

static struct site site;
static struct actor alice, bob, carol;

static int setup(void **state)
{
    struct peer p;

    (void)state;
    actor_make(&alice, "alice");
    actor_make(&bob, "bob");
    actor_make(&carol, "carol");
    site_make(&site);
    site_start(&site, NULL);
    assert_true(peer_open(&p, site.port));
    assert_int_equal(peer_hello(&p), OK);
    assert_int_equal(actor_register(&p, &alice, NULL), OK);
    assert_int_equal(actor_register(&p, &bob, NULL), OK);
    assert_int_equal(actor_register(&p, &carol, NULL), OK);
    peer_close(&p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (site.pid != 0 && site_stop(&site) != 0)
        return -1;
    site_remove(&site);
    actor_free(&alice);
    actor_free(&bob);
    actor_free(&carol);
    return 0;
}

static void test_send_and_receive(void **state)
{
    static const uint64_t lengths[] = {0, 1, 16384, 262143, 262144, 262145, 5000000};
    const struct actor *who[] = {&alice, &bob, &carol};
    struct peer a, b, c;

    (void)state;
    actor_enter(&a, site.port, &alice);
    actor_enter(&b, site.port, &bob);
    actor_enter(&c, site.port, &carol);
    for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct parcel x;

        parcel_make(&x, who, 3, lengths[i], 100 + i);
        assert_int_equal(parcel_deliver(&a, &x), OK);
        assert_int_equal(parcel_receive(&b, &x, 1), OK);
        assert_int_equal(parcel_receive(&c, &x, 2), OK);
        assert_int_equal(parcel_receive(&a, &x, 0), OK);
        parcel_free(&x);
    }
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_and_receive),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
