/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - ports, limits and counters common to all engines.
 *
 * A start call checks the request, copies it into a job and hands that to the
 * engine; the engine's store_job_done(), from whatever thread, sends it home to
 * the loop of its port, where the callback runs.
 */
#include "server/store/store.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/store_engine.h"
#include "server/store/store_request.h"

enum {
    IN_FLIGHT_MAX = 16384,
    BULK_MAX =
        16 << 20, /* bytes of requests on their way in; and as many of pieces on their way out */
    IDLE_HEAP = 32 << 20 /* free heap that malloc may keep */
};

struct store {
    const struct store_ops *ops;
    void *impl;
    atomic_uint_fast64_t started, failed, busy, in_flight, bulk_in, bulk_out;
    pthread_mutex_t lock; /* ports, and the ports' links and flags */
    struct store_port *ports;
    atomic_bool refused; /* some port waits for room */
};

struct store_port {
    struct store_port *next;
    struct store *store;
    struct loopq *q;
    struct loopq_item room; /* under lock: in the queue while room_posted */
    bool refused, room_posted;
    /* Loop thread only. */
    uint64_t under_way; /* callbacks still to come */
    bool closing;
    void (*on_room)(void *arg);
    void *room_arg;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static const struct store_ops *const engines[] = {&store_lmdb_ops};

static const struct {
    const char *name;
    bool writes;
} op_table[STORE_OP_COUNT] = {
#define X(op, writes) [STORE_OP_##op] = {#op, writes},
    STORE_OPS(X)
#undef X
};

const char *store_op_name(enum store_op op)
{
    return op_table[op].name;
}

bool store_op_writes(enum store_op op)
{
    return op_table[op].writes;
}

/* ---- open and close ---- */

int store_open_impl(struct store **ret_s, const struct store_ops *ops, void *impl, struct err *err)
{
    struct store *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->ops = ops;
    s->impl = impl;
    pthread_mutex_init(&s->lock, NULL);
    *ret_s = s;
    return ERR_OK;
}

int store_open(struct store **ret_s, const struct store_config *cfg, struct err *err)
{
    const char *name = cfg->engine != NULL ? cfg->engine : engines[0]->name;
    const struct store_ops *ops = NULL;
    void *impl = NULL;
    int rc;

    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (strcmp(engines[i]->name, name) == 0)
            ops = engines[i];
    if (ops == NULL)
        return err_set(err, ERR_UNSUPPORTED, "there is no storage engine '%s'", name);
    /*
     * Pieces are malloc()ed and freed all day: from mmap, or with the heap
     * trimmed, each would be zeroed and faulted in anew by the kernel.
     */
    (void)mallopt(M_MMAP_THRESHOLD, IDLE_HEAP);
    (void)mallopt(M_TRIM_THRESHOLD, IDLE_HEAP);
    rc = ops->open(&impl, cfg, err);
    if (rc != ERR_OK)
        return rc;
    rc = store_open_impl(ret_s, ops, impl, err);
    if (rc != ERR_OK)
        ops->close(impl);
    return rc;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    assert(s->ports == NULL);
    s->ops->close(s->impl);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- ports ---- */

static void on_room_item(struct loopq_item *item);

int store_port_open(struct store_port **ret_port, struct store *s, uv_loop_t *loop, struct err *err)
{
    struct store_port *port = calloc(1, sizeof(*port));
    int rc;

    if (port == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rc = loopq_open(&port->q, loop, err);
    if (rc != ERR_OK) {
        free(port);
        return rc;
    }
    port->store = s;
    port->room.run = on_room_item;
    pthread_mutex_lock(&s->lock);
    port->next = s->ports;
    s->ports = port;
    pthread_mutex_unlock(&s->lock);
    *ret_port = port;
    return ERR_OK;
}

static void on_port_gone(void *arg)
{
    struct store_port *port = arg;

    if (port->on_closed != NULL)
        port->on_closed(port->closed_arg);
    free(port);
}

/* The last thing that was to come has come: leave the store and close the queue. */
static void port_finish(struct store_port *port)
{
    struct store *s = port->store;
    struct store_port **at = &s->ports;
    bool waiting;

    if (!port->closing || port->under_way > 0)
        return;
    pthread_mutex_lock(&s->lock);
    waiting = port->room_posted;
    port->refused = false; /* nobody posts to it any more */
    if (!waiting) {
        while (*at != port)
            at = &(*at)->next;
        *at = port->next;
    }
    pthread_mutex_unlock(&s->lock);
    if (!waiting)
        loopq_close(port->q, on_port_gone, port);
}

void store_port_close(struct store_port *port, void (*on_closed)(void *arg), void *arg)
{
    assert(!port->closing);
    port->closing = true;
    port->on_closed = on_closed;
    port->closed_arg = arg;
    port_finish(port);
}

void store_port_on_room(struct store_port *port, void (*on_room)(void *arg), void *arg)
{
    port->on_room = on_room;
    port->room_arg = arg;
}

static void on_room_item(struct loopq_item *item)
{
    struct store_port *port =
        (struct store_port *)(void *)((char *)item - offsetof(struct store_port, room));

    pthread_mutex_lock(&port->store->lock);
    port->room_posted = false;
    pthread_mutex_unlock(&port->store->lock);
    if (port->closing)
        port_finish(port);
    else if (port->on_room != NULL)
        port->on_room(port->room_arg);
}

static bool half_empty(const struct store *s)
{
    return s->in_flight <= IN_FLIGHT_MAX / 2 && s->bulk_in <= BULK_MAX / 2 &&
           s->bulk_out <= BULK_MAX / 2;
}

/* Tell the ports that were refused.  Any thread. */
static void tell_room(struct store *s)
{
    if (!s->refused || !half_empty(s))
        return;
    pthread_mutex_lock(&s->lock);
    s->refused = false;
    for (struct store_port *p = s->ports; p != NULL; p = p->next)
        if (p->refused && !p->room_posted) {
            p->refused = false;
            p->room_posted = true;
            loopq_post(p->q, &p->room);
        }
    pthread_mutex_unlock(&s->lock);
}

/* ---- operations ---- */

static atomic_uint_fast64_t *bulk_counter(struct store *s, enum store_op op)
{
    return store_op_writes(op) ? &s->bulk_in : &s->bulk_out;
}

static int refuse(struct store_port *port)
{
    struct store *s = port->store;

    s->busy++;
    pthread_mutex_lock(&s->lock);
    port->refused = true;
    s->refused = true;
    pthread_mutex_unlock(&s->lock);
    tell_room(s); /* room may have come while we were saying that there is none */
    return ERR_BUSY;
}

/* Happy path: take a place among those under way; one always fits when nothing else is there. */
static int reserve(struct store_port *port, enum store_op op, size_t bulk)
{
    struct store *s = port->store;
    atomic_uint_fast64_t *counter = bulk_counter(s, op);

    if (s->in_flight >= IN_FLIGHT_MAX || (bulk > 0 && *counter > 0 && *counter + bulk > BULK_MAX))
        return refuse(port);
    s->in_flight++;
    *counter += bulk;
    return ERR_OK;
}

static void release(struct store *s, enum store_op op, size_t bulk)
{
    *bulk_counter(s, op) -= bulk;
    s->in_flight--;
    tell_room(s);
}

static void on_done(struct loopq_item *item)
{
    struct store_job *job =
        (struct store_job *)(void *)((char *)item - offsetof(struct store_job, done));
    struct store_port *port = job->port;

    job->cb(job->arg, job->res);
    free(job);
    port->under_way--;
    port_finish(port);
}

/* Everything but the way home. */
static void finish_job(struct store_job *job)
{
    struct store *s = job->port->store;

    if (job->op == STORE_OP_piece_put)
        free(job->in->piece_put.data);
    if (job->res->code != ERR_OK)
        s->failed++;
    release(s, job->op, job->bytes);
    job->done.run = on_done;
}

void store_jobs_done(struct store_job *first)
{
    struct loopq_item *head = NULL, *tail = NULL;
    struct store_port *port = NULL;

    for (struct store_job *job = first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->on_done != NULL) {
            job->on_done(job);
            continue;
        }
        finish_job(job);
        if (head != NULL && port != job->port) {
            loopq_post_all(port->q, head, tail);
            head = NULL;
        }
        if (head != NULL)
            tail->next = &job->done;
        else
            head = &job->done;
        tail = &job->done;
        port = job->port;
    }
    if (head != NULL)
        loopq_post_all(port->q, head, tail);
}

void store_job_done(struct store_job *job)
{
    job->next = NULL;
    store_jobs_done(job);
}

/* The job, its request and what that points to (${extra} bytes), in one piece of memory. */
static struct store_job *new_job(enum store_op op, const union store_request *in, size_t extra)
{
    struct whole {
        struct store_job job;
        union store_request in;
        uint64_t extra[];
    } *w = malloc(sizeof(*w) + extra);

    if (w == NULL)
        return NULL;
    w->job = (struct store_job){.op = op, .in = &w->in};
    w->in = *in;
    store_request_copy(op, &w->in, w->extra);
    w->job.res = calloc(1, sizeof(*w->job.res));
    if (w->job.res == NULL) {
        free(w);
        return NULL;
    }
    return &w->job;
}

static int start(struct store_port *port, enum store_op op, const void *in, store_cb *cb, void *arg)
{
    struct store *s = port->store;
    union store_request q = {0};
    struct store_job *job;
    size_t bulk, extra;
    int rc;

    assert(!port->closing);
    memcpy(&q, in, store_request_size(op));
    rc = store_request_check(op, &q);
    if (rc != ERR_OK)
        return rc;
    extra = store_request_extra(op, &q);
    bulk = store_request_bulk(op, &q) + extra;
    rc = reserve(port, op, bulk);
    if (rc != ERR_OK)
        return rc;
    job = new_job(op, &q, extra);
    if (job == NULL) {
        release(s, op, bulk);
        return ERR_NOMEM;
    }
    job->bytes = bulk;
    job->port = port;
    job->cb = cb;
    job->arg = arg;
    port->under_way++;
    s->started++;
    s->ops->submit(s->impl, job);
    return ERR_OK;
}

#define X(op, writes)                                                                              \
    int store_##op(struct store_port *port, const struct store_##op *in, store_cb *cb, void *arg)  \
    {                                                                                              \
        return start(port, STORE_OP_##op, in, cb, arg);                                            \
    }
STORE_OPS(X)
#undef X

void store_stats(const struct store *s, struct store_stats *ret_stats)
{
    struct store_stats st = {0};

    s->ops->stats(s->impl, &st);
    st.started = s->started;
    st.failed = s->failed;
    st.busy = s->busy;
    st.in_flight = s->in_flight;
    st.queued_bytes = s->bulk_in + s->bulk_out;
    *ret_stats = st;
}
