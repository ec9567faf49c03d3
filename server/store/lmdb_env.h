/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_env - one LMDB environment that grows by itself and comes back after a
 * failed write.
 *
 * The file is allocated as far as the map goes: a full disk shows when the map is
 * to grow, before anything is written.
 *
 * A gate (readers-writer lock) stands in front of it: transactions pass it
 * shared, changing the map or opening the environment again takes it alone and
 * so waits for the transactions under way: these must be short.
 *
 * Results of LMDB calls are its own numbers (0, MDB_*, errno values) until
 * lmdb_env_code() turns them into ours.
 * Threads: any number of readers, one writer at a time.  Everything blocks.
 */
#ifndef SERVER_STORE_LMDB_ENV_H
#define SERVER_STORE_LMDB_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include "common/err.h"

struct lmdb_env;

struct lmdb_env_config {
    const char *path;          /* folder, made if missing */
    const char *const *tables; /* borrowed as long as the environment lives */
    unsigned ntables;
    uint64_t max;   /* ceiling of the map, bytes */
    uint64_t ahead; /* of the map to be left beyond what a write asks for, if the disk has plenty */
    uint64_t step;  /* map and file grow by at least this much while the disk has plenty */
    bool leaves_room;  /* does not take the last of the disk, and knows how much is left of it */
    bool drops_behind; /* while the file grows only its newest part stays in the page cache */
};

struct lmdb_env_stats {
    uint64_t used, map, readers, reopened; /* bytes, bytes, transactions now, times */
    uint64_t live; /* bytes of pages with something in them; 0 unless it leaves_room */
    uint64_t page; /* bytes of a page, as the file was made */
};

/*
 * Stale readers of dead processes are cleared.  ERR_IO, ERR_FULL, ERR_CORRUPT, ERR_NOMEM;
 * ERR_UNSUPPORTED: a file of another version of LMDB.
 */
MUST_CHECK int lmdb_env_open(struct lmdb_env **ret_e, const struct lmdb_env_config *cfg,
                             struct err *err);
void lmdb_env_close(struct lmdb_env *e); /* no transaction is open; NULL is fine */

/* Handle of table number ${i}; the same for the life of ${e}. */
MDB_dbi lmdb_env_table(const struct lmdb_env *e, unsigned i);

/* A snapshot to read.  Must be ended by lmdb_env_read_end(), soon. */
MUST_CHECK int lmdb_env_read(struct lmdb_env *e, MDB_txn **ret_txn);
void lmdb_env_read_end(struct lmdb_env *e, MDB_txn *txn);

/*
 * Begin a write of about ${bytes}: grows the map ahead if it looks short, and
 * opens a failed environment again first.  End it by commit or abort.
 */
MUST_CHECK int lmdb_env_write(struct lmdb_env *e, uint64_t bytes, MDB_txn **ret_txn);
void lmdb_env_abort(struct lmdb_env *e, MDB_txn *txn);

/*
 * Is there room in the map for ${bytes} more in ${parent}, and for what its commit still writes?
 * This takes as much, and gives it back.  0: there is; MDB_MAP_FULL, or another number of LMDB.
 * ${parent} is as it was.
 */
MUST_CHECK int lmdb_env_probe(const struct lmdb_env *e, MDB_txn *parent, size_t bytes);

/*
 * About ${bytes} more are to be written in what was begun: they count from here on.  0, or
 * MDB_MAP_FULL if the map looks short: they do not.
 */
MUST_CHECK int lmdb_env_more(struct lmdb_env *e, uint64_t bytes);

/*
 * A write inside ${parent}, which can be undone without it; never grows the map: MDB_MAP_FULL if it
 * looks short, or would leave ${parent} no room for its own commit.  End it by merge (what it did
 * is part of ${parent}; if that fails ${parent} is good for nothing but abort) or undo.
 */
MUST_CHECK int lmdb_env_nest(struct lmdb_env *e, uint64_t bytes, MDB_txn *parent,
                             MDB_txn **ret_txn);
MUST_CHECK int lmdb_env_merge(struct lmdb_env *e, MDB_txn *txn);
void lmdb_env_undo(struct lmdb_env *e, MDB_txn *txn);

/*
 * 0: durable.  Anything else: nothing was written.  An environment that panics is opened again; if
 * the commit turns out to have got through after all, that counts as 0.
 */
MUST_CHECK int lmdb_env_commit(struct lmdb_env *e, MDB_txn *txn);

/*
 * Writer, with no write begun: a larger map, and a file that has its blocks.  MDB_MAP_FULL at the
 * ceiling, ENOSPC when the disk is full.
 */
MUST_CHECK int lmdb_env_grow(struct lmdb_env *e);

/*
 * Writer, with no write begun: ${on}, a megabyte beyond the ceiling, its blocks set aside long ago,
 * for a write that makes room (deleting needs pages, too); off, back to where it was.
 */
MUST_CHECK int lmdb_env_overdraw(struct lmdb_env *e, bool on);

/*
 * Bytes that all pages together may come to, by ceiling and disk; if it leaves_room, else
 * UINT64_MAX.  Any thread; asks the file system.
 */
uint64_t lmdb_env_most(const struct lmdb_env *e);

/* ERR_OK for 0; ERR_NOTFOUND, ERR_FULL, ERR_NOMEM, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_BUSY, and
 * ERR_IO for all other numbers. */
int lmdb_env_code(int mdb);

/* Any thread; never blocks. */
void lmdb_env_stats(const struct lmdb_env *e, struct lmdb_env_stats *ret_stats);

#endif /* SERVER_STORE_LMDB_ENV_H */
