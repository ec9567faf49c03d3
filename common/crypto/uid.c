/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/uid.h"

#include <assert.h>

#include "common/crypto/bech32m.h"
#include "common/crypto/hash.h"
#include "common/crypto/label.h"

int uid_compute(uint8_t ret_uid[UID_LEN], const uint8_t isk_0[ED25519_PUBLIC_LEN],
                const uint8_t rk[ED25519_PUBLIC_LEN])
{
    struct label label;
    uint8_t digest[HASH_SHA256_LEN];
    int rc = label_make(&label, "uid");

    if (rc == ERR_OK)
        rc = hash_parts(
            HASH_SHA256, digest,
            PARTS(label_lp(&label), {isk_0, ED25519_PUBLIC_LEN}, {rk, ED25519_PUBLIC_LEN}));
    if (rc == ERR_OK)
        memcpy(ret_uid, digest, UID_LEN);
    return rc;
}

void uid_to_text(char ret_text[UID_TEXT_SIZE], const uint8_t uid[UID_LEN])
{
    char text[BECH32M_TEXT_MAX + 1];
    int rc = bech32m_encode(text, UID_PREFIX, part(uid, UID_LEN));

    assert(rc == ERR_OK && strlen(text) == UID_TEXT_LEN);
    (void)rc;
    memcpy(ret_text, text, UID_TEXT_SIZE);
}

int uid_from_text(uint8_t ret_uid[UID_LEN], const char *text, struct err *err)
{
    int rc = bech32m_decode(text, UID_PREFIX, ret_uid, UID_LEN, err);

    if (rc != ERR_OK)
        err_wrap(err, "not a user ID");
    return rc;
}
