/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/lmdb_redo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/hash.h"
#include "common/crypto/rng.h"
#include "common/fs.h"

enum {
    VERSION = 1,
    MAGIC_LEN = 8,
    BLOCK = 4096, /* the front of the file, and what a record is rounded up to */
    FRONT = LMDB_REDO_STAMP_LEN + 4 + 4, /* of a record, before the hash */
    HEAD = FRONT + HASH_SHA256_LEN,
    REST_US = 60000000,
    PUT = 1,
    DEL = 2,
    FEW = 128 /* changes: so many are each compared with all behind it */
};

/* An order of tables that records know: another one is another version. */
_Static_assert(T_META == 0 && T_GONE_NAMES == 24, "FORMATS.md section 14.8");

static const char magic[MAGIC_LEN] = "satredo";

struct lmdb_redo {
    int fd;
    bool failed;    /* what it holds is not known until it begins anew */
    uint64_t rests; /* us, CLOCK_MONOTONIC: not tried before, after a failure */
    atomic_uint_fast64_t failures;
    uint8_t stamp[LMDB_REDO_STAMP_LEN]; /* of the commit that the records stand on */
    uint32_t records;                   /* behind that commit, durable */
    uint64_t at;                        /* where the next one goes */
    uint64_t len;                       /* of the file */
    struct buf record;
};

static uint64_t now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static struct lmdb_key row_key(void)
{
    return lmdb_key_of("redo", 4);
}

