/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/clock_fix.h"

#include <time.h>

static unsigned ahead; /* ms */

void clock_fix_ahead(unsigned ms)
{
    ahead = ms;
}

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = __real_clock_gettime(clock, t);

    if (rc == 0 && clock == CLOCK_REALTIME) {
        t->tv_sec += ahead / 1000;
        t->tv_nsec += (long)(ahead % 1000) * 1000000;
        if (t->tv_nsec >= 1000000000) {
            t->tv_sec++;
            t->tv_nsec -= 1000000000;
        }
    }
    return rc;
}
