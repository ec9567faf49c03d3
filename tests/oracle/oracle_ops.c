/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oracle/oracle_ops.h"

#include <stdlib.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/fernet.h"
#include "common/crypto/gcm.h"
#include "common/crypto/hkdf.h"
#include "common/crypto/hpke.h"
#include "common/crypto/mac.h"
#include "common/crypto/merkle.h"
#include "common/crypto/scrypt.h"
#include "common/crypto/totp.h"
#include "common/crypto/uid.h"
#include "common/crypto/x25519.h"
#include "tests/chunked_msg.h"

/* Enough for the largest vector of RFC 7914, which takes 1 GiB. */
#define SCRYPT_MEM ((uint64_t)2 << 30)

enum { OUTPUT_MAX = 1 << 20 };

/* End a request: ${len} bytes stand in ${out} if ${rc} says so. */
static enum oracle_answer done(int rc, struct buf *out, size_t len)
{
    if (rc != ERR_OK)
        return ORACLE_FAIL;
    out->len = len;
    return ORACLE_OK;
}

static enum oracle_answer gcm_fits(const struct oracle_arg *a)
{
    if (a[0].bytes.len != GCM_KEY_LEN || a[1].bytes.len != GCM_NONCE_LEN)
        return ORACLE_UNSUPPORTED;
    return ORACLE_OK;
}

static enum oracle_answer op_gcm_seal(const struct oracle_arg *a, struct buf *out)
{
    const size_t len = a[3].bytes.len + GCM_TAG_LEN;
    uint8_t *to = buf_reserve(out, len);

    if (gcm_fits(a) != ORACLE_OK)
        return ORACLE_UNSUPPORTED;
    if (to == NULL)
        return ORACLE_FAIL;
    return done(gcm_seal_once(a[0].bytes.data, a[1].bytes.data, a[2].bytes, a[3].bytes, to), out,
                len);
}

static enum oracle_answer op_gcm_open(const struct oracle_arg *a, struct buf *out)
{
    uint8_t *to = buf_reserve(out, a[3].bytes.len);

    if (gcm_fits(a) != ORACLE_OK)
        return ORACLE_UNSUPPORTED;
    if (to == NULL)
        return ORACLE_FAIL;
    return done(gcm_open_once(a[0].bytes.data, a[1].bytes.data, a[2].bytes, a[3].bytes, to), out,
                a[3].bytes.len - GCM_TAG_LEN);
}

static enum oracle_answer op_hkdf(const struct oracle_arg *a, struct buf *out)
{
    const struct hkdf_input in = {.ikm = a[1].bytes, .salt = a[2].bytes, .info = a[3].bytes};
    uint8_t *to;

    if (a[4].number > OUTPUT_MAX)
        return ORACLE_FAIL;
    to = buf_reserve(out, a[4].number);
    if (to == NULL)
        return ORACLE_FAIL;
    return done(hkdf_full(a[0].hash, &in, to, a[4].number), out, a[4].number);
}

static enum oracle_answer op_hmac(const struct oracle_arg *a, struct buf *out)
{
    uint8_t *to = buf_reserve(out, HASH_MAX_LEN);

    if (to == NULL)
        return ORACLE_FAIL;
    return done(mac_parts(a[0].hash, to, a[1].bytes, &a[2].bytes, 1), out, hash_len(a[0].hash));
}

static enum oracle_answer op_x25519(const struct oracle_arg *a, struct buf *out)
{
    uint8_t *to = buf_reserve(out, X25519_LEN);

    if (to == NULL || a[0].bytes.len != X25519_LEN || a[1].bytes.len != X25519_LEN)
        return ORACLE_FAIL;
    return done(x25519_shared(to, a[0].bytes.data, a[1].bytes.data), out, X25519_LEN);
}

static enum oracle_answer op_ed25519_verify(const struct oracle_arg *a, struct buf *out)
{
    if (a[0].bytes.len != ED25519_PUBLIC_LEN || a[1].bytes.len != ED25519_SIG_LEN)
        return ORACLE_FAIL;
    return done(ed25519_verify(a[0].bytes.data, a[1].bytes.data, a[2].bytes), out, 0);
}

