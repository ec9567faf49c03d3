/* SPDX-License-Identifier: Apache-2.0 */
#include "server/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/transfer/login.h"
#include "server/collector.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/dispatch.h"
#include "server/envelope.h"
#include "server/factor.h"
#include "server/shares.h"

/* Messages and results up to this size, in memory, do not count: everybody may always ask a little.
 */
enum { SMALL = 16 * 1024 };

struct call *call_new(struct conn *conn, const struct dispatch_row *row, Satchel__Envelope *msg,
                      size_t bytes, struct buf *tail)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->d = conn->d;
    c->conn = conn;
    c->row = row;
    c->id = msg->id;
    c->msg = msg;
    c->tail = *tail;
    *tail = (struct buf){0};
    c->queued = c->tail.len + (bytes > SMALL ? bytes : 0);
    conn_add_call(conn, c);
    c->d->n_calls++;
    return c;
}

static void drop(struct call *c)
{
    c->d->n_calls--;
    if (c->drop != NULL)
        c->drop(c->data);
    factor_free(c->factor);
    store_result_free(c->res);
    buf_free(&c->tail);
    (void)envelope_wipe(c->msg);
    satchel__envelope__free_unpacked(c->msg, NULL);
    free(c);
}

/*
 * Out of its connection, which is returned (NULL: it had none).  Comes before
 * the answer is sent: a connection that fails then does not find the call again.
 */
static struct conn *detach(struct call *c)
{
    struct conn *conn = c->conn;

    c->answered = true;
    c->held = false;
    c->conn = NULL;
    if (conn != NULL)
        conn_remove_call(conn, c);
    return conn;
}

/* Free unless something is still to come for it. */
static void release(struct call *c)
{
    if (!c->busy && !c->waiting)
        drop(c);
}

/* Take the next step, or end here if there is nobody to take it for. */
static void step(struct call *c, call_step *next)
{
    struct conn *conn = c->conn;

    if (c->answered && !c->row->finish) {
        drop(c);
        return;
    }
    next(c);
    if (conn != NULL)
        conn_settle(conn);
}

/* What the store has given, as long as it is kept, is under way like what came. */
static void count_result(struct call *c, size_t bytes)
{
    if (c->conn == NULL)
        return; /* taken off with its connection */
    c->queued = c->queued - c->counted + bytes;
    underway_less(c->d->underway, &c->conn->way, c->counted);
    underway_add(c->d->underway, &c->conn->way, bytes);
    c->counted = bytes;
}

/* ---- what is under way ---- */

static void started(struct call *c, int rc, call_step *self, call_step *then)
{
    if (rc == ERR_OK) {
        c->busy = true;
        c->since = uv_now(c->d->loop);
        c->then = then;
        return;
    }
    if (rc == ERR_BUSY && !c->answered) {
        c->waiting = true;
        c->again = self;
        c->since = uv_now(c->d->loop);
        daemon_wait(c->d, c);
        return;
    }
    call_error(c, rc, NULL);
}

void call_store(struct call *c, int rc, call_step *self, call_step *then)
{
    started(c, rc, self, then);
}

void call_store_bytes(struct call *c, size_t bytes, int rc, call_step *self, call_step *then)
{
    if (rc == ERR_OK)
        count_result(c, bytes);
    started(c, rc, self, then);
}

void call_shares(struct call *c, int rc, call_step *self, call_step *then)
{
    started(c, rc, self, then);
}

/* Full only until what was deleted is collected: the same request may find room a moment later. */
static void judge_full(const struct call *c, struct store_result *res)
{
    static const char words[] = "the store is full, and room is being made";

    if (res->code != ERR_FULL || !collector_is_due(c->d->collector))
        return;
    res->code = ERR_BUSY;
    memcpy(res->why, words, sizeof(words));
}

void call_on_store(void *arg, struct store_result *res)
{
    struct call *c = arg;

    c->busy = false;
    c->since = 0;
    store_result_free(c->res);
    judge_full(c, res);
    c->res = res;
    count_result(c, res->bytes > SMALL ? res->bytes : 0);
    step(c, c->then);
}

void call_on_shares(void *arg)
{
    struct call *c = arg;

    c->busy = false;
    c->since = 0;
    step(c, c->then);
}

