/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/slot.h"

#include <stdlib.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/crypto/merkle.h"
#include "common/crypto/x25519.h"
#include "common/transfer/wire.h"

_Static_assert((int)SLOT_WRAP_LEN == SLOT_KEY_LEN + GCM_TAG_LEN &&
                   (int)SLOT_ENC_LEN == HPKE_ENC_LEN,
               "layout of section 6");

enum { EXPORT_LEN = 64 };

static const uint8_t nonce_0[GCM_NONCE_LEN]; /* with keys that encrypt once */
static const char *const part_names[] = {[SHARE_META] = "meta", [SHARE_BODY] = "body"};

#define BYTES(field, member, len) WIRE_FIELD(Satchel__Slot, field, struct slot, member, len)

static const struct wire_field fields[] = {
    BYTES(ek_id, ek_id.b, IDS_EK_LEN),
    BYTES(enc, enc, SLOT_ENC_LEN),
    BYTES(share_commit_meta, share_commit[SHARE_META].b, IDS_HASH_LEN),
    BYTES(share_commit_body, share_commit[SHARE_BODY].b, IDS_HASH_LEN),
    BYTES(wrap_meta, wrap[SHARE_META], SLOT_WRAP_LEN),
    BYTES(wrap_body, wrap[SHARE_BODY], SLOT_WRAP_LEN),
};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

int slot_pack(const struct slot *s, struct buf *out, struct err *err)
{
    Satchel__Slot msg = SATCHEL__SLOT__INIT;

    wire_put(&msg.base, fields, N_FIELDS, s);
    return wire_pack(&msg.base, out, err);
}

int slot_parse(struct part raw, struct slot *ret_s, struct err *err)
{
    Satchel__Slot *msg = NULL;
    int rc = wire_unpack(&satchel__slot__descriptor, raw, SLOT_MAX, &msg, err);

    if (rc != ERR_OK)
        return rc;
    rc = wire_check(&msg->base, fields, N_FIELDS, err);
    if (rc == ERR_OK)
        wire_get(&msg->base, fields, N_FIELDS, ret_s);
    satchel__slot__free_unpacked(msg, NULL);
    return rc;
}

int slot_ctx(const struct header *h, const struct uid *to, const struct slot *s,
             uint8_t ret_ctx[SLOT_CTX_LEN])
{
    uint8_t version[4], suite[4], tweak[4], created[8], expires[8], policy[HEADER_POLICY_LEN];

    put_be32(version, h->version);
    put_be32(suite, h->suite);
    put_be32(tweak, h->tweak);
    put_be64(created, h->created);
    put_be64(expires, h->expires);
    header_policy(h, policy);
    return hash_lp(HASH_SHA512, ret_ctx,
                   PARTS(PART_OF(version), PART_OF(suite), part_str("slot"), PART_OF(h->tid.b),
                         PART_OF(h->sender.b), PART_OF(to->b), PART_OF(s->ek_id.b), PART_OF(s->enc),
                         PART_OF(s->share_commit[SHARE_META].b),
                         PART_OF(s->share_commit[SHARE_BODY].b), PART_OF(h->commitment.b),
                         PART_OF(tweak), PART_OF(h->kid.b), PART_OF(h->cid.b), PART_OF(h->mkid.b),
                         PART_OF(created), PART_OF(expires), PART_OF(policy)));
}

/* info of the encapsulation */
static int hpke_info(const struct header *h, const struct uid *to, const struct ek_id *ek,
                     struct buf *out)
{
    buf_lp_str(out, "satchel/1 hpke");
    buf_lp(out, h->tid.b, IDS_TID_LEN);
    buf_lp(out, h->sender.b, IDS_UID_LEN);
    buf_lp(out, to->b, IDS_UID_LEN);
    buf_lp(out, ek->b, IDS_EK_LEN);
    return buf_check(out, NULL);
}

/* KEK = F(x, "kek1", part, ctx) xor F(share, "kek2", part, ctx) */
static int make_kek(const struct hpke *hpke, const struct secret *share, enum share_part which,
                    const uint8_t ctx[SLOT_CTX_LEN], uint8_t ret_kek[KDF_LEN])
{
    const struct part name = part_str(part_names[which]), context = part(ctx, SLOT_CTX_LEN);
    uint8_t x[EXPORT_LEN], other[KDF_LEN];
    int rc = hpke_export(hpke, part_str("satchel/1 kek"), x, sizeof(x));

    if (rc == ERR_OK)
        rc = kdf_f(ret_kek, PART_OF(x), "kek1", PARTS(name, context));
    if (rc == ERR_OK)
        rc = kdf_f(other, part_secret(share), "kek2", PARTS(name, context));
    if (rc == ERR_OK)
        for (size_t i = 0; i < KDF_LEN; i++)
            ret_kek[i] ^= other[i];
    secret_wipe(x, sizeof(x));
    secret_wipe(other, sizeof(other));
    return rc;
}

