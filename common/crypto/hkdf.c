/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hkdf.h"

#include <openssl/core_names.h>

#include "common/crypto/alg.h"
#include "common/crypto/mac.h"

int hkdf_extract(enum hash_id id, uint8_t *ret_prk, struct part salt, struct part ikm)
{
    /* HMAC pads its key with zeros, so an absent salt needs no zero bytes of its own. */
    return mac_parts(id, ret_prk, salt, &ikm, 1);
}

static int derive(const OSSL_PARAM *params, uint8_t *out, size_t len)
{
    EVP_KDF *hkdf = alg_hkdf();
    EVP_KDF_CTX *ctx;
    int rc;

    if (hkdf == NULL)
        return ERR_INTERNAL;
    ctx = EVP_KDF_CTX_new(hkdf);
    if (ctx == NULL)
        return ERR_NOMEM;
    rc = EVP_KDF_derive(ctx, out, len, params) == 1 ? ERR_OK : ERR_INTERNAL;
    if (rc != ERR_OK)
        secret_wipe(out, len);
    EVP_KDF_CTX_free(ctx);
    return rc;
}

int hkdf_expand(enum hash_id id, struct part prk, struct part info, uint8_t *out, size_t len)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[5] = {
        alg_param_hash(OSSL_KDF_PARAM_DIGEST, id),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        alg_param_bytes(OSSL_KDF_PARAM_KEY, prk),
        alg_param_bytes(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_END,
    };

    if (len == 0 || len > 255 * hash_len(id) || info.len > HKDF_INFO_MAX)
        return ERR_INVALID;
    return derive(params, out, len);
}

int hkdf_full(enum hash_id id, const struct hkdf_input *in, uint8_t *out, size_t len)
{
    uint8_t prk[HASH_MAX_LEN];
    int rc = hkdf_extract(id, prk, in->salt, in->ikm);

    if (rc == ERR_OK)
        rc = hkdf_expand(id, part(prk, hash_len(id)), in->info, out, len);
    secret_wipe(prk, sizeof(prk));
    return rc;
}
