/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hpke.h"

#include "common/buf.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/mac.h"

/* One key derivation function with the suite_id that goes into all its labels. */
struct labeled {
    enum hash_id hash;
    uint8_t suite[10];
    size_t suite_len;
};

/* mode, then the two hashes of section 5.1 */
enum { CONTEXT_LEN = 1 + 2 * HASH_SHA512_LEN };

/* What a context keeps.  Most only export: key and nonce are derived when they are needed. */
enum {
    EXPORTER_AT = 0,
    SECRET_AT = EXPORTER_AT + HASH_SHA512_LEN,
    CONTEXT_AT = SECRET_AT + HASH_SHA512_LEN,
    KEPT_LEN = CONTEXT_AT + CONTEXT_LEN
};

static const struct labeled kem = {HASH_SHA256, {'K', 'E', 'M', 0x00, 0x20}, 5};

static struct labeled schedule(uint16_t aead)
{
    return (struct labeled){
        HASH_SHA512,
        {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x03, (uint8_t)(aead >> 8), (uint8_t)aead},
        10};
}

/* LabeledExtract of section 4 */
static int extract(const struct labeled *l, struct part salt, const char *label, struct part ikm,
                   uint8_t *ret_prk)
{
    return mac_parts(l->hash, ret_prk, salt,
                     PARTS(part_str("HPKE-v1"), {l->suite, l->suite_len}, part_str(label), ikm));
}

/* What is expanded, into how much: LabeledExpand of section 4 */
struct expansion {
    struct part prk;
    const char *label;
    struct part info;
};

static int expand(const struct labeled *l, const struct expansion *e, uint8_t *out, size_t len)
{
    struct buf info = {0};
    int rc;

    buf_u16(&info, (uint16_t)len);
    buf_put(&info, "HPKE-v1", 7);
    buf_put(&info, l->suite, l->suite_len);
    buf_put(&info, e->label, strlen(e->label));
    buf_put(&info, e->info.data, e->info.len);
    rc = buf_check(&info, NULL);
    if (rc == ERR_OK)
        rc = hkdf_expand(l->hash, e->prk, part(info.data, info.len), out, len);
    buf_free(&info);
    return rc;
}

int hpke_keypair(struct part ikm, uint8_t ret_private[HPKE_KEY_LEN],
                 uint8_t ret_public[HPKE_KEY_LEN])
{
    uint8_t prk[HASH_SHA256_LEN], sk[HPKE_KEY_LEN];
    int rc;

    if (ikm.len < HPKE_KEY_LEN)
        return ERR_INVALID;
    rc = extract(&kem, part(NULL, 0), "dkp_prk", ikm, prk);
    if (rc == ERR_OK)
        rc = expand(&kem, &(struct expansion){PART_OF(prk), "sk", part(NULL, 0)}, sk, sizeof(sk));
    if (rc == ERR_OK)
        rc = x25519_public(ret_public, sk);
    if (rc == ERR_OK)
        memcpy(ret_private, sk, sizeof(sk));
    secret_wipe(prk, sizeof(prk));
    secret_wipe(sk, sizeof(sk));
    return rc;
}

/* ExtractAndExpand of section 4.1, from our private key, the peer's public key and both as sent. */
static int shared_secret(const uint8_t *private_key, const uint8_t *peer,
                         const uint8_t context[2 * HPKE_KEY_LEN], uint8_t ret[HASH_SHA256_LEN])
{
    uint8_t dh[X25519_LEN], prk[HASH_SHA256_LEN];
    const struct expansion e = {PART_OF(prk), "shared_secret", {context, 2 * HPKE_KEY_LEN}};
    int rc = x25519_shared(dh, private_key, peer);

    if (rc == ERR_OK)
        rc = extract(&kem, part(NULL, 0), "eae_prk", PART_OF(dh), prk);
    if (rc == ERR_OK)
        rc = expand(&kem, &e, ret, HASH_SHA256_LEN);
    secret_wipe(dh, sizeof(dh));
    secret_wipe(prk, sizeof(prk));
    return rc;
}

/* One of the three keys, each from the secret and the same context; ${kept} has both. */
static int expand_key(const struct labeled *l, const uint8_t *kept, const char *label, uint8_t *out,
                      size_t len)
{
    const struct expansion e = {
        {kept + SECRET_AT, HASH_SHA512_LEN}, label, {kept + CONTEXT_AT, CONTEXT_LEN}};

    return expand(l, &e, out, len);
}

/* KeySchedule of section 5.1 for mode_base: no pre-shared key. */
static int key_schedule(struct hpke *ret_h, uint16_t aead, const uint8_t shared[HASH_SHA256_LEN],
                        struct part info)
{
    const struct labeled l = schedule(aead);
    const struct part none = {NULL, 0};
    struct secret kept = {0};
    uint8_t *context;
    int rc = secret_new(&kept, KEPT_LEN, NULL);

    if (rc != ERR_OK)
        return rc;
    context = kept.data + CONTEXT_AT;
    context[0] = 0; /* mode_base */
    rc = extract(&l, none, "psk_id_hash", none, context + 1);
    if (rc == ERR_OK)
        rc = extract(&l, none, "info_hash", info, context + 1 + HASH_SHA512_LEN);
    if (rc == ERR_OK)
        rc = extract(&l, part(shared, HASH_SHA256_LEN), "secret", none, kept.data + SECRET_AT);
    if (rc == ERR_OK)
        rc = expand_key(&l, kept.data, "exp", kept.data + EXPORTER_AT, HASH_SHA512_LEN);
    if (rc == ERR_OK) {
        secret_move(&ret_h->kept, &kept);
        ret_h->aead = aead;
    }
    secret_free(&kept);
    return rc;
}

