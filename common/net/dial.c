/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: start -> resolving -> on_resolved -> trying -> on_connected ->
 * on_done(tcp).  A literal address begins at trying, from a timer of 0 ms, so
 * that nothing is reported from inside the start.
 *
 * Ways to fail, all ending in on_done(NULL, ERR_CONNECT):
 *  - the name cannot be resolved, or not in time
 *  - each address refuses, cannot be reached, or does not answer in time
 *
 * What cannot be stopped (a resolver thread, a handle that closes) is cut
 * loose with its own memory and forgets the dial.
 */
#include "common/net/dial.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES_MAX = 16 };

/* One look-up; outlives the dial when it is given up. */
struct lookup {
    uv_getaddrinfo_t req;
    struct dial *dial; /* NULL: nobody waits */
};

/* One address; tcp must be first, for the callee frees it by that name. */
struct attempt {
    uv_tcp_t tcp;
    uv_connect_t req;
    struct dial *dial; /* NULL: nobody waits */
};

struct dial {
    uv_timer_t timer;
    struct addr to;
    unsigned connect_ms;
    dial_done on_done;
    void *cookie;
    struct lookup *lookup;
    struct attempt *attempt;
    struct sockaddr_storage list[ADDRESSES_MAX];
    size_t n, next;
    char why[128]; /* the last failure */
};

static void try_next(struct dial *d);

/* ---- teardown ---------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_attempt_closed(uv_handle_t *h)
{
    free(h); /* tcp is the attempt's first member */
}

static void drop_attempt(struct dial *d)
{
    struct attempt *a = d->attempt;

    if (a == NULL)
        return;
    d->attempt = NULL;
    a->dial = NULL;
    uv_close((uv_handle_t *)&a->tcp, on_attempt_closed);
}

static void drop_lookup(struct dial *d)
{
    struct lookup *l = d->lookup;

    if (l == NULL)
        return;
    d->lookup = NULL;
    l->dial = NULL;
    (void)uv_cancel((uv_req_t *)&l->req); /* fails when it runs already; then it ends alone */
}

void dial_cancel(struct dial *d)
{
    drop_attempt(d);
    drop_lookup(d);
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

/* The end, in either way.  The memory lasts until the loop has closed the timer. */
static void finish(struct dial *d, uv_tcp_t *tcp)
{
    struct err err = {0};
    char text[ADDR_TEXT];

    if (tcp == NULL) {
        addr_format(&d->to, text);
        (void)err_set(&err, ERR_CONNECT, "cannot connect to %s: %s", text, d->why);
        err_hint(&err, "check the address and the port, and whether the server runs");
    }
    dial_cancel(d);
    d->on_done(d->cookie, tcp, tcp == NULL ? &err : NULL);
}

static void note(struct dial *d, const char *why)
{
    (void)snprintf(d->why, sizeof(d->why), "%s", why);
}

/* ---- start -------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    struct dial *d = timer->data;

    /* Either the start of a literal address, or what we waited for is late. */
    if (d->lookup != NULL || d->attempt != NULL)
        note(d, d->lookup != NULL ? "the name was not resolved in time" : "timed out");
    drop_lookup(d);
    drop_attempt(d);
    try_next(d);
}

static void wait_for(struct dial *d)
{
    if (d->connect_ms > 0)
        (void)uv_timer_start(&d->timer, on_timer, d->connect_ms, 0);
    else
        (void)uv_timer_stop(&d->timer);
}

/* ---- resolve ------------------------------------------------------------ */

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *l = (struct lookup *)req;
    struct dial *d = l->dial;

    free(l);
    if (d == NULL)
        goto out;
    d->lookup = NULL;
    if (status != 0) {
        note(d, uv_strerror(status));
        finish(d, NULL);
        goto out;
    }
    for (struct addrinfo *ai = list; ai != NULL && d->n < ADDRESSES_MAX; ai = ai->ai_next)
        if (ai->ai_addrlen <= sizeof(d->list[0]))
            memcpy(&d->list[d->n++], ai->ai_addr, ai->ai_addrlen);
    note(d, "the name has no address");
    try_next(d);
out:
    uv_freeaddrinfo(list);
}

static int resolve(struct dial *d, uv_loop_t *loop, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct lookup *l = calloc(1, sizeof(*l));
    char port[8];
    int status;

    if (l == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)snprintf(port, sizeof(port), "%u", (unsigned)d->to.port);
    status = uv_getaddrinfo(loop, &l->req, on_resolved, d->to.host, port, &hints);
    if (status != 0) {
        free(l);
        return err_set(err, ERR_CONNECT, "cannot resolve '%s': %s", d->to.host,
                       uv_strerror(status));
    }
    l->dial = d;
    d->lookup = l;
    return ERR_OK;
}

/* ---- connect ------------------------------------------------------------ */

static void on_connected(uv_connect_t *req, int status)
{
    struct attempt *a = req->data;
    struct dial *d = a->dial;

    if (d == NULL)
        return;
    if (status != 0) {
        note(d, uv_strerror(status));
        drop_attempt(d);
        try_next(d);
        return;
    }
    d->attempt = NULL;
    a->dial = NULL;
    finish(d, &a->tcp);
}

/* 0, or libuv's error; then there is no attempt. */
static int try_one(struct dial *d, const struct sockaddr_storage *sa)
{
    struct attempt *a = calloc(1, sizeof(*a));
    int status;

    if (a == NULL)
        return UV_ENOMEM;
    status = uv_tcp_init(d->timer.loop, &a->tcp);
    if (status != 0) {
        free(a);
        return status;
    }
    a->req.data = a;
    a->dial = d;
    d->attempt = a;
    status = uv_tcp_connect(&a->req, &a->tcp, (const struct sockaddr *)sa, on_connected);
    if (status != 0)
        drop_attempt(d);
    return status;
}

static void try_next(struct dial *d)
{
    while (d->next < d->n) {
        int status = try_one(d, &d->list[d->next++]);

        if (status == 0) {
            wait_for(d);
            return;
        }
        note(d, uv_strerror(status));
    }
    finish(d, NULL);
}

int dial_start(struct dial **ret, const struct dial_opts *opts, struct err *err)
{
    struct dial *d = calloc(1, sizeof(*d));
    int rc = ERR_OK;

    if (d == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    d->to = *opts->to;
    d->connect_ms = opts->connect_ms;
    d->on_done = opts->on_done;
    d->cookie = opts->cookie;
    if (d->to.literal)
        rc = addr_to_sockaddr(&d->to, &d->list[d->n++], err);
    else
        rc = resolve(d, opts->loop, err);
    if (rc != ERR_OK) {
        free(d);
        return rc;
    }
    (void)uv_timer_init(opts->loop, &d->timer); /* cannot fail */
    d->timer.data = d;
    if (d->to.literal)
        (void)uv_timer_start(&d->timer, on_timer, 0, 0);
    else
        wait_for(d);
    *ret = d;
    return ERR_OK;
}
