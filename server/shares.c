/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a job: queued under the lock -> the worker takes all that
 * wait -> cells of those that open are written, one sync for all -> seeds go
 * through the network in batches -> back to the loop, in the order they came.
 */
#include "server/shares.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/rng.h"
#include "common/log.h"
#include "models/keynet.h"
#include "server/erasable_file.h"
#include "server/hedge.h"
#include "server/share_batch.h"

enum { HEALTH_QUIET_S = 60, NS = 1000000000 };
enum kind { OPEN, FIND, ERASE, END_DAYS, CONFIRM };

struct shares {
    struct keynet *net;
    struct instance_id instance;
    const char *kernel;
    struct loopq *home;
    void (*on_closed)(void *arg);
    void *closed_arg;
    void (*on_room)(void *arg);
    void *room_arg;
    bool refused; /* the loop's: somebody waits for room */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct shares_job *first, *last; /* under lock */
    bool stop;                       /* under lock */
    atomic_size_t items;             /* under way */
    atomic_uint_fast64_t computed, batches, largest, failures;
    /* The worker's own. */
    struct erasable_file *cells;
    struct hedge *hedge;
    struct share_batch *batch;
    struct secret seed, day_key, slot_key;
    uint64_t health_told;          /* seconds of uv_hrtime() */
    int failed;                    /* of a batch of this gathering */
    bool suspect;                  /* a sync has failed: a day's key may not be on the disk */
    uint8_t *out[SHARE_BATCH_MAX]; /* where the shares of the batch belong */
};

/* ---- jobs ---- */

const uint8_t *shares_meta(const struct shares_job *job, size_t i)
{
    return job->out.data + i * SHARES_SIZE;
}

const uint8_t *shares_body(const struct shares_job *job, size_t i)
{
    return job->out.data + i * SHARES_SIZE + SHARE_LEN;
}

/* ---- the worker: one batch ---- */

static int flush_batch(struct shares *s)
{
    size_t n = share_batch_len(s->batch);
    int rc;

    if (n == 0)
        return ERR_OK;
    rc = share_batch_run(s->batch);
    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        memcpy(s->out[i], share_batch_pair(s->batch, i), SHARES_SIZE);
    share_batch_clear(s->batch);
    atomic_fetch_add(&s->computed, n);
    atomic_fetch_add(&s->batches, 1);
    if (n > atomic_load(&s->largest))
        atomic_store(&s->largest, n);
    if (rc != ERR_OK)
        s->failed = rc; /* the batch may hold what other jobs wait for */
    return rc;
}

/* s->seed belongs to ${item}, whose shares go to ${out}. */
static int add_to_batch(struct shares *s, struct shares_item *item, uint8_t *out)
{
    size_t at;
    int rc = ERR_OK;

    if (share_batch_len(s->batch) == SHARE_BATCH_MAX)
        rc = flush_batch(s);
    at = share_batch_len(s->batch);
    if (rc == ERR_OK)
        rc = share_batch_add(s->batch, &item->place, s->seed.data);
    if (rc == ERR_OK)
        s->out[at] = out;
    return rc;
}

/* ---- opening: draw, seal, derive ---- */

/* The key of a day, which is drawn when its first transfer is opened. */
static int get_day(struct shares *s, struct shares_item *item)
{
    bool keyed = false;
    int rc = erasable_file_day(s->cells, item->day, &item->day_cell, &keyed, NULL);

    if (rc == ERR_OK && keyed)
        rc = erasable_file_read(s->cells, item->day_cell, &s->day_key, NULL);
    if (rc != ERR_OK || (keyed && !s->suspect))
        return rc;
    if (!keyed)
        rc = secret_new(&s->day_key, ERASABLE_KEY_LEN, NULL);
    if (rc == ERR_OK && !keyed)
        rc = hedge_draw(s->hedge, "day key", PART_OF(item->place.tid.b), s->day_key.data);
    return rc == ERR_OK ? erasable_file_write(s->cells, item->day_cell, &s->day_key, NULL) : rc;
}

