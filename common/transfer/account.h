/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account - the account record: what a user's clients keep at the daemon for a
 * recovery, sealed to keys that the daemon does not have (proto/FORMATS.md
 * section 17).
 *
 * Errors: ERR_INVALID (not a record, too large), ERR_UNSUPPORTED (another
 * version), ERR_NOTFOUND (not sealed to this key), ERR_INTEGRITY (wrong key or
 * damage), ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_ACCOUNT_H
#define COMMON_TRANSFER_ACCOUNT_H

#include "common/buf.h"
#include "common/secret.h"
#include "common/transfer/ids.h"
#include "common/transfer/signed.h"

enum {
    ACCOUNT_STEP = 4096, /* the plaintext is padded to a multiple of it */
    ACCOUNT_PLAIN_MAX = 128 * 1024 - 4 - 16,
    ACCOUNT_BODY_MAX = 140 * 1024,
    ACCOUNT_BOXES_MAX = 65
};

/* The key pair that the recovery seed gives for records; RK signs, this one opens. */
MUST_CHECK int account_recovery_box(const struct secret *seed, struct secret *ret_private,
                                    uint8_t ret_public[IDS_KEY_LEN], struct err *err);

/* The same for one device, from its device key's seed; the public half stands in the manifest. */
MUST_CHECK int account_device_box(const struct secret *device_key, struct secret *ret_private,
                                  uint8_t ret_public[IDS_KEY_LEN], struct err *err);

struct account_plan {
    struct uid uid;
    uint64_t number;
    struct device_id device;
    const uint8_t (*boxes)[IDS_KEY_LEN]; /* X25519 keys that can open it */
    size_t n_boxes;
    const struct secret *content_key, *ephemeral; /* 32 hedged bytes each, used for nothing else */
    const struct secret *device_key;              /* of ${device}; it signs */
};

/* Append the body to ${out}, and sign it. */
MUST_CHECK int account_seal(const struct account_plan *plan, struct part plain, struct buf *out,
                            uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);

/* Who has signed a body; nothing is proven yet. */
struct account_claim {
    struct uid uid;
    uint64_t number;
    struct device_id device;
};
MUST_CHECK int account_peek(struct part body, struct account_claim *ret, struct err *err);

/* What a manifest names a record by: FORMATS.md section 17. */
MUST_CHECK int account_hash(struct part body, struct hash32 *ret_hash);

/* The plaintext, for the owner of one of the boxes.  The signature is the caller's to check. */
MUST_CHECK int account_open(struct part body, const struct secret *box, struct secret *ret_plain,
                            struct err *err);

#endif /* COMMON_TRANSFER_ACCOUNT_H */
