/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_meta - the meta rows of the index: version, shape, counts.
 *
 * Counts and the next transfer number live in the engine and are written with every batch that
 * changes the index, so that what is noted fits what is there, also in a record of the redo log.
 * Index writer only, and while the store is opened.
 */
#ifndef SERVER_STORE_LMDB_META_H
#define SERVER_STORE_LMDB_META_H

#include <stdint.h>

#include "common/err.h"

struct lmdb_txn;

/*
 * A new store gets its rows, with ${bodies} body environments; an old one must be of a version we
 * know and says itself how many it has.  ERR_UNSUPPORTED, ERR_CORRUPT.
 */
MUST_CHECK int lmdb_meta_check(struct lmdb_txn *t, unsigned bodies, unsigned *ret_bodies,
                               struct err *err);

/* Into the engine; fails by sticking in ${t}. */
void lmdb_meta_load_counts(struct lmdb_txn *t);

/* As that, where rows came back (lmdb_held.h); transfer numbers that were given since stay used. */
void lmdb_meta_restore_counts(struct lmdb_txn *t);

/* Write into ${t} how many rows there are when it is durable.  Fails by sticking in it. */
void lmdb_meta_save_counts(struct lmdb_txn *t);

/* It is, by a commit or a record: that many there are. */
void lmdb_meta_add_counts(struct lmdb_txn *t);

/* A transfer number that was never used. */
uint64_t lmdb_meta_next_number(struct lmdb_txn *t);

#endif /* SERVER_STORE_LMDB_META_H */
