/* SPDX-License-Identifier: Apache-2.0 */
/* A profile that is there: looking at it, opening it, changing how it is kept. */
#include <stdlib.h>
#include <string.h>

#include "client/local/backup.h"
#include "client/local/cursor.h"
#include "client/local/profile_priv.h"
#include "common/fs.h"

/* ---- looking ---- */

int profile_check_keys(const char *folder, struct err *err)
{
    char *keys = fs_join(folder, "vault"), *begun = fs_join(folder, PROFILE_MARK);
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
        rc = profile_check_keys(folder, err);
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

int profile_equip(struct profile *p, struct err *err)
{
    int rc = hedge_new(p->vault, &p->id->hedge, false, &p->hedge, err);

    p->backup_due = p->id->has_box && backup_is_due(p->vault);
    p->record = backup_number(p->vault);
    p->factor = cursor_known(p->vault, CURSOR_FACTOR);
    p->own_factor = cursor_known(p->vault, CURSOR_OWN_FACTOR);
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

int profile_object(const char *folder, struct profile **ret, struct err *err)
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

int profile_forget_recovery(struct profile *p, struct err *err)
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
    int rc = profile_object(folder, &p, err);

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
        rc = profile_forget_recovery(p, err);
    if (rc == ERR_OK)
        rc = profile_equip(p, err);
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