static enum oracle_answer op_scrypt(const struct oracle_arg *a, struct buf *out)
{
    const struct scrypt_cost cost = {
        .n = a[2].number,
        .r = (uint32_t)a[3].number,
        .p = (uint32_t)a[4].number,
        .max_mem = SCRYPT_MEM,
    };
    uint8_t *to;

    if (a[3].number > UINT32_MAX || a[4].number > UINT32_MAX || a[5].number > OUTPUT_MAX)
        return ORACLE_FAIL;
    to = buf_reserve(out, a[5].number);
    if (to == NULL)
        return ORACLE_FAIL;
    return done(scrypt_derive(&cost, a[0].bytes, a[1].bytes, to, a[5].number), out, a[5].number);
}

static enum oracle_answer op_totp(const struct oracle_arg *a, struct buf *out)
{
    const struct totp t = {
        .hash = a[0].hash,
        .digits = (int)a[3].number,
        .step = (uint32_t)a[4].number,
    };
    char code[TOTP_CODE_SIZE];

    if (a[3].number > TOTP_DIGITS_MAX || a[4].number > UINT32_MAX ||
        totp_code(code, &t, a[1].bytes, a[2].number) != ERR_OK)
        return ORACLE_FAIL;
    buf_put(out, code, strlen(code));
    return ORACLE_TEXT;
}

static enum oracle_answer op_chunked_open(const struct oracle_arg *a, struct buf *out)
{
    uint8_t *to = buf_reserve(out, a[2].bytes.len);
    size_t len = 0;
    int rc;

    if (to == NULL || a[0].bytes.len != CHUNKED_KEY_LEN)
        return ORACLE_FAIL;
    rc = chunked_msg_open(a[0].bytes.data, a[1].bytes, a[2].bytes, to, &len);
    return done(rc, out, len);
}

static enum oracle_answer op_chunked_seal(const struct oracle_arg *a, struct buf *out)
{
    const size_t len = CHUNKED_PREFIX_LEN + chunked_sealed_len(a[3].bytes.len);
    uint8_t *to = buf_reserve(out, len);
    int rc;

    if (to == NULL || a[0].bytes.len != CHUNKED_KEY_LEN || a[1].bytes.len != CHUNKED_SALT_LEN)
        return ORACLE_FAIL;
    rc = chunked_msg_seal(a[0].bytes.data, a[1].bytes.data, a[2].bytes, a[3].bytes, to);
    return done(rc, out, len);
}

/* The context of ENC, SK and INFO, the first three fields. */
static int decap(struct hpke *h, const struct oracle_arg *a)
{
    if (a[0].bytes.len != HPKE_ENC_LEN || a[1].bytes.len != HPKE_KEY_LEN)
        return ERR_INVALID;
    return hpke_decap(h, a[0].bytes.data, a[1].bytes.data, a[2].bytes);
}

static enum oracle_answer op_hpke_open(const struct oracle_arg *a, struct buf *out)
{
    struct hpke h = {0};
    uint8_t *to = buf_reserve(out, a[4].bytes.len);
    int rc = to != NULL ? decap(&h, a) : ERR_NOMEM;

    if (rc == ERR_OK)
        rc = hpke_open(&h, 0, a[3].bytes, a[4].bytes, to);
    hpke_free(&h);
    return done(rc, out, a[4].bytes.len - GCM_TAG_LEN);
}

static enum oracle_answer op_hpke_export(const struct oracle_arg *a, struct buf *out)
{
    struct hpke h = {0};
    uint8_t *to = buf_reserve(out, HPKE_EXPORT_MAX);
    int rc = to != NULL ? decap(&h, a) : ERR_NOMEM;

    if (rc == ERR_OK && a[4].number > HPKE_EXPORT_MAX)
        rc = ERR_INVALID;
    if (rc == ERR_OK)
        rc = hpke_export(&h, a[3].bytes, to, a[4].number);
    hpke_free(&h);
    return done(rc, out, a[4].number);
}

static enum oracle_answer op_merkle(const struct oracle_arg *a, struct buf *out)
{
    struct merkle m = {0};
    merkle_hash leaf;
    const uint8_t *p = a[1].bytes.data;
    size_t left = a[1].bytes.len;
    uint8_t *to = buf_reserve(out, MERKLE_LEN);
    int rc = ERR_OK;

