/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc_fail - our own allocations made to fail, one at a time.
 *
 * A test that links satchel_test_alloc has malloc, calloc, realloc and strdup wrapped, which
 * reaches our objects and the test itself, but no shared library.
 *
 * Threads: one.
 */
#ifndef TESTS_UNIT_ALLOC_FAIL_H
#define TESTS_UNIT_ALLOC_FAIL_H

#include <stdbool.h>

/*
 * From now on let ${n} allocations pass, then one fails, and no other; below 0: none fails.
 * Returns what alloc_fail_left() said: to be set again behind allocations of the test's own.
 */
long alloc_fail_at(long n);

/* How many pass until one fails; below 0: it has failed, or none was to. */
long alloc_fail_left(void);

/* Counts as an allocation, for a library's allocator that the test sets: is this the one? */
bool alloc_fail_now(void);

#endif /* TESTS_UNIT_ALLOC_FAIL_H */
