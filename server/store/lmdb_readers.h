/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_readers - a few threads that run reads, so that a page that must come from
 * the disk never stops a loop.
 *
 * Short reads and long ones wait in a queue of their own each: first come, first served.  Neither
 * kind has all threads (if there are several), so that a look into the index does not wait behind
 * the bodies that others fetch, nor a body behind looks; both queues are bounded by what store.c
 * admits.
 */
#ifndef SERVER_STORE_LMDB_READERS_H
#define SERVER_STORE_LMDB_READERS_H

#include "server/store/store_engine.h"

struct lmdb_engine;
struct lmdb_readers;

enum lmdb_read { LMDB_READ_SHORT, LMDB_READ_LONG, LMDB_READ_KINDS };

/* ${run} is called for each job on one of ${threads} threads. */
MUST_CHECK int lmdb_readers_open(struct lmdb_readers **ret_r, unsigned threads,
                                 void (*run)(struct lmdb_engine *e, struct store_job *job),
                                 struct lmdb_engine *e, struct err *err);
/* Ends the threads after what is queued; NULL is fine. */
void lmdb_readers_close(struct lmdb_readers *r);

/* Any thread; never blocks. */
void lmdb_readers_submit(struct lmdb_readers *r, enum lmdb_read kind, struct store_job *job);

#endif /* SERVER_STORE_LMDB_READERS_H */