static int seal_part(const struct slot_seal *in, const struct hpke *hpke, enum share_part which,
                     struct slot *s)
{
    const struct secret *key = which == SHARE_META ? in->mek : in->cek;
    uint8_t ctx[SLOT_CTX_LEN], kek[KDF_LEN];
    int rc = slot_ctx(in->header, in->to, s, ctx);

    if (rc == ERR_OK)
        rc = make_kek(hpke, in->share[which], which, ctx, kek);
    if (rc == ERR_OK)
        rc = gcm_seal_once(kek, nonce_0, PART_OF(ctx), part_secret(key), s->wrap[which]);
    secret_wipe(kek, sizeof(kek));
    return rc;
}

static int ek_check(const struct manifest_ek *ek, struct err *err)
{
    return ek->suite == IDS_SUITE_X25519 && ek->key.len == HPKE_KEY_LEN
               ? ERR_OK
               : err_set(err, ERR_UNSUPPORTED, "slot: suite %u is not known", ek->suite);
}

int slot_encap(const struct manifest_ek *ek, const struct secret *ephemeral, struct hpke_kem *ret,
               struct err *err)
{
    int rc = ek_check(ek, err);

    if (rc != ERR_OK)
        return rc;
    if (ephemeral->len != HPKE_IKM_LEN)
        return err_set(err, ERR_INVALID, "slot: a key or a share has the wrong size");
    rc = hpke_kem_new(ret, ek->key.data, ephemeral->data);
    if (rc == ERR_INTEGRITY)
        return err_set(err, rc, "the recipient's key is of small order");
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot seal a slot");
}

static int seal_check(const struct slot_seal *in, struct err *err)
{
    if (in->mek->len != SLOT_KEY_LEN || in->cek->len != SLOT_KEY_LEN ||
        in->share[SHARE_META]->len != SHARE_LEN || in->share[SHARE_BODY]->len != SHARE_LEN ||
        (in->kem != NULL && in->kem->shared.len == 0))
        return err_set(err, ERR_INVALID, "slot: a key or a share has the wrong size");
    return ek_check(in->ek, err);
}

int slot_seal(const struct slot_seal *in, struct slot *ret_s, struct err *err)
{
    struct share_place place = {.tid = in->header->tid, .uid = *in->to, .ek_id = in->ek->id};
    struct slot s = {.ek_id = in->ek->id};
    struct hpke_kem made = {0};
    const struct hpke_kem *kem = in->kem != NULL ? in->kem : &made;
    struct hpke hpke = {0};
    struct buf info = {0};
    int rc = seal_check(in, err);

    if (rc == ERR_OK && in->kem == NULL)
        rc = slot_encap(in->ek, in->ephemeral, &made, err);
    if (rc != ERR_OK)
        return rc;
    memcpy(s.enc, kem->enc, sizeof(s.enc));
    rc = hpke_info(in->header, in->to, &s.ek_id, &info);
    if (rc == ERR_OK)
        rc = hpke_setup(&hpke, kem, part(info.data, info.len));
    for (int i = SHARE_META; rc == ERR_OK && i <= SHARE_BODY; i++)
        rc = share_commit((enum share_part)i, &place, in->share[i], &s.share_commit[i]);
    for (int i = SHARE_META; rc == ERR_OK && i <= SHARE_BODY; i++)
        rc = seal_part(in, &hpke, (enum share_part)i, &s);
    secret_free(&made.shared);
    hpke_free(&hpke);
    buf_free(&info);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot seal a slot");
    *ret_s = s;
    return ERR_OK;
}

/* Step 6 of section 16. */
static int check_share(const struct slot_open *in, enum share_part which,
                       const struct secret *share, struct err *err)
{
    struct share_place place = {.tid = in->header->tid, .uid = *in->to, .ek_id = in->slot->ek_id};
    struct hash32 commit;
    int rc;

    if (share->len != SHARE_LEN)
        return err_set(err, ERR_INTEGRITY, "the %s share has the wrong size", part_names[which]);
    rc = share_commit(which, &place, share, &commit);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot check a share");
    if (!secret_equal(&commit, &in->slot->share_commit[which], sizeof(commit)))
        return err_set(err, ERR_INTEGRITY, "the %s share does not fit its commitment",
                       part_names[which]);
    return ERR_OK;
}

