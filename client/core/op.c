/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: op_start -> (link) -> turn: begin -> requests and jobs ->
 * op_end(NULL) -> turn: finish -> free.
 *
 * Ways to fail: any error of the link, a request or a job, satchel_cancel(),
 * satchel_close(): op_end(reason), and on as above.
 */
#include "client/core/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/show.h"

enum { PROGRESS_MS = 50 };

struct op_request {
    struct list in_op;
    struct satchel_op *op;
    struct request *request;
    op_answer_cb *cb;
    void *arg;
    bool errors, stale, recovers;
};

static void finish(struct satchel_op *op)
{
    struct satchel *s = op->s;
    struct satchel_error err = {0};

    list_remove(&op->in_handle);
    s->n_ops--;
    if (s->sync_op == op)
        s->sync_op = NULL;
    (void)handle_error(&err, &op->err);
    op->kind->finish(op, op->err.code != ERR_OK ? &err : NULL);
    identity_unref(op->id);
    op->kind->free(op);
    handle_settle(s);
}

static void on_turn(struct net_task *task)
{
    struct satchel_op *op = LIST_OWNER(task, struct satchel_op, turn);

    if (op->ended) {
        finish(op);
        return;
    }
    if (op->s->profile != NULL &&
        (op->id == NULL || (op->need == LINK_NEED_READY && !op->linked && op->jobs == 0))) {
        /* As it is after the login, which may have brought keys of other devices. */
        identity_unref(op->id);
        op->id = identity_ref(op->s->profile->id);
    }
    op->linked = op->linked || op->need == LINK_NEED_READY;
    op->next(op);
}

int op_start(struct satchel_op *op, struct satchel *s, const struct op_kind *kind, void *cookie,
             struct satchel_op **ret, struct satchel_error *err)
{
    struct err why = {0};

    if (s->closing)
        err_set(&why, ERR_BADSTATE, "the handle is closing");
    else if (s->n_ops >= SATCHEL_MAX_OPS)
        err_set(&why, ERR_LIMIT, "more than %d operations at a time", SATCHEL_MAX_OPS);
    else if (kind->need == LINK_NEED_READY && s->profile == NULL)
        err_set(&why, ERR_BADSTATE, "no profile is open");
    if (why.code != ERR_OK) {
        kind->free(op);
        return handle_error(err, &why);
    }
    op->s = s;
    op->kind = kind;
    op->cookie = cookie;
    op->done_cookie = s->sync_starts ? &s->sync : cookie;
    op->turn.run = on_turn;
    op->progress.id = "";
    list_init(&op->in_link);
    list_init(&op->requests);
    op_retry_init(op);
    list_push(&s->ops, &op->in_handle);
    s->n_ops++;
    if (ret != NULL)
        *ret = op;
    if (s->sync_starts)
        s->sync_op = op;
    op_connect(op, kind->need, kind->begin);
    return ERR_OK;
}

int op_no_memory(struct satchel_error *err)
{
    struct err why = {0};

    (void)err_set(&why, ERR_NOMEM, "out of memory");
    return handle_error(err, &why);
}

void op_connect(struct satchel_op *op, enum link_need need, void (*next)(struct satchel_op *op))
{
    op->need = need;
    op->next = next;
    link_wait(&op->s->link, op);
}

void op_go_on(struct satchel_op *op)
{
    if (!op->ended)
        net_loop_later(op->s->net, &op->turn);
}

void op_unlinked(struct satchel_op *op, const struct err *why)
{
    link_forget(op);
    if (op->kind->unlinked != NULL && !op->ended)
        op->kind->unlinked(op, why);
    else if (!op_lost(op, why))
        op_end(op, why);
}

void op_forget_requests(struct satchel_op *op)
{
    while (!list_empty(&op->requests)) {
        struct op_request *r = LIST_OWNER(op->requests.next, struct op_request, in_op);

        list_remove(&r->in_op);
        session_forget(r->request);
        free(r);
    }
}

void op_end(struct satchel_op *op, const struct err *why)
{
    if (op->ended)
        return;
    op->ended = true;
    if (why != NULL)
        op->err = *why;
    link_forget(op);
    alarm_clear(&op->retry.alarm);
    op_forget_requests(op);
    if (op->kind->stop != NULL)
        op->kind->stop(op);
    if (op->jobs == 0)
        net_loop_later(op->s->net, &op->turn);
}

void op_fail(struct satchel_op *op, int code, const char *fmt, ...)
{
    struct err why = {0};
    char text[sizeof(why.msg)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&why, code, "%s", text);
    op_end(op, &why);
}

