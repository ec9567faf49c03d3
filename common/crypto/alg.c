/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/alg.h"

#include <pthread.h>

#include <openssl/core_names.h>

static struct {
    EVP_MD *hash[HASH_COUNT];
    EVP_MAC_CTX *hmac[HASH_COUNT];
    EVP_CIPHER *aes_256_gcm;
    EVP_KDF *scrypt;
} algs;

static pthread_once_t once = PTHREAD_ONCE_INIT;

OSSL_PARAM alg_param_hash(const char *key, enum hash_id id)
{
    return OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)hash_name(id), 0);
}

OSSL_PARAM alg_param_bytes(const char *key, struct part p)
{
    return OSSL_PARAM_construct_octet_string(key, (void *)(uintptr_t)part_bytes(p), p.len);
}

static EVP_MAC_CTX *hmac_template(EVP_MAC *hmac, enum hash_id id)
{
    EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[2] = {alg_param_hash(OSSL_MAC_PARAM_DIGEST, id), OSSL_PARAM_END};

    if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static void fetch(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    for (int id = 0; id < HASH_COUNT; id++) {
        algs.hash[id] = EVP_MD_fetch(NULL, hash_name((enum hash_id)id), NULL);
        algs.hmac[id] = hmac_template(hmac, (enum hash_id)id);
    }
    algs.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    algs.scrypt = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_MAC_free(hmac); /* the templates keep their own reference */
}

const EVP_MD *alg_hash(enum hash_id id)
{
    (void)pthread_once(&once, fetch);
    return algs.hash[id];
}

const EVP_MAC_CTX *alg_hmac(enum hash_id id)
{
    (void)pthread_once(&once, fetch);
    return algs.hmac[id];
}

const EVP_CIPHER *alg_aes_256_gcm(void)
{
    (void)pthread_once(&once, fetch);
    return algs.aes_256_gcm;
}

EVP_KDF *alg_scrypt(void)
{
    (void)pthread_once(&once, fetch);
    return algs.scrypt;
}
