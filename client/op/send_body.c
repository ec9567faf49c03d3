/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a send: read, padded, sealed and hashed on workers, a bounded
 * number at a time; sent in order, so that the tree grows with them.
 *
 * A piece is sealed once: its plaintext is what was read then, and a key and
 * nonce never meet another one.
 */
#include "client/op/send.h"
#include "common/crypto/rng.h"

/* ---- one piece ------------------------------------------------------------------ */

/* The source's part of a piece, zeros behind it. */
static int read_piece(struct send *s, struct send_piece *p, size_t len, struct err *err)
{
    struct source_range range = {(uint64_t)p->index * BODY_PIECE_PLAIN, p->buffer, len};
    size_t got = 0;
    int rc = source_read(s->source, &range, &s->stop, &got, err);

    if (rc == ERR_OK)
        memset(p->buffer + got, 0, len - got);
    return rc;
}

static int piece_work(struct op_job *job, struct err *err)
{
    struct send_piece *p = LIST_OWNER(job, struct send_piece, job);
    struct send *s = (struct send *)job->op;
    size_t len = body_plain_len(s->header.body_length, p->index);
    int rc = read_piece(s, p, len, err);

    if (rc != ERR_OK)
        return rc;
    return body_seal_piece(s->body, p->index, part(p->buffer, len), p->buffer, &p->leaf);
}

static void on_ack(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct send *s = (struct send *)op;
    uint64_t bytes;

    if (a->e->piece_ack->index != (uint32_t)(uintptr_t)arg) {
        op_fail(op, ERR_PROTO, "the server acknowledged another piece");
        return;
    }
    s->acked++;
    bytes = (uint64_t)s->acked * BODY_PIECE_PLAIN;
    op_progress(op, bytes < s->size ? bytes : s->size);
    if (s->acked == s->n_pieces)
        op_phase(op, SATCHEL_PHASE_FINISH);
}

/* The buffer leaves with the frame. */
static bool put(struct send *s, struct send_piece *p)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutPiece m = SATCHEL__PUT_PIECE__INIT;
    struct op_ask a = {.ask = {.e = &e,
                               .expect = SATCHEL__ENVELOPE__BODY_PIECE_ACK,
                               .tail = p->buffer,
                               .tail_len = body_sealed_len(s->header.body_length, p->index),
                               .release = pool_give,
                               .arg = p->buffer},
                       .cb = on_ack,
                       .arg = (void *)(uintptr_t)p->index};

    m.tid = (ProtobufCBinaryData){sizeof(s->header.tid.b), s->header.tid.b};
    m.index = p->index;
    m.leaf = (ProtobufCBinaryData){sizeof(p->leaf.b), p->leaf.b};
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_PIECE;
    e.put_piece = &m;
    if (!op_ask(&s->op, &a))
        return false;
    p->buffer = NULL;
    return true;
}

/* ---- all of them ------------------------------------------------------------------ */

static struct send_piece *place_of(struct send *s, uint32_t index)
{
    return &s->pieces[index % POOL_PIECES];
}

static void pieced(struct op_job *job);

/* Begin as many pieces as there is room for. */
static void fill(struct send *s)
{
    while (s->next_read < s->n_pieces && !s->op.ended) {
        struct send_piece *p = place_of(s, s->next_read);

        if (p->buffer != NULL)
            return; /* the oldest is not sealed yet */
        p->buffer = pool_take(s->op.s->pool);
        if (p->buffer == NULL) {
            pool_wait(s->op.s->pool, &s->waiter);
            return;
        }
        p->index = s->next_read++;
        p->sealed = false;
        op_job(&s->op, &p->job, piece_work, pieced);
    }
}

static void on_room(struct pool_waiter *w)
{
    fill(LIST_OWNER(w, struct send, waiter));
}

static void pieced(struct op_job *job)
{
    struct send_piece *p = LIST_OWNER(job, struct send_piece, job);
    struct send *s = (struct send *)job->op;

    p->sealed = true;
    for (p = place_of(s, s->next_sent); p->buffer != NULL && p->sealed && p->index == s->next_sent;
         p = place_of(s, s->next_sent)) {
        if (merkle_add(&s->tree, p->leaf.b) != ERR_OK) {
            op_fail(&s->op, ERR_INTERNAL, "cannot hash");
            return;
        }
        if (!put(s, p))
            return;
        s->next_sent++;
    }
    if (s->next_sent == s->n_pieces)
        send_seal(s);
    else
        fill(s);
}

/* ---- keys ---------------------------------------------------------------------------- */

static int keys_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;
    struct hedge *h = s->op.s->profile->hedge;
    struct header *header = &s->header;
    int rc = hedge_draw(h, "content key", PART_OF(header->tid.b), &s->cek, err);

    if (rc == ERR_OK)
        rc = hedge_draw(h, "metadata key", PART_OF(header->tid.b), &s->mek, err);
    if (rc == ERR_OK)
        rc = rng_bytes(header->salt, sizeof(header->salt));
    if (rc == ERR_OK)
        rc = body_kid(&s->cek, header->tweak, &header->kid);
    if (rc == ERR_OK)
        rc = body_cid(&s->cek, &header->cid);
    if (rc == ERR_OK)
        rc = metadata_mkid(&s->mek, &header->tid, &header->mkid);
    if (rc == ERR_OK)
        rc = body_new(&s->cek, header, &s->body, err);
    if (rc == ERR_OK)
        header->commitment = *body_commitment(s->body);
    return rc;
}

static void keyed(struct op_job *job)
{
    struct send *s = (struct send *)job->op;

    pool_waiter_init(&s->waiter, on_room);
    s->n_pieces = body_pieces(s->header.body_length);
    s->op.progress.total = s->size;
    op_phase(&s->op, SATCHEL_PHASE_TRANSFER);
    fill(s);
}

void send_body(struct send *s)
{
    op_job(&s->op, &s->job, keys_work, keyed);
}

void send_body_free(struct send *s)
{
    for (size_t i = 0; i < POOL_PIECES; i++)
        pool_give(s->pieces[i].buffer);
    body_free(s->body);
}
