/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest - a user's signed list of keys, read and checked
 * (proto/FORMATS.md section 4).  Making one: manifest_build.h.  Following a
 * user from manifest to manifest: chain.h.
 *
 * A struct manifest exists only if every rule of section 4 holds, so its fields
 * can be used as they are.  It never changes.
 *
 * Errors: ERR_INVALID (a rule is broken; the message names the field),
 * ERR_UNSUPPORTED (another version), ERR_INTEGRITY (a signature or the user ID
 * does not fit the keys), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any; a manifest may be read by many.  Never blocks.
 */
#ifndef COMMON_TRANSFER_MANIFEST_H
#define COMMON_TRANSFER_MANIFEST_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/transfer/ids.h"
#include "common/transfer/signed.h"

enum {
    MANIFEST_MAX = 16384, /* bytes of the body */
    MANIFEST_DEVICES_MAX = 64,
    MANIFEST_KEYS_MAX = 64,
    MANIFEST_SUCCESSIONS_MAX = 16
};

struct manifest_device {
    uint8_t key[IDS_KEY_LEN]; /* DSK, public */
    struct device_id id;
    uint64_t added, revoked; /* revoked 0: it is not */
    bool has_box;            /* devices of earlier versions have none */
    uint8_t box[IDS_KEY_LEN];
};

/* An encryption key (EK). */
struct manifest_ek {
    uint32_t suite;
    struct part
        key; /* 32 bytes for suite 1; of other suites whatever they have; owned by the manifest */
    struct ek_id id;
    uint64_t not_before, not_after;
};

struct manifest_succession {
    struct part body, signature; /* as received; owned by the manifest */
    uint8_t identity_key[IDS_KEY_LEN];
    struct hash32 last_manifest;
};

struct manifest {
    struct uid uid;
    uint8_t first_identity_key[IDS_KEY_LEN];
    uint8_t recovery_key[IDS_KEY_LEN];
    uint8_t
        identity_key[IDS_KEY_LEN]; /* the one that signed: of the last succession, or the first */
    uint64_t sequence, created;
    struct hash32 previous; /* zeros when sequence is 1 */
    struct hash32 hash;
    struct hash32 account; /* of the account record that was taken, if it has one */
    bool has_account;
    struct manifest_device *devices;
    struct manifest_ek *eks;
    struct manifest_succession *successions;
    size_t n_devices, n_eks, n_successions;
    struct part body; /* as received; owned by the manifest */
    uint8_t signature[SIGNED_SIG_LEN];
    void *message; /* what the parts point into; private */
};

/* Check a body and its signature; both are copied. */
MUST_CHECK int manifest_parse(struct part body, struct part signature, struct manifest **ret_m,
                              struct err *err);

/* The same from a serialised Signed message, the form to store. */
MUST_CHECK int manifest_parse_signed(struct part raw, struct manifest **ret_m, struct err *err);

/* Append the serialised Signed message to ${out}. */
MUST_CHECK int manifest_pack(const struct manifest *m, struct buf *out, struct err *err);

/* SHA-256 of what manifest_pack() gives: known_manifest of proto/PROTOCOL.md, OpenTransfer.
 * ERR_NOMEM, ERR_INTERNAL. */
MUST_CHECK int manifest_digest(const struct manifest *m, struct hash32 *ret_digest);

void manifest_free(struct manifest *m); /* NULL is fine */

/* Hash of a body that need not be valid. */
MUST_CHECK int manifest_hash(struct part body, struct hash32 *ret_hash);

/*
 * Does ${next} come directly after ${prev}?  ERR_OK, or ERR_KEYCHANGED with the
 * rule that is broken: another user or keys, a lower sequence, a fork, missing
 * successions; ERR_PROTO if manifests in between are missing.  A succession
 * that goes back behind ${prev} is KEYCHANGED here; chain.h knows what to do.
 */
MUST_CHECK int manifest_follows(const struct manifest *prev, const struct manifest *next,
                                struct err *err);

/* Do the successions of ${next} begin with all of ${prev}? */
bool manifest_keeps_successions(const struct manifest *prev, const struct manifest *next);

/* The device with this ID, revoked or not; NULL: not listed.  Lives as long as ${m}. */
const struct manifest_device *manifest_device(const struct manifest *m, const struct device_id *id);

/* As manifest_device(): ERR_NOTFOUND if it is not listed, ERR_REVOKED if it was revoked at ${at} or
 * before. */
MUST_CHECK int manifest_device_at(const struct manifest *m, const struct device_id *id, uint64_t at,
                                  const struct manifest_device **ret_device, struct err *err);

/* The key with this ID; NULL: not listed. */
const struct manifest_ek *manifest_ek(const struct manifest *m, const struct ek_id *id);

/*
 * The key to send to at time ${now}; ${ret_lapsed} tells that its time has
 * passed and that it is used all the same: say so.  A key that begins within
 * the next 24 hours is taken if there is no other (one of the clocks is wrong).
 * ERR_NOTFOUND: all keys of suite 1 begin later than that.
 */
MUST_CHECK int manifest_choose_ek(const struct manifest *m, uint64_t now,
                                  const struct manifest_ek **ret_ek, bool *ret_lapsed,
                                  struct err *err);

#endif /* COMMON_TRANSFER_MANIFEST_H */