void call_cells_done(struct call *c, const struct shares_job *job, call_step *self, call_step *then)
{
    uint64_t cells[STORE_LIST_MAX];
    struct store_cells_done in = {.cells = cells, .ncells = job->n};

    for (size_t i = 0; i < job->n && i < STORE_LIST_MAX; i++)
        cells[i] = job->items[i].cell;
    call_store(c, store_cells_done(c->d->port, &in, call_on_store, c), self, then);
}

void call_on_room(struct daemon *d)
{
    struct call *c = daemon_take_waiting(d);

    /* Those that find no room again go to the end of a new queue. */
    while (c != NULL) {
        struct call *next = c->waiting_next;

        c->waiting_next = NULL;
        c->waiting = false;
        c->since = 0;
        step(c, c->again);
        c = next;
    }
}

bool call_pays(struct call *c, size_t n, call_step *self)
{
    size_t most = c->d->settings.requests / 4;
    uint64_t wait;

    n = n < most ? n : most;
    if (n == 0)
        return true;
    wait = daemon_charge_spare(c->d, DAEMON_REQUESTS, n, PART_OF(c->conn->uid.b));
    if (wait == 0)
        return true;
    if (self == NULL) {
        c->conn->rests = true;
        call_later(c, ERR_RATE, wait);
        return false;
    }
    store_result_free(c->res);
    c->res = NULL;
    count_result(c, 0);
    call_hold(c, self);
    return false;
}

void call_hold(struct call *c, call_step *then)
{
    c->held = true;
    c->then = then;
}

void call_wake(struct call *c)
{
    if (!c->held)
        return;
    c->held = false;
    c->then(c);
}

/* ---- answers ---- */

void call_reply(struct call *c, Satchel__Envelope *env)
{
    struct conn *conn = detach(c);

    env->id = c->id;
    if (conn != NULL)
        conn_send(conn, env);
    release(c);
}

void call_done(struct call *c)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Done done = SATCHEL__DONE__INIT;

    env.body_case = SATCHEL__ENVELOPE__BODY_DONE;
    env.done = &done;
    call_reply(c, &env);
}

/* The peer hears no more of what is our fault than that it is: the log has the words. */
void call_error(struct call *c, int code, const char *fmt, ...)
{
    char text[ENVELOPE_MESSAGE_MAX] = "";
    struct conn *conn;
    va_list ap;

    if (fmt != NULL) {
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
    }
    if (envelope_code(code) == SATCHEL__CODE__INTERNAL)
        log_event(LOG_AT_ERROR, "request_failed", log_str("request", c->row->name), log_code(code),
                  log_str("why", text[0] != '\0' ? text : err_text(code)));
    conn = detach(c);
    if (conn != NULL)
        conn_error(conn, c->id, code, fmt != NULL ? text : NULL);
    release(c);
}

void call_later(struct call *c, int code, uint64_t retry_after)
{
    struct conn *conn = detach(c);

    if (conn != NULL)
        conn_error_later(conn, c->id, code, retry_after);
    release(c);
}

const char *call_why(const struct store_result *res)
{
    bool told = res->code == ERR_BUSY || envelope_code(res->code) == SATCHEL__CODE__INTERNAL;

    return told && res->why[0] != '\0' ? res->why : NULL;
}

void call_failed(struct call *c)
{
    const char *why = call_why(c->res);

    call_error(c, c->res->code, why != NULL ? "%s" : NULL, why);
}

void call_orphan(struct call *c)
{
    (void)detach(c);
    release(c);
}

void call_give_up(struct call *c)
{
    log_event(LOG_AT_WARN, "request_timeout", log_str("request", c->row->name));
    c->since = 0;
    call_error(c, ERR_TIMEOUT, NULL);
}

bool call_time_is_near(uint64_t time)
{
    uint64_t now = daemon_time();

    return (time > now ? time - now : now - time) <= LOGIN_CLOCK_MS;
}

bool call_take(struct call *c, const ProtobufCBinaryData *from, const char *field, void *to,
               size_t len)
{
    if (from->len != len) {
        call_error(c, ERR_INVALID, "%s has %zu bytes instead of %zu", field, from->len, len);
        return false;
    }
    memcpy(to, from->data, len);
    return true;
}
