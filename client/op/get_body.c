/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a get: the list of leaves, checked against the header's root;
 * then ranges of pieces, a bounded number on their way; each one checked,
 * decrypted and written on a worker.  A file takes them in any order, a
 * descriptor in theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "client/local/partial.h"
#include "client/op/get.h"

enum { LEAVES_PAGE = 4096 };

static const struct header *header_of(const struct get *g)
{
    return &g->row.r.header;
}

static uint64_t file_len(const struct get *g)
{
    return g->row.r.metadata.length;
}

/* ---- the end ---------------------------------------------------------------------- */

static int commit_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    int rc = output_commit(g->output, err);

    /* Otherwise a later get drops the record of a file that is gone. */
    if (rc == ERR_OK && g->part_path != NULL &&
        partial_drop(g->op.s->profile->vault, g->part_path, err) != ERR_OK)
        *err = (struct err){0};
    return rc;
}

static void committed(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    g->whole = true;
    get_receipt(g);
}

/* Its place and its credit are free again. */
static void piece_free(struct get *g, struct get_piece *p)
{
    buf_free(&p->data);
    p->asked = p->open = p->there = false;
    g->credits--;
    pool_credit_give(g->op.s->pool, 1);
}

uint64_t get_bytes_done(const struct get *g)
{
    uint64_t bytes = (uint64_t)g->finished * BODY_PIECE_PLAIN;

    return bytes < file_len(g) ? bytes : file_len(g);
}

/* A piece is where it belongs. */
static void piece_done(struct get *g, struct get_piece *p)
{
    g->have[p->index] = 1;
    piece_free(g, p);
    g->finished++;
    op_advanced(&g->op);
    op_progress(&g->op, get_bytes_done(g));
    if (!g->op.ended)
        get_body_fill(g);
}

/* ---- one piece ----------------------------------------------------------------------- */

static struct get_piece *place_of(struct get *g, uint32_t index)
{
    return &g->pieces[index % POOL_PIECES];
}

static int write_piece(struct get *g, struct get_piece *p, struct err *err)
{
    return output_write(g->output, (uint64_t)p->index * BODY_PIECE_PLAIN,
                        part(p->data.data, p->len), &g->stop, err);
}

static int open_work(struct op_job *job, struct err *err)
{
    struct get_piece *p = LIST_OWNER(job, struct get_piece, job);
    struct get *g = (struct get *)job->op;
    size_t len = body_plain_len(header_of(g)->body_length, p->index);
    int rc = body_open_piece(g->body, p->index, &g->leaves[p->index],
                             part(p->data.data, p->data.len), p->data.data);

    if (rc == ERR_OK)
        rc = body_file_part(g->body, file_len(g), p->index, part(p->data.data, len), &p->len);
    if (rc == ERR_INTEGRITY)
        return err_set(err, rc, "piece %u of the transfer was changed", p->index);
    if (rc == ERR_OK && !output_in_order(g->output)) {
        rc = write_piece(g, p, err);
        p->there = rc == ERR_OK;
    }
    return rc;
}

/* The pieces whose turn it is. */
static int turn_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    int rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < g->turn; i++) {
        struct get_piece *p = place_of(g, g->next_written + i);

        rc = write_piece(g, p, err);
        p->there = rc == ERR_OK;
    }
    return rc;
}

static void next_turn(struct get *g);

static void turned(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    for (; g->turn > 0 && !g->op.ended; g->turn--)
        piece_done(g, place_of(g, g->next_written++));
    if (!g->op.ended)
        next_turn(g);
}

static bool is_open(struct get *g, uint32_t index)
{
    const struct get_piece *p = place_of(g, index);

    return p->open && p->index == index;
}

/* To a descriptor: the next ones in order, as many as are there. */
static void next_turn(struct get *g)
{
    uint32_t first = g->next_written;

    if (g->turn > 0)
        return;
    while (g->turn < POOL_PIECES && is_open(g, first + g->turn))
        g->turn++;
    if (g->turn > 0)
        op_job(&g->op, &place_of(g, first)->job, turn_work, turned);
}

static void opened(struct op_job *job)
{
    struct get_piece *p = LIST_OWNER(job, struct get_piece, job);
    struct get *g = (struct get *)job->op;

    if (!output_in_order(g->output)) {
        piece_done(g, p);
        return;
    }
    p->open = true;
    next_turn(g);
}

/* ---- ranges ---------------------------------------------------------------------------- */

