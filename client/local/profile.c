/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/backup.h"
#include "client/local/cursor.h"
#include "common/fs.h"

/*
 * The empty file `begun` says that keys here are nobody's yet: of a registration that has no
 * settings so far, or that is being given up.  Without it keys without settings are a user's whose
 * settings were lost.
 */
static const char mark[] = "begun";

static int remove_file(const char *folder, const char *name, struct err *err)
{
    char *path = fs_join(folder, name);
    int rc = path != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && unlink(path) != 0 && errno != ENOENT)
        rc = err_sys(err, errno, "cannot remove '%s'", path);
    free(path);
    return rc;
}

static int set_mark(const char *folder, struct err *err)
{
    char *path = fs_join(folder, mark);
    int rc = path != NULL ? fs_replace(path, "", 0, 0600, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    free(path);
    return rc;
}

/* ---- looking ---- */

/* There are no settings: has the folder keys that somebody needs? */
static int check_keys(const char *folder, struct err *err)
{
    char *keys = fs_join(folder, "vault"), *begun = fs_join(folder, mark);
    int rc = keys != NULL && begun != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && fs_exists(keys) && !fs_exists(begun)) {
        rc = err_set(err, ERR_CORRUPT, "'%s/settings' is missing; the keys beside it are kept",
                     folder);
        /* An older satchel that was killed while it registered has left them so, without words. */
        err_hint(err, PLACE_LOST_HINT "; keys that were never registered go with: "
                                      "satchel profile reset NAME");
    }
    free(keys);
    free(begun);
    return rc;
}

int profile_look(const char *folder, struct profile_look *ret, struct err *err)
{
    struct profile_look l = {0};
    struct vault_view view = {0};
    int rc = settings_read(folder, &l.settings, err);

    if (rc == ERR_NOTFOUND) {
        rc = check_keys(folder, err);
        if (rc == ERR_OK)
            *ret = l;
        return rc;
    }
    if (rc == ERR_OK)
        rc = vault_look(folder, &view, err);
    if (rc != ERR_OK) {
        settings_free(&l.settings);
        return rc;
    }
    l.passphrase = view.passphrase;
    l.state = l.settings.state == SETTINGS_ACTIVE ? PROFILE_ACTIVE : PROFILE_PENDING;
    *ret = l;
    return ERR_OK;
}

void profile_look_free(struct profile_look *l)
{
    settings_free(&l->settings);
}

/* ---- opening ---- */

void profile_close(struct profile *p)
{
    if (p == NULL)
        return;
    seen_free(p->seen);
    hedge_free(p->hedge);
    identity_unref(p->id);
    vault_close(p->vault);
    settings_free(&p->settings);
    free(p->folder);
    free(p);
}

/* What stands on vault and identity, which are there already. */
static int equip(struct profile *p, struct err *err)
{
    int rc = hedge_new(p->vault, &p->id->hedge, false, &p->hedge, err);

    p->backup_due = p->id->has_box && backup_is_due(p->vault);
    p->record = backup_number(p->vault);
    p->factor = cursor_known(p->vault, CURSOR_FACTOR);
    return rc == ERR_OK ? seen_new(p->vault, &p->seen, err) : rc;
}

/* The settings are plain text: what the vault says as well must agree. */
static int agree(const struct profile *p, struct err *err)
{
    if (strcmp(p->settings.username, p->id->username) == 0 &&
        strcmp(p->settings.user_id, p->id->uid_text) == 0)
        return ERR_OK;
    return err_set(err, ERR_CORRUPT, "'%s/settings' is not of the user in the vault", p->folder);
}

