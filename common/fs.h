/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - files as whole things: read with a limit, replace so that a crash
 * leaves the old or the new one.
 *
 * Every call blocks on the disk: not for the loop thread.  Threads: any.  Errors: ERR_IO and
 * ERR_NOMEM; others stand with each call.
 */
#ifndef COMMON_FS_H
#define COMMON_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/secret.h"

/*
 * Append a whole regular file to ${out}.  ERR_NOTFOUND; ERR_TOOLARGE: over ${max} bytes; ERR_IO:
 * also of what is no regular file.
 */
MUST_CHECK int fs_read(const char *path, size_t max, struct buf *out, struct err *err);

/* As fs_read(), into a secret, in place of what it held. */
MUST_CHECK int fs_read_secret(const char *path, size_t max, struct secret *out, struct err *err);

/*
 * Write ${data} to a temporary file beside ${path}, fsync it, rename it over
 * ${path}, fsync the folder.  On failure the old file is untouched and the
 * temporary one is gone; but for a folder that cannot be synced: then the new
 * file is there, and may not last.
 */
MUST_CHECK int fs_replace(const char *path, const void *data, size_t len, mode_t mode,
                          struct err *err);

/* As fs_replace(), but ERR_EXISTS if ${path} exists already. */
MUST_CHECK int fs_create(const char *path, const void *data, size_t len, mode_t mode,
                         struct err *err);

/* Remove a file; a missing one is fine.  Not durable until fs_sync_dir(). */
MUST_CHECK int fs_remove(const char *path, struct err *err);

/* The same for "${folder}/${name}". */
MUST_CHECK int fs_remove_in(const char *folder, const char *name, struct err *err);

/*
 * Make the folder ${path}, which is not empty, and those above it that are missing; an existing one
 * is fine, and keeps its mode.  ERR_EXISTS: something else has the name of one.  Not durable.
 */
MUST_CHECK int fs_mkdirs(const char *path, mode_t mode, struct err *err);

/* Make the entries of a folder durable. */
MUST_CHECK int fs_sync_dir(const char *path, struct err *err);

/* The same for the folder in which ${path} stands, which need not exist itself. */
MUST_CHECK int fs_sync_parent(const char *path, struct err *err);

/* Write all of ${data} to ${fd}, which blocks, through short writes and signals.  ERR_IO. */
MUST_CHECK int fs_write_all(int fd, const void *data, size_t len, struct err *err);

/*
 * The next entry of ${d}, the folder ${path}; valid until the one after it.  NULL: there are no
 * more.  A listing that breaks off is ERR_IO, as half of it would pass for all.
 */
MUST_CHECK int fs_next_entry(DIR *d, const char *path, struct dirent **ret, struct err *err);

/* "a/b" as a new string; free() it.  NULL when out of memory. */
char *fs_join(const char *dir, const char *name);

/* True if ${path} names a file or folder that can be seen; errors count as absent. */
bool fs_exists(const char *path);

#endif /* COMMON_FS_H */
