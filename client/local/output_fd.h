/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output_fd - writing to a descriptor that somebody else opened, in order, in steps that can be
 * broken off while nobody reads at its other end.
 *
 * A pipe is opened a second time, without blocking: the flags of the caller's own opening, which
 * other processes may share, stay as they are.  It is also made larger, if it may be, so that
 * writer and reader change places less often.
 *
 * Threads: one at a time.
 */
#ifndef CLIENT_LOCAL_OUTPUT_FD_H
#define CLIENT_LOCAL_OUTPUT_FD_H

#include <stdatomic.h>

#include "common/crypto/part.h"
#include "common/err.h"

struct output_fd {
    int fd;   /* the caller's */
    int pipe; /* the same pipe, opened anew; -1: it is none, or cannot be opened */
};

/* ${fd} stays the caller's and open.  End with output_fd_end(). */
void output_fd_begin(struct output_fd *o, int fd);

/* ERR_IO; ERR_CANCELED soon after ${*stop} was set while ${o} takes nothing. */
MUST_CHECK int output_fd_write(const struct output_fd *o, struct part data, const atomic_bool *stop,
                               struct err *err);

/* Close what was opened; again is harmless. */
void output_fd_end(struct output_fd *o);

#endif /* CLIENT_LOCAL_OUTPUT_FD_H */
