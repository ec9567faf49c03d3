/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/partial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/vault.pb-c.h"

enum { VERSION = 1, PATH_BYTES = 8192 };

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

typedef Satchel__Vault__Partial Record;

static const char table[] = "partial";

static int id_of(struct vault *v, const char *path, uint8_t ret_id[VAULT_RECORD_ID_LEN],
                 struct err *err)
{
    return vault_id(v, table, part_str(path), ret_id, err);
}

/* NULL: damaged, or of a version that is not known. */
static Record *unpack(struct part plain)
{
    Record *m = satchel__vault__partial__unpack(NULL, plain.len, plain.data);

    if (m != NULL && m->version == VERSION && m->path.len > 0 && m->path.len <= PATH_BYTES &&
        memchr(m->path.data, '\0', m->path.len) == NULL && m->tid.len == IDS_TID_LEN &&
        m->header.len == IDS_HASH_LEN)
        return m;
    satchel__vault__partial__free_unpacked(m, NULL);
    return NULL;
}

int partial_load(struct vault *v, const char *path, struct partial *ret, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};
    Record *m = NULL;
    int rc = id_of(v, path, id, err);

    if (rc == ERR_OK)
        rc = vault_get(v, table, id, &plain, NULL, err);
    if (rc == ERR_OK)
        m = unpack(part(plain.data, plain.len));
    buf_free(&plain);
    if (rc == ERR_CORRUPT || (rc == ERR_OK && m == NULL))
        return err_set(err, ERR_NOTFOUND, "the record of '%s' cannot be used", path);
    if (rc != ERR_OK)
        return rc;
    memcpy(ret->tid.b, m->tid.data, IDS_TID_LEN);
    memcpy(ret->header.b, m->header.data, IDS_HASH_LEN);
    ret->length = m->length;
    ret->begun = m->begun;
    satchel__vault__partial__free_unpacked(m, NULL);
    return ERR_OK;
}

struct sweep {
    struct vault *v;
    uint64_t now;
};

static bool is_stale(const Record *m, uint64_t now)
{
    char *path = strndup((const char *)m->path.data, m->path.len);
    struct stat st;
    bool gone = path != NULL && lstat(path, &st) != 0 && errno == ENOENT;

    free(path);
    return gone || m->begun + PARTIAL_DAYS * DAY_MS < now;
}

static int sweep_row(void *cookie, const struct vault_row *row, struct err *err)
{
    struct sweep *s = cookie;
    Record *m = unpack(row->plain);
    bool stale = m == NULL || is_stale(m, s->now);

    satchel__vault__partial__free_unpacked(m, NULL);
    return stale ? vault_delete(s->v, table, row->id, err) : ERR_OK;
}

static int put(struct vault *v, const char *path, const struct partial *p, struct err *err)
{
    Record m = SATCHEL__VAULT__PARTIAL__INIT;
    uint8_t id[VAULT_RECORD_ID_LEN], *plain;
    size_t len;
    int rc = id_of(v, path, id, err);

    if (rc != ERR_OK)
        return rc;
    m.version = VERSION;
    m.path = (ProtobufCBinaryData){strlen(path), (uint8_t *)path};
    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, (uint8_t *)p->tid.b};
    m.header = (ProtobufCBinaryData){IDS_HASH_LEN, (uint8_t *)p->header.b};
    m.length = p->length;
    m.begun = p->begun;
    len = satchel__vault__partial__get_packed_size(&m);
    plain = malloc(len);
    if (plain == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)satchel__vault__partial__pack(&m, plain);
    rc = vault_put(v, table, id, part(plain, len), err);
    free(plain);
    return rc;
}

int partial_save(struct vault *v, const char *path, const struct partial *p, struct err *err)
{
    struct sweep s = {.v = v, .now = p->begun};
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = vault_each(v, table, sweep_row, &s, err);
    if (rc == ERR_CORRUPT) /* one that cannot be read any more is in nobody's way */
        rc = ERR_OK;
    if (rc == ERR_OK)
        rc = put(v, path, p, err);
    vault_unlock(v);
    return rc;
}

int partial_drop(struct vault *v, const char *path, struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = vault_lock(v, err);

    if (rc != ERR_OK)
        return rc;
    rc = id_of(v, path, id, err);
    if (rc == ERR_OK)
        rc = vault_delete(v, table, id, err);
    vault_unlock(v);
    return rc;
}
