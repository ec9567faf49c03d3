/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/manifest.h"

#include <stdlib.h>

#include "common/crypto/hash.h"
#include "common/transfer/wire.h"

enum { VERSION = 1 };

/* How far ahead of our clock a key may begin if there is no other. */
#define CLOCK_MS ((uint64_t)24 * 3600 * 1000)

static const struct wire_field fixed_fields[] = {
    WIRE_FIELD(Satchel__Manifest, user_id, struct manifest, uid.b, IDS_UID_LEN),
    WIRE_FIELD(Satchel__Manifest, first_identity_key, struct manifest, first_identity_key,
               IDS_KEY_LEN),
    WIRE_FIELD(Satchel__Manifest, recovery_key, struct manifest, recovery_key, IDS_KEY_LEN),
};
static const struct wire_field previous_field[] = {
    WIRE_FIELD(Satchel__Manifest, previous, struct manifest, previous.b, IDS_HASH_LEN),
};
static const struct wire_field account_field[] = {
    WIRE_FIELD(Satchel__Manifest, account, struct manifest, account.b, IDS_HASH_LEN),
};
static const struct wire_field device_fields[] = {
    WIRE_FIELD(Satchel__Device, key, struct manifest_device, key, IDS_KEY_LEN),
};
static const struct wire_field box_field[] = {
    WIRE_FIELD(Satchel__Device, box, struct manifest_device, box, IDS_KEY_LEN),
};