/* The slot names the key it was sealed to; ours must be that one. */
static int check_ek(const struct slot_open *in, struct err *err)
{
    uint8_t public_key[X25519_LEN];
    struct ek_id id;
    int rc;

    if (in->ek->len != X25519_LEN)
        return err_set(err, ERR_INVALID, "slot: the private key has the wrong size");
    rc = x25519_public(public_key, in->ek->data);
    if (rc == ERR_OK)
        rc = ids_ek(IDS_SUITE_X25519, PART_OF(public_key), &id);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot open a slot");
    if (memcmp(&id, &in->slot->ek_id, sizeof(id)) != 0)
        return err_set(err, ERR_INTEGRITY, "the slot is for another key");
    return ERR_OK;
}

/* Step 7. */
static int unwrap(const struct slot_open *in, enum share_part which, const struct secret *share,
                  struct secret *ret_key)
{
    uint8_t ctx[SLOT_CTX_LEN], kek[KDF_LEN];
    struct hpke hpke = {0};
    struct buf info = {0};
    int rc = hpke_info(in->header, in->to, &in->slot->ek_id, &info);

    if (rc == ERR_OK)
        rc = hpke_decap(&hpke, in->slot->enc, in->ek->data, part(info.data, info.len));
    if (rc == ERR_OK)
        rc = slot_ctx(in->header, in->to, in->slot, ctx);
    if (rc == ERR_OK)
        rc = make_kek(&hpke, share, which, ctx, kek);
    if (rc == ERR_OK)
        rc = gcm_open_once(kek, nonce_0, PART_OF(ctx), PART_OF(in->slot->wrap[which]),
                           ret_key->data);
    secret_wipe(kek, sizeof(kek));
    hpke_free(&hpke);
    buf_free(&info);
    return rc;
}

int slot_open(const struct slot_open *in, enum share_part part, const struct secret *share,
              struct secret *ret_key, struct err *err)
{
    struct secret key = {0};
    int rc = check_share(in, part, share, err);

    if (rc == ERR_OK)
        rc = check_ek(in, err);
    if (rc == ERR_OK)
        rc = secret_new(&key, SLOT_KEY_LEN, err);
    if (rc != ERR_OK)
        return rc;
    rc = unwrap(in, part, share, &key);
    if (rc == ERR_OK)
        secret_move(ret_key, &key);
    else if (rc == ERR_INTEGRITY)
        err_set(err, rc, "the %s key of the slot does not open", part_names[part]);
    else
        err_set(err, rc, "cannot open a slot");
    secret_free(&key);
    return rc;
}

static int make_leaves(const struct part *slots, size_t n, merkle_hash **ret_leaves)
{
    merkle_hash *leaves = calloc(n + 1, sizeof(*leaves));
    int rc = leaves != NULL ? ERR_OK : ERR_NOMEM;

    for (size_t i = 0; rc == ERR_OK && i < n; i++)
        rc = merkle_leaf(leaves[i], slots[i].data, slots[i].len);
    if (rc == ERR_OK)
        *ret_leaves = leaves;
    else
        free(leaves);
    return rc;
}

int slot_root(const struct part *slots, size_t n, struct hash32 *ret_root)
{
    merkle_hash *leaves = NULL;
    int rc = make_leaves(slots, n, &leaves);

    if (rc == ERR_OK)
        rc = merkle_root(ret_root->b, (const merkle_hash *)leaves, n);
    free(leaves);
    return rc;
}

int slot_path(const struct part *slots, size_t n, size_t index, struct hash32 *ret_path,
              size_t *ret_len)
{
    merkle_hash *leaves = NULL;
    struct merkle_proof proof;
    int rc = n <= HEADER_SLOTS_MAX && index < n ? make_leaves(slots, n, &leaves) : ERR_INVALID;

    if (rc == ERR_OK)
        rc = merkle_prove(&proof, (const merkle_hash *)leaves, n, index);
    free(leaves);
    if (rc != ERR_OK)
        return rc;
    memcpy(ret_path, proof.path, proof.len * sizeof(merkle_hash));
    *ret_len = proof.len;
    return ERR_OK;
}

int slot_in_root(const struct slot_proof *p, const struct header *h, struct err *err)
{
    struct merkle_proof proof = {.index = p->index, .n = h->slots, .len = p->path_len};
    merkle_hash leaf;
    int rc = ERR_INTEGRITY;

    if (p->path_len > SLOT_PROOF_MAX)
        goto out;
    for (size_t i = 0; i < p->path_len; i++) {
        if (p->path[i].len != MERKLE_LEN)
            goto out;
        memcpy(proof.path[i], p->path[i].data, MERKLE_LEN);
    }
    rc = merkle_leaf(leaf, p->slot.data, p->slot.len);
    if (rc == ERR_OK)
        rc = merkle_verify(&proof, leaf, h->slots_root.b);
out:
    if (rc == ERR_INTEGRITY)
        return err_set(err, rc, "the slot is not one of this header");
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot check a slot");
}
