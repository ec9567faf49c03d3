/* SPDX-License-Identifier: Apache-2.0 */
/*
 * underway - bytes of pieces, and of large requests and results, that are under way: of each
 * connection, of each user, of all together; and who may have more.
 *
 * All users share a total.  A user may have, on all connections together, as much of it as is left:
 * one alone half, two a third each, and so on.  However long they keep it, something is left for
 * who comes then.  Connections that have not logged in are those of one user.
 *
 * A connection whose user has its part already is let in for a little all the same, when nothing
 * of it is under way.  That counts against nobody's part, or users with many connections would take
 * the others' that way; it is bounded by the number of connections.
 *
 * Pure logic.  Threads: one at a time for each object.  Never blocks.
 */
#ifndef SERVER_UNDERWAY_H
#define SERVER_UNDERWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/transfer/ids.h"

struct underway;
struct underway_user;

/* What one connection has; embedded by its owner, who only reads `bytes`. */
struct underway_conn {
    struct underway_user *user;
    size_t bytes;
    bool beside; /* they count against nobody's part */
};

/* ${total}, in bytes, may change, and must live as long.  Errors as of table_new(). */
MUST_CHECK int underway_new(struct underway **ret_u, const uint64_t *total, struct err *err);
/* All connections have left; NULL is fine. */
void underway_free(struct underway *u);

/* ${c} is new, and nobody's. */
void underway_enter(struct underway *u, struct underway_conn *c);

/* ${c} has logged in.  Without memory for that it goes on as before. */
void underway_log_in(struct underway *u, struct underway_conn *c, const struct uid *uid);

/* ${c} goes; nothing of it is under way any more. */
void underway_leave(struct underway *u, struct underway_conn *c);

/* So many bytes more and fewer. */
void underway_add(struct underway *u, struct underway_conn *c, size_t len);
void underway_less(struct underway *u, struct underway_conn *c, size_t len);

/* The user of ${c} has its part. */
bool underway_is_short(const struct underway *u, const struct underway_conn *c);

/* The same, and ${c} has its little: it must wait until that is through. */
bool underway_is_full(const struct underway *u, const struct underway_conn *c);

/* Bytes of all. */
size_t underway_all(const struct underway *u);

#endif /* SERVER_UNDERWAY_H */
