/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_feed - what users are to be told: FORMATS.md section 14.6.  All run inside ${t}. */
#ifndef SERVER_STORE_LMDB_FEED_H
#define SERVER_STORE_LMDB_FEED_H

#include "server/store/lmdb_rows.h"
#include "server/store/store_uploads.h"

/* Tell ${uid}; row->number does not count: it gets the next one. */
void lmdb_feed_add(struct lmdb_txn *t, const uint8_t *uid, const struct store_feed_row *row);

struct lmdb_feed_to {
    uint64_t now;
    uint8_t views; /* of the recipient: told only while it has the transfer in its inbox */
};

/* Tell sender and recipient, as the kind of ${event} wants it, whose uid is the recipient's. */
void lmdb_feed_tell(struct lmdb_txn *t, const uint8_t *tid, const struct lmdb_transfer *tr,
                    const struct store_event_new *event, const struct lmdb_feed_to *to);

/* Remove up to ${limit} rows that are older than STORE_FEED_MS. */
void lmdb_feed_trim(struct lmdb_txn *t, uint64_t now, size_t limit);

#endif /* SERVER_STORE_LMDB_FEED_H */
