/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/parcel.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/hash.h"
#include "tests/must.h"

static void named_bytes(const char *what, uint32_t seed, uint8_t out[32])
{
    char text[64];

    (void)snprintf(text, sizeof(text), "parcel %s %u", what, seed);
    sample_bytes(text, out);
}

static void named_secret(const char *what, uint32_t seed, struct secret *s)
{
    MUST_OK(secret_new(s, 32, NULL));
    named_bytes(what, seed, s->data);
}

void parcel_make(struct parcel *x, const struct actor *const *who, size_t n, uint64_t length,
                 uint32_t seed)
{
    uint8_t bytes[32];

    MUST(n <= PARCEL_SLOTS_MAX);
    *x = (struct parcel){.n = n};
    x->who = calloc(n + 1, sizeof(struct actor *));
    x->role = calloc(n + 1, sizeof(*x->role));
    x->share = calloc(n + 1, sizeof(*x->share));
    x->slot = calloc(n + 1, sizeof(*x->slot));
    x->slot_raw = calloc(n + 1, sizeof(*x->slot_raw));
    MUST(x->who != NULL && x->role != NULL && x->share != NULL && x->slot != NULL &&
         x->slot_raw != NULL);
    for (size_t i = 0; i < n; i++) {
        x->who[i] = who[i];
        x->role[i] = i == 0 ? SATCHEL__ROLE__SENDER : SATCHEL__ROLE__RECIPIENT;
    }
    named_bytes("upload key", seed, bytes);
    memcpy(x->upload_key, bytes, sizeof(x->upload_key));
    named_secret("cek", seed, &x->cek);
    named_secret("mek", seed, &x->mek);
    x->header = (struct header){.version = HEADER_VERSION,
                                .suite = IDS_SUITE_X25519,
                                .sender = who[0]->u.uid,
                                .manifest = who[0]->u.first->hash,
                                .device = who[0]->u.device.id,
                                .body_length = body_padded(length),
                                .slots = (uint32_t)n};
    named_bytes("salt", seed, bytes);
    memcpy(x->header.salt, bytes, sizeof(x->header.salt));
    (void)snprintf(x->meta.name, sizeof(x->meta.name), "file %u.bin", seed);
    x->meta.length = length;
    x->pieces = body_pieces(x->header.body_length);
}

void parcel_free(struct parcel *x)
{
    secret_free(&x->cek);
    secret_free(&x->mek);
    for (size_t i = 0; i < x->n; i++) {
        share_pair_free(&x->share[i]);
        buf_free(&x->slot_raw[i]);
    }
    free(x->who);
    free(x->role);
    free(x->share);
    free(x->slot);
    free(x->slot_raw);
    free(x->sealed);
    free(x->leaves);
    buf_free(&x->metadata);
    buf_free(&x->header_raw);
}

static void take_shares(struct parcel *x, const Satchel__OpenTransferReply *r)
{
    MUST(r->tid.len == IDS_TID_LEN && r->n_shares == x->n);
    memcpy(x->header.tid.b, r->tid.data, IDS_TID_LEN);
    x->stored = r->stored;
    for (size_t i = 0; i < x->n; i++) {
        MUST(r->shares[i]->share_meta.len == SHARE_LEN &&
             r->shares[i]->share_body.len == SHARE_LEN);
        MUST_OK(secret_copy(&x->share[i].meta, r->shares[i]->share_meta.data, SHARE_LEN, NULL));
        MUST_OK(secret_copy(&x->share[i].body, r->shares[i]->share_body.data, SHARE_LEN, NULL));
    }
}

uint64_t parcel_send_open(struct peer *p, struct parcel *x)
{
    Satchel__OpenTransfer msg = SATCHEL__OPEN_TRANSFER__INIT;
    Satchel__Recipient rows[PARCEL_SLOTS_MAX], *list[PARCEL_SLOTS_MAX];
    PEER_ENV(env, OPEN_TRANSFER, open_transfer, &msg);

    if (x->header.created == 0)
        x->header.created = p->time;
    if (x->header.expires == 0)
        x->header.expires = x->header.created + SAMPLE_DAY;
    PEER_BYTES(msg.upload_key, x->upload_key);
    for (size_t i = 0; i < x->n; i++) {
        satchel__recipient__init(&rows[i]);
        PEER_BYTES(rows[i].user_id, x->who[i]->u.uid.b);
        PEER_BYTES(rows[i].ek_id, x->who[i]->u.key.id.b);
        rows[i].role = x->role[i];
        if (i > 0 && i == x->knows)
            PEER_BYTES(rows[i].known_manifest, x->known.b);
        list[i] = &rows[i];
    }
    msg.n_recipients = x->n;
    msg.recipients = list;
    msg.body_length = x->header.body_length;
    msg.created = x->header.created;
    msg.expires = x->header.expires;
    msg.policy_flags = x->header.policy_flags;
    msg.opens = x->header.opens;
    return peer_send(p, &env, NULL, 0);
}

