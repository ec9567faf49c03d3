/* SPDX-License-Identifier: Apache-2.0 */
/* find - from what a user types to one transfer.  Threads: the loop's own. */
#ifndef CLIENT_OP_FIND_H
#define CLIENT_OP_FIND_H

#include "client/core/op.h"

/* 1 to 32 hex digits, in lower case to ${ret_prefix}.  ERR_INVALID. */
MUST_CHECK int find_check(const char *text, char ret_prefix[SATCHEL_ID_SIZE], struct err *err);

/* Embedded in the operation; fill in the first block. */
struct find {
    struct satchel_op *op;
    char prefix[SATCHEL_ID_SIZE];
    bool role_wanted; /* ask the server even when the ID is whole */
    void (*done)(struct satchel_op *op);

    struct tid tid;
    char id[SATCHEL_ID_SIZE];
    Satchel__Role role; /* if wanted */
    const char *what;   /* of find_end_not_sent() */
};

/* Find the one transfer; none: ERR_NOTFOUND, several: ERR_INVALID end the operation. */
void find_one(struct find *f);

/* Make ERR_NOTFOUND of an answer say which transfer there is not. */
struct err find_error(const struct find *f, const struct err *why);

/*
 * The server knows no such transfer of ours, in an operation that only the sender has: ask whether
 * it is in the inbox, and end the operation: with ERR_REFUSED that says so, or with ERR_NOTFOUND.
 * ${what}: "revoke it".
 */
void find_end_not_sent(struct find *f, const char *what);

#endif /* CLIENT_OP_FIND_H */
