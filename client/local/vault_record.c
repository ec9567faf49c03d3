/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/vault_record.h"

#include <string.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"

enum { VERSION = 1, SALT_LEN = 24 };

static const char record_magic[4] = {'S', 'R', 'E', 'C'};
static const uint8_t nonce_0[GCM_NONCE_LEN];

/* HKDF(master, salt, LP("satchel/1 record") || LP(vault ID)): another key for every writing. */
static int record_key(const struct vault_keys *keys, const uint8_t *salt, struct secret *ret_key,
                      struct err *err)
{
    struct secret key = {0};
    struct buf info = {0};
    struct hkdf_input in = {.ikm = part_secret(&keys->master), .salt = part(salt, SALT_LEN)};
    int rc = secret_new(&key, GCM_KEY_LEN, err);

    buf_lp_str(&info, KDF_PREFIX "record");
    buf_lp(&info, keys->id, sizeof(keys->id));
    if (rc == ERR_OK)
        rc = buf_check(&info, err);
    in.info = part(info.data, info.len);
    if (rc == ERR_OK) {
        rc = hkdf_full(HASH_SHA512, &in, key.data, key.len);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot derive a record's key");
    }
    if (rc == ERR_OK)
        secret_move(ret_key, &key);
    secret_free(&key);
    buf_free(&info);
    return rc;
}

static int record_aad(const struct vault_place *place, struct buf *out, struct err *err)
{
    buf_lp_str(out, KDF_PREFIX "record");
    buf_lp_str(out, place->table);
    buf_lp(out, place->id, VAULT_RECORD_ID_LEN);
    buf_lp_u32(out, VERSION);
    buf_lp_u64(out, place->number);
    return buf_check(out, err);
}

int vault_record_seal(const struct vault_keys *keys, const struct vault_place *place,
                      struct part plain, struct buf *out, struct err *err)
{
    struct secret key = {0};
    struct buf aad = {0};
    uint8_t salt[SALT_LEN], *to;
    int rc = rng_bytes(salt, sizeof(salt));

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot draw a salt");
    rc = record_key(keys, salt, &key, err);
    if (rc == ERR_OK)
        rc = record_aad(place, &aad, err);
    if (rc != ERR_OK)
        goto done;
    buf_put(out, record_magic, sizeof(record_magic));
    buf_u32(out, VERSION);
    buf_u64(out, place->number);
    buf_put(out, salt, sizeof(salt));
    to = buf_reserve(out, plain.len + GCM_TAG_LEN);
    rc = buf_check(out, err);
    if (rc != ERR_OK)
        goto done;
    rc = gcm_seal_once(key.data, nonce_0, part(aad.data, aad.len), plain, to);
    if (rc == ERR_OK)
        out->len += plain.len + GCM_TAG_LEN;
    else
        rc = err_set(err, rc, "cannot seal a record");
done:
    secret_free(&key);
    buf_free(&aad);
    return rc;
}

static int bad_record(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "a record of the vault is damaged");
}

/* The clear part: number and salt; ${r} then stands before the ciphertext. */
static int record_head(struct rd *r, uint64_t *ret_number, const uint8_t **ret_salt,
                       struct err *err)
{
    const uint8_t *magic = rd_take(r, sizeof(record_magic)), *salt;
    uint32_t version = rd_u32(r);
    uint64_t number = rd_u64(r);

    salt = rd_take(r, SALT_LEN);
    if (r->bad || memcmp(magic, record_magic, sizeof(record_magic)) != 0 || version != VERSION ||
        r->left < GCM_TAG_LEN)
        return bad_record(err);
    *ret_number = number;
    *ret_salt = salt;
    return ERR_OK;
}

int vault_record_open(const struct vault_keys *keys, const struct vault_place *place,
                      struct part sealed, uint8_t *out, struct err *err)
{
    struct vault_place at = *place;
    struct secret key = {0};
    struct buf aad = {0};
    struct rd r = rd_make(sealed.data, sealed.len);
    const uint8_t *salt = NULL;
    int rc = record_head(&r, &at.number, &salt, err);

    if (rc == ERR_OK)
        rc = record_key(keys, salt, &key, err);
    if (rc == ERR_OK)
        rc = record_aad(&at, &aad, err);
    if (rc != ERR_OK)
        goto done;
    rc = gcm_open_once(key.data, nonce_0, part(aad.data, aad.len), part(r.p, r.left), out);
    if (rc != ERR_OK)
        rc = rc == ERR_INTEGRITY ? bad_record(err) : err_set(err, rc, "cannot open a record");
done:
    secret_free(&key);
    buf_free(&aad);
    return rc;
}

int vault_record_look(struct part sealed, uint64_t *ret_number, size_t *ret_len, struct err *err)
{
    struct rd r = rd_make(sealed.data, sealed.len);
    const uint8_t *salt;
    int rc = record_head(&r, ret_number, &salt, err);

    if (rc == ERR_OK)
        *ret_len = r.left - GCM_TAG_LEN;
    return rc;
}
