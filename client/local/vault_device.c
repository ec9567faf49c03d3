/* SPDX-License-Identifier: Apache-2.0 */
/* The device secret of a vault: in a file beside it, or in the desktop's keyring. */
#include <stdlib.h>
#include <string.h>

#include "client/local/keyring.h"
#include "client/local/place.h"
#include "client/local/vault_priv.h"
#include "common/crypto/rng.h"
#include "common/fs.h"

static int write_file(const char *folder, const struct secret *secret, struct err *err)
{
    char *path = NULL;
    int rc = vault_path(folder, "device", &path, err);

    if (rc == ERR_OK)
        rc = fs_replace(path, secret->data, secret->len, 0600, err);
    free(path);
    return rc;
}

static int draw(struct secret *ret, struct err *err)
{
    int rc = secret_new(ret, VAULT_FILE_KEY_LEN, err);

    if (rc == ERR_OK) {
        rc = rng_bytes(ret->data, ret->len);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot draw a device secret");
    }
    return rc;
}

int vault_device_make(const char *folder, const uint8_t id[VAULT_FILE_ID_LEN], bool keyring,
                      struct secret *ret, struct err *err)
{
    struct secret s = {0};
    int rc = draw(&s, err);

    if (rc == ERR_OK)
        rc = keyring ? keyring_put(id, &s, err) : write_file(folder, &s, err);
    if (rc == ERR_OK)
        secret_move(ret, &s);
    secret_free(&s);
    return rc;
}

int vault_device_choose(const char *folder, const uint8_t id[VAULT_FILE_ID_LEN], struct secret *ret,
                        bool *ret_keyring, struct err *err)
{
    const char *choice = getenv("SATCHEL_KEYRING");
    bool chosen = choice != NULL && choice[0] != '\0';

    if (chosen && strcmp(choice, "on") != 0 && strcmp(choice, "off") != 0)
        return err_set(err, ERR_INVALID, "SATCHEL_KEYRING is '%s', neither on nor off", choice);
    *ret_keyring = chosen ? strcmp(choice, "on") == 0 : keyring_at_desktop();
    /* Unasked, the keyring is used if it works, and nothing is said if it does not. */
    if (!chosen && *ret_keyring && vault_device_make(folder, id, true, ret, NULL) == ERR_OK)
        return ERR_OK;
    *ret_keyring = *ret_keyring && chosen;
    return vault_device_make(folder, id, *ret_keyring, ret, err);
}

int vault_device_read(const char *folder, const struct vault_view *view, struct secret *ret,
                      struct err *err)
{
    char *path = NULL;
    int rc;

    if (view->keyring)
        return keyring_get(view->id, ret, err);
    rc = vault_path(folder, "device", &path, err);
    if (rc == ERR_OK)
        rc = fs_read_secret(path, VAULT_FILE_KEY_LEN, ret, err);
    /* Whoever can look sees that it is not there: that is no secret to keep. */
    if (rc == ERR_NOTFOUND) {
        rc = err_set(err, ERR_CORRUPT, "'%s' is missing: the vault needs it to be opened", path);
        err_hint(err, PLACE_LOST_HINT);
    }
    free(path);
    return rc;
}

/* The old secret goes when nothing needs it any more. */
static int drop(const struct vault *v, bool keyring, struct err *err)
{
    int rc;

    if (keyring) {
        keyring_forget(v->keys.id);
        return ERR_OK;
    }
    rc = fs_remove_in(v->folder, "device", err);
    return rc == ERR_OK ? fs_sync_dir(v->folder, err) : rc;
}

int vault_move_device(struct vault *v, const struct secret *passphrase, bool keyring,
                      struct err *err)
{
    struct secret device = {0};
    struct vault_factors f = {.passphrase = passphrase, .device = &device, .keyring = keyring};
    struct vault_view view = {0};
    struct buf file = {0};
    char *path = NULL;
    int rc = vault_look(v->folder, &view, err);

    if (rc != ERR_OK || view.keyring == keyring)
        return rc;
    rc = vault_path(v->folder, "vault", &path, err);
    if (rc == ERR_OK)
        rc = vault_device_make(v->folder, v->keys.id, keyring, &device, err);
    if (rc == ERR_OK)
        rc = vault_file_wrap(&v->keys, &f, &file, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, file.data, file.len, 0600, err);
    if (rc == ERR_OK)
        rc = drop(v, view.keyring, err);
    secret_free(&device);
    buf_free(&file);
    free(path);
    return rc;
}
