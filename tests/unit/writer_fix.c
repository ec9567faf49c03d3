/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/writer_fix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/lmdb_redo.h"

enum { LARGE = 200000 };

static struct writer_fix *fx;

static struct lmdb_key key_of(uint32_t n)
{
    struct lmdb_key k = {0};

    lmdb_key_u64(&k, n);
    return k;
}

/* The lock is held. */
static void wait_while_held(void)
{
    fx->waits = fx->held != 0;
    pthread_cond_broadcast(&fx->cond);
    while (fx->held)
        pthread_cond_wait(&fx->cond, &fx->lock);
    fx->waits = false;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* A nap of the writer, which lasts as long as the test says. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    pthread_mutex_lock(&fx->lock);
    fx->naps++;
    wait_while_held();
    pthread_mutex_unlock(&fx->lock);
    return 0;
}

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
    bool stands;

    pthread_mutex_lock(&fx->lock);
    *ret = fx->now;
    stands = fx->now.tv_sec != 0;
    pthread_mutex_unlock(&fx->lock);
    return stands ? 0 : __real_clock_gettime(id, ret);
}

static int run(struct lmdb_txn *t, struct store_job *job)
{
    static uint8_t large[LARGE];
    struct lmdb_key key = key_of(job->note[1]);

    pthread_mutex_lock(&fx->lock);
    wait_while_held();
    pthread_mutex_unlock(&fx->lock);
    switch ((enum deed)job->note[0]) {
    case PUT:
    case CROWD_PUT:
    case RECORD_PUT:
    case FAIL_AFTER_A_CHANGE:
    case EARLY:
        lmdb_txn_put(t, T_CELLS, &key, "x", 1);
        t->added[0]++;
        break;
    case BREAK_AFTER_A_CHANGE:
        lmdb_txn_put(t, T_CELLS, &key, "x", 1);
        t->added[0]++;
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    case PUT_PAGE:
        lmdb_txn_put(t, T_CELLS, &key, large, 1500);
        break;
    case PUT_LARGE:
        lmdb_txn_put(t, T_CELLS, &key, large, sizeof(large));
        break;
    case DELETE_MANY: /* each from another page, which must be copied for that */
        for (uint32_t i = 0; i < MANY; i++) {
            key = key_of(job->note[1] + 4 * i);
            lmdb_txn_del(t, T_CELLS, &key);
        }
        break;
    case DELETE:
        lmdb_txn_del(t, T_CELLS, &key);
        break;
    case BREAK:
        return lmdb_txn_fail(t, MDB_CORRUPTED);
    case SEES:
        return lmdb_txn_get(t, T_CELLS, &key, NULL);
    case EARLY_FAIL:
        return ERR_EXISTS;
    case FAIL_CLEAN:
    case PASS:
        break;
    }
    return job->note[0] == FAIL_CLEAN || job->note[0] == FAIL_AFTER_A_CHANGE ? ERR_QUOTA : ERR_OK;
}

/* ---- what is counted ---- */

static struct lmdb_key count_key(void)
{
    return lmdb_key_of("counts", 6);
}

static void save_count(struct lmdb_txn *t)
{
    struct lmdb_key key = count_key();
    uint8_t value[8];

    put_be64(value, (uint64_t)(fx->count + t->added[0]));
    lmdb_txn_put(t, T_META, &key, value, sizeof(value));
}

static void add_count(struct lmdb_txn *t)
{
    fx->count += t->added[0];
}

static int64_t load_count(struct lmdb_txn *t)
{
    struct lmdb_key key = count_key();
    struct rd r;

    return lmdb_txn_get(t, T_META, &key, &r) == ERR_OK ? (int64_t)rd_u64(&r) : 0;
}

static void restore_count(struct lmdb_txn *t)
{
    fx->count = load_count(t);
}

/* ---- the kinds of jobs ---- */

static bool urgent(const struct store_job *job)
{
    return job->note[0] == DELETE || job->note[0] == DELETE_MANY;
}

static bool passes(const struct store_job *job)
{
    return job->note[0] == PASS;
}

static bool early(const struct store_job *job)
{
    return job->note[0] == EARLY || job->note[0] == EARLY_FAIL;
}

static bool gathers(const struct store_job *job)
{
    return job->note[0] == CROWD_PUT;
}

static bool records(const struct store_job *job)
{
    return job->note[0] == RECORD_PUT || job->note[0] == FAIL_CLEAN ||
           job->note[0] == FAIL_AFTER_A_CHANGE || job->note[0] == BREAK_AFTER_A_CHANGE;
}

static void done(struct lmdb_engine *engine, struct store_job *first)
{
    (void)engine;
    pthread_mutex_lock(&fx->lock);
    for (const struct store_job *job = first; job != NULL; job = job->next)
        fx->order[fx->done++] = (unsigned)(job - fx->jobs);
    pthread_cond_broadcast(&fx->cond);
    pthread_mutex_unlock(&fx->lock);
}

