/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_steps - what must be done for a small send, by whoever does it.
 *
 * A sealer is the client's half: it draws keys, seals a body of 4 KiB (1 KiB, padded), metadata and
 * two slots, the recipient's and its own, and signs the header.  A keeper is the daemon's: it draws
 * and seals the seeds of both slots, derives their shares, checks the signature, and makes the rows
 * of proto/FORMATS.md section 14 durable by a record in a log like the redo log of 14.8.
 *
 * Every function ends the program when it fails.  Threads: one at a time for each sealer and each
 * keeper, but for the store of a keeper, which may have another thread than its shares.
 */
#ifndef TESTS_BENCH_BENCH_SMALL_STEPS_H
#define TESTS_BENCH_BENCH_SMALL_STEPS_H

#include <lmdb.h>
#include <time.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/rng.h"
#include "server/share_batch.h"
#include "server/store/lmdb_redo.h"
#include "tests/sample/sample.h"

enum {
    STEPS_SLOTS = 2,
    STEPS_FILE = 1024, /* bytes */
    STEPS_BODY = 4096,
    STEPS_SEALED_MAX = 16384,
    STEPS_TABLES = 7
};

/* Say ${what} and errno, and end the program, unless it is ${good}. */
void steps_must(bool good, const char *what);

/* Seconds of a clock. */
double steps_seconds(clockid_t clock);

/* ---- the client's half ---- */

struct sealer {
    struct sample_user user[STEPS_SLOTS]; /* to whom, and from whom */
    struct ed25519_key *signer;
    struct rng_hedge hedge;
};

/* What a send knows when its body is sealed. */
struct ticket {
    struct tid tid;
    struct uid uid[STEPS_SLOTS];
    uint8_t share[STEPS_SLOTS][2][SHARE_LEN];
};

/* All that leaves, one after the other, and where its parts are.  Zero-initialise; may be used
 * again and again. */
struct sealed {
    struct buf bytes;
    struct part piece, metadata, slot[STEPS_SLOTS], header, signature;
    struct hash32 leaf;
};

void steps_sealer(struct sealer *s);

/* The users of connection ${i}: on each one sends, and all send to one. */
void steps_users(const struct sealer *s, size_t i, struct uid ret_uid[STEPS_SLOTS]);

void steps_seal(struct sealer *s, const struct ticket *t, const uint8_t plain[STEPS_BODY],
                struct sealed *ret);

/* ---- the daemon's half ---- */

struct keeper {
    uint8_t device[IDS_KEY_LEN]; /* that all sign with */
    struct rng_hedge hedge;
    struct secret day_key;
    struct share_batch *batch;
    int cells;
    uint64_t cell; /* the next one */
    MDB_env *env;
    MDB_dbi tables[STEPS_TABLES];
    uint64_t next;      /* number of a transfer */
    int log;            /* like the redo log */
    size_t logged;      /* bytes of it in use */
    struct buf changes; /* that are not durable */
    MDB_txn *txn;       /* with all that no commit holds; NULL: there is nothing */
};

/* What is kept of a send. */
struct kept {
    struct uid uid[STEPS_SLOTS]; /* to whom, and from whom */
    struct part tid, cid, idem, body, rest;
    uint8_t seed[STEPS_SLOTS][SHARE_SEALED_LEN];
};

/*
 * With the key network of the file ${weights} and the folder ${store}, which is made if it is not
 * there.  Not to be carried over a fork.
 */
void steps_keeper(struct keeper *k, const char *weights, const char *store);

/* The seed of a slot: drawn, its key written to a cell, sealed under it, and to be derived from. */
void steps_seed(struct keeper *k, const struct share_place *place,
                uint8_t ret_sealed[SHARE_SEALED_LEN]);

/* All shares that are to be derived, in one run; they stay in the batch until the caller clears it.
 */
void steps_derive(struct keeper *k);

void steps_check(const struct keeper *k, struct part header, struct part signature);

/* Put the rows of one send. */
void steps_keep(struct keeper *k, const struct kept *kept);

/* All that were put are durable: by a record of the redo log, or, when it is full, a commit. */
void steps_durable(struct keeper *k);

#endif /* TESTS_BENCH_BENCH_SMALL_STEPS_H */
