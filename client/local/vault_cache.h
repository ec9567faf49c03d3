/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_cache - records that were opened once, for as long as their files stay what they were.
 *
 * A program that holds a vault open looks the same contacts up again and again.  What is kept here
 * is good while stat() shows the file that it came from: device, inode, size, and both times to
 * the nanosecond.  Every writing replaces the file, so that another process's is noticed at once.
 * File systems count time in ticks, and two writings within one may look the same: what was
 * written just now is not kept.
 *
 * Nothing of it is needed: without room or memory, everything is read from the disk as before.
 * Functions with a path touch the disk: not for the loop thread.  Threads: any.
 */
#ifndef CLIENT_LOCAL_VAULT_CACHE_H
#define CLIENT_LOCAL_VAULT_CACHE_H

#include <stdbool.h>

#include "client/local/vault_record.h"
#include "common/buf.h"

enum {
    VAULT_CACHE_ROWS = 4096,           /* records at most */
    VAULT_CACHE_ROW_MAX = 64 * 1024,   /* bytes of one */
    VAULT_CACHE_MAX = 8 * 1024 * 1024, /* bytes of all */
    VAULT_CACHE_TICK_MS = 100,         /* longer than a file system's tick */
    VAULT_CACHE_COARSE_TICK_MS = 3000  /* of those that know whole seconds */
};

/* What stat() says of a file or a folder. */
struct vault_mark {
    uint64_t device, inode, size;
    int64_t modified, changed; /* ns since 1970 UTC */
    bool settled;              /* so old that no later writing can look the same */
};

struct vault_cache;

struct vault_cache *vault_cache_new(void);    /* NULL: out of memory */
void vault_cache_free(struct vault_cache *c); /* wipes; NULL is fine */

/* Is this table kept?  Only what holds no secrets and is looked up often. */
bool vault_cache_has(const char *table);

/* False: it cannot be seen.  Take it before the file is read. */
bool vault_cache_look(const char *path, struct vault_mark *ret);

/* Append the plaintext kept for this place and mark to ${out}.  False: there is none. */
bool vault_cache_get(struct vault_cache *c, const struct vault_place *place,
                     const struct vault_mark *mark, struct buf *out, uint64_t *ret_number);

/* Keep it, if there is room; a mark that is not settled only makes it forget. */
void vault_cache_put(struct vault_cache *c, const struct vault_place *place,
                     const struct vault_mark *mark, struct part plain);

/*
 * The same for the IDs of a table's records, VAULT_RECORD_ID_LEN bytes each, under the mark of
 * their folder.
 */
bool vault_cache_get_ids(struct vault_cache *c, const char *table, const struct vault_mark *mark,
                         struct buf *out);
void vault_cache_put_ids(struct vault_cache *c, const char *table, const struct vault_mark *mark,
                         struct part ids);

#endif /* CLIENT_LOCAL_VAULT_CACHE_H */
