/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/totp.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/crypto/mac.h"

int totp_code(char ret_code[TOTP_CODE_SIZE], const struct totp *t, struct part key, uint64_t time)
{
    static const uint32_t modulus[TOTP_DIGITS_MAX + 1] = {
        [6] = 1000000, [7] = 10000000, [8] = 100000000};
    uint8_t counter[8], tag[HASH_MAX_LEN];
    uint32_t number;
    int rc;

    if (t->digits < 6 || t->digits > TOTP_DIGITS_MAX || t->step == 0 || key.len == 0)
        return ERR_INVALID;
    if (t->hash != HASH_SHA1 && t->hash != HASH_SHA256 && t->hash != HASH_SHA512)
        return ERR_INVALID;
    put_be64(counter, time / t->step);
    rc = mac_parts(t->hash, tag, key, PARTS(PART_OF(counter)));
    if (rc != ERR_OK)
        return rc;
    /* RFC 4226 section 5.3: the last half byte says where the number stands. */
    number = get_be32(tag + (tag[hash_len(t->hash) - 1] & 0x0f)) & 0x7fffffff;
    (void)snprintf(ret_code, TOTP_CODE_SIZE, "%0*u", t->digits, number % modulus[t->digits]);
    secret_wipe(tag, sizeof(tag));
    return ERR_OK;
}
