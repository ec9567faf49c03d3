/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive - what a recipient checks, in the order of proto/FORMATS.md
 * section 16, in one place: steps 1 to 8.  Steps 9 and 10 are body.h's.
 *
 * Nothing that came from the daemon is used before its step.  Every failure is
 * a typed error:
 *
 *   1  ERR_INTEGRITY  not the sender's manifests, or the header's is not among
 *                     them, or it does not list the device
 *      ERR_REVOKED    the device was revoked when the transfer was created
 *   2  ERR_INTEGRITY  signature
 *   3  ERR_UNSUPPORTED version, suite, policy bit; ERR_INTEGRITY: malformed,
 *                     slot not in slots_root
 *   4  ERR_REFUSED    created more than 24 hours in the future
 *      ERR_INTEGRITY  expires before it was created
 *      ERR_EXPIRED
 *   5  ERR_INTEGRITY  another header was seen under the same sender and tid
 *   6  ERR_INTEGRITY  share against its commitment
 *   7  ERR_INTEGRITY  slot for another key, does not unwrap
 *   8  ERR_INTEGRITY  MKID, hash of the metadata, KID, CID, commitment; metadata
 *                     that does not open or is malformed
 *
 * Threads: any; one struct receive from one at a time.  Never blocks; about
 * 0.3 ms of computing.
 */
#ifndef COMMON_TRANSFER_RECEIVE_H
#define COMMON_TRANSFER_RECEIVE_H

#include "common/transfer/body.h"
#include "common/transfer/chain.h"
#include "common/transfer/header.h"
#include "common/transfer/metadata.h"
#include "common/transfer/slot.h"

/* ${created} may be this far ahead of our clock. */
#define RECEIVE_CLOCK_MS ((uint64_t)24 * 3600 * 1000)

/* A row of TransferReply or ListReply, and what we know ourselves. */
struct receive_in {
    struct part header, signature; /* as received */
    struct part slot;              /* serialised */
    uint32_t slot_index;
    const struct part *proof;
    size_t n_proof;
    struct part metadata; /* sealed */
    const struct secret *share_meta;

    const struct chain *chain; /* of the sender, brought up to date */
    const struct uid *me;
    uint64_t now;              /* milliseconds since 1970 UTC */
    uint64_t expires;          /* as a checked addendum has it; 0: the header counts */
    const struct hash32 *seen; /* header_hash() of the header known for (sender, tid); NULL: none */
    const struct secret *ek;   /* own private key for the slot's ek_id */
};

/* Zero-initialise.  Filled step by step; free with receive_free() also after a failure. */
struct receive {
    struct header header;
    struct hash32 header_hash; /* to remember for (sender, tid) */
    struct slot slot;
    struct secret mek;
    struct metadata metadata;
    /* The newest manifest of the chain lists the device as revoked, later than this transfer was
     * created, or does not list it any more: it counts only because its header was seen before, or
     * is our own. */
    bool device_revoked_since;
};

/*
 * Before anything else: which sender, tid and ek_id a row claims to be of, to
 * find the chain and the key.  Proves nothing.
 */
struct receive_claim {
    struct uid sender;
    struct tid tid;
    struct hash32 manifest; /* bring the chain up to date if it is not in it */
    struct ek_id ek_id;
};
MUST_CHECK int receive_peek(struct part header, struct part slot, struct receive_claim *ret_claim,
                            struct err *err);

/* Steps 1 to 3: who sent it, and what.  All that can be said of a row without share and metadata.
 */
MUST_CHECK int receive_origin(const struct receive_in *in, struct receive *r, struct err *err);

/* Steps 1 to 8 for the metadata.  When one fails ${r} holds neither key nor metadata. */
MUST_CHECK int receive_check(const struct receive_in *in, struct receive *r, struct err *err);

/*
 * Steps 6 to 8 for the body, after receive_check() of the same ${in}: the share
 * that Release gave.  Free ${ret_body} with body_free().
 */
MUST_CHECK int receive_body(const struct receive_in *in, const struct receive *r,
                            const struct secret *share_body, struct body **ret_body,
                            struct err *err);

void receive_free(struct receive *r); /* wipes and empties; NULL is fine */

#endif /* COMMON_TRANSFER_RECEIVE_H */
