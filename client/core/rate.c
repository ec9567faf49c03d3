/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/rate.h"

enum { BURST_MS = 125, DAY_MS = 24 * 3600 * 1000 };

/* Bytes of ${ms} milliseconds, however large the rate is. */
static uint64_t bytes_in(const struct rate *r, uint64_t ms)
{
    return r->per_second / 1000 * ms + r->per_second % 1000 * ms / 1000;
}

void rate_init(struct rate *r, uint64_t per_second, void (*ready)(struct alarm *a))
{
    *r = (struct rate){.per_second = per_second};
    alarm_init(&r->alarm, ready);
}

bool rate_take(struct rate *r, struct alarms *alarms, uv_loop_t *loop, uint64_t n)
{
    int64_t burst = (int64_t)bytes_in(r, BURST_MS) + 1;
    uint64_t now = uv_now(loop), gone, gained;

    if (r->per_second == 0)
        return true;
    gone = now - r->at;
    gained = bytes_in(r, gone < DAY_MS ? gone : DAY_MS);
    if (!r->begun) {
        r->begun = true;
        r->tokens = burst;
        r->at = now;
    } else if (gained > 0) { /* less than a byte is counted later */
        r->tokens += (int64_t)gained;
        r->at = now;
    }
    if (r->tokens > burst)
        r->tokens = burst;
    if (r->tokens > 0) {
        r->tokens -= (int64_t)n;
        return true;
    }
    alarm_set(alarms, &r->alarm, (uint64_t)-r->tokens * 1000 / r->per_second + 1);
    return false;
}

void rate_forget(struct rate *r)
{
    alarm_clear(&r->alarm);
}
