/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/account.h"

#include <string.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/transfer/wire.h"

enum {
    VERSION = 1,
    KEY_ID_LEN = 16,
    WRAP_LEN = 32 + GCM_TAG_LEN,
    SEALED_MAX = 128 * 1024 + GCM_TAG_LEN
};

static const uint8_t nonce[GCM_NONCE_LEN];

struct box_fields {
    uint8_t key_id[KEY_ID_LEN], enc[HPKE_ENC_LEN], wrap[WRAP_LEN];
};
static const struct wire_field box_fields[] = {
    WIRE_FIELD(Satchel__AccountBox, key_id, struct box_fields, key_id, KEY_ID_LEN),
    WIRE_FIELD(Satchel__AccountBox, enc, struct box_fields, enc, HPKE_ENC_LEN),
    WIRE_FIELD(Satchel__AccountBox, wrap, struct box_fields, wrap, WRAP_LEN),
};
static const struct wire_field record_fields[] = {
    WIRE_FIELD(Satchel__AccountRecord, user_id, struct account_claim, uid.b, IDS_UID_LEN),
    WIRE_FIELD(Satchel__AccountRecord, device, struct account_claim, device.b, IDS_DEVICE_LEN),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int derive_box(const struct secret *from, const char *name, struct secret *ret_private,
                      uint8_t ret_public[IDS_KEY_LEN], struct err *err)
{
    struct secret key = {0};
    int rc = secret_new(&key, KDF_LEN, err);

    if (rc != ERR_OK)
        return rc;
    rc = kdf_f(key.data, part_secret(from), name, NULL, 0);
    if (rc == ERR_OK)
        rc = x25519_public(ret_public, key.data);
    if (rc == ERR_OK)
        secret_move(ret_private, &key);
    secret_free(&key);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot make a key for account records");
}

int account_recovery_box(const struct secret *seed, struct secret *ret_private,
                         uint8_t ret_public[IDS_KEY_LEN], struct err *err)
{
    return derive_box(seed, "recovery box", ret_private, ret_public, err);
}

int account_device_box(const struct secret *device_key, struct secret *ret_private,
                       uint8_t ret_public[IDS_KEY_LEN], struct err *err)
{
    return derive_box(device_key, "device box", ret_private, ret_public, err);
}

/* ---- what both sides compute ---- */

static int key_id(const uint8_t public[IDS_KEY_LEN], uint8_t ret[KEY_ID_LEN])
{
    uint8_t h[IDS_HASH_LEN];
    int rc = hash_lp(HASH_SHA256, h,
                     PARTS(part_str("satchel/1 account key"), part(public, IDS_KEY_LEN)));

    if (rc == ERR_OK)
        memcpy(ret, h, KEY_ID_LEN);
    return rc;
}

static void aad_of(const struct uid *uid, uint64_t number, struct buf *out)
{
    buf_lp_str(out, "satchel/1 account");
    buf_lp(out, uid->b, IDS_UID_LEN);
    buf_lp_u64(out, number);
}

static void info_of(const struct uid *uid, uint64_t number, const uint8_t id[KEY_ID_LEN],
                    struct buf *out)
{
    buf_lp_str(out, "satchel/1 account box");
    buf_lp(out, uid->b, IDS_UID_LEN);
    buf_lp_u64(out, number);
    buf_lp(out, id, KEY_ID_LEN);
}

static int wrapping_key(const struct hpke *h, struct secret *ret)
{
    int rc = secret_new(ret, GCM_KEY_LEN, NULL);

    return rc == ERR_OK ? hpke_export(h, part_str("satchel/1 account kek"), ret->data, ret->len)
                        : rc;
}

/* ---- sealing ---- */

static int seal_box(const struct account_plan *plan, size_t i, struct part aad,
                    struct box_fields *ret)
{
    struct buf info = {0};
    struct secret ikm = {0}, kek = {0};
    struct hpke h = {0};
    uint8_t at[4];
    int rc = key_id(plan->boxes[i], ret->key_id);

    put_be32(at, (uint32_t)i);
    info_of(&plan->uid, plan->number, ret->key_id, &info);
    if (rc == ERR_OK)
        rc = buf_check(&info, NULL);
    if (rc == ERR_OK)
        rc = secret_new(&ikm, KDF_LEN, NULL);
    if (rc == ERR_OK)
        rc = kdf_f(ikm.data, part_secret(plan->ephemeral), "account box", PARTS(PART_OF(at)));
    if (rc == ERR_OK)
        rc = hpke_encap(&h, ret->enc, plan->boxes[i], part(info.data, info.len), ikm.data);
    if (rc == ERR_OK)
        rc = wrapping_key(&h, &kek);
    if (rc == ERR_OK)
        rc = gcm_seal_once(kek.data, nonce, aad, part_secret(plan->content_key), ret->wrap);
    hpke_free(&h);
    secret_free(&kek);
    secret_free(&ikm);
    buf_free(&info);
    return rc;
}

static int seal_plain(const struct account_plan *plan, struct part plain, struct part aad,
                      struct buf *out)
{
    size_t len = (plain.len + 4 + ACCOUNT_STEP - 1) / ACCOUNT_STEP * ACCOUNT_STEP;
    struct secret padded = {0};
    uint8_t *to = buf_reserve(out, len + GCM_TAG_LEN);
    int rc = to != NULL ? secret_new(&padded, len, NULL) : ERR_NOMEM;

    if (rc == ERR_OK) {
        put_be32(padded.data, (uint32_t)plain.len);
        memcpy(padded.data + 4, part_bytes(plain), plain.len);
        rc = gcm_seal_once(plan->content_key->data, nonce, aad, part_secret(&padded), to);
    }
    if (rc == ERR_OK)
        out->len += len + GCM_TAG_LEN;
    secret_free(&padded);
    return rc;
}

static int pack(const struct account_plan *plan, const struct box_fields *boxes,
                const struct buf *sealed, struct buf *out, struct err *err)
{
    Satchel__AccountRecord m = SATCHEL__ACCOUNT_RECORD__INIT;
    Satchel__AccountBox rows[ACCOUNT_BOXES_MAX], *list[ACCOUNT_BOXES_MAX];
    struct account_claim claim = {.uid = plan->uid, .device = plan->device};

    m.version = VERSION;
    m.number = plan->number;
    wire_put(&m.base, record_fields, COUNT(record_fields), &claim);
    for (size_t i = 0; i < plan->n_boxes; i++) {
        satchel__account_box__init(&rows[i]);
        wire_put(&rows[i].base, box_fields, COUNT(box_fields), &boxes[i]);
        list[i] = &rows[i];
    }
    m.n_boxes = plan->n_boxes;
    m.boxes = list;
    m.sealed = wire_data(part(sealed->data, sealed->len));
    return wire_pack(&m.base, out, err);
}

int account_seal(const struct account_plan *plan, struct part plain, struct buf *out,
                 uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    struct box_fields boxes[ACCOUNT_BOXES_MAX];
    struct buf aad = {0}, sealed = {0}, body = {0};
    int rc = ERR_OK;

    if (plain.len > ACCOUNT_PLAIN_MAX || plan->n_boxes < 1 || plan->n_boxes > ACCOUNT_BOXES_MAX)
        return err_set(err, ERR_INVALID, "an account record has at most %d bytes",
                       ACCOUNT_PLAIN_MAX);
    aad_of(&plan->uid, plan->number, &aad);
    rc = buf_check(&aad, err);
    for (size_t i = 0; rc == ERR_OK && i < plan->n_boxes; i++)
        rc = seal_box(plan, i, part(aad.data, aad.len), &boxes[i]);
    if (rc == ERR_OK)
        rc = seal_plain(plan, plain, part(aad.data, aad.len), &sealed);
    if (rc != ERR_OK)
        (void)err_set(err, rc, "cannot seal the account record");
    if (rc == ERR_OK)
        rc = pack(plan, boxes, &sealed, &body, err);
    if (rc == ERR_OK)
        rc = signed_make(SIGNED_ACCOUNT, plan->device_key, part(body.data, body.len), ret_sig, err);
    if (rc == ERR_OK) {
        buf_put(out, body.data, body.len);
        rc = buf_check(out, err);
    }
    buf_free(&body);
    buf_free(&sealed);
    buf_free(&aad);
    return rc;
}

/* ---- opening ---- */

static int unpack(struct part body, Satchel__AccountRecord **ret, struct account_claim *ret_claim,
                  struct err *err)
{
    Satchel__AccountRecord *m = NULL;
    int rc = wire_unpack(&satchel__account_record__descriptor, body, ACCOUNT_BODY_MAX, &m, err);

    if (rc != ERR_OK)
        return rc;
    if (m->version != VERSION)
        rc = err_set(err, ERR_UNSUPPORTED, "AccountRecord.version: %u is not known", m->version);
    if (rc == ERR_OK)
        rc = wire_check(&m->base, record_fields, COUNT(record_fields), err);
    if (rc == ERR_OK && (m->n_boxes < 1 || m->n_boxes > ACCOUNT_BOXES_MAX))
        rc = err_set(err, ERR_INVALID, "AccountRecord.boxes: there must be 1 to 65");
    for (size_t i = 0; rc == ERR_OK && i < m->n_boxes; i++)
        rc = wire_check(&m->boxes[i]->base, box_fields, COUNT(box_fields), err);
    if (rc == ERR_OK && (m->sealed.len < GCM_TAG_LEN + 4 || m->sealed.len > SEALED_MAX))
        rc = err_set(err, ERR_INVALID, "AccountRecord.sealed: wrong size");
    if (rc != ERR_OK) {
        satchel__account_record__free_unpacked(m, NULL);
        return rc;
    }
    wire_get(&m->base, record_fields, COUNT(record_fields), ret_claim);
    ret_claim->number = m->number;
    *ret = m;
    return ERR_OK;
}

int account_peek(struct part body, struct account_claim *ret, struct err *err)
{
    Satchel__AccountRecord *m = NULL;
    struct account_claim claim;
    int rc = unpack(body, &m, &claim, err);

    if (rc != ERR_OK)
        return rc;
    satchel__account_record__free_unpacked(m, NULL);
    *ret = claim;
    return ERR_OK;
}

/* The content key, out of the box with this key's ID. */
static int open_box(const Satchel__AccountRecord *m, const struct account_claim *claim,
                    const struct secret *box, struct part aad, struct secret *ret_key)
{
    uint8_t public[IDS_KEY_LEN], id[KEY_ID_LEN];
    struct box_fields f;
    struct buf info = {0};
    struct secret kek = {0};
    struct hpke h = {0};
    size_t i = 0;
    int rc = x25519_public(public, box->data);

    if (rc == ERR_OK)
        rc = key_id(public, id);
    if (rc != ERR_OK)
        return rc;
    while (i < m->n_boxes && memcmp(m->boxes[i]->key_id.data, id, KEY_ID_LEN) != 0)
        i++;
    if (i == m->n_boxes)
        return ERR_NOTFOUND;
    wire_get(&m->boxes[i]->base, box_fields, COUNT(box_fields), &f);
    info_of(&claim->uid, claim->number, id, &info);
    rc = buf_check(&info, NULL);
    if (rc == ERR_OK)
        rc = hpke_decap(&h, f.enc, box->data, part(info.data, info.len));
    if (rc == ERR_OK)
        rc = wrapping_key(&h, &kek);
    if (rc == ERR_OK)
        rc = secret_new(ret_key, GCM_KEY_LEN, NULL);
    if (rc == ERR_OK)
        rc = gcm_open_once(kek.data, nonce, aad, PART_OF(f.wrap), ret_key->data);
    hpke_free(&h);
    secret_free(&kek);
    buf_free(&info);
    return rc;
}

/* Length and zeros are right, and cut off. */
static int cut_padding(struct secret *plain)
{
    size_t len = get_be32(plain->data);
    uint8_t rest = 0;

    if (len > plain->len - 4)
        return ERR_INTEGRITY;
    for (size_t i = len + 4; i < plain->len; i++)
        rest |= plain->data[i];
    if (rest != 0)
        return ERR_INTEGRITY;
    memmove(plain->data, plain->data + 4, len);
    secret_truncate(plain, len);
    return ERR_OK;
}

int account_hash(struct part body, struct hash32 *ret_hash)
{
    return hash_lp(HASH_SHA256, ret_hash->b, PARTS(part_str("satchel/1 account hash"), body));
}

int account_open(struct part body, const struct secret *box, struct secret *ret_plain,
                 struct err *err)
{
    Satchel__AccountRecord *m = NULL;
    struct account_claim claim;
    struct secret key = {0}, plain = {0};
    struct buf aad = {0};
    int rc = unpack(body, &m, &claim, err);

    if (rc != ERR_OK)
        return rc;
    aad_of(&claim.uid, claim.number, &aad);
    rc = buf_check(&aad, NULL);
    if (rc == ERR_OK)
        rc = open_box(m, &claim, box, part(aad.data, aad.len), &key);
    if (rc == ERR_OK)
        rc = secret_new(&plain, m->sealed.len - GCM_TAG_LEN, NULL);
    if (rc == ERR_OK)
        rc = gcm_open_once(key.data, nonce, part(aad.data, aad.len), wire_part(m->sealed),
                           plain.data);
    if (rc == ERR_OK)
        rc = cut_padding(&plain);
    if (rc == ERR_OK)
        secret_move(ret_plain, &plain);
    secret_free(&plain);
    secret_free(&key);
    buf_free(&aad);
    satchel__account_record__free_unpacked(m, NULL);
    return rc == ERR_OK ? rc : err_set(err, rc, "the account record cannot be opened");
}
