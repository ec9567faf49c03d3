/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries come as a walk goes: a folder, then all that is in it.  The folders
 * from the top to where the walk is are open, each made by us; an entry is made in
 * the last of them by its name alone.  A folder gets mode and time when the walk
 * leaves it.
 */
#include "client/local/unpack_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/local/archive_load.h"
#include "client/local/beneath.h"
#include "client/local/room.h"
#include "client/local/tree.h"

enum { PATH_BYTES = TREE_PATH_MAX + 1, NAME_BYTES = 255 };

struct level {
    int fd;
    size_t len; /* of the path to it */
    mode_t mode;
    struct timespec times[2];
};

struct unpack_dir {
    char *name;
    mode_t allowed;        /* by this process's umask, or what the folder makes its files inherit */
    bool begun;            /* the top folder's entry was there */
    char path[PATH_BYTES]; /* of the last open folder, from the top one; "" for that itself */
    struct level levels[TREE_DEPTH_MAX + 1];
    size_t depth; /* of the last one, 0 the top */
};

/* What is to be made. */
struct item {
    struct archive *a; /* has its bytes */
    struct archive_entry *entry;
    const char *path, *base; /* below the top folder; its last part */
};

/* ---- errors --------------------------------------------------------------------------- */

static int refused(const char *path, const char *why, struct err *err)
{
    err_set(err, ERR_REFUSED, "the folder's archive holds '%.200s', %s", path, why);
    err_hint(err, "--no-unpack keeps the archive as it is, for a look into it");
    return ERR_REFUSED;
}

static int failed(const char *what, const char *path, struct err *err)
{
    int errnum = errno, rc;

    if (errnum == EEXIST)
        return refused(path, "which is in it twice", err);
    rc = err_sys(err, errnum, "cannot %s '%.200s' in the folder", what, path);
    room_hint(errnum, err);
    return rc;
}

static int damaged(struct archive *a, const char *path, struct err *err)
{
    return err_set(err, ERR_INTEGRITY, "the folder's archive is damaged at '%.200s': %.200s", path,
                   la.archive_error_string(a));
}

/* ---- paths ------------------------------------------------------------------------------- */

/* The part of ${path} below the top folder, without slashes at its end, into ${ret}. */
static int take_path(const struct unpack_dir *d, const char *path, char ret[PATH_BYTES],
                     struct err *err)
{
    size_t top = strlen(d->name), len = path != NULL ? strlen(path) : 0;

    if (len == 0 || len >= PATH_BYTES)
        return refused(path != NULL ? path : "?", "a name that no file can have", err);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len < top || memcmp(path, d->name, top) != 0 || (len > top && path[top] != '/'))
        return refused(path, "which is not in the folder", err);
    if (len == top) {
        ret[0] = '\0';
        return ERR_OK;
    }
    (void)snprintf(ret, PATH_BYTES, "%.*s", (int)(len - top - 1), path + top + 1);
    for (const char *at = ret;; at++) {
        size_t n = strcspn(at, "/");

        if (n == 0 || n > NAME_BYTES || (n == 1 && at[0] == '.') ||
            (n == 2 && at[0] == '.' && at[1] == '.'))
            return refused(path, "a name that leads elsewhere", err);
        at += n;
        if (*at == '\0')
            return ERR_OK;
    }
}

/* ---- modes and times ------------------------------------------------------------------------ */

static mode_t mode_of(const struct unpack_dir *d, struct archive_entry *entry)
{
    return la.archive_entry_perm(entry) & TREE_MODE & d->allowed;
}

