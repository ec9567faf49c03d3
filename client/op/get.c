/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: find the ID -> GetTransfer -> find the sender -> check the row
 * (FORMATS.md section 16, 1 to 8) -> prepare the output -> Release -> unwrap ->
 * leaves and pieces (get_body.c: 9, 10) -> fsync, rename -> done.
 *
 * The output is prepared before the body share is asked for: a name that
 * cannot be written, or a full disk, must not cost an open.
 *
 * A connection that is lost: before the pieces everything is asked again, behind
 * the output, which stays; from then on what is missing (get_body.c).  Pieces that the
 * server does not have any more: everything up to the checks, for the reason is in the row.
 *
 * Ways to fail, with nothing left on the disk but what the same get can go on
 * with (get_keep.c):
 *  - no such transfer, or several            ERR_NOTFOUND, ERR_INVALID
 *  - any check                               ERR_INTEGRITY, ERR_REVOKED, ERR_REFUSED
 *  - expired, revoked, no opens left         ERR_EXPIRED, ERR_REVOKED, ERR_SPENT
 *  - a one-time password is wrong or missing ERR_FACTOR
 *  - the output                              as output.h
 */
#include "client/op/get.h"

#include <stdlib.h>
#include <string.h>

#include "common/transfer/factor_code.h"

/* ---- the end ----------------------------------------------------------------------- */

static void pause_get(struct satchel_op *op)
{
    struct get *g = (struct get *)op;

    if (g->waiter.link.next == NULL)
        return; /* the pieces have not begun */
    pool_forget(&g->waiter);
    rate_forget(&g->rate);
}

static void stop(struct satchel_op *op)
{
    struct get *g = (struct get *)op;

    atomic_store(&g->stop, true);
    pause_get(op);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct get *g = (struct get *)op;
    struct satchel_got r = {.size = g->shown.size,
                            .got_pieces = g->n_pieces - g->kept,
                            .kept_pieces = g->kept,
                            .verified = true,
                            .receipt_sent = g->receipt_sent,
                            .from_verified = g->shown.from_verified,
                            .folder =
                                g->spec.unpack != NULL && (g->folder != NULL || g->file != NULL)};

    /* A server that stays away has only not heard of it. */
    if (g->whole && err != NULL && err->code != SATCHEL_E_CANCELED)
        err = NULL;
    if (err != NULL) {
        /* The partial file goes before the caller hears of it, unless it is of use. */
        get_keep_part(g, err->code);
        output_free(g->output);
        g->output = NULL;
        g->done(op->done_cookie, err, NULL);
        return;
    }
    memcpy(r.id, g->find.id, sizeof(r.id));
    memcpy(r.from_id, g->shown.from_id, sizeof(r.from_id));
    memcpy(r.from, g->shown.from, sizeof(r.from));
    memcpy(r.name, g->shown.name, sizeof(r.name));
    (void)snprintf(r.path, sizeof(r.path), "%s", output_path(g->output));
    g->done(op->done_cookie, NULL, &r);
}

static void free_get(struct satchel_op *op)
{
    struct get *g = (struct get *)op;

    if (op->s != NULL)
        get_body_free(g);
    output_free(g->output);
    secret_free(&g->share_body);
    secret_wipe(g->code, sizeof(g->code));
    buf_free(&g->receipt);
    row_free(&g->row);
    person_free(&g->sender);
    free(g->part_path);
    free(g->folder);
    free(g->file);
    free(g);
}

/* ---- fifth: the body share -------------------------------------------------------------- */

static int unwrap_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    struct row_view view = {.me = g->op.id, .now = handle_now()};
    struct part proof[SLOT_PROOF_MAX];
    struct receive_in in;

    row_input(&g->row, &view, proof, &in);
    return receive_body(&in, &g->row.r, &g->share_body, &g->body, err);
}

static void unwrapped(struct op_job *job)
{
    get_body((struct get *)job->op);
}

static void on_released(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;
    Satchel__ReleaseReply *m;
    struct err err = {0};
    int rc;

    (void)arg;
    if (a->err != NULL) {
        err = find_error(&g->find, a->err);
        row_hint(&g->row, &err);
        op_end(op, &err);
        return;
    }
    m = a->e->release_reply;
    rc = secret_copy(&g->share_body, m->share_body.data, m->share_body.len, &err);
    secret_wipe(m->share_body.data, m->share_body.len);
    if (rc == ERR_OK)
        op_job(op, &g->job, unwrap_work, unwrapped);
    else
        op_end(op, &err);
}

