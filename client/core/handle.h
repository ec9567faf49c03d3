/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle - what is behind struct satchel, for the files of this folder and of
 * client/op alone.  Threads: the loop's own.
 */
#ifndef CLIENT_CORE_HANDLE_H
#define CLIENT_CORE_HANDLE_H

#include <uv.h>

#include "client/core/alarm.h"
#include "client/core/link.h"
#include "client/core/list.h"
#include "client/core/pool.h"
#include "client/core/rate.h"
#include "client/local/profile.h"
#include "client/satchel.h"

/* What a satchel_sync_*() call waits for. */
struct handle_sync {
    bool done;
    int code;
    struct satchel_error *err; /* may be NULL */
    void *ret;                 /* may be NULL */
    size_t size;               /* of the result */
};

struct satchel {
    uv_loop_t *loop;
    bool private_loop;
    uv_async_t interrupt; /* with a private loop */
    struct net_loop *net;
    struct pool *pool;
    struct alarms *alarms;
    struct rate_level sending, getting; /* of all operations with a limit */
    struct place place;
    unsigned connect_ms, request_ms, retry_ms;
    void *cookie;
    void (*on_notice)(void *cookie, const struct satchel_notice *n);
    void (*on_pin)(void *cookie, const struct satchel_pin_question *q);
    struct profile *profile; /* NULL until opened or registered */
    struct link link;
    struct satchel_op *watch; /* told of events, and ended when the connection is; NULL: none */
    void (*on_event)(struct satchel_op *watch, const Satchel__Event *e);
    struct list ops;
    unsigned n_ops;
    struct handle_sync sync;    /* one call at a time */
    bool sync_starts;           /* its operation is being started: sync is the cookie of `done` */
    struct satchel_op *sync_op; /* what a satchel_sync_*() call waits for */
    bool in_sync;               /* such a call runs the loop */
    bool sync_all;              /* it waits for all operations */
    bool closing, closed;
    struct net_task last; /* the end of closing */
    void (*on_closed)(void *cookie);
    void *closed_cookie;
};

/* Tell the caller something; ${who} may be NULL. */
void handle_notice(struct satchel *s, enum satchel_notice_kind kind, const char *who,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);

/* An operation or the connection is gone: go on closing if we are. */
void handle_settle(struct satchel *s);

/* Run the private loop of a closing handle until it is gone. */
void handle_run_out(struct satchel *s);

/* Milliseconds since 1970 UTC. */
uint64_t handle_now(void);

/* Fill the caller's ${to} (may be NULL) from ours; returns the code. */
int handle_error(struct satchel_error *to, const struct err *err);

#endif /* CLIENT_CORE_HANDLE_H */
