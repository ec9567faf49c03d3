/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_steps - which steps make up each operation of the LMDB engine, and on whose thread each of
 * them runs.  For lmdb_engine.c alone; what a step is stands in lmdb_engine.h.
 *
 * A job is handed from queue to queue: lmdb_steps_begin() puts it into the first, a reader ends it
 * after its one step, a writer gives it back with lmdb_steps_done() to go on to the next.
 * Threads: as each says; none of these blocks but lmdb_steps_run() and lmdb_steps_read(), on the
 * disk.
 */
#ifndef SERVER_STORE_LMDB_STEPS_H
#define SERVER_STORE_LMDB_STEPS_H

#include "server/store/store_engine.h"

struct lmdb_engine;
struct lmdb_txn;

/* Any thread: take a new job. */
void lmdb_steps_begin(struct lmdb_engine *e, struct store_job *job);

/* A reader's thread: run the job's step with the snapshots that it needs, and answer it. */
void lmdb_steps_read(struct lmdb_engine *e, struct store_job *job);

/* A writer's thread: run the job's step inside ${t}; its code, as struct lmdb_writer_config has it.
 */
MUST_CHECK int lmdb_steps_run(struct lmdb_txn *t, struct store_job *job);

/* Does the job only keep its place in the queue? */
bool lmdb_steps_pass(const struct store_job *job);

/* Does it make room, so that it may use what is set aside for a store that is full? */
bool lmdb_steps_are_urgent(const struct store_job *job);

/*
 * A writer's thread: it is through with a step of these jobs, a chain through `next`, whose codes
 * are set.  Each goes on to the queue of its next step, or is answered.
 */
void lmdb_steps_done(struct lmdb_engine *e, struct store_job *first);

#endif /* SERVER_STORE_LMDB_STEPS_H */
