/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_redo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/hash.h"
#include "common/fs.h"

enum {
    VERSION = 1,
    MAGIC_LEN = 8,
    BLOCK = 4096, /* the front of the file, and what a record is rounded up to */
    HEAD = 8 + 4 + HASH_SHA256_LEN,
    PUT = 1,
    DEL = 2
};

static const char magic[MAGIC_LEN] = "satredo";

struct lmdb_redo {
    int fd;
    bool failed;     /* what it holds is not known any more */
    uint64_t number; /* of the last record */
    uint64_t at;     /* where the next one goes */
    struct buf record;
};

static struct lmdb_key row_key(void)
{
    return lmdb_key_of("redo", 4);
}

static size_t rounded(size_t len)
{
    return (len + BLOCK - 1) / BLOCK * BLOCK;
}

/* ---- the file ---- */

static int cannot_create(const char *path, int sys, struct err *err)
{
    int rc = err_sys(err, sys, "cannot create '%s'", path);

    return sys == ENOSPC || sys == EDQUOT ? ERR_FULL : rc;
}

/* Zeros, so that no write finds a block that the file system has only promised.  0 or errno. */
static int fill(int fd)
{
    uint8_t zeros[16 * BLOCK] = {0};
    int sys = 0;

    memcpy(zeros, magic, sizeof(magic));
    put_be32(zeros + MAGIC_LEN, VERSION);
    for (off_t at = 0; at < LMDB_REDO_LEN && sys == 0; at += (off_t)sizeof(zeros)) {
        ssize_t n = pwrite(fd, zeros, sizeof(zeros), at);

        if (n != (ssize_t)sizeof(zeros))
            sys = n < 0 ? errno : ENOSPC;
        memset(zeros, 0, MAGIC_LEN + 4);
    }
    return sys == 0 && fsync(fd) != 0 ? errno : sys;
}

