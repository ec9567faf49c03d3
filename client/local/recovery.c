/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/recovery.h"

#include "common/crypto/kdf.h"
#include "common/crypto/words.h"

int recovery_key(const struct secret *seed, struct secret *ret, struct err *err)
{
    int rc = secret_new(ret, KDF_LEN, err);

    if (rc == ERR_OK && kdf_f(ret->data, part_secret(seed), "recovery key", NULL, 0) != ERR_OK) {
        secret_free(ret);
        rc = err_set(err, ERR_INTERNAL, "cannot make the recovery key");
    }
    return rc;
}

int recovery_key_of_words(const char *words, struct secret *ret, struct err *err)
{
    struct secret seed = {0};
    int rc = words_to_seed(words, &seed, err);

    if (rc == ERR_OK)
        rc = recovery_key(&seed, ret, err);
    secret_free(&seed);
    return rc;
}