Satchel__Code parcel_open(struct peer *p, struct parcel *x)
{
    uint64_t id = parcel_send_open(p, x);
    struct message *m = id != 0 ? peer_wait(p, id) : NULL;

    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER_REPLY)
        take_shares(x, m->env->open_transfer_reply);
    return peer_code(m);
}

static void seal_pieces(struct parcel *x)
{
    struct body *body = NULL;
    uint64_t done = 0;
    uint8_t *plain = calloc(1, BODY_PIECE_SEALED);

    MUST_OK(body_new(&x->cek, &x->header, &body, NULL));
    x->header.commitment = *body_commitment(body);
    free(x->sealed);
    free(x->leaves);
    x->sealed = malloc((size_t)x->pieces * BODY_PIECE_SEALED);
    x->leaves = calloc(x->pieces, sizeof(*x->leaves));
    x->sealed_len = 0;
    MUST(plain != NULL && x->sealed != NULL && x->leaves != NULL);
    for (uint32_t i = 0; i < x->pieces; i++) {
        size_t len = body_plain_len(x->header.body_length, i);

        memset(plain, 0, BODY_PIECE_SEALED);
        if (done < x->meta.length)
            sample_fill(i + 1, plain,
                        x->meta.length - done < len ? (size_t)(x->meta.length - done) : len);
        MUST_OK(
            body_seal_piece(body, i, part(plain, len), x->sealed + x->sealed_len, &x->leaves[i]));
        x->sealed_len += body_sealed_len(x->header.body_length, i);
        done += len;
    }
    MUST_OK(body_root(x->leaves, x->pieces, &x->header.body_root));
    free(plain);
    body_free(body);
}

static void seal_slots(struct parcel *x)
{
    struct part parts[PARCEL_SLOTS_MAX];
    uint8_t ephemeral[32];

    for (size_t i = 0; i < x->n; i++) {
        struct secret e = {0};
        struct slot_seal in = {.header = &x->header,
                               .to = &x->who[i]->u.uid,
                               .ek = &x->who[i]->u.key,
                               .share = {&x->share[i].meta, &x->share[i].body},
                               .mek = &x->mek,
                               .cek = &x->cek,
                               .ephemeral = &e};

        named_bytes("ephemeral", (uint32_t)i, ephemeral);
        MUST_OK(secret_copy(&e, ephemeral, sizeof(ephemeral), NULL));
        MUST_OK(slot_seal(&in, &x->slot[i], NULL));
        buf_reset(&x->slot_raw[i]);
        MUST_OK(slot_pack(&x->slot[i], &x->slot_raw[i], NULL));
        parts[i] = part(x->slot_raw[i].data, x->slot_raw[i].len);
        secret_free(&e);
    }
    MUST_OK(slot_root(parts, x->n, &x->header.slots_root));
}

void parcel_sign(struct parcel *x)
{
    buf_reset(&x->header_raw);
    MUST_OK(header_pack(&x->header, &x->header_raw, NULL));
    MUST_OK(signed_make(SIGNED_TRANSFER, &x->who[0]->u.dsk,
                        part(x->header_raw.data, x->header_raw.len), x->signature, NULL));
}

static void seal_metadata(struct parcel *x)
{
    struct header *h = &x->header;

    MUST_OK(body_kid(&x->cek, h->tweak, &h->kid));
    MUST_OK(body_cid(&x->cek, &h->cid));
    MUST_OK(metadata_mkid(&x->mek, &h->tid, &h->mkid));
    buf_reset(&x->metadata);
    MUST_OK(metadata_seal(&x->mek, &h->tid, &x->meta, &x->metadata, NULL));
    MUST_OK(hash_sha256(h->metadata_hash.b, x->metadata.data, x->metadata.len));
}

void parcel_seal_body(struct parcel *x)
{
    seal_metadata(x);
    seal_pieces(x);
    seal_slots(x);
    parcel_sign(x);
}

