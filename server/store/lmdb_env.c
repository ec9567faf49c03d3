/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/fs.h"
#include "server/store/lmdb_env_priv.h"

enum {
    RESIZE_TRIES = 8,
    CACHED = 128 << 20, /* what has come last stays in the page cache */
    DROP_STEP = 32 << 20,
};

int lmdb_env_code(int mdb)
{
    static const struct {
        int mdb, code;
    } map[] = {
        {0, ERR_OK},
        {MDB_NOTFOUND, ERR_NOTFOUND},
        {MDB_MAP_FULL, ERR_FULL},
        {ENOSPC, ERR_FULL},
        {EDQUOT, ERR_FULL},
        {EFBIG, ERR_FULL},
        {ENOMEM, ERR_NOMEM},
        {MDB_READERS_FULL, ERR_BUSY},
        {MDB_CORRUPTED, ERR_CORRUPT},
        {MDB_PAGE_NOTFOUND, ERR_CORRUPT},
        {MDB_INVALID, ERR_CORRUPT},
        {MDB_VERSION_MISMATCH, ERR_UNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (map[i].mdb == mdb)
            return map[i].code;
    return ERR_IO;
}

/* Learn size and use again.  The gate is held, shared or alone. */
static void note_sizes(struct lmdb_env *e)
{
    MDB_envinfo info;
    MDB_stat st;

    if (mdb_env_info(e->env, &info) != 0 || mdb_env_stat(e->env, &st) != 0)
        return;
    e->used = (info.me_last_pgno + 1) * (uint64_t)st.ms_psize;
    e->map = info.me_mapsize;
    e->page = st.ms_psize;
}

/* Count the pages that ${txn} has in its tables. */
static uint64_t count_live(const struct lmdb_env *e, MDB_txn *txn)
{
    uint64_t bytes = 0;
    MDB_stat st;

    for (unsigned i = 0; i < e->ntables; i++)
        if (mdb_stat(txn, e->dbi[i], &st) == 0)
            bytes += (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) *
                     (uint64_t)st.ms_psize;
    return bytes;
}

/* ---- open, close, open again ---- */

static int open_tables(struct lmdb_env *e)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    for (unsigned i = 0; rc == 0 && i < e->ntables; i++)
        rc = mdb_dbi_open(txn, e->tables[i], MDB_CREATE, &e->dbi[i]);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    if (e->leaves_room)
        e->live = count_live(e, txn);
    return mdb_txn_commit(txn);
}

/* The gate is held alone, or nobody else has ${e} yet. */
static int open_env(struct lmdb_env *e)
{
    mdb_filehandle_t fd;
    struct stat st = {0};
    int dead = 0;
    int rc = mdb_env_create(&e->env);

    if (rc != 0) {
        e->env = NULL;
        return rc;
    }
    rc = mdb_env_set_mapsize(e->env, lmdb_env_first_map(e));
    if (rc == 0)
        rc = mdb_env_set_maxdbs(e->env, LMDB_ENV_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_open(e->env, e->path, MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_reader_check(e->env, &dead);
    if (rc == 0)
        rc = open_tables(e);
    if (rc == 0)
        rc = mdb_env_get_fd(e->env, &fd);
    if (rc == 0)
        rc = fstat(fd, &st) == 0 ? 0 : errno;
    if (rc != 0) {
        mdb_env_close(e->env);
        e->env = NULL;
        return rc;
    }
    e->file_size = (uint64_t)st.st_size;
    note_sizes(e);
    e->dropped = e->used;
    return 0;
}

static int env_setup(struct lmdb_env *e, const struct lmdb_env_config *cfg)
{
    pthread_rwlockattr_t attr;

    /* Without this a stream of readers would keep the writer from growing the map for ever. */
    if (pthread_rwlockattr_init(&attr) != 0)
        return ENOMEM;
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&e->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    e->path = strdup(cfg->path);
    e->tables = cfg->tables;
    e->ntables = cfg->ntables;
    e->max = cfg->max;
    e->ahead = cfg->ahead;
    e->step = cfg->step;
    e->leaves_room = cfg->leaves_room;
    e->drops_behind = cfg->drops_behind;
    return e->path != NULL ? 0 : ENOMEM;
}

int lmdb_env_open(struct lmdb_env **ret_e, const struct lmdb_env_config *cfg, struct err *err)
{
    struct lmdb_env *e = calloc(1, sizeof(*e));
    int rc;

    if (e == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rc = env_setup(e, cfg);
    if (rc == 0 && fs_mkdirs(cfg->path, 0700, err) != ERR_OK) {
        lmdb_env_close(e);
        return ERR_IO;
    }
    if (rc == 0)
        rc = open_env(e);
    if (rc == 0)
        rc = fs_sync_dir(cfg->path, err);
    else
        rc = err_set(err, lmdb_env_code(rc), "cannot open '%s': %s", cfg->path, mdb_strerror(rc));
    if (rc == ERR_OK)
        *ret_e = e;
    else
        lmdb_env_close(e);
    return rc;
}

void lmdb_env_close(struct lmdb_env *e)
{
    if (e == NULL)
        return;
    if (e->env != NULL)
        mdb_env_close(e->env);
    if (e->path != NULL)
        pthread_rwlock_destroy(&e->gate);
    free(e->path);
    free(e);
}

MDB_dbi lmdb_env_table(const struct lmdb_env *e, unsigned i)
{
    return e->dbi[i];
}

/* Open again what has failed, unless another thread did so after ${generation}. */
static int repair(struct lmdb_env *e, uint64_t generation)
{
    int rc = 0;

    pthread_rwlock_wrlock(&e->gate);
    if (e->generation == generation) {
        if (e->env != NULL)
            mdb_env_close(e->env);
        e->env = NULL;
        rc = open_env(e);
        if (rc == 0) {
            e->generation++;
            e->reopened++;
        }
    }
    pthread_rwlock_unlock(&e->gate);
    return rc;
}

int lmdb_env_resize(struct lmdb_env *e, uint64_t size)
{
    int rc = 0;

    pthread_rwlock_wrlock(&e->gate);
    if (e->env == NULL) {
        pthread_rwlock_unlock(&e->gate);
        return 0;
    }
    rc = mdb_env_set_mapsize(e->env, size);
    if (rc == 0) {
        note_sizes(e);
    } else {
        /* The old map is gone: start over with it. */
        mdb_env_close(e->env);
        e->env = NULL;
        if (open_env(e) == 0)
            e->generation++;
    }
    pthread_rwlock_unlock(&e->gate);
    return rc;
}

/* ---- transactions ---- */

/* Pass the gate and begin.  On success the gate stays held, shared. */
static int begin(struct lmdb_env *e, unsigned flags, MDB_txn **ret_txn)
{
    uint64_t generation;
    int rc = 0;

    for (int i = 0; i < RESIZE_TRIES; i++) {
        pthread_rwlock_rdlock(&e->gate);
        generation = e->generation;
        rc = e->env != NULL ? mdb_txn_begin(e->env, NULL, flags, ret_txn) : MDB_PANIC;
        if (rc == 0)
            return 0;
        pthread_rwlock_unlock(&e->gate);
        if (rc == MDB_MAP_RESIZED)
            rc = lmdb_env_resize(e, 0);
        else if (rc == MDB_PANIC)
            rc = repair(e, generation);
        if (rc != 0)
            return rc;
    }
    return EIO;
}

int lmdb_env_read(struct lmdb_env *e, MDB_txn **ret_txn)
{
    int rc = begin(e, MDB_RDONLY, ret_txn);

    if (rc == 0)
        e->readers++;
    return rc;
}

void lmdb_env_read_end(struct lmdb_env *e, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    e->readers--;
    pthread_rwlock_unlock(&e->gate);
}

int lmdb_env_write(struct lmdb_env *e, uint64_t bytes, MDB_txn **ret_txn)
{
    int rc = 0;

    e->writing = bytes;
    if (lmdb_env_is_short(e, bytes))
        rc = lmdb_env_grow(e);
    /* Where there is no room ahead, pages that are free again may still do. */
    if (rc != 0 && rc != MDB_MAP_FULL && rc != ENOSPC)
        return rc;
    return begin(e, 0, ret_txn);
}

void lmdb_env_abort(struct lmdb_env *e, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    pthread_rwlock_unlock(&e->gate);
}

int lmdb_env_nest(struct lmdb_env *e, uint64_t bytes, MDB_txn *parent, MDB_txn **ret_txn)
{
    int rc = lmdb_env_more(e, bytes);

    if (rc == 0)
        rc = lmdb_env_probe(e, parent, 0);
    return rc == 0 ? mdb_txn_begin(e->env, parent, 0, ret_txn) : rc;
}

int lmdb_env_merge(struct lmdb_env *e, MDB_txn *txn)
{
    (void)e;
    return mdb_txn_commit(txn);
}

void lmdb_env_undo(struct lmdb_env *e, MDB_txn *txn)
{
    (void)e;
    mdb_txn_abort(txn);
}

/* LMDB calls a write that came out short EIO, also when it is the disk that is full. */
static bool disk_is_full(const struct lmdb_env *e)
{
    struct statvfs fs;

    return statvfs(e->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize <= 2 * e->writing;
}

/* Did transaction ${id} get to the disk in the failing commit that led to opening again? */
static bool got_through(struct lmdb_env *e, uint64_t id)
{
    MDB_envinfo info;
    bool yes;

    pthread_rwlock_rdlock(&e->gate);
    yes = e->env != NULL && mdb_env_info(e->env, &info) == 0 && info.me_last_txnid >= id &&
          mdb_env_sync(e->env, 1) == 0;
    pthread_rwlock_unlock(&e->gate);
    return yes;
}

/*
 * A file that grows would fill the memory with what nobody may ask for soon, and memory that is
 * new to the page cache takes longer than the disk.  The gate is held; all of it is on the disk.
 */
static void drop_behind(struct lmdb_env *e)
{
    uint64_t end = e->used > CACHED ? e->used - CACHED : 0;
    mdb_filehandle_t fd;

    if (!e->drops_behind || end < e->dropped + DROP_STEP || mdb_env_get_fd(e->env, &fd) != 0)
        return;
    (void)posix_fadvise(fd, (off_t)e->dropped, (off_t)(end - e->dropped), POSIX_FADV_DONTNEED);
    e->dropped = end;
}

int lmdb_env_commit(struct lmdb_env *e, MDB_txn *txn)
{
    uint64_t id = mdb_txn_id(txn), generation = e->generation;
    uint64_t live = e->leaves_room ? count_live(e, txn) : 0;
    MDB_txn *probe = NULL;
    int rc = mdb_txn_commit(txn), again;

    if (rc == 0) {
        e->live = live;
        note_sizes(e);
        drop_behind(e);
    }
    if (rc == EIO && disk_is_full(e))
        rc = ENOSPC;
    /* A failed write of the meta page leaves an environment that only says MDB_PANIC. */
    again = rc != 0 ? mdb_txn_begin(e->env, NULL, MDB_RDONLY, &probe) : 0;
    if (rc != 0 && again == 0)
        mdb_txn_abort(probe);
    pthread_rwlock_unlock(&e->gate);
    if (again != MDB_PANIC)
        return rc;
    if (repair(e, generation) == 0 && got_through(e, id))
        return 0;
    return rc;
}

void lmdb_env_stats(const struct lmdb_env *e, struct lmdb_env_stats *ret_stats)
{
    *ret_stats = (struct lmdb_env_stats){.used = e->used,
                                         .map = e->map,
                                         .readers = e->readers,
                                         .reopened = e->reopened,
                                         .live = e->live,
                                         .page = e->page};
}
