/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: the last event told is read -> Subscribe -> events queue up ->
 * transfers' names are found (watch_names.c) -> a worker finds people's names -> those
 * of whom nothing is known are looked up -> they are told -> the last one is noted ->
 * the next ones.
 *
 * A Ping now and then keeps the connection, and notices when it is dead.
 *
 * Ways to fail: the connection is lost (its reason), ERR_LIMIT (events come
 * faster than they are told: they are asked for again), those of the vault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/cursor.h"
#include "client/op/watch.h"

enum { QUEUE_MAX = 4096, PING_MS = 60000 };

/* Outlives the operation until libuv has closed it. */
struct watch_pulse {
    uv_timer_t timer;
    struct watch *w;
};

/* ---- telling --------------------------------------------------------------------------- */

static void give_name(struct watch *w, const struct person *p)
{
    char text[IDS_UID_TEXT];

    ids_uid_to_text(&p->uid, text);
    for (size_t i = 0; i < w->n_batch; i++)
        if (strcmp(w->batch[i].who_id, text) == 0)
            (void)snprintf(w->batch[i].who, sizeof(w->batch[i].who), "%s", person_name(p));
}

static void next_batch(struct watch *w);

static void noted(struct op_job *job)
{
    struct watch *w = (struct watch *)job->op;

    w->telling = false;
    next_batch(w);
}

static int note_work(struct op_job *job, struct err *err)
{
    const struct watch *w = (const struct watch *)job->op;

    return cursor_save(job->op->s->profile->vault, CURSOR_WATCH, w->batch[w->n_batch - 1].number,
                       err);
}

static void tell(struct satchel_op *op)
{
    struct watch *w = (struct watch *)op;

    for (size_t i = 0; i < w->people.n; i++) {
        if (w->persons[i].err.code == ERR_OK)
            give_name(w, &w->persons[i]);
        person_free(&w->persons[i]);
    }
    w->people.n = 0;
    for (size_t i = 0; i < w->n_batch && !w->op.ended; i++)
        w->on_event(w->op.cookie, &w->batch[i]);
    if (!w->op.ended)
        op_job(&w->op, &w->job, note_work, noted);
}

/*
 * Somebody new, as the inbox would call him; who cannot be found stays without a name.  So does
 * who cannot be found now, for there are many of them: events go on.
 */
static void named(struct op_job *job)
{
    struct watch *w = (struct watch *)job->op;
    size_t n = 0;

    for (size_t i = 0; i < w->n_batch; i++) {
        struct uid uid;
        size_t k = 0;

        if (w->batch[i].who[0] != '\0' ||
            ids_uid_from_text(w->batch[i].who_id, &uid, NULL) != ERR_OK)
            continue;
        while (k < n && memcmp(&w->persons[k].uid, &uid, sizeof(uid)) != 0)
            k++;
        if (k == n)
            w->persons[n++] = (struct person){.uid = uid};
    }
    w->people = (struct people){
        .op = &w->op, .p = w->persons, .n = n, .each_alone = true, .skips = true, .done = tell};
    if (n > 0)
        people_find(&w->people);
    else
        tell(&w->op);
}

static int name_one(const struct satchel_op *op, struct satchel_event *e, struct err *err)
{
    struct contact c = {0};
    struct uid uid;
    int rc = ids_uid_from_text(e->who_id, &uid, err);

    if (rc == ERR_OK && memcmp(&uid, &op->id->uid, sizeof(uid)) == 0) {
        (void)snprintf(e->who, sizeof(e->who), "%s", op->id->username);
        return ERR_OK;
    }
    if (rc == ERR_OK)
        rc = contact_load(op->s->profile->vault, &uid, &c, err);
    if (rc == ERR_OK)
        (void)snprintf(e->who, sizeof(e->who), "%s", c.name);
    contact_free(&c);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

static int name_work(struct op_job *job, struct err *err)
{
    struct watch *w = (struct watch *)job->op;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < w->n_batch; i++)
        rc = name_one(&w->op, &w->batch[i], err);
    return rc;
}

void watch_named(struct watch *w)
{
    op_job(&w->op, &w->job, name_work, named);
}

static void next_batch(struct watch *w)
{
    size_t n = w->n_queue < WATCH_BATCH ? w->n_queue : WATCH_BATCH;

    if (w->telling || n == 0 || w->op.ended)
        return;
    w->telling = true;
    memcpy(w->batch, w->queue, n * sizeof(*w->queue));
    w->n_batch = n;
    w->n_queue -= n;
    memmove(w->queue, w->queue + n, w->n_queue * sizeof(*w->queue));
    watch_find_names(w);
}

/* ---- events ------------------------------------------------------------------------------ */

static bool grow(struct watch *w)
{
    size_t cap = w->cap_queue > 0 ? w->cap_queue * 2 : 16;
    struct satchel_event *more;

    if (w->n_queue < w->cap_queue)
        return true;
    more = realloc(w->queue, cap * sizeof(*more));
    if (more == NULL)
        return false;
    w->queue = more;
    w->cap_queue = cap;
    return true;
}

