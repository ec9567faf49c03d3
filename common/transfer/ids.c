/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/ids.h"

#include "common/buf.h"
#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/crypto/uid.h"

_Static_assert((int)IDS_UID_LEN == UID_LEN && (int)IDS_UID_TEXT == UID_TEXT_SIZE,
               "one size for user IDs");

int ids_uid(const uint8_t first_identity_key[IDS_KEY_LEN], const uint8_t recovery_key[IDS_KEY_LEN],
            struct uid *ret_uid)
{
    return uid_compute(ret_uid->b, first_identity_key, recovery_key);
}

/* The first ${len} bytes of the SHA-256 of LP of the parts. */
static int short_hash(const struct part *parts, size_t n, uint8_t *ret, size_t len)
{
    uint8_t digest[HASH_SHA256_LEN];
    int rc = hash_lp(HASH_SHA256, digest, parts, n);

    if (rc == ERR_OK)
        memcpy(ret, digest, len);
    return rc;
}

int ids_device(const uint8_t key[IDS_KEY_LEN], struct device_id *ret_id)
{
    return short_hash(PARTS(part_str("satchel/1 device"), part(key, IDS_KEY_LEN)), ret_id->b,
                      IDS_DEVICE_LEN);
}

int ids_ek(uint32_t suite, struct part key, struct ek_id *ret_id)
{
    uint8_t be[4];

    put_be32(be, suite);
    return short_hash(PARTS(part_str("satchel/1 ek"), PART_OF(be), key), ret_id->b, IDS_EK_LEN);
}

int ids_server(const uint8_t key[IDS_KEY_LEN], struct server_id *ret_id)
{
    static const char label[] = "satchel/1 server";
    uint8_t be[4], digest[HASH_SHA256_LEN];
    int rc;

    put_be32(be, sizeof(label) - 1);
    rc = hash_parts(HASH_SHA256, digest,
                    PARTS(PART_OF(be), part_str(label), part(key, IDS_KEY_LEN)));
    if (rc == ERR_OK)
        memcpy(ret_id->b, digest, IDS_SERVER_LEN);
    return rc;
}

void ids_uid_to_text(const struct uid *uid, char ret_text[IDS_UID_TEXT])
{
    uid_to_text(ret_text, uid->b);
}

int ids_uid_from_text(const char *text, struct uid *ret_uid, struct err *err)
{
    return uid_from_text(ret_uid->b, text, err);
}

void ids_tid_to_text(const struct tid *tid, char ret_text[IDS_TID_TEXT])
{
    hex_encode(ret_text, tid->b, IDS_TID_LEN);
}

int ids_tid_from_text(const char *text, struct tid *ret_tid, struct err *err)
{
    struct tid tid;

    if (strlen(text) != IDS_TID_TEXT - 1 || hex_decode(tid.b, text, IDS_TID_TEXT - 1) != ERR_OK)
        return err_set(err, ERR_INVALID, "a transfer ID is 32 hex digits");
    *ret_tid = tid;
    return ERR_OK;
}

int ids_check_username(const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > IDS_USERNAME_TEXT - 1)
        return err_set(err, ERR_INVALID, "a username has 1 to 32 characters");
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len)
        return err_set(err, ERR_INVALID,
                       "a username is made of the letters a to z, digits, '.', '_' and '-'");
    return ERR_OK;
}

int ids_check_email(const char *email, struct err *err)
{
    const char *at = strchr(email, '@');

    if (strlen(email) > IDS_EMAIL_TEXT - 1)
        return err_set(err, ERR_INVALID, "an e-mail address has at most 254 bytes");
    if (at == NULL || at == email || at[1] == '\0' || strchr(at + 1, '@') != NULL)
        return err_set(err, ERR_INVALID, "an e-mail address is of the form name@host");
    for (const char *p = email; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return err_set(err, ERR_INVALID,
                           "an e-mail address has no spaces or control characters");
    return ERR_OK;
}

int ids_fold_email(const char *email, char ret_folded[IDS_EMAIL_TEXT], struct err *err)
{
    int rc = ids_check_email(email, err);
    size_t i = 0;

    if (rc != ERR_OK)
        return rc;
    for (; email[i] != '\0'; i++)
        ret_folded[i] =
            (char)(email[i] >= 'A' && email[i] <= 'Z' ? email[i] - 'A' + 'a' : email[i]);
    ret_folded[i] = '\0';
    return ERR_OK;
}
