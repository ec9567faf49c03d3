/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot - the keys of a transfer for one recipient: wrapped under his private
 * key and the daemon's share together (proto/FORMATS.md section 6), and the
 * tree over all slots.
 *
 * Errors: ERR_INVALID (the message names the field), ERR_INTEGRITY (a share
 * that does not fit its commitment, a key or a context that does not fit),
 * ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_SLOT_H
#define COMMON_TRANSFER_SLOT_H

#include "common/buf.h"
#include "common/crypto/hpke.h"
#include "common/secret.h"
#include "common/transfer/header.h"
#include "common/transfer/ids.h"
#include "common/transfer/manifest.h"
#include "common/transfer/share.h"

enum {
    SLOT_MAX = 512, /* bytes of a serialised slot */
    SLOT_ENC_LEN = 32,
    SLOT_WRAP_LEN = 48,
    SLOT_CTX_LEN = 64,
    SLOT_PROOF_MAX = 9, /* hashes in an audit path among HEADER_SLOTS_MAX slots */
    SLOT_KEY_LEN = 32   /* CEK, MEK */
};

struct slot {
    struct ek_id ek_id;
    uint8_t enc[SLOT_ENC_LEN];
    struct hash32 share_commit[2]; /* by enum share_part, as the wraps */
    uint8_t wrap[2][SLOT_WRAP_LEN];
};

/* Append the serialised slot to ${out}. */
MUST_CHECK int slot_pack(const struct slot *s, struct buf *out, struct err *err);

/* Read at most SLOT_MAX bytes; every size is checked, nothing else. */
MUST_CHECK int slot_parse(struct part raw, struct slot *ret_s, struct err *err);

/*
 * ctx of section 6.  Of ${h} it reads version, suite, tid, sender, times,
 * policy, tweak, kid, cid, mkid and commitment; of ${s} all but the wraps.
 */
MUST_CHECK int slot_ctx(const struct header *h, const struct uid *to, const struct slot *s,
                        uint8_t ret_ctx[SLOT_CTX_LEN]);

struct slot_seal {
    const struct header *header; /* complete but for slots_root */
    const struct uid *to;
    const struct manifest_ek *ek;   /* of suite 1 */
    const struct secret *share[2];  /* by enum share_part */
    const struct secret *mek, *cek; /* SLOT_KEY_LEN bytes each */
    const struct hpke_kem *kem;     /* of slot_encap(), for this call alone; NULL: there is none, */
    const struct secret *ephemeral; /* and this is used: 32 hedged bytes, fresh for every call */
};

/* ERR_UNSUPPORTED: a key of another suite; ERR_INTEGRITY: one of small order. */
MUST_CHECK int slot_seal(const struct slot_seal *in, struct slot *ret_s, struct err *err);

/*
 * The part of slot_seal() that does not depend on the transfer, all its work with curves, for ahead
 * of time.  ${ephemeral}: 32 hedged bytes, fresh for every call.  Errors as there.  Free what it
 * gives with secret_free(&ret->shared).
 */
MUST_CHECK int slot_encap(const struct manifest_ek *ek, const struct secret *ephemeral,
                          struct hpke_kem *ret, struct err *err);

struct slot_open {
    const struct header *header; /* its signature checked */
    const struct uid *to;        /* oneself */
    const struct slot *slot;
    const struct secret *ek; /* own private X25519 key, 32 bytes */
};

/* MEK (SHARE_META) or CEK (SHARE_BODY), after: slot for this key, share against commitment, decap,
 * unwrap. */
MUST_CHECK int slot_open(const struct slot_open *in, enum share_part part,
                         const struct secret *share, struct secret *ret_key, struct err *err);

/* RFC 6962 tree over serialised slots in the header's order. */
MUST_CHECK int slot_root(const struct part *slots, size_t n, struct hash32 *ret_root);

/* The audit path of one of them; ${ret_path} takes SLOT_PROOF_MAX hashes. */
MUST_CHECK int slot_path(const struct part *slots, size_t n, size_t index, struct hash32 *ret_path,
                         size_t *ret_len);

struct slot_proof {
    struct part slot; /* serialised */
    uint32_t index;
    const struct part *path; /* hashes of 32 bytes, from the leaf up */
    size_t path_len;
};

/* Is this slot in the tree of ${h}?  ERR_INTEGRITY. */
MUST_CHECK int slot_in_root(const struct slot_proof *p, const struct header *h, struct err *err);

#endif /* COMMON_TRANSFER_SLOT_H */
