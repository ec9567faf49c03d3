/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - the next manifest of our own, for an operation: made and stored on
 * a worker, its key put into the account record, given to the server, made the newest.
 *
 * Ways to fail: those of identity_plan(); ERR_BUSY (another one is on its way);
 * those of the link.  After a lost answer the next login finishes it, unless it adds a device.
 */
#ifndef CLIENT_OP_PUBLISH_H
#define CLIENT_OP_PUBLISH_H

#include "client/core/op.h"
#include "client/core/rotate.h"

/* Zero-initialise; fill in the first block.  Embedded in the operation, which is READY. */
struct publish {
    struct satchel_op *op;
    struct identity_change change; /* what it points to stays */
    const char *code;              /* one-time password, for a change that adds a device; or NULL */
    void (*done)(struct publish *p);
    /* The server has refused it, and it is forgotten; NULL: the operation ends. */
    void (*refused)(struct publish *p, const struct err *why);

    /* Private. */
    struct op_job job;
    struct identity *id; /* what a job has made */
    struct hash32 next;
    struct profile_care care;
    struct deposit *deposit; /* under way, or NULL */
    struct err why;
};

/* Then done(): the profile's and the operation's identity have it; or the operation ends. */
void publish_start(struct publish *p);

/* What is left after an operation that ended early. */
void publish_free(struct publish *p);

#endif /* CLIENT_OP_PUBLISH_H */
