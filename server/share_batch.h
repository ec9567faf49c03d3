/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share_batch - seeds in, pairs of shares out, through the key network in one
 * run (FORMATS.md section 10).
 *
 * Fill with share_batch_add(), then share_batch_run(), read the pairs, then
 * share_batch_clear().  All memory is taken when it is made, and wiped.
 *
 * Threads: one at a time; the key network's worker inside belongs to the first
 * thread that runs it.
 */
#ifndef SERVER_SHARE_BATCH_H
#define SERVER_SHARE_BATCH_H

#include "common/transfer/share.h"
#include "models/keynet.h"

struct share_batch;

enum { SHARE_BATCH_MAX = KEYNET_BATCH, SHARE_BATCH_PAIR = 2 * SHARE_LEN };

/* ${net} must outlive it.  ERR_NOMEM; and those of keynet_worker_new(). */
MUST_CHECK int share_batch_new(struct share_batch **ret_b, struct keynet *net, struct err *err);
void share_batch_free(struct share_batch *b); /* NULL is fine */

/* Which shares to derive, as SHARE_WANT() says, from now on; both when nothing was said. */
void share_batch_want(struct share_batch *b, unsigned want);

/* One more; ${seed} is copied.  ERR_LIMIT when full. */
MUST_CHECK int share_batch_add(struct share_batch *b, const struct share_place *place,
                               const uint8_t seed[SHARE_SEED_LEN]);
size_t share_batch_len(const struct share_batch *b);

/* Derive all.  ERR_INTERNAL. */
MUST_CHECK int share_batch_run(struct share_batch *b);

/* Pair ${i}: the meta share, then the body share; zeros where one is not wanted. */
const uint8_t *share_batch_pair(const struct share_batch *b, size_t i);

/* Wipe seeds, pairs and what was between them; empty again. */
void share_batch_clear(struct share_batch *b);

/* The key network's worker, for its health and its name. */
struct keynet_worker *share_batch_worker(struct share_batch *b);

#endif /* SERVER_SHARE_BATCH_H */