/* umask() cannot be asked without changing it for all threads: a folder is made, and looked at. */
static int find_allowed(int dir, mode_t *ret)
{
    static const char *const probe = "mode";
    struct stat st;

    if (mkdirat(dir, probe, 0777) != 0)
        return -1;
    if (fstatat(dir, probe, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        unlinkat(dir, probe, AT_REMOVEDIR) != 0)
        return -1;
    *ret = st.st_mode & 0777;
    return 0;
}

static void times_of(struct archive_entry *entry, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = times[0];
    if (la.archive_entry_mtime_is_set(entry))
        times[1] =
            (struct timespec){la.archive_entry_mtime(entry), la.archive_entry_mtime_nsec(entry)};
}

/* Go back to ${depth}; what is left is finished. */
static int leave(struct unpack_dir *d, size_t depth, struct err *err)
{
    while (d->depth > depth) {
        struct level *l = &d->levels[d->depth];
        int rc = ERR_OK;

        if (fchmod(l->fd, l->mode) != 0 || futimens(l->fd, l->times) != 0)
            rc = failed("finish", d->path, err);
        close(l->fd);
        d->depth--;
        d->path[d->levels[d->depth].len] = '\0';
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* Go to the folder of ${path}; *${ret_base} is its last part. */
static int go_to(struct unpack_dir *d, const char *path, const char **ret_base, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0, depth = d->depth;

    while (depth > 0 && !(d->levels[depth].len == len && memcmp(path, d->path, len) == 0))
        depth--;
    if (d->levels[depth].len != len)
        return refused(path, "whose folder does not stand just before it", err);
    *ret_base = slash != NULL ? slash + 1 : path;
    return leave(d, depth, err);
}

/* ---- entries ---- */

static int write_at(int fd, const uint8_t *data, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

/* Holes stay holes. */
static int write_file(int fd, const struct item *item, struct err *err)
{
    la_int64_t end = 0, size = la.archive_entry_size(item->entry);

    for (;;) {
        const void *data = NULL;
        size_t len = 0;
        la_int64_t at = 0;
        int r = la.archive_read_data_block(item->a, &data, &len, &at);

        if (r == ARCHIVE_EOF)
            break;
        if (r != ARCHIVE_OK)
            return damaged(item->a, item->path, err);
        if (write_at(fd, data, len, at) != 0)
            return failed("write", item->path, err);
        end = at + (la_int64_t)len;
    }
    if (end < size && ftruncate(fd, size) != 0)
        return failed("write", item->path, err);
    return ERR_OK;
}

static int make_file(struct unpack_dir *d, const struct item *item, struct err *err)
{
    struct timespec times[2];
    int fd = openat(d->levels[d->depth].fd, item->base,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return failed("create", item->path, err);
    times_of(item->entry, times);
    rc = write_file(fd, item, err);
    if (rc == ERR_OK && (fchmod(fd, mode_of(d, item->entry)) != 0 || futimens(fd, times) != 0))
        rc = failed("finish", item->path, err);
    if (close(fd) != 0 && rc == ERR_OK)
        rc = failed("write", item->path, err);
    return rc;
}

static int make_folder(struct unpack_dir *d, const struct item *item, struct err *err)
{
    struct level *l = &d->levels[d->depth + 1];
    int at = d->levels[d->depth].fd;

    if (d->depth == TREE_DEPTH_MAX)
        return refused(item->path, "which is nested too deep", err);
    if (mkdirat(at, item->base, 0700) != 0)
        return failed("create", item->path, err);
    l->fd = openat(at, item->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (l->fd < 0)
        return failed("open", item->path, err);
    l->mode = mode_of(d, item->entry);
    times_of(item->entry, l->times);
    l->len = strlen(item->path);
    memcpy(d->path, item->path, l->len + 1);
    d->depth++;
    return ERR_OK;
}

static int make_link(struct unpack_dir *d, const struct item *item, struct err *err)
{
    const char *target = la.archive_entry_symlink(item->entry);
    int at = d->levels[d->depth].fd;
    struct timespec times[2];

    if (target == NULL || !beneath_link_stays(target, d->depth))
        return refused(item->path, "a link that leads out of the folder", err);
    times_of(item->entry, times);
    if (symlinkat(target, at, item->base) != 0 ||
        utimensat(at, item->base, times, AT_SYMLINK_NOFOLLOW) != 0)
        return failed("create the link", item->path, err);
    return ERR_OK;
}

/* Another name for a file that was made before. */
static int make_name(struct unpack_dir *d, const struct item *item, struct err *err)
{
    char target[PATH_BYTES];
    const char *slash, *last = target;
    int from = d->levels[0].fd,
        rc = take_path(d, la.archive_entry_hardlink(item->entry), target, err);
    struct stat st;

    if (rc != ERR_OK)
        return rc;
    slash = strrchr(target, '/');
    if (slash != NULL) {
        target[slash - target] = '\0';
        last = slash + 1;
        from = beneath_open(from, target, O_PATH | O_DIRECTORY, 0);
    }
    if (from < 0 || last[0] == '\0' || fstatat(from, last, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode))
        rc = refused(item->path, "another name of no file in the folder", err);
    else if (linkat(from, last, d->levels[d->depth].fd, item->base, 0) != 0)
        rc = failed("link", item->path, err);
    if (from >= 0 && from != d->levels[0].fd)
        close(from);
    return rc;
}

static int top(struct unpack_dir *d, struct archive_entry *entry, struct err *err)
{
    if (d->begun || la.archive_entry_filetype(entry) != AE_IFDIR ||
        la.archive_entry_hardlink(entry) != NULL)
        return refused(d->name, "which is not the folder", err);
    d->begun = true;
    d->levels[0].mode = mode_of(d, entry);
    times_of(entry, d->levels[0].times);
    return ERR_OK;
}

int unpack_entry(struct unpack_dir *d, struct archive *a, struct archive_entry *entry,
                 struct err *err)
{
    char path[PATH_BYTES];
    struct item item = {.a = a, .entry = entry, .path = path};
    int rc = take_path(d, la.archive_entry_pathname(entry), path, err);

    if (rc == ERR_OK && path[0] == '\0')
        return top(d, entry, err);
    if (rc == ERR_OK && !d->begun)
        rc = refused(path, "but not the folder before it", err);
    if (rc == ERR_OK)
        rc = go_to(d, path, &item.base, err);
    if (rc != ERR_OK)
        return rc;
    if (la.archive_entry_hardlink(entry) != NULL)
        return make_name(d, &item, err);
    switch (la.archive_entry_filetype(entry)) {
    case AE_IFREG:
        return make_file(d, &item, err);
    case AE_IFDIR:
        return make_folder(d, &item, err);
    case AE_IFLNK:
        return make_link(d, &item, err);
    default:
        return refused(path, "which is neither a file, a folder nor a link", err);
    }
}

/* ---- begin and end ---- */

int unpack_dir_new(int dir, const char *name, struct unpack_dir **ret, struct err *err)
{
    struct unpack_dir *d = calloc(1, sizeof(*d));
    int rc;

    if (d != NULL)
        d->name = strdup(name);
    if (d == NULL || d->name == NULL) {
        free(d);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    d->levels[0].fd = dir;
    if (find_allowed(dir, &d->allowed) != 0) {
        rc = err_sys(err, errno, "cannot make a folder for '%.200s'", name);
        unpack_dir_free(d);
        return rc;
    }
    *ret = d;
    return ERR_OK;
}

int unpack_dir_end(struct unpack_dir *d, struct err *err)
{
    struct level *l = &d->levels[0];
    int rc;

    if (!d->begun)
        return err_set(err, ERR_INTEGRITY, "the folder's archive is empty");
    rc = leave(d, 0, err);
    if (rc == ERR_OK && (fchmod(l->fd, l->mode) != 0 || futimens(l->fd, l->times) != 0))
        rc = failed("finish", d->name, err);
    return rc;
}

void unpack_dir_free(struct unpack_dir *d)
{
    if (d == NULL)
        return;
    for (; d->depth > 0; d->depth--)
        close(d->levels[d->depth].fd);
    free(d->name);
    free(d);
}
