/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a send: read, padded, sealed and hashed on workers, a bounded
 * number at a time; their leaves recorded (send_record.c), in order; then sent,
 * in order, but for those that the server has.
 *
 * A key and a nonce never meet two plaintexts: once the leaf of a piece is
 * known, the piece leaves only with that leaf.  What is sealed again after a
 * lost connection, or by a later command, is compared here and goes nowhere
 * when it differs: the source has changed.
 *
 * A stream cannot be read again: what was sealed of it stays in its place until
 * it is acknowledged, and is sent again as it is.
 */
#include <stdlib.h>

#include "client/op/send.h"

/* ---- one piece ------------------------------------------------------------------ */

/* The file's part of a piece; of a stream it is there already. */
static int read_piece(struct send *s, struct send_piece *p, size_t len, struct err *err)
{
    struct source_range range = {(uint64_t)p->index * BODY_PIECE_PLAIN, p->buffer, len};

    return source_facts(s->source)->again ? source_read(s->source, &range, &s->stop, &p->len, err)
                                          : ERR_OK;
}

/*
 * Nothing will be known later that the seal needs: then the worker that has the piece makes it as
 * well.  Not of what was there before, whose leaf is to be compared first.
 */
bool send_is_small(const struct send *s)
{
    return body_pieces(s->header.body_length) == 1 && s->known == 0 && s->log == NULL &&
           send_length_known(s) && source_facts(s->source)->again;
}

static int piece_work(struct op_job *job, struct err *err)
{
    struct send_piece *p = LIST_OWNER(job, struct send_piece, job);
    struct send *s = (struct send *)job->op;
    size_t len = body_plain_len(p->body_length, p->index);
    int rc = read_piece(s, p, len, err);

    if (rc == ERR_OK && s->unkeyed) {
        rc = send_make_keys(s, err);
        s->unkeyed = rc != ERR_OK;
        p->body = s->body;
    }
    if (rc != ERR_OK)
        return rc;
    memset(p->buffer + p->len, 0, len - p->len); /* padding */
    rc = body_seal_piece(p->body, p->index, part(p->buffer, len), p->buffer, &p->leaf);
    p->there = rc == ERR_OK;
    if (rc == ERR_OK && send_is_small(s))
        rc = send_seal_ahead(s, &p->leaf, err);
    return rc;
}

static uint64_t bytes_done(const struct send *s)
{
    uint64_t bytes = (uint64_t)s->acked * BODY_PIECE_PLAIN;

    return bytes < s->size ? bytes : s->size;
}

static void tell_progress(struct send *s)
{
    op_progress(&s->op, bytes_done(s));
    if (s->acked == s->n_pieces)
        op_phase(&s->op, SATCHEL_PHASE_FINISH);
}

/* Can pieces be made again from the source? */
static bool reads_again(const struct send *s)
{
    return source_facts(s->source)->again;
}

static void fill(struct send *s);

static struct send_piece *place_of(struct send *s, uint32_t index)
{
    return &s->pieces[index % s->n_places];
}

static void piece_free(struct send_piece *p)
{
    pool_give(p->buffer);
    p->buffer = NULL;
}

static void on_ack(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct send *s = (struct send *)op;
    uint32_t index = (uint32_t)(uintptr_t)arg;

    if (a->err != NULL) {
        if (!send_was_forgotten(s, a->err))
            op_end(op, a->err);
        return;
    }
    if (a->e->piece_ack->index != index) {
        op_fail(op, ERR_PROTO, "the server acknowledged another piece");
        return;
    }
    s->acked++;
    s->unacked--;
    op_advanced(op);
    tell_progress(s);
    send_record_leaves(s);
    if (reads_again(s) || !op_going(op))
        return;
    piece_free(place_of(s, index));
    fill(s);
}

/* The buffer leaves with the frame, but for a stream's, which may be needed again. */
static bool put(struct send *s, struct send_piece *p)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutPiece m = SATCHEL__PUT_PIECE__INIT;
    struct op_ask a = {.ask = {.e = &e,
                               .expect = SATCHEL__ENVELOPE__BODY_PIECE_ACK,
                               .tail = p->buffer,
                               .tail_len = body_sealed_len(p->body_length, p->index),
                               .release = pool_give,
                               .arg = p->buffer},
                       .cb = on_ack,
                       .arg = (void *)(uintptr_t)p->index,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){sizeof(s->header.tid.b), s->header.tid.b};
    m.index = p->index;
    m.leaf = (ProtobufCBinaryData){sizeof(p->leaf.b), p->leaf.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_PIECE;
    e.put_piece = &m;
    if (!reads_again(s))
        pool_hold(p->buffer);
    if (!op_ask(&s->op, &a)) {
        if (!reads_again(s))
            pool_give(p->buffer);
        return false;
    }
    if (reads_again(s))
        p->buffer = NULL;
    s->unacked++;
    return true;
}

