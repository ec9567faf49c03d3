/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers make of a send beside its pieces and its slots: its keys, and at its end metadata,
 * header, signature (proto/FORMATS.md sections 6 to 8).
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/op/send.h"
#include "common/crypto/hash.h"
#include "common/crypto/rng.h"

/* ---- keys ---- */

/* Keys are drawn once for a transfer; an earlier process may have done it. */
static int draw_keys(struct send *s, struct err *err)
{
    struct hedge *h = s->op.s->profile->hedge;
    struct header *header = &s->header;
    int rc;

    secret_free(&s->cek); /* of an attempt that was cut before anything was sealed */
    secret_free(&s->mek);
    rc = hedge_draw(h, "content key", PART_OF(header->tid.b), &s->cek, err);
    if (rc == ERR_OK)
        rc = hedge_draw(h, "metadata key", PART_OF(header->tid.b), &s->mek, err);
    if (rc == ERR_OK)
        rc = rng_bytes(header->salt, sizeof(header->salt));
    return rc;
}

int send_make_keys(struct send *s, struct err *err)
{
    struct header *header = &s->header;
    int rc = s->resuming ? ERR_OK : draw_keys(s, err);

    if (rc == ERR_OK)
        rc = body_kid(&s->cek, header->tweak, &header->kid);
    if (rc == ERR_OK)
        rc = body_cid(&s->cek, &header->cid);
    if (rc == ERR_OK)
        rc = metadata_mkid(&s->mek, &header->tid, &header->mkid);
    body_free(s->body);
    s->body = NULL;
    if (rc == ERR_OK)
        rc = body_new(&s->cek, header, &s->body, err);
    if (rc == ERR_OK)
        header->commitment = *body_commitment(s->body);
    if (rc == ERR_OK && s->log != NULL && !s->resuming)
        rc = send_record_begin(s, err);
    return rc;
}

/* ---- the seal ---- */

static int seal_metadata(struct send *s, struct err *err)
{
    const struct source_facts *facts = source_facts(s->source);
    struct metadata m = {.length = s->size, .modified = facts->modified, .kind = facts->kind};
    int rc;

    (void)snprintf(m.name, sizeof(m.name), "%s", s->name);
    (void)snprintf(m.media_type, sizeof(m.media_type), "%s",
                   facts->kind == METADATA_ARCHIVE ? "application/x-tar" : s->media_type);
    m.message = s->message[0] != '\0' ? s->message : NULL;
    if (!s->no_preview)
        send_preview(s, &m);
    rc = metadata_seal(&s->mek, &s->header.tid, &m, &s->metadata, err);
    free(m.preview); /* the rest is not ours */
    if (rc == ERR_OK)
        rc = hash_sha256(s->header.metadata_hash.b, s->metadata.data, s->metadata.len);
    return rc;
}

/* What was made for an attempt that was cut before it left: all of it is made anew. */
static void forget_seal(struct send *s)
{
    buf_free(&s->metadata);
    buf_free(&s->packed_header);
    for (size_t i = 0; i < s->n_slots; i++)
        buf_free(&s->packed_slots[i]);
}

static int make_seal(struct send *s, const struct hash32 *leaves, struct err *err)
{
    int rc = source_unchanged(s->source, err);

    forget_seal(s);
    if (rc == ERR_OK)
        rc = body_root(leaves, s->n_pieces, &s->header.body_root);
    if (rc == ERR_OK)
        rc = seal_metadata(s, err);
    if (rc == ERR_OK)
        rc = send_slots_seal(s, err);
    if (rc == ERR_OK)
        rc = header_pack(&s->header, &s->packed_header, err);
    if (rc == ERR_OK)
        rc = header_sign(part(s->packed_header.data, s->packed_header.len), s->op.id->signer,
                         s->signature, err);
    /* The first header wins: this one is durable before it leaves. */
    if (rc == ERR_OK && s->log != NULL)
        rc = send_record_sealed(s, err);
    return rc;
}

static int seal_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;

    return make_seal(s, s->leaves, err);
}

int send_seal_ahead(struct send *s, const struct hash32 *leaf, struct err *err)
{
    return make_seal(s, leaf, err);
}

static int forget_work(struct op_job *job, struct err *err)
{
    /* What cannot be emptied is removed when the operation is freed. */
    if (upload_log_drop(((struct send *)job->op)->log, err) != ERR_OK)
        *err = (struct err){0};
    return ERR_OK;
}

static void forgotten(struct op_job *job)
{
    op_end(job->op, NULL);
}

static void on_sealed(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct send *s = (struct send *)op;

    (void)arg;
    if (a->err != NULL && a->err->code == ERR_BADSTATE && s->body == NULL) {
        send_open(s); /* sealed by an earlier process whose last pieces did not arrive */
        return;
    }
    if (a->err != NULL && s->past.sealed.len > 0 && !op_may_pass(a->err->code)) {
        send_start_over(s, "the server does not have it any more");
        return;
    }
    if (a->err != NULL) {
        if (!send_was_forgotten(s, a->err))
            op_end(op, a->err);
        return;
    }
    s->sealed = true;
    for (size_t i = 0; source_note(s->source, i) != NULL; i++)
        handle_notice(op->s, SATCHEL_NOTICE_LEFT_OUT, NULL, "%s", source_note(s->source, i));
    if (op->ended) /* by the caller, inside on_notice */
        return;
    if (s->log != NULL)
        op_job(op, &s->job, forget_work, forgotten);
    else
        op_end(op, NULL);
}

static ProtobufCBinaryData view(const struct buf *b)
{
    return (ProtobufCBinaryData){b->len, b->data};
}

static void ask_seal(struct send *s)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__SealTransfer m = SATCHEL__SEAL_TRANSFER__INIT;
    Satchel__SealedSlot rows[HEADER_SLOTS_MAX], *at[HEADER_SLOTS_MAX];
    struct op_ask a = {.ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_SEAL_REPLY},
                       .cb = on_sealed,
                       .errors = true};

    for (size_t i = 0; i < s->n_slots; i++) {
        satchel__sealed_slot__init(&rows[i]);
        rows[i].user_id = (ProtobufCBinaryData){IDS_UID_LEN, s->slot_uids[i].b};
        rows[i].slot = view(&s->packed_slots[i]);
        at[i] = &rows[i];
    }
    m.header = view(&s->packed_header);
    m.signature = (ProtobufCBinaryData){sizeof(s->signature), s->signature};
    m.slots = at;
    m.n_slots = s->n_slots;
    m.metadata = view(&s->metadata);
    e.body_case = SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER;
    e.seal_transfer = &m;
    (void)op_ask(&s->op, &a);
}

static void sealed(struct op_job *job)
{
    struct send *s = (struct send *)job->op;

    if (s->next_sent < s->n_pieces) /* its only piece has waited */
        send_body_flush(s);
    if (op_going(&s->op))
        ask_seal(s);
}

void send_seal(struct send *s)
{
    s->sealing = true;
    if (s->packed_header.len > 0)
        ask_seal(s);
    else
        op_job(&s->op, &s->job, seal_work, sealed);
}
