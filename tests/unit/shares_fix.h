/* SPDX-License-Identifier: Apache-2.0 */
/* shares_fix - a small deployment for the share service, in a folder of its own, and a loop. */
#ifndef TESTS_UNIT_SHARES_FIX_H
#define TESTS_UNIT_SHARES_FIX_H

#include <uv.h>

#include "server/shares.h"
#include "tests/unit/tmpdir.h"

/* The day on which it is made, and the moment, in ms since 1970. */
enum { SHARES_FIX_DAY = 20000, SHARES_FIX_DAY_MS = 86400000 };
#define SHARES_FIX_NOW ((uint64_t)SHARES_FIX_DAY * SHARES_FIX_DAY_MS + 1000)

struct shares_fix {
    char dir[TMPDIR_SIZE], weights[TMPDIR_SIZE + 8], erasable[TMPDIR_SIZE + 8],
        hedge[TMPDIR_SIZE + 8]; /* the folder, and its files */
    uv_loop_t loop;
};

/* Make all but the erasable file, which is the test's to make; the test fails if that does. */
void shares_fix_make(struct shares_fix *f);

/* Remove it, once the service has stopped; the test fails if another file was left behind. */
void shares_fix_free(struct shares_fix *f);

/* What the service is started with.  It points into ${f}. */
struct shares_config shares_fix_config(struct shares_fix *f);

#endif /* TESTS_UNIT_SHARES_FIX_H */