/* ---- all of them ------------------------------------------------------------------ */

/* Need not be read: the server has what was sealed of it in this process. */
static bool is_done(const struct send *s, uint32_t index)
{
    return index < s->checked && s->have != NULL && s->have[index];
}

static void pieced(struct op_job *job);

static void seal_piece(struct send *s, struct send_piece *p)
{
    p->body = s->end != NULL ? s->end : s->body;
    p->body_length = s->header.body_length;
    op_job(&s->op, &p->job, piece_work, pieced);
}

/* Begin as many pieces as there is room for. */
static void fill(struct send *s)
{
    for (; s->next_read < s->n_pieces && !s->reading && op_going(&s->op); s->next_read++) {
        struct send_piece *p = place_of(s, s->next_read);

        if (is_done(s, s->next_read))
            continue;
        if (p->buffer != NULL)
            return; /* the oldest is not sealed or not recorded yet */
        p->buffer = pool_take(s->op.s->pool);
        if (p->buffer == NULL && pool_has_left(s->op.s->pool)) {
            op_fail(&s->op, ERR_NOMEM, "out of memory");
            return;
        }
        if (p->buffer == NULL) {
            pool_wait(s->op.s->pool, &s->waiter);
            return;
        }
        if ((s->have == NULL || !s->have[s->next_read]) &&
            !rate_take(&s->rate, s->op.s->alarms, s->op.s->loop,
                       body_sealed_len(s->header.body_length, s->next_read))) {
            piece_free(p);
            return;
        }
        p->index = s->next_read;
        p->len = 0;
        p->there = p->sealed = false;
        if (send_length_known(s))
            seal_piece(s, p);
        else
            send_stream_read(s, p);
    }
}

void send_piece(struct send *s, struct send_piece *p)
{
    seal_piece(s, p);
    fill(s);
}

static void on_room(struct pool_waiter *w)
{
    fill(LIST_OWNER(w, struct send, waiter));
}

static void on_rate(struct alarm *a)
{
    fill(LIST_OWNER(a, struct send, rate.alarm));
}

/* The only piece of a body: together with its seal it costs the server one commit, not two. */
static bool waits_for_seal(const struct send *s)
{
    return s->n_pieces == 1 && s->next_leaf == 1 && s->packed_header.len == 0;
}

/* False: a piece of a stream has left its place, as the server had acknowledged it. */
static bool is_here(struct send *s, const struct send_piece *p)
{
    if (p->index == s->next_sent && p->buffer != NULL)
        return true;
    send_stream_lost(s);
    return false;
}

/* Send what is recorded, in order. */
void send_body_flush(struct send *s)
{
    uint32_t end = s->log != NULL && s->durable < s->next_leaf ? s->durable : s->next_leaf;

    if (waits_for_seal(s)) {
        if (!s->sealing && op_going(&s->op))
            send_seal(s);
        return;
    }
    for (; s->next_sent < end && op_going(&s->op); s->next_sent++) {
        struct send_piece *p = place_of(s, s->next_sent);

        if (is_done(s, s->next_sent) && p->index != s->next_sent)
            continue;
        if (s->have != NULL && s->have[s->next_sent])
            piece_free(p);
        else if (!is_here(s, p) || !put(s, p))
            return;
    }
    if (!op_going(&s->op))
        return;
    if (s->next_sent == s->n_pieces && !s->sealing)
        send_seal(s);
    else
        fill(s);
}

/* A piece that is not what it was: ERR_IO, unless a new transfer can begin. */
static void source_changed(struct send *s)
{
    struct err err = {0};

    if (s->resuming) {
        send_start_over(s, "it has changed");
        return;
    }
    err_set(&err, ERR_IO, "'%s' changed while it was sent", s->path);
    err_hint(&err, "send it again when nobody writes to it");
    op_end(&s->op, &err);
}