/* What the last commit of the index says; a store that never had a log has zeros. */
static void get_stamp(struct lmdb_txn *t, uint8_t ret[LMDB_REDO_STAMP_LEN])
{
    struct lmdb_key key = row_key();
    struct rd r;

    memset(ret, 0, LMDB_REDO_STAMP_LEN);
    if (lmdb_txn_get(t, T_META, &key, &r) != ERR_OK)
        return;
    rd_get(&r, ret, LMDB_REDO_STAMP_LEN);
    if (!rd_done(&r))
        (void)lmdb_txn_fail(t, MDB_CORRUPTED);
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

static int check(struct lmdb_redo *r, const char *path, struct err *err)
{
    uint8_t front[MAGIC_LEN + 4] = {0};
    struct stat st;

    if (fstat(r->fd, &st) != 0 || pread(r->fd, front, sizeof(front), 0) < 0)
        return err_sys(err, errno, "cannot read '%s'", path);
    if ((st.st_size != LMDB_REDO_LEN && st.st_size != LMDB_REDO_LEN_OLD) ||
        memcmp(front, magic, sizeof(magic)) != 0) {
        (void)err_set(err, ERR_CORRUPT, "'%s' is no redo log", path);
        err_hint(err, "put it back from where the store was copied; without it the store is whole, "
                      "but may lack the sends of its last two seconds");
        return ERR_CORRUPT;
    }
    if (get_be32(front + MAGIC_LEN) != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "'%s' is of a later version", path);
    r->len = (uint64_t)st.st_size;
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
    r->len = LMDB_REDO_LEN;
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

struct change {
    uint8_t what, table;
    struct rd key, value;
    const uint8_t *p; /* as it was noted, ${len} bytes */
    size_t len;
};

/* The next change; false: it makes no sense. */
static bool take_change(struct rd *r, struct change *ret)
{
    ret->p = r->p;
    ret->what = rd_u8(r);
    ret->table = rd_u8(r);
    ret->key = take_lp(r);
    ret->value = ret->what == PUT ? take_lp(r) : rd_make(NULL, 0);
    ret->len = (size_t)(r->p - ret->p);
    return !r->bad && (ret->what == PUT || ret->what == DEL) && ret->table < T_INDEX_COUNT &&
           ret->key.left > 0 && ret->key.left <= sizeof(((struct lmdb_key *)0)->bytes);
}

/* Do one change; false: it makes no sense. */
static bool redo_change(struct lmdb_txn *t, struct rd *r)
{
    struct lmdb_key k = {0};
    struct change c;

    if (!take_change(r, &c))
        return false;
    lmdb_key_add(&k, c.key.p, c.key.left);
    if (c.what == PUT)
        lmdb_txn_put(t, c.table, &k, c.value.p, c.value.left);
    else
        lmdb_txn_del(t, c.table, &k);
    return true;
}

static void do_again(struct lmdb_txn *t, struct rd changes)
{
    while (changes.left > 0 && t->hard == 0)
        if (!redo_change(t, &changes))
            (void)lmdb_txn_fail(t, MDB_CORRUPTED);
}

void lmdb_redo_do_again(struct lmdb_txn *t, const struct buf *changes)
{
    do_again(t, rd_make(changes->data, changes->len));
}

/* ---- records ---- */

static bool is_same_row(const struct change *a, const struct change *b)
{
    return a->table == b->table && a->key.left == b->key.left &&
           memcmp(a->key.p, b->key.p, a->key.left) == 0;
}

/* Does one behind number ${i} change the same row? */
static bool is_void(const struct change *c, size_t n, size_t i)
{
    for (size_t k = i + 1; k < n; k++)
        if (is_same_row(&c[i], &c[k]))
            return true;
    return false;
}

/*
 * Copy ${changes} to ${to}, which has room for all of them, without those that a later one of the
 * same row makes void: an upload that is opened and sealed in one record changes most of its rows
 * twice.  Where there are many all are copied.  Returns how many bytes are left.
 */
static size_t copy_changes(uint8_t *to, const struct buf *changes)
{
    struct rd r = rd_make(changes->data, changes->len);
    struct change c[FEW];
    size_t n = 0, len = 0;
    bool good = true;

    for (; n < FEW && r.left > 0 && good; n++)
        good = take_change(&r, &c[n]);
    if (r.left > 0 || !good) {
        memcpy(to, changes->data, changes->len);
        return changes->len;
    }
    for (size_t i = 0; i < n; i++) {
        if (is_void(c, n, i))
            continue;
        memcpy(to + len, c[i].p, c[i].len);
        len += c[i].len;
    }
    return len;
}

static int digest(uint8_t ret[HASH_SHA256_LEN], const uint8_t *record, size_t len)
{
    const struct part parts[] = {part(record, FRONT), part(record + HEAD, len)};

    return hash_parts(HASH_SHA256, ret, parts, 2);
}

/* Make the record of ${changes} in r->record, in whole blocks. */
static int make_record(struct lmdb_redo *r, const struct buf *changes, struct err *err)
{
    size_t len;
    uint8_t *p;

    buf_reset(&r->record);
    p = buf_reserve(&r->record, rounded(HEAD + changes->len));
    if (p == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    len = copy_changes(p + HEAD, changes);
    r->record.len = rounded(HEAD + len);
    memcpy(p, r->stamp, sizeof(r->stamp));
    put_be32(p + LMDB_REDO_STAMP_LEN, r->records + 1);
    put_be32(p + LMDB_REDO_STAMP_LEN + 4, (uint32_t)len);
    memset(p + HEAD + len, 0, r->record.len - HEAD - len);
    return digest(p + FRONT, p, len) == ERR_OK
               ? ERR_OK
               : err_set(err, ERR_INTERNAL, "cannot hash a record of the redo log");
}

int lmdb_redo_write(struct lmdb_redo *r, struct lmdb_txn *t, const struct buf *changes,
                    struct err *err)
{
    size_t len;
    int rc;

    if (r->failed || now_us() < r->rests)
        return err_set(err, ERR_IO, "a write to the redo log has failed before");
    if (changes->len > r->len)
        return err_set(err, ERR_FULL, "the redo log is full");
    if (r->records == 0)
        get_stamp(t, r->stamp);
    if (lmdb_txn_code(t) != ERR_OK)
        return err_set(err, lmdb_txn_code(t), "cannot read the stamp of the last commit");
    rc = make_record(r, changes, err);
    if (rc != ERR_OK)
        return rc;
    len = r->record.len;
    if (len > r->len - r->at)
        return err_set(err, ERR_FULL, "the redo log is full");
    if (pwrite(r->fd, r->record.data, len, (off_t)r->at) != (ssize_t)len || fdatasync(r->fd) != 0) {
        r->failed = true;
        r->failures++;
        r->rests = now_us() + REST_US; /* a disk that fails may take long over each write */
        return err_sys(err, errno, "cannot write to the redo log");
    }
    r->records++;
    r->at += len;
    return ERR_OK;
}

void lmdb_redo_mark(struct lmdb_txn *t)
{
    struct lmdb_key key = row_key();
    uint8_t stamp[LMDB_REDO_STAMP_LEN];

    if (rng_bytes(stamp, sizeof(stamp)) != ERR_OK)
        (void)lmdb_txn_fail(t, EIO);
    lmdb_txn_put(t, T_META, &key, stamp, sizeof(stamp));
}

void lmdb_redo_begin_anew(struct lmdb_redo *r)
{
    r->at = BLOCK;
    r->records = 0;
    r->failed = false;
}

uint64_t lmdb_redo_failures(const struct lmdb_redo *r)
{
    return r->failures;
}

/* As in replay(): where it reads, and what the next record is. */
struct place {
    uint8_t stamp[LMDB_REDO_STAMP_LEN];
    uint32_t records;
    uint64_t at;
};

/* ${len} bytes at ${at}; a failure is one of ${t}. */
static bool read_at(const struct lmdb_redo *r, struct lmdb_txn *t, uint8_t *to, size_t len,
                    uint64_t at)
{
    ssize_t n = pread(r->fd, to, len, (off_t)at);

    if (n != (ssize_t)len)
        (void)lmdb_txn_fail(t, n < 0 ? errno : EIO);
    return n == (ssize_t)len;
}

/*
 * The record at ${at}, if it is the next one.  What cannot be read is a failure of ${t}, and not
 * the end: a transfer may be in it that was acknowledged.
 */
static bool read_record(struct lmdb_redo *r, struct lmdb_txn *t, struct place *at,
                        struct rd *ret_changes)
{
    uint8_t *p, hash[HASH_SHA256_LEN];
    size_t left = r->len - at->at;
    uint32_t len;

    if (left < BLOCK)
        return false;
    buf_reset(&r->record);
    p = buf_reserve(&r->record, left);
    if (p == NULL) {
        (void)lmdb_txn_fail(t, ENOMEM);
        return false;
    }
    if (!read_at(r, t, p, HEAD, at->at))
        return false;
    len = get_be32(p + LMDB_REDO_STAMP_LEN + 4);
    if (memcmp(p, at->stamp, sizeof(at->stamp)) != 0 ||
        get_be32(p + LMDB_REDO_STAMP_LEN) != at->records + 1 || len > left - HEAD)
        return false;
    if (!read_at(r, t, p + HEAD, len, at->at + HEAD))
        return false;
    if (digest(hash, p, len) != ERR_OK) {
        (void)lmdb_txn_fail(t, ENOMEM);
        return false;
    }
    if (memcmp(hash, p + FRONT, sizeof(hash)) != 0)
        return false;
    *ret_changes = rd_make(p + HEAD, len);
    at->records++;
    at->at += rounded(HEAD + len);
    return true;
}

bool lmdb_redo_replay(struct lmdb_redo *r, struct lmdb_txn *t)
{
    struct place at = {.at = BLOCK};
    struct rd changes;

    get_stamp(t, at.stamp);
    while (t->hard == 0 && read_record(r, t, &at, &changes))
        do_again(t, changes);
    /* Of another stamp: the commit that seemed to fail has them. */
    if (at.records < r->records && memcmp(at.stamp, r->stamp, sizeof(r->stamp)) == 0)
        (void)lmdb_txn_fail(t, MDB_CORRUPTED);
    buf_free(&r->record); /* as large as the file */
    return at.records > 0;
}
