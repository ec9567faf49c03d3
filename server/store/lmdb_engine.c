/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_engine - the embedded store: which steps make up an operation, and who runs them.
 *
 * Threads: one writer for the index, one for each body environment, a few
 * readers.  A job belongs to the thread whose queue it is in.
 * Durability: pieces are committed before the leaf that makes them count, small ones with it; rows
 * before their callback.  Bodies are written and deleted only by jobs that go through their
 * writer's queue: the collector, which comes behind the row of garbage it acts on, therefore sees
 * every piece whose writer still saw the upload.
 */
#include "server/store/lmdb_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/fs.h"
#include "server/store/lmdb_meta.h"

enum {
    INDEX_STEP = 16 << 20,
    BODY_STEP = 256 << 20,
    GATHER_US = 1000, /* much less than a crowd waits for its turn */
    READERS = 3,      /* two for bodies */
    READERS_MAX = 64,
    PAGE_BYTES = 3 << 19 /* of a page of rows, its array included */
};

static const uint64_t index_max = 64ULL << 30, body_max = 16ULL << 40;

/* ---- steps ---- */

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
    [STORE_OP_piece_put] = {{BODY, lmdb_bodies_put}, {INDEX, lmdb_uploads_leaf}},
    /* Behind the commit of what was opened early. */
    [STORE_OP_upload_pieces] = {{INDEX, NULL}, {READ, lmdb_uploads_pieces}},
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

unsigned lmdb_engine_body(const struct lmdb_engine *e, const uint8_t *tid)
{
    return tid[0] % e->nbodies;
}

int lmdb_engine_read(struct lmdb_engine *e, struct lmdb_env *env, struct lmdb_txn *ret_t)
{
    struct lmdb_txn t = {.engine = e, .env = env};
    int rc = lmdb_env_read(env, &t.txn);

    if (rc != 0)
        return lmdb_env_code(rc);
    *ret_t = t;
    return ERR_OK;
}

void lmdb_engine_read_end(struct lmdb_txn *t)
{
    if (t->txn != NULL)
        lmdb_env_read_end(t->env, t->txn);
    t->txn = NULL;
    buf_free(&t->row);
}

void *lmdb_engine_alloc(struct lmdb_txn *t, struct store_result *res, size_t len)
{
    void *p = store_result_alloc(res, len);

    if (p == NULL)
        (void)lmdb_txn_fail(t, ENOMEM);
    return p;
}

struct store_blob lmdb_engine_keep(struct lmdb_txn *t, struct store_result *res,
                                   const struct store_blob *b)
{
    uint8_t *p = b->len > 0 ? lmdb_engine_alloc(t, res, b->len) : NULL;

    if (p == NULL)
        return (struct store_blob){0};
    memcpy(p, b->data, b->len);
    return (struct store_blob){p, b->len};
}

