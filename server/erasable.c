/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable - one thread, which takes all that waits as a batch:
 *   1. reads, days and time, each for itself;
 *   2. the journal of all erasures, synced;
 *   3. new keys and erasures into their cells;
 *   4. one sync for all of these, and the callbacks.
 */
#include "server/erasable.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "server/loopq.h"

enum { WAITING_MAX = 4096 };

enum kind { NEW, READ, ERASE, DESTROY_DAYS, CONFIRM };

struct request {
    struct request *next;
    struct loopq_item done;
    enum kind kind;
    struct erasable *owner;
    struct erasable_result *res;
    bool has_keys, has_day_key; /* the caller's are in res */
    uint32_t day;
    uint64_t now;
    erasable_cb *cb;
    void *arg;
};

struct erasable {
    struct erasable_file *file; /* the thread's */
    bool suspect;               /* the thread's: a sync has failed, what was written may be lost */
    struct loopq *q;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct request *first, **last; /* under lock */
    bool stop;                     /* under lock */
    /* Loop thread only. */
    unsigned under_way;
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

void erasable_result_free(struct erasable_result *res)
{
    if (res == NULL)
        return;
    secret_free(&res->day_key);
    secret_free(&res->keys);
    free(res->cells);
    free(res->codes);
    free(res);
}

/* ---- the thread: reads and times ---- */

static void finish(struct request *r, int code, const struct err *err)
{
    r->res->code = code;
    if (code != ERR_OK && err != NULL)
        (void)snprintf(r->res->why, sizeof(r->res->why), "%.*s", (int)sizeof(r->res->why) - 1,
                       err->msg);
}

static void do_read(struct erasable_file *f, struct request *r)
{
    struct erasable_result *res = r->res;
    struct secret key = {0};
    struct err err = {0}, first = {0};
    int code = ERR_OK;

    for (size_t i = 0; i < res->n; i++) {
        res->codes[i] = erasable_file_read(f, res->cells[i], &key, &err);
        if (res->codes[i] == ERR_OK) {
            memcpy(res->keys.data + i * ERASABLE_KEY_LEN, key.data, ERASABLE_KEY_LEN);
        } else if (code == ERR_OK) {
            code = res->codes[i];
            first = err;
        }
    }
    secret_free(&key);
    finish(r, code, &first);
}

static void do_alone(struct erasable_file *f, struct request *r)
{
    struct err err = {0};

    if (r->kind == READ)
        do_read(f, r);
    else if (r->kind == DESTROY_DAYS)
        finish(r, erasable_file_destroy_days(f, r->now, &r->res->days, &err), &err);
    else if (r->kind == CONFIRM)
        finish(r, erasable_file_confirm(f, r->now, &err), &err);
}

/* ---- the thread: new keys ---- */

static int draw(struct secret *keys, size_t n, struct err *err)
{
    int rc = secret_new(keys, n * ERASABLE_KEY_LEN, err);

    if (rc == ERR_OK && RAND_priv_bytes(keys->data, (int)keys->len) != 1)
        rc = err_set(err, ERR_INTERNAL, "no random bytes");
    return rc;
}

/* The day's key, read or made. */
static int day_key(struct erasable *e, struct request *r, struct err *err)
{
    struct erasable_file *f = e->file;
    struct erasable_result *res = r->res;
    bool keyed = false;
    int rc = erasable_file_day(f, r->day, &res->day_cell, &keyed, err);

    if (rc != ERR_OK)
        return rc;
    if (keyed)
        rc = erasable_file_read(f, res->day_cell, &res->day_key, err);
    if (rc != ERR_OK || (keyed && !e->suspect))
        return rc;
    if (!keyed && !r->has_day_key)
        rc = draw(&res->day_key, 1, err);
    return rc == ERR_OK ? erasable_file_write(f, res->day_cell, &res->day_key, err) : rc;
}

static int slot_keys(struct erasable_file *f, struct request *r, struct err *err)
{
    struct erasable_result *res = r->res;
    struct secret key = {0};
    uint64_t first = 0;
    int rc = r->has_keys ? ERR_OK : draw(&res->keys, res->n, err);

    if (rc == ERR_OK)
        rc = erasable_file_alloc(f, res->n, &first, err);
    for (size_t i = 0; i < res->n && rc == ERR_OK; i++) {
        res->cells[i] = first + i;
        rc = secret_copy(&key, res->keys.data + i * ERASABLE_KEY_LEN, ERASABLE_KEY_LEN, err);
        if (rc == ERR_OK)
            rc = erasable_file_write(f, res->cells[i], &key, err);
    }
    secret_free(&key);
    return rc;
}

static void do_new(struct erasable *e, struct request *r)
{
    struct err err = {0};
    int rc = day_key(e, r, &err);

    if (rc == ERR_OK)
        rc = slot_keys(e->file, r, &err);
    finish(r, rc, &err);
}

/* ---- the thread: erasures ---- */

/*
 * The journal of up to ERASABLE_JOURNAL_MAX erasures, from ${r} on; *ret_end is the first request
 * that did not fit.
 */
static int journal(struct erasable_file *f, struct request *r, struct request **ret_end,
                   struct err *err)
{
    uint64_t cells[ERASABLE_JOURNAL_MAX];
    size_t n = 0;

