/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/arrival.h"

#include <stdlib.h>
#include <string.h>

void arrival_free(struct arrival *a)
{
    settings_free(&a->target);
    settings_free(&a->settings);
    secret_free(&a->passphrase);
    chain_free(&a->chain);
    profile_close(a->profile);
    a->profile = NULL;
}

int arrival_check(const struct satchel *s, struct err *err)
{
    struct profile_look look = {0};
    int rc;

    if (s->profile != NULL || s->n_ops > 0 || s->closing)
        return err_set(err, ERR_BADSTATE, "the handle is in use");
    rc = profile_look(s->place.folder, &look, err);
    if (rc == ERR_OK && look.state == PROFILE_ACTIVE) {
        rc = err_set(err, ERR_EXISTS, "profile '%s' is there already, as %s", s->place.profile,
                     look.settings.username);
        err_hint(err, "choose another one with --profile");
    }
    profile_look_free(&look);
    return rc;
}

int arrival_greeted(struct arrival *a, const struct satchel *s, struct err *err)
{
    const struct session_hello *hello;
    int rc;

    if (s->link.session == NULL)
        return err_set(err, ERR_CLOSED, "the connection was lost");
    hello = session_hello(s->link.session);
    a->server = hello->server;
    /* With the pin that was asked for or confirmed on the way. */
    rc = settings_copy(&s->link.target, &a->settings, err);
    if (rc == ERR_OK)
        settings_pin_lifetime(&a->settings, hello->max_lifetime);
    return rc;
}

int arrival_take(struct arrival *a, Satchel__Signed *const *manifests, size_t count, uint64_t last,
                 struct err *err)
{
    static const struct uid nobody;
    size_t had = a->chain.n;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        const Satchel__Signed *s = manifests[i];
        struct manifest *one = NULL;
        enum chain_change change;

        rc = manifest_parse(part(s->body.data, s->body.len),
                            part(s->signature.data, s->signature.len), &one, err);
        if (rc == ERR_OK && memcmp(&a->chain.uid, &nobody, sizeof(nobody)) == 0)
            a->chain.uid = one->uid;
        if (rc == ERR_OK)
            rc = chain_add(&a->chain, one, &change, err);
    }
    if (rc == ERR_OK && a->chain.n == had)
        rc = err_set(err, ERR_PROTO, "the server holds back manifests");
    a->last = last;
    return rc;
}

bool arrival_has_all(const struct arrival *a)
{
    return a->chain.n >= a->last;
}

void arrival_settle(struct arrival *a, struct satchel *s)
{
    s->profile = a->profile;
    a->profile = NULL;
}

struct identity_key *arrival_keys(void)
{
    return calloc(IDENTITY_KEYS_MAX, sizeof(struct identity_key));
}

void arrival_keys_free(struct identity_key *keys)
{
    for (size_t i = 0; keys != NULL && i < IDENTITY_KEYS_MAX; i++)
        secret_free(&keys[i].key);
    free(keys);
}
