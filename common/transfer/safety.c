/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/safety.h"

#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"

enum { DIGITS = 60, GROUP = 5 };

int safety_number(const struct manifest *one, const struct manifest *other,
                  char ret_text[SAFETY_TEXT])
{
    bool swap = memcmp(&one->uid, &other->uid, sizeof(one->uid)) > 0;
    const struct manifest *a = swap ? other : one, *b = swap ? one : other;
    uint8_t digest[HASH_SHA256_LEN], bytes[DIGITS];
    char *to = ret_text;
    int rc;

    rc = hash_lp(HASH_SHA256, digest,
                 PARTS(part_str("satchel/1 safety"), PART_OF(a->uid.b), PART_OF(a->identity_key),
                       PART_OF(b->uid.b), PART_OF(b->identity_key)));
    if (rc == ERR_OK)
        rc = kdf_xpd(PART_OF(digest), "safety digits", part(NULL, 0), bytes, sizeof(bytes));
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0)
            *to++ = ' ';
        *to++ = (char)('0' + bytes[i] % 250 % 10);
    }
    *to = '\0';
    return ERR_OK;
}
