/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a gathering: the worker takes all jobs that wait -> those that open get cells from
 * the stock, which hold durable keys already -> seeds go through the network in batches -> back to
 * the loop, in the order they came -> the stock is filled up.  What the stock does not have, and a
 * day's key, is written for the gathering: then one sync for all of it.
 */
#include "server/shares_work.h"

#include <string.h>

#include "common/buf.h"
#include "common/crypto/rng.h"
#include "common/log.h"
#include "server/hedge.h"
#include "server/store/erasable_file.h"

enum { STOCK = 256 }; /* cells that have keys before anybody asks */

/* ---- the worker: one batch ---- */

int shares_flush_net(struct shares_net *net)
{
    struct shares *s = net->service;
    size_t n = share_batch_len(net->batch);
    int rc;

    if (n == 0)
        return ERR_OK;
    rc = share_batch_run(net->batch);
    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        memcpy(net->out[i], share_batch_pair(net->batch, i), SHARES_SIZE);
    share_batch_clear(net->batch);
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
    struct shares_net *net = shares_net_of(s, &item->instance);
    size_t at;
    int rc = net != NULL ? ERR_OK : ERR_CORRUPT;

    if (rc == ERR_OK && share_batch_len(net->batch) == SHARE_BATCH_MAX)
        rc = shares_flush_net(net);
    if (rc != ERR_OK)
        return rc;
    at = share_batch_len(net->batch);
    rc = share_batch_add(net->batch, &item->place, s->seed.data);
    if (rc == ERR_OK)
        net->out[at] = out;
    return rc;
}

/* ---- opening: draw, seal, derive ---- */

/* Is the key of every day that reads as one on the disk? */
static bool days_are_sure(const struct shares *s)
{
    return erasable_file_failures(s->cells) == s->sure_at;
}

/* The key of a day, which is drawn when its first transfer is opened. */
static int get_day(struct shares *s, struct shares_item *item)
{
    bool keyed = false;
    int rc = erasable_file_day(s->cells, item->day, &item->day_cell, &keyed, &s->why);

    if (rc == ERR_OK && keyed)
        rc = erasable_file_read(s->cells, item->day_cell, &s->day_key, &s->why);
    if (rc != ERR_OK)
        return rc;
    s->wrote |= !keyed || !days_are_sure(s);
    if (keyed)
        return ERR_OK;
    rc = secret_new(&s->day_key, ERASABLE_KEY_LEN, NULL);
    if (rc == ERR_OK)
        rc = hedge_draw(s->hedge, "day key", PART_OF(item->place.tid.b), s->day_key.data, &s->why);
    return rc == ERR_OK ? erasable_file_write(s->cells, item->day_cell, &s->day_key, &s->why) : rc;
}

/* A fresh key, into s->slot_key and cell ${cell}. */
static int key_cell(struct shares *s, uint64_t cell)
{
    uint8_t number[8];
    int rc;

    put_be64(number, cell);
    rc = hedge_draw(s->hedge, "slot key", PART_OF(number), s->slot_key.data, &s->why);
    return rc == ERR_OK ? erasable_file_write(s->cells, cell, &s->slot_key, &s->why) : rc;
}

/* A cell for ${item}, its key in s->slot_key. */
static int take_cell(struct shares *s, struct shares_item *item)
{
    uint64_t cell = 0;
    int rc;

    if (s->stock > 0) {
        s->stock--;
        item->cell = s->stock_first++;
        return erasable_file_read(s->cells, item->cell, &s->slot_key, &s->why);
    }
    rc = erasable_file_alloc(s->cells, 1, &cell, &s->why);
    if (rc != ERR_OK)
        return rc;
    item->cell = cell;
    s->wrote = true;
    return key_cell(s, cell);
}

/*
 * A cell with a key for the item, the key of its day, and s->seed sealed under both.  If it fails,
 * item->cell is as it was, and nothing is left in a cell.
 */
static int seal_item(struct shares *s, struct shares_item *item)
{
    struct share_cells keys = {&s->day_key, &s->slot_key};
    uint8_t nonce[SHARE_NONCE_LEN];
    uint64_t before = item->cell;
    int rc = get_day(s, item);

    if (rc == ERR_OK)
        rc = take_cell(s, item);
    if (rc == ERR_OK)
        rc = rng_bytes(nonce, sizeof(nonce));
    if (rc == ERR_OK)
        rc = share_seal_seed(&keys, &item->place, &s->seed, nonce, item->sealed);
    if (rc != ERR_OK && item->cell != before) {
        if (erasable_file_erase(s->cells, item->cell, NULL) != ERR_OK)
            log_event(LOG_AT_ERROR, "cells_not_erased", log_num("cells", 1));
        item->cell = before;
    }
    return rc;
}

