/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locked_heap - the memory for secrets, all of it taken, and given back in small parts until an
 * operation has enough.  For cmocka tests with one thread.
 */
#ifndef TESTS_UNIT_LOCKED_HEAP_H
#define TESTS_UNIT_LOCKED_HEAP_H

#include "common/secret.h"

enum { LOCKED_HEAP_PART = 32, LOCKED_HEAP_PARTS = 1 << 15 }; /* bytes of one; all that there are */

/* Until ${op} succeeds it must say that memory is missing, several times, and nothing else. */
static inline void locked_heap_run(int (*op)(void))
{
    static struct secret taken[LOCKED_HEAP_PARTS];
    unsigned failures = 0;
    size_t n = 0;
    int rc;

    while (n < LOCKED_HEAP_PARTS && secret_new(&taken[n], LOCKED_HEAP_PART, NULL) == ERR_OK)
        n++;
    while ((rc = op()) != ERR_OK) {
        if (rc != ERR_NOMEM)
            fail_msg("after %u parts: %d", failures, rc);
        failures++;
        assert_true(n > 0);
        secret_free(&taken[--n]);
    }
    assert_true(failures > 2);
    while (n > 0)
        secret_free(&taken[--n]);
}

#endif /* TESTS_UNIT_LOCKED_HEAP_H */
