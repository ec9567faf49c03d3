/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/local/beneath.h"
#include "client/local/output_fd.h"
#include "client/local/output_tree.h"
#include "client/local/room.h"
#include "common/crypto/hash.h"
#include "common/crypto/hex.h"
#include "common/fs.h"

#define PART_SUFFIX ".satchel-part"

#define TIME_MAX ((uint64_t)253402300799999) /* the end of the year 9999, in ms */

enum {
    NAME_BYTES = 255,
    LARGE = 32 << 20,       /* from here on a file gets its room before */
    BEHIND_STEP = 8 << 20,  /* is given to the disk at a time */
    BEHIND_LATE = 16 << 20, /* pieces may come that much later than others */
    CACHED = 64 << 20       /* what has come last stays in the page cache */
};

struct output {
    char *path; /* as told; "" for a descriptor */
    char name[NAME_BYTES + 1], part[NAME_BYTES + 1];
    int dir, fd;
    uint64_t left;            /* bytes of an earlier attempt */
    uint64_t modified;        /* as in the spec */
    _Atomic uint64_t begun;   /* up to here it was given to the disk */
    struct output_tree *tree; /* of a folder; fd is not used */
    struct output_fd to;      /* if to_fd */
    bool to_fd, force, resume, made, committed, keep;
};

/* ---- names --------------------------------------------------------------------- */

static int check_name(const char *name, struct err *err)
{
    size_t n = strlen(name);

    if (n >= 1 && n <= NAME_BYTES && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
        strcmp(name, "..") != 0)
        return ERR_OK;
    err_set(err, ERR_REFUSED, "the sender's name cannot be a file's name");
    err_hint(err, "choose one with -o");
    return ERR_REFUSED;
}

/* ".NAME.satchel-part"; a name too long for that is cut and told apart by its hash. */
static int part_name(const char *name, char ret_part[NAME_BYTES + 1], struct err *err)
{
    uint8_t hash[HASH_SHA256_LEN];
    char digits[17];
    int rc;

    if (strlen(name) + strlen("." PART_SUFFIX) <= NAME_BYTES) {
        (void)snprintf(ret_part, NAME_BYTES + 1, ".%s" PART_SUFFIX, name);
        return ERR_OK;
    }
    rc = hash_sha256(hash, name, strlen(name));
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot hash");
    hex_encode(digits, hash, 8);
    (void)snprintf(ret_part, NAME_BYTES + 1, ".%.200s-%s" PART_SUFFIX, name, digits);
    return ERR_OK;
}

/* Take folder and name from what was asked for. */
static int split(const struct output_spec *spec, const char *name, struct output *o, char **ret_dir,
                 struct err *err)
{
    const char *slash = spec->file != NULL ? strrchr(spec->file, '/') : NULL, *base = name;
    char *dir = NULL;
    int rc;

    if (spec->folder != NULL)
        dir = strdup(spec->folder[0] != '\0' ? spec->folder : ".");
    else if (slash == NULL)
        dir = strdup(".");
    else
        dir = slash == spec->file ? strdup("/") : strndup(spec->file, (size_t)(slash - spec->file));
    if (spec->folder == NULL)
        base = slash != NULL ? slash + 1 : spec->file;
    rc = dir != NULL ? check_name(base, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_REFUSED && spec->folder == NULL)
        rc = err_set(err, ERR_INVALID, "'%s' cannot be a file's name", spec->file);
    if (rc == ERR_OK)
        rc = part_name(base, o->part, err);
    if (rc == ERR_OK) {
        (void)snprintf(o->name, sizeof(o->name), "%s", base);
        if (spec->folder == NULL)
            o->path = strdup(spec->file);
        else
            o->path = spec->folder[0] != '\0' ? fs_join(spec->folder, base) : strdup(base);
        if (o->path == NULL)
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc != ERR_OK) {
        free(dir);
        return rc;
    }
    *ret_dir = dir;
    return ERR_OK;
}

/* ---- opening ------------------------------------------------------------------------ */

static int exists_error(const struct output *o, struct err *err)
{
    err_set(err, ERR_EXISTS, "'%s' exists already", o->path);
    err_hint(err, "use --force to overwrite it, or -o for another name");
    return ERR_EXISTS;
}

