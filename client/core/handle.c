/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handle's life.  Closing: operations end, their `done` runs -> the
 * connection closes -> nothing is left (handle_settle) -> in the loop's next
 * turn memory goes and the caller is told.
 */
#include "client/core/handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "client/core/op.h"

enum { CONNECT_MS = 15000, REQUEST_MS = 60000, RETRY_MS = 300000 };

uint64_t handle_now(void)
{
    struct timeval tv;

    (void)gettimeofday(&tv, NULL);
    return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

void handle_notice(struct satchel *s, enum satchel_notice_kind kind, const char *who,
                   const char *fmt, ...)
{
    char text[512];
    struct satchel_notice n = {.kind = kind, .who = who != NULL ? who : "", .message = text};
    va_list ap;

    if (s->on_notice == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->on_notice(s->cookie, &n);
}

/* ---- making ----------------------------------------------------------------- */

static void on_interrupt(uv_async_t *async)
{
    struct satchel *s = async->data;

    if (s->sync_op != NULL)
        satchel_cancel(s->sync_op);
    for (struct list *l = s->ops.next; s->sync_all && l != &s->ops; l = l->next)
        satchel_cancel(LIST_OWNER(l, struct satchel_op, in_handle));
}

static int make_loop(struct satchel *s, struct err *err)
{
    uv_loop_t *loop = malloc(sizeof(*loop));

    if (loop == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (uv_loop_init(loop) != 0) {
        free(loop);
        return err_set(err, ERR_INTERNAL, "cannot make an event loop");
    }
    if (uv_async_init(loop, &s->interrupt, on_interrupt) != 0) {
        (void)uv_loop_close(loop);
        free(loop);
        return err_set(err, ERR_INTERNAL, "cannot make an event loop");
    }
    s->interrupt.data = s;
    s->loop = loop;
    s->private_loop = true;
    return ERR_OK;
}

/* Run a private loop dry and free it. */
static void free_loop(struct satchel *s)
{
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    while (uv_run(s->loop, UV_RUN_DEFAULT) != 0)
        ;
    (void)uv_loop_close(s->loop);
    free(s->loop);
}

static void on_last(struct net_task *task);

static int make(struct satchel *s, struct uv_loop_s *loop, const struct satchel_options *o,
                struct err *err)
{
    int rc = place_find(o->place.home, o->place.profile, &s->place, err);

    if (rc != ERR_OK)
        return rc;
    s->loop = loop;
    if (loop == NULL)
        rc = make_loop(s, err);
    if (rc == ERR_OK)
        rc = net_loop_new(&s->net, s->loop, err);
    if (rc == ERR_OK)
        rc = pool_new(s->net, &s->pool, err);
    if (rc == ERR_OK)
        rc = alarms_new(s->loop, &s->alarms, err);
    s->connect_ms = o->connect_timeout != 0 ? o->connect_timeout : CONNECT_MS;
    s->request_ms = o->request_timeout != 0 ? o->request_timeout : REQUEST_MS;
    s->retry_ms = o->retry_time != 0 ? o->retry_time : RETRY_MS;
    s->cookie = o->cookie;
    s->on_notice = o->on_notice;
    s->on_pin = o->on_pin;
    s->last.run = on_last;
    return rc;
}

int satchel_new(struct satchel **ret, struct uv_loop_s *loop, const struct satchel_options *options,
                struct satchel_error *error)
{
    static const struct satchel_options none;
    struct satchel *s = calloc(1, sizeof(*s));
    struct err err = {0};
    int rc;

    if (s == NULL) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        return handle_error(error, &err);
    }
    list_init(&s->ops);
    link_init(&s->link, s);
    rc = make(s, loop, options != NULL ? options : &none, &err);
    if (rc == ERR_OK) {
        *ret = s;
        return SATCHEL_OK;
    }
    alarms_free(s->alarms);
    pool_free(s->pool);
    net_loop_free(s->net);
    if (s->private_loop)
        free_loop(s);
    place_free(&s->place);
    free(s);
    return handle_error(error, &err);
}

/* ---- closing ------------------------------------------------------------------ */

/* Nothing is left in the loop but handles of net_loop and alarms, which close by themselves. */
static void on_last(struct net_task *task)
{
    struct satchel *s = LIST_OWNER(task, struct satchel, last);
    void (*closed)(void *cookie) = s->on_closed;
    void *cookie = s->closed_cookie;

    link_free(&s->link);
    profile_close(s->profile);
    alarms_free(s->alarms);
    pool_free(s->pool);
    net_loop_free(s->net);
    place_free(&s->place);
    s->closed = true;
    if (!s->private_loop) /* otherwise satchel_close() still runs the loop */
        free(s);
    if (closed != NULL)
        closed(cookie);
}

void handle_settle(struct satchel *s)
{
    if (!s->closing)
        return;
    if (list_empty(&s->ops))
        link_close(&s->link);
    if (list_empty(&s->ops) && link_idle(&s->link))
        net_loop_later(s->net, &s->last);
}

void handle_run_out(struct satchel *s)
{
    while (!s->closed)
        (void)uv_run(s->loop, UV_RUN_ONCE);
    free_loop(s);
    free(s);
}

void satchel_close(struct satchel *s, void (*closed)(void *cookie), void *cookie)
{
    if (s == NULL)
        return;
    s->closing = true;
    s->on_closed = closed;
    s->closed_cookie = cookie;
    for (struct list *at = s->ops.next; at != &s->ops;) {
        struct satchel_op *op = LIST_OWNER(at, struct satchel_op, in_handle);

        at = at->next;
        satchel_cancel(op);
    }
    handle_settle(s);
    /* A satchel_sync_*() call that is running ends it. */
    if (s->private_loop && !s->in_sync)
        handle_run_out(s);
}

void satchel_pin_answer(struct satchel *s, bool accept)
{
    link_pin_answer(&s->link, accept);
}
