/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/ed25519.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common/crypto/hash.h"
#include "common/crypto/label.h"
#include "common/secret.h"

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

static int sign(uint8_t ret_sig[ED25519_SIG_LEN], EVP_PKEY *key, struct part msg)
{
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
    return rc;
}

int ed25519_sign(uint8_t ret_sig[ED25519_SIG_LEN], const uint8_t seed[ED25519_SEED_LEN],
                 struct part msg)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_LEN);
    int rc = sign(ret_sig, key, msg);

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

/*
 * Not an EVP_PKEY: OpenSSL keeps the seed of one in ordinary memory, where it is to be no longer
 * than one signature takes.
 */
struct ed25519_key {
    struct secret pair; /* the seed, then its public key */
};

int ed25519_key_new(struct ed25519_key **ret, const uint8_t seed[ED25519_SEED_LEN])
{
    struct ed25519_key *key = calloc(1, sizeof(*key));
    int rc = key != NULL ? ERR_OK : ERR_NOMEM;

    if (rc == ERR_OK)
        rc = secret_new(&key->pair, ED25519_SEED_LEN + ED25519_PUBLIC_LEN, NULL);
    if (rc == ERR_OK)
        rc = ed25519_public(key->pair.data + ED25519_SEED_LEN, seed);
    if (rc == ERR_OK) {
        memcpy(key->pair.data, seed, ED25519_SEED_LEN);
        *ret = key;
        return ERR_OK;
    }
    ed25519_key_free(key);
    return rc;
}

void ed25519_key_free(struct ed25519_key *key)
{
    if (key == NULL)
        return;
    secret_free(&key->pair);
    free(key);
}

void ed25519_key_public(const struct ed25519_key *key, uint8_t ret_public[ED25519_PUBLIC_LEN])
{
    memcpy(ret_public, key->pair.data + ED25519_SEED_LEN, ED25519_PUBLIC_LEN);
}

/* Both halves as OpenSSL takes them; NULL: out of memory. */
static EVP_PKEY *both_halves(const struct ed25519_key *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ED25519", NULL);
    EVP_PKEY *ret = NULL;
    uint8_t *seed = key->pair.data;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, seed + ED25519_SEED_LEN,
                                ED25519_PUBLIC_LEN),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, seed, ED25519_SEED_LEN), OSSL_PARAM_END};

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &ret, EVP_PKEY_KEYPAIR, params) != 1)
        ret = NULL;
    EVP_PKEY_CTX_free(ctx);
    return ret;
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

int ed25519_key_sign_for(uint8_t ret_sig[ED25519_SIG_LEN], const struct ed25519_key *key,
                         const char *purpose, struct part bytes)
{
    uint8_t raw[MESSAGE_MAX];
    struct part msg;
    int rc = signed_message(raw, purpose, bytes, &msg);
    EVP_PKEY *both = rc == ERR_OK ? both_halves(key) : NULL;

    if (rc == ERR_OK)
        rc = sign(ret_sig, both, msg);
    EVP_PKEY_free(both);
    return rc;
}

int ed25519_verify_for(const uint8_t public_key[ED25519_PUBLIC_LEN],
                       const uint8_t sig[ED25519_SIG_LEN], const char *purpose, struct part bytes)
{
    uint8_t raw[MESSAGE_MAX];
    struct part msg;
    int rc = signed_message(raw, purpose, bytes, &msg);

    return rc == ERR_OK ? ed25519_verify(public_key, sig, msg) : rc;
}