/* The one-time password that the header asks for, "" if it asks for none; false: it has ended. */
static bool ask_code(struct get *g, char code[SATCHEL_CODE_SIZE])
{
    struct err err = {0};
    long len = 0;

    code[0] = '\0';
    if ((g->row.r.header.policy_flags & HEADER_REQUIRE_OTP) == 0)
        return true;
    if (g->code[0] != '\0' && g->op.retry.why == ERR_RATE) { /* it was not looked at */
        memcpy(code, g->code, SATCHEL_CODE_SIZE);
        return true;
    }
    if (g->on_code != NULL)
        len = g->on_code(g->op.cookie, &g->shown, code, SATCHEL_CODE_SIZE - 1);
    if (g->op.ended)
        return false;
    if (len < 0)
        op_fail(&g->op, ERR_CANCELED, "interrupted at the one-time password");
    else if ((len == 0 || len >= SATCHEL_CODE_SIZE) && g->code[0] != '\0')
        op_fail(&g->op, ERR_FACTOR,
                "cannot open transfer '%s': the connection was lost behind the one-time password, "
                "which may be used up: another one is needed",
                g->find.prefix);
    else if (len == 0 || len >= SATCHEL_CODE_SIZE)
        op_fail(&g->op, ERR_FACTOR,
                "cannot open transfer '%s': its sender asks for a one-time password",
                g->find.prefix);
    else
        code[len] = '\0';
    if (!g->op.ended && factor_code_check(code, &err) != ERR_OK)
        op_end(&g->op, &err);
    if (!g->op.ended)
        memcpy(g->code, code, SATCHEL_CODE_SIZE);
    return !g->op.ended;
}

static void release(struct op_job *job)
{
    struct get *g = (struct get *)job->op;
    char code[SATCHEL_CODE_SIZE] = "";
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Release m = SATCHEL__RELEASE__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_RELEASE_REPLY},
                       .cb = on_released,
                       .errors = true};

    if (g->renamed)
        handle_notice(g->op.s, SATCHEL_NOTICE_RENAMED, g->shown.from,
                      "'%s' is called '%s' here: with -o FILE you choose a name", g->shown.name,
                      output_path(g->output));
    if (g->replaced)
        handle_notice(g->op.s, SATCHEL_NOTICE_KEPT, NULL,
                      "'%s': nothing is kept of what another transfer of that name had left",
                      g->shown.name);
    g->renamed = g->replaced = false;
    if (!ask_code(g, code))
        goto wipe; /* what was not sent still counts */
    a.stale = a.recovers = factor_code_kind(code, strlen(code)) == FACTOR_CODE_ONE_TIME;
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    m.code = code;
    e.body_case = SATCHEL__ENVELOPE__BODY_RELEASE;
    e.release = &m;
    (void)op_ask(&g->op, &a);
wipe:
    secret_wipe(code, sizeof(code));
}

/* ---- fourth: the output ------------------------------------------------------------------ */

static int output_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;

    /* It is there already when a connection was lost. */
    return g->output == NULL ? get_keep_open(g, err) : ERR_OK;
}

/* ---- third: the checks --------------------------------------------------------------------- */

static int check_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    struct row_view view = {.me = g->op.id, .seen = g->op.s->profile->seen, .now = handle_now()};
    int rc = seen_refresh(view.seen, err);

    if (rc == ERR_OK)
        rc = row_check(&g->row, &view, NULL, 0, err);
    if (rc == ERR_OK)
        rc = row_remember(&g->row, 1, &view, g->max_lifetime, err);
    if (rc == ERR_OK && g->row.problem.code != ERR_OK) {
        *err = g->row.problem;
        if (g->sender.err.code != ERR_OK)
            err_wrap(err, "transfer '%s'", g->find.prefix);
        else
            *err = find_error(&g->find, &g->row.problem);
        rc = err->code;
    }
    return rc;
}

static void checked(struct op_job *job)
{
    struct get *g = (struct get *)job->op;
    struct satchel_error problem = {0};

    row_show(&g->row, g->op.id, &g->shown, &problem);
    if (g->on_transfer != NULL && !g->told)
        g->on_transfer(g->op.cookie, &g->shown);
    g->told = true;
    if (g->gone && !g->op.ended)
        op_fail(&g->op, ERR_NOTFOUND, "transfer '%s': the server does not have all of it any more",
                g->find.prefix);
    if (!g->op.ended)
        op_job(&g->op, &g->job, output_work, release);
}

static void found_sender(struct satchel_op *op)
{
    op_job(op, &((struct get *)op)->job, check_work, checked);
}

