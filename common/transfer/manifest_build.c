/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/manifest_build.h"

#include <stdlib.h>

#include "common/crypto/ed25519.h"
#include "common/transfer/wire.h"

/* A message with room for its lists; the structures pointed to are in the same object. */
struct draft {
    Satchel__Manifest msg;
    struct uid uid;
    uint8_t identity_key[IDS_KEY_LEN];
    Satchel__Device devices[MANIFEST_DEVICES_MAX];
    Satchel__EncryptionKey eks[MANIFEST_KEYS_MAX];
    Satchel__Signed successions[MANIFEST_SUCCESSIONS_MAX];
    Satchel__Device *device_list[MANIFEST_DEVICES_MAX];
    Satchel__EncryptionKey *ek_list[MANIFEST_KEYS_MAX];
    Satchel__Signed *succession_list[MANIFEST_SUCCESSIONS_MAX];
    struct buf succession; /* body of the one that is added */
    uint8_t succession_sig[SIGNED_SIG_LEN];
};

static int draft_keys(struct draft *d, const struct manifest_build_plan *plan,
                      const struct secret *identity, struct err *err)
{
    const struct manifest *prev = plan->previous;
    const uint8_t *recovery = prev != NULL ? prev->recovery_key : plan->recovery_key;
    const uint8_t *first = prev != NULL ? prev->first_identity_key : d->identity_key;
    int rc;

    if (identity->len != ED25519_SEED_LEN || recovery == NULL)
        return err_set(err, ERR_INVALID, "a manifest needs an identity and a recovery key");
    rc = ed25519_public(d->identity_key, identity->data);
    if (rc == ERR_OK)
        rc = ids_uid(first, recovery, &d->uid);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot make a manifest");
    d->msg.version = 1;
    d->msg.user_id = wire_data(PART_OF(d->uid.b));
    d->msg.first_identity_key = wire_data(part(first, IDS_KEY_LEN));
    d->msg.recovery_key = wire_data(part(recovery, IDS_KEY_LEN));
    d->msg.sequence = 1;
    if (prev != NULL) {
        d->msg.sequence = prev->sequence + 1;
        d->msg.previous = wire_data(PART_OF(prev->hash.b));
    }
    d->msg.created = plan->created;
    if (plan->account != NULL)
        d->msg.account = wire_data(PART_OF(plan->account->b));
    return ERR_OK;
}

static int draft_lists(struct draft *d, const struct manifest_build_plan *plan, struct err *err)
{
    if (plan->n_devices > MANIFEST_DEVICES_MAX || plan->n_eks > MANIFEST_KEYS_MAX)
        return err_set(err, ERR_INVALID, "a manifest has at most 64 devices and 64 keys");
    for (size_t i = 0; i < plan->n_devices; i++) {
        satchel__device__init(&d->devices[i]);
        d->devices[i].key = wire_data(PART_OF(plan->devices[i].key));
        d->devices[i].added = plan->devices[i].added;
        d->devices[i].revoked = plan->devices[i].revoked;
        if (plan->devices[i].has_box)
            d->devices[i].box = wire_data(PART_OF(plan->devices[i].box));
        d->device_list[i] = &d->devices[i];
    }
    for (size_t i = 0; i < plan->n_eks; i++) {
        satchel__encryption_key__init(&d->eks[i]);
        d->eks[i].suite = plan->eks[i].suite;
        d->eks[i].key = wire_data(plan->eks[i].key);
        d->eks[i].not_before = plan->eks[i].not_before;
        d->eks[i].not_after = plan->eks[i].not_after;
        d->ek_list[i] = &d->eks[i];
    }
    d->msg.n_devices = plan->n_devices;
    d->msg.devices = d->device_list;
    d->msg.n_keys = plan->n_eks;
    d->msg.keys = d->ek_list;
    return ERR_OK;
}

static int draft_successions(struct draft *d, const struct manifest_build_plan *plan,
                             struct err *err)
{
    size_t n = plan->previous != NULL ? plan->previous->n_successions : 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        satchel__signed__init(&d->successions[i]);
        d->successions[i].body = wire_data(plan->previous->successions[i].body);
        d->successions[i].signature = wire_data(plan->previous->successions[i].signature);
    }
    if (plan->succession.len > 0) {
        if (n == MANIFEST_SUCCESSIONS_MAX)
            return err_set(err, ERR_INVALID, "a manifest has at most 16 successions");
        rc = signed_unpack(plan->succession, MANIFEST_MAX, &d->succession, d->succession_sig, err);
        if (rc != ERR_OK)
            return rc;
        satchel__signed__init(&d->successions[n]);
        d->successions[n].body = wire_data(part(d->succession.data, d->succession.len));
        d->successions[n].signature = wire_data(PART_OF(d->succession_sig));
        n++;
    }
    for (size_t i = 0; i < n; i++)
        d->succession_list[i] = &d->successions[i];
    d->msg.n_successions = n;
    d->msg.successions = d->succession_list;
    return ERR_OK;
}

static int sign_and_parse(const struct draft *d, const struct manifest_build_plan *plan,
                          const struct secret *identity, struct manifest **ret_m, struct err *err)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    struct manifest *m = NULL;
    int rc = wire_pack(&d->msg.base, &body, err);

    if (rc == ERR_OK)
        rc = signed_make(SIGNED_MANIFEST, identity, part(body.data, body.len), sig, err);
    if (rc == ERR_OK)
        rc = manifest_parse(part(body.data, body.len), PART_OF(sig), &m, err);
    if (rc == ERR_OK && plan->previous != NULL)
        rc = manifest_follows(plan->previous, m, err);
    buf_free(&body);
    if (rc == ERR_OK)
        *ret_m = m;
    else
        manifest_free(m);
    return rc;
}

int manifest_build(const struct manifest_build_plan *plan, const struct secret *identity,
                   struct manifest **ret_m, struct err *err)
{
    struct draft *d = calloc(1, sizeof(*d));
    int rc;

    if (d == NULL)
        return err_set(err, ERR_NOMEM, "manifest");
    satchel__manifest__init(&d->msg);
    rc = draft_keys(d, plan, identity, err);
    if (rc == ERR_OK)
        rc = draft_lists(d, plan, err);
    if (rc == ERR_OK)
        rc = draft_successions(d, plan, err);
    if (rc == ERR_OK)
        rc = sign_and_parse(d, plan, identity, ret_m, err);
    buf_free(&d->succession);
    free(d);
    return rc;
}

int manifest_build_succession(const struct manifest_build_succession *s,
                              const struct secret *recovery, struct buf *out, struct err *err)
{
    Satchel__Succession msg = SATCHEL__SUCCESSION__INIT;
    uint8_t sig[SIGNED_SIG_LEN];
    struct buf body = {0};
    int rc;

    msg.version = 1;
    msg.user_id = wire_data(PART_OF(s->uid.b));
    msg.number = s->number;
    msg.identity_key = wire_data(PART_OF(s->identity_key));
    msg.last_manifest = wire_data(PART_OF(s->last_manifest.b));
    rc = wire_pack(&msg.base, &body, err);
    if (rc == ERR_OK)
        rc = signed_make(SIGNED_SUCCESSION, recovery, part(body.data, body.len), sig, err);
    if (rc == ERR_OK)
        rc = signed_pack(part(body.data, body.len), PART_OF(sig), out, err);
    buf_free(&body);
    return rc;
}
