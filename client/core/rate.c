/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/rate.h"

enum { BURST_MS = 125, DAY_MS = 24 * 3600 * 1000 };

/* Bytes of ${ms} milliseconds, however large the rate is. */
static uint64_t bytes_in(const struct rate *r, uint64_t ms)
{
    return r->per_second / 1000 * ms + r->per_second % 1000 * ms / 1000;
}

void rate_init(struct rate *r, uint64_t per_second, struct rate_level *common,
               void (*ready)(struct alarm *a))
{
    *r = (struct rate){.per_second = per_second};
    if (common->per_second == 0)
        common->per_second = per_second;
    r->level = common->per_second == per_second ? common : &r->own;
    alarm_init(&r->alarm, ready);
}

bool rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n)
{
    int64_t burst = (int64_t)bytes_in(r, BURST_MS) + 1;
    uint64_t now = uv_now(loop), gone, gained;
    struct rate_level *l = r->level;

    if (r->per_second == 0)
        return true;
    gone = now - l->at;
    gained = bytes_in(r, gone < DAY_MS ? gone : DAY_MS);
    if (!l->begun) {
        l->begun = true;
        l->tokens = burst;
        l->at = now;
    } else if (gained > 0) { /* less than a byte is counted later */
        l->tokens += (int64_t)gained;
        l->at = now;
    }
    if (l->tokens > burst)
        l->tokens = burst;
    if (l->tokens > 0) {
        l->tokens -= (int64_t)n;
        return true;
    }
    alarm_set(alarms, &r->alarm, (uint64_t)-l->tokens * 1000 / r->per_second + 1);
    return false;
}

void rate_forget(struct rate *r)
{
    alarm_clear(&r->alarm);
}
