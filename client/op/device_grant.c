/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/device_grant.h"

#include <stdio.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/hedge.h"

int device_grant_check_pin(const struct settings *ours, const struct join_request *joiner,
                           struct err *err)
{
    struct pin pin;

    if (!joiner->has_pin)
        return ERR_OK;
    if (ours->pin == NULL) {
        err_set(err, ERR_PIN, "this device trusts the server through authorities");
        err_hint(err, "join with the same: satchel device join --ca");
        return ERR_PIN;
    }
    if (pin_decode(&pin, ours->pin, err) != ERR_OK || !pin_equal(&pin, &joiner->pin)) {
        err_set(err, ERR_PIN, "the new device sees another key than '%s' has", ours->server);
        err_hint(err, "somebody may be in between: is the server's name right there?");
        return ERR_PIN;
    }
    return ERR_OK;
}

int device_grant_entry(const struct join_request *joiner, struct manifest_device *ret)
{
    *ret = (struct manifest_device){.has_box = true};
    memcpy(ret->key, joiner->device_key, sizeof(ret->key));
    memcpy(ret->box, joiner->box, sizeof(ret->box));
    return ids_device(ret->key, &ret->id);
}

static int seal_answer(const struct device_grant *g, const struct identity *id,
                       struct secret *account, struct buf *ret, struct err *err)
{
    struct join_answer out = {.manifest = chain_newest(&id->chain)->hash, .has_box = id->has_box};
    struct secret ephemeral = {0};
    int rc = secret_copy(&out.isk, id->isk.data, id->isk.len, err);

    secret_move(&out.account, account);
    memcpy(out.recovery_box, id->box, sizeof(out.recovery_box));
    (void)snprintf(out.username, sizeof(out.username), "%s", id->username);
    (void)snprintf(out.email, sizeof(out.email), "%s", id->email);
    (void)snprintf(out.name, sizeof(out.name), "%s", g->name);
    if (rc == ERR_OK)
        rc = hedge_draw(g->profile->hedge, "join answer", part(NULL, 0), &ephemeral, err);
    if (rc == ERR_OK)
        rc = join_answer_seal(&out, g->meeting, g->joiner->key, &ephemeral, ret, err);
    join_answer_free(&out);
    secret_free(&ephemeral);
    return rc;
}

int device_grant(const struct device_grant *g, struct identity **ret_id, struct buf *ret_answer,
                 struct err *err)
{
    struct vault *v = g->profile->vault;
    struct identity *id = NULL;
    struct secret account = {0};
    struct backup_made made; /* the deposit that follows tells what is left out */
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(v, &id, err);
    if (rc == ERR_OK) {
        identity_keep_name(id, &id->device, g->name);
        identity_keep_name(id, &g->device->id, g->joiner->name);
        rc = identity_save(id, v, err);
    }
    if (rc == ERR_OK)
        rc = backup_build(v, id, &account, &made, err);
    vault_unlock(v);
    if (rc == ERR_OK)
        rc = seal_answer(g, id, &account, ret_answer, err);
    secret_free(&account);
    if (rc == ERR_OK)
        *ret_id = id;
    else
        identity_unref(id);
    return rc;
}

int device_grant_code(struct profile *p, struct join_code *ret, struct err *err)
{
    struct secret s = {0};
    int rc = hedge_draw(p->hedge, "join code", part(NULL, 0), &s, err);

    if (rc == ERR_OK) {
        secret_truncate(&s, JOIN_SECRET_LEN);
        rc = join_code_make(ret, &s, err);
    }
    secret_free(&s);
    return rc;
}