    for (; r != NULL; r = r->next) {
        if (r->kind != ERASE)
            continue;
        if (n + r->res->n > ERASABLE_JOURNAL_MAX)
            break;
        memcpy(cells + n, r->res->cells, r->res->n * sizeof(*cells));
        n += r->res->n;
    }
    *ret_end = r;
    return n > 0 ? erasable_file_journal(f, cells, n, err) : ERR_OK;
}

static void do_erase(struct erasable_file *f, struct request *r)
{
    struct err err = {0};
    int rc = ERR_OK;

    for (size_t i = 0; i < r->res->n && rc == ERR_OK; i++)
        rc = erasable_file_erase(f, r->res->cells[i], &err);
    finish(r, rc, &err);
}

/* ---- the thread: batches ---- */

/* Requests from ${r} up to ${end}: those whose journal is written. */
static void run_part(struct erasable *e, struct request *r, const struct request *end, int rc,
                     struct err *err)
{
    bool wrote = false;

    for (struct request *q = r; q != end; q = q->next) {
        if (q->kind != NEW && q->kind != ERASE)
            continue;
        if (q->kind == ERASE && rc != ERR_OK)
            finish(q, rc, err);
        else if (q->kind == ERASE)
            do_erase(e->file, q);
        else
            do_new(e, q);
        wrote = true;
    }
    rc = wrote ? erasable_file_sync(e->file, err) : ERR_OK;
    if (wrote)
        e->suspect = rc != ERR_OK;
    for (struct request *q = r; q != end; q = q->next) {
        if (q->kind != NEW && q->kind != ERASE)
            continue;
        if (rc != ERR_OK && q->res->code == ERR_OK)
            finish(q, rc, err);
        else if (rc == ERR_OK && q->kind == ERASE)
            erasable_file_punch(e->file, q->res->cells, q->res->n);
    }
}

static void run_batch(struct erasable *e, struct request *batch)
{
    struct request *end = NULL;
    struct err err = {0};
    int rc;

    for (struct request *r = batch; r != NULL; r = r->next)
        do_alone(e->file, r);
    for (struct request *r = batch; r != NULL; r = end) {
        rc = journal(e->file, r, &end, &err);
        run_part(e, r, end, rc, &err);
    }
}

static void *thread_main(void *arg)
{
    struct erasable *e = arg;
    struct request *batch, *next;

    for (;;) {
        pthread_mutex_lock(&e->lock);
        while (e->first == NULL && !e->stop)
            pthread_cond_wait(&e->wake, &e->lock);
        batch = e->first;
        e->first = NULL;
        e->last = &e->first;
        pthread_mutex_unlock(&e->lock);
        if (batch == NULL)
            return NULL;
        run_batch(e, batch);
        for (struct request *r = batch; r != NULL; r = next) {
            next = r->next;
            loopq_post(e->q, &r->done);
        }
    }
}

/* ---- the loop: open and close ---- */

static void release(struct erasable *e)
{
    erasable_file_close(e->file);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static void on_q_closed(void *arg)
{
    struct erasable *e = arg;

    if (e->on_closed != NULL)
        e->on_closed(e->closed_arg);
    release(e);
}

static void close_if_idle(struct erasable *e)
{
    if (!e->closing || e->under_way > 0)
        return;
    /* Idle: the thread waits for nothing but this, and the file only notes how far it got. */
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    loopq_close(e->q, on_q_closed, e);
}

void erasable_close(struct erasable *e, void (*on_closed)(void *arg), void *arg)
{
    assert(!e->closing);
    e->closing = true;
    e->on_closed = on_closed;
    e->closed_arg = arg;
    close_if_idle(e);
}

int erasable_open(struct erasable **ret_e, const char *path, uv_loop_t *loop, struct err *err)
{
    struct erasable *e = calloc(1, sizeof(*e));
    int rc;

    if (e == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    rc = erasable_file_open(&e->file, path, err);
    if (rc == ERR_OK)
        rc = loopq_open(&e->q, loop, err);
    if (rc != ERR_OK) {
        release(e);
        return rc;
    }
    rc = pthread_create(&e->thread, NULL, thread_main, e);
    if (rc != 0) {
        loopq_close(e->q, on_q_closed, e);
        return err_sys(err, rc, "cannot start the thread of erasable keys");
    }
    *ret_e = e;
    return ERR_OK;
}

/* ---- the loop: requests ---- */

static void on_done(struct loopq_item *item)
{
    struct request *r = (struct request *)(void *)((char *)item - offsetof(struct request, done));
    struct erasable *e = r->owner;

    r->cb(r->arg, r->res);
    free(r);
    e->under_way--;
    close_if_idle(e);
}

static void request_free(struct request *r)
{
    if (r != NULL)
        erasable_result_free(r->res);
    free(r);
}

/* A request about ${n} cells, not yet under way; NULL when out of memory. */
static struct request *request_new(struct erasable *e, enum kind kind, const uint64_t *cells,
                                   size_t n)
{
    struct request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->kind = kind;
    r->owner = e;
    r->done.run = on_done;
    r->res = calloc(1, sizeof(*r->res));
    if (r->res == NULL)
        goto fail;
    r->res->n = n;
    r->res->cells = calloc(n + 1, sizeof(*r->res->cells));
    r->res->codes = calloc(n + 1, sizeof(*r->res->codes));
    if (r->res->cells == NULL || r->res->codes == NULL)
        goto fail;
    if (cells != NULL)
        memcpy(r->res->cells, cells, n * sizeof(*cells));
    return r;
fail:
    request_free(r);
    return NULL;
}

/* Takes ${r}; ${rc}: what went wrong while it was made. */
static int start(struct request *r, int rc, erasable_cb *cb, void *arg)
{
    struct erasable *e;

    if (r == NULL)
        return ERR_NOMEM;
    e = r->owner;
    assert(!e->closing);
    if (rc == ERR_OK && e->under_way >= WAITING_MAX)
        rc = ERR_BUSY;
    if (rc != ERR_OK) {
        request_free(r);
        return rc;
    }
    r->cb = cb;
    r->arg = arg;
    e->under_way++;
    pthread_mutex_lock(&e->lock);
    *e->last = r;
    e->last = &r->next;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    return ERR_OK;
}

int erasable_new(struct erasable *e, const struct erasable_new *in, erasable_cb *cb, void *arg)
{
    struct request *r;
    int rc = ERR_OK;

    if (in->n == 0 || in->n > ERASABLE_MAX ||
        (in->keys != NULL && in->keys->len != in->n * ERASABLE_KEY_LEN) ||
        (in->day_key != NULL && in->day_key->len != ERASABLE_KEY_LEN))
        return ERR_INVALID;
    r = request_new(e, NEW, NULL, in->n);
    if (r != NULL) {
        r->day = in->day;
        r->has_keys = in->keys != NULL;
        r->has_day_key = in->day_key != NULL;
        if (r->has_keys)
            rc = secret_copy(&r->res->keys, in->keys->data, in->keys->len, NULL);
        if (rc == ERR_OK && r->has_day_key)
            rc = secret_copy(&r->res->day_key, in->day_key->data, in->day_key->len, NULL);
    }
    return start(r, rc, cb, arg);
}

int erasable_read(struct erasable *e, const uint64_t *cells, size_t n, erasable_cb *cb, void *arg)
{
    struct request *r;
    int rc = ERR_OK;

    if (n == 0 || n > ERASABLE_MAX)
        return ERR_INVALID;
    r = request_new(e, READ, cells, n);
    if (r != NULL)
        rc = secret_new(&r->res->keys, n * ERASABLE_KEY_LEN, NULL);
    return start(r, rc, cb, arg);
}

int erasable_erase(struct erasable *e, const uint64_t *cells, size_t n, erasable_cb *cb, void *arg)
{
    if (n == 0 || n > ERASABLE_JOURNAL_MAX)
        return ERR_INVALID;
    return start(request_new(e, ERASE, cells, n), ERR_OK, cb, arg);
}

static int start_at(struct erasable *e, enum kind kind, uint64_t now, erasable_cb *cb, void *arg)
{
    struct request *r = request_new(e, kind, NULL, 0);

    if (r != NULL)
        r->now = now;
    return start(r, ERR_OK, cb, arg);
}

int erasable_destroy_days(struct erasable *e, uint64_t now, erasable_cb *cb, void *arg)
{
    return start_at(e, DESTROY_DAYS, now, cb, arg);
}

int erasable_confirm(struct erasable *e, uint64_t now, erasable_cb *cb, void *arg)
{
    return start_at(e, CONFIRM, now, cb, arg);
}
