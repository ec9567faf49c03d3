/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renewing a vault's keys.
 *
 * Happy path: everything is made anew in the folder `renew` -> its file `ready`
 * decides -> device secret, key file and records are moved over the old ones ->
 * `ready` goes last.
 *
 * A crash before `ready`: the folder is rubbish, and goes with the next renewal.
 * A crash after it: whoever opens the vault next goes on moving.  Every step may be done twice.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/local/keyring.h"
#include "client/local/vault_priv.h"
#include "common/fs.h"

#define STAGE "renew"
#define READY "renew/ready"

bool vault_renew_pending(const char *folder)
{
    char *path = fs_join(folder, READY);
    bool there = path != NULL && fs_exists(path);

    free(path);
    return there;
}

/* ---- moving ---- */

/* A file that is not there any more was moved before. */
static int move(const char *from, const char *to, struct err *err)
{
    if (rename(from, to) == 0 || errno == ENOENT)
        return ERR_OK;
    return err_sys(err, errno, "cannot replace '%s'", to);
}

static int move_in(const char *stage, const char *folder, const char *name, struct err *err)
{
    char *from = fs_join(stage, name), *to = fs_join(folder, name);
    int rc =
        from != NULL && to != NULL ? move(from, to, err) : err_set(err, ERR_NOMEM, "out of memory");

    free(from);
    free(to);
    return rc;
}

static int move_records(const char *stage, const char *folder, struct err *err)
{
    char *from = fs_join(stage, "records"), *to = fs_join(folder, "records");
    DIR *d = from != NULL && to != NULL ? opendir(from) : NULL;
    struct dirent *e = NULL;
    int rc = ERR_OK;

    if (from == NULL || to == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (d == NULL && errno != ENOENT)
        rc = err_sys(err, errno, "cannot open '%s'", from);
    while (d != NULL && rc == ERR_OK && (rc = fs_next_entry(d, from, &e, err)) == ERR_OK &&
           e != NULL)
        if (e->d_name[0] != '.')
            rc = move_in(from, to, e->d_name, err);
    if (d != NULL)
        closedir(d);
    if (rc == ERR_OK)
        rc = fs_sync_dir(to, err);
    free(from);
    free(to);
    return rc;
}

/* Logs of unfinished uploads are under the old keys: those sends begin anew. */
static int remove_logs(const char *folder, struct err *err)
{
    char *records = fs_join(folder, "records");
    DIR *d = records != NULL ? opendir(records) : NULL;
    struct dirent *e = NULL;
    int rc = d != NULL ? ERR_OK : err_sys(err, errno, "cannot open the records of '%s'", folder);

    while (rc == ERR_OK && (rc = fs_next_entry(d, records, &e, err)) == ERR_OK && e != NULL) {
        size_t len = strlen(e->d_name);

        if (len > 4 && strcmp(e->d_name + len - 4, ".log") == 0 &&
            unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT)
            rc = err_sys(err, errno, "cannot remove '%s/%s'", records, e->d_name);
    }
    if (d != NULL)
        closedir(d);
    free(records);
    return rc;
}

/* The lock is held. */
static int move_all(const char *folder, struct err *err)
{
    char *stage = fs_join(folder, STAGE);
    struct vault_view before = {0}, after = {0};
    int rc = stage != NULL ? move_in(stage, folder, "device", err)
                           : err_set(err, ERR_NOMEM, "out of memory");

    if (vault_look(folder, &before, NULL) != ERR_OK)
        before.keyring = false;
    if (rc == ERR_OK)
        rc = move_in(stage, folder, "vault", err);
    if (rc == ERR_OK)
        rc = move_records(stage, folder, err);
    if (rc == ERR_OK)
        rc = remove_logs(folder, err);
    if (rc == ERR_OK)
        rc = fs_sync_dir(folder, err);
    if (rc == ERR_OK)
        rc = vault_renew_discard(folder, err);
    if (rc == ERR_OK && before.keyring && vault_look(folder, &after, NULL) == ERR_OK &&
        memcmp(before.id, after.id, sizeof(before.id)) != 0) /* public: vault IDs */
        keyring_forget(before.id);
    free(stage);
    return rc;
}

int vault_renew_discard(const char *folder, struct err *err)
{
    char *stage = fs_join(folder, STAGE), *records = fs_join(folder, STAGE "/records");
    struct vault_view view = {0};
    int rc = stage != NULL && records != NULL ? vault_remove_folder(records, err)
                                              : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && vault_look(stage, &view, NULL) != ERR_OK)
        view.keyring = false;
    if (rc == ERR_OK)
        rc = vault_remove_folder(stage, err);
    if (rc == ERR_OK && view.keyring)
        keyring_forget(view.id);
    free(stage);
    free(records);
    return rc;
}

int vault_renew_finish(const char *folder, struct lock *lock, struct err *err)
{
    int rc = lock_take(lock, VAULT_LOCK_MS, err);

    if (rc != ERR_OK)
        return rc;
    if (vault_renew_pending(folder)) /* nobody has done it meanwhile */
        rc = move_all(folder, err);
    lock_give(lock);
    return rc;
}

