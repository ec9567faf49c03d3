/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h: registering, from profile_begin() to profile_activate() or profile_discard(). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/local/backup.h"
#include "client/local/profile_priv.h"
#include "common/fs.h"

static int set_mark(const char *folder, struct err *err)
{
    char *path = fs_join(folder, PROFILE_MARK);
    int rc = path != NULL ? fs_replace(path, "", 0, 0600, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    free(path);
    return rc;
}

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
        rc = profile_check_keys(place->folder, err);
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
        rc = fs_remove_in(place->folder, "settings", err);
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
        rc = fs_remove_in(p->folder, PROFILE_MARK, err);
    if (rc == ERR_OK)
        rc = profile_equip(p, err);
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
    int rc = profile_object(plan->place->folder, &p, err);

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
    int rc = fs_remove_in(p->folder, PROFILE_MARK, err); /* a crash may have left it */

    if (rc != ERR_OK)
        return rc;
    p->settings.state = SETTINGS_ACTIVE;
    rc = settings_write(p->folder, &p->settings, err);
    if (rc != ERR_OK) {
        p->settings.state = SETTINGS_PENDING;
        return rc;
    }
    return profile_forget_recovery(p, err);
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
        rc = fs_remove_in(folder, "settings", err);
    if (rc == ERR_OK)
        rc = vault_destroy(folder, err);
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, marked ? PROFILE_MARK : "settings", err);
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
