/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/x25519.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common/secret.h"

int x25519_public(uint8_t ret_public[X25519_LEN], const uint8_t private_key[X25519_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, X25519_LEN);
    size_t len = X25519_LEN;
    int rc = ERR_OK;

    if (key == NULL)
        return ERR_NOMEM;
    if (EVP_PKEY_get_raw_public_key(key, ret_public, &len) != 1 || len != X25519_LEN)
        rc = ERR_INTERNAL;
    EVP_PKEY_free(key);
    return rc;
}

/*
 * The private key as OpenSSL wants it for EVP_PKEY_derive(), which never looks at the public half.
 * Without one OpenSSL would compute it, at more than the price of the derivation.
 */
static EVP_PKEY *private_half(const uint8_t private_key[X25519_LEN])
{
    static const uint8_t unused[X25519_LEN] = {9};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)unused, X25519_LEN),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)private_key,
                                X25519_LEN),
        OSSL_PARAM_END};

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

int x25519_shared(uint8_t ret_shared[X25519_LEN], const uint8_t private_key[X25519_LEN],
                  const uint8_t peer_public[X25519_LEN])
{
    static const uint8_t zero[X25519_LEN];
    EVP_PKEY *own = private_half(private_key);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_public, X25519_LEN);
    EVP_PKEY_CTX *ctx = own != NULL ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    uint8_t shared[X25519_LEN] = {0};
    size_t len = sizeof(shared);
    int rc = ERR_OK;

    if (peer == NULL || ctx == NULL)
        rc = ERR_NOMEM;
    else if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1)
        rc = ERR_INTERNAL;
    /* OpenSSL fails on an all-zero result, and on nothing else that can happen here. */
    else if (EVP_PKEY_derive(ctx, shared, &len) != 1 || len != sizeof(shared) ||
             secret_equal(shared, zero, sizeof(shared)))
        rc = ERR_INTEGRITY;
    if (rc == ERR_OK)
        memcpy(ret_shared, shared, sizeof(shared));
    secret_wipe(shared, sizeof(shared));
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    return rc;
}
