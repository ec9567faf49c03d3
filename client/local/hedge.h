/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hedge - keys drawn so that a broken random number generator neither repeats
 * nor reveals them: a stored secret and a counter that never comes back
 * (proto/FORMATS.md section 1).  Numbers are claimed from the vault in blocks.
 *
 * Threads: any.  Touches the disk once for each block: not for the loop thread.
 */
#ifndef CLIENT_LOCAL_HEDGE_H
#define CLIENT_LOCAL_HEDGE_H

#include "client/local/vault.h"

enum { HEDGE_LEN = 32, HEDGE_BLOCK = 1024 };

struct hedge;

/*
 * Draw with ${key} (HEDGE_LEN bytes, copied), counting in ${v}, which must
 * outlive it.  ${locked}: the vault's lock is held for as long as it is used.
 */
MUST_CHECK int hedge_new(struct vault *v, const struct secret *key, bool locked, struct hedge **ret,
                         struct err *err);
void hedge_free(struct hedge *h); /* NULL is fine */

/*
 * Do what the disk is needed for ahead of the next hedge_draw(): worth it where there is something
 * else to wait for meanwhile.
 */
MUST_CHECK int hedge_prepare(struct hedge *h, struct err *err);

/* Is nothing to be done for that?  For the loop thread too; false also while another works at it.
 */
bool hedge_prepared(struct hedge *h);

/* HEDGE_LEN fresh bytes for ${label}; ${transcript} tells this use from others. */
MUST_CHECK int hedge_draw(struct hedge *h, const char *label, struct part transcript,
                          struct secret *ret, struct err *err);

#endif /* CLIENT_LOCAL_HEDGE_H */
