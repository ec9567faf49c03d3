/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output - where a received file goes: a file that appears under its name only
 * when it is whole and durable, a folder likewise, or a descriptor.
 *
 * A file is written as `.NAME.satchel-part` beside its place, locked against
 * another process that receives the same, and renamed at the end.  Names come
 * from other people: one path component, never '/', NUL, "." or "..", opened
 * below its folder without following links.
 *
 * Touches the disk: not for the loop thread.  Threads: any; output_write() to
 * a file may run in several at a time.
 */
#ifndef CLIENT_LOCAL_OUTPUT_H
#define CLIENT_LOCAL_OUTPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"

struct output_spec {
    const char *folder; /* exists; "" is the working folder */
    const char *file;   /* with folder NULL: this path, whatever the sender calls it */
    int fd;             /* with both NULL; stays the caller's */
    bool force;         /* overwrite; a folder takes the place of an empty one only */
    const char *unpack; /* what comes is the archive of a folder with this top; NULL: a file */
    uint64_t modified;  /* ms since 1970: a file has it as its time in the end; 0: unknown */
    bool resume;        /* leave what an earlier attempt left: output_left(); of a file */
};

struct output;

/*
 * Look and begin.  ${name} is the sender's.  ERR_REFUSED: a name that no file
 * can have; ERR_EXISTS: the file is there, without force, or something that is neither a file
 * nor a link; ERR_LOCKED: another process receives it; ERR_NOTFOUND: no such folder; ERR_IO.
 */
MUST_CHECK int output_open(const struct output_spec *spec, const char *name, struct output **ret,
                           struct err *err);

/* Bytes that an earlier attempt left, with `resume`; worth nothing until they were checked. */
uint64_t output_left(const struct output *o);

/* What is left belongs to something else: forget it. */
MUST_CHECK int output_empty(struct output *o, struct err *err);

/*
 * ${length} bytes will come, no more.  Takes the room for a large file at once.  ERR_IO: the disk
 * has no room; of a small file too, before anything was written.
 */
MUST_CHECK int output_expect(struct output *o, uint64_t length, struct err *err);

/*
 * Write ${data} at ${offset}; in order where output_in_order().  ERR_IO; ERR_CANCELED soon after
 * ${*stop} was set while a descriptor takes nothing.  To a folder also ERR_INTEGRITY: its archive
 * is damaged; ERR_REFUSED: it holds what may not be in it (unpack.h).
 */
MUST_CHECK int output_write(struct output *o, uint64_t offset, struct part data,
                            const atomic_bool *stop, struct err *err);

/*
 * Read ${len} bytes that were written, or left by an earlier attempt.  False: nothing was ever
 * written there, or it cannot be read.  Any number of threads at a time.
 */
bool output_read(const struct output *o, uint64_t offset, uint8_t *out, size_t len);

/* Is it a descriptor or a folder, which want their bytes in order? */
bool output_in_order(const struct output *o);

/* Make it durable and give it its name.  ERR_EXISTS, ERR_IO: nothing is left. */
MUST_CHECK int output_commit(struct output *o, struct err *err);

/* Where it is; "" for a descriptor.  Lives as long as ${o}. */
const char *output_path(const struct output *o);

/* The absolute path of the partial file; not for a descriptor.  The caller frees it. */
MUST_CHECK int output_part_path(const struct output *o, char **ret, struct err *err);

/* Leave the partial file to a later attempt if it is not committed. */
void output_keep(struct output *o);

/* Free; the partial file is removed unless it was committed or kept.  NULL is fine. */
void output_free(struct output *o);

#endif /* CLIENT_LOCAL_OUTPUT_H */