static int begin_object(const char *folder, struct profile **ret, struct err *err)
{
    struct profile *p = calloc(1, sizeof(*p));

    if (p != NULL)
        p->folder = strdup(folder);
    if (p == NULL || p->folder == NULL) {
        profile_close(p);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret = p;
    return ERR_OK;
}

/* A crash after the words were shown, before the seed was erased. */
static int forget_recovery(struct profile *p, struct err *err)
{
    int rc;

    if (p->settings.state != SETTINGS_ACTIVE || p->id->recovery.len == 0)
        return ERR_OK;
    rc = vault_lock(p->vault, err);
    if (rc != ERR_OK)
        return rc;
    secret_free(&p->id->recovery);
    rc = identity_save(p->id, p->vault, err);
    vault_unlock(p->vault);
    return rc;
}

/* With keys that are at hand, or with NULL and a passphrase. */
static int open_with(const char *folder, const struct vault_keys *keys,
                     const struct secret *passphrase, struct profile **ret, struct err *err)
{
    struct profile *p = NULL;
    int rc = begin_object(folder, &p, err);

    if (rc != ERR_OK)
        return rc;
    rc = settings_read(folder, &p->settings, err);
    if (rc == ERR_OK && keys != NULL)
        rc = vault_open_keys(folder, keys, &p->vault, err);
    else if (rc == ERR_OK)
        rc = vault_open(folder, passphrase, &p->vault, err);
    if (rc == ERR_OK)
        rc = identity_load(p->vault, &p->id, err);
    if (rc == ERR_OK)
        rc = agree(p, err);
    if (rc == ERR_OK)
        rc = forget_recovery(p, err);
    if (rc == ERR_OK)
        rc = equip(p, err);
    if (rc == ERR_OK)
        *ret = p;
    else
        profile_close(p);
    return rc;
}

int profile_open(const char *folder, const struct secret *passphrase, struct profile **ret,
                 struct err *err)
{
    return open_with(folder, NULL, passphrase, ret, err);
}

int profile_open_keys(const char *folder, const struct vault_keys *keys, struct profile **ret,
                      struct err *err)
{
    return open_with(folder, keys, NULL, ret, err);
}

int profile_passphrase(struct profile *p, const struct secret *passphrase, bool renew,
                       struct err *err)
{
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = renew ? vault_renew(p->vault, passphrase, err) : vault_rewrap(p->vault, passphrase, err);
    vault_unlock(p->vault);
    return rc;
}

int profile_device_secret(struct profile *p, const struct secret *passphrase, bool keyring,
                          struct err *err)
{
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = vault_move_device(p->vault, passphrase, keyring, err);
    vault_unlock(p->vault);
    return rc;
}

/* ---- registering ---- */

static bool is_user(const struct settings *s, const struct uid *uid)
{
    char text[IDS_UID_TEXT];

    ids_uid_to_text(uid, text);
    return s->user_id != NULL && strcmp(s->user_id, text) == 0;
}

/* The folder, its lock taken, and nothing in it that somebody still needs. */
static int clear_folder(const struct place *place, const struct uid *recovered,
                        struct lock **ret_lock, struct err *err)
{
    char *path = fs_join(place->folder, "lock");
    struct settings old = {0};
    struct lock *lock = NULL;
    bool found;
    int rc = path != NULL ? place_make(place, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = lock_open(path, &lock, err);
    free(path);
    if (rc == ERR_OK)
        rc = lock_take(lock, VAULT_LOCK_MS, err);
    if (rc != ERR_OK) {
        lock_close(lock);
        return rc;
    }
    rc = settings_read(place->folder, &old, err);
    found = rc == ERR_OK;
    if (rc == ERR_NOTFOUND)
        rc = check_keys(place->folder, err);
    if (found && old.state == SETTINGS_ACTIVE) {
        rc = err_set(err, ERR_EXISTS, "profile '%s' is registered already, as %s", place->profile,
                     old.username);
        err_hint(err, "choose another one with --profile");
    } else if (found && recovered != NULL && !is_user(&old, recovered)) {
        rc = err_set(err, ERR_EXISTS, "in profile '%s' the registration of %s was begun",
                     place->profile, old.username);
        err_hint(err, "choose another one with --profile");
    }
    if (rc == ERR_OK)
        rc = set_mark(place->folder, err);
    if (rc == ERR_OK)
        rc = remove_file(place->folder, "settings", err);
    settings_free(&old);
    if (rc != ERR_OK) {
        lock_give(lock);
        lock_close(lock);
        return rc;
    }
    *ret_lock = lock;
    return ERR_OK;
}

static int make_identity(struct profile *p, const struct profile_plan *plan, struct err *err)
{
    if (plan->recovery != NULL)
        return identity_recover(&plan->identity, plan->recovery, p->vault, &p->id, err);
    if (plan->joining != NULL)
        return identity_join(&plan->identity, plan->joining, &p->id, err);
    return identity_make(&plan->identity, p->vault, &p->id, err);
}

/* Keys, then the settings, which make all of it count.  The lock is held. */
static int fill_folder(struct profile *p, const struct profile_plan *plan, struct err *err)
{
    int rc = make_identity(p, plan, err);

    if (rc == ERR_OK && plan->account != NULL)
        rc = backup_names(part_secret(plan->account), p->id, err);
    if (rc == ERR_OK && plan->account != NULL)
        rc = backup_note_rest(p->vault, plan->account, err);
    if (rc == ERR_OK)
        rc = identity_save(p->id, p->vault, err);
    if (rc == ERR_OK)
        rc = settings_copy(plan->settings, &p->settings, err);
    if (rc == ERR_OK)
        rc = settings_set(&p->settings.username, p->id->username, err);
    if (rc == ERR_OK)
        rc = settings_set(&p->settings.user_id, p->id->uid_text, err);
    p->settings.state = SETTINGS_PENDING;
    if (rc == ERR_OK)
        rc = settings_write(p->folder, &p->settings, err);
    if (rc == ERR_OK)
        rc = remove_file(p->folder, mark, err);
    if (rc == ERR_OK)
        rc = equip(p, err);
    return rc;
}

/* NULL: it is a new one. */
static const struct uid *known_user(const struct profile_plan *plan)
{
    if (plan->recovery != NULL)
        return &plan->recovery->chain->uid;
    return plan->joining != NULL ? &plan->joining->chain->uid : NULL;
}

int profile_begin(const struct profile_plan *plan, struct profile **ret, struct err *err)
{
    struct profile *p = NULL;
    struct lock *lock = NULL;
    int rc = begin_object(plan->place->folder, &p, err);

    if (rc == ERR_OK)
        rc = clear_folder(plan->place, known_user(plan), &lock, err);
    if (rc != ERR_OK) {
        profile_close(p);
        return rc;
    }
    rc = vault_create(p->folder, plan->passphrase, lock, &p->vault, err);
    if (rc != ERR_OK) {
        lock_give(lock);
        lock_close(lock);
        profile_close(p);
        return rc;
    }
    rc = fill_folder(p, plan, err);
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = p;
    else
        profile_close(p);
    return rc;
}

int profile_activate(struct profile *p, struct err *err)
{
    int rc = remove_file(p->folder, mark, err); /* a crash may have left it */

    if (rc != ERR_OK)
        return rc;
    p->settings.state = SETTINGS_ACTIVE;
    rc = settings_write(p->folder, &p->settings, err);
    if (rc != ERR_OK) {
        p->settings.state = SETTINGS_PENDING;
        return rc;
    }
    return forget_recovery(p, err);
}

/*
 * On a full disk there is no mark, and the keys go all the same, before the settings: a crash in
 * between leaves settings without keys, which registering again takes the place of.
 */
int profile_discard(struct profile *p, struct err *err)
{
    char *folder = strdup(p->folder), *lock = NULL;
    int rc = folder != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    bool marked = false;

    profile_close(p);
    if (rc == ERR_OK)
        marked = set_mark(folder, NULL) == ERR_OK;
    if (marked)
        rc = remove_file(folder, "settings", err);
    if (rc == ERR_OK)
        rc = vault_destroy(folder, err);
    if (rc == ERR_OK)
        rc = remove_file(folder, marked ? mark : "settings", err);
    if (rc == ERR_OK) {
        lock = fs_join(folder, "lock");
        if (lock != NULL)
            (void)unlink(lock);
        (void)rmdir(folder);
    }
    free(lock);
    free(folder);
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
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    /* Another process may have been faster. */
    rc = identity_load(p->vault, &id, err);
    changes = rc == ERR_OK && identity_next_adds(id);
    if (changes)
        identity_drop_next(id);
    if (rc == ERR_OK && identity_has_old(id, care->erase_at, care->max_lifetime)) {
        identity_erase_old(id, care->erase_at, care->max_lifetime);
        changes = true;
    }
    if (changes)
        rc = identity_save(id, p->vault, err);
    if (rc == ERR_OK && identity_due(id, care->now) && id->next == NULL)
        rc = plan_and_save(p, id, &fresh_key, care->now, err);
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

int profile_plan_change(struct profile *p, const struct identity_change *change, uint64_t now,
                        struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(p->vault, &id, err);
    if (rc == ERR_OK && id->next != NULL)
        rc = err_set(err, ERR_BUSY, "another list of keys is on its way to the server; try again");
    if (rc == ERR_OK)
        rc = plan_and_save(p, id, change, now, err);
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

int profile_promote(struct profile *p, const struct hash32 *next, uint64_t now,
                    uint64_t max_lifetime, struct identity **ret, struct err *err)
{
    struct identity *id = NULL;
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(p->vault, &id, err);
    if (rc == ERR_OK && id->next != NULL && memcmp(&id->next->hash, next, sizeof(*next)) == 0) {
        rc = identity_promote(id, now, max_lifetime, err);
        if (rc == ERR_OK)
            rc = identity_save(id, p->vault, err);
        if (rc == ERR_OK)
            rc = backup_touch(p->vault, err);
    }
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}

int profile_set_receipts(struct profile *p, unsigned receipts, struct err *err)
{
    struct settings now = {0};
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = settings_read(p->folder, &now, err); /* another process may have changed the rest */
    now.receipts = receipts;
    if (rc == ERR_OK)
        rc = settings_write(p->folder, &now, err);
    vault_unlock(p->vault);
    settings_free(&now);
    return rc;
}

int profile_drop_next(struct profile *p, const struct hash32 *next, struct identity **ret,
                      struct err *err)
{
    struct identity *id = NULL;
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(p->vault, &id, err);
    if (rc == ERR_OK && id->next != NULL && memcmp(&id->next->hash, next, sizeof(*next)) == 0) {
        identity_drop_next(id);
        rc = identity_save(id, p->vault, err);
    }
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
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
    int rc = vault_lock(p->vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = identity_load(p->vault, &id, err);
    if (rc == ERR_OK)
        rc = follow(id, news, err);
    if (rc == ERR_OK && news->account != NULL)
        rc = take_record(p, id, news, err);
    if (rc == ERR_OK)
        rc = identity_save(id, p->vault, err);
    if (rc == ERR_OK && news->ours)
        rc = backup_touch(p->vault, err);
    vault_unlock(p->vault);
    if (rc == ERR_OK)
        *ret = id;
    else
        identity_unref(id);
    return rc;
}