/* ---- second: the row ---- */

static void take_row(struct get *g, Satchel__TransferReply *m)
{
    Satchel__Transfer *t = m->transfer;
    struct err err = {0};

    if (t == NULL) {
        op_fail(&g->op, ERR_PROTO, "the server's answer is empty");
        return;
    }
    m->transfer = NULL;
    if (row_take(&g->row, t, &err) != ERR_OK || g->row.problem.code != ERR_OK) {
        op_end(&g->op, err.code != ERR_OK ? &err : &g->row.problem);
        return;
    }
    if (memcmp(&g->row.claim.tid, &g->find.tid, sizeof(g->find.tid)) != 0) {
        op_fail(&g->op, ERR_INTEGRITY, "the server showed another transfer than '%s'",
                g->find.prefix);
        return;
    }
    g->sender.uid = g->row.claim.sender;
    g->sender.chosen = true;
    g->row.sender = &g->sender;
    /* What he had sent before he went, or blocked us, is ours all the same. */
    g->sender.may_be_gone = true;
    g->people = (struct people){
        .op = &g->op, .p = &g->sender, .n = 1, .each_alone = true, .done = found_sender};
    people_find(&g->people);
}

static void on_row(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;
    struct err err;

    (void)arg;
    if (a->err == NULL) {
        take_row(g, a->e->transfer_reply);
        return;
    }
    err = find_error(&g->find, a->err);
    op_end(op, &err);
}

static void found(struct satchel_op *op)
{
    struct get *g = (struct get *)op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetTransfer m = SATCHEL__GET_TRANSFER__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY},
                       .cb = on_row,
                       .errors = true};

    op->progress.id = g->find.id;
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_TRANSFER;
    e.get_transfer = &m;
    (void)op_ask(op, &a);
}

/* ---- first: which one ---- */

static void connected(struct satchel_op *op)
{
    struct get *g = (struct get *)op;

    op_phase(op, SATCHEL_PHASE_PREPARE);
    if (op->s->link.session != NULL)
        g->max_lifetime = session_hello(op->s->link.session)->max_lifetime;
    g->find.op = op;
    g->find.done = found;
    find_one(&g->find);
}

/* The connection stands again.  What was shown before must be shown again, checks and all. */
static void again(struct satchel_op *op)
{
    struct get *g = (struct get *)op;

    if (!g->gone && get_body_again(g))
        return;
    row_free(&g->row);
    person_free(&g->sender);
    g->row = (struct row){0};
    g->sender = (struct person){0};
    secret_free(&g->share_body);
    body_free(g->body);
    g->body = NULL;
    connected(op);
}

static void begin(struct satchel_op *op)
{
    op_phase(op, SATCHEL_PHASE_CONNECT);
    op_connect(op, LINK_NEED_READY, connected);
}

static int copy_options(struct get *g, const struct satchel_get_options *o, struct err *err)
{
    int rc = find_check(o->id, g->find.prefix, err);

    if (rc != ERR_OK)
        return rc;
    if (o->folder != NULL && o->file != NULL)
        return err_set(err, ERR_INVALID, "either a folder or a file");
    if (settings_set(&g->folder, o->folder, err) != ERR_OK ||
        settings_set(&g->file, o->file, err) != ERR_OK)
        return ERR_NOMEM;
    g->spec =
        (struct output_spec){.folder = g->folder, .file = g->file, .fd = o->fd, .force = o->force};
    g->keep_archive = o->keep_archive;
    g->no_receipt = o->no_receipt;
    g->limit_rate = o->limit_rate < RATE_MAX ? o->limit_rate : RATE_MAX;
    g->on_transfer = o->on_transfer;
    g->on_code = o->on_code;
    g->done = o->done;
    g->op.on_progress = o->on_progress;
    return ERR_OK;
}

int satchel_get_start(struct satchel *s, const struct satchel_get_options *o,
                      struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_NOTHING,
                                        .begin = begin,
                                        .stop = stop,
                                        .pause = pause_get,
                                        .again = again,
                                        .finish = finish,
                                        .free = free_get};
    struct get *g = calloc(1, sizeof(*g));
    struct err err = {0};
    int rc;

    if (g == NULL)
        return op_no_memory(error);
    rc = copy_options(g, o, &err);
    if (rc == ERR_OK && s->profile == NULL)
        rc = err_set(&err, ERR_BADSTATE, "no profile is open");
    if (rc != ERR_OK) {
        free_get(&g->op);
        return handle_error(error, &err);
    }
    return op_start(&g->op, s, &kind, o->cookie, ret_op, error);
}
