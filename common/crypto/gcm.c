/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/gcm.h"

#include "common/crypto/alg.h"

/* The library's context under a type of our own; nothing of ours is in it. */
static EVP_CIPHER_CTX *context(struct gcm *g)
{
    return (EVP_CIPHER_CTX *)g;
}

int gcm_new(struct gcm **ret_g, const uint8_t key[GCM_KEY_LEN])
{
    const EVP_CIPHER *cipher = alg_aes_256_gcm();
    EVP_CIPHER_CTX *ctx;

    if (cipher == NULL)
        return ERR_INTERNAL;
    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return ERR_NOMEM;
    if (EVP_CipherInit_ex2(ctx, cipher, key, NULL, 1, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return ERR_INTERNAL;
    }
    *ret_g = (struct gcm *)ctx;
    return ERR_OK;
}

void gcm_free(struct gcm *g)
{
    EVP_CIPHER_CTX_free(context(g));
}

/* Associated data and text, after the nonce and before the tag. */
static bool run(struct gcm *g, struct part aad, struct part in, uint8_t *out)
{
    int n = 0;

    if (aad.len > 0 && EVP_CipherUpdate(context(g), NULL, &n, aad.data, (int)aad.len) != 1)
        return false;
    return in.len == 0 || (EVP_CipherUpdate(context(g), out, &n, in.data, (int)in.len) == 1 &&
                           (size_t)n == in.len);
}

int gcm_seal(struct gcm *g, const uint8_t nonce[GCM_NONCE_LEN], struct part aad, struct part in,
             uint8_t *out)
{
    uint8_t rest[16];
    int n = 0;

    if (in.len > GCM_MAX || aad.len > GCM_MAX)
        return ERR_INVALID;
    if (EVP_CipherInit_ex2(context(g), NULL, NULL, nonce, 1, NULL) != 1 || !run(g, aad, in, out) ||
        EVP_CipherFinal_ex(context(g), rest, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(context(g), EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, out + in.len) != 1)
        return ERR_INTERNAL;
    return ERR_OK;
}

int gcm_open(struct gcm *g, const uint8_t nonce[GCM_NONCE_LEN], struct part aad, struct part in,
             uint8_t *out)
{
    uint8_t rest[16], tag[GCM_TAG_LEN];
    struct part text = in;
    int n = 0;

    if (in.len < GCM_TAG_LEN)
        return ERR_INTEGRITY;
    if (in.len > GCM_MAX || aad.len > GCM_MAX)
        return ERR_INVALID;
    text.len -= GCM_TAG_LEN;
    memcpy(tag, (const uint8_t *)in.data + text.len, sizeof(tag));
    if (EVP_CipherInit_ex2(context(g), NULL, NULL, nonce, 0, NULL) == 1 &&
        EVP_CIPHER_CTX_ctrl(context(g), EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, tag) == 1 &&
        run(g, aad, text, out) && EVP_CipherFinal_ex(context(g), rest, &n) == 1)
        return ERR_OK;
    /* Nobody may look at bytes that did not verify. */
    if (text.len > 0)
        secret_wipe(out, text.len);
    return ERR_INTEGRITY;
}

int gcm_seal_once(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN],
                  struct part aad, struct part in, uint8_t *out)
{
    struct gcm *g = NULL;
    int rc = gcm_new(&g, key);

    if (rc == ERR_OK)
        rc = gcm_seal(g, nonce, aad, in, out);
    gcm_free(g);
    return rc;
}

int gcm_open_once(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN],
                  struct part aad, struct part in, uint8_t *out)
{
    struct gcm *g = NULL;
    int rc = gcm_new(&g, key);

    if (rc == ERR_OK)
        rc = gcm_open(g, nonce, aad, in, out);
    gcm_free(g);
    return rc;
}