void parcel_fake_body(struct parcel *x)
{
    seal_metadata(x);
    x->same = true;
    x->sealed = malloc(BODY_PIECE_SEALED);
    x->leaves = calloc(x->pieces, sizeof(*x->leaves));
    MUST(x->sealed != NULL && x->leaves != NULL);
    sample_fill(7, x->sealed, BODY_PIECE_SEALED);
    for (uint32_t i = 0; i < x->pieces; i++) {
        if (i == 0 || i + 1 == x->pieces)
            MUST_OK(body_leaf(part(x->sealed, body_sealed_len(x->header.body_length, i)),
                              &x->leaves[i]));
        else
            x->leaves[i] = x->leaves[i - 1];
    }
    MUST_OK(body_root(x->leaves, x->pieces, &x->header.body_root));
    seal_slots(x);
    parcel_sign(x);
}

static struct part piece_of(const struct parcel *x, uint32_t index)
{
    return part(x->sealed + (x->same ? 0 : (size_t)index * BODY_PIECE_SEALED),
                body_sealed_len(x->header.body_length, index));
}

uint64_t parcel_send_piece(struct peer *p, const struct parcel *x, uint32_t index)
{
    Satchel__PutPiece msg = SATCHEL__PUT_PIECE__INIT;
    PEER_ENV(env, PUT_PIECE, put_piece, &msg);
    struct part piece = piece_of(x, index);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.index = index;
    PEER_BYTES(msg.leaf, x->leaves[index].b);
    return peer_send(p, &env, piece.data, piece.len);
}

Satchel__Code parcel_put(struct peer *p, const struct parcel *x, uint32_t index)
{
    uint64_t id = parcel_send_piece(p, x, index);

    return id != 0 ? peer_code(peer_wait(p, id)) : SATCHEL__CODE__INTERNAL;
}

Satchel__Code parcel_put_all(struct peer *p, const struct parcel *x)
{
    Satchel__Code code = SATCHEL__CODE__CODE_NONE;

    for (uint32_t i = 0; i < x->pieces && code == SATCHEL__CODE__CODE_NONE; i++)
        code = parcel_put(p, x, i);
    return code;
}

uint64_t parcel_send_seal(struct peer *p, const struct parcel *x)
{
    Satchel__SealTransfer msg = SATCHEL__SEAL_TRANSFER__INIT;
    Satchel__SealedSlot rows[PARCEL_SLOTS_MAX], *list[PARCEL_SLOTS_MAX];
    PEER_ENV(env, SEAL_TRANSFER, seal_transfer, &msg);

    msg.header = (ProtobufCBinaryData){x->header_raw.len, x->header_raw.data};
    PEER_BYTES(msg.signature, x->signature);
    for (size_t i = 0; i < x->n; i++) {
        satchel__sealed_slot__init(&rows[i]);
        PEER_BYTES(rows[i].user_id, x->who[i]->u.uid.b);
        rows[i].slot = (ProtobufCBinaryData){x->slot_raw[i].len, x->slot_raw[i].data};
        list[i] = &rows[i];
    }
    msg.n_slots = x->n;
    msg.slots = list;
    msg.metadata = (ProtobufCBinaryData){x->metadata.len, x->metadata.data};
    return peer_send(p, &env, NULL, 0);
}

Satchel__Code parcel_seal(struct peer *p, const struct parcel *x)
{
    uint64_t id = parcel_send_seal(p, x);

    return id != 0 ? peer_code(peer_wait(p, id)) : SATCHEL__CODE__INTERNAL;
}

Satchel__Code parcel_deliver(struct peer *p, struct parcel *x)
{
    Satchel__Code code = parcel_open(p, x);

    if (code != SATCHEL__CODE__CODE_NONE)
        return code;
    parcel_seal_body(x);
    code = parcel_put_all(p, x);
    return code == SATCHEL__CODE__CODE_NONE ? parcel_seal(p, x) : code;
}

/* ---- receiving ---- */

Satchel__Code parcel_release(struct peer *p, const struct parcel *x, uint8_t *ret_share)
{
    Satchel__Release msg = SATCHEL__RELEASE__INIT;
    PEER_ENV(env, RELEASE, release, &msg);
    struct message *m;

    PEER_BYTES(msg.tid, x->header.tid.b);
    m = peer_call(p, &env);
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_RELEASE_REPLY) {
        MUST(m->env->release_reply->share_body.len == SHARE_LEN);
        if (ret_share != NULL)
            memcpy(ret_share, m->env->release_reply->share_body.data, SHARE_LEN);
    }
    return peer_code(m);
}

