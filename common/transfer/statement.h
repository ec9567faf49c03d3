/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement - what a user's device signs about a transfer after its seal
 * (proto/FORMATS.md section 7.1): a recipient's receipt, a sender's addendum.
 *
 * Errors: ERR_INVALID (the message names the field), ERR_UNSUPPORTED (version),
 * ERR_INTEGRITY (signature, or of another user or manifest), ERR_NOMEM, ERR_INTERNAL.
 * Which transfer it is about is the caller's to compare: tid and header.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_STATEMENT_H
#define COMMON_TRANSFER_STATEMENT_H

#include "common/transfer/chain.h"

enum { STATEMENT_MAX = 512, STATEMENT_VERSION = 1 };

struct statement {
    uint32_t version;
    struct tid tid;
    struct hash32 header; /* header_hash() */
    struct uid user;      /* who says it */
    struct hash32 manifest;
    struct device_id device; /* one of that manifest's */
    uint64_t time;           /* milliseconds since 1970 UTC */
    /* Of an addendum; 0 in a receipt. */
    uint32_t number;  /* from 1 */
    uint64_t expires; /* the new end */
};

/* Append a serialised Signed to ${out}: SIGNED_RECEIPT or SIGNED_EXTEND. */
MUST_CHECK int statement_make(enum signed_purpose purpose, const struct statement *s,
                              const struct secret *device, struct buf *out, struct err *err);

/* Read a serialised Signed; its signature is not checked. */
MUST_CHECK int statement_read(struct part raw, struct statement *ret_s, struct err *err);

/* Is it signed with this device key? */
MUST_CHECK int statement_verify(enum signed_purpose purpose, struct part raw,
                                const uint8_t device_key[IDS_KEY_LEN], struct err *err);

/*
 * The same with ${m}, the manifest that the statement names, one of ${chain}, that
 * user's: the device is listed there and was not revoked at its time, neither by it nor by what
 * came later, as chain_device_revoked() has it.  ERR_REVOKED: it was.
 */
MUST_CHECK int statement_check(enum signed_purpose purpose, struct part raw,
                               const struct manifest *m, const struct chain *chain,
                               struct err *err);

#endif /* COMMON_TRANSFER_STATEMENT_H */
