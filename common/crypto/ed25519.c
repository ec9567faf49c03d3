/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/ed25519.h"

#include <openssl/evp.h>

#include "common/crypto/hash.h"
#include "common/crypto/label.h"

enum { MESSAGE_MAX = LABEL_MAX + HASH_SHA512_LEN };

int ed25519_public(uint8_t ret_public[ED25519_PUBLIC_LEN], const uint8_t seed[ED25519_SEED_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_LEN);
    size_t len = ED25519_PUBLIC_LEN;
    int rc = ERR_OK;

    if (key == NULL)
        return ERR_NOMEM;
    if (EVP_PKEY_get_raw_public_key(key, ret_public, &len) != 1 || len != ED25519_PUBLIC_LEN)
        rc = ERR_INTERNAL;
    EVP_PKEY_free(key);
    return rc;
}

int ed25519_sign(uint8_t ret_sig[ED25519_SIG_LEN], const uint8_t seed[ED25519_SEED_LEN],
                 struct part msg)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t sig[ED25519_SIG_LEN];
    size_t len = sizeof(sig);
    int rc = ERR_OK;

    if (key == NULL || ctx == NULL)
        rc = ERR_NOMEM;
    else if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
             EVP_DigestSign(ctx, sig, &len, part_bytes(msg), msg.len) != 1 || len != sizeof(sig))
        rc = ERR_INTERNAL;
    if (rc == ERR_OK)
        memcpy(ret_sig, sig, sizeof(sig));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}

int ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_LEN], const uint8_t sig[ED25519_SIG_LEN],
                   struct part msg)
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = ERR_OK;

    if (key == NULL || ctx == NULL)
        rc = ERR_NOMEM;
    else if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1)
        rc = ERR_INTERNAL;
    else if (EVP_DigestVerify(ctx, sig, ED25519_SIG_LEN, part_bytes(msg), msg.len) != 1)
        rc = ERR_INTEGRITY;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return rc;
}

/* LP("satchel/1 <purpose>")||H(bytes) */
static int signed_message(uint8_t msg[MESSAGE_MAX], const char *purpose, struct part bytes,
                          struct part *ret)
{
    struct label label;
    int rc = label_make(&label, purpose);

    if (rc != ERR_OK)
        return rc;
    memcpy(msg, label.bytes, label.len);
    *ret = part(msg, label.len + HASH_SHA512_LEN);
    return hash_sha512(msg + label.len, bytes.data, bytes.len);
}

int ed25519_sign_for(uint8_t ret_sig[ED25519_SIG_LEN], const uint8_t seed[ED25519_SEED_LEN],
                     const char *purpose, struct part bytes)
{
    uint8_t raw[MESSAGE_MAX];
    struct part msg;
    int rc = signed_message(raw, purpose, bytes, &msg);

    return rc == ERR_OK ? ed25519_sign(ret_sig, seed, msg) : rc;
}

int ed25519_verify_for(const uint8_t public_key[ED25519_PUBLIC_LEN],
                       const uint8_t sig[ED25519_SIG_LEN], const char *purpose, struct part bytes)
{
    uint8_t raw[MESSAGE_MAX];
    struct part msg;
    int rc = signed_message(raw, purpose, bytes, &msg);

    return rc == ERR_OK ? ed25519_verify(public_key, sig, msg) : rc;
}
