/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_env_priv - what the two files of an environment share: lmdb_env.c (life, transactions),
 * lmdb_env_room.c (map, file and disk).  Nobody else includes it.
 */
#ifndef SERVER_STORE_LMDB_ENV_PRIV_H
#define SERVER_STORE_LMDB_ENV_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/store/lmdb_env.h"

enum { LMDB_ENV_TABLES_MAX = 32 };

struct lmdb_env {
    pthread_rwlock_t gate;
    /* Under the gate: changed only by who holds it alone. */
    MDB_env *env; /* NULL: could not be opened again; the next user tries */
    uint64_t generation;
    MDB_dbi dbi[LMDB_ENV_TABLES_MAX];

    char *path;
    const char *const *tables;
    unsigned ntables;
    uint64_t max, ahead, step;
    bool leaves_room, drops_behind;
    /* Writer only. */
    uint64_t file_size;
    uint64_t writing; /* bytes of the write under way */
    uint64_t dropped; /* the file up to here need not be in the page cache */
    uint64_t own_map; /* map before it was overdrawn */
    atomic_uint_fast64_t used, map, page, readers, reopened;
    atomic_uint_fast64_t live; /* bytes of pages with something in them, if leaves_room */
};

/* Bytes of the map to open with: what the file has room for, or had when it was open before. */
uint64_t lmdb_env_first_map(const struct lmdb_env *e);

/* Writer: should the map grow before ${bytes} are written?  May ask the file system. */
bool lmdb_env_is_short(const struct lmdb_env *e, uint64_t bytes);

/*
 * Take another map: ${size}, at least what is in use; 0 for what another process made it.  The gate
 * is not held.  0, or a number of LMDB.
 */
MUST_CHECK int lmdb_env_resize(struct lmdb_env *e, uint64_t size);

#endif /* SERVER_STORE_LMDB_ENV_PRIV_H */