static int setup(void **state, bool redo, uint64_t max)
{
    struct writer_fix *f = calloc(1, sizeof(*f));
    struct lmdb_env_config ec = {.tables = lmdb_tables_index, .ntables = T_INDEX_COUNT};
    struct lmdb_writer_config wc = {.meta = T_META,
                                    .run = run,
                                    .urgent = urgent,
                                    .passes = passes,
                                    .early = early,
                                    .gathers = gathers,
                                    .gather_us = 900000,
                                    .done = done};

    if (f == NULL)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/satchel-writer-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    ec.path = f->dir;
    ec.max = max;
    ec.step = max / 4;
    ec.ahead = max == ROOMY ? ec.step : 0;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->cond, NULL);
    if (lmdb_env_open(&f->e, &ec, NULL) != ERR_OK)
        return -1;
    if (redo && lmdb_redo_open(&f->redo, f->dir, NULL) != ERR_OK)
        return -1;
    wc.env = f->e;
    wc.redo = f->redo;
    wc.records = redo ? records : NULL;
    wc.before_keep = save_count;
    wc.after_commit = add_count;
    wc.restored = restore_count;
    *state = fx = f;
    if (lmdb_writer_open(&f->w, &wc, NULL) != ERR_OK)
        return -1;
    wc.yields_to = f->w;
    wc.redo = NULL;
    wc.before_keep = wc.after_commit = wc.restored = NULL;
    return lmdb_writer_open(&f->bulk, &wc, NULL);
}

int writer_fix_setup(void **state)
{
    return setup(state, false, CEILING);
}

int writer_fix_setup_redo(void **state)
{
    return setup(state, true, CEILING);
}

int writer_fix_setup_roomy(void **state)
{
    return setup(state, true, ROOMY);
}

void writer_fix_close(struct writer_fix *f)
{
    lmdb_writer_close(f->bulk);
    lmdb_writer_close(f->w);
    f->bulk = f->w = NULL;
}

int writer_fix_teardown(void **state)
{
    struct writer_fix *f = *state;
    char file[96];

    writer_fix_close(f);
    lmdb_env_close(f->e);
    lmdb_redo_close(f->redo);
    (void)snprintf(file, sizeof(file), "%s/redo", f->dir);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/data.mdb", f->dir);
    (void)unlink(file);
    (void)snprintf(file, sizeof(file), "%s/lock.mdb", f->dir);
    (void)unlink(file);
    (void)rmdir(f->dir);
    pthread_cond_destroy(&f->cond);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

void writer_fix_hold(struct writer_fix *f, unsigned held)
{
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_cond_broadcast(&f->cond);
    pthread_mutex_unlock(&f->lock);
}

void writer_fix_wait_held(struct writer_fix *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->waits)
        pthread_cond_wait(&f->cond, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

void writer_fix_set_clock(struct writer_fix *f, time_t seconds)
{
    pthread_mutex_lock(&f->lock);
    f->now.tv_sec = seconds;
    pthread_mutex_unlock(&f->lock);
}

unsigned writer_fix_submit_bytes(struct writer_fix *f, enum deed deed, uint32_t n, size_t bytes)
{
    unsigned i = f->njobs++;

    f->jobs[i] = (struct store_job){.res = &f->results[i], .note = {deed, n}, .bytes = bytes};
    lmdb_writer_submit(f->w, &f->jobs[i]);
    return i;
}

unsigned writer_fix_submit(struct writer_fix *f, enum deed deed, uint32_t n)
{
    return writer_fix_submit_bytes(f, deed, n, 0);
}

unsigned writer_fix_submit_bulk(struct writer_fix *f, uint32_t row, size_t bytes)
{
    unsigned i = f->njobs++;

    f->jobs[i] = (struct store_job){.res = &f->results[i], .note = {PUT, row}, .bytes = bytes};
    lmdb_writer_submit(f->bulk, &f->jobs[i]);
    return i;
}

void writer_fix_wait(struct writer_fix *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->done < f->njobs)
        pthread_cond_wait(&f->cond, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

bool writer_fix_has(struct writer_fix *f, uint32_t n)
{
    struct lmdb_txn t = {.env = f->e};
    struct lmdb_key key = key_of(n);
    int rc;

    assert_int_equal(lmdb_env_read(f->e, &t.txn), 0);
    rc = lmdb_txn_get(&t, T_CELLS, &key, NULL);
    lmdb_env_read_end(f->e, t.txn);
    return rc == ERR_OK;
}

uint64_t writer_fix_count(struct writer_fix *f)
{
    struct lmdb_txn t = {.env = f->e};
    int64_t n;

    assert_int_equal(lmdb_env_read(f->e, &t.txn), 0);
    n = load_count(&t);
    lmdb_env_read_end(f->e, t.txn);
    return (uint64_t)n;
}

uint64_t writer_fix_commits(struct writer_fix *f)
{
    struct lmdb_writer_stats st;

    lmdb_writer_stats(f->w, &st);
    return st.commits;
}

void writer_fix_fill(struct writer_fix *f, uint32_t from)
{
    unsigned i;

    do {
        i = writer_fix_submit(f, PUT_PAGE, from++);
        writer_fix_wait(f);
    } while (f->results[i].code == ERR_OK);
    assert_int_equal(f->results[i].code, ERR_FULL);
}
