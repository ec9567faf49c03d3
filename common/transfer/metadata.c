/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/metadata.h"

#include <stdlib.h>

#include "common/crypto/gcm.h"
#include "common/crypto/kdf.h"
#include "common/transfer/utf8.h"
#include "common/transfer/wire.h"

enum { VERSION = 1, KEY_LEN = 32, LENGTH_LEN = 4 };

_Static_assert((int)METADATA_SEALED_MAX == METADATA_PLAIN_MAX + GCM_TAG_LEN, "room for the tag");

static const uint8_t nonce_0[GCM_NONCE_LEN]; /* MEK is drawn for each plaintext */

void metadata_free(struct metadata *m)
{
    if (m == NULL)
        return;
    if (m->message != NULL)
        secret_wipe(m->message, strlen(m->message));
    if (m->preview != NULL)
        secret_wipe(m->preview, m->preview_len);
    free(m->message);
    free(m->preview);
    secret_wipe(m, sizeof(*m));
}

/* Names and messages do not stay behind in memory that was freed. */
static void free_plain(struct buf *plain)
{
    if (plain->data != NULL)
        secret_wipe(plain->data, plain->cap);
    buf_free(plain);
}

static void free_message(Satchel__Metadata *msg)
{
    if (msg->name.data != NULL)
        secret_wipe(msg->name.data, msg->name.len);
    if (msg->preview.data != NULL)
        secret_wipe(msg->preview.data, msg->preview.len);
    if (msg->message[0] != '\0') /* an empty one is protobuf-c's own */
        secret_wipe(msg->message, strlen(msg->message));
    satchel__metadata__free_unpacked(msg, NULL);
}

int metadata_check_name(struct part name, struct err *err)
{
    const char *s = name.data;

    if (name.len < 1 || name.len > METADATA_NAME_MAX)
        return err_set(err, ERR_INVALID, "Metadata.name: %zu bytes instead of 1 to %d", name.len,
                       METADATA_NAME_MAX);
    if (memchr(s, '/', name.len) != NULL || memchr(s, '\0', name.len) != NULL)
        return err_set(err, ERR_INVALID, "Metadata.name: a file name has neither '/' nor NUL");
    if (s[0] == '.' && (name.len == 1 || (name.len == 2 && s[1] == '.')))
        return err_set(err, ERR_INVALID, "Metadata.name: not the name of a file");
    return ERR_OK;
}

/* All rules of a message in both directions. */
static int check(const Satchel__Metadata *msg, struct err *err)
{
    int rc;

    if (msg->version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "Metadata.version: %u is not known", msg->version);
    if (msg->kind != SATCHEL__METADATA__KIND__FILE && msg->kind != SATCHEL__METADATA__KIND__ARCHIVE)
        return err_set(err, ERR_UNSUPPORTED, "Metadata.kind: %d is not known", (int)msg->kind);
    rc = metadata_check_name(wire_part(msg->name), err);
    if (rc != ERR_OK)
        return rc;
    if (strlen(msg->media_type) > METADATA_TYPE_MAX || !utf8_valid(msg->media_type))
        return err_set(err, ERR_INVALID, "Metadata.media_type: too long, or not UTF-8");
    if (strlen(msg->message) > METADATA_MESSAGE_MAX || !utf8_valid(msg->message))
        return err_set(err, ERR_INVALID, "Metadata.message: too long, or not UTF-8");
    if (msg->preview.len > METADATA_PREVIEW_MAX)
        return err_set(err, ERR_INVALID, "Metadata.preview: too long");
    if (msg->preview_weights.len != 0 && msg->preview_weights.len != METADATA_WEIGHTS_LEN)
        return err_set(err, ERR_INVALID, "Metadata.preview_weights: %zu bytes instead of %d",
                       msg->preview_weights.len, METADATA_WEIGHTS_LEN);
    if (msg->preview_weights.len != 0 && msg->preview.len == 0)
        return err_set(err, ERR_INVALID, "Metadata.preview_weights: without a preview");
    return ERR_OK;
}

