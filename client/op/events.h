/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events - the log of a transfer of ours, got and checked (proto/FORMATS.md
 * section 14.4): each hash from the one before, the head against the server's
 * key, and all of it against the head that was seen last.
 *
 * Threads: as each says.
 */
#ifndef CLIENT_OP_EVENTS_H
#define CLIENT_OP_EVENTS_H

#include "client/core/op.h"

enum { EVENTS_MAX = 100000 }; /* of one transfer */

/* Zero-initialise; fill in the first block. */
struct events {
    struct satchel_op *op;
    struct tid tid;
    void (*done)(struct satchel_op *op);

    /* Afterwards: */
    Satchel__LoggedEvent **rows; /* rising; of the pages */
    size_t n;
    Satchel__Signed *head; /* of the last page; NULL: there is no event */
    /* Private. */
    Satchel__EventsReply **pages;
    size_t n_pages;
};

/* On the loop: get all pages, then done(); an error ends the operation. */
void events_get(struct events *ev);

/* The chain and its head alone.  ERR_INTEGRITY.  Any thread. */
MUST_CHECK int events_verify(const struct events *ev, const uint8_t server_key[IDS_KEY_LEN],
                             struct err *err);

/*
 * On a worker: check, and remember the head.  ERR_INTEGRITY: not a chain, a
 * head that does not fit, or not what was shown before.
 */
MUST_CHECK int events_check(struct events *ev, const uint8_t server_key[IDS_KEY_LEN],
                            struct vault *vault, struct err *err);

void events_free(struct events *ev);

#endif /* CLIENT_OP_EVENTS_H */
