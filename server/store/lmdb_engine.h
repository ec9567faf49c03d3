/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_engine - what the parts of the LMDB engine share.
 *
 * Each operation is a row of one or more steps (lmdb_steps.c); each step runs
 * inside a transaction on the thread that owns it: a reader, the index writer or the
 * writer of a body environment.  A step returns the operation's code; ERR_OK leads to
 * the next step.  A step that fails should do so before its first change: otherwise
 * its batch is undone and done again.  Steps may run again after an undo.
 */
#ifndef SERVER_STORE_LMDB_ENGINE_H
#define SERVER_STORE_LMDB_ENGINE_H

#include <stdatomic.h>

#include "server/store/lmdb_env.h"
#include "server/store/lmdb_readers.h"
#include "server/store/lmdb_rows.h"
#include "server/store/lmdb_txn.h"
#include "server/store/lmdb_writer.h"
#include "server/store/store_engine.h"

enum { LMDB_BODIES_MAX = 16, LMDB_SCHEMA = 3 };

/* job->phase: number of the step; LAST: none is left. */
enum { LMDB_PHASE_LAST = 1000 };

/* job->note, from step to step: not 0 if this was the last; of a collect. */
enum { LMDB_NOTE_LAST, LMDB_NOTE_UPLOADS, LMDB_NOTE_PIECES, LMDB_NOTE_MORE };

struct lmdb_engine {
    struct lmdb_env *index, *bodies[LMDB_BODIES_MAX];
    struct lmdb_writer *index_writer, *body_writers[LMDB_BODIES_MAX];
    struct lmdb_readers *readers;
    struct lmdb_redo *redo; /* of the index */
    unsigned nbodies;
    int lock_fd;
    /* Index writer; the others only look. */
    atomic_uint_fast64_t counts[LMDB_COUNTERS];
    uint64_t next_number;
};

/* The body environment of a transfer. */
unsigned lmdb_engine_body(const struct lmdb_engine *e, const uint8_t *tid);

/* A read beside the transaction under way; with one of the index open, none of bodies may follow.
 */
MUST_CHECK int lmdb_engine_read(struct lmdb_engine *e, struct lmdb_env *env,
                                struct lmdb_txn *ret_t);
void lmdb_engine_read_end(struct lmdb_txn *t); /* also of one that was never begun */

/* True while a page takes another row: below ${limit}, and not too many bytes yet. */
bool lmdb_engine_page_open(const struct store_result *res, size_t limit);

/* Room in a result; NULL, and a failure that sticks in ${t}, when out of memory. */
void *lmdb_engine_alloc(struct lmdb_txn *t, struct store_result *res, size_t len);

/* A copy of ${b} in a result. */
struct store_blob lmdb_engine_keep(struct lmdb_txn *t, struct store_result *res,
                                   const struct store_blob *b);

/* ---- steps: int lmdb_<file>_<step>(t, job) ---- */
#define STEP(name) int name(struct lmdb_txn *t, struct store_job *job)

STEP(lmdb_users_create);
STEP(lmdb_users_get);
STEP(lmdb_users_list);
STEP(lmdb_users_set_quota);
STEP(lmdb_users_set_state);
STEP(lmdb_gone_mark);
STEP(lmdb_gone_clear);
STEP(lmdb_blocks_set);
STEP(lmdb_accounts_put);
STEP(lmdb_accounts_get);
STEP(lmdb_manifests_put);
STEP(lmdb_manifests_list);
STEP(lmdb_invites_create);
STEP(lmdb_invites_list);
STEP(lmdb_factors_get);
STEP(lmdb_factors_put);
STEP(lmdb_uploads_check);
STEP(lmdb_uploads_open);
STEP(lmdb_uploads_get);
STEP(lmdb_uploads_abort);
STEP(lmdb_pieces_leaf);
STEP(lmdb_pieces_list);
STEP(lmdb_seal_run);
STEP(lmdb_bodies_put);
STEP(lmdb_bodies_get);
STEP(lmdb_bodies_collect);
STEP(lmdb_collect_choose);
STEP(lmdb_collect_rows);
STEP(lmdb_mail_find);
STEP(lmdb_mail_inbox);
STEP(lmdb_mail_sent);
STEP(lmdb_mail_slot);
STEP(lmdb_mail_transfer);
STEP(lmdb_mail_leaves);
STEP(lmdb_slots_update);
STEP(lmdb_slots_delete);
STEP(lmdb_life_revoke);
STEP(lmdb_extend_run);
STEP(lmdb_slots_expired);
STEP(lmdb_events_append);
STEP(lmdb_events_list);
STEP(lmdb_feed_list);
STEP(lmdb_slots_cells_due);
STEP(lmdb_slots_cells_done);
STEP(lmdb_instances_run);
STEP(lmdb_verify_run);

#undef STEP

/* May ${job} be answered before its commit? */
bool lmdb_uploads_early(const struct store_job *job);

/* Is it the seal of a small body, which is all rows of the index? */
bool lmdb_seal_records(const struct store_job *job);

/* Is it the one commit of a small send, and the last of a large one?  (lmdb_writer.h) */
bool lmdb_seal_gathers(const struct store_job *job);

/*
 * Is there an upload that may take this piece?  ERR_OK with res->duplicate: it has it already;
 * ${ret_u} is then not set.
 */
MUST_CHECK int lmdb_pieces_check(struct lmdb_txn *t, const struct store_piece_put *in,
                                 struct store_result *res, struct lmdb_upload *ret_u);

/* Put the leaf of a piece, and a small piece with it.  ${res} says duplicate if it was there. */
MUST_CHECK int lmdb_pieces_add(struct lmdb_txn *t, const struct store_piece_put *in,
                               struct store_result *res);

/* The key in "gone-names" of a name that a deleted user had.  ERR_NOMEM, which sticks. */
MUST_CHECK int lmdb_gone_name(struct lmdb_txn *t, const void *name, size_t len,
                              struct lmdb_key *ret);

/* The deleted user ${uid} has something again that is to be cleared. */
void lmdb_gone_again(struct lmdb_txn *t, const uint8_t *uid, uint64_t now);

#endif /* SERVER_STORE_LMDB_ENGINE_H */
