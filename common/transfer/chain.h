/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain - all manifests of one user, from sequence 1 on: what a client has
 * pinned of a contact (proto/FORMATS.md section 4).
 *
 * Errors: ERR_KEYCHANGED (a manifest does not continue the pinned ones: stop
 * everything), ERR_PROTO (manifests in between are missing), ERR_INTEGRITY
 * (another user), ERR_LIMIT (over CHAIN_MAX), ERR_NOMEM.
 * Threads: one at a time while it grows, any number of readers otherwise.
 * Never blocks.
 */
#ifndef COMMON_TRANSFER_CHAIN_H
#define COMMON_TRANSFER_CHAIN_H

#include "common/transfer/manifest.h"

enum {
    CHAIN_MAX = 1024,
    /* Above it only manifests that do nothing but revoke devices, at most one for each, and those
     * of recoveries: whoever uses up the numbers below cannot keep them from being stored. */
    CHAIN_RESERVED = MANIFEST_DEVICES_MAX + MANIFEST_SUCCESSIONS_MAX,
    CHAIN_ORDINARY = CHAIN_MAX - CHAIN_RESERVED
};

/* Zero-initialise; then set ${uid} to the user expected.  m[i] has sequence i + 1. */
struct chain {
    struct uid uid;
    struct manifest **m;
    size_t n;
};

enum chain_change {
    CHAIN_SAME, /* known already */
    CHAIN_GREW, /* continues the last one */
    /* By a succession with RK the user has a new identity key, and manifests
     * after the one it names are gone from the chain: warn the user. */
    CHAIN_SUCCEEDED
};

/* Add the next manifest; the chain takes ${m} and frees it, also when it fails. */
MUST_CHECK int chain_add(struct chain *c, struct manifest *m, enum chain_change *ret_change,
                         struct err *err);

/*
 * For a recovery, which may go back: of a chain over CHAIN_MAX / 2 only so many stay, but at least
 * those up to the last that brought a succession.  Whatever has filled it, there is room again.
 */
void chain_make_room(struct chain *c);

void chain_free(struct chain *c); /* empties it; keeps uid */

const struct manifest *chain_newest(const struct chain *c); /* NULL: empty */
const struct manifest *chain_find(const struct chain *c,
                                  const struct hash32 *hash); /* NULL: none */

/*
 * Was the device ever revoked, and from when on?  The newest manifest that lists it says so; if
 * later ones do not list it any more (there is room for 64), it is out from ${created} of the next
 * one at the latest.  False: it is listed and not revoked, or never was listed.
 */
bool chain_device_revoked(const struct chain *c, const struct device_id *id, uint64_t *ret_at);

#endif /* COMMON_TRANSFER_CHAIN_H */
