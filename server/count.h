/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count - how many of something each key holds now, as connections of an address.
 *
 * Keys (table.h) that hold nothing take no memory.  Threads: one at a time for
 * each object.  Never blocks.
 */
#ifndef SERVER_COUNT_H
#define SERVER_COUNT_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct count;

/* Nothing is held.  Errors as of table_new(). */
MUST_CHECK int count_new(struct count **ret_c, struct err *err);
void count_free(struct count *c); /* NULL is fine */

/* One more for ${key}.  ERR_LIMIT: it holds ${max} already; ERR_NOMEM.  Then nothing changed. */
MUST_CHECK int count_up(struct count *c, const void *key, size_t len, uint64_t max);

/* One less; nothing happens for a key that holds none. */
void count_down(struct count *c, const void *key, size_t len);

#endif /* SERVER_COUNT_H */
