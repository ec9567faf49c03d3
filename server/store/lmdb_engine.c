/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_engine - the embedded store: opened, closed, counted, and what its steps (lmdb_steps.h)
 * share.
 *
 * Threads: one writer for the index, one for each body environment, a few
 * readers.  A job belongs to the thread whose queue it is in.
 * Durability: pieces are committed before the leaf that makes them count, small ones with it; rows
 * before their callback, but those of a small transfer's seal may be in the redo log alone for a
 * moment.  Bodies are written and deleted only by jobs that go through their
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
#include "server/store/lmdb_redo.h"
#include "server/store/lmdb_steps.h"

enum {
    INDEX_STEP = 16 << 20,
    INDEX_AHEAD = 32 << 20, /* for what is held: the map cannot grow meanwhile */
    BODY_STEP = 256 << 20,
    GATHER_US = 1000, /* much less than a crowd waits for its turn */
    READERS = 3,      /* two for bodies */
    READERS_MAX = 64,
    PAGE_BYTES = 3 << 19 /* of a page of rows, its array included */
};

static const uint64_t index_max = 64ULL << 30, body_max = 16ULL << 40;

/* ---- what steps share ---- */

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

static void submit(void *impl, struct store_job *job)
{
    lmdb_steps_begin(impl, job);
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
    st->redo_failures = e->redo != NULL ? lmdb_redo_failures(e->redo) : 0;
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

/* On a disk that is full the store does without: what is there can be read, and deleted. */
static int open_redo(struct lmdb_engine *e, const char *path, struct err *err)
{
    struct err full = {0};
    int rc = lmdb_redo_open(&e->redo, path, &full);

    if (rc == ERR_FULL)
        return ERR_OK;
    if (rc != ERR_OK && err != NULL)
        *err = full;
    return rc;
}

/* Version, number of bodies, what only the log has, counts: in one commit, if any of it is new. */
static int load_index(struct lmdb_engine *e, unsigned bodies, uint64_t bytes, struct err *err)
{
    struct lmdb_txn t = {.engine = e, .env = e->index};
    int mdb = lmdb_env_write(e->index, bytes, &t.txn), rc;

    if (mdb != 0)
        return err_set(err, lmdb_env_code(mdb), "cannot read the store: %s", mdb_strerror(mdb));
    rc = lmdb_meta_check(&t, bodies, &e->nbodies, err);
    if (rc == ERR_OK && e->redo != NULL)
        (void)lmdb_redo_replay(e->redo, &t);
    if (rc == ERR_OK)
        lmdb_meta_load_counts(&t);
    if (rc == ERR_OK && t.touched)
        lmdb_redo_mark(&t);
    if (rc == ERR_OK && t.hard != 0)
        rc = err_set(err, lmdb_txn_code(&t), "cannot read the store: %s", mdb_strerror(t.hard));
    if (rc != ERR_OK || !t.touched) {
        lmdb_env_abort(e->index, t.txn);
        return rc;
    }
    mdb = lmdb_env_commit(e->index, t.txn);
    if (mdb != 0)
        return err_set(err, lmdb_env_code(mdb), "cannot write to the store: %s", mdb_strerror(mdb));
    return ERR_OK;
}

static int open_index(struct lmdb_engine *e, const struct store_config *cfg, struct err *err)
{
    struct lmdb_env_config ec = {
        .tables = lmdb_tables_index,
        .ntables = T_INDEX_COUNT,
        .max = cfg->index_max > 0 ? cfg->index_max : index_max,
        .step = INDEX_STEP,
        .ahead = INDEX_AHEAD,
    };
    unsigned bodies = cfg->bodies > 0 ? cfg->bodies : 1;
    int rc = open_env(&e->index, cfg->path, "index", &ec, err), back;

    if (rc == ERR_OK)
        rc = open_redo(e, cfg->path, err);
    if (rc == ERR_OK)
        rc = load_index(e, bodies, 0, err);
    /* What only the log has must not keep a full store from being opened, and emptied. */
    if (rc == ERR_FULL && lmdb_env_overdraw(e->index, true) == 0) {
        rc = load_index(e, bodies, LMDB_REDO_LEN, err);
        back = lmdb_env_overdraw(e->index, false);
        (void)back; /* what was done is done */
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
                                    .run = lmdb_steps_run,
                                    .urgent = lmdb_steps_are_urgent,
                                    .passes = lmdb_steps_pass,
                                    .early = lmdb_uploads_early,
                                    .gathers = lmdb_seal_gathers,
                                    .gather_us = GATHER_US,
                                    .redo = e->redo,
                                    .records = lmdb_seal_records,
                                    .restored = lmdb_meta_restore_counts,
                                    .done = lmdb_steps_done,
                                    .before_keep = lmdb_meta_save_counts,
                                    .after_commit = lmdb_meta_add_counts};
    int rc = lmdb_writer_open(&e->index_writer, &wc, err);

    wc.before_keep = wc.after_commit = wc.restored = NULL;
    wc.redo = NULL;
    wc.records = NULL;
    wc.early = NULL;
    wc.gathers = NULL;
    wc.meta = T_BODY_META;
    wc.yields_to = e->index_writer;
    for (unsigned i = 0; i < e->nbodies && rc == ERR_OK; i++) {
        wc.env = e->bodies[i];
        rc = lmdb_writer_open(&e->body_writers[i], &wc, err);
    }
    if (rc == ERR_OK)
        rc = lmdb_readers_open(&e->readers, readers, lmdb_steps_read, e, err);
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
    lmdb_redo_close(e->redo);
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
