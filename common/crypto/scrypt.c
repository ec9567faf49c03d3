/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scrypt.h"

#include <openssl/core_names.h>

#include "common/crypto/alg.h"

uint64_t scrypt_memory(const struct scrypt_cost *cost)
{
    const uint64_t n = cost->n, r = cost->r, p = cost->p;

    if (n < 2 || (n & (n - 1)) != 0 || n > (uint64_t)1 << 32)
        return UINT64_MAX;
    if (r == 0 || p == 0 || r * p >= (uint64_t)1 << 30)
        return UINT64_MAX;
    /* RFC 7914 section 2 asks for N < 2^(128 * r / 8). */
    if (r < 4 && n >= (uint64_t)1 << (16 * r))
        return UINT64_MAX;
    /* B, V and the block being mixed, as OpenSSL counts them. */
    if (r > UINT64_MAX / 128 / (p + n + 2))
        return UINT64_MAX;
    return 128 * r * (p + n + 2);
}

int scrypt_derive(const struct scrypt_cost *cost, struct part password, struct part salt,
                  uint8_t *out, size_t len)
{
    EVP_KDF *kdf = alg_scrypt();
    EVP_KDF_CTX *ctx;
    struct scrypt_cost c = *cost;
    const uint64_t need = scrypt_memory(&c);
    OSSL_PARAM params[7] = {
        alg_param_bytes(OSSL_KDF_PARAM_PASSWORD, password),
        alg_param_bytes(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &c.n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &c.r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &c.p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &c.max_mem),
        OSSL_PARAM_END,
    };
    int rc;

    if (need == UINT64_MAX || len == 0)
        return ERR_INVALID;
    if (need > c.max_mem)
        return ERR_LIMIT;
    if (kdf == NULL)
        return ERR_INTERNAL;
    ctx = EVP_KDF_CTX_new(kdf);
    if (ctx == NULL)
        return ERR_NOMEM;
    /* All arguments are checked: what is left to fail is memory. */
    rc = EVP_KDF_derive(ctx, out, len, params) == 1 ? ERR_OK : ERR_NOMEM;
    if (rc != ERR_OK)
        secret_wipe(out, len);
    EVP_KDF_CTX_free(ctx);
    return rc;
}