static int check(const struct lmdb_redo *r, const char *path, struct err *err)
{
    uint8_t front[MAGIC_LEN + 4] = {0};
    struct stat st;

    if (fstat(r->fd, &st) != 0 || pread(r->fd, front, sizeof(front), 0) < 0)
        return err_sys(err, errno, "cannot read '%s'", path);
    if (st.st_size != LMDB_REDO_LEN || memcmp(front, magic, sizeof(magic)) != 0)
        return err_set(err, ERR_CORRUPT, "'%s' is no redo log", path);
    if (get_be32(front + MAGIC_LEN) != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is of a later version", path);
    return ERR_OK;
}

/* The file counts when it has its whole length: it is made under another name. */
static int create(struct lmdb_redo *r, const char *path, struct err *err)
{
    char *tmp = NULL;
    int rc = ERR_OK, sys;

    if (asprintf(&tmp, "%s.new", path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    r->fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    sys = r->fd < 0 ? errno : fill(r->fd);
    if (sys == 0 && rename(tmp, path) != 0)
        sys = errno;
    if (sys != 0)
        rc = cannot_create(path, sys, err);
    if (rc != ERR_OK)
        (void)unlink(tmp);
    free(tmp);
    return rc == ERR_OK ? fs_sync_parent(path, err) : rc;
}

int lmdb_redo_open(struct lmdb_redo **ret_r, const char *dir, struct err *err)
{
    struct lmdb_redo *r = calloc(1, sizeof(*r));
    char *path = fs_join(dir, "redo");
    int rc;

    if (r == NULL || path == NULL) {
        free(r);
        free(path);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    r->at = BLOCK;
    r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (r->fd >= 0)
        rc = check(r, path, err);
    else if (errno == ENOENT)
        rc = create(r, path, err);
    else
        rc = err_sys(err, errno, "cannot open '%s'", path);
    free(path);
    if (rc == ERR_OK)
        *ret_r = r;
    else
        lmdb_redo_close(r);
    return rc;
}

void lmdb_redo_close(struct lmdb_redo *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        close(r->fd);
    buf_free(&r->record);
    free(r);
}

/* ---- changes ---- */

void lmdb_redo_note_put(struct buf *changes, enum lmdb_table table, struct part key,
                        struct part value)
{
    buf_u8(changes, PUT);
    buf_u8(changes, (uint8_t)table);
    buf_lp(changes, part_bytes(key), key.len);
    buf_lp(changes, part_bytes(value), value.len);
}

void lmdb_redo_note_del(struct buf *changes, enum lmdb_table table, struct part key)
{
    buf_u8(changes, DEL);
    buf_u8(changes, (uint8_t)table);
    buf_lp(changes, part_bytes(key), key.len);
}

static struct rd take_lp(struct rd *r)
{
    uint32_t len = rd_u32(r);
    const uint8_t *p = rd_take(r, len);

    return rd_make(p, p != NULL ? len : 0);
}

/* Do one change; false: it makes no sense. */
static bool redo_change(struct lmdb_txn *t, struct rd *r)
{
    uint8_t what = rd_u8(r), table = rd_u8(r);
    struct rd key = take_lp(r), value = what == PUT ? take_lp(r) : rd_make(NULL, 0);
    struct lmdb_key k = {0};

    if (r->bad || (what != PUT && what != DEL) || table >= T_INDEX_COUNT || key.left == 0 ||
        key.left > sizeof(k.bytes))
        return false;
    lmdb_key_add(&k, key.p, key.left);
    if (what == PUT)
        lmdb_txn_put(t, table, &k, value.p, value.left);
    else
        lmdb_txn_del(t, table, &k);
    return true;
}

/* ---- records ---- */

static int digest(uint8_t ret[HASH_SHA256_LEN], const uint8_t *record, size_t len)
{
    const struct part parts[] = {part(record, 8 + 4), part(record + HEAD, len)};

    return hash_parts(HASH_SHA256, ret, parts, 2);
}

int lmdb_redo_write(struct lmdb_redo *r, const struct buf *changes, struct err *err)
{
    size_t len = rounded(HEAD + changes->len);
    uint8_t *p;

    if (r->failed)
        return err_set(err, ERR_IO, "a write to the redo log has failed before");
    if (len > LMDB_REDO_LEN - r->at)
        return ERR_FULL;
    buf_reset(&r->record);
    p = buf_reserve(&r->record, len);
    if (p == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    put_be64(p, r->number + 1);
    put_be32(p + 8, (uint32_t)changes->len);
    memcpy(p + HEAD, changes->data, changes->len);
    memset(p + HEAD + changes->len, 0, len - HEAD - changes->len);
    if (digest(p + 12, p, changes->len) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot hash a record of the redo log");
    r->number++;
    if (pwrite(r->fd, p, len, (off_t)r->at) != (ssize_t)len || fdatasync(r->fd) != 0) {
        r->failed = true;
        return err_sys(err, errno, "cannot write to the redo log");
    }
    r->at += len;
    return ERR_OK;
}

void lmdb_redo_mark(const struct lmdb_redo *r, struct lmdb_txn *t)
{
    struct lmdb_key key = row_key();
    uint8_t be[8];

    put_be64(be, r->number);
    lmdb_txn_put(t, T_META, &key, be, sizeof(be));
}

void lmdb_redo_begin_anew(struct lmdb_redo *r)
{
    r->at = BLOCK;
}

/* The record at r->at, if it is the one behind r->number. */
static bool read_record(struct lmdb_redo *r, struct rd *ret_changes)
{
    uint8_t *p, hash[HASH_SHA256_LEN];
    size_t left = LMDB_REDO_LEN - r->at;
    uint32_t len;

    buf_reset(&r->record);
    p = left >= BLOCK ? buf_reserve(&r->record, left) : NULL;
    if (p == NULL || pread(r->fd, p, HEAD, (off_t)r->at) != HEAD)
        return false;
    len = get_be32(p + 8);
    if (get_be64(p) != r->number + 1 || len > left - HEAD ||
        pread(r->fd, p + HEAD, len, (off_t)(r->at + HEAD)) != (ssize_t)len ||
        digest(hash, p, len) != ERR_OK || memcmp(hash, p + 12, sizeof(hash)) != 0)
        return false;
    *ret_changes = rd_make(p + HEAD, len);
    r->number++;
    r->at += rounded(HEAD + len);
    return true;
}

/* What the last commit says; a store that never had a log has 0. */
static uint64_t marked(struct lmdb_txn *t)
{
    struct lmdb_key key = row_key();
    struct rd r;
    uint64_t number;

    if (lmdb_txn_get(t, T_META, &key, &r) != ERR_OK)
        return 0;
    number = rd_u64(&r);
    if (!rd_done(&r))
        (void)lmdb_txn_fail(t, MDB_CORRUPTED);
    return number;
}

bool lmdb_redo_replay(struct lmdb_redo *r, struct lmdb_txn *t)
{
    uint64_t before = marked(t), last = r->number;
    struct rd changes;

    r->number = before;
    r->at = BLOCK;
    while (t->hard == 0 && read_record(r, &changes))
        while (changes.left > 0 && t->hard == 0)
            if (!redo_change(t, &changes))
                (void)lmdb_txn_fail(t, MDB_CORRUPTED);
    if (r->number < last)
        r->number = last; /* used up, though it cannot be read */
    if (r->number > before)
        lmdb_redo_mark(r, t);
    return r->number > before;
}
