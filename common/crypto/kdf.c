/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/kdf.h"

#include "common/buf.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/mac.h"

int kdf_f(uint8_t ret_out[KDF_LEN], struct part key, const char *name, const struct part *parts,
          size_t n)
{
    struct label label;
    struct part list[1 + KDF_PARTS_MAX];
    uint8_t tag[HASH_SHA512_LEN];
    int rc;

    if (n > KDF_PARTS_MAX || label_make(&label, name) != ERR_OK)
        return ERR_INVALID;
    list[0] = label_text(&label);
    for (size_t i = 0; i < n; i++)
        list[1 + i] = parts[i];
    rc = mac_lp(HASH_SHA512, tag, key, list, 1 + n);
    if (rc == ERR_OK)
        memcpy(ret_out, tag, KDF_LEN);
    secret_wipe(tag, sizeof(tag));
    return rc;
}

int kdf_xpd(struct part prk, const char *name, struct part ctx, uint8_t *out, size_t len)
{
    struct label label;
    uint8_t info[LABEL_MAX + 4 + KDF_CTX_MAX];

    if (label_make(&label, name) != ERR_OK || ctx.len > KDF_CTX_MAX)
        return ERR_INVALID;
    memcpy(info, label.bytes, label.len);
    put_be32(info + label.len, (uint32_t)ctx.len);
    memcpy(info + label.len + 4, part_bytes(ctx), ctx.len);
    return hkdf_expand(HASH_SHA512, prk, part(info, label.len + 4 + ctx.len), out, len);
}