/* ---- making ---- */

/* The record that holds keys goes through locked memory; the others may be too large for that. */
static int renew_identity(struct vault *v, struct vault *fresh,
                          const uint8_t id[VAULT_RECORD_ID_LEN], struct err *err)
{
    struct secret plain = {0};
    int rc = vault_get_secret(v, "identity", id, &plain, err);

    if (rc == ERR_OK)
        rc = vault_put(fresh, "identity", id, part_secret(&plain), err);
    secret_free(&plain);
    return rc;
}

/* One record, opened under the old key and sealed under the new one. */
static int renew_record(struct vault *v, struct vault *fresh, const char *name, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    char table[VAULT_TABLE_SIZE];
    struct buf plain = {0};
    int rc;

    if (!vault_row_name(name, table, sizeof(table), id) || strcmp(table, VAULT_IDS_TABLE) == 0)
        return ERR_OK;
    if (strcmp(table, "identity") == 0)
        return renew_identity(v, fresh, id, err);
    rc = vault_get(v, table, id, &plain, NULL, err);
    if (rc == ERR_OK)
        rc = vault_put(fresh, table, id, part(plain.data, plain.len), err);
    if (plain.data != NULL)
        secret_wipe(plain.data, plain.cap);
    buf_free(&plain);
    return rc;
}

static int renew_records(struct vault *v, struct vault *fresh, struct err *err)
{
    DIR *d = opendir(v->records);
    struct dirent *e = NULL;
    int rc;

    if (d == NULL)
        return err_sys(err, errno, "cannot open '%s'", v->records);
    rc = vault_put(fresh, VAULT_IDS_TABLE, vault_ids_id, part_secret(&fresh->ids), err);
    while (rc == ERR_OK && (rc = fs_next_entry(d, v->records, &e, err)) == ERR_OK && e != NULL)
        rc = renew_record(v, fresh, e->d_name, err);
    closedir(d);
    return rc;
}

/* The vault that takes the old one's place, without its records, in the folder ${stage}. */
static int make_fresh(const struct vault *v, const char *stage, const struct secret *passphrase,
                      struct vault **ret, struct err *err)
{
    char *path = fs_join(stage, "vault"), *records = fs_join(stage, "records");
    struct vault_keys keys = {0};
    struct secret device = {0};
    struct vault_factors f = {.passphrase = passphrase, .device = &device};
    struct vault_view view = {0};
    struct buf file = {0};
    int rc = path != NULL && records != NULL ? fs_mkdirs(records, 0700, err)
                                             : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = vault_look(v->folder, &view, err);
    f.keyring = view.keyring;
    if (rc == ERR_OK)
        rc = vault_file_new(&keys, err);
    if (rc == ERR_OK)
        rc = vault_device_make(stage, keys.id, view.keyring, &device, err);
    if (rc == ERR_OK)
        rc = vault_file_wrap(&keys, &f, &file, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, file.data, file.len, 0600, err);
    if (rc == ERR_OK)
        rc = vault_make(stage, &keys, NULL, ret, err);
    if (rc == ERR_OK)
        rc = secret_new(&(*ret)->ids, VAULT_FILE_KEY_LEN + VAULT_FILE_ID_LEN, err);
    if (rc == ERR_OK && v->ids.len > 0) {
        memcpy((*ret)->ids.data, v->ids.data, v->ids.len);
    } else if (rc == ERR_OK) {
        memcpy((*ret)->ids.data, v->keys.master.data, VAULT_FILE_KEY_LEN);
        memcpy((*ret)->ids.data + VAULT_FILE_KEY_LEN, v->keys.id, VAULT_FILE_ID_LEN);
    }
    vault_keys_free(&keys);
    secret_free(&device);
    buf_free(&file);
    free(path);
    free(records);
    return rc;
}

/* From here on the new keys are the vault's, whatever happens. */
static int decide(const char *folder, const char *stage, struct err *err)
{
    char *ready = fs_join(folder, READY);
    int rc = ready != NULL ? fs_sync_dir(stage, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = fs_create(ready, "", 0, 0600, err);
    free(ready);
    return rc;
}

int vault_renew(struct vault *v, const struct secret *passphrase, struct err *err)
{
    char *stage = fs_join(v->folder, STAGE);
    struct vault *fresh = NULL;
    int rc = stage != NULL ? vault_renew_discard(v->folder, err)
                           : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = make_fresh(v, stage, passphrase, &fresh, err);
    if (rc == ERR_OK)
        rc = renew_records(v, fresh, err);
    if (rc == ERR_OK)
        rc = decide(v->folder, stage, err);
    if (rc == ERR_OK) {
        memcpy(v->keys.id, fresh->keys.id, sizeof(v->keys.id));
        secret_move(&v->keys.master, &fresh->keys.master);
        secret_move(&v->ids, &fresh->ids);
        rc = move_all(v->folder, err);
    }
    vault_close(fresh);
    free(stage);
    return rc;
}
