/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collector.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/log.h"
#include "server/clock_guard.h"
#include "server/daemon.h"
#include "server/instances.h"
#include "server/watch.h"

enum {
    PERIOD_MS = 5000,
    SOON_MS = 100,
    EXPIRE_BATCH = 100,
    ERASE_BATCH = 1000,
    COLLECT_BATCH = 64,
    CLEAR_FEW = 8, /* rows of a deleted user at a time, where more did not go */
    DAYS_EVERY_MS = 60000,
    INSTANCES_EVERY_MS = 3600000
};

struct collector {
    struct daemon *d;
    struct collector_stats stats;
    uv_timer_t timer;
    bool timer_open, running, stopping;
    void (*on_stopped)(void *arg);
    void *stopped_arg;
    bool due, due_again; /* something to collect; since the last step to collect began */
    /* Of the round. */
    unsigned pending;         /* marks under way */
    size_t clear_limit;       /* of rows of deleted users; 0: as many as there may be */
    bool more, moved, failed; /* there are more; at least one was marked */
    struct shares_job *erase, *days;
    uint64_t days_at; /* uv_now() when days were last looked at */
    struct instances instances;
    uint64_t instances_at; /* the same of old key networks; 0: as soon as there is one */
    struct clock_guard clock;
    uint64_t confirmed, confirmed_boot; /* when the operator said that the clock is right */
};

static void start_round(struct collector *c);
static void look_at_clock(struct collector *c);
static void start_marks(struct collector *c);
static void start_clear(struct collector *c);
static void start_erase(struct collector *c);
static void start_days(struct collector *c);
static void start_collect(struct collector *c);
static void start_instances(struct collector *c);

/* ---- the end of a round, and of it all ---- */

static void stopped_if_done(struct collector *c)
{
    if (c->stopping && !c->running && !c->timer_open)
        c->on_stopped(c->stopped_arg);
}

static void end_round(struct collector *c)
{
    shares_job_free(c->erase);
    c->erase = NULL;
    c->running = false;
    c->stats.rounds++;
    if (c->due) /* it came too late for this one, in which a kick is not heard */
        collector_kick(c);
    stopped_if_done(c);
}

/* A step failed: log it once a round; the next one tries again. */
static void fail_round(struct collector *c, const char *what, int code, const char *why)
{
    c->due = false; /* for nobody knows how long */
    log_event(LOG_AT_ERROR, "collector_failed", log_str("step", what), log_code(code),
              log_str("why", why));
    end_round(c);
}

/* ---- 1: recipients past their expiry ---- */

static void on_marked(void *arg, struct store_result *res)
{
    struct collector *c = arg;

    /* BADSTATE and NOTFOUND: somebody was faster, or the clock went back. */
    if (res->code == ERR_OK && !res->duplicate) {
        c->stats.expired++;
        c->due = true;
        watch_kick(c->d, res->u.slot.sender);
        watch_kick(c->d, res->u.slot.uid);
        c->moved = true;
    } else if (res->code != ERR_OK && res->code != ERR_BADSTATE && res->code != ERR_NOTFOUND) {
        c->failed = true;
    }
    store_result_free(res);
    if (--c->pending > 0)
        return;
    if (c->more && c->moved && !c->failed && !c->stopping)
        start_marks(c);
    else
        start_clear(c);
}

static void on_expired(void *arg, struct store_result *res)
{
    struct collector *c = arg;

    if (res->code != ERR_OK) {
        fail_round(c, "expired_list", res->code, res->why);
        store_result_free(res);
        return;
    }
    c->more = res->more;
    c->moved = false;
    c->pending = 1; /* ours, until all are started */
    for (size_t i = 0; i < res->count; i++) {
        struct store_event_new event = {.kind = STORE_EVENT_EXPIRED};
        struct store_slot_update in = {
            .move = STORE_MOVE_EXPIRE, .now = c->clock.now, .event = &event};

        memcpy(event.uid, res->u.due[i].uid, sizeof(event.uid));
        memcpy(in.tid, res->u.due[i].tid, sizeof(in.tid));
        memcpy(in.uid, res->u.due[i].uid, sizeof(in.uid));
        if (store_slot_update(c->d->port, &in, on_marked, c) != ERR_OK) {
            c->failed = true; /* the store is busy: the next round goes on */
            break;
        }
        c->pending++;
    }
    store_result_free(res);
    if (--c->pending == 0)
        start_clear(c);
}

static void start_marks(struct collector *c)
{
    struct store_expired_list in = {.now = c->clock.now, .limit = EXPIRE_BATCH};
    int rc = store_expired_list(c->d->port, &in, on_expired, c);

    if (rc != ERR_OK)
        fail_round(c, "expired_list", rc, "");
}

/* ---- 2: what is left of deleted users ---- */

/* The keys of others do not wait for it, nor does what would make room; the next round tries less.
 */
