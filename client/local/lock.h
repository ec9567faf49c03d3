/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock - one writer at a time among the threads and processes that use a
 * folder: a mutex within the process, flock() on a file between processes.
 * A process that dies gives its lock back.
 *
 * Threads: any.  lock_take() may sleep: not for the loop thread.
 */
#ifndef CLIENT_LOCAL_LOCK_H
#define CLIENT_LOCAL_LOCK_H

#include "common/err.h"

struct lock;

/* Make the file at ${path} (mode 0600) if it is missing.  ERR_IO, ERR_NOMEM. */
MUST_CHECK int lock_open(const char *path, struct lock **ret, struct err *err);
void lock_close(struct lock *l); /* must not be held; NULL is fine */

/* Wait at most ${ms} for the lock.  ERR_LOCKED: somebody else keeps it; ERR_IO. */
MUST_CHECK int lock_take(struct lock *l, unsigned ms, struct err *err);
void lock_give(struct lock *l);

#endif /* CLIENT_LOCAL_LOCK_H */