static void take_piece(struct get *g, struct get_range *r, const struct answer *a)
{
    uint32_t index = a->e->piece->index;
    struct get_piece *p = place_of(g, index);

    if (r->left == 0 || index != r->next ||
        a->tail->len != body_sealed_len(header_of(g)->body_length, index)) {
        op_fail(&g->op, ERR_PROTO, "the server sent another piece than the one asked for");
        return;
    }
    r->next++;
    r->left--;
    p->data = *a->tail;
    *a->tail = (struct buf){0};
    op_job(&g->op, &p->job, open_work, opened);
}

/*
 * Revoked, deleted or expired while it was received: the transfer itself says which, so that it is
 * looked at again.
 */
static void refused(struct get *g, const struct err *why)
{
    if (why->code != ERR_NOTFOUND) {
        op_end(&g->op, why);
        return;
    }
    g->gone = true;
    op_restart(&g->op);
}

static void on_pieces(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;
    struct get_range *r = arg;

    if (a->err != NULL) {
        refused(g, a->err);
        return;
    }
    if (!a->last) {
        take_piece(g, r, a);
        return;
    }
    r->busy = false;
    if (r->left > 0)
        op_fail(op, ERR_PROTO, "the server holds back pieces");
    else
        get_body_fill(g);
}

/* Pieces that may be asked for at once: missing ones in a row, each with a free place. */
static uint32_t room(struct get *g)
{
    uint32_t most = session_hello(g->op.s->link.session)->window, n = 0;

    while (g->next_asked < g->n_pieces && g->have[g->next_asked])
        g->next_asked++;
    if (most > GET_RANGE)
        most = GET_RANGE;
    if (g->rate.per_second != 0)
        most = 1;
    if (most > g->n_pieces - g->next_asked)
        most = g->n_pieces - g->next_asked;
    while (n < most && !g->have[g->next_asked + n] && !place_of(g, g->next_asked + n)->asked)
        n++;
    return n;
}

/* Would a longer range be possible if we waited? */
static bool is_crumb(const struct get *g, uint32_t n)
{
    return n < GET_RANGE && n < g->n_pieces - g->next_asked && !g->have[g->next_asked + n] &&
           g->rate.per_second == 0;
}

static void ask_range(struct get *g, struct get_range *r, uint32_t count)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetPieces m = SATCHEL__GET_PIECES__INIT;
    struct op_ask a = {.ask = {.e = &e,
                               .expect = SATCHEL__ENVELOPE__BODY_DONE,
                               .more = SATCHEL__ENVELOPE__BODY_PIECE},
                       .cb = on_pieces,
                       .arg = r,
                       .errors = true};

    *r = (struct get_range){.busy = true, .next = g->next_asked, .left = count};
    for (uint32_t i = g->next_asked; i < g->next_asked + count; i++) {
        place_of(g, i)->asked = true;
        place_of(g, i)->index = i;
    }
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    m.first = g->next_asked;
    m.count = count;
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_PIECES;
    e.get_pieces = &m;
    g->next_asked += count;
    (void)op_ask(&g->op, &a);
}

/* The next range, if there is room for one; false: not now. */
static bool ask_more(struct get *g)
{
    struct get_range *r = g->ranges;
    uint32_t want, got;

    while (r < g->ranges + POOL_PIECES && r->busy)
        r++;
    if (r == g->ranges + POOL_PIECES)
        return false; /* one of them ends first */
    want = room(g);
    /* Rather wait for a whole range than ask for crumbs, unless nothing is on its way. */
    if (want == 0 || (is_crumb(g, want) && g->credits > 0))
        return false;
    got = pool_credit(g->op.s->pool, want);
    if (got == 0) {
        pool_wait(g->op.s->pool, &g->waiter);
        return false;
    }
    /* With a limit it is one: room(). */
    if (!rate_take(&g->rate, g->op.s->alarms, g->op.s->loop,
                   (uint64_t)got * body_sealed_len(header_of(g)->body_length, g->next_asked))) {
        pool_credit_give(g->op.s->pool, got);
        return false;
    }
    g->credits += got;
    ask_range(g, r, got);
    return true;
}

/* All that is missing is asked for, as far as there is room; at the end the file is made whole. */
void get_body_fill(struct get *g)
{
    struct session *session = g->op.s->link.session;

    if (!op_going(&g->op))
        return;
    if (g->finished == g->n_pieces) {
        /* Nobody comes back here: neither the server's last Done, nor who waited for room. */
        op_forget_requests(&g->op);
        pool_forget(&g->waiter);
        rate_forget(&g->rate);
        op_phase(&g->op, SATCHEL_PHASE_FINISH);
        if (!g->op.ended)
            op_job(&g->op, &g->job, commit_work, committed);
        return;
    }
    if (session == NULL) {
        op_unheard(&g->op);
        return;
    }
    while (op_going(&g->op) && g->next_asked < g->n_pieces && ask_more(g))
        ;
}

