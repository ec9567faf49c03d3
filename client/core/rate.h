/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - so many bytes a second, and no more: a token bucket that may go into
 * debt by what was taken last, so that one piece may be larger than a second's.
 * What is left in it, or owed, outlasts an operation: many small ones together
 * go no faster than a large one.
 *
 * Threads: the loop's own.  Never blocks.
 */
#ifndef CLIENT_CORE_RATE_H
#define CLIENT_CORE_RATE_H

#include "client/core/alarm.h"

#define RATE_MAX ((uint64_t)1 << 40)

/* Zeroed: not used yet. */
struct rate_level {
    uint64_t per_second; /* of whoever used it first */
    bool begun;
    int64_t tokens; /* bytes that may go now; below 0: a debt */
    uint64_t at;    /* the loop's milliseconds when tokens were counted */
};

struct rate {
    uint64_t per_second; /* bytes, at most RATE_MAX; 0: no limit */
    struct rate_level *level, own;
    struct alarm alarm;
};

/*
 * ${ready} is of the alarm in ${r}, called when rate_take() may be asked again.  ${common}, which
 * outlives ${r}, counts for all with the limit that it was used with first; others count alone.
 */
void rate_init(struct rate *r, uint64_t per_second, struct rate_level *common,
               void (*ready)(struct alarm *a));

/* May ${n} bytes go now?  True: they were taken.  False: ready() will be called. */
bool rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n);

/* Do not call ready(); harmless if it would not have been. */
void rate_forget(struct rate *r);

#endif /* CLIENT_CORE_RATE_H */
