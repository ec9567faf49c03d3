/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/output_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/local/room.h"
#include "client/local/unpack.h"
#include "common/fs.h"

struct output_tree {
    char *path, *shown; /* of the hidden folder; at the end */
    int fd;
    bool made; /* it is ours to remove */
    struct unpack *unpack;
};

/* ---- removing -------------------------------------------------------------------------- */

/* Remove what is below the folder, whatever modes it has by now; links are removed, not followed.
 */
static int empty(const char *path, struct err *err)
{
    char *roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *e;
    int why = walk == NULL ? errno : 0;

    while (why == 0 && (errno = 0, e = fts_read(walk)) != NULL) {
        if (e->fts_info == FTS_D) {
            if ((e->fts_statp->st_mode & 0700) != 0700 && chmod(e->fts_accpath, 0700) != 0)
                why = errno;
        } else if (e->fts_level > 0 && remove(e->fts_accpath) != 0) {
            why = errno;
        }
    }
    if (why == 0)
        why = errno;
    if (walk != NULL)
        fts_close(walk);
    return why == 0 ? ERR_OK : err_sys(err, why, "cannot remove what is in '%s'", path);
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
        return err_set(err, ERR_BUSY, "another satchel is receiving '%s'", t->shown);
    t->made = true;
    if (fresh)
        return ERR_OK;
    if (fchmod(t->fd, 0700) != 0)
        return err_sys(err, errno, "cannot change '%s'", t->path);
    return empty(t->path, err);
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
    t->path = fs_join(place->folder, place->part);
    t->shown = strdup(place->shown);
    if (t->path == NULL || t->shown == NULL)
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
    if (t->made && !keep && empty(t->path, NULL) == ERR_OK)
        (void)rmdir(t->path);
    if (t->fd >= 0)
        close(t->fd);
    free(t->path);
    free(t->shown);
    free(t);
}
