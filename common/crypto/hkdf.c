/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hkdf.h"

#include <openssl/evp.h>

#include "common/crypto/alg.h"
#include "common/crypto/mac.h"

int hkdf_extract(enum hash_id id, uint8_t *ret_prk, struct part salt, struct part ikm)
{
    /* HMAC pads its key with zeros, so an absent salt needs no zero bytes of its own. */
    return mac_parts(id, ret_prk, salt, &ikm, 1);
}

/* T(n) = HMAC(prk, T(n-1) || info || n): RFC 5869 section 2.3. */
static bool next_block(EVP_MAC_CTX *ctx, struct part before, struct part info, uint8_t n,
                       uint8_t *ret_block)
{
    size_t len = 0;

    return (before.len == 0 || EVP_MAC_update(ctx, before.data, before.len) == 1) &&
           (info.len == 0 || EVP_MAC_update(ctx, info.data, info.len) == 1) &&
           EVP_MAC_update(ctx, &n, 1) == 1 &&
           EVP_MAC_final(ctx, ret_block, &len, HASH_MAX_LEN) == 1;
}

/*
 * One context for all blocks, with the key's pads computed once.  OpenSSL's own HKDF finds its
 * digest by name each time, which takes longer than to hash a few hundred bytes.
 */
static bool expand(EVP_MAC_CTX *ctx, struct part prk, struct part info, uint8_t *out, size_t len)
{
    uint8_t block[HASH_MAX_LEN];
    bool good = EVP_MAC_init(ctx, part_bytes(prk), prk.len, NULL) == 1;
    const size_t step = good ? EVP_MAC_CTX_get_mac_size(ctx) : 0;
    size_t done = 0;

    good = good && step > 0;
    for (uint8_t n = 1; good && done < len; n++) {
        size_t take = len - done < step ? len - done : step;

        good = (n == 1 || EVP_MAC_init(ctx, NULL, 0, NULL) == 1) &&
               next_block(ctx, part(block, n > 1 ? step : 0), info, n, block);
        if (good)
            memcpy(out + done, block, take);
        done += take;
    }
    secret_wipe(block, sizeof(block));
    return good;
}

int hkdf_expand(enum hash_id id, struct part prk, struct part info, uint8_t *out, size_t len)
{
    EVP_MAC_CTX *ctx;
    int rc;

    if (len == 0 || len > 255 * hash_len(id) || info.len > HKDF_INFO_MAX)
        return ERR_INVALID;
    if (alg_hmac(id) == NULL)
        return ERR_INTERNAL;
    ctx = EVP_MAC_CTX_dup(alg_hmac(id));
    if (ctx == NULL)
        return ERR_NOMEM;
    rc = expand(ctx, prk, info, out, len) ? ERR_OK : ERR_INTERNAL;
    if (rc != ERR_OK)
        secret_wipe(out, len);
    EVP_MAC_CTX_free(ctx);
    return rc;
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
