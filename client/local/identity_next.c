/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h: the next manifest, from planning it to the server's answer. */
#include <string.h>

#include "client/local/identity_priv.h"
#include "common/transfer/manifest_build.h"

/* Room for one more device: the oldest that was revoked goes; who is not listed is out as well. */
static int make_room(struct manifest_device *devices, size_t *n, struct err *err)
{
    size_t at = identity_oldest_revoked(devices, *n);

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

/* The devices of ${plan}, which are in ${ret}, with room for MANIFEST_DEVICES_MAX. */
static int plan_devices(const struct identity *id, const struct identity_change *change,
                        struct manifest_build_plan *plan, struct manifest_device *ret,
                        struct err *err)
{
    const struct manifest *newest = chain_newest(&id->chain);
    size_t n = newest->n_devices;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < n; i++) {
        ret[i] = newest->devices[i];
        if (memcmp(&ret[i].id, &id->device, sizeof(ret[i].id)) == 0 && !ret[i].has_box)
            rc = identity_own_device(id, &ret[i], err);
        if (change->revoke == NULL || memcmp(&ret[i].id, change->revoke, sizeof(ret[i].id)) != 0)
            continue;
        if (ret[i].revoked != 0)
            return err_set(err, ERR_REVOKED, "the device is revoked already");
        ret[i].revoked = plan->created;
    }
    if (rc == ERR_OK && change->revoke != NULL && manifest_device(newest, change->revoke) == NULL)
        rc = err_set(err, ERR_NOTFOUND, "no such device");
    if (rc == ERR_OK && change->add != NULL)
        rc = make_room(ret, &n, err);
    if (rc == ERR_OK && change->add != NULL) {
        ret[n] = *change->add;
        ret[n++].added = plan->created;
    }
    plan->n_devices = n;
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
    rc = plan_devices(id, change, &plan, devices, err);
    plan.n_eks = plan_eks(newest, change, draws, now, eks);
    if (rc == ERR_OK && draws) {
        rc = identity_draw_key(h, now, &id->next_key, public, err);
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
            identity_erase_key(id, 0);
        id->keys[id->n_keys++] = id->next_key;
        id->next_key = (struct identity_key){0};
    }
    identity_erase_old(id, now, max_lifetime);
    return ERR_OK;
}

void identity_drop_next(struct identity *id)
{
    manifest_free(id->next);
    id->next = NULL;
    secret_free(&id->next_key.key);
    id->next_key = (struct identity_key){0};
}

bool identity_next_adds(const struct identity *id)
{
    const struct manifest *newest = chain_newest(&id->chain);

    for (size_t i = 0; id->next != NULL && i < id->next->n_devices; i++)
        if (manifest_device(newest, &id->next->devices[i].id) == NULL)
            return true;
    return false;
}