/* Take the leaves of sealed pieces, in order. */
static void collect(struct send *s)
{
    for (; s->next_leaf < s->n_pieces; s->next_leaf++) {
        struct send_piece *p = place_of(s, s->next_leaf);
        uint32_t i = s->next_leaf;

        if (is_done(s, i))
            continue;
        if (p->buffer == NULL || !p->sealed || p->index != i)
            break;
        if (i < s->known && memcmp(&s->leaves[i], &p->leaf, sizeof(p->leaf)) != 0) {
            source_changed(s); /* public: the server has the leaf */
            return;
        }
        if (i == s->known) {
            if (!send_leaves_room(s, i + 1)) {
                op_fail(&s->op, ERR_NOMEM, "out of memory");
                return;
            }
            s->leaves[s->known++] = p->leaf;
        }
        if (s->checked == i)
            s->checked++;
    }
    send_record_leaves(s);
    send_body_flush(s);
}

static void pieced(struct op_job *job)
{
    LIST_OWNER(job, struct send_piece, job)->sealed = true;
    collect((struct send *)job->op);
}

bool send_leaves_room(struct send *s, uint32_t n)
{
    uint32_t cap = s->cap_leaves > 0 ? s->cap_leaves : 64;
    struct hash32 *more;

    while (cap < n)
        cap *= 2;
    if (cap == s->cap_leaves)
        return true;
    more = realloc(s->leaves, cap * sizeof(*more));
    if (more == NULL)
        return false;
    s->leaves = more;
    s->cap_leaves = cap;
    return true;
}

/* ---- begin, and again ---------------------------------------------------------------- */

void send_body_pass(struct send *s)
{
    s->op.progress.done = bytes_done(s); /* told with the phase: what moves counts from here */
    op_phase(&s->op, SATCHEL_PHASE_TRANSFER);
    tell_progress(s);
    if (!op_going(&s->op))
        return;
    if (s->reading)
        send_stream_again(s, place_of(s, s->next_read - 1));
    fill(s);
    if (op_going(&s->op))
        collect(s);
}

void send_body_reset(struct send *s)
{
    for (uint32_t i = 0; i < s->n_places; i++) {
        piece_free(&s->pieces[i]);
        s->pieces[i].index = UINT32_MAX;
    }
    s->next_read = s->next_leaf = s->next_sent = s->unacked = 0;
    s->durable = s->written;
    s->recording = s->sealing = false;
}

/* Of a stream: all is sent again that the server does not have; nothing is read or sealed again. */
static void keep_pieces(struct send *s)
{
    for (uint32_t i = 0; i < s->n_places; i++)
        s->pieces[i].sealed = s->pieces[i].there;
    s->next_sent = s->unacked = 0;
    s->sealing = false;
}

void send_body_again(struct send *s)
{
    if (s->n_pieces > 0 && !reads_again(s))
        keep_pieces(s);
    else
        send_body_reset(s);
    if (s->body == NULL && s->packed_header.len > 0)
        send_seal(s); /* sealed by an earlier process */
    else if (s->n_pieces == 0)
        send_body(s);
    else
        send_have_ask(s);
}

/* ---- keys ---------------------------------------------------------------------------- */

static int keys_work(struct op_job *job, struct err *err)
{
    return send_make_keys((struct send *)job->op, err);
}

/* Places for pieces, all free.  One is large: a small send is to have no more than it needs. */
static bool make_places(struct send *s)
{
    uint32_t n = s->n_pieces < POOL_PIECES ? s->n_pieces : POOL_PIECES;

    if (n == s->n_places)
        return true;
    send_body_reset(s);
    free(s->pieces);
    s->n_places = 0;
    s->pieces = calloc(n, sizeof(*s->pieces));
    if (s->pieces == NULL)
        return false;
    s->n_places = n;
    return true;
}

static void begin_pieces(struct send *s)
{
    pool_waiter_init(&s->waiter, on_room);
    rate_init(&s->rate, s->limit_rate, &s->op.s->sending, on_rate);
    s->n_pieces = body_pieces(s->header.body_length);
    if (!make_places(s)) {
        op_fail(&s->op, ERR_NOMEM, "out of memory");
        return;
    }
    send_body_reset(s);
    s->op.progress.total = send_length_known(s) ? s->size : 0;
    if (s->resuming)
        send_have_ask(s);
    else
        send_body_pass(s);
}

static void keyed(struct op_job *job)
{
    begin_pieces((struct send *)job->op);
}

/* One job for keys, piece and seal: each that comes behind another waits for a thread once more. */
void send_body(struct send *s)
{
    s->unkeyed = !s->resuming && send_is_small(s);
    if (s->unkeyed)
        begin_pieces(s);
    else
        op_job(&s->op, &s->job, keys_work, keyed);
}

void send_body_free(struct send *s)
{
    for (uint32_t i = 0; i < s->n_places; i++)
        piece_free(&s->pieces[i]);
    free(s->pieces);
    body_free(s->body);
    body_free(s->end);
    free(s->leaves);
    free(s->have);
}