int hpke_kem_new(struct hpke_kem *ret, const uint8_t public_key[HPKE_KEY_LEN],
                 const uint8_t ikm[HPKE_IKM_LEN])
{
    uint8_t sk[HPKE_KEY_LEN], context[2 * HPKE_KEY_LEN];
    struct secret shared = {0};
    int rc = secret_new(&shared, HASH_SHA256_LEN, NULL);

    if (rc == ERR_OK)
        rc = hpke_keypair(part(ikm, HPKE_IKM_LEN), sk, context);
    if (rc == ERR_OK) {
        memcpy(context + HPKE_KEY_LEN, public_key, HPKE_KEY_LEN);
        rc = shared_secret(sk, public_key, context, shared.data);
    }
    if (rc == ERR_OK) {
        memcpy(ret->enc, context, HPKE_ENC_LEN);
        secret_move(&ret->shared, &shared);
    }
    secret_wipe(sk, sizeof(sk));
    secret_free(&shared);
    return rc;
}

int hpke_setup(struct hpke *ret_h, const struct hpke_kem *k, struct part info)
{
    return key_schedule(ret_h, HPKE_AES_256_GCM, k->shared.data, info);
}

int hpke_encap(struct hpke *ret_h, uint8_t ret_enc[HPKE_ENC_LEN],
               const uint8_t public_key[HPKE_KEY_LEN], struct part info,
               const uint8_t ikm[HPKE_IKM_LEN])
{
    struct hpke_kem k = {0};
    int rc = hpke_kem_new(&k, public_key, ikm);

    if (rc == ERR_OK)
        rc = hpke_setup(ret_h, &k, info);
    if (rc == ERR_OK)
        memcpy(ret_enc, k.enc, HPKE_ENC_LEN);
    secret_free(&k.shared);
    return rc;
}

int hpke_decap_for(struct hpke *ret_h, uint16_t aead, const uint8_t enc[HPKE_ENC_LEN],
                   const uint8_t private_key[HPKE_KEY_LEN], struct part info)
{
    uint8_t shared[HASH_SHA256_LEN], context[2 * HPKE_KEY_LEN];
    int rc = x25519_public(context + HPKE_KEY_LEN, private_key);

    if (rc == ERR_OK) {
        memcpy(context, enc, HPKE_ENC_LEN);
        rc = shared_secret(private_key, enc, context, shared);
    }
    if (rc == ERR_OK)
        rc = key_schedule(ret_h, aead, shared, info);
    secret_wipe(shared, sizeof(shared));
    return rc;
}

int hpke_decap(struct hpke *ret_h, const uint8_t enc[HPKE_ENC_LEN],
               const uint8_t private_key[HPKE_KEY_LEN], struct part info)
{
    return hpke_decap_for(ret_h, HPKE_AES_256_GCM, enc, private_key, info);
}

void hpke_free(struct hpke *h)
{
    secret_free(&h->kept);
}

/* The key of a context, and the nonce of message ${seq}: ComputeNonce of section 5.2. */
static int derive_key(const struct hpke *h, uint64_t seq, uint8_t key[GCM_KEY_LEN],
                      uint8_t nonce[GCM_NONCE_LEN])
{
    const struct labeled l = schedule(h->aead);
    int rc = h->aead == HPKE_AES_256_GCM ? ERR_OK : ERR_UNSUPPORTED;

    if (rc == ERR_OK)
        rc = expand_key(&l, h->kept.data, "key", key, GCM_KEY_LEN);
    if (rc == ERR_OK)
        rc = expand_key(&l, h->kept.data, "base_nonce", nonce, GCM_NONCE_LEN);
    for (size_t i = 0; rc == ERR_OK && i < sizeof(seq); i++)
        nonce[GCM_NONCE_LEN - 1 - i] ^= (uint8_t)(seq >> (8 * i));
    return rc;
}

int hpke_seal(const struct hpke *h, uint64_t seq, struct part aad, struct part in, uint8_t *out)
{
    uint8_t key[GCM_KEY_LEN], nonce[GCM_NONCE_LEN];
    int rc = derive_key(h, seq, key, nonce);

    if (rc == ERR_OK)
        rc = gcm_seal_once(key, nonce, aad, in, out);
    secret_wipe(key, sizeof(key));
    return rc;
}

int hpke_open(const struct hpke *h, uint64_t seq, struct part aad, struct part in, uint8_t *out)
{
    uint8_t key[GCM_KEY_LEN], nonce[GCM_NONCE_LEN];
    int rc = derive_key(h, seq, key, nonce);

    if (rc == ERR_OK)
        rc = gcm_open_once(key, nonce, aad, in, out);
    secret_wipe(key, sizeof(key));
    return rc;
}

int hpke_export(const struct hpke *h, struct part context, uint8_t *out, size_t len)
{
    const struct labeled l = schedule(h->aead);
    const struct expansion e = {{h->kept.data + EXPORTER_AT, HASH_SHA512_LEN}, "sec", context};

    if (len > HPKE_EXPORT_MAX || context.len > HPKE_EXPORT_CONTEXT_MAX)
        return ERR_INVALID;
    return expand(&l, &e, out, len);
}
