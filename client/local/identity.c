/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h: the object, its keys, and how long these are kept. */
#include <stdlib.h>
#include <string.h>

#include "client/local/identity_priv.h"
#include "common/crypto/x25519.h"
#include "common/transfer/account.h"

struct identity *identity_ref(struct identity *id)
{
    (void)atomic_fetch_add(&id->refs, 1);
    return id;
}

void identity_unref(struct identity *id)
{
    if (id == NULL || atomic_fetch_sub(&id->refs, 1) != 1)
        return;
    secret_free(&id->isk);
    secret_free(&id->dsk);
    ed25519_key_free(id->signer);
    secret_free(&id->hedge);
    secret_free(&id->recovery);
    for (size_t i = 0; i < id->n_keys; i++)
        secret_free(&id->keys[i].key);
    secret_free(&id->next_key.key);
    manifest_free(id->next);
    chain_free(&id->chain);
    free(id);
}

/* ---- keys ---- */

int identity_take_device(struct identity *id, struct secret *dsk, struct err *err)
{
    uint8_t public[IDS_KEY_LEN];
    int rc;

    secret_move(&id->dsk, dsk);
    rc = ed25519_key_new(&id->signer, id->dsk.data);
    if (rc == ERR_OK) {
        ed25519_key_public(id->signer, public);
        rc = ids_device(public, &id->device);
    }
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot make a device key");
}

int identity_draw_key(struct hedge *h, uint64_t now, struct identity_key *ret,
                      uint8_t ret_public[IDS_KEY_LEN], struct err *err)
{
    struct identity_key k = {.not_before = now, .not_after = now + IDENTITY_EPOCH_MS};
    int rc = hedge_draw(h, "encryption key", part(NULL, 0), &k.key, err);

    if (rc != ERR_OK)
        return rc;
    rc = x25519_public(ret_public, k.key.data);
    if (rc == ERR_OK)
        rc = ids_ek(IDS_SUITE_X25519, part(ret_public, IDS_KEY_LEN), &k.id);
    if (rc == ERR_OK)
        *ret = k;
    else
        secret_free(&k.key);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot make an encryption key");
}

const struct secret *identity_ek(const struct identity *id, const struct ek_id *ek)
{
    for (size_t i = 0; i < id->n_keys; i++)
        if (memcmp(&id->keys[i].id, ek, sizeof(*ek)) == 0)
            return &id->keys[i].key;
    /* The server may have the next one although we have not heard so. */
    if (id->next != NULL && id->next_key.key.len > 0 &&
        memcmp(&id->next_key.id, ek, sizeof(*ek)) == 0)
        return &id->next_key.key;
    return NULL;
}

bool identity_due(const struct identity *id, uint64_t now)
{
    return id->next != NULL || id->keys[id->n_keys - 1].not_after < now + IDENTITY_EARLY_MS;
}

/* ---- keeping and erasing ---- */

/*
 * A key may be sealed to until it has ended and the next one was there to be
 * found, a day more for a sender who looked it up just before; what was sealed
 * then is open for ${max_lifetime} at most.
 */
static bool still_needed(const struct identity *id, size_t i, uint64_t now, uint64_t max_lifetime)
{
    uint64_t last = id->keys[i].not_after;

    if (i + 1 == id->n_keys)
        return true;
    if (id->keys[i + 1].not_before > last)
        last = id->keys[i + 1].not_before;
    return last > UINT64_MAX - max_lifetime - IDENTITY_DAY_MS ||
           last + max_lifetime + IDENTITY_DAY_MS > now;
}

void identity_erase_key(struct identity *id, size_t i)
{
    secret_free(&id->keys[i].key);
    id->n_keys--;
    memmove(&id->keys[i], &id->keys[i + 1], (id->n_keys - i) * sizeof(id->keys[0]));
}

bool identity_has_old(const struct identity *id, uint64_t now, uint64_t max_lifetime)
{
    for (size_t i = 0; i < id->n_keys; i++)
        if (!still_needed(id, i, now, max_lifetime))
            return true;
    return false;
}

void identity_erase_old(struct identity *id, uint64_t now, uint64_t max_lifetime)
{
    for (size_t i = 0; i < id->n_keys;)
        if (still_needed(id, i, now, max_lifetime))
            i++;
        else
            identity_erase_key(id, i);
}

/* ---- devices ---- */

int identity_own_device(const struct identity *id, struct manifest_device *ret, struct err *err)
{
    struct secret box = {0};
    int rc;

    ed25519_key_public(id->signer, ret->key);
    rc = account_device_box(&id->dsk, &box, ret->box, err);
    ret->has_box = rc == ERR_OK;
    secret_free(&box); /* it comes from the device key whenever it is needed */
    return rc;
}

size_t identity_oldest_revoked(const struct manifest_device *devices, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (devices[i].revoked != 0)
            return i;
    return n;
}
