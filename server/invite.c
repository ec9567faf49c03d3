/* SPDX-License-Identifier: Apache-2.0 */
#include "server/invite.h"

#include <string.h>

#include "common/crypto/b64url.h"
#include "common/crypto/hash.h"
#include "common/crypto/rng.h"

enum { CODE_BYTES = 16 };

int invite_hash(const char *code, uint8_t ret_hash[INVITE_HASH_LEN])
{
    if (strlen(code) != INVITE_TEXT - 1)
        return ERR_INVALID;
    return hash_lp(HASH_SHA256, ret_hash, PARTS(part_str("satchel/1 invite"), part_str(code)));
}

int invite_make(char ret_code[INVITE_TEXT], uint8_t ret_hash[INVITE_HASH_LEN])
{
    uint8_t raw[CODE_BYTES];
    int rc = rng_bytes(raw, sizeof(raw));

    if (rc != ERR_OK)
        return rc;
    b64url_encode(ret_code, raw, sizeof(raw));
    secret_wipe(raw, sizeof(raw));
    return invite_hash(ret_code, ret_hash);
}