static void clear_failed(struct collector *c, int code, const char *why)
{
    log_event(LOG_AT_ERROR, "collector_failed", log_str("step", "user_clear"), log_code(code),
              log_str("why", why));
    c->clear_limit = CLEAR_FEW;
}

static void on_cleared(void *arg, struct store_result *res)
{
    struct collector *c = arg;
    bool more = res->more && !c->stopping;

    if (res->code != ERR_OK) {
        clear_failed(c, res->code, res->why);
        more = false;
    } else {
        c->due |= res->count > 0;
        if (!res->more)
            c->clear_limit = 0;
    }
    store_result_free(res);
    if (more)
        start_clear(c);
    else
        start_erase(c); /* the cells are on the list */
}

/* A DeleteAccount at work does it itself; here is what a crash or a full disk interrupted. */
static void start_clear(struct collector *c)
{
    struct store_user_clear in = {.any = true, .now = daemon_time(), .limit = c->clear_limit};
    int rc;

    if (c->d->leaving > 0) {
        start_erase(c);
        return;
    }
    rc = store_user_clear(c->d->port, &in, on_cleared, c);
    if (rc == ERR_OK)
        return;
    clear_failed(c, rc, "");
    start_erase(c);
}

/* ---- 3: cells whose keys must go ---- */

static void on_told(void *arg, struct store_result *res)
{
    struct collector *c = arg;
    int code = res->code;

    store_result_free(res);
    if (code != ERR_OK) {
        fail_round(c, "cells_done", code, "");
        return;
    }
    c->stats.erased += c->erase->n;
    start_erase(c);
}

static void on_erased(void *arg)
{
    struct collector *c = arg;
    uint64_t *cells = calloc(c->erase->n, sizeof(*cells));
    struct store_cells_done in = {.cells = cells, .ncells = c->erase->n, .background = true};
    int rc = c->erase->code;

    if (rc == ERR_OK && cells == NULL)
        rc = ERR_NOMEM;
    for (size_t i = 0; rc == ERR_OK && i < c->erase->n; i++)
        cells[i] = c->erase->items[i].cell;
    if (rc == ERR_OK)
        rc = store_cells_done(c->d->port, &in, on_told, c);
    free(cells);
    if (rc != ERR_OK)
        fail_round(c, "erase", rc, "");
}

static void on_due(void *arg, struct store_result *res)
{
    struct collector *c = arg;
    int rc = res->code;

    shares_job_free(c->erase);
    c->erase = NULL;
    if (rc == ERR_OK && (res->count == 0 || c->stopping)) {
        store_result_free(res);
        start_days(c);
        return;
    }
    if (rc == ERR_OK && (c->erase = shares_job_new(res->count)) == NULL)
        rc = ERR_NOMEM;
    for (size_t i = 0; rc == ERR_OK && i < res->count; i++)
        c->erase->items[i].cell = res->u.cells[i];
    if (rc == ERR_OK)
        rc = shares_erase(c->d->shares, c->erase, on_erased, c);
    if (rc != ERR_OK)
        fail_round(c, "cells_due", rc, res->why);
    store_result_free(res);
}

static void start_erase(struct collector *c)
{
    struct store_cells_due in = {.limit = ERASE_BATCH};
    int rc = store_cells_due(c->d->port, &in, on_due, c);

    if (rc != ERR_OK)
        fail_round(c, "cells_due", rc, "");
}

/* ---- 4: the keys of past days ---- */

static void on_days(void *arg)
{
    struct collector *c = arg;
    int code = c->days->code;

    if (code != ERR_OK)
        log_event(LOG_AT_ERROR, "day_keys_not_destroyed", log_code(code));
    start_collect(c);
}

static void start_days(struct collector *c)
{
    uint64_t now = uv_now(c->d->loop);
    int rc;

    if (c->clock.jumped || (c->days_at != 0 && now - c->days_at < DAYS_EVERY_MS)) {
        start_collect(c);
        return;
    }
    c->days_at = now;
    c->days->now = c->clock.now;
    rc = shares_end_days(c->d->shares, c->days, on_days, c);
    if (rc != ERR_OK)
        fail_round(c, "days", rc, "");
}

/* ---- 5: rows and pieces ---- */

static void on_collected(void *arg, struct store_result *res)
{
    struct collector *c = arg;
    bool more = res->more && !c->stopping;

    if (res->code != ERR_OK) {
        fail_round(c, "collect", res->code, res->why);
        store_result_free(res);
        return;
    }
    c->stats.uploads += res->u.collect.uploads;
    c->stats.transfers += res->u.collect.transfers;
    c->stats.pieces += res->u.collect.pieces;
    c->due = res->more || c->due_again;
    store_result_free(res);
    if (more)
        start_collect(c);
    else
        start_instances(c);
}

static void start_collect(struct collector *c)
{
    struct store_collect in = {.now = c->clock.now, .limit = COLLECT_BATCH};
    int rc = store_collect(c->d->port, &in, on_collected, c);

    c->due_again = false; /* it comes behind all that anybody was told of */
    if (rc != ERR_OK)
        fail_round(c, "collect", rc, "");
}

