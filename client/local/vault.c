/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/vault.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/hex.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"
#include "common/fs.h"

enum { ID_DIGITS = 2 * VAULT_RECORD_ID_LEN };

struct vault {
    char *records; /* folder */
    struct lock *lock;
    struct vault_keys keys;
};

static int path_in(const char *folder, const char *name, char **ret, struct err *err)
{
    char *path = fs_join(folder, name);

    if (path == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = path;
    return ERR_OK;
}

/* The object around keys and a lock that are there already; takes both if it succeeds. */
static int vault_make(const char *folder, struct vault_keys *keys, struct lock *lock,
                      struct vault **ret, struct err *err)
{
    struct vault *v = calloc(1, sizeof(*v));
    int rc = v != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = path_in(folder, "records", &v->records, err);
    if (rc == ERR_OK) {
        v->keys = *keys;
        *keys = (struct vault_keys){0};
        v->lock = lock;
        *ret = v;
        v = NULL;
    }
    vault_close(v);
    return rc;
}

void vault_close(struct vault *v)
{
    if (v == NULL)
        return;
    lock_close(v->lock);
    vault_keys_free(&v->keys);
    free(v->records);
    free(v);
}

/* ---- the key file ---- */

static int make_device(const char *path, struct secret *ret, struct err *err)
{
    struct secret s = {0};
    int rc = secret_new(&s, VAULT_FILE_KEY_LEN, err);

    if (rc == ERR_OK) {
        rc = rng_bytes(s.data, s.len);
        if (rc != ERR_OK)
            rc = err_set(err, rc, "cannot draw a device secret");
    }
    if (rc == ERR_OK)
        rc = fs_replace(path, s.data, s.len, 0600, err);
    if (rc == ERR_OK)
        secret_move(ret, &s);
    secret_free(&s);
    return rc;
}

int vault_create(const char *folder, const struct secret *passphrase, struct lock *lock,
                 struct vault **ret, struct err *err)
{
    struct vault_keys keys = {0};
    struct secret device = {0};
    struct buf file = {0};
    char *device_path = NULL, *vault_path = NULL, *records = NULL;
    int rc = vault_destroy(folder, err);

    if (rc == ERR_OK)
        rc = path_in(folder, "device", &device_path, err);
    if (rc == ERR_OK)
        rc = path_in(folder, "vault", &vault_path, err);
    if (rc == ERR_OK)
        rc = path_in(folder, "records", &records, err);
    if (rc == ERR_OK)
        rc = fs_mkdirs(records, 0700, err);
    if (rc == ERR_OK)
        rc = make_device(device_path, &device, err);
    if (rc == ERR_OK)
        rc = vault_file_new(&keys, err);
    if (rc == ERR_OK) {
        struct vault_factors f = {.passphrase = passphrase, .device = &device};

        rc = vault_file_wrap(&keys, &f, &file, err);
    }
    if (rc == ERR_OK)
        rc = fs_replace(vault_path, file.data, file.len, 0600, err);
    if (rc == ERR_OK)
        rc = vault_make(folder, &keys, lock, ret, err);
    vault_keys_free(&keys);
    secret_free(&device);
    buf_free(&file);
    free(device_path);
    free(vault_path);
    free(records);
    return rc;
}

static int read_key_file(const char *folder, struct buf *out, struct err *err)
{
    char *path = NULL;
    int rc = path_in(folder, "vault", &path, err);

    if (rc == ERR_OK)
        rc = fs_read(path, VAULT_FILE_MAX, out, err);
    if (rc == ERR_TOOLARGE)
        rc = err_set(err, ERR_PASSPHRASE,
                     "cannot open the vault: wrong passphrase or damaged vault");
    free(path);
    return rc;
}

int vault_look(const char *folder, bool *ret_passphrase, struct err *err)
{
    struct buf file = {0};
    int rc = read_key_file(folder, &file, err);

    if (rc == ERR_OK)
        rc = vault_file_look(part(file.data, file.len), ret_passphrase, err);
    buf_free(&file);
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
    char *path = NULL, *lock_path = NULL;
    int rc = read_key_file(folder, &file, err);

    if (rc == ERR_OK)
        rc = path_in(folder, "lock", &lock_path, err);
    if (rc == ERR_OK)
        rc = lock_open(lock_path, &lock, err);
    if (rc == ERR_OK)
        rc = path_in(folder, "device", &path, err);
    if (rc == ERR_OK) {
        rc = fs_read_secret(path, VAULT_FILE_KEY_LEN, &device, err);
        /* A lost or damaged device secret is a wrong factor like another. */
        if (rc == ERR_NOTFOUND || rc == ERR_TOOLARGE)
            rc = ERR_OK;
    }
    if (rc == ERR_OK)
        rc = vault_file_unwrap(part(file.data, file.len), &f, &keys, err);
    if (rc == ERR_OK)
        rc = vault_make(folder, &keys, lock, ret, err);
    if (rc != ERR_OK)
        lock_close(lock);
    vault_keys_free(&keys);
    secret_free(&device);
    buf_free(&file);
    free(lock_path);
    free(path);
    return rc;
}

static int remove_file(const char *folder, const char *name, struct err *err)
{
    char *path = NULL;
    int rc = path_in(folder, name, &path, err);

    if (rc == ERR_OK && unlink(path) != 0 && errno != ENOENT)
        rc = err_sys(err, errno, "cannot remove '%s'", path);
    free(path);
    return rc;
}

static int remove_records(const char *folder, struct err *err)
{
    struct dirent *e;
    DIR *d = opendir(folder);
    int rc = ERR_OK;

    if (d == NULL)
        return errno == ENOENT ? ERR_OK : err_sys(err, errno, "cannot open '%s'", folder);
    while (rc == ERR_OK && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            rc = remove_file(folder, e->d_name, err);
    closedir(d);
    if (rc == ERR_OK && rmdir(folder) != 0)
        rc = err_sys(err, errno, "cannot remove '%s'", folder);
    return rc;
}

int vault_destroy(const char *folder, struct err *err)
{
    char *records = NULL;
    /* The key first: without it the records are nothing. */
    int rc = remove_file(folder, "vault", err);

    if (rc == ERR_OK)
        rc = remove_file(folder, "device", err);
    if (rc == ERR_OK)
        rc = path_in(folder, "records", &records, err);
    if (rc == ERR_OK)
        rc = remove_records(records, err);
    free(records);
    return rc;
}

/* ---- records ---- */

const char *vault_records(const struct vault *v)
{
    return v->records;
}

const struct vault_keys *vault_keys(const struct vault *v)
{
    return &v->keys;
}

int vault_lock(struct vault *v, struct err *err)
{
    return lock_take(v->lock, VAULT_LOCK_MS, err);
}

void vault_unlock(struct vault *v)
{
    lock_give(v->lock);
}

int vault_id(struct vault *v, const char *table, struct part key,
             uint8_t ret_id[VAULT_RECORD_ID_LEN], struct err *err)
{
    uint8_t id[KDF_LEN];
    int rc = kdf_f(id, part_secret(&v->keys.master), "record id",
                   PARTS(PART_OF(v->keys.id), part_str(table), key));

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot name a record");
    memcpy(ret_id, id, VAULT_RECORD_ID_LEN);
    return ERR_OK;
}

static int record_path(struct vault *v, const char *table, const uint8_t *id, char **ret,
                       struct err *err)
{
    char digits[ID_DIGITS + 1], *path = NULL;

    hex_encode(digits, id, VAULT_RECORD_ID_LEN);
    if (asprintf(&path, "%s/%s-%s", v->records, table, digits) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = path;
    return ERR_OK;
}

static int read_sealed(struct vault *v, const char *table, const uint8_t *id, struct buf *out,
                       struct err *err)
{
    char *path = NULL;
    int rc = record_path(v, table, id, &path, err);

    if (rc == ERR_OK)
        rc = fs_read(path, VAULT_PLAIN_MAX + VAULT_RECORD_OVERHEAD, out, err);
    if (rc == ERR_TOOLARGE)
        rc = err_set(err, ERR_CORRUPT, "a record of the vault is damaged");
    free(path);
    return rc;
}

int vault_get(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
              struct buf *out, uint64_t *ret_number, struct err *err)
{
    struct vault_place place = {.table = table, .id = id};
    struct buf sealed = {0};
    uint64_t number = 0;
    size_t len = 0;
    uint8_t *to;
    int rc = read_sealed(v, table, id, &sealed, err);

    if (rc == ERR_OK)
        rc = vault_record_look(part(sealed.data, sealed.len), &number, &len, err);
    if (rc != ERR_OK)
        goto done;
    /* One byte more: an empty plaintext has an address too. */
    to = buf_reserve(out, len + 1);
    rc = buf_check(out, err);
    if (rc == ERR_OK)
        rc = vault_record_open(&v->keys, &place, part(sealed.data, sealed.len), to, err);
    if (rc != ERR_OK)
        goto done;
    out->len += len;
    if (ret_number != NULL)
        *ret_number = number;
done:
    buf_free(&sealed);
    return rc;
}

int vault_get_secret(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
                     struct secret *ret, struct err *err)
{
    struct vault_place place = {.table = table, .id = id};
    struct secret plain = {0};
    struct buf sealed = {0};
    uint64_t number = 0;
    size_t len = 0;
    int rc = read_sealed(v, table, id, &sealed, err);

    if (rc == ERR_OK)
        rc = vault_record_look(part(sealed.data, sealed.len), &number, &len, err);
    if (rc == ERR_OK)
        rc = secret_new(&plain, len, err);
    if (rc == ERR_OK)
        rc = vault_record_open(&v->keys, &place, part(sealed.data, sealed.len), plain.data, err);
    if (rc == ERR_OK)
        secret_move(ret, &plain);
    secret_free(&plain);
    buf_free(&sealed);
    return rc;
}

/* The number of the next writing; a record that is damaged or missing begins again. */
static uint64_t next_number(struct vault *v, const char *table, const uint8_t *id)
{
    struct buf sealed = {0};
    uint64_t number = 0;
    size_t len = 0;

    if (read_sealed(v, table, id, &sealed, NULL) == ERR_OK &&
        vault_record_look(part(sealed.data, sealed.len), &number, &len, NULL) != ERR_OK)
        number = 0;
    buf_free(&sealed);
    return number + 1;
}

int vault_put(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
              struct part plain, struct err *err)
{
    struct vault_place place = {.table = table, .id = id, .number = next_number(v, table, id)};
    struct buf sealed = {0};
    char *path = NULL;
    int rc;

    if (plain.len > VAULT_PLAIN_MAX)
        return err_set(err, ERR_TOOLARGE, "a record of the vault would be too large");
    rc = record_path(v, table, id, &path, err);
    if (rc == ERR_OK)
        rc = vault_record_seal(&v->keys, &place, plain, &sealed, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, sealed.data, sealed.len, 0600, err);
    buf_free(&sealed);
    free(path);
    return rc;
}

int vault_delete(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
                 struct err *err)
{
    char *path = NULL;
    int rc = record_path(v, table, id, &path, err);

    if (rc == ERR_OK && unlink(path) != 0 && errno != ENOENT)
        rc = err_sys(err, errno, "cannot remove '%s'", path);
    free(path);
    return rc == ERR_OK ? fs_sync_dir(v->records, err) : rc;
}

/* Is ${name} "TABLE-" and an ID? */
static bool is_row(const char *name, const char *table, uint8_t ret_id[VAULT_RECORD_ID_LEN])
{
    size_t n = strlen(table);

    return strncmp(name, table, n) == 0 && name[n] == '-' && strlen(name) == n + 1 + ID_DIGITS &&
           hex_decode(ret_id, name + n + 1, ID_DIGITS) == ERR_OK;
}

int vault_each(struct vault *v, const char *table, vault_each_cb *each, void *cookie,
               struct err *err)
{
    struct vault_row row;
    struct buf plain = {0};
    struct dirent *e;
    DIR *d = opendir(v->records);
    int rc = ERR_OK;

    if (d == NULL)
        return err_sys(err, errno, "cannot open '%s'", v->records);
    while (rc == ERR_OK && (e = readdir(d)) != NULL) {
        if (!is_row(e->d_name, table, row.id))
            continue;
        buf_reset(&plain);
        rc = vault_get(v, table, row.id, &plain, &row.number, err);
        if (rc == ERR_NOTFOUND) { /* removed meanwhile */
            rc = ERR_OK;
            continue;
        }
        row.plain = part(plain.data, plain.len);
        if (rc == ERR_OK)
            rc = each(cookie, &row, err);
    }
    closedir(d);
    buf_free(&plain);
    return rc;
}