static void on_event(struct satchel_op *op, const Satchel__Event *m)
{
    struct watch *w = (struct watch *)op;
    struct satchel_event *e;
    struct uid uid;
    struct tid tid;

    if (op->ended || m->number <= w->cursor)
        return;
    if (m->tid.len != IDS_TID_LEN || m->user_id.len != IDS_UID_LEN) {
        op_fail(op, ERR_PROTO, "the server's event is malformed");
        return;
    }
    if (w->n_queue >= QUEUE_MAX || !grow(w)) {
        op_fail(op, ERR_LIMIT, "events come faster than they can be told");
        return;
    }
    w->cursor = m->number;
    e = &w->queue[w->n_queue++];
    *e = (struct satchel_event){
        .number = m->number, .time = m->time, .kind = (enum satchel_event_kind)m->kind};
    memcpy(tid.b, m->tid.data, IDS_TID_LEN);
    memcpy(uid.b, m->user_id.data, IDS_UID_LEN);
    ids_tid_to_text(&tid, e->id);
    ids_uid_to_text(&uid, e->who_id);
    next_batch(w);
}

/* ---- keeping the connection ------------------------------------------------------------- */

static void on_pong(struct satchel_op *op, void *arg, const struct answer *a)
{
    (void)op;
    (void)arg;
    (void)a;
}

static void on_pulse(uv_timer_t *timer)
{
    struct watch *w = ((struct watch_pulse *)timer->data)->w;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Ping m = SATCHEL__PING__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_pong};

    e.body_case = SATCHEL__ENVELOPE__BODY_PING;
    e.ping = &m;
    if (!w->op.ended)
        (void)op_ask(&w->op, &a);
}

static int start_pulse(struct watch *w)
{
    struct watch_pulse *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return ERR_NOMEM;
    (void)uv_timer_init(w->op.s->loop, &p->timer);
    p->timer.data = p;
    p->w = w;
    w->pulse = p;
    (void)uv_timer_start(&p->timer, on_pulse, PING_MS, PING_MS);
    return ERR_OK;
}

static void on_pulse_closed(uv_handle_t *h)
{
    free(h->data);
}

/* ---- subscribing -------------------------------------------------------------------------- */

static void ready(struct op_job *job)
{
    struct watch *w = (struct watch *)job->op;

    w->telling = false;
    if (w->on_ready != NULL)
        w->on_ready(w->op.cookie);
    next_batch(w);
}

static int first_work(struct op_job *job, struct err *err)
{
    const struct watch *w = (const struct watch *)job->op;

    return cursor_save(job->op->s->profile->vault, CURSOR_WATCH, w->cursor, err);
}

static void on_subscribed(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct watch *w = (struct watch *)op;
    uint64_t last = a->e->subscribe_reply->last;

    (void)arg;
    if (start_pulse(w) != ERR_OK) {
        op_fail(op, ERR_NOMEM, "out of memory");
        return;
    }
    w->telling = true;                  /* what comes meanwhile waits */
    if (w->fresh || last < w->cursor) { /* the latter: the server was restored from a backup */
        w->cursor = last;
        op_job(op, &w->job, first_work, ready);
    } else {
        ready(&w->job);
    }
}

static void loaded(struct op_job *job)
{
    struct watch *w = (struct watch *)job->op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Subscribe m = SATCHEL__SUBSCRIBE__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_SUBSCRIBE_REPLY},
                       .cb = on_subscribed};

    m.after = w->cursor;
    m.from_now = w->fresh;
    e.body_case = SATCHEL__ENVELOPE__BODY_SUBSCRIBE;
    e.subscribe = &m;
    w->op.s->watch = &w->op;
    w->op.s->on_event = on_event;
    (void)op_ask(&w->op, &a);
}

static int load_work(struct op_job *job, struct err *err)
{
    struct watch *w = (struct watch *)job->op;
    int rc = cursor_load(job->op->s->profile->vault, CURSOR_WATCH, &w->cursor, err);

    w->fresh = rc == ERR_NOTFOUND;
    return w->fresh ? ERR_OK : rc;
}

static void begin(struct satchel_op *op)
{
    if (op->s->watch != NULL)
        op_fail(op, ERR_BADSTATE, "this handle is watching already");
    else
        op_job(op, &((struct watch *)op)->job, load_work, loaded);
}

/* ---- the ends ------------------------------------------------------------------------------- */

static void stop(struct satchel_op *op)
{
    struct watch *w = (struct watch *)op;

    if (op->s->watch == op)
        op->s->watch = NULL;
    if (w->pulse != NULL)
        uv_close((uv_handle_t *)&w->pulse->timer, on_pulse_closed);
    w->pulse = NULL;
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    ((struct watch *)op)->done(op->done_cookie, err);
}

static void free_watch(struct satchel_op *op)
{
    struct watch *w = (struct watch *)op;

    for (size_t i = 0; i < w->people.n; i++)
        person_free(&w->persons[i]);
    watch_free_names(w);
    free(w->queue);
    free(w);
}

int satchel_watch_start(struct satchel *s, const struct satchel_watch_options *o,
                        struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_READY,
                                        .begin = begin,
                                        .stop = stop,
                                        .finish = finish,
                                        .free = free_watch};
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return op_no_memory(error);
    w->on_ready = o->on_ready;
    w->on_event = o->on_event;
    w->done = o->done;
    return op_start(&w->op, s, &kind, o->cookie, ret_op, error);
}
