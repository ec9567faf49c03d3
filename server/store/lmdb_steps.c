/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_steps.h"

#include <string.h>

#include "server/store/lmdb_engine.h"

/* ---- the table ---- */

/*
 * READ: with a snapshot of the index.  READ_BODY: with one of the transfer's body environment too.
 * READ_ITSELF: takes its own.  Whoever holds both takes the bodies' first: one order
 * for everybody keeps the gates (lmdb_env.h) from a deadlock.
 */
enum place { NOWHERE, READ, READ_BODY, READ_ITSELF, INDEX, BODY };

struct step {
    enum place place;
    int (*run)(struct lmdb_txn *t, struct store_job *job); /* NULL: only keep the order */
};

enum { STEPS_MAX = 3 };

static const struct step steps[STORE_OP_COUNT][STEPS_MAX] = {
    [STORE_OP_user_create] = {{INDEX, lmdb_users_create}},
    [STORE_OP_user_get] = {{READ, lmdb_users_get}},
    [STORE_OP_user_list] = {{READ, lmdb_users_list}},
    [STORE_OP_user_set_quota] = {{INDEX, lmdb_users_set_quota}},
    [STORE_OP_user_set_state] = {{INDEX, lmdb_users_set_state}},
    [STORE_OP_user_delete] = {{INDEX, lmdb_gone_mark}},
    [STORE_OP_user_clear] = {{INDEX, lmdb_gone_clear}},
    [STORE_OP_block_set] = {{INDEX, lmdb_blocks_set}},
    [STORE_OP_account_put] = {{INDEX, lmdb_accounts_put}},
    [STORE_OP_account_get] = {{READ, lmdb_accounts_get}},
    [STORE_OP_manifest_put] = {{INDEX, lmdb_manifests_put}},
    [STORE_OP_manifest_list] = {{READ, lmdb_manifests_list}},
    [STORE_OP_invite_create] = {{INDEX, lmdb_invites_create}},
    [STORE_OP_invite_list] = {{READ, lmdb_invites_list}},
    [STORE_OP_factor_get] = {{READ, lmdb_factors_get}},
    [STORE_OP_factor_put] = {{INDEX, lmdb_factors_put}},
    [STORE_OP_upload_check] = {{READ, lmdb_uploads_check}},
    [STORE_OP_upload_open] = {{INDEX, lmdb_uploads_open}},
    [STORE_OP_upload_get] = {{INDEX, lmdb_uploads_get}},
    [STORE_OP_piece_put] = {{BODY, lmdb_bodies_put}, {INDEX, lmdb_pieces_leaf}},
    /* Behind the commit of what was opened early. */
    [STORE_OP_upload_pieces] = {{INDEX, NULL}, {READ, lmdb_pieces_list}},
    /* Behind the pieces that were started before, and in the commit of their leaves. */
    [STORE_OP_upload_seal] = {{BODY, NULL}, {INDEX, lmdb_seal_run}},
    [STORE_OP_upload_abort] = {{BODY, NULL}, {INDEX, lmdb_uploads_abort}},
    [STORE_OP_collect] = {{INDEX, lmdb_collect_choose},
                          {BODY, lmdb_bodies_collect},
                          {INDEX, lmdb_collect_rows}},
    [STORE_OP_inbox_list] = {{READ, lmdb_mail_inbox}},
    [STORE_OP_sent_list] = {{READ, lmdb_mail_sent}},
    [STORE_OP_slot_get] = {{READ, lmdb_mail_slot}},
    [STORE_OP_transfer_get] = {{READ, lmdb_mail_transfer}},
    [STORE_OP_mail_find] = {{READ, lmdb_mail_find}},
    [STORE_OP_leaves_get] = {{READ, lmdb_mail_leaves}},
    [STORE_OP_pieces_get] = {{READ_BODY, lmdb_bodies_get}},
    [STORE_OP_slot_update] = {{INDEX, lmdb_slots_update}},
    [STORE_OP_slot_delete] = {{INDEX, lmdb_slots_delete}},
    [STORE_OP_extend] = {{INDEX, lmdb_extend_run}},
    [STORE_OP_revoke] = {{INDEX, lmdb_life_revoke}},
    [STORE_OP_expired_list] = {{READ, lmdb_slots_expired}},
    [STORE_OP_event_append] = {{INDEX, lmdb_events_append}},
    [STORE_OP_feed_list] = {{READ, lmdb_feed_list}},
    [STORE_OP_event_list] = {{READ, lmdb_events_list}},
    [STORE_OP_cells_due] = {{READ, lmdb_slots_cells_due}},
    [STORE_OP_cells_done] = {{INDEX, lmdb_slots_cells_done}},
    [STORE_OP_instances] = {{READ, lmdb_instances_run}},
    [STORE_OP_verify] = {{READ_ITSELF, lmdb_verify_run}},
};

