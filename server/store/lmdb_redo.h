/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_redo - a log of changed rows that are durable before LMDB commits them (proto/FORMATS.md
 * section 14.8).
 *
 * A commit writes each page that was touched to a place of its own, and the disk takes longer for
 * thirty places than for one.  A record in this file is one place: it says which rows changed, and
 * one commit later stands for many records.  Then the file begins anew; after a crash, records that
 * no commit holds are done again.
 *
 * Each commit of the index has a stamp of its own, and records carry that of the commit that they
 * stand on: those from before the last commit, those that failed, and those of another store or of
 * another copy of its index do not count.
 *
 * Threads: one at a time.  Every call but those that only note a change blocks on the disk.
 */
#ifndef SERVER_STORE_LMDB_REDO_H
#define SERVER_STORE_LMDB_REDO_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/err.h"
#include "server/store/lmdb_txn.h"

enum {
    LMDB_REDO_LEN = 8 << 20,     /* bytes of the file, which never grows */
    LMDB_REDO_LEN_OLD = 4 << 20, /* of one that an earlier version made: it stays as it is */
    LMDB_REDO_STAMP_LEN = 16
};

struct lmdb_redo;

/*
 * Open "${dir}/redo", or make it, with its blocks.  ERR_IO, ERR_NOMEM; ERR_FULL: the disk is;
 * ERR_CORRUPT: it is something else; ERR_UNSUPPORTED: of a later version.
 */
MUST_CHECK int lmdb_redo_open(struct lmdb_redo **ret_r, const char *dir, struct err *err);
void lmdb_redo_close(struct lmdb_redo *r); /* NULL is fine */

/* Append a change to ${changes}, for a later record. */
void lmdb_redo_note_put(struct buf *changes, enum lmdb_table table, struct part key,
                        struct part value);
void lmdb_redo_note_del(struct buf *changes, enum lmdb_table table, struct part key);

/* Do ${changes}, all of them whole, again in ${t}, where a failure sticks. */
void lmdb_redo_do_again(struct lmdb_txn *t, const struct buf *changes);

/*
 * Write ${changes}, done in ${t}, which is not marked yet, as the next record; of a row that
 * changed more than once the last change is enough, and takes less room.  ERR_OK: durable.
 * ERR_FULL: no room for it until the file begins anew, if then.  ERR_IO: the file takes nothing
 * until it has begun anew and a minute has passed; it may hold the record all the same, until ${t}
 * or another transaction is marked and committed.  ERR_NOMEM, ERR_INTERNAL: nothing was written.
 */
MUST_CHECK int lmdb_redo_write(struct lmdb_redo *r, struct lmdb_txn *t, const struct buf *changes,
                               struct err *err);

/*
 * Put into ${t}, which is about to be committed, a stamp of its own.  Every commit of the index is
 * to be marked, unless there are records that count and whose changes it does not hold.
 */
void lmdb_redo_mark(struct lmdb_txn *t);

/* A transaction that was marked is durable: the next record goes to the beginning. */
void lmdb_redo_begin_anew(struct lmdb_redo *r);

/* How many writes have failed.  Any thread. */
uint64_t lmdb_redo_failures(const struct lmdb_redo *r);

/*
 * Do again in ${t} what the records say that the last commit does not hold.  True if there were
 * any: then mark ${t}, and begin anew behind its commit.  A failure sticks in ${t}: EIO, ENOMEM;
 * MDB_CORRUPTED for a record that makes no sense, or when one that was written since the file began
 * anew is not there.
 */
bool lmdb_redo_replay(struct lmdb_redo *r, struct lmdb_txn *t);

#endif /* SERVER_STORE_LMDB_REDO_H */