bool lmdb_engine_page_open(const struct store_result *res, size_t limit)
{
    return res->count < limit && (res->count == 0 || res->bytes < PAGE_BYTES);
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
        lmdb_writer_submit(e->index_writer, job);
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
 * A writer is through with a step of these jobs.  Those that came in one commit stay together:
 * one by one, the leaf of the first piece would get a commit for itself and the others wait for
 * it, and the loop would wake up for each of them.
 */
static void on_steps(struct lmdb_engine *e, struct store_job *first)
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

static int run_step(struct lmdb_txn *t, struct store_job *job)
{
    return step_of(job)->run(t, job);
}

static bool step_passes(const struct store_job *job)
{
    return step_of(job)->run == NULL;
}

static bool is_urgent(const struct store_job *job)
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

static void run_read(struct lmdb_engine *e, struct store_job *job)
{
    enum place place = step_of(job)->place;
    struct lmdb_txn t = {.engine = e}, body = {0};
    int rc = ERR_OK;

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
    job->res->code = rc;
    store_job_done(job);
}

/* Small pieces are rows of the index, and a body of nothing else has no other pieces. */
static bool passes_bodies(const struct store_job *job)
{
    return (job->op == STORE_OP_piece_put && job->in->piece_put.len <= STORE_SMALL_MAX) ||
           (job->op == STORE_OP_upload_seal && job->in->upload_seal.body_len <= STORE_SMALL_MAX);
}

static void submit(void *impl, struct store_job *job)
{
    struct lmdb_engine *e = impl;

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

/* ---- counters ---- */

static void add_writer(const struct lmdb_writer *w, struct store_stats *st)
{
    struct lmdb_writer_stats ws;

    lmdb_writer_stats(w, &ws);
    st->commits += ws.commits;
    st->committed += ws.committed;
    st->commit_us += ws.commit_us;
    if (st->largest_commit < ws.largest)
        st->largest_commit = ws.largest;
}

static void stats(const void *impl, struct store_stats *st)
{
    const struct lmdb_engine *e = impl;
    struct lmdb_env_stats es;

    st->users = e->counts[LMDB_USERS];
    st->transfers = e->counts[LMDB_TRANSFERS];
    st->uploads = e->counts[LMDB_UPLOADS];
    st->pieces = e->counts[LMDB_LEAVES];
    lmdb_env_stats(e->index, &es);
    st->index_used = es.used;
    st->index_map = es.map;
    st->readers = es.readers;
    st->reopened = es.reopened;
    add_writer(e->index_writer, st);
    for (unsigned i = 0; i < e->nbodies; i++) {
        lmdb_env_stats(e->bodies[i], &es);
        st->body_used += es.used;
        st->body_map += es.map;
        st->readers += es.readers;
        st->reopened += es.reopened;
        add_writer(e->body_writers[i], st);
    }
}

/* ---- open ---- */

/* One process at a time: order and the collector rely on it. */
static int lock_store(struct lmdb_engine *e, const char *path, struct err *err)
{
    char *file = fs_join(path, "store.lock");
    int rc = ERR_OK;

    if (file == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    e->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_fd < 0)
        rc = err_sys(err, errno, "cannot open '%s'", file);
    else if (flock(e->lock_fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK
                 ? err_set(err, ERR_BUSY, "the store in '%s' is open in another process", path)
                 : err_sys(err, errno, "cannot lock '%s'", file);
    free(file);
    return rc;
}

static int open_env(struct lmdb_env **ret, const char *path, const char *name,
                    struct lmdb_env_config *cfg, struct err *err)
{
    char *dir = fs_join(path, name);
    int rc;

    if (dir == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    cfg->path = dir;
    rc = lmdb_env_open(ret, cfg, err);
    free(dir);
    return rc;
}

static int open_index(struct lmdb_engine *e, const struct store_config *cfg, struct err *err)
{
    struct lmdb_env_config ec = {
        .tables = lmdb_tables_index,
        .ntables = T_INDEX_COUNT,
        .max = cfg->index_max > 0 ? cfg->index_max : index_max,
        .step = INDEX_STEP,
    };
    struct lmdb_txn t = {.engine = e};
    int rc = open_env(&e->index, cfg->path, "index", &ec, err), mdb;

    if (rc != ERR_OK)
        return rc;
    t.env = e->index;
    mdb = lmdb_env_write(e->index, 0, &t.txn);
    if (mdb != 0)
        return err_set(err, lmdb_env_code(mdb), "cannot read the store: %s", mdb_strerror(mdb));
    rc = lmdb_meta_check(&t, cfg->bodies > 0 ? cfg->bodies : 1, &e->nbodies, err);
    lmdb_meta_load_counts(&t);
    if (rc == ERR_OK && t.hard != 0)
        rc = err_set(err, lmdb_txn_code(&t), "cannot read the store: %s", mdb_strerror(t.hard));
    if (rc == ERR_OK && t.touched) {
        mdb = lmdb_env_commit(e->index, t.txn);
        if (mdb != 0)
            rc = err_set(err, lmdb_env_code(mdb), "cannot write to the store: %s",
                         mdb_strerror(mdb));
    } else {
        lmdb_env_abort(e->index, t.txn);
    }
    return rc;
}

static int open_bodies(struct lmdb_engine *e, const struct store_config *cfg, struct err *err)
{
    struct lmdb_env_config ec = {
        .tables = lmdb_tables_bodies,
        .ntables = T_BODY_COUNT,
        .max = cfg->body_max > 0 ? cfg->body_max : body_max,
        .step = cfg->step > 0 ? cfg->step : BODY_STEP,
        .leaves_room = true,
        .drops_behind = true,
    };
    char name[24];
    int rc = ERR_OK;

    for (unsigned i = 0; i < e->nbodies && rc == ERR_OK; i++) {
        (void)snprintf(name, sizeof(name), "bodies-%02u", i);
        rc = open_env(&e->bodies[i], cfg->path, name, &ec, err);
    }
    return rc;
}

static int start_threads(struct lmdb_engine *e, unsigned readers, struct err *err)
{
    struct lmdb_writer_config wc = {.engine = e,
                                    .env = e->index,
                                    .meta = T_META,
                                    .run = run_step,
                                    .urgent = is_urgent,
                                    .passes = step_passes,
                                    .early = lmdb_uploads_early,
                                    .gathers = lmdb_seal_gathers,
                                    .gather_us = GATHER_US,
                                    .done = on_steps,
                                    .before_commit = lmdb_meta_save_counts,
                                    .after_commit = lmdb_meta_add_counts};
    int rc = lmdb_writer_open(&e->index_writer, &wc, err);

    wc.before_commit = wc.after_commit = NULL;
    wc.early = NULL;
    wc.gathers = NULL;
    wc.meta = T_BODY_META;
    wc.yields_to = e->index_writer;
    for (unsigned i = 0; i < e->nbodies && rc == ERR_OK; i++) {
        wc.env = e->bodies[i];
        rc = lmdb_writer_open(&e->body_writers[i], &wc, err);
    }
    if (rc == ERR_OK)
        rc = lmdb_readers_open(&e->readers, readers, run_read, e, err);
    return rc;
}

static void close_engine(void *impl)
{
    struct lmdb_engine *e = impl;

    lmdb_readers_close(e->readers);
    for (unsigned i = 0; i < e->nbodies; i++)
        lmdb_writer_close(e->body_writers[i]);
    lmdb_writer_close(e->index_writer);
    for (unsigned i = 0; i < e->nbodies; i++)
        lmdb_env_close(e->bodies[i]);
    lmdb_env_close(e->index);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    free(e);
}

static int open_engine(void **ret_impl, const struct store_config *cfg, struct err *err)
{
    struct lmdb_engine *e = calloc(1, sizeof(*e));
    unsigned readers = cfg->readers > 0 ? cfg->readers : READERS;
    int rc;

    if (e == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    e->lock_fd = -1;
    if (cfg->bodies > LMDB_BODIES_MAX || readers > READERS_MAX)
        rc = err_set(err, ERR_INVALID, "at most %d body environments and %d reading threads",
                     LMDB_BODIES_MAX, READERS_MAX);
    else
        rc = fs_mkdirs(cfg->path, 0700, err);
    if (rc == ERR_OK)
        rc = lock_store(e, cfg->path, err);
    if (rc == ERR_OK)
        rc = open_index(e, cfg, err);
    if (rc == ERR_OK)
        rc = open_bodies(e, cfg, err);
    if (rc == ERR_OK)
        rc = fs_sync_dir(cfg->path, err); /* new files are found again after a power cut */
    if (rc == ERR_OK)
        rc = start_threads(e, readers, err);
    if (rc != ERR_OK) {
        close_engine(e);
        return rc;
    }
    *ret_impl = e;
    return ERR_OK;
}

const struct store_ops store_lmdb_ops = {
    .name = "lmdb",
    .open = open_engine,
    .close = close_engine,
    .submit = submit,
    .stats = stats,
};
