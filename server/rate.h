/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - token buckets: alone, and one for each key in a table of bounded size.
 *
 * Time comes from the caller, in milliseconds of a clock that never goes back
 * (uv_now()).  Threads: one at a time for each object.  Never blocks.
 */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

/* ${count} uses in every ${period} ms, and as many at once after a rest. */
struct rate {
    uint64_t count, period;
};

/* Zero-initialised is a full bucket. */
struct rate_bucket {
    uint64_t used; /* in units of 1/period: rises by period a use, falls by count a ms */
    uint64_t at;   /* when `used` was right */
};

/*
 * Take ${n} uses together; more than there are in a full bucket count as all of it.  0: taken;
 * otherwise nothing was taken, and so many will be free in so many ms.
 */
uint64_t rate_take(struct rate_bucket *b, const struct rate *r, uint64_t n, uint64_t now);

struct rate_table;

/* At most ${max} keys (table.h) are remembered at a time.  Errors as of table_new(). */
MUST_CHECK int rate_table_new(struct rate_table **ret_t, size_t max, struct err *err);
void rate_table_free(struct rate_table *t); /* NULL is fine */

/*
 * As rate_take() for the bucket of ${key}.  While the table is full of buckets in
 * use the answer is the time until the first of them is free again.
 */
uint64_t rate_table_take(struct rate_table *t, const struct rate *r, uint64_t n, struct part key,
                         uint64_t now);

enum { RATE_KEPT = 4 };

/*
 * As rate_table_take(), but one in RATE_KEPT of a full bucket stays for rate_table_take(); more
 * than the rest count as all of it.
 */
uint64_t rate_table_spare(struct rate_table *t, const struct rate *r, uint64_t n, struct part key,
                          uint64_t now);

#endif /* SERVER_RATE_H */
