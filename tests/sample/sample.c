/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sample/sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "common/crypto/x25519.h"
#include "common/transfer/manifest_build.h"

static struct err err;

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != ERR_OK) {                                                                    \
            fprintf(stderr, "sample: %s: %s\n", #call, err.msg);                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

void sample_bytes(const char *text, uint8_t ret_bytes[32])
{
    MUST(hash_parts(HASH_SHA256, ret_bytes, PARTS(part_str("satchel sample "), part_str(text))));
}

void sample_secret(const char *text, struct secret *ret_s)
{
    MUST(secret_new(ret_s, 32, &err));
    sample_bytes(text, ret_s->data);
}

void sample_fill(uint32_t seed, uint8_t *ret_bytes, size_t len)
{
    uint32_t x = seed * 2654435761U + 1;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        ret_bytes[i] = (uint8_t)(x >> 11);
    }
}

static void named_secret(const char *user, const char *what, struct secret *ret_s)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%s %s", user, what);
    sample_secret(text, ret_s);
}

static void user_keys(struct sample_user *u)
{
    named_secret(u->name, "identity", &u->isk);
    named_secret(u->name, "recovery", &u->rk);
    named_secret(u->name, "device", &u->dsk);
    named_secret(u->name, "encryption", &u->ek);
    MUST(ed25519_public(u->isk_public, u->isk.data));
    MUST(ed25519_public(u->rk_public, u->rk.data));
    MUST(ed25519_public(u->device.key, u->dsk.data));
    MUST(x25519_public(u->ek_public, u->ek.data));
    MUST(ids_uid(u->isk_public, u->rk_public, &u->uid));
    MUST(ids_device(u->device.key, &u->device.id));
    MUST(ids_ek(IDS_SUITE_X25519, PART_OF(u->ek_public), &u->key.id));
}

void sample_user(struct sample_user *u, const char *name)
{
    struct manifest_build_plan plan = {0};
    enum chain_change change;

    *u = (struct sample_user){.name = name};
    user_keys(u);
    u->device.added = SAMPLE_TIME - SAMPLE_DAY;
    u->key.suite = IDS_SUITE_X25519;
    u->key.key = PART_OF(u->ek_public);
    u->key.not_before = SAMPLE_TIME - SAMPLE_DAY;
    u->key.not_after = SAMPLE_TIME + 29 * SAMPLE_DAY;
    plan = (struct manifest_build_plan){.recovery_key = u->rk_public,
                                        .created = SAMPLE_TIME - SAMPLE_DAY,
                                        .devices = &u->device,
                                        .n_devices = 1,
                                        .eks = &u->key,
                                        .n_eks = 1};
    MUST(manifest_build(&plan, &u->isk, &u->first, &err));
    u->chain.uid = u->uid;
    MUST(chain_add(&u->chain, u->first, &change, &err));
}

void sample_user_free(struct sample_user *u)
{
    secret_free(&u->isk);
    secret_free(&u->rk);
    secret_free(&u->dsk);
    secret_free(&u->ek);
    chain_free(&u->chain);
}

static void make_keys(struct sample *s)
{
    static const char *const names[SAMPLE_RECIPIENTS] = {"alice", "bob", "carol"};

    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        sample_user(&s->user[i], names[i]);
        named_secret(names[i], "share meta", &s->share[i].meta);
        named_secret(names[i], "share body", &s->share[i].body);
    }
    sample_secret("cek", &s->cek);
    sample_secret("mek", &s->mek);
}

static void make_header(struct sample *s, uint64_t length)
{
    struct header *h = &s->header;
    uint8_t bytes[32];

    *h = (struct header){.version = HEADER_VERSION,
                         .suite = IDS_SUITE_X25519,
                         .sender = s->user[SAMPLE_ALICE].uid,
                         .manifest = s->user[SAMPLE_ALICE].first->hash,
                         .device = s->user[SAMPLE_ALICE].device.id,
                         .created = SAMPLE_TIME,
                         .expires = SAMPLE_TIME + 7 * SAMPLE_DAY,
                         .opens = 3,
                         .body_length = body_padded(length),
                         .slots = SAMPLE_RECIPIENTS};
    sample_bytes("tid", bytes);
    memcpy(h->tid.b, bytes, IDS_TID_LEN);
    sample_bytes("salt", bytes);
    memcpy(h->salt, bytes, HEADER_SALT_LEN);
    MUST(body_kid(&s->cek, h->tweak, &h->kid));
    MUST(body_cid(&s->cek, &h->cid));
    MUST(metadata_mkid(&s->mek, &h->tid, &h->mkid));
}

