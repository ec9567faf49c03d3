/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's key file: making, opening, wrapping anew. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/local/keyring.h"
#include "client/local/vault_priv.h"
#include "common/fs.h"

const uint8_t vault_ids_id[VAULT_RECORD_ID_LEN]; /* zeros */

enum { AT_VAULT_ID = 12 }; /* in the key file */

int vault_create(const char *folder, const struct secret *passphrase, struct lock *lock,
                 struct vault **ret, struct err *err)
{
    struct vault_keys keys = {0};
    struct secret device = {0};
    struct buf file = {0};
    char *key_path = NULL, *records = NULL;
    bool keyring = false;
    int rc = vault_destroy(folder, err);

    if (rc == ERR_OK)
        rc = vault_path(folder, "vault", &key_path, err);
    if (rc == ERR_OK)
        rc = vault_path(folder, "records", &records, err);
    if (rc == ERR_OK)
        rc = fs_mkdirs(records, 0700, err);
    if (rc == ERR_OK)
        rc = vault_file_new(&keys, err);
    if (rc == ERR_OK)
        rc = vault_device_choose(folder, keys.id, &device, &keyring, err);
    if (rc == ERR_OK) {
        struct vault_factors f = {.passphrase = passphrase, .device = &device, .keyring = keyring};

        rc = vault_file_wrap(&keys, &f, &file, err);
    }
    if (rc == ERR_OK)
        rc = fs_replace(key_path, file.data, file.len, 0600, err);
    if (rc == ERR_OK)
        rc = vault_make(folder, &keys, lock, ret, err);
    vault_keys_free(&keys);
    secret_free(&device);
    buf_free(&file);
    free(key_path);
    free(records);
    return rc;
}

static int read_key_file(const char *folder, struct buf *out, struct err *err)
{
    char *path = NULL;
    int rc = vault_path(folder, "vault", &path, err);

    if (rc == ERR_OK)
        rc = fs_read(path, VAULT_FILE_MAX, out, err);
    if (rc == ERR_TOOLARGE)
        rc = vault_file_shut(err);
    free(path);
    return rc;
}

int vault_look(const char *folder, struct vault_view *ret, struct err *err)
{
    struct buf file = {0};
    int rc = read_key_file(folder, &file, err);

    if (rc == ERR_OK)
        rc = vault_file_look(part(file.data, file.len), ret, err);
    buf_free(&file);
    return rc;
}

/* The folder's lock, and an interrupted renewal brought to its end. */
static int open_lock(const char *folder, struct lock **ret, struct err *err)
{
    struct lock *lock = NULL;
    char *path = NULL;
    int rc = vault_path(folder, "lock", &path, err);

    if (rc == ERR_OK)
        rc = lock_open(path, &lock, err);
    if (rc == ERR_OK && vault_renew_pending(folder))
        rc = vault_renew_finish(folder, lock, err);
    if (rc == ERR_OK)
        *ret = lock;
    else
        lock_close(lock);
    free(path);
    return rc;
}

