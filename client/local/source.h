/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - where a send takes its plaintext from.  The send knows nothing else
 * of it: how long it is, if that can be known; whether it can be read again;
 * its bytes; and at the end whether they were those of one state.
 *
 * Touches the disk and may wait for others: not for the loop thread.  Threads:
 * one at a time, but for source_read() of a source with `again`.
 */
#ifndef CLIENT_LOCAL_SOURCE_H
#define CLIENT_LOCAL_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/transfer/metadata.h"

/* The length of a source that only its end shows. */
#define SOURCE_LENGTH_UNKNOWN UINT64_MAX

/* What tells one state of a file from another, also for a later process; times in ns. */
struct source_mark {
    uint64_t device, inode, size;
    int64_t modified, changed;
};

struct source_facts {
    uint64_t length;   /* bytes, or SOURCE_LENGTH_UNKNOWN */
    uint64_t modified; /* ms since 1970 UTC; 0: unknown */
    enum metadata_kind kind;
    /* Any part may be read, again and by several threads at once.  Otherwise from the front, each
     * byte once, and no later attempt can go on with it. */
    bool again;
    struct source_mark mark; /* as it was opened; zero without `again` */
};

struct source;

struct source_named {
    const char *path;
    const char *name; /* what recipients call it: the top of a folder's archive */
};

/*
 * Open a regular file; a FIFO, whose writer need not be there yet; or a folder, which is packed
 * while it is read.  ERR_NOTFOUND; ERR_IO: not readable, or something else; ERR_NOMEM.
 */
MUST_CHECK int source_open(const struct source_named *named, struct source **ret, struct err *err);

/* What comes out of ${fd}, to its end.  It stays the caller's.  ERR_IO: it is not open to read. */
MUST_CHECK int source_open_fd(int fd, struct source **ret, struct err *err);
void source_free(struct source *s); /* NULL is fine */

/* Live as long as ${s}. */
const struct source_facts *source_facts(const struct source *s);

enum { SOURCE_WAIT_MS = 10000 };

/*
 * Read ${len} bytes from ${offset}; fewer only at the end.  Without `again`, ${offset} is where
 * the call before ended, fewer bytes may come any time, and none at the end alone.  ERR_IO: cannot
 * be read, or changed meanwhile; ERR_TIMEOUT: nothing came for SOURCE_WAIT_MS, ask again;
 * ERR_CANCELED soon after ${*stop} was set while nothing comes.
 */
struct source_range {
    uint64_t offset;
    uint8_t *to;
    size_t len;
};
MUST_CHECK int source_read(struct source *s, const struct source_range *range,
                           const atomic_bool *stop, size_t *ret_len, struct err *err);

/* Line ${i} of what was left out of a folder, for people; NULL: there are no more. */
const char *source_note(const struct source *s, size_t i);

/* Was what was read one state, the one that was opened?  ERR_IO. */
MUST_CHECK int source_unchanged(struct source *s, struct err *err);

#endif /* CLIENT_LOCAL_SOURCE_H */