static void check_row(const Satchel__Transfer *t, const struct parcel *x, size_t i)
{
    struct part proof[SLOT_PROOF_MAX];
    struct secret share = {0};
    struct receive_in in = {
        .header = part(t->header.data, t->header.len),
        .signature = part(t->signature.data, t->signature.len),
        .slot = part(t->slot.data, t->slot.len),
        .slot_index = t->slot_index,
        .proof = proof,
        .n_proof = t->n_proof,
        .metadata = part(t->metadata.data, t->metadata.len),
        .share_meta = &share,
        .chain = &x->who[0]->u.chain,
        .me = &x->who[i]->u.uid,
        .now = x->header.created,
        .ek = &x->who[i]->u.ek,
    };
    struct receive r = {0};
    struct err err = {0};

    MUST(t->n_proof <= SLOT_PROOF_MAX && t->share_meta.len == SHARE_LEN);
    for (size_t k = 0; k < t->n_proof; k++)
        proof[k] = part(t->proof[k].data, t->proof[k].len);
    MUST_OK(secret_copy(&share, t->share_meta.data, SHARE_LEN, NULL));
    if (receive_check(&in, &r, &err) != ERR_OK)
        fprintf(stderr, "%s\n", err.msg);
    MUST(strcmp(r.metadata.name, x->meta.name) == 0 && r.metadata.length == x->meta.length);
    receive_free(&r);
    secret_free(&share);
}

static Satchel__Code receive_row(struct peer *p, const struct parcel *x, size_t i)
{
    Satchel__GetTransfer msg = SATCHEL__GET_TRANSFER__INIT;
    PEER_ENV(env, GET_TRANSFER, get_transfer, &msg);
    struct message *m;

    PEER_BYTES(msg.tid, x->header.tid.b);
    m = peer_call(p, &env);
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY)
        check_row(m->env->transfer_reply->transfer, x, i);
    return peer_code(m);
}

static Satchel__Code receive_leaves(struct peer *p, const struct parcel *x)
{
    Satchel__GetLeaves msg = SATCHEL__GET_LEAVES__INIT;
    PEER_ENV(env, GET_LEAVES, get_leaves, &msg);
    struct message *m;

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.count = 4096;
    m = peer_call(p, &env);
    if (m != NULL && m->env->body_case == SATCHEL__ENVELOPE__BODY_LEAVES_REPLY) {
        MUST(m->env->leaves_reply->leaves.len == x->pieces * sizeof(*x->leaves));
        MUST(memcmp(m->env->leaves_reply->leaves.data, x->leaves, x->pieces * sizeof(*x->leaves)) ==
             0);
    }
    return peer_code(m);
}

uint64_t parcel_ask_pieces(struct peer *p, const struct parcel *x, uint32_t first, uint32_t count)
{
    Satchel__GetPieces msg = SATCHEL__GET_PIECES__INIT;
    PEER_ENV(env, GET_PIECES, get_pieces, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.first = first;
    msg.count = count;
    return peer_send(p, &env, NULL, 0);
}

Satchel__Code parcel_take_piece(struct peer *p, const struct parcel *x, uint64_t id, uint32_t index)
{
    struct message *m = peer_wait(p, id);
    struct part want = piece_of(x, index);

    if (m == NULL || m->env->body_case != SATCHEL__ENVELOPE__BODY_PIECE) {
        Satchel__Code code = peer_code(m);

        return code != SATCHEL__CODE__CODE_NONE ? code : SATCHEL__CODE__BAD_STATE;
    }
    MUST(m->env->piece->index == index && m->tail.len == want.len);
    MUST(memcmp(m->tail.data, want.data, want.len) == 0);
    return peer_code(m);
}

static Satchel__Code receive_pieces(struct peer *p, const struct parcel *x, uint32_t first,
                                    uint32_t count)
{
    uint64_t id = parcel_ask_pieces(p, x, first, count);

    for (uint32_t i = first; id != 0 && i < first + count; i++) {
        Satchel__Code code = parcel_take_piece(p, x, id, i);

        if (code != SATCHEL__CODE__CODE_NONE)
            return code;
    }
    return peer_code(peer_wait(p, id));
}

Satchel__Code parcel_receive(struct peer *p, const struct parcel *x, size_t i)
{
    uint8_t share[SHARE_LEN];
    Satchel__Code code = receive_row(p, x, i);

    if (code == SATCHEL__CODE__CODE_NONE)
        code = parcel_release(p, x, share);
    if (code == SATCHEL__CODE__CODE_NONE)
        MUST(memcmp(share, x->share[i].body.data, SHARE_LEN) == 0);
    if (code == SATCHEL__CODE__CODE_NONE)
        code = receive_leaves(p, x);
    for (uint32_t k = 0; k < x->pieces && code == SATCHEL__CODE__CODE_NONE; k += p->limits.window)
        code = receive_pieces(p, x, k,
                              x->pieces - k < p->limits.window ? x->pieces - k : p->limits.window);
    return code;
}