static const struct step *step_of(const struct store_job *job)
{
    static const struct step nowhere = {NOWHERE, NULL};

    return job->phase < STEPS_MAX ? &steps[job->op][job->phase] : &nowhere;
}

/* ---- running them ---- */

/* Does the daemon ask for it by itself?  Then nobody waits for it. */
static bool is_housekeeping(const struct store_job *job)
{
    const union store_request *in = job->in;

    return job->op == STORE_OP_collect || (job->op == STORE_OP_user_clear && in->user_clear.any) ||
           (job->op == STORE_OP_cells_done && in->cells_done.background) ||
           (job->op == STORE_OP_slot_update && in->slot_update.move == STORE_MOVE_EXPIRE);
}

static void write_index(struct lmdb_engine *e, struct store_job *job)
{
    job->next = NULL;
    if (is_housekeeping(job))
        lmdb_writer_submit_all(e->index_writer, job);
    else
        lmdb_writer_submit(e->index_writer, job);
}

/* Hand ${job} to whoever runs its next step. */
static void go(struct lmdb_engine *e, struct store_job *job)
{
    switch (step_of(job)->place) {
    case READ:
        lmdb_readers_submit(e->readers, LMDB_READ_SHORT, job);
        break;
    case READ_BODY:
    case READ_ITSELF:
        lmdb_readers_submit(e->readers, LMDB_READ_LONG, job);
        break;
    case INDEX:
        write_index(e, job);
        break;
    case BODY:
        lmdb_writer_submit(e->body_writers[lmdb_engine_body(e, job->tid)], job);
        break;
    case NOWHERE:
        store_job_done(job);
        break;
    }
}

/* Jobs that go the same way together. */
struct chain {
    struct store_job *first, **last;
};

static void add_to(struct chain *c, struct store_job *job)
{
    job->next = NULL;
    *c->last = job;
    c->last = &job->next;
}

/*
 * Those that came in one commit stay together: one by one, the leaf of the first piece would get a
 * commit for itself and the others wait for it, and the loop would wake up for each of them.
 */
void lmdb_steps_done(struct lmdb_engine *e, struct store_job *first)
{
    struct chain index = {NULL, &index.first}, home = {NULL, &home.first};

    for (struct store_job *job = first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->res->code != ERR_OK || job->res->duplicate || job->note[LMDB_NOTE_LAST])
            job->phase = LMDB_PHASE_LAST;
        else
            job->phase++;
        if (step_of(job)->place == INDEX)
            add_to(&index, job);
        else if (step_of(job)->place == NOWHERE)
            add_to(&home, job);
        else
            go(e, job);
    }
    if (index.first != NULL)
        lmdb_writer_submit_all(e->index_writer, index.first);
    if (home.first != NULL)
        store_jobs_done(home.first);
}

int lmdb_steps_run(struct lmdb_txn *t, struct store_job *job)
{
    return step_of(job)->run(t, job);
}

bool lmdb_steps_pass(const struct store_job *job)
{
    return step_of(job)->run == NULL;
}

