/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_grow - room for uploads, also for those whose length only their end
 * shows: what they reserve in the sender's mailbox grows with the pieces, in
 * steps.  All run inside ${t}.
 */
#ifndef SERVER_STORE_LMDB_GROW_H
#define SERVER_STORE_LMDB_GROW_H

#include "server/store/lmdb_parts.h"

/*
 * Has a mailbox room for ${bytes} more?  Others than its owner are told in steps, so that asking
 * with many lengths does not tell how full it is.
 */
bool lmdb_grow_has_room(const struct lmdb_user *u, uint64_t bytes, bool own);

/*
 * Has the store itself room for the body that ${in} announces?  ERR_FULL, also where only what
 * waits for the collector is in the way.  An upload that grows announces none, and a small body is
 * not among the bodies.  Nothing is set aside: what others are uploading may take the room yet.
 */
MUST_CHECK int lmdb_grow_check_store(struct lmdb_txn *t, const struct store_upload_open *in,
                                     struct store_result *res);

/* Bytes that such an upload reserves for its body when it has ${pieces} pieces; 0 as 1. */
uint64_t lmdb_grow_reserve(uint32_t pieces);

/* Is there room in every mailbox for one piece more?  ERR_QUOTA.  Always, for other uploads. */
MUST_CHECK int lmdb_grow_check(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u,
                               struct store_result *res);

/* Reserve for the piece that ${u}, which counts it already, has got. */
void lmdb_grow(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_upload *u);

#endif /* SERVER_STORE_LMDB_GROW_H */