/* u32(length of m) || m || zeros */
static int pad(const Satchel__Metadata *msg, struct buf *out, struct err *err)
{
    size_t len = satchel__metadata__get_packed_size(msg);
    size_t padded = (LENGTH_LEN + len + METADATA_STEP - 1) / METADATA_STEP * METADATA_STEP;
    size_t end = out->len + padded;
    int rc;

    if (padded > METADATA_PLAIN_MAX)
        return err_set(err, ERR_INVALID, "Metadata: too long");
    if (buf_reserve(out, padded) == NULL)
        return buf_check(out, err);
    buf_u32(out, (uint32_t)len);
    rc = wire_pack(&msg->base, out, err);
    if (rc == ERR_OK)
        memset(out->data + out->len, 0, end - out->len);
    out->len = end;
    return rc;
}

int metadata_pack(const struct metadata *m, struct buf *out, struct err *err)
{
    Satchel__Metadata msg = SATCHEL__METADATA__INIT;
    int rc;

    msg.version = VERSION;
    msg.name = wire_data(part_str(m->name));
    /* protobuf-c has no const; packing only reads. */
    msg.media_type = (char *)(uintptr_t)m->media_type;
    if (m->message != NULL)
        msg.message = m->message;
    msg.length = m->length;
    msg.modified = m->modified;
    msg.preview = wire_data(part(m->preview, m->preview_len));
    if (m->weights_told)
        msg.preview_weights = wire_data(part(m->preview_weights, sizeof(m->preview_weights)));
    msg.kind = m->kind == METADATA_ARCHIVE ? SATCHEL__METADATA__KIND__ARCHIVE
                                           : SATCHEL__METADATA__KIND__FILE;
    rc = check(&msg, err);
    return rc == ERR_OK ? pad(&msg, out, err) : rc;
}

static int take(const Satchel__Metadata *msg, struct metadata *m, struct err *err)
{
    int rc = check(msg, err);

    if (rc != ERR_OK)
        return rc;
    memcpy(m->name, msg->name.data, msg->name.len);
    memcpy(m->media_type, msg->media_type, strlen(msg->media_type));
    m->length = msg->length;
    m->modified = msg->modified;
    m->kind = msg->kind == SATCHEL__METADATA__KIND__ARCHIVE ? METADATA_ARCHIVE : METADATA_FILE;
    if (msg->message[0] != '\0') {
        m->message = strdup(msg->message);
        if (m->message == NULL)
            return err_set(err, ERR_NOMEM, "metadata");
    }
    if (msg->preview.len > 0) {
        m->preview = malloc(msg->preview.len);
        if (m->preview == NULL)
            return err_set(err, ERR_NOMEM, "metadata");
        memcpy(m->preview, msg->preview.data, msg->preview.len);
        m->preview_len = msg->preview.len;
    }
    m->weights_told = msg->preview_weights.len > 0;
    if (m->weights_told)
        memcpy(m->preview_weights, msg->preview_weights.data, sizeof(m->preview_weights));
    return ERR_OK;
}

/* The message in a padded plaintext; one length has one padding. */
static int unpad(struct part plain, struct part *ret_message, struct err *err)
{
    struct rd r = rd_make(plain.data, plain.len);
    uint32_t len = rd_u32(&r);
    const uint8_t *message = rd_take(&r, len);

    if (plain.len > METADATA_PLAIN_MAX || plain.len % METADATA_STEP != 0 || message == NULL ||
        r.left >= METADATA_STEP)
        return err_set(err, ERR_INVALID, "Metadata: the lengths do not fit");
    for (size_t i = 0; i < r.left; i++)
        if (r.p[i] != 0)
            return err_set(err, ERR_INVALID, "Metadata: the padding is not zero");
    *ret_message = part(message, len);
    return ERR_OK;
}

