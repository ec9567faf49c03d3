/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/pbkdf2.h"

#include <openssl/core_names.h>

#include "common/crypto/alg.h"

/* Fetched for each call: a derivation takes thousands of times as long. */
int pbkdf2_sha256(struct part password, struct part salt, uint32_t rounds, uint8_t *out, size_t len)
{
    uint64_t iterations = rounds;
    int any_salt = 1; /* 1: no lower limits of the library's own, also RFC 7914's vectors pass */
    OSSL_PARAM params[6] = {
        alg_param_bytes(OSSL_KDF_PARAM_PASSWORD, password),
        alg_param_bytes(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &any_salt),
        alg_param_hash(OSSL_KDF_PARAM_DIGEST, HASH_SHA256),
        OSSL_PARAM_END,
    };
    EVP_KDF *kdf;
    EVP_KDF_CTX *ctx;
    int rc;

    if (rounds == 0 || len == 0)
        return ERR_INVALID;
    kdf = EVP_KDF_fetch(NULL, "PBKDF2", NULL);
    ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    EVP_KDF_free(kdf); /* the context keeps its own reference */
    if (ctx == NULL)
        return ERR_NOMEM;
    rc = EVP_KDF_derive(ctx, out, len, params) == 1 ? ERR_OK : ERR_INTERNAL;
    if (rc != ERR_OK)
        secret_wipe(out, len);
    EVP_KDF_CTX_free(ctx);
    return rc;
}