bool lmdb_steps_are_urgent(const struct store_job *job)
{
    static const bool urgent[STORE_OP_COUNT] = {
        [STORE_OP_upload_abort] = true, [STORE_OP_collect] = true,
        [STORE_OP_slot_update] = true,  [STORE_OP_slot_delete] = true,
        [STORE_OP_cells_done] = true,   [STORE_OP_user_set_state] = true,
        [STORE_OP_revoke] = true,       [STORE_OP_user_set_quota] = true,
        [STORE_OP_user_delete] = true,  [STORE_OP_user_clear] = true,
    };

    return urgent[job->op];
}

static int run_read_with(struct lmdb_txn *t, struct store_job *job)
{
    int rc = step_of(job)->run(t, job);

    if (t->hard != 0)
        rc = store_fail(job->res, lmdb_txn_code(t), "the read failed: %s", mdb_strerror(t->hard));
    return rc;
}

/* A list, or a sum, is to have in it what was acknowledged a moment ago. */
static bool shows_all(const struct store_job *job)
{
    static const bool all[STORE_OP_COUNT] = {
        [STORE_OP_user_get] = true,  [STORE_OP_user_list] = true, [STORE_OP_inbox_list] = true,
        [STORE_OP_sent_list] = true, [STORE_OP_mail_find] = true, [STORE_OP_feed_list] = true,
        [STORE_OP_instances] = true, [STORE_OP_verify] = true,
    };

    return all[job->op];
}

static int read_once(struct lmdb_engine *e, struct store_job *job)
{
    enum place place = step_of(job)->place;
    struct lmdb_txn t = {.engine = e}, body = {0};
    int rc = ERR_OK;

    store_result_reset(job->res);
    if (place == READ_BODY)
        rc = lmdb_engine_read(e, e->bodies[lmdb_engine_body(e, job->tid)], &body);
    if (rc == ERR_OK && place != READ_ITSELF)
        rc = lmdb_engine_read(e, e->index, &t);
    if (rc == ERR_OK) {
        t.body = &body;
        rc = run_read_with(&t, job);
    }
    lmdb_engine_read_end(&t);
    lmdb_engine_read_end(&body);
    return rc;
}

/* An upload may be there before the piece that came with its seal. */
static bool is_missing(const struct store_job *job, int rc)
{
    return rc == ERR_NOTFOUND ||
           (rc == ERR_OK && job->op == STORE_OP_leaves_get && job->res->count == 0);
}

/*
 * What only a record holds is not in a snapshot yet.  It is seals of small transfers, whole: who
 * asks for one either finds all of it, or nothing and looks again.
 */
void lmdb_steps_read(struct lmdb_engine *e, struct store_job *job)
{
    int rc;

    if (shows_all(job))
        (void)lmdb_writer_settle(e->index_writer);
    rc = read_once(e, job);
    if (is_missing(job, rc) && lmdb_writer_settle(e->index_writer))
        rc = read_once(e, job);
    job->res->code = rc;
    store_job_done(job);
}

/* Small pieces are rows of the index, and a body of nothing else has no other pieces. */
static bool passes_bodies(const struct store_job *job)
{
    return (job->op == STORE_OP_piece_put && job->in->piece_put.len <= STORE_SMALL_MAX) ||
           (job->op == STORE_OP_upload_seal && job->in->upload_seal.body_len <= STORE_SMALL_MAX);
}

void lmdb_steps_begin(struct lmdb_engine *e, struct store_job *job)
{
    /* Those that need a body environment. */
    if (job->op == STORE_OP_piece_put)
        memcpy(job->tid, job->in->piece_put.tid, STORE_TID_LEN);
    else if (job->op == STORE_OP_pieces_get)
        memcpy(job->tid, job->in->pieces_get.tid, STORE_TID_LEN);
    else if (job->op == STORE_OP_upload_seal)
        memcpy(job->tid, job->in->upload_seal.tid, STORE_TID_LEN);
    else if (job->op == STORE_OP_upload_abort)
        memcpy(job->tid, job->in->upload_abort.tid, STORE_TID_LEN);
    if (passes_bodies(job))
        job->phase++;
    go(e, job);
}
