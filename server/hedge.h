/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hedge - hedged random bytes whose secret and counter survive restarts
 * (FORMATS.md section 1, rng.h).
 *
 * The file is 40 bytes, mode 0600: k_hedge, then the u64 counter from which the
 * next start goes on.  Numbers are claimed in blocks: the file is written before
 * the first of a block is used, so no number comes twice, whenever the
 * process dies.
 *
 * Threads: one at a time.  hedge_draw() writes to the disk once in HEDGE_BLOCK draws.
 */
#ifndef SERVER_HEDGE_H
#define SERVER_HEDGE_H

#include "common/crypto/rng.h"

enum { HEDGE_BLOCK = 65536 };

struct hedge;

/* Make the file.  ERR_EXISTS, ERR_IO, ERR_INTERNAL. */
MUST_CHECK int hedge_create(const char *path, struct err *err);

/* ERR_NOTFOUND, ERR_CORRUPT, ERR_IO. */
MUST_CHECK int hedge_open(struct hedge **ret_h, const char *path, struct err *err);
void hedge_close(struct hedge *h); /* NULL is fine */

/* As rng_hedged().  ERR_IO: no new block could be claimed. */
MUST_CHECK int hedge_draw(struct hedge *h, const char *label, struct part transcript,
                          uint8_t ret_out[RNG_HEDGED_LEN], struct err *err);

#endif /* SERVER_HEDGE_H */
