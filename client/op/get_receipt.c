/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a get: the file is checked and durable, and the server hears of
 * it, so that the open is committed and the sender gets a receipt.  The file is
 * there by now: whatever fails here is no failure of the get.
 */
#include "client/op/get.h"
#include "common/transfer/statement.h"

static void on_told(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct get *g = (struct get *)op;

    (void)arg;
    g->receipt_sent = a->err == NULL && g->receipt.len > 0;
    op_end(op, NULL);
}

/* A view of the Signed that ${raw} holds; its parts point into ${body} and ${sig}. */
static int view_signed(const struct get *g, struct buf *body, uint8_t sig[SIGNED_SIG_LEN],
                       Satchel__Signed *ret)
{
    int rc = signed_unpack(part(g->receipt.data, g->receipt.len), STATEMENT_MAX, body, sig, NULL);

    ret->body = (ProtobufCBinaryData){body->len, body->data};
    ret->signature = (ProtobufCBinaryData){SIGNED_SIG_LEN, sig};
    return rc;
}

static void tell(struct op_job *job)
{
    struct get *g = (struct get *)job->op;
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__PutReceipt m = SATCHEL__PUT_RECEIPT__INIT;
    Satchel__Signed receipt = SATCHEL__SIGNED__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE}, .cb = on_told, .errors = true};
    struct session *session = g->op.s->link.session;
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, g->find.tid.b};
    if (g->receipt.len > 0 && view_signed(g, &body, sig, &receipt) == ERR_OK)
        m.receipt = &receipt;
    e.body_case = SATCHEL__ENVELOPE__BODY_PUT_RECEIPT;
    e.put_receipt = &m;
    if (session != NULL && session_alive(session) && g->op.s->link.state == LINK_READY)
        (void)op_ask(&g->op, &a);
    else
        op_end(&g->op, NULL);
    buf_free(&body);
}

static int sign_work(struct op_job *job, struct err *err)
{
    struct get *g = (struct get *)job->op;
    const struct identity *me = g->op.id;
    struct statement s = {.tid = g->find.tid,
                          .header = g->row.r.header_hash,
                          .user = me->uid,
                          .manifest = chain_newest(&me->chain)->hash,
                          .device = me->device,
                          .time = handle_now()};

    if (!g->no_receipt && statement_make(SIGNED_RECEIPT, &s, &me->dsk, &g->receipt, err) != ERR_OK)
        buf_reset(&g->receipt);
    return ERR_OK;
}

void get_receipt(struct get *g)
{
    if (g->op.s->profile->settings.receipts == SETTINGS_RECEIPTS_OFF)
        g->no_receipt = true;
    op_job(&g->op, &g->job, sign_work, tell);
}
