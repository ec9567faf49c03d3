/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h: a new user, one who comes back with the recovery words, a new device of a user. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/local/identity_priv.h"
#include "client/local/recovery.h"
#include "common/crypto/rng.h"
#include "common/transfer/account.h"
#include "common/transfer/manifest_build.h"

/* ---- beginning and end ---- */

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

/* Names and a hedge key; ${ret} is set after a failure as well, but for want of memory. */
static int begin(const struct identity_plan *plan, struct identity **ret, struct err *err)
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
    return rc;
}

/* The same, then the keys that every newcomer needs, with ${ret_h} for the others. */
static int begin_drawing(const struct identity_plan *plan, struct vault *v, struct identity **ret,
                         struct hedge **ret_h, struct err *err)
{
    int rc = begin(plan, ret, err);

    if (rc == ERR_OK)
        rc = hedge_new(v, &(*ret)->hedge, true, ret_h, err);
    return rc == ERR_OK ? draw_all(*ret, *ret_h, err) : rc;
}

/* ${h} (NULL: none) is always freed; ${id} as well after a failure. */
static int end(int rc, struct identity *id, struct hedge *h, struct identity **ret)
{
    hedge_free(h);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

/* ---- a new user ---- */

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
    int rc = identity_draw_key(h, now, &id->keys[0], public, err);

    if (rc != ERR_OK)
        return rc;
    id->n_keys = 1;
    ek.key = PART_OF(public);
    ek.not_before = id->keys[0].not_before;
    ek.not_after = id->keys[0].not_after;
    rc = identity_own_device(id, &device, err);
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

int identity_make(const struct identity_plan *plan, struct vault *v, struct identity **ret,
                  struct err *err)
{
    struct identity *id = NULL;
    struct hedge *h = NULL;
    int rc = begin_drawing(plan, v, &id, &h, err);

    if (rc == ERR_OK)
        rc = hedge_draw(h, "recovery seed", part(NULL, 0), &id->recovery, err);
    if (rc == ERR_OK)
        rc = take_box(id, &id->recovery, err);
    if (rc == ERR_OK)
        rc = first_manifest(id, h, plan->now, err);
    if (rc == ERR_OK)
        ids_uid_to_text(&id->uid, id->uid_text);
    return end(rc, id, h, ret);
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

/* This device, last, behind the earlier ones, all of which are revoked.  Returns how many. */
static size_t recovered_devices(const struct manifest *newest, uint64_t now,
                                struct manifest_device *ret)
{
    size_t n = 0, out = newest->n_devices;

    /* Without room one is left out, best one that readers know to be revoked already. */
    if (newest->n_devices == MANIFEST_DEVICES_MAX)
        out = identity_oldest_revoked(newest->devices, newest->n_devices) % newest->n_devices;
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
        rc = identity_draw_key(h, now, key, public, err);
    if (rc == ERR_OK) {
        id->n_keys++;
        ek.key = PART_OF(public);
        ek.not_before = key->not_before;
        ek.not_after = key->not_after;
        plan.n_devices = recovered_devices(plan.previous, now, devices);
        plan.succession = part(succession.data, succession.len);
        rc = identity_own_device(id, &devices[plan.n_devices - 1], err);
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
    int rc = begin_drawing(plan, v, &id, &h, err);

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
    return end(rc, id, h, ret);
}

/* ---- joining ---- */

static int take_joined(struct identity *id, struct identity_joining *j, struct err *err)
{
    int rc = identity_take_device(id, j->dsk, err);

    if (rc != ERR_OK)
        return rc;
    secret_move(&id->isk, j->isk);
    id->chain = *j->chain;
    *j->chain = (struct chain){.uid = id->chain.uid};
    id->uid = id->chain.uid;
    ids_uid_to_text(&id->uid, id->uid_text);
    (void)identity_take_keys(id, j->keys, j->n_keys);
    if (id->n_keys == 0)
        return err_set(err, ERR_INTEGRITY, "the other device has sent no key of this account");
    if (j->box != NULL)
        memcpy(id->box, j->box, sizeof(id->box));
    id->has_box = j->box != NULL;
    return ERR_OK;
}

int identity_join(const struct identity_plan *plan, struct identity_joining *j,
                  struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    int rc = begin(plan, &id, err);

    if (rc == ERR_OK)
        rc = take_joined(id, j, err);
    return end(rc, id, NULL, ret);
}
