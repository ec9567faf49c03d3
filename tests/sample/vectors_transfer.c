/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of slots, header, metadata and bodies. */
#include <inttypes.h>

#include "common/crypto/fernet.h"
#include "common/crypto/hash.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors_json.h"

void vectors_transfer_slot(struct vectors_json *j)
{
    struct sample s;

    sample_make(&s, 5);
    for (int i = 0; i < SAMPLE_RECIPIENTS; i++) {
        struct sample_user *u = &s.user[i];
        uint8_t ctx[SLOT_CTX_LEN], ephemeral[32];
        char seed[32];

        (void)snprintf(seed, sizeof(seed), "%s ephemeral", u->name);
        sample_bytes(seed, ephemeral);
        MUST_OK(slot_ctx(&s.header, &u->uid, &s.slot[i], ctx));
        vectors_json_begin(j, u->name);
        vectors_json_buf(j, "header", &s.header_raw);
        vectors_json_hex(j, "recipient", PART_OF(u->uid.b));
        vectors_json_secret(j, "ek_private", &u->ek);
        vectors_json_hex(j, "ek_public", PART_OF(u->ek_public));
        vectors_json_hex(j, "ephemeral_ikm", PART_OF(ephemeral));
        vectors_json_secret(j, "share_meta", &s.share[i].meta);
        vectors_json_secret(j, "share_body", &s.share[i].body);
        vectors_json_secret(j, "mek", &s.mek);
        vectors_json_secret(j, "cek", &s.cek);
        vectors_json_hex(j, "ctx", PART_OF(ctx));
        vectors_json_buf(j, "slot", &s.slot_raw[i]);
        vectors_json_end(j);
    }
    sample_free(&s);
}

static void write_row(struct vectors_json *j, const struct sample *s, int who)
{
    struct sample_row row;

    sample_row(s, who, &row);
    vectors_json_begin(j, "slot in its tree");
    vectors_json_buf(j, "header", &s->header_raw);
    vectors_json_hex(j, "slot", row.in.slot);
    vectors_json_number(j, "slot_index", row.in.slot_index);
    vectors_json_hex(j, "proof", part(row.path, row.in.n_proof * IDS_HASH_LEN));
    vectors_json_end(j);
}

void vectors_transfer_header(struct vectors_json *j)
{
    struct sample s;
    const struct header *h = &s.header;

    sample_make(&s, 5);
    vectors_json_begin(j, "header");
    vectors_json_secret(j, "device_seed", &s.user[SAMPLE_ALICE].dsk);
    vectors_json_hex(j, "manifest_body", s.user[SAMPLE_ALICE].first->body);
    vectors_json_buf(j, "header", &s.header_raw);
    vectors_json_hex(j, "signature", PART_OF(s.signature));
    vectors_json_hex(j, "tid", PART_OF(h->tid.b));
    vectors_json_hex(j, "sender", PART_OF(h->sender.b));
    vectors_json_hex(j, "manifest", PART_OF(h->manifest.b));
    vectors_json_hex(j, "device", PART_OF(h->device.b));
    vectors_json_number(j, "created", h->created);
    vectors_json_number(j, "expires", h->expires);
    vectors_json_number(j, "policy_flags", h->policy_flags);
    vectors_json_number(j, "opens", h->opens);
    vectors_json_number(j, "tweak", h->tweak);
    vectors_json_hex(j, "kid", PART_OF(h->kid.b));
    vectors_json_hex(j, "cid", PART_OF(h->cid.b));
    vectors_json_hex(j, "mkid", PART_OF(h->mkid.b));
    vectors_json_number(j, "body_length", h->body_length);
    vectors_json_hex(j, "salt", PART_OF(h->salt));
    vectors_json_hex(j, "commitment", PART_OF(h->commitment.b));
    vectors_json_hex(j, "body_root", PART_OF(h->body_root.b));
    vectors_json_hex(j, "metadata_hash", PART_OF(h->metadata_hash.b));
    vectors_json_hex(j, "slots_root", PART_OF(h->slots_root.b));
    vectors_json_number(j, "slots", h->slots);
    vectors_json_end(j);
    for (int i = 0; i < SAMPLE_RECIPIENTS; i++)
        write_row(j, &s, i);
    sample_free(&s);
}

/* A preview whose token has a fixed IV, and weights that it names. */
static void add_preview(struct vectors_json *j, struct sample *s, const struct secret *key)
{
    static const uint8_t latent[] = "as a latent would be", iv[16] = "sixteen bytes IV";
    struct metadata *m = &s->metadata;
    struct buf token = {0};

    MUST_OK(fernet_seal(part_secret(key), SAMPLE_TIME / 1000, iv, PART_OF(latent), &token));
    m->preview = token.data;
    m->preview_len = token.len;
    m->weights_told = true;
    memcpy(m->preview_weights, "\x01\x23\xcd\xef", sizeof(m->preview_weights));
    buf_reset(&s->sealed_metadata);
    MUST_OK(metadata_seal(&s->mek, &s->header.tid, m, &s->sealed_metadata, NULL));
    MUST_OK(
        hash_sha256(s->header.metadata_hash.b, s->sealed_metadata.data, s->sealed_metadata.len));
    vectors_json_hex(j, "latent", PART_OF(latent));
    vectors_json_hex(j, "preview_weights", PART_OF(m->preview_weights));
}

