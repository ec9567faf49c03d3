/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alg - OpenSSL's algorithms, fetched once for the process.  A fetch costs
 * more than a short HMAC.  Only for the files of this folder.
 *
 * Threads: any.  What is returned belongs to this module and lives as long as
 * the process; NULL if the library does not offer it.
 */
#ifndef COMMON_CRYPTO_ALG_H
#define COMMON_CRYPTO_ALG_H

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "common/crypto/hash.h"

/* The algorithms by name; NULL if the library does not offer one. */
const EVP_MD *alg_hash(enum hash_id id);
const EVP_CIPHER *alg_aes_256_gcm(void);
EVP_KDF *alg_scrypt(void);

/* An HMAC context with its hash set and without a key: to be duplicated, never used. */
const EVP_MAC_CTX *alg_hmac(enum hash_id id);

/* Parameters for the library: it only reads them, but its structure has no const. */
OSSL_PARAM alg_param_hash(const char *key, enum hash_id id);
OSSL_PARAM alg_param_bytes(const char *key, struct part p);

#endif /* COMMON_CRYPTO_ALG_H */