struct succession_ids {
    struct uid uid;
    uint8_t identity_key[IDS_KEY_LEN];
    struct hash32 last_manifest;
};
static const struct wire_field succession_fields[] = {
    WIRE_FIELD(Satchel__Succession, user_id, struct succession_ids, uid.b, IDS_UID_LEN),
    WIRE_FIELD(Satchel__Succession, identity_key, struct succession_ids, identity_key, IDS_KEY_LEN),
    WIRE_FIELD(Satchel__Succession, last_manifest, struct succession_ids, last_manifest.b,
               IDS_HASH_LEN),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int bad(struct err *err, const char *rule)
{
    return err_set(err, ERR_INVALID, "Manifest.%s", rule);
}

static int take_fixed(struct manifest *m, const Satchel__Manifest *msg, struct err *err)
{
    int rc;

    if (msg->version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "Manifest.version: %u is not known", msg->version);
    rc = wire_check(&msg->base, fixed_fields, COUNT(fixed_fields), err);
    if (rc != ERR_OK)
        return rc;
    wire_get(&msg->base, fixed_fields, COUNT(fixed_fields), m);
    m->sequence = msg->sequence;
    m->created = msg->created;
    m->has_account = msg->account.len > 0;
    if (m->has_account)
        rc = wire_check(&msg->base, account_field, COUNT(account_field), err);
    if (rc != ERR_OK)
        return rc;
    if (m->has_account)
        wire_get(&msg->base, account_field, COUNT(account_field), m);
    if (m->sequence == 0)
        return bad(err, "sequence: 0");
    if (m->sequence == 1)
        return msg->previous.len == 0 ? ERR_OK : bad(err, "previous: not empty in the first");
    rc = wire_check(&msg->base, previous_field, COUNT(previous_field), err);
    if (rc == ERR_OK)
        wire_get(&msg->base, previous_field, COUNT(previous_field), m);
    return rc;
}

static int take_device(struct manifest_device *d, const Satchel__Device *msg, struct err *err)
{
    int rc = wire_check(&msg->base, device_fields, COUNT(device_fields), err);

    if (rc == ERR_OK && msg->box.len > 0)
        rc = wire_check(&msg->base, box_field, COUNT(box_field), err);
    if (rc != ERR_OK)
        return rc;
    wire_get(&msg->base, device_fields, COUNT(device_fields), d);
    d->has_box = msg->box.len > 0;
    if (d->has_box)
        wire_get(&msg->base, box_field, COUNT(box_field), d);
    d->added = msg->added;
    d->revoked = msg->revoked;
    rc = ids_device(d->key, &d->id);
    return rc == ERR_OK ? rc : err_set(err, rc, "manifest");
}

static int take_devices(struct manifest *m, const Satchel__Manifest *msg, struct err *err)
{
    if (msg->n_devices < 1 || msg->n_devices > MANIFEST_DEVICES_MAX)
        return bad(err, "devices: there must be 1 to 64");
    m->devices = calloc(msg->n_devices, sizeof(*m->devices));
    if (m->devices == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    for (size_t i = 0; i < msg->n_devices; i++) {
        struct manifest_device *d = &m->devices[i];
        int rc = take_device(d, msg->devices[i], err);

        if (rc != ERR_OK)
            return rc;
        if (manifest_device(m, &d->id) != NULL)
            return bad(err, "devices: one is listed twice");
        m->n_devices = i + 1;
    }
    return ERR_OK;
}

static int take_ek(struct manifest_ek *ek, const Satchel__EncryptionKey *msg, struct err *err)
{
    int rc;

    if (msg->suite == 0)
        return bad(err, "keys: suite 0");
    if (msg->suite == IDS_SUITE_X25519 ? msg->key.len != IDS_KEY_LEN : msg->key.len == 0)
        return bad(err, "keys: a key has the wrong size");
    if (msg->not_before >= msg->not_after)
        return bad(err, "keys: not_before is not before not_after");
    ek->suite = msg->suite;
    ek->key = wire_part(msg->key);
    ek->not_before = msg->not_before;
    ek->not_after = msg->not_after;
    rc = ids_ek(ek->suite, ek->key, &ek->id);
    return rc == ERR_OK ? rc : err_set(err, rc, "manifest");
}

static int take_eks(struct manifest *m, const Satchel__Manifest *msg, struct err *err)
{
    bool usable = false;

    if (msg->n_keys < 1 || msg->n_keys > MANIFEST_KEYS_MAX)
        return bad(err, "keys: there must be 1 to 64");
    m->eks = calloc(msg->n_keys, sizeof(*m->eks));
    if (m->eks == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    for (size_t i = 0; i < msg->n_keys; i++) {
        int rc = take_ek(&m->eks[i], msg->keys[i], err);

        if (rc != ERR_OK)
            return rc;
        if (manifest_ek(m, &m->eks[i].id) != NULL)
            return bad(err, "keys: one is listed twice");
        usable = usable || m->eks[i].suite == IDS_SUITE_X25519;
        m->n_eks = i + 1;
    }
    return usable ? ERR_OK : bad(err, "keys: none of suite 1");
}

static int check_succession(const struct manifest *m, const Satchel__Succession *msg,
                            struct manifest_succession *s, struct err *err)
{
    struct succession_ids ids;
    int rc;

    if (msg->version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "Succession.version: %u is not known", msg->version);
    rc = wire_check(&msg->base, succession_fields, COUNT(succession_fields), err);
    if (rc != ERR_OK)
        return rc;
    wire_get(&msg->base, succession_fields, COUNT(succession_fields), &ids);
    if (memcmp(&ids.uid, &m->uid, sizeof(ids.uid)) != 0)
        return bad(err, "successions: one is of another user");
    if (msg->number != m->n_successions + 1)
        return bad(err, "successions: they are not numbered 1, 2, 3 ...");
    memcpy(s->identity_key, ids.identity_key, IDS_KEY_LEN);
    s->last_manifest = ids.last_manifest;
    return signed_check(SIGNED_SUCCESSION, m->recovery_key, s->body, s->signature, err);
}

static int take_successions(struct manifest *m, const Satchel__Manifest *msg, struct err *err)
{
    if (msg->n_successions > MANIFEST_SUCCESSIONS_MAX)
        return bad(err, "successions: over 16");
    memcpy(m->identity_key, m->first_identity_key, IDS_KEY_LEN);
    m->successions = calloc(msg->n_successions + 1, sizeof(*m->successions));
    if (m->successions == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    for (size_t i = 0; i < msg->n_successions; i++) {
        struct manifest_succession *s = &m->successions[i];
        Satchel__Succession *inner = NULL;
        int rc;

        s->body = wire_part(msg->successions[i]->body);
        s->signature = wire_part(msg->successions[i]->signature);
        rc = wire_unpack(&satchel__succession__descriptor, s->body, MANIFEST_MAX, &inner, err);
        if (rc != ERR_OK)
            return rc;
        rc = check_succession(m, inner, s, err);
        satchel__succession__free_unpacked(inner, NULL);
        if (rc != ERR_OK)
            return rc;
        memcpy(m->identity_key, s->identity_key, IDS_KEY_LEN);
        m->n_successions = i + 1;
    }
    return ERR_OK;
}

/* Rule 2 of section 4, after the cheap ones; then 3 and 4, the signatures. */
static int check_keys(struct manifest *m, const Satchel__Manifest *msg, struct err *err)
{
    struct uid uid;
    int rc = ids_uid(m->first_identity_key, m->recovery_key, &uid);

    if (rc != ERR_OK)
        return err_set(err, rc, "manifest");
    if (memcmp(&uid, &m->uid, sizeof(uid)) != 0)
        return err_set(err, ERR_INTEGRITY, "Manifest.user_id: not the ID of these keys");
    rc = take_successions(m, msg, err);
    if (rc != ERR_OK)
        return rc;
    return signed_check(SIGNED_MANIFEST, m->identity_key, m->body, PART_OF(m->signature), err);
}

static int fill(struct manifest *m, struct part body, struct part signature, struct err *err)
{
    void *copy = malloc(body.len + 1);
    int rc;

    if (copy == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    memcpy(copy, part_bytes(body), body.len);
    m->body = part(copy, body.len);
    memcpy(m->signature, signature.data, SIGNED_SIG_LEN);
    rc = wire_unpack(&satchel__manifest__descriptor, m->body, MANIFEST_MAX, &m->message, err);
    if (rc == ERR_OK)
        rc = take_fixed(m, m->message, err);
    if (rc == ERR_OK)
        rc = take_devices(m, m->message, err);
    if (rc == ERR_OK)
        rc = take_eks(m, m->message, err);
    if (rc == ERR_OK)
        rc = check_keys(m, m->message, err);
    if (rc == ERR_OK && manifest_hash(m->body, &m->hash) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot hash a manifest");
    return rc;
}

int manifest_parse(struct part body, struct part signature, struct manifest **ret_m,
                   struct err *err)
{
    struct manifest *m;
    int rc;

    if (body.len > MANIFEST_MAX)
        return err_set(err, ERR_INVALID, "Manifest: %zu bytes, over %d", body.len, MANIFEST_MAX);
    if (signature.len != SIGNED_SIG_LEN)
        return err_set(err, ERR_INVALID, "Signed.signature: %zu bytes instead of %d", signature.len,
                       SIGNED_SIG_LEN);
    m = calloc(1, sizeof(*m));
    if (m == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    rc = fill(m, body, signature, err);
    if (rc == ERR_OK)
        *ret_m = m;
    else
        manifest_free(m);
    return rc;
}

int manifest_parse_signed(struct part raw, struct manifest **ret_m, struct err *err)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    int rc = signed_unpack(raw, MANIFEST_MAX, &body, sig, err);

    if (rc == ERR_OK)
        rc = manifest_parse(part(body.data, body.len), PART_OF(sig), ret_m, err);
    buf_free(&body);
    return rc;
}

int manifest_pack(const struct manifest *m, struct buf *out, struct err *err)
{
    return signed_pack(m->body, PART_OF(m->signature), out, err);
}

int manifest_digest(const struct manifest *m, struct hash32 *ret_digest)
{
    struct buf raw = {0};
    int rc = manifest_pack(m, &raw, NULL);

    if (rc == ERR_OK)
        rc = hash_sha256(ret_digest->b, raw.data, raw.len);
    buf_free(&raw);
    return rc;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    if (m->message != NULL)
        satchel__manifest__free_unpacked(m->message, NULL);
    free(m->devices);
    free(m->eks);
    free(m->successions);
    free((void *)(uintptr_t)m->body.data);
    free(m);
}

int manifest_hash(struct part body, struct hash32 *ret_hash)
{
    return hash_lp(HASH_SHA256, ret_hash->b, PARTS(part_str("satchel/1 manifest hash"), body));
}

const struct manifest_device *manifest_device(const struct manifest *m, const struct device_id *id)
{
    for (size_t i = 0; i < m->n_devices; i++)
        if (memcmp(&m->devices[i].id, id, sizeof(*id)) == 0)
            return &m->devices[i];
    return NULL;
}

int manifest_device_at(const struct manifest *m, const struct device_id *id, uint64_t at,
                       const struct manifest_device **ret_device, struct err *err)
{
    const struct manifest_device *d = manifest_device(m, id);

    if (d == NULL)
        return err_set(err, ERR_NOTFOUND, "the manifest does not list this device");
    if (d->revoked != 0 && d->revoked <= at)
        return err_set(err, ERR_REVOKED, "the device was revoked");
    *ret_device = d;
    return ERR_OK;
}

const struct manifest_ek *manifest_ek(const struct manifest *m, const struct ek_id *id)
{
    for (size_t i = 0; i < m->n_eks; i++)
        if (memcmp(&m->eks[i].id, id, sizeof(*id)) == 0)
            return &m->eks[i];
    return NULL;
}

/* Among keys that have begun the latest is best, otherwise the one that begins first. */
static bool better_ek(const struct manifest_ek *best, const struct manifest_ek *ek, uint64_t now)
{
    if (ek->suite != IDS_SUITE_X25519)
        return false;
    if (best == NULL)
        return true;
    if (ek->not_before <= now)
        return best->not_before > now || ek->not_before >= best->not_before;
    return ek->not_before < best->not_before && best->not_before > now;
}

int manifest_choose_ek(const struct manifest *m, uint64_t now, const struct manifest_ek **ret_ek,
                       bool *ret_lapsed, struct err *err)
{
    const struct manifest_ek *best = NULL;

    for (size_t i = 0; i < m->n_eks; i++)
        if (better_ek(best, &m->eks[i], now))
            best = &m->eks[i];
    if (best == NULL || (best->not_before > now && best->not_before - now > CLOCK_MS)) {
        err_set(err, ERR_NOTFOUND, "no key of this user has begun yet");
        err_hint(err, "check the clock of this machine");
        return ERR_NOTFOUND;
    }
    *ret_ek = best;
    *ret_lapsed = best->not_after <= now;
    return ERR_OK;
}

bool manifest_keeps_successions(const struct manifest *prev, const struct manifest *next)
{
    if (next->n_successions < prev->n_successions)
        return false;
    for (size_t i = 0; i < prev->n_successions; i++) {
        const struct manifest_succession *p = &prev->successions[i], *n = &next->successions[i];

        if (p->body.len != n->body.len || memcmp(p->body.data, n->body.data, p->body.len) != 0)
            return false;
    }
    return true;
}

static int changed(struct err *err, const char *what)
{
    err_set(err, ERR_KEYCHANGED, "%s", what);
    err_hint(err, "somebody may be posing as this user: ask them over another channel");
    return ERR_KEYCHANGED;
}

int manifest_follows(const struct manifest *prev, const struct manifest *next, struct err *err)
{
    const struct manifest_succession *last = NULL;

    if (memcmp(&prev->uid, &next->uid, sizeof(prev->uid)) != 0 ||
        memcmp(prev->first_identity_key, next->first_identity_key, IDS_KEY_LEN) != 0 ||
        memcmp(prev->recovery_key, next->recovery_key, IDS_KEY_LEN) != 0)
        return changed(err, "the manifest is of another user");
    if (next->sequence <= prev->sequence)
        return changed(err, "the manifest is not newer than the one that is known");
    if (next->sequence - prev->sequence > 1)
        return err_set(err, ERR_PROTO, "manifests between %llu and %llu are missing",
                       (unsigned long long)prev->sequence, (unsigned long long)next->sequence);
    if (memcmp(&next->previous, &prev->hash, sizeof(prev->hash)) != 0)
        return changed(err, "the manifest continues another one than that which is known");
    if (!manifest_keeps_successions(prev, next))
        return changed(err, "the manifest leaves out a succession");
    if (next->n_successions > prev->n_successions)
        last = &next->successions[next->n_successions - 1];
    if (last != NULL && memcmp(&last->last_manifest, &prev->hash, sizeof(prev->hash)) != 0)
        return changed(err, "the succession names another manifest than the one before");
    return ERR_OK;
}