void satchel_cancel(struct satchel_op *op)
{
    op_fail(op, ERR_CANCELED, "interrupted");
}

/* ---- requests ---- */

/* A one-time password was sent too soon behind wrong ones. */
static void hint_code(struct err *err)
{
    /* Rounded up: a try that comes too soon is for nothing. */
    uint64_t unit = err->retry_ms < 100000 ? 1000 : 60000;
    char wait[SHOW_TIME];

    err_hint(err,
             "try again in %s with a new one-time password; a recovery code does not wait behind "
             "wrong ones",
             show_span_words(err->retry_ms + unit - 1, wait));
}

static void on_answer(void *cookie, const struct answer *a)
{
    struct op_request *r = cookie;
    struct satchel_op *op = r->op;
    op_answer_cb *cb = r->cb;
    void *arg = r->arg;
    bool errors = r->errors, late = r->stale && a->err != NULL && a->err->code == ERR_RATE;
    bool advise = late && r->recovers && a->err->retry_ms > 0;
    struct answer told = *a;
    struct err err;

    if (a->last) {
        list_remove(&r->in_op);
        free(r);
    }
    if (advise) {
        err = *a->err;
        hint_code(&err);
        told.err = &err;
    }
    if (a->err != NULL && !late && op_lost(op, a->err))
        return;
    if (a->err != NULL && !errors)
        op_end(op, told.err);
    else
        cb(op, arg, &told);
}

bool op_ask(struct satchel_op *op, const struct op_ask *ask)
{
    struct session *session = op->s->link.session;
    struct op_request *r = calloc(1, sizeof(*r));
    struct ask a = ask->ask;
    struct err err = {0};
    int rc;

    if (r == NULL)
        rc = err_set(&err, ERR_NOMEM, "out of memory");
    else if (session == NULL || op->broken)
        rc = err_set(&err, ERR_CLOSED, "the connection was lost");
    else {
        *r = (struct op_request){.op = op,
                                 .cb = ask->cb,
                                 .arg = ask->arg,
                                 .errors = ask->errors,
                                 .stale = ask->stale,
                                 .recovers = ask->recovers};
        a.cb = on_answer;
        a.cookie = r;
        rc = session_ask(session, &a, &r->request, &err);
    }
    if (rc == ERR_OK) {
        list_push(&op->requests, &r->in_op);
        return true;
    }
    free(r);
    if (!op_lost(op, &err))
        op_end(op, &err);
    return false;
}

/* ---- jobs ---- */

static void on_work(uv_work_t *req)
{
    struct op_job *job = LIST_OWNER(req, struct op_job, req);

    job->rc = job->work(job, &job->err);
    if (job->rc != ERR_OK && job->err.code != job->rc)
        (void)err_set(&job->err, job->rc, "%s", err_text(job->rc));
}

static void on_worked(uv_work_t *req, int status)
{
    struct op_job *job = LIST_OWNER(req, struct op_job, req);
    struct satchel_op *op = job->op;

    (void)status; /* jobs are never cancelled */
    op->jobs--;
    if (op->ended) {
        if (op->jobs == 0)
            net_loop_later(op->s->net, &op->turn);
        return;
    }
    if (job->rc != ERR_OK) {
        op_end(op, &job->err);
    } else if (op->broken) {
        if (op->jobs == 0)
            op_retry_wait(op);
    } else if (job->after != NULL) {
        job->after(job);
    }
}

void op_job(struct satchel_op *op, struct op_job *job, op_work *work, op_after *after)
{
    if (!op_going(op))
        return; /* whoever called could not know */
    *job = (struct op_job){.op = op, .work = work, .after = after};
    op->jobs++;
    if (uv_queue_work(op->s->loop, &job->req, on_work, on_worked) != 0) {
        op->jobs--;
        op_fail(op, ERR_INTERNAL, "cannot start a job");
    }
}

/* ---- progress ---- */

static void tell(struct satchel_op *op)
{
    op->told = uv_now(op->s->loop);
    if (op->on_progress != NULL)
        op->on_progress(op->cookie, &op->progress);
}

void op_phase(struct satchel_op *op, enum satchel_phase phase)
{
    op->progress.phase = phase;
    tell(op);
}

void op_progress(struct satchel_op *op, uint64_t done)
{
    if (done == op->progress.done)
        return; /* a piece of padding */
    op->progress.done = done;
    if (done == op->progress.total || uv_now(op->s->loop) - op->told >= PROGRESS_MS)
        tell(op);
}
