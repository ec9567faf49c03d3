/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hkdf.h"

#include <string.h>

#include "common/crypto/alg.h"
#include "common/crypto/mac.h"

int hkdf_extract(enum hash_id id, uint8_t *ret_prk, struct part salt, struct part ikm)
{
    /* HMAC pads its key with zeros, so an absent salt needs no zero bytes of its own. */
    return mac_parts(id, ret_prk, salt, &ikm, 1);
}

/* T(n) of section 2.3, from T(n-1) of ${before} bytes, which it replaces; the key is set. */
static bool next_block(EVP_MAC_CTX *ctx, struct part info, uint8_t number, uint8_t *t,
                       size_t before)
{
    size_t len = 0;

    return (before == 0 || EVP_MAC_update(ctx, t, before) == 1) &&
           (info.len == 0 || EVP_MAC_update(ctx, info.data, info.len) == 1) &&
           EVP_MAC_update(ctx, &number, 1) == 1 && EVP_MAC_final(ctx, t, &len, HASH_MAX_LEN) == 1;
}

/* OpenSSL's own takes twice as long for the one block that nearly all ask for. */
int hkdf_expand(enum hash_id id, struct part prk, struct part info, uint8_t *out, size_t len)
{
    size_t block = hash_len(id);
    const EVP_MAC_CTX *template = alg_hmac(id);
    uint8_t t[HASH_MAX_LEN], number = 0;
    EVP_MAC_CTX *ctx;
    int rc = ERR_OK;

    if (len == 0 || len > 255 * block || info.len > HKDF_INFO_MAX)
        return ERR_INVALID;
    ctx = template != NULL ? EVP_MAC_CTX_dup(template) : NULL;
    /* OpenSSL copies the key into locked memory, and fails for want of that alone. */
    if (ctx == NULL || EVP_MAC_init(ctx, part_bytes(prk), prk.len, NULL) != 1)
        rc = template != NULL ? ERR_NOMEM : ERR_INTERNAL;
    for (size_t done = 0, n; rc == ERR_OK && done < len; done += n) {
        bool good = done == 0 || EVP_MAC_init(ctx, NULL, 0, NULL) == 1; /* the same key again */

        number++;
        rc = good && next_block(ctx, info, number, t, done > 0 ? block : 0) ? ERR_OK : ERR_INTERNAL;
        n = len - done < block ? len - done : block;
        if (rc == ERR_OK)
            memcpy(out + done, t, n);
    }
    EVP_MAC_CTX_free(ctx);
    if (rc != ERR_OK)
        secret_wipe(out, len);
    secret_wipe(t, sizeof(t));
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