static void make_metadata(struct sample *s, uint64_t length)
{
    struct metadata *m = &s->metadata;

    (void)snprintf(m->name, sizeof(m->name), "%s", "report \"1\" \xc3\xa4.pdf");
    (void)snprintf(m->media_type, sizeof(m->media_type), "%s", "application/pdf");
    m->message = strdup("as we said");
    m->length = length;
    m->modified = SAMPLE_TIME - 5000;
    MUST(metadata_seal(&s->mek, &s->header.tid, m, &s->sealed_metadata, &err));
    MUST(hash_sha256(s->header.metadata_hash.b, s->sealed_metadata.data, s->sealed_metadata.len));
}

static void make_body(struct sample *s, uint64_t length)
{
    uint64_t padded = s->header.body_length;
    struct body *b = NULL;
    size_t at = 0;

    s->n_leaves = body_pieces(padded);
    s->plain = calloc(1, padded + 1);
    s->sealed = calloc(s->n_leaves, BODY_PIECE_SEALED);
    s->leaves = calloc(s->n_leaves, sizeof(*s->leaves));
    if (s->plain == NULL || s->sealed == NULL || s->leaves == NULL)
        abort();
    sample_fill(1, s->plain, length);
    MUST(body_new(&s->cek, &s->header, &b, &err));
    s->header.commitment = *body_commitment(b);
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        struct part plain =
            part(s->plain + (size_t)i * BODY_PIECE_PLAIN, body_plain_len(padded, i));

        MUST(body_seal_piece(b, i, plain, s->sealed + at, &s->leaves[i]));
        at += body_sealed_len(padded, i);
    }
    s->sealed_len = at;
    MUST(body_root(s->leaves, s->n_leaves, &s->header.body_root));
    body_free(b);
}

void sample_seal_slots(struct sample *s)
{
    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        struct sample_user *u = &s->user[i];
        struct secret ephemeral = {0};
        struct slot_seal in = {.header = &s->header,
                               .to = &u->uid,
                               .ek = &u->key,
                               .share = {&s->share[i].meta, &s->share[i].body},
                               .mek = &s->mek,
                               .cek = &s->cek,
                               .ephemeral = &ephemeral};

        named_secret(u->name, "ephemeral", &ephemeral);
        MUST(slot_seal(&in, &s->slot[i], &err));
        secret_free(&ephemeral);
    }
}

void sample_pack_slots(struct sample *s)
{
    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        buf_reset(&s->slot_raw[i]);
        MUST(slot_pack(&s->slot[i], &s->slot_raw[i], &err));
        s->slot_part[i] = part(s->slot_raw[i].data, s->slot_raw[i].len);
    }
    MUST(slot_root(s->slot_part, SAMPLE_RECIPIENTS, &s->header.slots_root));
}

void sample_sign_raw(struct sample *s)
{
    MUST(signed_make(SIGNED_TRANSFER, &s->user[SAMPLE_ALICE].dsk,
                     part(s->header_raw.data, s->header_raw.len), s->signature, &err));
}

void sample_sign(struct sample *s)
{
    buf_reset(&s->header_raw);
    MUST(header_pack(&s->header, &s->header_raw, &err));
    sample_sign_raw(s);
}

void sample_make(struct sample *s, uint64_t length)
{
    *s = (struct sample){0};
    make_keys(s);
    make_header(s, length);
    make_metadata(s, length);
    make_body(s, length);
    sample_seal_slots(s);
    sample_pack_slots(s);
    sample_sign(s);
}

void sample_free(struct sample *s)
{
    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        sample_user_free(&s->user[i]);
        share_pair_free(&s->share[i]);
        buf_free(&s->slot_raw[i]);
    }
    secret_free(&s->cek);
    secret_free(&s->mek);
    metadata_free(&s->metadata);
    buf_free(&s->sealed_metadata);
    buf_free(&s->header_raw);
    free(s->plain);
    free(s->sealed);
    free(s->leaves);
}

struct part sample_piece(const struct sample *s, uint32_t index)
{
    return part(s->sealed + (size_t)index * BODY_PIECE_SEALED,
                body_sealed_len(s->header.body_length, index));
}

void sample_row(const struct sample *s, int who, struct sample_row *ret_row)
{
    struct sample_row *row = ret_row;
    size_t n = 0;

    *row = (struct sample_row){0};
    MUST(slot_path(s->slot_part, SAMPLE_RECIPIENTS, (size_t)who, row->path, &n));
    for (size_t i = 0; i < n; i++)
        row->proof[i] = PART_OF(row->path[i].b);
    row->in = (struct receive_in){
        .header = part(s->header_raw.data, s->header_raw.len),
        .signature = PART_OF(s->signature),
        .slot = s->slot_part[who],
        .slot_index = (uint32_t)who,
        .proof = row->proof,
        .n_proof = n,
        .metadata = part(s->sealed_metadata.data, s->sealed_metadata.len),
        .share_meta = &s->share[who].meta,
        .chain = &s->user[SAMPLE_ALICE].chain,
        .me = &s->user[who].uid,
        .now = SAMPLE_TIME + 1000,
        .ek = &s->user[who].ek,
    };
}