int metadata_unpack(struct part plain, struct metadata *ret_m, struct err *err)
{
    struct metadata m = {0};
    Satchel__Metadata *msg = NULL;
    struct part raw;
    int rc = unpad(plain, &raw, err);

    if (rc == ERR_OK)
        rc = wire_unpack(&satchel__metadata__descriptor, raw, METADATA_PLAIN_MAX, &msg, err);
    if (rc != ERR_OK)
        return rc;
    rc = take(msg, &m, err);
    free_message(msg);
    if (rc == ERR_OK)
        *ret_m = m;
    else
        metadata_free(&m);
    return rc;
}

int metadata_mkid(const struct secret *mek, const struct tid *tid, struct hash32 *ret_mkid)
{
    return kdf_f(ret_mkid->b, part_secret(mek), "mkid", PARTS(PART_OF(tid->b)));
}

int metadata_preview_key(const struct secret *mek, const struct tid *tid, struct secret *ret_key,
                         struct err *err)
{
    struct secret key = {0};
    int rc = secret_new(&key, KEY_LEN, err);

    if (rc == ERR_OK)
        rc = kdf_f(key.data, part_secret(mek), "preview", PARTS(PART_OF(tid->b)));
    if (rc == ERR_OK)
        secret_move(ret_key, &key);
    secret_free(&key);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot make the preview's key");
}

/* Additional data: LP("satchel/1 meta") || LP(tid) */
static int make_aad(const struct tid *tid, struct buf *out, struct err *err)
{
    buf_lp_str(out, "satchel/1 meta");
    buf_lp(out, tid->b, IDS_TID_LEN);
    return buf_check(out, err);
}

static int make_key(const struct secret *mek, const struct tid *tid, uint8_t ret_key[KDF_LEN])
{
    if (mek->len != KEY_LEN)
        return ERR_INVALID;
    return kdf_f(ret_key, part_secret(mek), "meta", PARTS(PART_OF(tid->b)));
}

int metadata_seal(const struct secret *mek, const struct tid *tid, const struct metadata *m,
                  struct buf *out, struct err *err)
{
    uint8_t key[KDF_LEN], *to;
    struct buf plain = {0}, aad = {0};
    int rc = metadata_pack(m, &plain, err);

    if (rc == ERR_OK)
        rc = make_aad(tid, &aad, err);
    if (rc != ERR_OK)
        goto out;
    rc = ERR_NOMEM;
    to = buf_reserve(out, plain.len + GCM_TAG_LEN);
    if (to != NULL)
        rc = make_key(mek, tid, key);
    if (rc == ERR_OK)
        rc = gcm_seal_once(key, nonce_0, part(aad.data, aad.len), part(plain.data, plain.len), to);
    if (rc == ERR_OK)
        out->len += plain.len + GCM_TAG_LEN;
    else
        err_set(err, rc, "cannot seal metadata");
out:
    secret_wipe(key, sizeof(key));
    free_plain(&plain);
    buf_free(&aad);
    return rc;
}

int metadata_open(const struct secret *mek, const struct tid *tid, struct part sealed,
                  struct metadata *ret_m, struct err *err)
{
    uint8_t key[KDF_LEN], *to;
    struct buf plain = {0}, aad = {0};
    int rc;

    if (sealed.len <= GCM_TAG_LEN || sealed.len > METADATA_SEALED_MAX)
        return err_set(err, ERR_INVALID, "Metadata: %zu sealed bytes", sealed.len);
    rc = make_aad(tid, &aad, err);
    to = buf_reserve(&plain, sealed.len);
    if (rc == ERR_OK && to == NULL)
        rc = err_set(err, ERR_NOMEM, "metadata");
    if (rc != ERR_OK)
        goto out;
    rc = make_key(mek, tid, key);
    if (rc == ERR_OK)
        rc = gcm_open_once(key, nonce_0, part(aad.data, aad.len), sealed, to);
    if (rc == ERR_OK)
        rc = metadata_unpack(part(to, sealed.len - GCM_TAG_LEN), ret_m, err);
    else
        err_set(err, rc, "the metadata does not open");
out:
    secret_wipe(key, sizeof(key));
    free_plain(&plain);
    buf_free(&aad);
    return rc;
}
