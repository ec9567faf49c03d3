/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a job: queued under the lock -> the worker (shares_work.c) takes all that wait ->
 * back to the loop, in the order they came.
 */
#include "server/shares_work.h"

#include <stdlib.h>
#include <string.h>

#include "server/hedge.h"
#include "server/store/erasable_file.h"

/* ---- jobs ---- */

const uint8_t *shares_meta(const struct shares_job *job, size_t i)
{
    return job->out.data + i * SHARES_SIZE;
}

const uint8_t *shares_body(const struct shares_job *job, size_t i)
{
    return job->out.data + i * SHARES_SIZE + SHARE_LEN;
}

/* ---- the loop's side ---- */

static void on_done(struct loopq_item *item)
{
    struct shares_job *job =
        (struct shares_job *)(void *)((char *)item - offsetof(struct shares_job, done));

    struct shares *s = job->service;

    atomic_fetch_sub(&s->items, job->n);
    job->cb(job->arg); /* frees it, perhaps */
    if (!s->refused || atomic_load(&s->items) > SHARES_ITEMS_MAX / 2)
        return;
    s->refused = false;
    if (s->on_room != NULL)
        s->on_room(s->room_arg);
}

int shares_begin(struct shares *s, struct shares_job *job, enum shares_kind kind,
                 void (*cb)(void *), void *arg)
{
    if (kind <= SHARES_MOVE && atomic_load(&s->items) + job->n > SHARES_ITEMS_MAX) {
        s->refused = true;
        return ERR_BUSY;
    }
    atomic_fetch_add(&s->items, job->n);
    job->cb = cb;
    job->arg = arg;
    job->kind = (int)kind;
    job->service = s;
    job->next = NULL;
    job->code = ERR_OK;
    job->done = (struct loopq_item){.run = on_done};
    pthread_mutex_lock(&s->lock);
    if (s->last != NULL)
        s->last->next = job;
    else
        s->first = job;
    s->last = job;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->work); /* here, so that who wakes finds the lock free */
    return ERR_OK;
}

int shares_open(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_OPEN, cb, arg);
}

int shares_find(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_FIND, cb, arg);
}

int shares_move(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_MOVE, cb, arg);
}

int shares_erase(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_ERASE, cb, arg);
}

int shares_end_days(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_END_DAYS, cb, arg);
}

int shares_confirm_clock(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return shares_begin(s, job, SHARES_CONFIRM, cb, arg);
}

void shares_on_room(struct shares *s, void (*on_room)(void *arg), void *arg)
{
    s->on_room = on_room;
    s->room_arg = arg;
}

/* ---- start and stop ---- */

static void free_all(struct shares *s)
{
    shares_free_nets(s);
    instance_files_close(s->files);
    erasable_file_close(s->cells);
    hedge_close(s->hedge);
    secret_free(&s->seed);
    secret_free(&s->day_key);
    secret_free(&s->slot_key);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int load(struct shares *s, const struct shares_config *cfg, struct err *err)
{
    int rc = instance_files_open(&s->files, &cfg->instances, err);

    if (rc == ERR_OK)
        rc = shares_load_nets(s, err);
    if (rc == ERR_OK)
        rc = erasable_file_open(&s->cells, cfg->erasable, err);
    if (rc == ERR_OK) {
        s->noted = erasable_file_time(s->cells);
        s->sure_at = UINT64_MAX; /* what is read may have been lost under the process before */
    }
    if (rc == ERR_OK)
        rc = hedge_open(&s->hedge, cfg->hedge, err);
    if (rc == ERR_OK)
        rc = secret_new(&s->seed, SHARE_SEED_LEN, err);
    if (rc == ERR_OK)
        rc = secret_new(&s->slot_key, ERASABLE_KEY_LEN, err);
    return rc;
}

static void free_later(void *arg)
{
    free_all(arg);
}

int shares_start(struct shares **ret_s, const struct shares_config *cfg, struct err *err)
{
    struct shares *s = calloc(1, sizeof(*s));
    int rc;

    if (s == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->work, NULL);
    rc = load(s, cfg, err);
    if (rc == ERR_OK)
        rc = loopq_open(&s->home, cfg->loop, err);
    if (rc == ERR_OK && pthread_create(&s->thread, NULL, shares_work, s) != 0) {
        rc = err_set(err, ERR_NOMEM, "cannot start the share worker");
        loopq_close(s->home, free_later, s);
        return rc;
    }
    if (rc != ERR_OK) {
        free_all(s);
        return rc;
    }
    *ret_s = s;
    return ERR_OK;
}

static void on_queue_closed(void *arg)
{
    struct shares *s = arg;
    void (*on_closed)(void *) = s->on_closed;
    void *closed_arg = s->closed_arg;

    free_all(s);
    on_closed(closed_arg);
}

void shares_stop(struct shares *s, void (*on_closed)(void *arg), void *arg)
{
    s->on_closed = on_closed;
    s->closed_arg = arg;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    loopq_close(s->home, on_queue_closed, s);
}

uint64_t shares_noted_time(const struct shares *s)
{
    return s->noted;
}

void shares_stats(const struct shares *s, struct shares_stats *ret)
{
    *ret = (struct shares_stats){.computed = atomic_load(&s->computed),
                                 .batches = atomic_load(&s->batches),
                                 .largest = atomic_load(&s->largest),
                                 .failures = atomic_load(&s->failures),
                                 .instances = atomic_load(&s->loaded),
                                 .waiting = atomic_load(&s->items)};
}

const char *shares_kernel(const struct shares *s)
{
    return s->kernel;
}
