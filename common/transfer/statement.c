/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/statement.h"

#include "common/transfer/wire.h"

#define BYTES(field, member, len)                                                                  \
    WIRE_FIELD(Satchel__Statement, field, struct statement, member, len)

static const struct wire_field bytes_fields[] = {
    BYTES(tid, tid.b, IDS_TID_LEN),          BYTES(header_hash, header.b, IDS_HASH_LEN),
    BYTES(user_id, user.b, IDS_UID_LEN),     BYTES(manifest, manifest.b, IDS_HASH_LEN),
    BYTES(device, device.b, IDS_DEVICE_LEN),
};
enum { N_BYTES = sizeof(bytes_fields) / sizeof(bytes_fields[0]) };

int statement_make(enum signed_purpose purpose, const struct statement *s,
                   const struct secret *device, struct buf *out, struct err *err)
{
    Satchel__Statement msg = SATCHEL__STATEMENT__INIT;
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    int rc;

    wire_put(&msg.base, bytes_fields, N_BYTES, s);
    msg.version = STATEMENT_VERSION;
    msg.time = s->time;
    msg.number = s->number;
    msg.expires = s->expires;
    rc = wire_pack(&msg.base, &body, err);
    if (rc == ERR_OK)
        rc = signed_make(purpose, device, part(body.data, body.len), sig, err);
    if (rc == ERR_OK)
        rc = signed_pack(part(body.data, body.len), PART_OF(sig), out, err);
    buf_free(&body);
    return rc;
}

static int parse(struct part body, struct statement *ret_s, struct err *err)
{
    Satchel__Statement *msg = NULL;
    int rc = wire_unpack(&satchel__statement__descriptor, body, STATEMENT_MAX, &msg, err);

    if (rc != ERR_OK)
        return rc;
    if (msg->version != STATEMENT_VERSION)
        rc = err_set(err, ERR_UNSUPPORTED, "Statement.version: %u is not known", msg->version);
    else
        rc = wire_check(&msg->base, bytes_fields, N_BYTES, err);
    if (rc == ERR_OK) {
        wire_get(&msg->base, bytes_fields, N_BYTES, ret_s);
        ret_s->version = msg->version;
        ret_s->time = msg->time;
        ret_s->number = msg->number;
        ret_s->expires = msg->expires;
    }
    satchel__statement__free_unpacked(msg, NULL);
    return rc;
}

int statement_read(struct part raw, struct statement *ret_s, struct err *err)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    int rc = signed_unpack(raw, STATEMENT_MAX, &body, sig, err);

    if (rc == ERR_OK)
        rc = parse(part(body.data, body.len), ret_s, err);
    buf_free(&body);
    return rc;
}

int statement_verify(enum signed_purpose purpose, struct part raw,
                     const uint8_t device_key[IDS_KEY_LEN], struct err *err)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    int rc = signed_unpack(raw, STATEMENT_MAX, &body, sig, err);

    if (rc == ERR_OK)
        rc = signed_check(purpose, device_key, part(body.data, body.len), PART_OF(sig), err);
    buf_free(&body);
    return rc;
}

int statement_check(enum signed_purpose purpose, struct part raw, const struct manifest *m,
                    const struct chain *chain, struct err *err)
{
    const struct manifest_device *device = NULL;
    uint64_t revoked;
    struct statement s;
    int rc = statement_read(raw, &s, err);

    if (rc != ERR_OK)
        return rc;
    if (memcmp(&s.user, &m->uid, sizeof(s.user)) != 0 ||
        memcmp(&s.manifest, &m->hash, sizeof(s.manifest)) != 0)
        return err_set(err, ERR_INTEGRITY, "Statement.manifest: not a manifest of this user");
    rc = manifest_device_at(m, &s.device, s.time, &device, err);
    if (rc == ERR_NOTFOUND)
        return err_set(err, ERR_INTEGRITY, "Statement.device: not a device of this user");
    if (rc != ERR_OK)
        return rc;
    if (chain_device_revoked(chain, &s.device, &revoked) && revoked <= s.time)
        return err_set(err, ERR_REVOKED, "the device was revoked");
    return statement_verify(purpose, raw, device->key, err);
}
