/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - a hash table from short keys to values of one fixed size.
 *
 * Keys are up to TABLE_KEY_MAX bytes and may be chosen by strangers: the hash is
 * seeded.  Threads: one at a time for each object.  Never blocks.
 */
#ifndef SERVER_TABLE_H
#define SERVER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { TABLE_KEY_MAX = 24 }; /* bytes */

struct table;

/* Empty, for values of ${value_size} bytes.  ERR_NOMEM; ERR_INTERNAL: no random bytes for its seed.
 */
MUST_CHECK int table_new(struct table **ret_t, size_t value_size, struct err *err);
void table_free(struct table *t); /* NULL is fine */

size_t table_len(const struct table *t);

/* The value of ${key}, or NULL.  Values stay where they are until the next add or remove. */
void *table_get(const struct table *t, const void *key, size_t len);

/* The value of ${key}, zeroed if the key is new; NULL when out of memory. */
void *table_add(struct table *t, const void *key, size_t len);

/* Forget ${key}; a missing one is fine. */
void table_remove(struct table *t, const void *key, size_t len);

/*
 * Walk: ${*pos} starts at 0; NULL at the end.  After the value just given has been
 * removed with table_remove_at(), which takes its place back, the walk goes on.
 */
void *table_next(const struct table *t, size_t *pos);
void table_remove_at(struct table *t, size_t *pos);

#endif /* SERVER_TABLE_H */
