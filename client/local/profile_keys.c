/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h: changes of the keys and of the list of them, made here or by other devices.
 *
 * All are made to an identity of their own, loaded and saved under the vault's lock: another
 * process of ours may have changed it since.
 */
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/profile.h"

/* The identity as it is stored, with the lock held, which is given back on failure. */
static int begin_change(struct profile *p, struct identity **ret, struct err *err)
{
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(p->vault, ret, err);
    if (rc != ERR_OK)
        vault_unlock(p->vault);
    return rc;
}

/* Give back the lock; ${id} goes to ${ret}, or after a failure away. */
static int end_change(int rc, struct profile *p, struct identity *id, struct identity **ret)
{
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

/* ---- the next encryption key ---- */

/* Draw, make the manifest, and store both; the lock is held. */
static int plan_and_save(struct profile *p, struct identity *id,
                         const struct identity_change *change, uint64_t now, struct err *err)
{
    struct hedge *h = NULL;
    int rc = hedge_new(p->vault, &id->hedge, true, &h, err);

    if (rc == ERR_OK)
        rc = identity_plan(id, change, h, now, err);
    hedge_free(h);
    return rc == ERR_OK ? identity_save(id, p->vault, err) : rc;
}

struct profile_care profile_care_for(const struct settings *s, uint64_t now, uint64_t server_now,
                                     uint64_t max_lifetime)
{
    uint64_t longest = settings_lifetime(s);
    struct profile_care care = {.now = now,
                                .erase_at = now,
                                .max_lifetime = max_lifetime < longest ? max_lifetime : longest};

    /* Of two clocks the one that erases less. */
    if (server_now < now)
        care.erase_at = now - server_now > IDENTITY_DAY_MS ? now - IDENTITY_DAY_MS : server_now;
    return care;
}

int profile_plan_next(struct profile *p, const struct profile_care *care, struct identity **ret,
                      struct err *err)
{
    static const struct identity_change fresh_key;
    struct identity *id = NULL;
    bool changes;
    int rc = begin_change(p, &id, err);

    if (rc != ERR_OK)
        return rc;
    changes = identity_next_adds(id);
    if (changes)
        identity_drop_next(id);
    if (identity_has_old(id, care->erase_at, care->max_lifetime)) {
        identity_erase_old(id, care->erase_at, care->max_lifetime);
        changes = true;
    }
    if (changes)
        rc = identity_save(id, p->vault, err);
    if (rc == ERR_OK && identity_due(id, care->now) && id->next == NULL)
        rc = plan_and_save(p, id, &fresh_key, care->now, err);
    return end_change(rc, p, id, ret);
}

int profile_plan_change(struct profile *p, const struct identity_change *change, uint64_t now,
                        struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    int rc = begin_change(p, &id, err);

    if (rc != ERR_OK)
        return rc;
    if (id->next != NULL)
        rc = err_set(err, ERR_BUSY, "another list of keys is on its way to the server; try again");
    if (rc == ERR_OK)
        rc = plan_and_save(p, id, change, now, err);
    return end_change(rc, p, id, ret);
}

int profile_promote(struct profile *p, const struct hash32 *next, const struct profile_care *care,
                    struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    int rc = begin_change(p, &id, err);

    if (rc != ERR_OK)
        return rc;
    if (id->next != NULL && memcmp(&id->next->hash, next, sizeof(*next)) == 0) {
        rc = identity_promote(id, care->erase_at, care->max_lifetime, err);
        if (rc == ERR_OK)
            rc = identity_save(id, p->vault, err);
        if (rc == ERR_OK)
            rc = backup_touch(p->vault, err);
    }
    return end_change(rc, p, id, ret);
}

int profile_drop_next(struct profile *p, const struct hash32 *next, struct identity **ret,
                      struct err *err)
{
    struct identity *id = NULL;
    int rc = begin_change(p, &id, err);

    if (rc != ERR_OK)
        return rc;
    if (id->next != NULL && memcmp(&id->next->hash, next, sizeof(*next)) == 0) {
        identity_drop_next(id);
        rc = identity_save(id, p->vault, err);
    }
    return end_change(rc, p, id, ret);
}

/* ---- what other devices have changed ---- */

static int take_record(struct profile *p, struct identity *id, const struct profile_news *news,
                       struct err *err)
{
    struct identity_key *keys = calloc(IDENTITY_KEYS_MAX, sizeof(*keys));
    size_t n = 0;
    int rc = keys != NULL ? backup_keys(part_secret(news->account), keys, &n, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        (void)identity_take_keys(id, keys, n);
    for (size_t i = 0; keys != NULL && i < IDENTITY_KEYS_MAX; i++)
        secret_free(&keys[i].key);
    free(keys);
    if (rc == ERR_OK)
        rc = backup_names(part_secret(news->account), id, err);
    return rc == ERR_OK ? backup_note_number(p->vault, news->record, err) : rc;
}

/* The manifests that are not here yet. */
static int follow(struct identity *id, struct profile_news *news, struct err *err)
{
    struct hash32 next = {{0}};
    int rc = ERR_OK;

    if (id->next != NULL)
        next = id->next->hash;
    for (size_t i = 0; rc == ERR_OK && i < news->n; i++) {
        struct manifest *m = news->manifests[i];

        /* Another process of ours may have had them before. */
        if (m->sequence <= chain_newest(&id->chain)->sequence)
            continue;
        news->manifests[i] = NULL;
        rc = identity_follow(id, m, err);
    }
    news->ours = rc == ERR_OK && news->n > 0 && chain_find(&id->chain, &next) != NULL;
    return rc;
}

int profile_catch_up(struct profile *p, struct profile_news *news, struct identity **ret,
                     struct err *err)
{
    struct identity *id = NULL;
    int rc = begin_change(p, &id, err);

    if (rc != ERR_OK)
        return rc;
    rc = follow(id, news, err);
    if (rc == ERR_OK && news->account != NULL)
        rc = take_record(p, id, news, err);
    if (rc == ERR_OK)
        rc = identity_save(id, p->vault, err);
    if (rc == ERR_OK && news->ours)
        rc = backup_touch(p->vault, err);
    return end_change(rc, p, id, ret);
}
