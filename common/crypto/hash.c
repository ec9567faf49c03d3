/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/hash.h"

#include "common/buf.h"
#include "common/crypto/alg.h"

static const struct {
    const char *name;
    size_t len;
} hashes[HASH_COUNT] = {
    [HASH_SHA1] = {"sha1", 20},
    [HASH_SHA256] = {"sha256", HASH_SHA256_LEN},
    [HASH_SHA384] = {"sha384", 48},
    [HASH_SHA512] = {"sha512", HASH_SHA512_LEN},
};

const char *hash_name(enum hash_id id)
{
    return hashes[id].name;
}

size_t hash_len(enum hash_id id)
{
    return hashes[id].len;
}

int hash_start(struct hash *h, enum hash_id id)
{
    const EVP_MD *md = alg_hash(id);

    if (md == NULL)
        return ERR_INTERNAL;
    if (h->ctx == NULL)
        h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL)
        return ERR_NOMEM;
    h->len = hash_len(id);
    return EVP_DigestInit_ex2(h->ctx, md, NULL) == 1 ? ERR_OK : ERR_INTERNAL;
}

int hash_add(struct hash *h, const void *data, size_t len)
{
    if (len == 0)
        return ERR_OK;
    return EVP_DigestUpdate(h->ctx, data, len) == 1 ? ERR_OK : ERR_INTERNAL;
}

int hash_finish(struct hash *h, uint8_t *ret_digest)
{
    uint8_t digest[HASH_MAX_LEN];
    unsigned int len = 0;

    if (EVP_DigestFinal_ex(h->ctx, digest, &len) != 1 || len != h->len)
        return ERR_INTERNAL;
    memcpy(ret_digest, digest, len);
    secret_wipe(digest, sizeof(digest)); /* may be a key */
    return ERR_OK;
}

void hash_free(struct hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    *h = (struct hash){0};
}

static int add_length(struct hash *h, size_t len)
{
    uint8_t be[4];

    if (len > UINT32_MAX)
        return ERR_INVALID;
    put_be32(be, (uint32_t)len);
    return hash_add(h, be, sizeof(be));
}

static int hash_list(enum hash_id id, uint8_t *ret_digest, const struct part *parts, size_t n,
                     bool prefixed)
{
    struct hash h = {0};
    int rc = hash_start(&h, id);

    for (size_t i = 0; rc == ERR_OK && i < n; i++) {
        if (prefixed)
            rc = add_length(&h, parts[i].len);
        if (rc == ERR_OK)
            rc = hash_add(&h, parts[i].data, parts[i].len);
    }
    if (rc == ERR_OK)
        rc = hash_finish(&h, ret_digest);
    hash_free(&h);
    return rc;
}

int hash_parts(enum hash_id id, uint8_t *ret_digest, const struct part *parts, size_t n)
{
    return hash_list(id, ret_digest, parts, n, false);
}

int hash_lp(enum hash_id id, uint8_t *ret_digest, const struct part *parts, size_t n)
{
    return hash_list(id, ret_digest, parts, n, true);
}

int hash_sha256(uint8_t ret_digest[HASH_SHA256_LEN], const void *data, size_t len)
{
    return hash_parts(HASH_SHA256, ret_digest, PARTS({data, len}));
}

int hash_sha512(uint8_t ret_digest[HASH_SHA512_LEN], const void *data, size_t len)
{
    return hash_parts(HASH_SHA512, ret_digest, PARTS({data, len}));
}