static int draw_item(struct shares *s, struct shares_item *item)
{
    struct part place = part(&item->place, sizeof(item->place));
    int rc = hedge_draw(s->hedge, "seed", place, s->seed.data, &s->why);

    if (rc == ERR_OK)
        rc = seal_item(s, item);
    item->instance = s->nets[0]->from.id;
    return rc;
}

static int erase_cells(struct shares *s, const struct shares_item *items, size_t n);

static int open_job(struct shares *s, struct shares_job *job)
{
    size_t drawn = 0;
    int rc = ERR_OK;

    shares_hold_drop(job->hold);
    job->hold = shares_hold_take(s->nets[0]->hold);
    for (size_t i = 0; rc == ERR_OK && i < job->n; i++) {
        rc = draw_item(s, &job->items[i]);
        drawn += rc == ERR_OK;
        if (rc == ERR_OK)
            rc = add_to_batch(s, &job->items[i], job->out.data + i * SHARES_SIZE);
    }
    /* Nobody will know of these cells: do not leave keys in them. */
    if (rc != ERR_OK && erase_cells(s, job->items, drawn) != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_num("cells", drawn));
    return rc;
}

/* ---- finding: open, derive ---- */

static int open_item(struct shares *s, struct shares_item *item)
{
    struct share_cells keys = {&s->day_key, &s->slot_key};
    int rc;

    if (shares_net_of(s, &item->instance) == NULL)
        return ERR_CORRUPT;
    rc = erasable_file_read(s->cells, item->day_cell, &s->day_key, &s->why);
    if (rc == ERR_OK)
        rc = erasable_file_read(s->cells, item->cell, &s->slot_key, &s->why);
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
    int rc = erasable_file_journal(s->cells, cells, n, &s->why);

    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = erasable_file_erase(s->cells, cells[i], &s->why);
    if (rc == ERR_OK)
        rc = erasable_file_sync(s->cells, &s->why);
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
    int rc = erasable_file_destroy_days(s->cells, now, &days, &s->why);

    if (rc == ERR_OK && days > 0)
        log_event(LOG_AT_INFO, "day_keys_destroyed", log_num("days", days));
    return rc;
}

/* ---- moving: the same seed under fresh keys ---- */

static int move_job(struct shares *s, struct shares_job *job)
{
    size_t done = 0;
    int rc = ERR_OK;

    while (rc == ERR_OK && done < job->n) {
        rc = open_item(s, &job->items[done]);
        if (rc == ERR_OK)
            rc = seal_item(s, &job->items[done]);
        done += rc == ERR_OK;
    }
    /* Nobody will know of these cells: do not leave keys in them. */
    if (rc != ERR_OK && done > 0 && erase_cells(s, job->items, done) != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_num("cells", done));
    return rc;
}

static int run_job(struct shares *s, struct shares_job *job)
{
    int rc = job->n > 0 && job->kind <= SHARES_FIND
                 ? secret_new(&job->out, job->n * SHARES_SIZE, NULL)
                 : ERR_OK;

    if (rc != ERR_OK)
        return rc;
    switch (job->kind) {
    case SHARES_OPEN:
        return open_job(s, job);
    case SHARES_FIND:
        return find_job(s, job);
    case SHARES_MOVE:
        return move_job(s, job);
    case SHARES_ERASE:
        return ERR_OK; /* at the end: erase_jobs() */
    case SHARES_CONFIRM:
        return erasable_file_confirm(s->cells, job->now, &s->why);
    case SHARES_END_DAYS:
        return end_days(s, job->now);
    default:
        return shares_instances_job(s, job);
    }
}

static bool writes(int kind)
{
    return kind == SHARES_OPEN || kind == SHARES_MOVE;
}

/* Keys into fresh cells, durable, for those that open next.  A failure shows when they do. */
static void fill_stock(struct shares *s)
{
    uint64_t first = 0;
    int rc = erasable_file_alloc(s->cells, STOCK, &first, &s->why);

    for (uint64_t i = 0; rc == ERR_OK && i < STOCK; i++)
        rc = key_cell(s, first + i);
    if (rc == ERR_OK)
        rc = erasable_file_sync(s->cells, &s->why);
    if (rc != ERR_OK)
        return;
    s->stock_first = first;
    s->stock = STOCK;
}

