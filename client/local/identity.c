/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/recovery.h"
#include "common/crypto/ed25519.h"
#include "common/crypto/rng.h"
#include "common/crypto/x25519.h"
#include "common/transfer/account.h"
#include "common/transfer/manifest_build.h"

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

/* Draw an EK; ${ret_public} is its public half. */
static int draw_key(struct hedge *h, uint64_t now, struct identity_key *ret,
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

/* RK's public half from the recovery seed. */
static int recovery_public(const struct secret *seed, uint8_t ret_public[IDS_KEY_LEN],
                           struct err *err)
{
    struct secret rk = {0};
    int rc = recovery_key(seed, &rk, err);

    if (rc == ERR_OK)
        rc = ed25519_public(ret_public, rk.data);
    secret_free(&rk);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot make a recovery key");
}

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

static int draw_all(struct identity *id, struct hedge *h, struct err *err)
{
    struct secret dsk = {0};
    int rc = hedge_draw(h, "identity key", part(NULL, 0), &id->isk, err);

    if (rc == ERR_OK)
        rc = hedge_draw(h, "device key", part(NULL, 0), &dsk, err);
    if (rc == ERR_OK)
        rc = identity_take_device(id, &dsk, err);
    secret_free(&dsk);
    return rc;
}

static int take_box(struct identity *id, const struct secret *seed, struct err *err)
{
    struct secret box = {0};
    int rc = account_recovery_box(seed, &box, id->box, err);

    secret_free(&box); /* it comes back with the words */
    id->has_box = rc == ERR_OK;
    return rc;
}

/* Key and box of this device, as manifests list them. */
static int own_device(const struct identity *id, struct manifest_device *ret, struct err *err)
{
    struct secret box = {0};
    int rc;

    ed25519_key_public(id->signer, ret->key);
    rc = account_device_box(&id->dsk, &box, ret->box, err);
    ret->has_box = rc == ERR_OK;
    secret_free(&box); /* it comes from the device key whenever it is needed */
    return rc;
}

/* The first manifest, with the keys drawn so far and a first EK. */
static int first_manifest(struct identity *id, struct hedge *h, uint64_t now, struct err *err)
{
    struct manifest_device device = {.added = now};
    struct manifest_ek ek = {.suite = IDS_SUITE_X25519};
    struct manifest_build_plan plan = {
        .created = now, .devices = &device, .n_devices = 1, .eks = &ek, .n_eks = 1};
    uint8_t recovery[IDS_KEY_LEN], public[IDS_KEY_LEN];
    struct manifest *m = NULL;
    enum chain_change change;
    int rc = draw_key(h, now, &id->keys[0], public, err);

    if (rc != ERR_OK)
        return rc;
    id->n_keys = 1;
    ek.key = PART_OF(public);
    ek.not_before = id->keys[0].not_before;
    ek.not_after = id->keys[0].not_after;
    rc = own_device(id, &device, err);
    if (rc != ERR_OK)
        return rc;
    rc = recovery_public(&id->recovery, recovery, err);
    plan.recovery_key = recovery;
    if (rc == ERR_OK)
        rc = manifest_build(&plan, &id->isk, &m, err);
    if (rc != ERR_OK)
        return rc;
    id->uid = id->chain.uid = m->uid;
    id->device = m->devices[0].id;
    return chain_add(&id->chain, m, &change, err);
}

/* Names and a hedge key, then the keys that every newcomer needs, with ${ret_h} for the others. */
static int begin_making(const struct identity_plan *plan, struct vault *v, struct identity **ret,
                        struct hedge **ret_h, struct err *err)
{
    struct identity *id = calloc(1, sizeof(*id));
    int rc;

    if (id == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    id->refs = 1;
    *ret = id;
    id->server = plan->server;
    (void)snprintf(id->username, sizeof(id->username), "%s", plan->username);
    (void)snprintf(id->email, sizeof(id->email), "%s", plan->email);
    rc = secret_new(&id->hedge, HEDGE_LEN, err);
    if (rc == ERR_OK && rng_bytes(id->hedge.data, id->hedge.len) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "cannot draw a key");
    if (rc == ERR_OK)
        rc = hedge_new(v, &id->hedge, true, ret_h, err);
    return rc == ERR_OK ? draw_all(id, *ret_h, err) : rc;
}

/* ${h} is always freed; ${id} as well after a failure. */
static int end_making(int rc, struct identity *id, struct hedge *h, struct identity **ret)
{
    hedge_free(h);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

int identity_make(const struct identity_plan *plan, struct vault *v, struct identity **ret,
                  struct err *err)
{
    struct identity *id = NULL;
    struct hedge *h = NULL;
    int rc = begin_making(plan, v, &id, &h, err);

    if (rc == ERR_OK)
        rc = hedge_draw(h, "recovery seed", part(NULL, 0), &id->recovery, err);
    if (rc == ERR_OK)
        rc = take_box(id, &id->recovery, err);
    if (rc == ERR_OK)
        rc = first_manifest(id, h, plan->now, err);
    if (rc == ERR_OK)
        ids_uid_to_text(&id->uid, id->uid_text);
    return end_making(rc, id, h, ret);
}

/* ---- recovering ---- */

static int make_succession(const struct identity *id, const struct secret *seed, struct buf *out,
                           struct err *err)
{
    const struct manifest *newest = chain_newest(&id->chain);
    struct manifest_build_succession s = {.uid = newest->uid,
                                          .number = (uint32_t)newest->n_successions + 1,
                                          .last_manifest = newest->hash};
    struct secret rk = {0};
    int rc = recovery_key(seed, &rk, err);

    if (rc == ERR_OK)
        rc = ed25519_public(s.identity_key, id->isk.data);
    if (rc == ERR_OK)
        rc = manifest_build_succession(&s, &rk, out, err);
    secret_free(&rk);
    return rc;
}

/* The oldest of ${n} devices that is revoked; ${n}: none is. */
static size_t oldest_revoked(const struct manifest_device *devices, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (devices[i].revoked != 0)
            return i;
    return n;
}

/* This device, last, behind the earlier ones, all of which are revoked.  Returns how many. */
static size_t recovered_devices(const struct manifest *newest, uint64_t now,
                                struct manifest_device *ret)
{
    size_t n = 0, out = newest->n_devices;

    /* Without room one is left out, best one that readers know to be revoked already. */
    if (newest->n_devices == MANIFEST_DEVICES_MAX)
        out = oldest_revoked(newest->devices, newest->n_devices) % newest->n_devices;
    for (size_t i = 0; i < newest->n_devices; i++)
        if (i != out)
            ret[n++] = newest->devices[i];
    for (size_t i = 0; i < n; i++)
        ret[i].revoked = ret[i].revoked != 0 ? ret[i].revoked : now;
    ret[n] = (struct manifest_device){.added = now};
    return n + 1;
}

static int recovered_manifest(struct identity *id, const struct identity_recovery *r,
                              struct hedge *h, uint64_t now, struct err *err)
{
    struct manifest_device devices[MANIFEST_DEVICES_MAX] = {0};
    struct manifest_ek ek = {.suite = IDS_SUITE_X25519};
    struct manifest_build_plan plan = {.previous = chain_newest(&id->chain),
                                       .created = now,
                                       .devices = devices,
                                       .eks = &ek,
                                       .n_eks = 1,
                                       .account = r->account};
    struct identity_key *key = &id->keys[id->n_keys];
    uint8_t public[IDS_KEY_LEN];
    struct manifest *m = NULL;
    struct buf succession = {0};
    enum chain_change change;
    int rc = make_succession(id, r->seed, &succession, err);

    if (rc == ERR_OK)
        rc = draw_key(h, now, key, public, err);
    if (rc == ERR_OK) {
        id->n_keys++;
        ek.key = PART_OF(public);
        ek.not_before = key->not_before;
        ek.not_after = key->not_after;
        plan.n_devices = recovered_devices(plan.previous, now, devices);
        plan.succession = part(succession.data, succession.len);
        rc = own_device(id, &devices[plan.n_devices - 1], err);
    }
    if (rc == ERR_OK)
        rc = ids_device(devices[plan.n_devices - 1].key, &id->device);
    if (rc == ERR_OK)
        rc = manifest_build(&plan, &id->isk, &m, err);
    if (rc == ERR_OK)
        rc = chain_add(&id->chain, m, &change, err);
    buf_free(&succession);
    return rc;
}

int identity_recover(const struct identity_plan *plan, struct identity_recovery *r, struct vault *v,
                     struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    struct hedge *h = NULL;
    int rc = begin_making(plan, v, &id, &h, err);

    if (rc == ERR_OK) {
        id->chain = *r->chain;
        *r->chain = (struct chain){.uid = id->chain.uid};
        chain_make_room(&id->chain);
        id->uid = id->chain.uid;
        ids_uid_to_text(&id->uid, id->uid_text);
        /* Room for one more: the oldest give way. */
        for (size_t i = 0; i < r->n_keys; i++) {
            if (i + IDENTITY_KEYS_MAX <= r->n_keys)
                continue;
            id->keys[id->n_keys++] = r->keys[i];
            r->keys[i].key = (struct secret){0};
        }
        rc = take_box(id, r->seed, err);
    }
    if (rc == ERR_OK)
        rc = recovered_manifest(id, r, h, plan->now, err);
    return end_making(rc, id, h, ret);
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

/* Room for one more device: the oldest that was revoked goes; who is not listed is out as well. */
static int make_room(struct manifest_device *devices, size_t *n, struct err *err)
{
    size_t at = oldest_revoked(devices, *n);

    if (*n < MANIFEST_DEVICES_MAX)
        return ERR_OK;
    if (at == *n) {
        err_set(err, ERR_LIMIT, "you have %d devices already", MANIFEST_DEVICES_MAX);
        err_hint(err, "take one out: satchel device revoke ID");
        return ERR_LIMIT;
    }
    *n -= 1;
    memmove(&devices[at], &devices[at + 1], (*n - at) * sizeof(*devices));
    return ERR_OK;
}

/* The devices of the next manifest; ${ret} has room for MANIFEST_DEVICES_MAX. */
static int plan_devices(const struct identity *id, const struct identity_change *change,
                        uint64_t now, struct manifest_device *ret, size_t *ret_n, struct err *err)
{
    const struct manifest *newest = chain_newest(&id->chain);
    size_t n = newest->n_devices;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < n; i++) {
        ret[i] = newest->devices[i];
        if (memcmp(&ret[i].id, &id->device, sizeof(ret[i].id)) == 0 && !ret[i].has_box)
            rc = own_device(id, &ret[i], err);
        if (change->revoke == NULL || memcmp(&ret[i].id, change->revoke, sizeof(ret[i].id)) != 0)
            continue;
        if (ret[i].revoked != 0)
            return err_set(err, ERR_REVOKED, "the device is revoked already");
        ret[i].revoked = now;
    }
    if (rc == ERR_OK && change->revoke != NULL && manifest_device(newest, change->revoke) == NULL)
        rc = err_set(err, ERR_NOTFOUND, "no such device");
    if (rc == ERR_OK && change->add != NULL)
        rc = make_room(ret, &n, err);
    if (rc == ERR_OK && change->add != NULL) {
        ret[n] = *change->add;
        ret[n++].added = now;
    }
    *ret_n = n;
    return rc;
}

/*
 * With a device that comes the others' keys stay.  A device that goes by its own will draws none
 * either: the others, who are to read what is sealed to it, could not learn it any more.
 */
static bool draws_key(const struct identity *id, const struct identity_change *change)
{
    return change->add == NULL &&
           (change->revoke == NULL || memcmp(change->revoke, &id->device, sizeof(id->device)) != 0);
}

/*
 * Those of the newest that are worth listing: that still run; for a change that adds no EK the
 * newest one as well, for senders take it even when it has ended.  After another device's
 * revocation none: that device knows them.
 */
static size_t plan_eks(const struct manifest *newest, const struct identity_change *change,
                       bool draws, uint64_t now, struct manifest_ek *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < newest->n_eks; i++) {
        bool last = !draws && i + 1 == newest->n_eks;

        if ((change->revoke == NULL || !draws) && (newest->eks[i].not_after > now || last) &&
            (!draws || n < MANIFEST_KEYS_MAX - 1))
            ret[n++] = newest->eks[i];
    }
    return n;
}

int identity_plan(struct identity *id, const struct identity_change *change, struct hedge *h,
                  uint64_t now, struct err *err)
{
    const struct manifest *newest = chain_newest(&id->chain);
    struct manifest_device devices[MANIFEST_DEVICES_MAX] = {0};
    struct manifest_ek eks[MANIFEST_KEYS_MAX] = {0};
    struct manifest_build_plan plan = {
        .previous = newest, .created = now, .devices = devices, .eks = eks};
    const bool draws = draws_key(id, change);
    uint8_t public[IDS_KEY_LEN];
    int rc;

    if (id->next != NULL)
        return ERR_OK;
    rc = plan_devices(id, change, now, devices, &plan.n_devices, err);
    plan.n_eks = plan_eks(newest, change, draws, now, eks);
    if (rc == ERR_OK && draws) {
        rc = draw_key(h, now, &id->next_key, public, err);
        eks[plan.n_eks++] = (struct manifest_ek){.suite = IDS_SUITE_X25519,
                                                 .key = PART_OF(public),
                                                 .not_before = id->next_key.not_before,
                                                 .not_after = id->next_key.not_after};
    }
    if (rc == ERR_OK)
        rc = manifest_build(&plan, &id->isk, &id->next, err);
    if (rc != ERR_OK)
        identity_drop_next(id);
    return rc;
}

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

static void erase_key(struct identity *id, size_t i)
{
    secret_free(&id->keys[i].key);
    id->n_keys--;
    memmove(&id->keys[i], &id->keys[i + 1], (id->n_keys - i) * sizeof(id->keys[0]));
}

int identity_promote(struct identity *id, uint64_t now, uint64_t max_lifetime, struct err *err)
{
    enum chain_change change;
    int rc;

    if (id->next == NULL)
        return ERR_OK;
    rc = chain_add(&id->chain, id->next, &change, err);
    id->next = NULL; /* the chain has it, or freed it */
    if (rc != ERR_OK)
        return rc;
    if (id->next_key.key.len > 0) {
        if (id->n_keys == IDENTITY_KEYS_MAX)
            erase_key(id, 0);
        id->keys[id->n_keys++] = id->next_key;
        id->next_key = (struct identity_key){0};
    }
    identity_erase_old(id, now, max_lifetime);
    return ERR_OK;
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
            erase_key(id, i);
}
