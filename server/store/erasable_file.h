/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable_file - the file of keys that can be destroyed: FORMATS.md section 13.
 *
 * Every key has a cell of 512 bytes of its own, written in place and overwritten
 * in place.  Cells are numbered; a number is never used twice, neither in this file
 * nor in one made later in its stead.  There is one cell for each UTC day and one for
 * each recipient slot.
 *
 * Durability: writes and erasures count once erasable_file_sync() has returned ERR_OK; what needs
 * an order of its own (growth, journal, header) syncs by itself.  After a power cut each cell holds
 * its old or its new contents; reading one that does not is ERR_CORRUPT, never a wrong key.
 * Blocks; one thread at a time.
 */
#ifndef SERVER_STORE_ERASABLE_FILE_H
#define SERVER_STORE_ERASABLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/secret.h"

enum {
    ERASABLE_KEY_LEN = 32,
    ERASABLE_CELL_LEN = 512,
    ERASABLE_DAYS = 8192, /* days a file serves, from the one it was made on */
    ERASABLE_JOURNAL_MAX = 1000
};

struct erasable_file;

/* Make ${path}, which must not exist; ${now} in ms since 1970.  ERR_EXISTS, ERR_IO, ERR_FULL. */
MUST_CHECK int erasable_file_create(const char *path, uint64_t now, struct err *err);

/*
 * ERR_NOTFOUND: never make a new one without being told to, all open transfers would be lost;
 * ERR_CORRUPT: header damaged or not such a file; ERR_UNSUPPORTED: a newer version; ERR_BUSY: open
 * in another process.  Erasures that a crash had interrupted are finished.
 */
MUST_CHECK int erasable_file_open(struct erasable_file **ret_f, const char *path, struct err *err);

/* Also notes how far numbers were used, so that none is skipped.  NULL is fine. */
void erasable_file_close(struct erasable_file *f);

/* ${n} new numbers in a row, from *ret_first.  Grows the file when needed.  ERR_IO, ERR_FULL. */
MUST_CHECK int erasable_file_alloc(struct erasable_file *f, size_t n, uint64_t *ret_first,
                                   struct err *err);

/* Write a key (32 bytes) into a cell got from erasable_file_alloc() or _day().  Not synced. */
MUST_CHECK int erasable_file_write(struct erasable_file *f, uint64_t cell, const struct secret *key,
                                   struct err *err);

/*
 * The cell of a UTC day (days since 1970); *ret_keyed: it holds a key already.  ERR_EXPIRED: the
 * day's key was destroyed; ERR_LIMIT: before or after the days this file serves.
 */
MUST_CHECK int erasable_file_day(struct erasable_file *f, uint32_t day, uint64_t *ret_cell,
                                 bool *ret_keyed, struct err *err);

/*
 * ${key} becomes the key of a cell.  ERR_EXPIRED: erased; ERR_NOTFOUND: no such cell, or nothing
 * was ever written to it; ERR_CORRUPT.
 */
MUST_CHECK int erasable_file_read(struct erasable_file *f, uint64_t cell, struct secret *key,
                                  struct err *err);

/*
 * Note that these ${n} (at most ERASABLE_JOURNAL_MAX) cells are about to be erased; synced.  From
 * here on a crash does not keep any of them: the next open finishes the work.
 */
MUST_CHECK int erasable_file_journal(struct erasable_file *f, const uint64_t *cells, size_t n,
                                     struct err *err);

/* Overwrite a cell.  Not synced.  A number this file does not have is ignored. */
MUST_CHECK int erasable_file_erase(struct erasable_file *f, uint64_t cell, struct err *err);

/* What was written and erased is durable.  See erasable_file_failures(). */
MUST_CHECK int erasable_file_sync(struct erasable_file *f, struct err *err);

/*
 * How many syncs have failed, of erasable_file_sync() or of a function that syncs by itself.  What
 * was written between the one that fails and the last good one before it may never come to the
 * disk, although it is read as written and later syncs succeed: it has to be written again.
 */
uint64_t erasable_file_failures(const struct erasable_file *f);

/* Write the key of each day again.  Not synced.  ERR_IO, ERR_FULL. */
MUST_CHECK int erasable_file_renew_days(struct erasable_file *f, struct err *err);

/* Give regions without a key back to the disk: those around ${cells}, erased and synced. */
void erasable_file_punch(struct erasable_file *f, const uint64_t *cells, size_t n);

/*
 * Note the time, and destroy the keys of all days that have ended at ${now}; *ret_days of them held
 * a key.  Synced.  ERR_REFUSED: the clock is more than 24 hours past the last noted
 * time; nothing is noted or destroyed until erasable_file_confirm().
 */
MUST_CHECK int erasable_file_destroy_days(struct erasable_file *f, uint64_t now, unsigned *ret_days,
                                          struct err *err);

/* The operator says that ${now} is right: note it.  Synced. */
MUST_CHECK int erasable_file_confirm(struct erasable_file *f, uint64_t now, struct err *err);

/* The last noted time. */
uint64_t erasable_file_time(const struct erasable_file *f);

#endif /* SERVER_STORE_ERASABLE_FILE_H */
