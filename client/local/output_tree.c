/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/output_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/local/room.h"
#include "client/local/tree.h"
#include "client/local/unpack.h"
#include "common/fs.h"

struct output_tree {
    char *path, *shown; /* of the hidden folder; at the end */
    int dir;            /* the caller's, with it in it */
    char *part;         /* its name there */
    int fd;
    bool made; /* it is ours to remove */
    struct unpack *unpack;
};

/* ---- removing -------------------------------------------------------------------------- */

/* Nobody makes deeper ones here, and each level is a descriptor. */
enum { LEVELS = TREE_DEPTH_MAX + 1 };

static int empty_at(int fd, unsigned levels);

/* A folder in ours, whatever its mode is by now; -1: errno says why. */
static int open_below(int dir, const char *name)
{
    int path = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -1, why;
    char link[40];
    struct stat st;

    if (path < 0)
        return -1;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
    if (fstat(path, &st) == 0 && ((st.st_mode & 0700) == 0700 || chmod(link, 0700) == 0))
        fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    why = errno;
    close(path);
    errno = why;
    return fd;
}

/* 0, or errno. */
static int remove_at(int dir, const char *name, unsigned levels)
{
    int fd, why;

    if (unlinkat(dir, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    if (levels == 0)
        return ELOOP;
    fd = open_below(dir, name);
    why = fd >= 0 ? empty_at(fd, levels - 1) : errno;
    return why != 0 || unlinkat(dir, name, AT_REMOVEDIR) == 0 ? why : errno;
}

/* One reading of ${d}, whose descriptor is ${dir}; *ret_n: entries that were there. */
static int empty_once(DIR *d, int dir, unsigned levels, size_t *ret_n)
{
    struct dirent *e = NULL;
    int why = 0;

    *ret_n = 0;
    rewinddir(d);
    while (why == 0 && (errno = 0, e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        why = remove_at(dir, e->d_name, levels);
        ++*ret_n;
    }
    return why != 0 ? why : errno;
}

/*
 * Remove what is in the folder ${fd}, which it takes; links are removed, not followed.  By
 * descriptors all the way: a path may lead to something else by now.  0, or errno.
 */
static int empty_at(int fd, unsigned levels)
{
    DIR *d = fdopendir(fd);
    int why = d != NULL ? 0 : errno;
    size_t n = 1;

    if (d == NULL) {
        close(fd);
        return why;
    }
    while (why == 0 && n > 0) /* a reading may pass over some where others go */
        why = empty_once(d, fd, levels, &n);
    closedir(d);
    return why;
}

static int empty(const struct output_tree *t, struct err *err)
{
    int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int why = fd >= 0 ? empty_at(fd, LEVELS) : errno;

    return why == 0 ? ERR_OK : err_sys(err, why, "cannot remove what is in '%s'", t->path);
}

int output_tree_taken(const char *shown, struct err *err)
{
    err_set(err, ERR_LOCKED, "another satchel is receiving '%s'", shown);
    err_hint(err, "try again when it has finished, or choose another place with -o");
    return ERR_LOCKED;
}

/* ---- opening ----------------------------------------------------------------------------- */

/*
 * A folder of this name may be left by somebody who is gone; another user's is
 * his to change.  Between opening and locking it may have got its name.
 */
static int claim(const struct output_tree_place *place, struct output_tree *t, bool fresh,
                 struct err *err)
{
    struct stat here, there;

    t->fd = openat(place->dir, place->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return err_set(err, ERR_REFUSED, "'%s' is in the way", t->path);
    if (t->fd < 0 || fstat(t->fd, &here) != 0)
        return err_sys(err, errno, "cannot open '%s'", t->path);
    if (!fresh && here.st_uid != geteuid())
        return err_set(err, ERR_REFUSED, "'%s' is in the way", t->path);
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0 ||
        fstatat(place->dir, place->part, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return output_tree_taken(t->shown, err);
    t->made = true;
    if (fresh)
        return ERR_OK;
    if (fchmod(t->fd, 0700) != 0)
        return err_sys(err, errno, "cannot change '%s'", t->path);
    return empty(t, err);
}

int output_tree_open(const struct output_tree_place *place, struct output_tree **ret,
                     struct err *err)
{
    struct output_tree *t = calloc(1, sizeof(*t));
    bool fresh;
    int rc = ERR_OK;

    if (t == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    t->fd = -1;
    t->dir = place->dir;
    t->part = strdup(place->part);
    t->path = fs_join(place->folder, place->part);
    t->shown = strdup(place->shown);
    if (t->part == NULL || t->path == NULL || t->shown == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    fresh = rc == ERR_OK && mkdirat(place->dir, place->part, 0700) == 0;
    if (rc == ERR_OK && !fresh && errno != EEXIST)
        rc = err_sys(err, errno, "cannot create '%s'", t->path);
    if (rc == ERR_OK)
        rc = claim(place, t, fresh, err);
    if (rc == ERR_OK)
        rc = unpack_new(t->fd, place->top, &t->unpack, err);
    if (rc == ERR_OK)
        *ret = t;
    else
        output_tree_free(t, false);
    return rc;
}

/* ---- going on ------------------------------------------------------------------------------- */

int output_tree_expect(struct output_tree *t, uint64_t length, struct err *err)
{
    struct statvfs fs;

    if (fstatvfs(t->fd, &fs) == 0 && length / fs.f_frsize > fs.f_bavail)
        return room_missing(t->shown, length, (uint64_t)fs.f_bavail * fs.f_frsize, err);
    return ERR_OK;
}

int output_tree_write(struct output_tree *t, struct part data, const atomic_bool *stop,
                      struct err *err)
{
    return unpack_write(t->unpack, data, stop, err);
}

/* One sync of the file system, not one for each file. */
int output_tree_end(struct output_tree *t, struct err *err)
{
    int rc = unpack_end(t->unpack, err);

    if (rc == ERR_OK && syncfs(t->fd) != 0)
        rc = err_sys(err, errno, "cannot sync '%s'", t->shown);
    return rc;
}

void output_tree_free(struct output_tree *t, bool keep)
{
    if (t == NULL)
        return;
    unpack_free(t->unpack);
    if (t->made && !keep && fchmod(t->fd, 0700) == 0 && empty(t, NULL) == ERR_OK)
        (void)unlinkat(t->dir, t->part, AT_REMOVEDIR); /* not if it is another one with something */
    if (t->fd >= 0)
        close(t->fd);
    free(t->part);
    free(t->path);
    free(t->shown);
    free(t);
}
