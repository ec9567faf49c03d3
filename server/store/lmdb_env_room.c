/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is there room for what is to be written, and how there comes to be more: the map, the file that
 * has its blocks as far as the map goes, and the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/fs.h"
#include "server/store/lmdb_env_priv.h"

enum {
    SMALLEST_STEP = 1 << 20,
    LARGEST_STEP = 1 << 30,
    ROOM_FOR_OTHERS = 64 << 20, /* of the disk; a sixteenth of a small one */
    OVERDRAFT = 1 << 20,
    COMMIT_ROOM = 1 << 18, /* the list of pages that it frees, and its tables */
    AHEAD_OF_DISK = 16,    /* the part of it that may be taken for what comes later */
};

static uint64_t round_up(uint64_t n, uint64_t step)
{
    return (n + step - 1) / step * step;
}

uint64_t lmdb_env_first_map(const struct lmdb_env *e)
{
    char *file = fs_join(e->path, "data.mdb");
    uint64_t size = e->map > SMALLEST_STEP ? e->map : SMALLEST_STEP;
    struct stat st = {0};

    if (file != NULL && stat(file, &st) == 0 && (uint64_t)st.st_size > size + OVERDRAFT)
        size = round_up((uint64_t)st.st_size - OVERDRAFT, SMALLEST_STEP);
    free(file);
    return size;
}

/* ---- is there room? ---- */

/* Bytes that the file may take of the disk. */
static uint64_t room_on_disk(const struct lmdb_env *e)
{
    struct statvfs fs;
    uint64_t room, others = 0;

    if (statvfs(e->path, &fs) != 0)
        return UINT64_MAX;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (e->leaves_room) {
        others = (uint64_t)fs.f_blocks * fs.f_frsize / 16;
        others = others < ROOM_FOR_OTHERS ? others : ROOM_FOR_OTHERS;
    }
    return room > others ? room - others : 0;
}

/* What is only to be there ahead must not take a disk that is nearly full from others. */
bool lmdb_env_is_short(const struct lmdb_env *e, uint64_t bytes)
{
    uint64_t end = e->used + 2 * bytes + SMALLEST_STEP / 4;

    return end > e->map || (end + e->ahead > e->map && e->map < e->max &&
                            room_on_disk(e) / AHEAD_OF_DISK > e->ahead);
}

/* The bytes that it was begun for do not tell how many pages it has copied, nor does LMDB. */
int lmdb_env_probe(const struct lmdb_env *e, MDB_txn *parent, size_t bytes)
{
    char name[] = "probe";
    MDB_val key = {sizeof(name), name}, value = {bytes + COMMIT_ROOM, NULL};
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(e->env, parent, 0, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_put(txn, e->dbi[0], &key, &value, MDB_RESERVE); /* nothing is copied */
    mdb_txn_abort(txn);
    return rc;
}

int lmdb_env_more(struct lmdb_env *e, uint64_t bytes)
{
    if (e->used + 2 * (e->writing + bytes) + SMALLEST_STEP / 4 > e->map)
        return MDB_MAP_FULL;
    e->writing += bytes;
    return 0;
}

uint64_t lmdb_env_most(const struct lmdb_env *e)
{
    uint64_t map = e->map, disk;

    if (!e->leaves_room)
        return UINT64_MAX;
    disk = room_on_disk(e);
    return disk < e->max && map + disk < e->max ? map + disk : e->max; /* the map has its blocks */
}

/* ---- more of it ---- */

/* Give the file its blocks up to ${size}, so that no commit has to look for them. */
static int allocate(struct lmdb_env *e, uint64_t size)
{
    mdb_filehandle_t fd = -1;
    int rc;

    pthread_rwlock_rdlock(&e->gate);
    rc = e->env != NULL ? mdb_env_get_fd(e->env, &fd) : 0;
    if (rc == 0 && fd >= 0 && size > e->file_size) {
        if (fallocate(fd, 0, (off_t)e->file_size, (off_t)(size - e->file_size)) == 0)
            e->file_size = size;
        else if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
            rc = ENOSPC;
        /* Other failures: this file system cannot; the writes will see. */
    }
    pthread_rwlock_unlock(&e->gate);
    return rc;
}

int lmdb_env_grow(struct lmdb_env *e)
{
    uint64_t map = e->map, size, more = map / 4, room;
    int rc;

    if (map >= e->max)
        return MDB_MAP_FULL;
    more = more > e->step ? more : e->step;
    more = more < LARGEST_STEP ? more : LARGEST_STEP;
    room = room_on_disk(e);
    if (more > room / 4)
        more = room / 4 > SMALLEST_STEP ? room / 4 : SMALLEST_STEP;
    if (more + OVERDRAFT > room)
        return ENOSPC;
    size = round_up(map + more, SMALLEST_STEP);
    size = size < e->max ? size : e->max;
    rc = allocate(e, size + OVERDRAFT);
    return rc == 0 ? lmdb_env_resize(e, size) : rc;
}

int lmdb_env_overdraw(struct lmdb_env *e, bool on)
{
    if (!on)
        return lmdb_env_resize(e, e->own_map);
    e->own_map = e->map;
    return lmdb_env_resize(e, e->own_map + OVERDRAFT);
}
