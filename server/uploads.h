/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uploads - how many unfinished uploads each user has, as far as this process
 * has seen them begin.  An entry goes when the upload is sealed or given up,
 * or when its lease has passed.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_UPLOADS_H
#define SERVER_UPLOADS_H

#include "common/transfer/ids.h"

struct uploads;

/* Nobody has any.  Errors as of table_new(). */
MUST_CHECK int uploads_new(struct uploads **ret_u, struct err *err);
void uploads_free(struct uploads *u); /* NULL is fine */

enum { UPLOADS_KEY_LEN = 16 };

/* What is known of one. */
struct uploads_entry {
    struct tid tid;
    uint8_t key[UPLOADS_KEY_LEN]; /* upload_key */
    uint64_t lease;               /* kept until then, ms since 1970 */
};

/* ERR_LIMIT: the user has ${max} at ${now}, and none of them has this key. */
MUST_CHECK int uploads_check(struct uploads *u, const struct uid *uid,
                             const struct uploads_entry *e, uint64_t max, uint64_t now);

/* It has begun, or goes on.  Without memory it is not counted. */
void uploads_add(struct uploads *u, const struct uid *uid, const struct uploads_entry *e);

/* It is kept longer. */
void uploads_renew(struct uploads *u, const struct uid *uid, const struct tid *tid, uint64_t lease);

/* It is over. */
void uploads_remove(struct uploads *u, const struct uid *uid, const struct tid *tid);

#endif /* SERVER_UPLOADS_H */
