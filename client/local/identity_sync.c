/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h: what other devices of the same user have changed. */
#include <stdio.h>
#include <string.h>

#include "client/local/identity_priv.h"
#include "common/transfer/utf8.h"

int identity_follow(struct identity *id, struct manifest *m, struct err *err)
{
    const struct manifest *newest;
    enum chain_change change;
    int rc;

    if (id->next != NULL && memcmp(&id->next->hash, &m->hash, sizeof(m->hash)) == 0) {
        manifest_free(m);
        return identity_promote(id, 0, 0, err);
    }
    rc = chain_add(&id->chain, m, &change, err);
    if (rc != ERR_OK)
        return rc;
    newest = chain_newest(&id->chain);
    if (id->next != NULL && id->next->sequence <= newest->sequence)
        identity_drop_next(id);
    return ERR_OK;
}

/* ---- keys ---- */

static bool is_listed(const struct chain *chain, const struct ek_id *id)
{
    for (size_t i = 0; i < chain->n; i++)
        if (manifest_ek(chain->m[i], id) != NULL)
            return true;
    return false;
}

/* Where it belongs among those that are here: by the time when it begins. */
static void insert_key(struct identity *id, struct identity_key *k)
{
    size_t at = id->n_keys;

    while (at > 0 && id->keys[at - 1].not_before > k->not_before)
        at--;
    if (id->n_keys == IDENTITY_KEYS_MAX) { /* the oldest gives way */
        if (at == 0)
            return;
        identity_erase_key(id, 0);
        at--;
    }
    memmove(&id->keys[at + 1], &id->keys[at], (id->n_keys - at) * sizeof(id->keys[0]));
    id->keys[at] = *k;
    id->n_keys++;
    k->key = (struct secret){0};
}

size_t identity_take_keys(struct identity *id, struct identity_key *keys, size_t n)
{
    size_t taken = 0;

    for (size_t i = 0; i < n; i++) {
        if (identity_ek(id, &keys[i].id) != NULL || !is_listed(&id->chain, &keys[i].id))
            continue;
        insert_key(id, &keys[i]);
        taken += keys[i].key.len == 0;
    }
    return taken;
}

bool identity_lacks_key(const struct identity *id)
{
    const struct manifest *newest = chain_newest(&id->chain);

    for (size_t i = newest->n_eks; i > 0; i--)
        if (newest->eks[i - 1].suite == IDS_SUITE_X25519)
            return identity_ek(id, &newest->eks[i - 1].id) == NULL;
    return false;
}

/* ---- names ---- */

bool identity_name_fits(const char *name)
{
    if (strlen(name) >= IDENTITY_NAME_SIZE || !utf8_valid(name))
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

const char *identity_name(const struct identity *id, const struct device_id *device)
{
    for (size_t i = 0; i < id->n_names; i++)
        if (memcmp(&id->names[i].device, device, sizeof(*device)) == 0)
            return id->names[i].name;
    return "";
}

void identity_keep_name(struct identity *id, const struct device_id *device, const char *name)
{
    size_t at = 0;

    if (name[0] == '\0')
        return;
    while (at < id->n_names && memcmp(&id->names[at].device, device, sizeof(*device)) != 0)
        at++;
    if (at == MANIFEST_DEVICES_MAX) {
        memmove(&id->names[0], &id->names[1], (id->n_names - 1) * sizeof(id->names[0]));
        at = --id->n_names;
    }
    if (at == id->n_names)
        id->n_names++;
    id->names[at].device = *device;
    (void)snprintf(id->names[at].name, sizeof(id->names[at].name), "%s", name);
}
