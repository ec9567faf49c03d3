/* SPDX-License-Identifier: Apache-2.0 */
/* A clock that is set ahead destroys nothing until the operator says that it is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

#define CODE(x)  SATCHEL__CODE__##x
#define SETTINGS "[limits]\nmin_lifetime = 1s\n"

enum { HOUR = 3600000, DAY = 24 * HOUR };

static int setup(void **state)
{
    (void)state;
    actor_make(&alice, "alice");
    actor_make(&bob, "bob");
    actor_make(&carol, "carol");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_free(&alice);
    actor_free(&bob);
    actor_free(&carol);
    return 0;
}

static int begin(void **state)
{
    struct actor *all[] = {&alice, &bob, &carol};
    struct peer p;

    (void)state;
    site_make(&stage_site);
    stage_site.clock = true;
    stage_shift(0);
    site_start(&stage_site, SETTINGS);
    stage_greet(&p);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(actor_register(&p, all[i], NULL), OK);
    peer_close(&p);
    return 0;
}

static int end(void **state)
{
    int rc = site_stop(&stage_site);

    (void)state;
    site_remove(&stage_site);
    return rc;
}

static void ctl(char *out, size_t size, const char *a, const char *b)
{
    char socket[96];

    (void)snprintf(socket, sizeof(socket), "%s/data/satcheld.sock", stage_site.dir);
    assert_int_equal(site_run(out, size, site_bin("satchelctl"), "--socket", socket, a, b, NULL),
                     0);
}

/* Ask until ${text} is there; a round of the collector passes meanwhile. */
static void status_comes_to(const char *text)
{
    char out[4096];

    for (int i = 0; i < 300; i++) {
        ctl(out, sizeof(out), "--json", "status");
        if (strstr(out, text) != NULL)
            return;
        usleep(100000);
    }
    fail_msg("no %s in %s", text, out);
}

static void rounds_pass(void)
{
    char out[4096], want[48];
    const char *at;

    ctl(out, sizeof(out), "--json", "status");
    at = strstr(out, "\"rounds\":");
    assert_non_null(at);
    (void)snprintf(want, sizeof(want), "\"rounds\":%ld,", strtol(at + 9, NULL, 10) + 2);
    status_comes_to(want);
}

static void send_parcel(struct parcel *x, uint32_t seed, uint64_t lifetime)
{
    struct peer p;

    stage_enter(&p, &alice);
    stage_parcel(x, 10, seed);
    x->header.created = p.time;
    x->header.expires = p.time + lifetime;
    assert_int_equal(parcel_deliver(&p, x), OK);
    peer_close(&p);
}

static Satchel__Code release(const struct parcel *x)
{
    Satchel__Code code;
    struct peer p;

    assert_true(peer_open(&p, stage_site.port));
    assert_int_equal(peer_hello(&p), OK);
    assert_int_equal(actor_login(&p, &bob), OK);
    code = parcel_release(&p, x, NULL);
    peer_close(&p);
    return code;
}

static void test_a_jump_destroys_nothing(void **state)
{
    struct parcel x, y;
    struct peer p;
    char out[4096];

    (void)state;
    send_parcel(&x, 1, (uint64_t)2 * DAY);
    stage_enter(&p, &alice);
    stage_parcel(&y, 300000, 2); /* an upload whose lease the jump would end */
    y.header.created = p.time;
    y.header.expires = p.time + (uint64_t)20 * DAY;
    assert_int_equal(parcel_open(&p, &y), OK);
    peer_close(&p);

    stage_shift((int64_t)30 * DAY);
    assert_true(site_logged(&stage_site, "event=clock_jumped"));
    rounds_pass();
    assert_int_equal(release(&x), CODE(EXPIRED)); /* refused */
    ctl(out, sizeof(out), "--json", "status");
    assert_non_null(strstr(out, "\"expired\":0,\"erased\":0,\"uploads\":0,"));
    assert_non_null(strstr(out, "\"clock_jumped\":true"));
    ctl(out, sizeof(out), "status", NULL);
    assert_non_null(strstr(out, "satchelctl clock confirm"));

    assert_int_equal(site_stop(&stage_site), 0); /* a restart is no confirmation */
    site_start(&stage_site, SETTINGS);
    assert_true(site_logged(&stage_site, "event=clock_jumped"));
    rounds_pass();

    stage_shift(0);
    status_comes_to("\"clock_jumped\":false");
    assert_int_equal(release(&x), OK); /* nothing was lost */
    stage_enter(&p, &alice);
    assert_int_equal(parcel_open(&p, &y), OK);
    peer_close(&p);
    parcel_free(&x);
    parcel_free(&y);
}

static void test_small_jumps_do_not_add_up(void **state)
{
    struct parcel x;
    char out[4096];

    (void)state;
    send_parcel(&x, 3, (uint64_t)3 * DAY);
    for (int i = 1; i <= 4; i++) {
        stage_shift((int64_t)i * 20 * HOUR);
        rounds_pass();
    }
    ctl(out, sizeof(out), "--json", "status");
    assert_non_null(strstr(out, "\"clock_jumped\":true"));
    assert_non_null(strstr(out, "\"expired\":0,\"erased\":0,"));
    stage_shift(0);
    assert_int_equal(release(&x), OK);
    parcel_free(&x);
}

static void test_what_is_confirmed_expires(void **state)
{
    struct parcel x;
    char out[4096];

    (void)state;
    send_parcel(&x, 4, (uint64_t)2 * DAY);
    stage_shift((int64_t)30 * DAY);
    assert_true(site_logged(&stage_site, "event=clock_jumped"));
    ctl(out, sizeof(out), "clock", "confirm");
    status_comes_to("\"erased\":3,");
    status_comes_to("\"clock_jumped\":false");
    stage_shift(0);
    assert_int_equal(release(&x), CODE(EXPIRED)); /* for good */
    parcel_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_jump_destroys_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_small_jumps_do_not_add_up, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_confirmed_expires, begin, end),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
