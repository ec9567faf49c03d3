/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pieces of a send the server has: asked when the connection stands again, and for what an
 * earlier command has left.
 *
 * Happy path: UploadState -> its ranges are marked in `have`, page by page -> send_body_pass().
 * Ways to fail: it does not know the upload (sealed: the answer was lost; otherwise a new transfer
 * begins, or the operation ends), its ranges make no sense ERR_PROTO, it has more than our record
 * says (a new transfer begins).
 */
#include <stdlib.h>

#include "client/op/send.h"

static void ask_state(struct send *s, uint32_t from);

/* Mark the pieces of an answer; ${ret_next} is behind the last of them. */
static bool take_ranges(struct send *s, const Satchel__UploadStateReply *m, uint32_t *ret_next)
{
    for (size_t i = 0; i < m->n_pieces; i++) {
        const Satchel__Range *r = m->pieces[i];

        if (r->count > s->n_pieces || r->first > s->n_pieces - r->count || r->first < *ret_next)
            return false;
        memset(s->have + r->first, 1, r->count);
        s->acked += r->count;
        *ret_next = r->first + r->count;
    }
    return true;
}

static void on_state(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct send *s = (struct send *)op;
    uint32_t next = (uint32_t)(uintptr_t)arg, before = next;

    if (a->err != NULL && a->err->code == ERR_NOTFOUND && s->packed_header.len > 0) {
        s->next_sent = s->n_pieces; /* it was sealed, and only the answer was lost */
        send_seal(s);
        return;
    }
    if (a->err != NULL && s->resuming && !op_may_pass(a->err->code)) {
        send_start_over(s, "the server does not have it any more");
        return;
    }
    if (a->err != NULL) {
        if (!send_was_forgotten(s, a->err))
            op_end(op, a->err);
        return;
    }
    if (!take_ranges(s, a->e->upload_state_reply, &next) ||
        (a->e->upload_state_reply->more && next == before)) {
        op_fail(op, ERR_PROTO, "the server's list of pieces is malformed");
    } else if (next > s->known) {
        send_start_over(s, "its record is older than what was sent");
    } else if (a->e->upload_state_reply->more) {
        ask_state(s, next);
    } else {
        if (s->resuming && s->checked == 0)
            s->kept = s->acked;
        if (s->kept > 0 && s->checked == 0)
            handle_notice(op->s, SATCHEL_NOTICE_KEPT, NULL,
                          "'%s': %u of %u pieces are at the server already", s->name, s->kept,
                          s->n_pieces);
        op->progress.pieces_kept = s->kept;
        if (op_going(op))
            send_body_pass(s);
    }
}

static void ask_state(struct send *s, uint32_t from)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__UploadState m = SATCHEL__UPLOAD_STATE__INIT;
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_UPLOAD_STATE_REPLY},
                       .cb = on_state,
                       .arg = (void *)(uintptr_t)from,
                       .errors = true};

    m.tid = (ProtobufCBinaryData){sizeof(s->header.tid.b), s->header.tid.b};
    m.from = from;
    e.body_case = SATCHEL__ENVELOPE__BODY_UPLOAD_STATE;
    e.upload_state = &m;
    (void)op_ask(&s->op, &a);
}

void send_have_ask(struct send *s)
{
    free(s->have);
    s->have = calloc(s->n_pieces, 1);
    s->acked = 0;
    if (s->have == NULL)
        op_fail(&s->op, ERR_NOMEM, "out of memory");
    else
        ask_state(s, 0);
}
