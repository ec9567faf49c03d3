/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/upload_entry.h"

#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    KEY_LEN = 32,
    FRAME_LEN = 5, /* u8 kind, u32 length */
    SLOT_LEN = IDS_UID_LEN + IDS_EK_LEN,
    /* Everything of the first entry but path and slots. */
    FIXED_LEN = 4 + 2 * KEY_LEN + UPLOAD_KEY_LEN + IDS_TID_LEN + HEADER_SALT_LEN + 3 * 8 + 2 * 4 +
                8 + 5 * 8 + 4 + 4
};

/* A table of the vault for each kind, so that one cannot stand for another. */
static const char *const tables[] = {[UPLOAD_BEGIN] = "upload",
                                     [UPLOAD_LEAVES] = "upload leaves",
                                     [UPLOAD_SEALED] = "upload sealed"};

int upload_entry_seal(const struct vault_keys *keys, const struct upload_place *place,
                      struct part plain, struct buf *out, struct err *err)
{
    struct vault_place at = {
        .table = tables[place->kind], .id = place->id, .number = place->number};

    if (plain.len > UPLOAD_ENTRY_MAX - VAULT_RECORD_OVERHEAD)
        return err_set(err, ERR_TOOLARGE, "an entry of an upload would be too large");
    buf_u8(out, (uint8_t)place->kind);
    buf_u32(out, (uint32_t)(plain.len + VAULT_RECORD_OVERHEAD));
    return vault_record_seal(keys, &at, plain, out, err);
}

/*
 * The log ends here: in good order, or with an entry of which the crash let only a part come to
 * the disk.  That one is the last; anything behind it, and it was whole once.
 */
static int ends(struct part rest, bool last, struct err *err)
{
    const uint8_t *p = rest.data;

    if (!last)
        for (size_t i = 0; i < rest.len; i++)
            if (p[i] != 0)
                return err_set(err, ERR_CORRUPT, "the record of an upload is damaged");
    return err_set(err, ERR_NOTFOUND, "the log ends here");
}

int upload_entry_open(const struct vault_keys *keys, const struct upload_place *place, struct rd *r,
                      struct upload_entry *ret, struct err *err)
{
    struct vault_place bound = {.id = place->id, .number = place->number};
    struct rd at = *r;
    uint8_t kind = rd_u8(&at);
    uint32_t len = rd_u32(&at);
    const uint8_t *sealed;
    struct secret plain = {0};
    uint64_t found = 0;
    size_t plain_len = 0;
    int rc;

    if (at.bad || kind < UPLOAD_BEGIN || kind > UPLOAD_SEALED || len > UPLOAD_ENTRY_MAX)
        return ends(part(r->p, r->left), at.bad, err);
    sealed = rd_take(&at, len);
    if (sealed == NULL ||
        vault_record_look(part(sealed, len), &found, &plain_len, NULL) != ERR_OK ||
        found != place->number)
        return ends(part(r->p, r->left), at.bad || at.left == 0, err);
    bound.table = tables[kind];
    rc = secret_new(&plain, plain_len > 0 ? plain_len : 1, err);
    if (rc == ERR_OK)
        rc = vault_record_open(keys, &bound, part(sealed, len), plain.data, err);
    if (rc == ERR_OK) {
        ret->kind = (enum upload_kind)kind;
        secret_move(&ret->plain, &plain);
        *r = at;
    }
    secret_free(&plain);
    return rc == ERR_CORRUPT ? ends(part(r->p, r->left), at.left == 0, err) : rc;
}

/* ---- the first entry ------------------------------------------------------------------ */

static uint8_t *put_bytes(uint8_t *p, const void *data, size_t len)
{
    memcpy(p, data, len);
    return p + len;
}

static uint8_t *put_u32(uint8_t *p, uint32_t v)
{
    put_be32(p, v);
    return p + 4;
}

static uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    put_be64(p, v);
    return p + 8;
}

