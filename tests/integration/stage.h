/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage - what most tests of the daemon begin with: one that serves, and three
 * users registered with it.
 */
#ifndef TESTS_INTEGRATION_STAGE_H
#define TESTS_INTEGRATION_STAGE_H

#include "tests/integration/parcel.h"
#include "tests/integration/site.h"

#define OK SATCHEL__CODE__CODE_NONE

extern struct site stage_site;
extern struct actor alice, bob, carol;

/* Make the site, start it with ${extra} settings, register the three.  Aborts when it fails. */
void stage_up(const char *extra);

/* Stop it, which must go well, and remove it.  0, or -1. */
int stage_down(void);

/* Both as set-up and tear-down of cmocka, without more settings. */
int stage_setup(void **state);
int stage_teardown(void **state);

/* A connection that has said Hello, or logged in as ${who}. */
void stage_greet(struct peer *p);
void stage_enter(struct peer *p, const struct actor *who);

/* Bob has a second device from now on, with carol's device key: publish that, and how he is there.
 */
void stage_add_device(void);
struct actor stage_second_device(void);

/* The daemon still serves: alice logs in and pings. */
void stage_assert_serves(void);

/* The daemon's clock is off by ${ms} from now on; of a site whose clock is the test's. */
void stage_shift(int64_t ms);

/* Ask satchelctl until its status, as JSON, has ${text}; false: it never came. */
bool stage_status_shows(const char *text);

/* parcel_make() from alice to bob and carol. */
void stage_parcel(struct parcel *x, uint64_t length, uint32_t seed);

#endif /* TESTS_INTEGRATION_STAGE_H */