    if (to == NULL || a[0].number == 0)
        return ORACLE_FAIL;
    while (rc == ERR_OK && left > 0) {
        const size_t now = a[0].number < left ? a[0].number : left;

        rc = merkle_leaf(leaf, p, now);
        if (rc == ERR_OK)
            rc = merkle_add(&m, leaf);
        p += now;
        left -= now;
    }
    if (rc == ERR_OK)
        rc = merkle_finish(&m, to);
    return done(rc, out, MERKLE_LEN);
}

static enum oracle_answer op_uid(const struct oracle_arg *a, struct buf *out)
{
    uint8_t *to = buf_reserve(out, UID_LEN);

    if (to == NULL || a[0].bytes.len != ED25519_PUBLIC_LEN || a[1].bytes.len != ED25519_PUBLIC_LEN)
        return ORACLE_FAIL;
    return done(uid_compute(to, a[0].bytes.data, a[1].bytes.data), out, UID_LEN);
}

static enum oracle_answer op_fernet_enc(const struct oracle_arg *a, struct buf *out)
{
    uint8_t key[FERNET_KEY_LEN];
    const uint8_t *iv = a[2].bytes.len > 0 ? a[2].bytes.data : NULL;

    if (fernet_key_read(key, a[0].bytes) != ERR_OK ||
        (iv != NULL && a[2].bytes.len != FERNET_IV_LEN))
        return ORACLE_FAIL;
    return fernet_seal(PART_OF(key), a[1].number, iv, a[3].bytes, out) == ERR_OK ? ORACLE_TEXT
                                                                                 : ORACLE_FAIL;
}

/* Keys as text with commas between; false for anything else. */
static bool fernet_list(struct part text, struct buf *keys)
{
    const char *p = text.data;

    if (text.len % (FERNET_KEY_TEXT + 1) != FERNET_KEY_TEXT)
        return false;
    for (size_t at = 0; at < text.len; at += FERNET_KEY_TEXT + 1) {
        uint8_t *to = buf_reserve(keys, FERNET_KEY_LEN);

        if (to == NULL || (at > 0 && p[at - 1] != ',') ||
            fernet_key_read(to, part(p + at, FERNET_KEY_TEXT)) != ERR_OK)
            return false;
        keys->len += FERNET_KEY_LEN;
    }
    return true;
}

static enum oracle_answer op_fernet_dec(const struct oracle_arg *a, struct buf *out)
{
    struct fernet_age age = {.limited = !a[1].none, .ttl = a[1].number, .now = a[2].number};
    struct fernet_opened got = {0};
    struct buf keys = {0};
    uint8_t *to = buf_reserve(out, a[3].bytes.len + 1);
    int rc = to != NULL && fernet_list(a[0].bytes, &keys)
                 ? fernet_open(part(keys.data, keys.len), &age, a[3].bytes, to, &got)
                 : ERR_INVALID;

    buf_free(&keys);
    return done(rc, out, got.len);
}

static const struct oracle_op ops[] = {
    {"gcm-seal", "bbbb", op_gcm_seal},
    {"gcm-open", "bbbb", op_gcm_open},
    {"hkdf", "hbbbn", op_hkdf},
    {"hmac", "hbb", op_hmac},
    {"x25519", "bb", op_x25519},
    {"ed25519-verify", "bbb", op_ed25519_verify},
    {"scrypt", "bbnnnn", op_scrypt},
    {"totp", "hbnnn", op_totp},
    {"chunked-open", "bbb", op_chunked_open},
    {"chunked-seal", "bbbb", op_chunked_seal},
    {"hpke-open", "bbbbb", op_hpke_open},
    {"hpke-export", "bbbbn", op_hpke_export},
    {"fernet-enc", "tnbb", op_fernet_enc},
    {"fernet-dec", "tont", op_fernet_dec},
    {"merkle", "nb", op_merkle},
    {"uid", "bb", op_uid},
};

const struct oracle_op *oracle_ops_find(const char *name)
{
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (strcmp(name, ops[i].name) == 0)
            return &ops[i];
    return NULL;
}
