/* SPDX-License-Identifier: Apache-2.0 */
/* profile_fix - a home for profiles, for a test, which fails if one does not go as it expects. */
#ifndef TESTS_UNIT_PROFILE_FIX_H
#define TESTS_UNIT_PROFILE_FIX_H

#include "client/local/profile.h"
#include "tests/unit/tmpdir.h"

#define PROFILE_FIX_NOW ((uint64_t)1800000000000)
#define PROFILE_FIX_PIN "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

struct profile_fix {
    char home[TMPDIR_SIZE];
    struct place place; /* of the default profile in it; there is none yet */
};

/* Set-up and tear-down of cmocka, whose state is a struct profile_fix. */
int profile_fix_setup(void **state);
int profile_fix_teardown(void **state);

/* profile_begin() for a new user at PROFILE_FIX_NOW, which gives ${expect}; close it. */
struct profile *profile_fix_begin(struct profile_fix *s, const char *username, int expect);

/* Close ${p} (NULL: nothing) and open what is on the disk, which gives ${expect}; close it. */
struct profile *profile_fix_reopen(struct profile_fix *s, struct profile *p, int expect);

#endif /* TESTS_UNIT_PROFILE_FIX_H */
