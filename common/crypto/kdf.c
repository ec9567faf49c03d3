/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/kdf.h"

#include "common/buf.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/mac.h"

enum { LABEL_MAX = sizeof(KDF_PREFIX) + KDF_NAME_MAX };

static int make_label(char label[LABEL_MAX], const char *name, struct part *ret)
{
    const size_t prefix = sizeof(KDF_PREFIX) - 1, len = strlen(name);

    if (len > KDF_NAME_MAX)
        return ERR_INVALID;
    memcpy(label, KDF_PREFIX, prefix);
    memcpy(label + prefix, name, len);
    *ret = part(label, prefix + len);
    return ERR_OK;
}

int kdf_f_raw(uint8_t ret_out[KDF_LEN], struct part key, const struct part *parts, size_t n)
{
    uint8_t tag[HASH_SHA512_LEN];
    int rc = mac_parts(HASH_SHA512, tag, key, parts, n);

    if (rc == ERR_OK)
        memcpy(ret_out, tag, KDF_LEN);
    secret_wipe(tag, sizeof(tag));
    return rc;
}

int kdf_f(uint8_t ret_out[KDF_LEN], struct part key, const char *name, const struct part *parts,
          size_t n)
{
    char label[LABEL_MAX];
    struct part list[1 + KDF_PARTS_MAX];
    uint8_t tag[HASH_SHA512_LEN];
    int rc = make_label(label, name, &list[0]);

    if (rc != ERR_OK || n > KDF_PARTS_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < n; i++)
        list[1 + i] = parts[i];
    rc = mac_lp(HASH_SHA512, tag, key, list, 1 + n);
    if (rc == ERR_OK)
        memcpy(ret_out, tag, KDF_LEN);
    secret_wipe(tag, sizeof(tag));
    return rc;
}

int kdf_xpd(struct part prk, const char *name, struct part ctx, uint8_t *ret_out, size_t len)
{
    char label[LABEL_MAX];
    uint8_t info[4 + LABEL_MAX + 4 + KDF_CTX_MAX];
    struct part l;
    size_t at;
    int rc = make_label(label, name, &l);

    if (rc != ERR_OK || ctx.len > KDF_CTX_MAX)
        return ERR_INVALID;
    put_be32(info, (uint32_t)l.len);
    memcpy(info + 4, l.data, l.len);
    at = 4 + l.len;
    put_be32(info + at, (uint32_t)ctx.len);
    memcpy(info + at + 4, part_bytes(ctx), ctx.len);
    return hkdf_expand(HASH_SHA512, prk, part(info, at + 4 + ctx.len), ret_out, len);
}
