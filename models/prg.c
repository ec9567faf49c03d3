/* SPDX-License-Identifier: Apache-2.0 */
#include "models/prg.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/buf.h"
#include "common/secret.h"

enum { BLOCK = 4096, KEY_LEN = 32 };

struct prg {
    EVP_CIPHER_CTX *ctx;
    size_t used; /* of ${block} */
    bool failed;
    uint8_t block[BLOCK];
};

static int make_key(uint8_t key[KEY_LEN], const char *label, struct part seed, uint32_t n)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t len[4];
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    put_be32(len, (uint32_t)strlen(label));
    good = good && EVP_DigestUpdate(md, len, 4) == 1;
    good = good && EVP_DigestUpdate(md, label, strlen(label)) == 1;
    put_be32(len, (uint32_t)seed.len);
    good = good && EVP_DigestUpdate(md, len, 4) == 1;
    good = good && EVP_DigestUpdate(md, seed.data, seed.len) == 1;
    put_be32(len, n);
    good = good && EVP_DigestUpdate(md, len, 4) == 1;
    good = good && EVP_DigestFinal_ex(md, key, NULL) == 1;
    EVP_MD_CTX_free(md);
    return good ? ERR_OK : ERR_INTERNAL;
}

int prg_new(struct prg **ret_prg, const char *label, struct part seed, uint32_t n, struct err *err)
{
    static const uint8_t iv[16];
    uint8_t key[KEY_LEN];
    struct prg *p = calloc(1, sizeof(*p));
    int rc = make_key(key, label, seed, n);

    if (p == NULL) {
        rc = err_set(err, ERR_NOMEM, "random patterns");
        goto done;
    }
    p->used = BLOCK;
    p->ctx = EVP_CIPHER_CTX_new();
    if (rc != ERR_OK || p->ctx == NULL ||
        EVP_EncryptInit_ex(p->ctx, EVP_aes_256_ctr(), NULL, key, iv) != 1)
        rc = err_set(err, ERR_INTERNAL, "cannot set up random patterns");
done:
    secret_wipe(key, sizeof(key));
    if (rc != ERR_OK) {
        prg_free(p);
        return rc;
    }
    *ret_prg = p;
    return ERR_OK;
}

void prg_free(struct prg *p)
{
    if (p == NULL)
        return;
    EVP_CIPHER_CTX_free(p->ctx); /* wipes its key */
    secret_wipe(p, sizeof(*p));
    free(p);
}

static void refill(struct prg *p)
{
    int n = 0;

    memset(p->block, 0, BLOCK);
    if (EVP_EncryptUpdate(p->ctx, p->block, &n, p->block, BLOCK) != 1 || n != BLOCK) {
        memset(p->block, 0, BLOCK);
        p->failed = true;
    }
    p->used = 0;
}

void prg_bytes(struct prg *p, void *out, size_t len)
{
    uint8_t *to = out;

    while (len > 0) {
        size_t n;

        if (p->used == BLOCK)
            refill(p);
        n = len < BLOCK - p->used ? len : BLOCK - p->used;
        memcpy(to, p->block + p->used, n);
        p->used += n;
        to += n;
        len -= n;
    }
}

int prg_failed(const struct prg *p)
{
    return p->failed ? ERR_INTERNAL : ERR_OK;
}

uint32_t prg_u32(struct prg *p)
{
    uint8_t raw[4];

    prg_bytes(p, raw, sizeof(raw));
    return get_be32(raw);
}

uint32_t prg_below(struct prg *p, uint32_t n)
{
    return (uint32_t)(((uint64_t)prg_u32(p) * n) >> 32);
}

float prg_between(struct prg *p, float low, float high)
{
    return low + (high - low) * ((float)(prg_u32(p) >> 8) / (float)(1 << 24));
}
