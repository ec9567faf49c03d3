/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack - the folder that a pax stream holds (proto/FORMATS.md section 8.1),
 * made while the stream comes.
 *
 * The stream is as hostile as its sender.  Everything is made new below one
 * folder, one path component at a time, never through a link; files, folders,
 * links that stay inside and nothing else; modes within TREE_MODE and the umask.
 *
 * A thread of its own reads the stream.  Threads: any, one call at a time.
 * The calls wait for the disk: not for the loop thread.
 */
#ifndef CLIENT_LOCAL_UNPACK_H
#define CLIENT_LOCAL_UNPACK_H

#include <stdatomic.h>

#include "common/crypto/part.h"
#include "common/err.h"

struct unpack;

/*
 * Begin.  ${dir} is an empty folder and stays the caller's; ${name} is what every path of the
 * stream begins with.  ERR_NOMEM, ERR_IO, ERR_INTERNAL; ERR_UNSUPPORTED: no libarchive.
 */
MUST_CHECK int unpack_new(int dir, const char *name, struct unpack **ret, struct err *err);

/*
 * The next bytes of the stream; returns when they are used.  ERR_INTEGRITY: not a pax stream,
 * or a damaged one; ERR_REFUSED: something that may not be in it; ERR_IO; ERR_CANCELED soon after
 * ${*stop} was set.  After an error there is nothing but unpack_free().
 */
MUST_CHECK int unpack_write(struct unpack *u, struct part data, const atomic_bool *stop,
                            struct err *err);

/* That was all: everything is there, with its modes and times.  Errors as before; also when called
 * after one. */
MUST_CHECK int unpack_end(struct unpack *u, struct err *err);

/* What was made stays.  NULL is fine. */
void unpack_free(struct unpack *u);

#endif /* CLIENT_LOCAL_UNPACK_H */