/* ---- 6: key networks that nothing needs any more ---- */

static void on_instances(void *arg)
{
    struct collector *c = arg;
    int code = c->instances.code;

    instances_free(&c->instances);
    if (code != ERR_OK && code != ERR_CLOSED) {
        c->instances_at = 0;
        fail_round(c, "instances", code, "");
        return;
    }
    end_round(c);
}

static void start_instances(struct collector *c)
{
    uint64_t now = uv_now(c->d->loop);
    struct shares_stats s;
    int rc;

    shares_stats(c->d->shares, &s);
    if (s.instances < 2 || (c->instances_at != 0 && now - c->instances_at < INSTANCES_EVERY_MS)) {
        end_round(c);
        return;
    }
    c->instances_at = now;
    rc = instances_look(c->d, &c->instances, true, on_instances, c);
    if (rc != ERR_OK)
        fail_round(c, "instances", rc, "");
}

/* ---- rounds ---- */

/* The time of the round; of a clock that has jumped, the last one that was right. */
static void look_at_clock(struct collector *c)
{
    uint64_t wall = daemon_time();
    bool was_jumped = c->stats.clock_jumped;

    c->stats.clock_jumped = !clock_guard_look(&c->clock, wall, clock_guard_boot());
    c->stats.clock_trusted = c->clock.now;
    if (c->stats.clock_jumped && !was_jumped)
        log_event(LOG_AT_WARN, "clock_jumped", log_num("clock_ms", wall),
                  log_num("trusted_ms", c->clock.trusted),
                  log_str("hint", "nothing expires until it is right again; if it is right now: "
                                  "satchelctl clock confirm"));
    else if (was_jumped && !c->stats.clock_jumped)
        log_plain(LOG_AT_INFO, "clock_right_again");
    start_marks(c);
}

static void on_confirmed(void *arg)
{
    struct collector *c = arg;

    if (c->days->code != ERR_OK) {
        fail_round(c, "confirm_clock", c->days->code, "");
        return;
    }
    clock_guard_confirm(&c->clock, c->confirmed, c->confirmed_boot);
    c->confirmed = 0;
    c->days_at = 0;
    look_at_clock(c);
}

/* The time that was confirmed must be noted before anything goes by it. */
static void note_confirmed(struct collector *c)
{
    int rc;

    c->days->now = c->confirmed;
    rc = shares_confirm_clock(c->d->shares, c->days, on_confirmed, c);
    if (rc != ERR_OK)
        fail_round(c, "confirm_clock", rc, "");
}

static void start_round(struct collector *c)
{
    if (c->running || c->stopping)
        return;
    c->running = true;
    c->failed = false;
    if (c->confirmed != 0)
        note_confirmed(c);
    else
        look_at_clock(c);
}

static void on_timer(uv_timer_t *t)
{
    start_round(t->data);
}

void collector_expect(struct collector *c)
{
    c->due = c->due_again = true;
}

void collector_kick(struct collector *c)
{
    if (!c->stopping && uv_timer_get_due_in(&c->timer) > SOON_MS)
        (void)uv_timer_start(&c->timer, on_timer, SOON_MS, PERIOD_MS);
}

int collector_new(struct collector **ret_c, struct daemon *d, struct err *err)
{
    struct collector *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->d = d;
    c->due = true; /* whoever ran before may have left something */
    c->days = shares_job_new(0);
    if (c->days == NULL) {
        collector_free(c);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    clock_guard_init(&c->clock, shares_noted_time(d->shares), daemon_time(), clock_guard_boot());
    (void)uv_timer_init(d->loop, &c->timer);
    c->timer.data = c;
    c->timer_open = true;
    (void)uv_timer_start(&c->timer, on_timer, SOON_MS, PERIOD_MS);
    *ret_c = c;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct collector *c = h->data;

    c->timer_open = false;
    stopped_if_done(c);
}

bool collector_is_due(const struct collector *c)
{
    return c != NULL && c->due;
}

void collector_stop(struct collector *c, void (*on_stopped)(void *arg), void *arg)
{
    c->stopping = true;
    c->on_stopped = on_stopped;
    c->stopped_arg = arg;
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

void collector_free(struct collector *c)
{
    if (c == NULL)
        return;
    shares_job_free(c->erase);
    shares_job_free(c->days);
    free(c);
}

void collector_stats(const struct collector *c, struct collector_stats *ret)
{
    *ret = c->stats;
}

void collector_look_at_instances(struct collector *c)
{
    c->instances_at = 0;
    collector_kick(c);
}

void collector_confirm_clock(struct collector *c)
{
    c->confirmed = daemon_time();
    c->confirmed_boot = clock_guard_boot();
    log_plain(LOG_AT_INFO, "clock_confirmed");
    collector_kick(c);
}