static void write_metadata(struct vectors_json *j, const char *name, bool with_preview)
{
    struct sample s;
    struct secret preview = {0};
    struct buf plain = {0};

    sample_make(&s, 5);
    MUST_OK(metadata_preview_key(&s.mek, &s.header.tid, &preview, NULL));
    vectors_json_begin(j, name);
    if (with_preview)
        add_preview(j, &s, &preview);
    MUST_OK(metadata_pack(&s.metadata, &plain, NULL));
    vectors_json_secret(j, "mek", &s.mek);
    vectors_json_hex(j, "tid", PART_OF(s.header.tid.b));
    vectors_json_hex(j, "mkid", PART_OF(s.header.mkid.b));
    vectors_json_secret(j, "preview_key", &preview);
    vectors_json_hex(j, "name", part_str(s.metadata.name));
    vectors_json_text(j, "media_type", s.metadata.media_type);
    vectors_json_text(j, "message", s.metadata.message);
    vectors_json_number(j, "length", s.metadata.length);
    vectors_json_number(j, "modified", s.metadata.modified);
    vectors_json_buf(j, "plain", &plain);
    vectors_json_buf(j, "sealed", &s.sealed_metadata);
    vectors_json_hex(j, "metadata_hash", PART_OF(s.header.metadata_hash.b));
    vectors_json_end(j);
    buf_free(&plain);
    secret_free(&preview);
    sample_free(&s);
}

void vectors_transfer_metadata(struct vectors_json *j)
{
    write_metadata(j, "metadata", false);
    write_metadata(j, "metadata with a preview", true);
}

/* ---- bodies ---- */

static void write_pieces(struct vectors_json *j, const struct body *b, uint64_t length,
                         struct hash32 *root)
{
    uint8_t *plain = malloc(BODY_PIECE_PLAIN), *sealed = malloc(BODY_PIECE_SEALED);
    uint32_t n = body_pieces(length);
    struct hash32 *leaves = calloc(n, sizeof(*leaves)), hash;
    char name[32];

    if (plain == NULL || sealed == NULL || leaves == NULL)
        abort();
    vectors_json_number(j, "pieces", n);
    for (uint32_t i = 0; i < n; i++) {
        size_t len = body_plain_len(length, i), sealed_len = body_sealed_len(length, i);

        for (size_t k = 0; k < len; k++)
            plain[k] = (uint8_t)(((uint64_t)i * BODY_PIECE_PLAIN + k) % 251);
        MUST_OK(body_seal_piece(b, i, part(plain, len), sealed, &leaves[i]));
        MUST_OK(hash_sha256(hash.b, sealed, sealed_len));
        (void)snprintf(name, sizeof(name), "piece_%u_sha256", i);
        vectors_json_hex(j, name, PART_OF(hash.b));
        (void)snprintf(name, sizeof(name), "piece_%u_leaf", i);
        vectors_json_hex(j, name, PART_OF(leaves[i].b));
        if (sealed_len > 100)
            continue;
        (void)snprintf(name, sizeof(name), "piece_%u", i);
        vectors_json_hex(j, name, part(sealed, sealed_len));
    }
    MUST_OK(body_root(leaves, n, root));
    free(plain);
    free(sealed);
    free(leaves);
}

static void write_body(struct vectors_json *j, uint64_t length, uint32_t tweak)
{
    struct header h = {.body_length = length, .tweak = tweak};
    struct secret cek = {0};
    struct body *b = NULL;
    struct hash32 root;

    sample_secret("cek", &cek);
    sample_fill(11, h.tid.b, sizeof(h.tid));
    sample_fill(12, h.sender.b, sizeof(h.sender));
    sample_fill(16, h.salt, sizeof(h.salt));
    MUST_OK(body_kid(&cek, tweak, &h.kid));
    MUST_OK(body_cid(&cek, &h.cid));
    MUST_OK(body_new(&cek, &h, &b, NULL));
    vectors_json_begin(j, "byte i of the plaintext is i mod 251");
    vectors_json_secret(j, "cek", &cek);
    vectors_json_hex(j, "tid", PART_OF(h.tid.b));
    vectors_json_hex(j, "sender", PART_OF(h.sender.b));
    vectors_json_number(j, "tweak", tweak);
    vectors_json_hex(j, "salt", PART_OF(h.salt));
    vectors_json_number(j, "body_length", length);
    vectors_json_hex(j, "kid", PART_OF(h.kid.b));
    vectors_json_hex(j, "cid", PART_OF(h.cid.b));
    vectors_json_hex(j, "commitment", PART_OF(body_commitment(b)->b));
    write_pieces(j, b, length, &root);
    vectors_json_hex(j, "body_root", PART_OF(root.b));
    vectors_json_end(j);
    body_free(b);
    secret_free(&cek);
}

static void write_padding(struct vectors_json *j)
{
    static const uint64_t lengths[] = {0, 1, 4096, 4097, 65537, 262145, 1000000, 1073741825};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        vectors_json_begin(j, "padding");
        vectors_json_number(j, "length", lengths[i]);
        vectors_json_number(j, "padded_length", body_padded(lengths[i]));
        vectors_json_end(j);
    }
}

void vectors_transfer_body(struct vectors_json *j)
{
    write_body(j, 0, 0);
    write_body(j, 1, 0);
    write_body(j, 16384, 7);
    write_body(j, 262144, 0);
    write_body(j, 262145, 0);
    write_padding(j);
}
