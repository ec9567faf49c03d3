/* SPDX-License-Identifier: Apache-2.0 */
#include "server/clock_guard.h"

#include <time.h>

static const uint64_t slack_ms = 86400000;

static bool is_ahead(uint64_t time, uint64_t of)
{
    return time > of && time - of > slack_ms;
}

void clock_guard_init(struct clock_guard *g, uint64_t noted, uint64_t wall, uint64_t boot)
{
    *g = (struct clock_guard){.now = noted, .trusted = noted, .wall = wall, .boot = boot};
    /* A clock that is wrong from the start, either way, is no measure for later. */
    if (wall < noted || is_ahead(wall, noted))
        g->wall = noted;
}

bool clock_guard_look(struct clock_guard *g, uint64_t wall, uint64_t boot)
{
    g->jumped = is_ahead(wall, g->trusted) || is_ahead(wall, g->wall + (boot - g->boot));
    if (!g->jumped && wall > g->trusted)
        g->trusted = wall;
    g->now = g->jumped ? g->trusted : wall;
    return !g->jumped;
}

void clock_guard_confirm(struct clock_guard *g, uint64_t wall, uint64_t boot)
{
    *g = (struct clock_guard){.now = wall, .trusted = wall, .wall = wall, .boot = boot};
}

uint64_t clock_guard_boot(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
