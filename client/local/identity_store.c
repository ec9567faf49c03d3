/* SPDX-License-Identifier: Apache-2.0 */
/* identity_load() and identity_save(): the records "identity" and "chain" of proto/vault.proto. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/identity.h"
#include "client/local/pb_secret.h"
#include "common/crypto/x25519.h"
#include "common/transfer/wire.h"
#include "proto/vault.pb-c.h"

typedef Satchel__Vault__Identity Record;

static int damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "the identity in the vault is damaged: %s", what);
}

/* ---- writing ---- */

static void fill_key(Satchel__OwnKey *to, const struct identity_key *k)
{
    satchel__own_key__init(to);
    to->suite = IDS_SUITE_X25519;
    to->private_key = wire_data(part(k->key.data, k->key.len));
    to->not_before = k->not_before;
    to->not_after = k->not_after;
}

static size_t fill_names(const struct identity *id, Satchel__DeviceName *rows,
                         Satchel__DeviceName **list)
{
    for (size_t i = 0; i < id->n_names; i++) {
        satchel__device_name__init(&rows[i]);
        rows[i].device = wire_data(part(id->names[i].device.b, sizeof(id->names[i].device.b)));
        rows[i].name = (char *)(uintptr_t)id->names[i].name;
        list[i] = &rows[i];
    }
    return id->n_names;
}

static int save_identity(const struct identity *id, struct vault *v, struct err *err)
{
    Satchel__DeviceName names[MANIFEST_DEVICES_MAX], *name_list[MANIFEST_DEVICES_MAX];
    Record m = SATCHEL__VAULT__IDENTITY__INIT;
    Satchel__OwnKey keys[IDENTITY_KEYS_MAX], next;
    Satchel__OwnKey *at[IDENTITY_KEYS_MAX];
    uint8_t record[VAULT_RECORD_ID_LEN];
    struct secret plain = {0};
    struct buf manifest = {0};
    int rc = ERR_OK;

    m.version = 1;
    m.username = (char *)id->username;
    m.email = (char *)id->email;
    m.server_id = wire_data(part(id->server.b, sizeof(id->server.b)));
    m.identity_seed = wire_data(part(id->isk.data, id->isk.len));
    m.device_seed = wire_data(part(id->dsk.data, id->dsk.len));
    m.hedge_key = wire_data(part(id->hedge.data, id->hedge.len));
    if (id->has_box)
        m.recovery_box = wire_data(part(id->box, sizeof(id->box)));
    m.recovery_seed = wire_data(part(id->recovery.data, id->recovery.len));
    for (size_t i = 0; i < id->n_keys; i++) {
        fill_key(&keys[i], &id->keys[i]);
        at[i] = &keys[i];
    }
    m.keys = at;
    m.n_keys = id->n_keys;
    m.n_names = fill_names(id, names, name_list);
    m.names = name_list;
    if (id->next != NULL) {
        rc = manifest_pack(id->next, &manifest, err);
        if (id->next_key.key.len > 0) {
            fill_key(&next, &id->next_key);
            m.next_key = &next;
        }
        m.next_manifest = wire_data(part(manifest.data, manifest.len));
    }
    if (rc == ERR_OK)
        rc = pb_secret_pack(&m.base, &plain, err);
    if (rc == ERR_OK)
        rc = vault_id(v, "identity", part_str("self"), record, err);
    if (rc == ERR_OK)
        rc = vault_put(v, "identity", record, part_secret(&plain), err);
    secret_free(&plain);
    buf_free(&manifest);
    return rc;
}

