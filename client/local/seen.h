/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen - which header came first under a (sender, tid), so that another one
 * is noticed (proto/FORMATS.md section 16 step 5).
 *
 * Kept in segments of SEEN_SEGMENT entries, so that remembering one costs one
 * small writing, and in memory.  Entries are dropped, a segment at a time,
 * when the last of them can no longer be shown.
 *
 * Touches the disk: not for the loop thread.  Threads: any.
 */
#ifndef CLIENT_LOCAL_SEEN_H
#define CLIENT_LOCAL_SEEN_H

#include "client/local/vault.h"
#include "common/transfer/ids.h"

enum { SEEN_SEGMENT = 1024, SEEN_SEGMENTS_MAX = 4096 };

struct seen;

/* Nothing is read before the first call.  ${v} must outlive it. */
MUST_CHECK int seen_new(struct vault *v, struct seen **ret, struct err *err);
void seen_free(struct seen *s); /* NULL is fine */

struct seen_entry {
    struct uid sender;
    struct tid tid;
    struct hash32 header; /* header_hash() */
    uint64_t until;       /* may be forgotten then; milliseconds since 1970 UTC */
};

/* Read what is not in memory yet, of this process and others. */
MUST_CHECK int seen_refresh(struct seen *s, struct err *err);

/* The header in memory for (sender, tid) of ${e}.  ERR_NOTFOUND: none. */
MUST_CHECK int seen_find(struct seen *s, struct seen_entry *e, struct err *err);

/*
 * Remember ${n} headers, durably, with one writing where they fit one segment.
 * Those known already are skipped.  ERR_INTEGRITY: another header is known for one of
 * them, nothing is remembered.  Takes the vault's lock.
 */
MUST_CHECK int seen_add(struct seen *s, const struct seen_entry *e, size_t n, uint64_t now,
                        struct err *err);

#endif /* CLIENT_LOCAL_SEEN_H */
