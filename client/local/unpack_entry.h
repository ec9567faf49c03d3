/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_entry - the disk's side of unpacking: for unpack.c alone, and its tests.  Threads: one. */
#ifndef CLIENT_LOCAL_UNPACK_ENTRY_H
#define CLIENT_LOCAL_UNPACK_ENTRY_H

#include "common/err.h"

struct archive;
struct archive_entry;
struct unpack_dir;

/* As unpack_new(). */
MUST_CHECK int unpack_dir_new(int dir, const char *name, struct unpack_dir **ret, struct err *err);
void unpack_dir_free(struct unpack_dir *d); /* NULL is fine */

/* Make what ${entry} says, with the bytes that ${a} gives.  Errors as unpack_write(). */
MUST_CHECK int unpack_entry(struct unpack_dir *d, struct archive *a, struct archive_entry *entry,
                            struct err *err);

/* All are made: give the folders that are still open their modes and times. */
MUST_CHECK int unpack_dir_end(struct unpack_dir *d, struct err *err);

#endif /* CLIENT_LOCAL_UNPACK_ENTRY_H */
