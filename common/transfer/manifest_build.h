/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_build - make manifests and successions (proto/FORMATS.md section 4).
 * What is made is parsed again with all checks before it is handed out.
 *
 * Errors: ERR_INVALID (the plan breaks a rule; the message names the field),
 * ERR_INTEGRITY (the key is not the one that must sign), ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_MANIFEST_BUILD_H
#define COMMON_TRANSFER_MANIFEST_BUILD_H

#include "common/secret.h"
#include "common/transfer/manifest.h"

/* A signed succession: RK names a new identity key. */
struct manifest_build_succession {
    struct uid uid;
    uint32_t number;                   /* 1 for the first */
    uint8_t identity_key[IDS_KEY_LEN]; /* the new ISK, public */
    struct hash32 last_manifest;       /* of the last manifest that counts */
};

struct manifest_build_plan {
    /* NULL makes a first manifest, sequence 1, signed by ISK_0. */
    const struct manifest *previous;
    const uint8_t *recovery_key; /* 32 bytes, public; only without previous */
    uint64_t created;
    /* Complete new lists, not changes; the id fields are not read. */
    const struct manifest_device *devices;
    size_t n_devices;
    const struct manifest_ek *eks; /* newest last */
    size_t n_eks;
    /* Serialised Signed to be added, or empty.  Its last_manifest must be previous' hash. */
    struct part succession;
    const struct hash32 *account; /* NULL: it names no account record */
};

/* Make and sign with the identity key's 32-byte seed. */
MUST_CHECK int manifest_build(const struct manifest_build_plan *plan, const struct secret *identity,
                              struct manifest **ret_m, struct err *err);

/* Append a serialised Signed succession to ${out}, signed with RK's 32-byte seed. */
MUST_CHECK int manifest_build_succession(const struct manifest_build_succession *s,
                                         const struct secret *recovery, struct buf *out,
                                         struct err *err);

#endif /* COMMON_TRANSFER_MANIFEST_BUILD_H */
