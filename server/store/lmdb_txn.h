/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_txn - rows of the LMDB engine inside one transaction.
 *
 * The first LMDB failure sticks: from then on every call fails with it and changes nothing, so
 * that a run of puts needs one look at lmdb_txn_code(), at its end.  A missing row is
 * no failure in this sense.
 * Values read point into the map and are good until the next put or delete.
 */
#ifndef SERVER_STORE_LMDB_TXN_H
#define SERVER_STORE_LMDB_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include "common/buf.h"
#include "common/err.h"
#include "server/store/store_types.h"

/* Tables of the index, in the order of lmdb_tables_index[]: FORMATS.md section 14.2.  Their numbers
 * are in the redo log, section 14.8: another order is another version of it. */
enum lmdb_table {
    T_META,
    T_USERS,
    T_NAMES,
    T_EMAILS,
    T_MANIFESTS,
    T_INVITES,
    T_TIDS,
    T_ROWS,
    T_IDEM,
    T_LEASES,
    T_INBOX,
    T_SENT,
    T_CIDS,
    T_EXPIRIES,
    T_GARBAGE,
    T_CELLS,
    T_FEED,
    T_FEED_TIMES,
    T_BLOCKS,
    T_ACCOUNTS,
    T_ENDED,
    T_FACTORS,
    T_CID_TIMES,
    T_DELETED,
    T_GONE_NAMES,
    T_INDEX_COUNT,
    /* Tables of a body environment. */
    T_PIECES = T_INDEX_COUNT,
    T_BODY_META,
    T_COUNT
};

enum { T_BODY_COUNT = T_COUNT - T_INDEX_COUNT };

extern const char *const lmdb_tables_index[T_INDEX_COUNT];
extern const char *const lmdb_tables_bodies[T_BODY_COUNT];

struct lmdb_env;
struct lmdb_engine;

/* Rows that are counted, in lmdb_txn.added and in the meta row "counts". */
enum { LMDB_USERS, LMDB_TRANSFERS, LMDB_UPLOADS, LMDB_LEAVES, LMDB_COUNTERS };

struct lmdb_txn {
    struct lmdb_engine *engine;
    struct lmdb_env *env;
    MDB_txn *txn;
    struct lmdb_txn *body; /* in a read of pieces: that of their environment */
    int hard;              /* first failure, as LMDB numbers them; 0: none */
    bool touched;          /* something was put or deleted: the user sets it back */
    bool freed;            /* something was deleted */
    struct buf *changes;   /* every put and delete is noted here (lmdb_redo.h); NULL: nowhere */
    struct buf row;        /* scratch for encoding */
    int64_t added[LMDB_COUNTERS];
    /* The transfer looked up last, and its number; 0: none. */
    uint8_t tid[STORE_TID_LEN];
    uint64_t number;
};

/* ERR_OK, or the code of the failure that stuck. */
int lmdb_txn_code(const struct lmdb_txn *t);

/* Note a failure found by the caller; returns its code. */
int lmdb_txn_fail(struct lmdb_txn *t, int mdb);

/* ---- keys ---- */

/* Zero-initialise, then add parts; numbers are big-endian. */
struct lmdb_key {
    size_t len;
    uint8_t bytes[256];
};

/* Append a part; a key of one part. */
void lmdb_key_add(struct lmdb_key *k, const void *p, size_t len);
void lmdb_key_u32(struct lmdb_key *k, uint32_t v);
void lmdb_key_u64(struct lmdb_key *k, uint64_t v);
struct lmdb_key lmdb_key_of(const void *p, size_t len);

/* ---- rows ---- */

/* ERR_NOTFOUND, or a failure.  ${ret_value} may be NULL. */
MUST_CHECK int lmdb_txn_get(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                            struct rd *ret_value);

/* Write or replace; a failure is kept and fails the commit. */
void lmdb_txn_put(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key,
                  const void *value, size_t len);
/* Put what is in t->row. */
void lmdb_txn_put_row(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key);
/* A missing row is fine. */
void lmdb_txn_del(struct lmdb_txn *t, enum lmdb_table table, const struct lmdb_key *key);

/* ---- walks over keys with a common front ---- */

struct lmdb_walk {
    struct lmdb_txn *t;
    MDB_cursor *cursor;
    enum lmdb_table table;
    size_t prefix, min_len; /* min_len: of a key; a shorter one is damage */
    uint8_t front[64];
    /* The row it stands on. */
    const uint8_t *key;
    size_t key_len;
    struct rd value;
};

/*
 * Stand on the first row at or behind ${start} whose first ${prefix} bytes are those of
 * ${start}.  True if there is one.  Always followed by lmdb_walk_end().
 */
bool lmdb_walk_start(struct lmdb_walk *w, struct lmdb_txn *t, enum lmdb_table table,
                     const struct lmdb_key *start, size_t prefix);
/* The same backwards: the last row before ${start}. */
bool lmdb_walk_start_before(struct lmdb_walk *w, struct lmdb_txn *t, enum lmdb_table table,
                            const struct lmdb_key *start, size_t prefix);
bool lmdb_walk_next(struct lmdb_walk *w);
bool lmdb_walk_prev(struct lmdb_walk *w);
/* Delete the row it stands on; lmdb_walk_next() then gives the one behind. */
void lmdb_walk_del(struct lmdb_walk *w);
void lmdb_walk_end(struct lmdb_walk *w);

#endif /* SERVER_STORE_LMDB_TXN_H */
