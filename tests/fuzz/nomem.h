/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nomem - memory that runs out.  Linked with --wrap for malloc, calloc and
 * realloc; only calls of our own code on the thread that called nomem_run()
 * last can fail, and only between nomem_run(true) and nomem_run(false).
 */
#ifndef TESTS_FUZZ_NOMEM_H
#define TESTS_FUZZ_NOMEM_H

#include <stdbool.h>

/* The ${n}-th allocation from now on fails, for 1 and above; 0: none. */
void nomem_arm(unsigned n);

/* The code under test runs, or stops; returns what was so before. */
bool nomem_run(bool running);

/* One has failed since nomem_arm() was called. */
bool nomem_failed(void);

#endif /* TESTS_FUZZ_NOMEM_H */
