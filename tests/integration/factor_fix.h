/* SPDX-License-Identifier: Apache-2.0 */
/* factor_fix - second factors of the users of a stage, whose clock is the test's. */
#ifndef TESTS_INTEGRATION_FACTOR_FIX_H
#define TESTS_INTEGRATION_FACTOR_FIX_H

#include "tests/integration/stage.h"

enum { FACTOR_CODES = 10 }; /* recovery codes of a factor */

/* A user's factor as his authenticator and his paper know it. */
struct authenticator {
    uint8_t key[20];
    char recovery[FACTOR_CODES][24];
    uint64_t step; /* of its first code */
};

/* Set-up and tear-down of a group. */
int factor_fix_setup(void **state);
int factor_fix_teardown(void **state);

/*
 * The code ${n} steps behind the first, until the next call.  0 and 1 count until the clock has
 * moved on by a step: no test needs to be quick for longer than that.
 */
char *factor_code(const struct authenticator *a, unsigned n);

/* Begin with a factor, or with ${code} of the one that is there renew it; ${a} is the new one. */
Satchel__Code factor_enrol(struct peer *p, struct authenticator *a);
Satchel__Code factor_renew(struct peer *p, struct authenticator *a, char *code);

/* Show that it works; ${a} has the recovery codes then. */
Satchel__Code factor_confirm(struct peer *p, struct authenticator *a, char *code);

/* Both, which must go well. */
void factor_activate(struct peer *p, struct authenticator *a);

/* Take it away with a code, or as the recovery key ${key} of ${a} signs it. */
Satchel__Code factor_remove(struct peer *p, char *code);
Satchel__Code factor_remove_signed(struct peer *p, const struct actor *a, const struct secret *key);

/* -1: there is none; else recovery codes left, 100 more if it is active. */
int factor_listed(struct peer *p);

#endif /* TESTS_INTEGRATION_FACTOR_FIX_H */