static int save_chain(const struct identity *id, struct vault *v, struct err *err)
{
    Satchel__Vault__Chain m = SATCHEL__VAULT__CHAIN__INIT;
    ProtobufCBinaryData *rows = calloc(id->chain.n + 1, sizeof(*rows));
    struct buf *packed = calloc(id->chain.n + 1, sizeof(*packed)), plain = {0};
    uint8_t record[VAULT_RECORD_ID_LEN];
    int rc = rows != NULL && packed != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < id->chain.n; i++) {
        rc = manifest_pack(id->chain.m[i], &packed[i], err);
        rows[i] = wire_data(part(packed[i].data, packed[i].len));
    }
    m.manifests = rows;
    m.n_manifests = id->chain.n;
    if (rc == ERR_OK && buf_reserve(&plain, satchel__vault__chain__get_packed_size(&m)) == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK) {
        plain.len = satchel__vault__chain__pack(&m, plain.data);
        rc = vault_id(v, "chain", part_str("self"), record, err);
    }
    if (rc == ERR_OK)
        rc = vault_put(v, "chain", record, part(plain.data, plain.len), err);
    for (size_t i = 0; packed != NULL && i < id->chain.n; i++)
        buf_free(&packed[i]);
    buf_free(&plain);
    free(packed);
    free(rows);
    return rc;
}

int identity_save(const struct identity *id, struct vault *v, struct err *err)
{
    /* The chain first: one that has the next manifest already is put right when loaded. */
    int rc = save_chain(id, v, err);

    return rc == ERR_OK ? save_identity(id, v, err) : rc;
}

/* ---- reading ---- */

static int take_secret(const ProtobufCBinaryData *from, size_t len, struct secret *ret,
                       const char *what, struct err *err)
{
    if (from->len != len)
        return damaged(err, what);
    return secret_copy(ret, from->data, from->len, err);
}

static int take_text(const char *from, char *to, size_t size, const char *what, struct err *err)
{
    if (strlen(from) >= size)
        return damaged(err, what);
    memcpy(to, from, strlen(from) + 1);
    return ERR_OK;
}

static int take_key(const Satchel__OwnKey *from, struct identity_key *ret, struct err *err)
{
    struct identity_key k = {.not_before = from->not_before, .not_after = from->not_after};
    uint8_t public[IDS_KEY_LEN];
    int rc;

    if (from->suite != IDS_SUITE_X25519)
        return err_set(err, ERR_UNSUPPORTED, "the vault has keys of another suite");
    rc = take_secret(&from->private_key, X25519_LEN, &k.key, "an encryption key", err);
    if (rc == ERR_OK)
        rc = x25519_public(public, k.key.data);
    if (rc == ERR_OK)
        rc = ids_ek(IDS_SUITE_X25519, PART_OF(public), &k.id);
    if (rc == ERR_OK)
        *ret = k;
    else
        secret_free(&k.key);
    return rc;
}

static int take_keys(const Record *m, struct identity *id, struct err *err)
{
    int rc = ERR_OK;

    if (m->n_keys < 1 || m->n_keys > IDENTITY_KEYS_MAX)
        return damaged(err, "encryption keys");
    for (size_t i = 0; rc == ERR_OK && i < m->n_keys; i++) {
        rc = take_key(m->keys[i], &id->keys[i], err);
        if (rc == ERR_OK)
            id->n_keys++;
    }
    if (rc == ERR_OK && m->next_key != NULL)
        rc = take_key(m->next_key, &id->next_key, err);
    if (rc == ERR_OK && m->next_manifest.len > 0)
        rc = manifest_parse_signed(part(m->next_manifest.data, m->next_manifest.len), &id->next,
                                   err);
    return rc;
}

/* A name that does not hold together is no reason to refuse the identity. */
static void take_names(const Record *m, struct identity *id)
{
    for (size_t i = 0; i < m->n_names; i++) {
        const Satchel__DeviceName *row = m->names[i];
        struct device_id device;

        if (row->device.len != sizeof(device.b) || !identity_name_fits(row->name))
            continue;
        memcpy(device.b, row->device.data, sizeof(device.b));
        identity_keep_name(id, &device, row->name);
    }
}