int upload_entry_pack(const struct upload *u, struct secret *ret, struct err *err)
{
    const struct header *h = &u->header;
    size_t path = strlen(u->path);
    struct secret plain = {0};
    uint8_t *p;
    int rc;

    if (path > UPLOAD_PATH_MAX || u->cek.len != KEY_LEN || u->mek.len != KEY_LEN)
        return err_set(err, ERR_INTERNAL, "an upload that cannot be recorded");
    rc = secret_new(&plain, FIXED_LEN + path + (size_t)u->n_slots * SLOT_LEN, err);
    if (rc != ERR_OK)
        return rc;
    p = put_u32(plain.data, VERSION);
    p = put_bytes(p, u->cek.data, KEY_LEN);
    p = put_bytes(p, u->mek.data, KEY_LEN);
    p = put_bytes(p, u->key, sizeof(u->key));
    p = put_bytes(p, h->tid.b, IDS_TID_LEN);
    p = put_bytes(p, h->salt, HEADER_SALT_LEN);
    p = put_u64(p, h->created);
    p = put_u64(p, h->expires);
    p = put_u64(p, h->body_length);
    p = put_u32(p, h->opens);
    p = put_u32(p, h->policy_flags);
    p = put_u64(p, u->lease);
    p = put_u64(p, u->mark.device);
    p = put_u64(p, u->mark.inode);
    p = put_u64(p, u->mark.size);
    p = put_u64(p, (uint64_t)u->mark.modified);
    p = put_u64(p, (uint64_t)u->mark.changed);
    p = put_u32(p, (uint32_t)path);
    p = put_bytes(p, u->path, path);
    p = put_u32(p, u->n_slots);
    for (uint32_t i = 0; i < u->n_slots; i++) {
        p = put_bytes(p, u->slots[i].uid.b, IDS_UID_LEN);
        p = put_bytes(p, u->slots[i].ek.b, IDS_EK_LEN);
    }
    secret_move(ret, &plain);
    return ERR_OK;
}

static int take_keys(struct rd *r, struct upload *u, struct err *err)
{
    const uint8_t *cek = rd_take(r, KEY_LEN), *mek = rd_take(r, KEY_LEN);
    int rc;

    if (r->bad)
        return err_set(err, ERR_CORRUPT, "the record of an upload is damaged");
    rc = secret_copy(&u->cek, cek, KEY_LEN, err);
    return rc == ERR_OK ? secret_copy(&u->mek, mek, KEY_LEN, err) : rc;
}

static void take_fixed(struct rd *r, struct upload *u)
{
    struct header *h = &u->header;

    rd_get(r, u->key, sizeof(u->key));
    rd_get(r, h->tid.b, IDS_TID_LEN);
    rd_get(r, h->salt, HEADER_SALT_LEN);
    h->created = rd_u64(r);
    h->expires = rd_u64(r);
    h->body_length = rd_u64(r);
    h->opens = rd_u32(r);
    h->policy_flags = rd_u32(r);
    u->lease = rd_u64(r);
    u->mark.device = rd_u64(r);
    u->mark.inode = rd_u64(r);
    u->mark.size = rd_u64(r);
    u->mark.modified = (int64_t)rd_u64(r);
    u->mark.changed = (int64_t)rd_u64(r);
}

static int take_slots(struct rd *r, struct upload *u, struct err *err)
{
    u->n_slots = rd_u32(r);
    if (u->n_slots == 0 || u->n_slots > UPLOAD_SLOTS_MAX ||
        r->left != (size_t)u->n_slots * SLOT_LEN)
        return err_set(err, ERR_CORRUPT, "the record of an upload is damaged");
    u->slots = calloc(u->n_slots, sizeof(*u->slots));
    if (u->slots == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < u->n_slots; i++) {
        rd_get(r, u->slots[i].uid.b, IDS_UID_LEN);
        rd_get(r, u->slots[i].ek.b, IDS_EK_LEN);
    }
    return ERR_OK;
}

int upload_entry_parse(const struct secret *plain, struct upload *ret, struct err *err)
{
    struct rd r = rd_make(plain->data, plain->len);
    uint32_t version = rd_u32(&r), path_len;
    struct upload u = {0};
    const uint8_t *path;
    int rc = version == VERSION ? take_keys(&r, &u, err)
                                : err_set(err, ERR_CORRUPT,
                                          "the record of an upload is of another "
                                          "version");

    if (rc == ERR_OK)
        take_fixed(&r, &u);
    path_len = rc == ERR_OK ? rd_u32(&r) : 0;
    path = path_len <= UPLOAD_PATH_MAX ? rd_take(&r, path_len) : NULL;
    if (rc == ERR_OK && (path == NULL || memchr(path, '\0', path_len) != NULL ||
                         u.header.body_length >= HEADER_BODY_MAX))
        rc = err_set(err, ERR_CORRUPT, "the record of an upload is damaged");
    if (rc == ERR_OK) {
        u.path = strndup((const char *)path, path_len);
        rc = u.path != NULL ? take_slots(&r, &u, err) : err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK)
        *ret = u;
    else
        upload_free(&u);
    return rc;
}

void upload_free(struct upload *u)
{
    secret_free(&u->cek);
    secret_free(&u->mek);
    free(u->path);
    free(u->slots);
    *u = (struct upload){0};
}
