/* SPDX-License-Identifier: Apache-2.0 */
/* addendum - the sender's own word that a transfer ends at another time: FORMATS.md section 7.1. */
#ifndef CLIENT_OP_ADDENDUM_H
#define CLIENT_OP_ADDENDUM_H

#include "common/transfer/chain.h"
#include "common/transfer/header.h"
#include "common/transfer/statement.h"
#include "proto/satchel.pb-c.h"

/* The transfer whose addendum it claims to be: a header that was checked, and its sender. */
struct addendum_of {
    const struct header *header;
    const struct hash32 *hash; /* header_hash() */
    const struct chain *chain; /* the sender's */
};

/* What ${a} claims to be, unchecked; number 0: it cannot be read.  ERR_NOMEM. */
MUST_CHECK int addendum_peek(const Satchel__Signed *a, struct statement *ret, struct err *err);

/*
 * Check ${a} as the server shows it and read it into ${ret}.  ERR_INTEGRITY: malformed, of another
 * transfer, or not signed by a device of the sender; ERR_REVOKED: the device was revoked;
 * ERR_NOMEM.  For a worker.
 */
MUST_CHECK int addendum_check(const Satchel__Signed *a, const struct addendum_of *of,
                              struct statement *ret, struct err *err);

#endif /* CLIENT_OP_ADDENDUM_H */