static int draw_item(struct shares *s, struct shares_item *item)
{
    struct share_cells keys = {&s->day_key, &s->slot_key};
    struct part place = part(&item->place, sizeof(item->place));
    uint8_t nonce[SHARE_NONCE_LEN];
    int rc = get_day(s, item);

    if (rc == ERR_OK)
        rc = hedge_draw(s->hedge, "slot key", place, s->slot_key.data);
    if (rc == ERR_OK)
        rc = erasable_file_write(s->cells, item->cell, &s->slot_key, NULL);
    if (rc == ERR_OK)
        rc = hedge_draw(s->hedge, "seed", place, s->seed.data);
    if (rc == ERR_OK)
        rc = rng_bytes(nonce, sizeof(nonce));
    if (rc == ERR_OK)
        rc = share_seal_seed(&keys, &item->place, &s->seed, nonce, item->sealed);
    item->instance = s->instance;
    return rc;
}

static int erase_cells(struct shares *s, const struct shares_item *items, size_t n);

static int open_job(struct shares *s, struct shares_job *job)
{
    uint64_t first = 0;
    int rc = erasable_file_alloc(s->cells, job->n, &first, NULL);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < job->n; i++)
        job->items[i].cell = first + i;
    for (size_t i = 0; rc == ERR_OK && i < job->n; i++) {
        rc = draw_item(s, &job->items[i]);
        if (rc == ERR_OK)
            rc = add_to_batch(s, &job->items[i], job->out.data + i * SHARES_SIZE);
    }
    /* Nobody will know of these cells: do not leave keys in them. */
    if (rc != ERR_OK && erase_cells(s, job->items, job->n) != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_num("cells", job->n));
    return rc;
}

/* ---- finding: open, derive ---- */

static int open_item(struct shares *s, struct shares_item *item)
{
    struct share_cells keys = {&s->day_key, &s->slot_key};
    int rc;

    if (memcmp(item->instance.b, s->instance.b, sizeof(item->instance.b)) != 0)
        return ERR_CORRUPT;
    rc = erasable_file_read(s->cells, item->day_cell, &s->day_key, NULL);
    if (rc == ERR_OK)
        rc = erasable_file_read(s->cells, item->cell, &s->slot_key, NULL);
    if (rc == ERR_OK)
        rc = share_open_seed(&keys, &item->place, part(item->sealed, sizeof(item->sealed)),
                             &s->seed, NULL);
    return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
}

static int find_job(struct shares *s, struct shares_job *job)
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < job->n; i++) {
        struct shares_item *item = &job->items[i];

        item->code = open_item(s, item);
        if (item->code == ERR_OK)
            rc = add_to_batch(s, item, job->out.data + i * SHARES_SIZE);
    }
    return rc;
}

/* ---- the worker ---- */

/* Journal, overwrite, sync, give back: a crash in between loses no erasure. */
static int erase_some(struct shares *s, const uint64_t *cells, size_t n)
{
    int rc = erasable_file_journal(s->cells, cells, n, NULL);

    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = erasable_file_erase(s->cells, cells[i], NULL);
    if (rc == ERR_OK)
        rc = erasable_file_sync(s->cells, NULL);
    if (rc == ERR_OK)
        erasable_file_punch(s->cells, cells, n);
    return rc;
}

static int erase_cells(struct shares *s, const struct shares_item *items, size_t n)
{
    uint64_t cells[ERASABLE_JOURNAL_MAX];
    int rc = ERR_OK;

    for (size_t done = 0, some; rc == ERR_OK && done < n; done += some) {
        some = n - done < ERASABLE_JOURNAL_MAX ? n - done : ERASABLE_JOURNAL_MAX;
        for (size_t i = 0; i < some; i++)
            cells[i] = items[done + i].cell;
        rc = erase_some(s, cells, some);
    }
    return rc;
}

/* ERR_REFUSED: the clock has jumped, nothing was destroyed. */
static int end_days(struct shares *s, uint64_t now)
{
    unsigned days = 0;
    int rc = erasable_file_destroy_days(s->cells, now, &days, NULL);

    if (rc == ERR_OK && days > 0)
        log_event(LOG_AT_INFO, "day_keys_destroyed", log_num("days", days));
    return rc;
}

static int run_job(struct shares *s, struct shares_job *job)
{
    int rc = job->n > 0 && job->kind <= FIND ? secret_new(&job->out, job->n * SHARES_SIZE, NULL)
                                             : ERR_OK;

    if (rc != ERR_OK)
        return rc;
    switch (job->kind) {
    case OPEN:
        return open_job(s, job);
    case FIND:
        return find_job(s, job);
    case ERASE:
        return erase_cells(s, job->items, job->n);
    case CONFIRM:
        return erasable_file_confirm(s->cells, job->now, NULL);
    default:
        return end_days(s, job->now);
    }
}