/* Nobody takes from the stock any more, and a number is not used twice. */
static void drop_stock(struct shares *s)
{
    uint64_t cells[STOCK];
    size_t n = s->stock;

    for (size_t i = 0; i < n; i++)
        cells[i] = s->stock_first + i;
    s->stock = 0;
    if (n > 0 && erase_some(s, cells, n) != ERR_OK)
        log_event(LOG_AT_ERROR, "cells_not_erased", log_num("cells", n));
}

/* What only the log can be told: a peer hears no more than that it is our fault. */
static void tell(const struct shares *s, int code)
{
    if (code == ERR_IO || code == ERR_FULL || code == ERR_INTERNAL)
        log_event(LOG_AT_ERROR, "shares_failed", log_code(code),
                  log_str("why", s->why.msg[0] != '\0' ? s->why.msg : err_text(code)));
}

/* Cells of several jobs that are erased with one journal, and the first of these jobs. */
struct erasure {
    uint64_t cells[ERASABLE_JOURNAL_MAX];
    size_t n;
    struct shares_job *first;
};

/* Those up to ${end}, which is not among them, are erased, or none of them is. */
static void finish_erasure(struct shares *s, struct erasure *e, const struct shares_job *end)
{
    int rc = e->n > 0 ? erase_some(s, e->cells, e->n) : ERR_OK;

    for (struct shares_job *job = e->first; job != end; job = job->next)
        if (job->kind == SHARES_ERASE)
            job->code = rc;
    tell(s, rc);
    e->n = 0;
    e->first = NULL;
}

/*
 * All that a gathering erases: each journal costs two syncs, and others wait for this thread.  They
 * come last, which nobody sees: that cells are erased is said when they are.
 */
static void erase_jobs(struct shares *s, struct shares_job *first)
{
    struct erasure e = {.first = first};

    s->why = (struct err){0};
    for (struct shares_job *job = first; job != NULL; job = job->next) {
        if (job->kind != SHARES_ERASE)
            continue;
        if (e.n + job->n > ERASABLE_JOURNAL_MAX) {
            finish_erasure(s, &e, job);
            e.first = job;
        }
        if (job->n > ERASABLE_JOURNAL_MAX) {
            job->code = erase_cells(s, job->items, job->n);
            tell(s, job->code);
            e.first = job->next;
            continue;
        }
        for (size_t i = 0; i < job->n; i++)
            e.cells[e.n++] = job->items[i].cell;
    }
    finish_erasure(s, &e, NULL);
}

/*
 * The one sync of a gathering that began when ${failures} had failed.  When one has failed since,
 * whoever asked for it, what was written may be lost, for all that this one says; the next
 * gathering draws anew.  The keys of days were drawn once, and more than this gathering rests on
 * them: as long as they are not sure all of them are written again.
 */
static int sync_gathering(struct shares *s, uint64_t failures)
{
    int rc = days_are_sure(s) ? ERR_OK : erasable_file_renew_days(s->cells, &s->why);

    if (rc == ERR_OK)
        rc = erasable_file_sync(s->cells, &s->why);
    if (rc != ERR_OK)
        return rc;
    s->sure_at = erasable_file_failures(s->cells);
    return s->sure_at == failures ? ERR_OK
                                  : err_set(&s->why, ERR_IO, "a sync of erasable keys has failed");
}

/* All jobs of one gathering: run, then one sync if it must be, then the rest of the batch. */
static void run_jobs(struct shares *s, struct shares_job *first)
{
    const uint64_t failures = erasable_file_failures(s->cells);
    bool opened = false;
    int synced;

    s->failed = ERR_OK;
    s->wrote = false;
    for (struct shares_job *job = first; job != NULL; job = job->next) {
        s->why = (struct err){0};
        job->code = run_job(s, job);
        tell(s, job->code);
        opened |= job->kind == SHARES_OPEN;
    }
    erase_jobs(s, first);
    s->why = (struct err){0};
    synced = s->wrote ? sync_gathering(s, failures) : ERR_OK;
    tell(s, synced);
    for (size_t i = 0; i < s->nnets; i++)
        (void)shares_flush_net(s->nets[i]);
    for (struct shares_job *job = first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->code == ERR_OK && writes(job->kind))
            job->code = synced;
        if (job->code == ERR_OK && job->kind <= SHARES_FIND)
            job->code = s->failed;
        loopq_post(s->home, &job->done);
    }
    if (opened && s->stock == 0)
        fill_stock(s);
}

void *shares_work(void *arg)
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
            break;
    }
    drop_stock(s);
    return NULL;
}
