/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partial - which transfer a partial file belongs to, so that a later attempt
 * knows whether what is there may be worth checking (proto/FORMATS.md
 * section 15.3).  It proves nothing: every byte is checked before it is used.
 *
 * Touches the disk: not for the loop thread.  Threads: any.
 * Errors: those of vault.h.
 */
#ifndef CLIENT_LOCAL_PARTIAL_H
#define CLIENT_LOCAL_PARTIAL_H

#include "client/local/vault.h"
#include "common/transfer/ids.h"

struct partial {
    struct tid tid;
    struct hash32 header; /* header_hash() */
    uint64_t length;      /* of the whole file */
    uint64_t begun;       /* milliseconds since 1970 UTC */
};

/* What the file at ${path} (absolute) belongs to.  ERR_NOTFOUND: nobody knows. */
MUST_CHECK int partial_load(struct vault *v, const char *path, struct partial *ret,
                            struct err *err);

/*
 * Remember, durably.  Records of files that are gone, or were begun more than PARTIAL_DAYS before
 * ${p}, are dropped at the same time.  Takes the vault's lock.
 */
enum { PARTIAL_DAYS = 60 };
MUST_CHECK int partial_save(struct vault *v, const char *path, const struct partial *p,
                            struct err *err);

/* Forget.  Takes the vault's lock. */
MUST_CHECK int partial_drop(struct vault *v, const char *path, struct err *err);

#endif /* CLIENT_LOCAL_PARTIAL_H */
