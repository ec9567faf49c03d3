/* SPDX-License-Identifier: Apache-2.0 */
/* clock_fix - a wall clock that a test sets ahead: link with --wrap=clock_gettime. */
#ifndef TESTS_UNIT_CLOCK_FIX_H
#define TESTS_UNIT_CLOCK_FIX_H

/* CLOCK_REALTIME is ${ms} ahead of what it is from now on; other clocks, and files, go as ever. */
void clock_fix_ahead(unsigned ms);

#endif /* TESTS_UNIT_CLOCK_FIX_H */
