/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a get: the list of leaves, checked against the header's root;
 * then ranges of pieces, a bounded number on their way; each one checked,
 * decrypted and written on a worker.  A file takes them in any order, a
 * descriptor in theirs.
 */
#include <stdlib.h>
#include <string.h>

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
    return output_commit(((struct get *)job->op)->output, err);
}

static void committed(struct op_job *job)
{
    get_receipt((struct get *)job->op);
}

static void fill(struct get *g);

/* A piece is where it belongs. */
static void piece_done(struct get *g, struct get_piece *p)
{
    uint64_t bytes;

    buf_free(&p->data);
    p->busy = p->open = false;
    g->credits--;
    pool_credit_give(g->op.s->pool, 1);
    g->finished++;
    bytes = (uint64_t)g->finished * BODY_PIECE_PLAIN;
    op_progress(&g->op, bytes < file_len(g) ? bytes : file_len(g));
    if (g->op.ended)
        return;
    if (g->finished < g->n_pieces) {
        fill(g);
        return;
    }
    op_phase(&g->op, SATCHEL_PHASE_FINISH);
    op_job(&g->op, &g->job, commit_work, committed);
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
    if (rc == ERR_OK && !output_in_order(g->output))
        rc = write_piece(g, p, err);
    return rc;
}

static int turn_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;

    return write_piece(g, g->turn, err);
}

static void next_turn(struct get *g);

static void turned(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    g->writing = false;
    g->next_written++;
    piece_done(g, g->turn);
    if (!g->op.ended)
        next_turn(g);
}

/* To a descriptor: the next one in order, if it is there. */
static void next_turn(struct get *g)
{
    struct get_piece *p = place_of(g, g->next_written);

    if (g->writing || !p->open || p->index != g->next_written)
        return;
    g->writing = true;
    g->turn = p;
    op_job(&g->op, &p->job, turn_work, turned);
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
    p->busy = true;
    p->index = index;
    p->data = *a->tail;
    *a->tail = (struct buf){0};
    op_job(&g->op, &p->job, open_work, opened);
}

static void on_pieces(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;
    struct get_range *r = arg;

    if (!a->last) {
        take_piece(g, r, a);
        return;
    }
    r->busy = false;
    if (r->left > 0)
        op_fail(op, ERR_PROTO, "the server holds back pieces");
    else
        fill(g);
}

/* Pieces that may be asked for at once: so many credits, and as many free places in a row. */
static uint32_t room(struct get *g)
{
    uint32_t most = session_hello(g->op.s->link.session)->window, n = 0;

    if (most > GET_RANGE)
        most = GET_RANGE;
    if (most > g->n_pieces - g->next_asked)
        most = g->n_pieces - g->next_asked;
    /* A place is free when the piece that had it before is finished. */
    while (n < most && (g->next_asked + n < POOL_PIECES ||
                        (!place_of(g, g->next_asked + n)->busy &&
                         place_of(g, g->next_asked + n)->index + POOL_PIECES == g->next_asked + n)))
        n++;
    return n;
}

static void ask_range(struct get *g, struct get_range *r, uint32_t count)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__GetPieces m = SATCHEL__GET_PIECES__INIT;
    struct op_ask a = {.ask = {.e = &e,
                               .expect = SATCHEL__ENVELOPE__BODY_DONE,
                               .more = SATCHEL__ENVELOPE__BODY_PIECE},
                       .cb = on_pieces,
                       .arg = r};

    *r = (struct get_range){.busy = true, .next = g->next_asked, .left = count};
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    m.first = g->next_asked;
    m.count = count;
    e.body_case = SATCHEL__ENVELOPE__BODY_GET_PIECES;
    e.get_pieces = &m;
    g->next_asked += count;
    (void)op_ask(&g->op, &a);
}

static void fill(struct get *g)
{
    while (g->next_asked < g->n_pieces && !g->op.ended) {
        struct get_range *r = g->ranges;
        uint32_t want, got;

        while (r < g->ranges + POOL_PIECES && r->busy)
            r++;
        if (g->op.s->link.session == NULL || r == g->ranges + POOL_PIECES)
            return; /* the requests fail, or one of them ends first */
        want = room(g);
        /* Rather wait for a whole range than ask for crumbs, unless nothing is on its way. */
        if (want == 0 || (want < GET_RANGE && want < g->n_pieces - g->next_asked && g->credits > 0))
            return;
        got = pool_credit(g->op.s->pool, want);
        if (got == 0) {
            pool_wait(g->op.s->pool, &g->waiter);
            return;
        }
        g->credits += got;
        ask_range(g, r, got);
    }
}

static void on_room(struct pool_waiter *w)
{
    fill(LIST_OWNER(w, struct get, waiter));
}

/* ---- leaves ------------------------------------------------------------------------------ */

static int leaves_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    int rc = body_check_leaves(header_of(g), g->leaves, g->n_pieces, err);

    return rc == ERR_OK ? output_expect(g->output, file_len(g), err) : rc;
}

static void leaves_checked(struct op_job *job)
{
    struct get *g = (struct get *)job->op;

    g->op.progress.total = file_len(g);
    op_phase(&g->op, SATCHEL_PHASE_TRANSFER);
    fill(g);
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
    const Satchel__LeavesReply *m = a->e->leaves_reply;
    size_t n = m->leaves.len / IDS_HASH_LEN;

    (void)arg;
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
                       .cb = on_leaves};
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
    g->n_pieces = body_pieces(header_of(g)->body_length);
    ask_leaves(g);
}

void get_body_free(struct get *g)
{
    for (size_t i = 0; i < POOL_PIECES; i++)
        buf_free(&g->pieces[i].data);
    pool_credit_give(g->op.s->pool, g->credits);
    body_free(g->body);
    free(g->leaves);
}