/* Once the master key was renewed, a record says what IDs are still made with. */
static int load_ids(struct vault *v, struct err *err)
{
    int rc = vault_get_secret(v, VAULT_IDS_TABLE, vault_ids_id, &v->ids, err);

    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The object, with what it needs besides keys; takes them and the lock if it succeeds. */
static int make_open(const char *folder, struct vault_keys *keys, struct lock *lock,
                     struct vault **ret, struct err *err)
{
    struct vault *v = NULL;
    int rc = vault_make(folder, keys, lock, &v, err);

    if (rc != ERR_OK)
        return rc;
    rc = load_ids(v, err);
    if (rc == ERR_OK) {
        *ret = v;
        return ERR_OK;
    }
    v->lock = NULL; /* still the caller's */
    vault_close(v);
    return rc;
}

int vault_open(const char *folder, const struct secret *passphrase, struct vault **ret,
               struct err *err)
{
    struct vault_keys keys = {0};
    struct secret device = {0};
    struct vault_factors f = {.passphrase = passphrase, .device = &device};
    struct buf file = {0};
    struct lock *lock = NULL;
    struct vault_view view;
    int rc = vault_look(folder, &view, err); /* nothing is made where no vault is */

    if (rc == ERR_OK)
        rc = open_lock(folder, &lock, err);
    if (rc == ERR_OK)
        rc = read_key_file(folder, &file, err);
    if (rc == ERR_OK)
        rc = vault_file_look(part(file.data, file.len), &view, err);
    if (rc == ERR_OK) {
        rc = vault_device_read(folder, &view, &device, err);
        /* A damaged device secret is a wrong factor like another. */
        if (rc == ERR_TOOLARGE)
            rc = ERR_OK;
    }
    if (rc == ERR_OK)
        rc = vault_file_unwrap(part(file.data, file.len), &f, &keys, err);
    if (rc == ERR_OK)
        rc = make_open(folder, &keys, lock, ret, err);
    if (rc != ERR_OK)
        lock_close(lock);
    vault_keys_free(&keys);
    secret_free(&device);
    buf_free(&file);
    return rc;
}

int vault_check_id(const char *folder, const struct vault_keys *keys, struct err *err)
{
    struct buf file = {0};
    int rc = read_key_file(folder, &file, err);

    if (rc == ERR_OK &&
        (file.len < AT_VAULT_ID + sizeof(keys->id) ||
         memcmp(file.data + AT_VAULT_ID, keys->id, sizeof(keys->id)) != 0 /* public: a vault ID */))
        rc = err_set(err, ERR_PASSPHRASE, "the key of this vault is not the one it had");
    buf_free(&file);
    return rc;
}

int vault_open_keys(const char *folder, const struct vault_keys *keys, struct vault **ret,
                    struct err *err)
{
    struct vault_keys copy = {0};
    struct lock *lock = NULL;
    int rc = open_lock(folder, &lock, err);

    memcpy(copy.id, keys->id, sizeof(copy.id));
    if (rc == ERR_OK)
        rc = vault_check_id(folder, keys, err);
    if (rc == ERR_OK)
        rc = secret_copy(&copy.master, keys->master.data, keys->master.len, err);
    if (rc == ERR_OK)
        rc = make_open(folder, &copy, lock, ret, err);
    if (rc != ERR_OK)
        lock_close(lock);
    vault_keys_free(&copy);
    return rc;
}

const struct vault_keys *vault_keys(const struct vault *v)
{
    return &v->keys;
}

int vault_rewrap(struct vault *v, const struct secret *passphrase, struct err *err)
{
    struct secret device = {0};
    struct vault_factors f = {.passphrase = passphrase, .device = &device};
    struct buf file = {0};
    char *path = NULL;
    struct vault_view view = {0};
    int rc = vault_look(v->folder, &view, err);

    f.keyring = view.keyring;
    if (rc == ERR_OK)
        rc = vault_device_read(v->folder, &view, &device, err);
    if (rc == ERR_OK)
        rc = vault_path(v->folder, "vault", &path, err);
    if (rc == ERR_OK)
        rc = vault_file_wrap(&v->keys, &f, &file, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, file.data, file.len, 0600, err);
    secret_free(&device);
    buf_free(&file);
    free(path);
    return rc;
}

int vault_remove_folder(const char *folder, struct err *err)
{
    struct dirent *e;
    DIR *d = opendir(folder);
    int rc = ERR_OK;

    if (d == NULL)
        return errno == ENOENT ? ERR_OK : err_sys(err, errno, "cannot open '%s'", folder);
    while (rc == ERR_OK && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            rc = fs_remove_in(folder, e->d_name, err);
    closedir(d);
    if (rc == ERR_OK && rmdir(folder) != 0)
        rc = err_sys(err, errno, "cannot remove '%s'", folder);
    return rc;
}

int vault_destroy(const char *folder, struct err *err)
{
    struct vault_view view = {0};
    char *records = NULL;
    int rc = vault_renew_discard(folder, err);

    /* What cannot be read has nothing in the keyring that could be found. */
    if (rc == ERR_OK && vault_look(folder, &view, NULL) != ERR_OK)
        view.keyring = false;
    /* The key first: without it the records are nothing. */
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, "vault", err);
    if (rc == ERR_OK)
        rc = fs_remove_in(folder, "device", err);
    if (rc == ERR_OK && view.keyring)
        keyring_forget(view.id);
    if (rc == ERR_OK)
        rc = vault_path(folder, "records", &records, err);
    if (rc == ERR_OK)
        rc = vault_remove_folder(records, err);
    free(records);
    return rc;
}