static int take_fields(const Record *m, struct identity *id, struct err *err)
{
    struct secret dsk = {0};
    int rc;

    if (m->version != 1)
        return err_set(err, ERR_UNSUPPORTED, "the identity in the vault has version %u",
                       m->version);
    if (m->server_id.len != sizeof(id->server.b))
        return damaged(err, "server ID");
    memcpy(id->server.b, m->server_id.data, sizeof(id->server.b));
    rc = take_text(m->username, id->username, sizeof(id->username), "username", err);
    if (rc == ERR_OK)
        rc = take_text(m->email, id->email, sizeof(id->email), "e-mail", err);
    if (rc == ERR_OK)
        rc = take_secret(&m->identity_seed, ED25519_SEED_LEN, &id->isk, "identity key", err);
    if (rc == ERR_OK)
        rc = take_secret(&m->device_seed, ED25519_SEED_LEN, &dsk, "device key", err);
    if (rc == ERR_OK)
        rc = take_secret(&m->hedge_key, HEDGE_LEN, &id->hedge, "hedge key", err);
    if (rc == ERR_OK && m->recovery_seed.len > 0)
        rc = take_secret(&m->recovery_seed, 32, &id->recovery, "recovery seed", err);
    if (rc == ERR_OK && m->recovery_box.len == sizeof(id->box)) {
        memcpy(id->box, m->recovery_box.data, sizeof(id->box));
        id->has_box = true;
    }
    take_names(m, id);
    if (rc == ERR_OK)
        rc = take_keys(m, id, err);
    if (rc == ERR_OK)
        rc = identity_take_device(id, &dsk, err);
    secret_free(&dsk);
    return rc;
}

static int load_identity(struct vault *v, struct identity *id, struct err *err)
{
    uint8_t record[VAULT_RECORD_ID_LEN];
    struct secret plain = {0};
    ProtobufCMessage *m = NULL;
    int rc = vault_id(v, "identity", part_str("self"), record, err);

    if (rc == ERR_OK)
        rc = vault_get_secret(v, "identity", record, &plain, err);
    if (rc == ERR_OK) {
        rc = pb_secret_unpack(&satchel__vault__identity__descriptor, part_secret(&plain), &m, err);
        if (rc == ERR_CORRUPT)
            rc = damaged(err, "not a message");
    }
    if (rc == ERR_OK)
        rc = take_fields((const Record *)m, id, err);
    satchel__vault__identity__free_unpacked((Record *)m, &pb_secret_allocator);
    secret_free(&plain);
    return rc;
}

static int take_chain(const Satchel__Vault__Chain *m, struct identity *id, struct err *err)
{
    int rc = m->n_manifests > 0 ? ERR_OK : damaged(err, "no manifests");

    for (size_t i = 0; rc == ERR_OK && i < m->n_manifests; i++) {
        struct manifest *one = NULL;
        enum chain_change change;

        rc = manifest_parse_signed(part(m->manifests[i].data, m->manifests[i].len), &one, err);
        if (rc != ERR_OK)
            break;
        if (i == 0)
            id->uid = id->chain.uid = one->uid;
        rc = chain_add(&id->chain, one, &change, err);
    }
    return rc;
}

static int load_chain(struct vault *v, struct identity *id, struct err *err)
{
    uint8_t record[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    Satchel__Vault__Chain *m = NULL;
    int rc = vault_id(v, "chain", part_str("self"), record, err);

    if (rc == ERR_OK)
        rc = vault_get(v, "chain", record, &plain, NULL, err);
    if (rc == ERR_OK) {
        m = satchel__vault__chain__unpack(NULL, plain.len, plain.data);
        rc = m != NULL ? take_chain(m, id, err) : damaged(err, "not a message");
    }
    satchel__vault__chain__free_unpacked(m, NULL);
    buf_free(&plain);
    return rc;
}

/* A crash between the two writings of identity_save(): the chain has `next` already. */
static int catch_up(struct identity *id, struct err *err)
{
    const struct manifest *newest = chain_newest(&id->chain);

    if (id->next == NULL || memcmp(&newest->hash, &id->next->hash, sizeof(newest->hash)) != 0)
        return ERR_OK;
    return identity_promote(id, 0, 0, err);
}

int identity_load(struct vault *v, struct identity **ret, struct err *err)
{
    struct identity *id = calloc(1, sizeof(*id));
    int rc;

    if (id == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    id->refs = 1;
    rc = load_identity(v, id, err);
    if (rc == ERR_OK)
        rc = load_chain(v, id, err);
    if (rc == ERR_OK)
        rc = catch_up(id, err);
    if (rc == ERR_OK)
        ids_uid_to_text(&id->uid, id->uid_text);
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID || rc == ERR_INTEGRITY || rc == ERR_KEYCHANGED)
        rc = damaged(err, "manifests or keys");
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}
