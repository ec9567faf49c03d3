/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header - the signed description of a transfer (proto/FORMATS.md section 7).
 *
 * The bytes as received are what is signed and compared; struct header is only
 * their reading.
 *
 * Errors: ERR_INVALID (the message names the field), ERR_UNSUPPORTED (version,
 * suite, policy bit), ERR_INTEGRITY (signature), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_HEADER_H
#define COMMON_TRANSFER_HEADER_H

#include "common/buf.h"
#include "common/secret.h"
#include "common/transfer/ids.h"
#include "common/transfer/signed.h"

enum {
    HEADER_MAX = 1024,
    HEADER_VERSION = 1,
    HEADER_SALT_LEN = 24,
    HEADER_SLOTS_MAX = 257,
    HEADER_REQUIRE_OTP = 1 << 0, /* policy flag: a fresh one-time password at release */
    HEADER_POLICY_KNOWN = HEADER_REQUIRE_OTP,
    HEADER_POLICY_LEN = 8
};

/* Bodies of this length or more have more pieces than a piece's index can count. */
#define HEADER_BODY_MAX ((uint64_t)1 << 49)

struct header {
    uint32_t version, suite;
    struct tid tid;
    struct uid sender;
    struct hash32 manifest; /* hash of the sender's manifest that lists the device */
    struct device_id device;
    uint64_t created, expires; /* milliseconds since 1970 UTC */
    uint32_t policy_flags;
    uint32_t opens; /* 0: no limit */
    uint32_t tweak;
    struct hash32 kid, cid, mkid;
    uint64_t body_length; /* bytes of padded plaintext */
    uint8_t salt[HEADER_SALT_LEN];
    struct hash32 commitment, body_root, metadata_hash, slots_root;
    uint32_t slots; /* how many */
};

/* Append the serialised header to ${out}, after header_check(). */
MUST_CHECK int header_pack(const struct header *h, struct buf *out, struct err *err);

/*
 * Read, with every size checked and nothing else: a receiver looks at versions
 * only behind the signature (section 16).  At most HEADER_MAX bytes.
 */
MUST_CHECK int header_parse(struct part raw, struct header *ret_h, struct err *err);

/* Version, suite, policy bits known; number of slots and body length possible; created before
 * expires. */
MUST_CHECK int header_check(const struct header *h, struct err *err);

/* Sign the serialised header with the device key; check with its public half. */
MUST_CHECK int header_sign(struct part raw, const struct ed25519_key *device,
                           uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int header_verify(struct part raw, struct part sig,
                             const uint8_t device_key[IDS_KEY_LEN], struct err *err);

/* u32(policy_flags) || u32(opens). */
void header_policy(const struct header *h, uint8_t ret_policy[HEADER_POLICY_LEN]);

/* h(serialised header): to know a header again. */
MUST_CHECK int header_hash(struct part raw, struct hash32 *ret_hash);

/* What was settled when the upload was opened. */
struct header_facts {
    struct tid tid;
    struct uid sender;
    struct device_id device;
    uint64_t created, expires, body_length;
    uint32_t policy_flags, opens, slots;
};

/* ERR_INVALID names the field that differs. */
MUST_CHECK int header_matches(const struct header *h, const struct header_facts *f,
                              struct err *err);

#endif /* COMMON_TRANSFER_HEADER_H */
