/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/vault_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hex.h"
#include "common/crypto/kdf.h"
#include "common/fs.h"

int vault_path(const char *folder, const char *name, char **ret, struct err *err)
{
    char *path = fs_join(folder, name);

    if (path == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = path;
    return ERR_OK;
}

int vault_make(const char *folder, struct vault_keys *keys, struct lock *lock, struct vault **ret,
               struct err *err)
{
    struct vault *v = calloc(1, sizeof(*v));
    int rc = v != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        v->cache = vault_cache_new();
    if (rc == ERR_OK && v->cache == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK)
        rc = vault_path(folder, "records", &v->records, err);
    if (rc == ERR_OK)
        rc = vault_path(folder, "", &v->folder, err);
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
    vault_cache_free(v->cache);
    vault_keys_free(&v->keys);
    secret_free(&v->ids);
    free(v->folder);
    free(v->records);
    free(v);
}

const char *vault_records(const struct vault *v)
{
    return v->records;
}

int vault_lock(struct vault *v, struct err *err)
{
    int rc = lock_take(v->lock, VAULT_LOCK_MS, err);

    if (rc != ERR_OK)
        return rc;
    /* Who writes under a key that is the vault's no more would spoil it. */
    rc = vault_renew_pending(v->folder) ? ERR_PASSPHRASE : vault_check_id(v->folder, &v->keys, err);
    if (rc == ERR_OK)
        return ERR_OK;
    lock_give(v->lock);
    if (rc == ERR_PASSPHRASE) {
        rc = err_set(err, ERR_BADSTATE, "the key of the vault was renewed meanwhile");
        err_hint(err, "run the command again");
    }
    return rc;
}

void vault_unlock(struct vault *v)
{
    lock_give(v->lock);
}

int vault_id(struct vault *v, const char *table, struct part key,
             uint8_t ret_id[VAULT_RECORD_ID_LEN], struct err *err)
{
    const struct secret *made_with = v->ids.len > 0 ? &v->ids : &v->keys.master;
    const uint8_t *vault = v->ids.len > 0 ? v->ids.data + VAULT_FILE_KEY_LEN : v->keys.id;
    uint8_t id[KDF_LEN];
    int rc = kdf_f(id, part(made_with->data, VAULT_FILE_KEY_LEN), "record id",
                   PARTS(part(vault, VAULT_FILE_ID_LEN), part_str(table), key));

    if (rc != ERR_OK)
        return err_set(err, rc, "cannot name a record");
    memcpy(ret_id, id, VAULT_RECORD_ID_LEN);
    return ERR_OK;
}

static int record_path(struct vault *v, const char *table, const uint8_t *id, char **ret,
                       struct err *err)
{
    char digits[VAULT_ID_DIGITS + 1], *path = NULL;

    hex_encode(digits, id, VAULT_RECORD_ID_LEN);
    if (asprintf(&path, "%s/%s-%s", v->records, table, digits) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = path;
    return ERR_OK;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
    int rc = fs_read(path, VAULT_PLAIN_MAX + VAULT_RECORD_OVERHEAD, out, err);

    return rc == ERR_TOOLARGE ? err_set(err, ERR_CORRUPT, "a record of the vault is damaged") : rc;
}

static int read_sealed(struct vault *v, const char *table, const uint8_t *id, struct buf *out,
                       struct err *err)
{
    char *path = NULL;
    int rc = record_path(v, table, id, &path, err);

    if (rc == ERR_OK)
        rc = read_file(path, out, err);
    free(path);
    return rc;
}

/* Read and open the record of ${place}, which gets its number; the plaintext is appended. */
static int open_file(struct vault *v, const char *path, struct vault_place *place, struct buf *out,
                     struct err *err)
{
    struct buf sealed = {0};
    size_t len = 0;
    uint8_t *to;
    int rc = read_file(path, &sealed, err);

    if (rc == ERR_OK)
        rc = vault_record_look(part(sealed.data, sealed.len), &place->number, &len, err);
    if (rc != ERR_OK)
        goto done;
    /* One byte more: an empty plaintext has an address too. */
    to = buf_reserve(out, len + 1);
    rc = buf_check(out, err);
    if (rc == ERR_OK)
        rc = vault_record_open(&v->keys, place, part(sealed.data, sealed.len), to, err);
    if (rc == ERR_OK)
        out->len += len;
done:
    buf_free(&sealed);
    return rc;
}

int vault_get(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
              struct buf *out, uint64_t *ret_number, struct err *err)
{
    struct vault_place place = {.table = table, .id = id};
    struct vault_mark mark;
    size_t before = out->len;
    char *path = NULL;
    int rc = record_path(v, table, id, &path, err);
    /* Looked at before it is read: what is written meanwhile has another mark. */
    bool keep = rc == ERR_OK && vault_cache_has(table) && vault_cache_look(path, &mark);

    if (rc == ERR_OK && !(keep && vault_cache_get(v->cache, &place, &mark, out, &place.number))) {
        rc = open_file(v, path, &place, out, err);
        if (rc == ERR_OK && keep)
            vault_cache_put(v->cache, &place, &mark, part(out->data + before, out->len - before));
    }
    if (rc == ERR_OK && ret_number != NULL)
        *ret_number = place.number;
    free(path);
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

/*
 * The number of the next writing; a record that is damaged or missing begins again, one that cannot
 * be read does not.
 */
static int next_number(struct vault *v, const char *table, const uint8_t *id, uint64_t *ret,
                       struct err *err)
{
    struct buf sealed = {0};
    uint64_t number = 0;
    size_t len = 0;
    int rc = read_sealed(v, table, id, &sealed, err);

    if (rc == ERR_OK &&
        vault_record_look(part(sealed.data, sealed.len), &number, &len, NULL) != ERR_OK)
        number = 0;
    buf_free(&sealed);
    if (rc != ERR_OK && rc != ERR_NOTFOUND && rc != ERR_CORRUPT)
        return rc;
    *ret = number + 1;
    return ERR_OK;
}

int vault_put(struct vault *v, const char *table, const uint8_t id[VAULT_RECORD_ID_LEN],
              struct part plain, struct err *err)
{
    struct vault_place place = {.table = table, .id = id};
    struct buf sealed = {0};
    char *path = NULL;
    int rc;

    if (plain.len > VAULT_PLAIN_MAX)
        return err_set(err, ERR_TOOLARGE, "a record of the vault would be too large");
    rc = next_number(v, table, id, &place.number, err);
    if (rc == ERR_OK)
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

    if (rc == ERR_OK)
        rc = fs_remove(path, err);
    free(path);
    return rc == ERR_OK ? fs_sync_dir(v->records, err) : rc;
}

bool vault_row_name(const char *name, char *ret_table, size_t size,
                    uint8_t ret_id[VAULT_RECORD_ID_LEN])
{
    size_t len = strlen(name), n = len > VAULT_ID_DIGITS + 1 ? len - VAULT_ID_DIGITS - 1 : 0;

    if (n == 0 || n >= size || name[n] != '-' ||
        hex_decode(ret_id, name + n + 1, VAULT_ID_DIGITS) != ERR_OK)
        return false;
    memcpy(ret_table, name, n);
    ret_table[n] = '\0';
    return true;
}

/* The IDs of a table's records, one behind the other. */
static int read_ids(struct vault *v, const char *table, struct buf *out, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    char of[VAULT_TABLE_SIZE];
    struct dirent *e;
    DIR *d = opendir(v->records);
    int rc;

    if (d == NULL)
        return err_sys(err, errno, "cannot open '%s'", v->records);
    while ((rc = fs_next_entry(d, v->records, &e, err)) == ERR_OK && e != NULL)
        if (vault_row_name(e->d_name, of, sizeof(of), id) && strcmp(of, table) == 0)
            buf_put(out, id, sizeof(id));
    closedir(d);
    return rc == ERR_OK ? buf_check(out, err) : rc;
}

static int list_ids(struct vault *v, const char *table, struct buf *out, struct err *err)
{
    struct vault_mark mark;
    bool keep = vault_cache_has(table) && vault_cache_look(v->records, &mark);
    int rc;

    if (keep && vault_cache_get_ids(v->cache, table, &mark, out))
        return ERR_OK;
    rc = read_ids(v, table, out, err);
    if (rc == ERR_OK && keep)
        vault_cache_put_ids(v->cache, table, &mark, part(out->data, out->len));
    return rc;
}

int vault_each(struct vault *v, const char *table, vault_each_cb *each, void *cookie,
               struct err *err)
{
    struct buf ids = {0}, plain = {0};
    struct vault_row row;
    int rc = list_ids(v, table, &ids, err);

    for (size_t at = 0; rc == ERR_OK && at < ids.len; at += sizeof(row.id)) {
        memcpy(row.id, ids.data + at, sizeof(row.id));
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
    buf_free(&ids);
    buf_free(&plain);
    return rc;
}
