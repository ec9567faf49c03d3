/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/upload_entry.h"
#include "common/crypto/hex.h"
#include "common/fs.h"

#define PREFIX "upload-"
#define SUFFIX ".log"

enum { ID_DIGITS = 2 * VAULT_RECORD_ID_LEN, NAME_LEN = sizeof(PREFIX) + ID_DIGITS + 4 };

struct upload_log {
    struct vault *v;
    char *path;
    uint8_t id[VAULT_RECORD_ID_LEN];
    int fd;
    uint64_t entries; /* appended or read */
};

/* ---- opening ------------------------------------------------------------------------- */

static int open_file(struct upload_log *l, int flags, struct err *err)
{
    struct stat here, there;

    l->fd = open(l->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (l->fd < 0)
        return errno == ENOENT ? err_set(err, ERR_NOTFOUND, "there is no unfinished upload")
                               : err_sys(err, errno, "cannot open '%s'", l->path);
    if (flock(l->fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_LOCKED, "another satchel sends the same");
    /* Whoever had it may have removed it between our two calls. */
    if (fstat(l->fd, &here) != 0 || stat(l->path, &there) != 0 || here.st_ino != there.st_ino)
        return err_set(err, ERR_LOCKED, "another satchel has sent the same");
    return ERR_OK;
}

static int log_new(struct vault *v, const uint8_t *id, struct upload_log **ret, struct err *err)
{
    struct upload_log *l = calloc(1, sizeof(*l));
    char name[NAME_LEN + 1], digits[ID_DIGITS + 1];

    hex_encode(digits, id, VAULT_RECORD_ID_LEN);
    (void)snprintf(name, sizeof(name), PREFIX "%s" SUFFIX, digits);
    if (l != NULL)
        l->path = fs_join(vault_records(v), name);
    if (l == NULL || l->path == NULL) {
        free(l);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    l->v = v;
    l->fd = -1;
    memcpy(l->id, id, VAULT_RECORD_ID_LEN);
    *ret = l;
    return ERR_OK;
}

static void log_free(struct upload_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    free(l);
}

int upload_log_open(struct vault *v, const struct hash32 *key, struct upload_log **ret,
                    struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct upload_log *l = NULL;
    int rc = vault_id(v, "upload", PART_OF(key->b), id, err);

    if (rc == ERR_OK)
        rc = log_new(v, id, &l, err);
    if (rc != ERR_OK)
        return rc;
    rc = open_file(l, O_CREAT, err);
    if (rc == ERR_OK)
        *ret = l;
    else
        log_free(l);
    return rc;
}

void upload_log_close(struct upload_log *l, bool keep)
{
    struct stat st;

    if (l == NULL)
        return;
    if (!keep || (fstat(l->fd, &st) == 0 && st.st_size == 0))
        (void)unlink(l->path);
    log_free(l);
}

int upload_log_drop(struct upload_log *l, struct err *err)
{
    /* Emptied before anything new is written; the lock stays on the file. */
    if (ftruncate(l->fd, 0) != 0 || lseek(l->fd, 0, SEEK_SET) != 0 || fsync(l->fd) != 0)
        return err_sys(err, errno, "cannot empty '%s'", l->path);
    l->entries = 0;
    return ERR_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Append what an entry says to ${p}.  ERR_CORRUPT: it does not follow from those before. */
static int take_entry(struct upload_past *p, uint64_t number, const struct upload_entry *e,
                      struct err *err)
{
    struct rd r = rd_make(e->plain.data, e->plain.len);
    uint32_t first;

    if (number == 1)
        return e->kind == UPLOAD_BEGIN ? upload_entry_parse(&e->plain, &p->upload, err)
                                       : err_set(err, ERR_CORRUPT, "an upload without a begin");
    if (e->kind == UPLOAD_SEALED && p->sealed.len == 0) {
        buf_put(&p->sealed, e->plain.data, e->plain.len);
        return buf_check(&p->sealed, err);
    }
    first = rd_u32(&r);
    if (e->kind != UPLOAD_LEAVES || r.bad || r.left % IDS_HASH_LEN != 0 || p->sealed.len > 0 ||
        first != p->leaves.len / IDS_HASH_LEN)
        return err_set(err, ERR_CORRUPT, "leaves of an upload do not follow each other");
    buf_put(&p->leaves, r.p, r.left);
    return buf_check(&p->leaves, err);
}

/* ${ret_end}: behind the last whole entry. */
static int read_entries(struct upload_log *l, struct part file, struct upload_past *p,
                        size_t *ret_end, struct err *err)
{
    struct rd r = rd_make(file.data, file.len);
    int rc = ERR_OK;

    for (;;) {
        struct upload_place place = {.id = l->id, .number = l->entries + 1};
        struct upload_entry e = {0};

        *ret_end = file.len - r.left;
        rc = upload_entry_open(vault_keys(l->v), &place, &r, &e, err);
        if (rc == ERR_NOTFOUND)
            return ERR_OK;
        if (rc == ERR_OK)
            rc = take_entry(p, place.number, &e, err);
        secret_free(&e.plain);
        if (rc != ERR_OK)
            return rc;
        l->entries++;
    }
}

int upload_log_load(struct upload_log *l, struct upload_past *ret, struct err *err)
{
    struct upload_past p = {0};
    struct buf file = {0};
    size_t end = 0;
    int rc = fs_read(l->path, UPLOAD_LOG_MAX, &file, err);

    l->entries = 0;
    if (rc == ERR_OK)
        rc = read_entries(l, part(file.data, file.len), &p, &end, err);
    if (rc == ERR_OK && l->entries == 0)
        rc = err_set(err, ERR_NOTFOUND, "there is no unfinished upload");
    if (rc == ERR_OK &&
        (ftruncate(l->fd, (off_t)end) != 0 || lseek(l->fd, (off_t)end, SEEK_SET) != (off_t)end))
        rc = err_sys(err, errno, "cannot cut '%s'", l->path);
    buf_free(&file);
    if (rc == ERR_OK)
        *ret = p;
    else
        upload_past_free(&p);
    return rc;
}

void upload_past_free(struct upload_past *p)
{
    upload_free(&p->upload);
    buf_free(&p->leaves);
    buf_free(&p->sealed);
}

/* ---- writing ------------------------------------------------------------------------------ */

static int append(struct upload_log *l, enum upload_kind kind, struct part plain, struct err *err)
{
    struct upload_place place = {.id = l->id, .number = l->entries + 1, .kind = kind};
    struct buf out = {0};
    int rc = upload_entry_seal(vault_keys(l->v), &place, plain, &out, err);

    if (rc == ERR_OK)
        rc = fs_write_all(l->fd, out.data, out.len, err);
    if (rc == ERR_OK && fdatasync(l->fd) != 0)
        rc = err_sys(err, errno, "cannot sync '%s'", l->path);
    if (rc == ERR_OK)
        l->entries++;
    buf_free(&out);
    return rc;
}

int upload_log_begin(struct upload_log *l, const struct upload *u, struct err *err)
{
    struct secret plain = {0};
    int rc = upload_entry_pack(u, &plain, err);

    if (rc == ERR_OK)
        rc = append(l, UPLOAD_BEGIN, part(plain.data, plain.len), err);
    if (rc == ERR_OK)
        rc = fs_sync_dir(vault_records(l->v), err);
    secret_free(&plain);
    return rc;
}

int upload_log_leaves(struct upload_log *l, uint32_t first, const struct hash32 *leaves, uint32_t n,
                      struct err *err)
{
    struct buf plain = {0};
    int rc;

    buf_u32(&plain, first);
    buf_put(&plain, leaves, (size_t)n * sizeof(*leaves));
    rc = buf_check(&plain, err);
    if (rc == ERR_OK)
        rc = append(l, UPLOAD_LEAVES, part(plain.data, plain.len), err);
    buf_free(&plain);
    return rc;
}

int upload_log_sealed(struct upload_log *l, struct part sealed, struct err *err)
{
    return append(l, UPLOAD_SEALED, sealed, err);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool is_log(const char *name, uint8_t ret_id[VAULT_RECORD_ID_LEN])
{
    size_t n = strlen(PREFIX);

    return strncmp(name, PREFIX, n) == 0 && strlen(name) == n + ID_DIGITS + strlen(SUFFIX) &&
           strcmp(name + n + ID_DIGITS, SUFFIX) == 0 &&
           hex_decode(ret_id, name + n, ID_DIGITS) == ERR_OK;
}

static int look(struct vault *v, const uint8_t *id, uint64_t now, struct upload_view *ret,
                struct upload_past *p, struct err *err)
{
    struct upload_log *l = NULL;
    const struct upload *u = &p->upload;
    int rc = log_new(v, id, &l, err);

    if (rc != ERR_OK)
        return rc;
    rc = open_file(l, 0, err);
    if (rc == ERR_OK)
        rc = upload_log_load(l, p, err);
    if (rc == ERR_OK && (u->lease < now || u->header.expires < now))
        rc = err_set(err, ERR_EXPIRED, "its time is over");
    if ((rc == ERR_EXPIRED || rc == ERR_CORRUPT || rc == ERR_NOTFOUND) && l->fd >= 0)
        (void)unlink(l->path);
    log_free(l);
    *ret = (struct upload_view){.path = u->path,
                                .length = u->mark.size,
                                .created = u->header.created,
                                .lease = u->lease,
                                .busy = rc == ERR_LOCKED};
    return rc;
}

int upload_each(struct vault *v, uint64_t now,
                void (*each)(void *cookie, const struct upload_view *u), void *cookie,
                struct err *err)
{
    const char *folder = vault_records(v);
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct dirent *e;
    DIR *d = opendir(folder);
    int rc = ERR_OK;

    if (d == NULL)
        return err_sys(err, errno, "cannot open '%s'", folder);
    while (rc == ERR_OK && (rc = fs_next_entry(d, folder, &e, err)) == ERR_OK && e != NULL) {
        struct upload_past p = {0};
        struct upload_view view = {0};

        if (!is_log(e->d_name, id))
            continue;
        rc = look(v, id, now, &view, &p, err);
        if ((rc == ERR_OK || rc == ERR_LOCKED) && each != NULL)
            each(cookie, &view);
        upload_past_free(&p);
        if (rc != ERR_NOMEM)
            rc = ERR_OK; /* one that cannot be read hides no other */
    }
    closedir(d);
    return rc;
}
