/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/header.h"

#include "common/crypto/hash.h"
#include "common/transfer/wire.h"

#define BYTES(field, member, len) WIRE_FIELD(Satchel__Header, field, struct header, member, len)

static const struct wire_field bytes_fields[] = {
    BYTES(tid, tid.b, IDS_TID_LEN),
    BYTES(sender, sender.b, IDS_UID_LEN),
    BYTES(manifest, manifest.b, IDS_HASH_LEN),
    BYTES(device, device.b, IDS_DEVICE_LEN),
    BYTES(kid, kid.b, IDS_HASH_LEN),
    BYTES(cid, cid.b, IDS_HASH_LEN),
    BYTES(mkid, mkid.b, IDS_HASH_LEN),
    BYTES(salt, salt, HEADER_SALT_LEN),
    BYTES(commitment, commitment.b, IDS_HASH_LEN),
    BYTES(body_root, body_root.b, IDS_HASH_LEN),
    BYTES(metadata_hash, metadata_hash.b, IDS_HASH_LEN),
    BYTES(slots_root, slots_root.b, IDS_HASH_LEN),
};
enum { N_BYTES = sizeof(bytes_fields) / sizeof(bytes_fields[0]) };

/* Numbers have the same names and types on both sides. */
#define NUMBERS(X)                                                                                 \
    X(version)                                                                                     \
    X(suite)                                                                                       \
    X(created)                                                                                     \
    X(expires)                                                                                     \
    X(policy_flags)                                                                                \
    X(opens)                                                                                       \
    X(tweak)                                                                                       \
    X(body_length)                                                                                 \
    X(slots)

int header_pack(const struct header *h, struct buf *out, struct err *err)
{
    Satchel__Header msg = SATCHEL__HEADER__INIT;
    int rc = header_check(h, err);

    if (rc != ERR_OK)
        return rc;
    wire_put(&msg.base, bytes_fields, N_BYTES, h);
#define X(name) msg.name = h->name;
    NUMBERS(X)
#undef X
    return wire_pack(&msg.base, out, err);
}

int header_parse(struct part raw, struct header *ret_h, struct err *err)
{
    Satchel__Header *msg = NULL;
    int rc = wire_unpack(&satchel__header__descriptor, raw, HEADER_MAX, &msg, err);

    if (rc != ERR_OK)
        return rc;
    rc = wire_check(&msg->base, bytes_fields, N_BYTES, err);
    /* Another version may have other sizes. */
    if (rc != ERR_OK && msg->version != HEADER_VERSION)
        rc = err_set(err, ERR_UNSUPPORTED, "Header.version: %u is not known", msg->version);
    if (rc == ERR_OK) {
        wire_get(&msg->base, bytes_fields, N_BYTES, ret_h);
#define X(name) ret_h->name = msg->name;
        NUMBERS(X)
#undef X
    }
    satchel__header__free_unpacked(msg, NULL);
    return rc;
}

int header_check(const struct header *h, struct err *err)
{
    if (h->version != HEADER_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "Header.version: %u is not known", h->version);
    if (h->suite != IDS_SUITE_X25519)
        return err_set(err, ERR_UNSUPPORTED, "Header.suite: %u is not known", h->suite);
    if ((h->policy_flags & ~(uint32_t)HEADER_POLICY_KNOWN) != 0)
        return err_set(err, ERR_UNSUPPORTED, "Header.policy_flags: 0x%x is not known",
                       h->policy_flags);
    if (h->slots < 1 || h->slots > HEADER_SLOTS_MAX)
        return err_set(err, ERR_INVALID, "Header.slots: %u is not 1 to %d", h->slots,
                       HEADER_SLOTS_MAX);
    if (h->body_length >= HEADER_BODY_MAX)
        return err_set(err, ERR_INVALID, "Header.body_length: too large");
    if (h->created >= h->expires)
        return err_set(err, ERR_INVALID, "Header.expires: not behind created");
    return ERR_OK;
}

int header_sign(struct part raw, const struct ed25519_key *device, uint8_t ret_sig[SIGNED_SIG_LEN],
                struct err *err)
{
    return signed_make_ready(SIGNED_TRANSFER, device, raw, ret_sig, err);
}

int header_verify(struct part raw, struct part sig, const uint8_t device_key[IDS_KEY_LEN],
                  struct err *err)
{
    return signed_check(SIGNED_TRANSFER, device_key, raw, sig, err);
}

void header_policy(const struct header *h, uint8_t ret_policy[HEADER_POLICY_LEN])
{
    put_be32(ret_policy, h->policy_flags);
    put_be32(ret_policy + 4, h->opens);
}

int header_hash(struct part raw, struct hash32 *ret_hash)
{
    return hash_sha256(ret_hash->b, raw.data, raw.len);
}

int header_matches(const struct header *h, const struct header_facts *f, struct err *err)
{
    const struct {
        const char *name;
        bool same;
    } facts[] = {
        {"tid", memcmp(&h->tid, &f->tid, sizeof(h->tid)) == 0},
        {"sender", memcmp(&h->sender, &f->sender, sizeof(h->sender)) == 0},
        {"device", memcmp(&h->device, &f->device, sizeof(h->device)) == 0},
        {"created", h->created == f->created},
        {"expires", h->expires == f->expires},
        {"policy_flags", h->policy_flags == f->policy_flags},
        {"opens", h->opens == f->opens},
        {"body_length", h->body_length == f->body_length},
        {"slots", h->slots == f->slots},
    };

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (!facts[i].same)
            return err_set(err, ERR_INVALID, "Header.%s: not what the upload was opened with",
                           facts[i].name);
    return ERR_OK;
}
