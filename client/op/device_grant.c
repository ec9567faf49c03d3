/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/device_grant.h"

#include <stdio.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/hedge.h"

static int seal_answer(const struct device_grant *g, const struct identity *id,
                       struct secret *account, struct buf *ret, struct err *err)
{
    struct join_answer out = {.manifest = chain_newest(&id->chain)->hash, .has_box = id->has_box};
    struct join_meeting m = device_guest_meeting(g->guest);
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
        rc = join_answer_seal(&out, &m, &ephemeral, ret, err);
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
        identity_keep_name(id, &g->guest->entry.id, g->guest->what.name);
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