static void on_room(struct pool_waiter *w)
{
    get_body_fill(LIST_OWNER(w, struct get, waiter));
}

static void on_rate(struct alarm *a)
{
    get_body_fill(LIST_OWNER(a, struct get, rate.alarm));
}

/* ---- leaves ------------------------------------------------------------------------------ */

static int leaves_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    int rc = body_check_leaves(header_of(g), g->leaves, g->n_pieces, err);

    if (rc != ERR_OK)
        return rc;
    g->have = calloc(g->n_pieces, 1);
    return g->have != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static void leaves_checked(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    g->leaves_checked = true;
    g->op.progress.total = file_len(g);
    if (g->resuming) {
        get_keep_check(g);
        return;
    }
    op_phase(&g->op, SATCHEL_PHASE_TRANSFER);
    get_body_fill(g);
}

/* Memory grows with what has come, not with what a header promises. */
static bool make_room(struct get *g, size_t n)
{
    size_t want = g->have_leaves + n, cap = g->cap_leaves > 0 ? g->cap_leaves : LEAVES_PAGE;
    struct hash32 *more;

    while (cap < want)
        cap *= 2;
    if (cap == g->cap_leaves)
        return true;
    more = realloc(g->leaves, cap * sizeof(*more));
    if (more == NULL)
        return false;
    g->leaves = more;
    g->cap_leaves = cap;
    return true;
}

static void ask_leaves(struct get *g);

static void on_leaves(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;
    const Satchel__LeavesReply *m;
    size_t n;

    (void)arg;
    if (a->err != NULL) {
        refused(g, a->err);
        return;
    }
    m = a->e->leaves_reply;
    n = m->leaves.len / IDS_HASH_LEN;
    if (m->first != g->have_leaves || n == 0 || m->leaves.len % IDS_HASH_LEN != 0 ||
        n > g->n_pieces - g->have_leaves) {
        op_fail(op, ERR_INTEGRITY, "the server's list of pieces does not fit the transfer");
        return;
    }
    if (!make_room(g, n)) {
        op_fail(op, ERR_NOMEM, "out of memory");
        return;
    }
    memcpy(g->leaves + g->have_leaves, m->leaves.data, m->leaves.len);
    g->have_leaves += (uint32_t)n;
    if (g->have_leaves < g->n_pieces)
        ask_leaves(g);
    else
        op_job(op, &g->job, leaves_work, leaves_checked);
}

static void ask_leaves(struct get *g)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetLeaves m = SATCHEL__GET_LEAVES__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_LEAVES_REPLY},
                       .cb = on_leaves,
                       .errors = true};
    uint32_t left = g->n_pieces - g->have_leaves;

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    m.first = g->have_leaves;
    m.count = left < LEAVES_PAGE ? left : LEAVES_PAGE;
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_LEAVES;
    e.get_leaves = &m;
    (void)op_ask(&g->op, &a);
}

void get_body(struct get *g)
{
    pool_waiter_init(&g->waiter, on_room);
    rate_init(&g->rate, g->limit_rate, &g->op.s->getting, on_rate);
    g->n_pieces = body_pieces(header_of(g)->body_length);
    ask_leaves(g);
}

/* What was on its way is asked for again, but for pieces that a worker had written meanwhile. */
static void forget_pieces(struct get *g)
{
    for (size_t i = 0; i < POOL_PIECES; i++) {
        struct get_piece *p = &g->pieces[i];

        g->ranges[i].busy = false;
        if (!p->asked)
            continue;
        if (p->there) {
            g->have[p->index] = 1;
            g->finished++;
            if (output_in_order(g->output))
                g->next_written++;
        }
        piece_free(g, p);
    }
    g->turn = 0;
    g->next_asked = output_in_order(g->output) ? g->next_written : 0;
}

bool get_body_again(struct get *g)
{
    if (g->n_pieces == 0)
        return false;
    if (!g->leaves_checked) {
        free(g->have); /* the job that made it was not heard */
        g->have = NULL;
        if (g->have_leaves < g->n_pieces)
            ask_leaves(g);
        else
            op_job(&g->op, &g->job, leaves_work, leaves_checked);
        return true;
    }
    forget_pieces(g);
    op_phase(&g->op, SATCHEL_PHASE_TRANSFER);
    get_body_fill(g);
    return true;
}

void get_body_free(struct get *g)
{
    for (size_t i = 0; i < POOL_PIECES; i++)
        buf_free(&g->pieces[i].data);
    pool_credit_give(g->op.s->pool, g->credits);
    body_free(g->body);
    free(g->leaves);
    free(g->have);
}