/* All jobs of one gathering: run, then one sync, then the rest of the batch. */
static void run_jobs(struct shares *s, struct shares_job *first)
{
    bool wrote = false;
    int synced;

    s->failed = ERR_OK;
    for (struct shares_job *job = first; job != NULL; job = job->next) {
        job->code = run_job(s, job);
        wrote |= job->kind == OPEN;
    }
    synced = wrote ? erasable_file_sync(s->cells, NULL) : ERR_OK;
    if (wrote)
        s->suspect = synced != ERR_OK;
    (void)flush_batch(s);
    for (struct shares_job *job = first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->code == ERR_OK && job->kind == OPEN)
            job->code = synced;
        if (job->code == ERR_OK && job->kind <= FIND)
            job->code = s->failed;
        loopq_post(s->home, &job->done);
    }
}

static void *worker(void *arg)
{
    struct shares *s = arg;

    for (;;) {
        struct shares_job *first;
        bool stop;

        pthread_mutex_lock(&s->lock);
        while (s->first == NULL && !s->stop)
            pthread_cond_wait(&s->work, &s->lock);
        first = s->first;
        stop = s->stop;
        s->first = s->last = NULL;
        pthread_mutex_unlock(&s->lock);
        if (first != NULL)
            run_jobs(s, first);
        else if (stop)
            return NULL;
    }
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

static int begin(struct shares *s, struct shares_job *job, enum kind kind)
{
    if (kind <= FIND && atomic_load(&s->items) + job->n > SHARES_ITEMS_MAX) {
        s->refused = true;
        return ERR_BUSY;
    }
    atomic_fetch_add(&s->items, job->n);
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
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    return ERR_OK;
}

static int begin_with(struct shares *s, struct shares_job *job, enum kind kind, void (*cb)(void *),
                      void *arg)
{
    job->cb = cb;
    job->arg = arg;
    return begin(s, job, kind);
}

int shares_open(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return begin_with(s, job, OPEN, cb, arg);
}

int shares_find(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return begin_with(s, job, FIND, cb, arg);
}

int shares_erase(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return begin_with(s, job, ERASE, cb, arg);
}

int shares_end_days(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return begin_with(s, job, END_DAYS, cb, arg);
}

int shares_confirm_clock(struct shares *s, struct shares_job *job, void (*cb)(void *), void *arg)
{
    return begin_with(s, job, CONFIRM, cb, arg);
}

void shares_on_room(struct shares *s, void (*on_room)(void *arg), void *arg)
{
    s->on_room = on_room;
    s->room_arg = arg;
}

/* ---- start and stop ---- */

/* Counted always, told once a minute at most. */
static void on_health(void *cookie, uint64_t failures)
{
    struct shares *s = cookie;
    uint64_t now = uv_hrtime() / NS;

    atomic_store(&s->failures, failures);
    if (s->health_told != 0 && now - s->health_told < HEALTH_QUIET_S)
        return;
    s->health_told = now;
    log_event(LOG_AT_WARN, "keynet_health", log_num("failures", failures));
}

static void free_all(struct shares *s)
{
    share_batch_free(s->batch);
    keynet_free(s->net);
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
    int rc = keynet_load(&s->net, cfg->weights, err);

    if (rc == ERR_OK)
        rc = keynet_self_test(s->net, err);
    if (rc == ERR_OK)
        rc = share_batch_new(&s->batch, s->net, err);
    if (rc == ERR_OK) {
        memcpy(s->instance.b, keynet_instance_id(s->net), sizeof(s->instance.b));
        s->kernel = keynet_kernel_name(share_batch_worker(s->batch));
        keynet_worker_watch(share_batch_worker(s->batch), on_health, s);
        rc = erasable_file_open(&s->cells, cfg->erasable, err);
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
    if (rc == ERR_OK && pthread_create(&s->thread, NULL, worker, s) != 0) {
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

void shares_stats(const struct shares *s, struct shares_stats *ret)
{
    *ret = (struct shares_stats){.computed = atomic_load(&s->computed),
                                 .batches = atomic_load(&s->batches),
                                 .largest = atomic_load(&s->largest),
                                 .failures = atomic_load(&s->failures),
                                 .waiting = atomic_load(&s->items)};
}

const char *shares_kernel(const struct shares *s)
{
    return s->kernel;
}

const struct instance_id *shares_instance(const struct shares *s)
{
    return &s->instance;
}
