/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rate.h"

#include <stdlib.h>

#include "server/table.h"

struct rate_table {
    struct table *buckets;
    size_t max;
};

/* What ${b} has still used at ${now}. */
static uint64_t level(const struct rate_bucket *b, const struct rate *r, uint64_t now)
{
    uint64_t passed = now > b->at ? now - b->at : 0;

    return passed >= b->used / r->count + 1 ? 0 : b->used - passed * r->count;
}

/* ${more} of ${room}, both in units of the bucket. */
static uint64_t take(struct rate_bucket *b, const struct rate *r, uint64_t more, uint64_t room,
                     uint64_t now)
{
    uint64_t used = level(b, r, now);

    if (used + more > room)
        return (used + more - room + r->count - 1) / r->count;
    b->used = used + more;
    b->at = now;
    return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t rate_take(struct rate_bucket *b, const struct rate *r, uint64_t n, uint64_t now)
{
    uint64_t full = r->count * r->period;

    return take(b, r, smaller(n, r->count) * r->period, full, now);
}

int rate_table_new(struct rate_table **ret_t, size_t max, struct err *err)
{
    struct rate_table *t = calloc(1, sizeof(*t));
    int rc;

    if (t == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a table");
    t->max = max;
    rc = table_new(&t->buckets, sizeof(struct rate_bucket), err);
    if (rc != ERR_OK) {
        free(t);
        return rc;
    }
    *ret_t = t;
    return ERR_OK;
}

void rate_table_free(struct rate_table *t)
{
    if (t == NULL)
        return;
    table_free(t->buckets);
    free(t);
}

/* Forget the buckets that are full again; returns ms until the first of the others is. */
static uint64_t sweep(struct rate_table *t, const struct rate *r, uint64_t now)
{
    uint64_t soonest = UINT64_MAX;
    struct rate_bucket *b;
    size_t pos = 0;

    while ((b = table_next(t->buckets, &pos)) != NULL) {
        uint64_t used = level(b, r, now);

        if (used == 0)
            table_remove_at(t->buckets, &pos);
        else if (used / r->count + 1 < soonest)
            soonest = used / r->count + 1;
    }
    return soonest;
}

/* The bucket of ${key}; NULL: there is none for it, and *ret_wait says how long. */
static struct rate_bucket *bucket(struct rate_table *t, const struct rate *r, struct part key,
                                  uint64_t now, uint64_t *ret_wait)
{
    struct rate_bucket *b = table_get(t->buckets, key.data, key.len);

    if (b == NULL && table_len(t->buckets) >= t->max) {
        *ret_wait = sweep(t, r, now);
        if (table_len(t->buckets) >= t->max)
            return NULL;
    }
    *ret_wait = r->period;
    return b != NULL ? b : table_add(t->buckets, key.data, key.len);
}

uint64_t rate_table_take(struct rate_table *t, const struct rate *r, uint64_t n, struct part key,
                         uint64_t now)
{
    uint64_t wait;
    struct rate_bucket *b = bucket(t, r, key, now, &wait);

    return b != NULL ? rate_take(b, r, n, now) : wait;
}

uint64_t rate_table_spare(struct rate_table *t, const struct rate *r, uint64_t n, struct part key,
                          uint64_t now)
{
    uint64_t wait, room = r->count * r->period - r->count / RATE_KEPT * r->period;
    struct rate_bucket *b = bucket(t, r, key, now, &wait);
    uint64_t more = smaller(smaller(n, r->count) * r->period, room);

    return b != NULL ? take(b, r, more, room, now) : wait;
}
