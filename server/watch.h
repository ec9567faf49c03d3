/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch - connections that are told what happens to their user's transfers.
 *
 * The store keeps the events (store_feed_list); a watcher is only a place in them.
 * It is read on while the connection takes bytes, a page at a time, so that a
 * slow subscriber costs one page and loses nothing.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/transfer/ids.h"

struct conn;
struct daemon;
struct watch;
struct watches;

/* Without a watcher.  Errors as of table_new(). */
MUST_CHECK int watches_new(struct watches **ret_w, struct err *err);
void watches_free(struct watches *w); /* no watch is left; NULL is fine */

/* ${conn} is told of events behind ${after} from now on; again: from there.  ERR_NOMEM. */
MUST_CHECK int watch_start(struct conn *conn, uint64_t after);

/* The connection is gone, or takes bytes again.  Without a watch: nothing. */
void watch_drop(struct conn *conn);
void watch_pump(struct conn *conn);

/* Something was written for ${uid}, or for nobody knows whom. */
void watch_kick(struct daemon *d, const uint8_t uid[IDS_UID_LEN]);

#endif /* SERVER_WATCH_H */