static int folder_exists(const struct output *o, struct err *err)
{
    err_set(err, ERR_EXISTS, "'%s' exists already", o->path);
    err_hint(err, "choose another name with -o");
    return ERR_EXISTS;
}

/* What stands there and cannot make room; NULL: a file or a link, which can. */
static const char *kind_of(mode_t mode)
{
    static const struct {
        mode_t type;
        const char *what;
    } kinds[] = {{S_IFDIR, "a folder"},
                 {S_IFIFO, "a named pipe"},
                 {S_IFCHR, "a device"},
                 {S_IFBLK, "a device"},
                 {S_IFSOCK, "a socket"}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if ((mode & S_IFMT) == kinds[i].type)
            return kinds[i].what;
    return S_ISREG(mode) || S_ISLNK(mode) ? NULL : "not a file";
}

/* A file in the way is overwritten only with force; a device, say, not even then. */
static int check_target(const struct output *o, struct err *err)
{
    const char *what;
    struct stat st;

    if (fstatat(o->dir, o->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ERR_OK : err_sys(err, errno, "cannot look at '%s'", o->path);
    what = kind_of(st.st_mode);
    if (what == NULL)
        return o->force ? ERR_OK : exists_error(o, err);
    err_set(err, ERR_EXISTS, "'%s' is %s, not a file that can be replaced", o->path, what);
    err_hint(err, "choose another name with -o%s",
             S_ISDIR(st.st_mode) ? "" : ", or write to standard output: -o -");
    return ERR_EXISTS;
}

/* What is in the way of a folder; an empty one makes room, with force. */
static int check_folder(const struct output *o, struct err *err)
{
    struct stat st;

    if (fstatat(o->dir, o->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ERR_OK : err_sys(err, errno, "cannot look at '%s'", o->path);
    if (!S_ISDIR(st.st_mode) || !o->force)
        return folder_exists(o, err);
    return ERR_OK; /* give_name() fails if there is something in it */
}

/* New, or left by an earlier attempt: one that another user made is his to read and to change. */
static bool is_ours(const struct stat *st, bool fresh)
{
    return S_ISREG(st->st_mode) && st->st_nlink == 1 && (fresh || st->st_uid == geteuid());
}

/*
 * Open the partial file, new or left by somebody who is gone.  Between opening
 * and locking, its owner may have finished and renamed it: then it is not the
 * one that has the name now.
 */
static int open_part(struct output *o, struct err *err)
{
    struct stat here, there;
    bool fresh;

    o->fd = beneath_open(o->dir, o->part, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0666);
    fresh = o->fd >= 0;
    if (o->fd < 0 && errno == EEXIST)
        o->fd = beneath_open(o->dir, o->part, O_RDWR | O_CREAT | O_NONBLOCK, 0666);
    if (o->fd < 0)
        return err_sys(err, errno, "cannot create '%s' beside '%s'", o->part, o->path);
    if (fstat(o->fd, &here) != 0 || !is_ours(&here, fresh))
        return err_set(err, ERR_REFUSED, "'%s' beside '%s' is in the way", o->part, o->path);
    if (flock(o->fd, LOCK_EX | LOCK_NB) != 0 ||
        fstatat(o->dir, o->part, &there, AT_SYMLINK_NOFOLLOW) != 0 || here.st_ino != there.st_ino ||
        here.st_dev != there.st_dev)
        return output_tree_taken(o->path, err);
    o->made = true;
    if (!o->resume)
        return output_empty(o, err);
    o->left = (uint64_t)here.st_size;
    return ERR_OK;
}

uint64_t output_left(const struct output *o)
{
    return o->left;
}

int output_empty(struct output *o, struct err *err)
{
    o->left = 0;
    if (!o->to_fd && ftruncate(o->fd, 0) != 0)
        return err_sys(err, errno, "cannot empty '%s' beside '%s'", o->part, o->path);
    return ERR_OK;
}

static int open_file(const struct output_spec *spec, const char *name, struct output *o,
                     struct err *err)
{
    char *dir = NULL;
    int rc = split(spec, name, o, &dir, err);

    if (rc != ERR_OK)
        return rc;
    o->force = spec->force;
    o->resume = spec->resume;
    o->modified = spec->modified;
    o->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->dir < 0)
        rc = errno == ENOENT || errno == ENOTDIR
                 ? err_set(err, ERR_NOTFOUND, "there is no folder '%s'", dir)
                 : err_sys(err, errno, "cannot open '%s'", dir);
    if (rc == ERR_OK)
        rc = spec->unpack != NULL ? check_folder(o, err) : check_target(o, err);
    if (rc == ERR_OK && spec->unpack != NULL) {
        struct output_tree_place place = {o->dir, dir, o->part, o->path, spec->unpack};

        rc = output_tree_open(&place, &o->tree, err);
    } else if (rc == ERR_OK) {
        rc = open_part(o, err);
    }
    free(dir);
    return rc;
}

int output_open(const struct output_spec *spec, const char *name, struct output **ret,
                struct err *err)
{
    struct output *o = calloc(1, sizeof(*o));
    int rc = ERR_OK;

    if (o == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    o->dir = o->fd = -1;
    if (spec->folder != NULL || spec->file != NULL) {
        rc = open_file(spec, name, o, err);
    } else {
        o->to_fd = true;
        output_fd_begin(&o->to, spec->fd);
    }
    if (rc == ERR_OK)
        *ret = o;
    else
        output_free(o);
    return rc;
}

bool output_in_order(const struct output *o)
{
    return o->to_fd || o->tree != NULL;
}

const char *output_path(const struct output *o)
{
    return o->path != NULL ? o->path : "";
}

/* ---- room ---------------------------------------------------------------------------- */

static int write_failed(const char *what, const struct output *o, struct err *err)
{
    int errnum = errno, rc = err_sys(err, errnum, "%s '%s'", what, o->path);

    room_hint(errnum, err);
    return rc;
}

/* What the file still needs against what the disk has for us; blocks that it has count. */
static int check_room(const struct output *o, uint64_t length, struct err *err)
{
    struct statvfs disk;
    struct stat st;
    uint64_t has, free_bytes;

    if (fstatvfs(o->fd, &disk) != 0 || fstat(o->fd, &st) != 0 || disk.f_blocks == 0)
        return ERR_OK; /* it does not say: the writes will see */
    has = (uint64_t)st.st_blocks * 512;
    free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (has >= length || length - has <= free_bytes)
        return ERR_OK;
    return room_missing(o->path, length - has, free_bytes, err);
}

int output_expect(struct output *o, uint64_t length, struct err *err)
{
    int rc;

    if (o->tree != NULL)
        return output_tree_expect(o->tree, length, err);
    if (o->to_fd)
        return ERR_OK;
    if (o->left > length && ftruncate(o->fd, (off_t)length) != 0)
        return err_sys(err, errno, "cannot cut '%s' beside '%s'", o->part, o->path);
    rc = check_room(o, length, err);
    if (rc != ERR_OK || length < LARGE)
        return rc;
    if (fallocate(o->fd, 0, 0, (off_t)length) != 0 &&
        (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
        return write_failed("no room for", o, err);
    return ERR_OK; /* other failures: this file system cannot; the writes will see */
}

/* ---- writing ---------------------------------------------------------------------------- */

/*
 * What was written goes to the disk while more comes: at the end there is little left to wait for.
 * And it leaves the page cache when it is there, for memory that is new to the cache costs more
 * than the disk, and others lose what they had in it.  Pieces come nearly in order: what comes late
 * is caught by the next range, or by the last sync.
 */
static void write_behind(struct output *o, uint64_t end)
{
    uint64_t from = atomic_load(&o->begun);

    if (end < from + BEHIND_STEP || !atomic_compare_exchange_strong(&o->begun, &from, end))
        return;
    from -= from < BEHIND_LATE ? from : BEHIND_LATE;
    (void)sync_file_range(o->fd, (off_t)from, (off_t)(end - from), SYNC_FILE_RANGE_WRITE);
    if (end <= CACHED)
        return;
    from -= from < CACHED ? from : CACHED;
    (void)posix_fadvise(o->fd, (off_t)from, (off_t)(end - CACHED - from), POSIX_FADV_DONTNEED);
}

static int write_file(struct output *o, uint64_t offset, struct part data, struct err *err)
{
    while (data.len > 0) {
        ssize_t n = pwrite(o->fd, data.data, data.len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_failed("cannot write", o, err);
        data.data = (const uint8_t *)data.data + n;
        data.len -= (size_t)n;
        offset += (uint64_t)n;
    }
    write_behind(o, offset);
    return ERR_OK;
}

int output_write(struct output *o, uint64_t offset, struct part data, const atomic_bool *stop,
                 struct err *err)
{
    if (o->tree != NULL)
        return output_tree_write(o->tree, data, stop, err);
    return o->to_fd ? output_fd_write(&o->to, data, stop, err) : write_file(o, offset, data, err);
}

bool output_read(const struct output *o, uint64_t offset, uint8_t *out, size_t len)
{
    off_t data = lseek(o->fd, (off_t)offset, SEEK_DATA);
    size_t got = 0;

    /* Room that was only taken has no data; where the file system cannot tell, all of it has. */
    if (data < 0 || (uint64_t)data >= offset + len)
        return false;
    while (got < len) {
        ssize_t n = pread(o->fd, out + got, len - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* Give the partial file its name; a file system may lack RENAME_NOREPLACE, but has links. */
static int give_name(struct output *o, struct err *err)
{
    if (renameat2(o->dir, o->part, o->dir, o->name, o->force ? 0 : RENAME_NOREPLACE) == 0)
        return ERR_OK;
    if (errno == EINVAL && !o->force && o->tree == NULL &&
        linkat(o->dir, o->part, o->dir, o->name, 0) == 0) {
        (void)unlinkat(o->dir, o->part, 0);
        return ERR_OK;
    }
    if (errno == EINVAL && o->tree != NULL && renameat(o->dir, o->part, o->dir, o->name) == 0)
        return ERR_OK; /* over nothing but an empty folder */
    if (o->tree != NULL && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR))
        return folder_exists(o, err);
    if (errno == EEXIST)
        return exists_error(o, err);
    return err_sys(err, errno, "cannot rename to '%s'", o->path);
}

/* As the sender's file; a file system may not know such a time, which is no reason to fail. */
static void give_time(const struct output *o)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    times[1] = (struct timespec){.tv_sec = (time_t)(o->modified / 1000),
                                 .tv_nsec = (long)(o->modified % 1000) * 1000000};
    if (o->modified > 0 && o->modified <= TIME_MAX && futimens(o->fd, times) != 0)
        return;
}

int output_commit(struct output *o, struct err *err)
{
    int rc;

    if (o->committed)
        return ERR_OK;
    if (o->to_fd) /* a file behind standard output is to be durable before anybody is told so */
        return fsync(o->to.fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP
                   ? ERR_OK
                   : err_sys(err, errno, "cannot sync the output");
    if (o->tree != NULL) {
        rc = output_tree_end(o->tree, err);
        if (rc != ERR_OK)
            return rc;
    } else {
        give_time(o);
        if (fsync(o->fd) != 0)
            return err_sys(err, errno, "cannot sync '%s'", o->path);
    }
    rc = o->tree == NULL ? check_target(o, err) : ERR_OK; /* a rename would replace a pipe too */
    if (rc == ERR_OK)
        rc = give_name(o, err);
    if (rc != ERR_OK)
        return rc;
    o->committed = true;
    if (fsync(o->dir) != 0)
        return err_sys(err, errno, "cannot sync the folder of '%s'", o->path);
    return ERR_OK;
}

int output_part_path(const struct output *o, char **ret, struct err *err)
{
    char link[40], folder[PATH_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", o->dir);
    n = readlink(link, folder, sizeof(folder) - 1);
    if (n < 0)
        return err_sys(err, errno, "cannot name the folder of '%s'", o->path);
    folder[n] = '\0';
    *ret = fs_join(folder, o->part);
    return *ret != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

void output_keep(struct output *o)
{
    o->keep = true;
}

void output_free(struct output *o)
{
    if (o == NULL)
        return;
    output_tree_free(o->tree, o->committed);
    if (o->made && !o->committed && !o->keep)
        (void)unlinkat(o->dir, o->part, 0);
    if (o->to_fd)
        output_fd_end(&o->to);
    if (o->fd >= 0)
        close(o->fd);
    if (o->dir >= 0)
        close(o->dir);
    free(o->path);
    free(o);
}
