/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signed - Ed25519 signatures of satchel/1, each for one purpose, and the
 * message Signed (proto/FORMATS.md section 3).
 *
 * Errors: ERR_INTEGRITY (the signature is not good), ERR_INVALID (not a Signed
 * message, wrong size), ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_SIGNED_H
#define COMMON_TRANSFER_SIGNED_H

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/err.h"
#include "common/secret.h"

enum { SIGNED_SIG_LEN = 64, SIGNED_OVERHEAD = 80 }; /* of the message over its body, at most */

enum signed_purpose {
    SIGNED_MANIFEST,
    SIGNED_SUCCESSION,
    SIGNED_REGISTER,
    SIGNED_LOGIN,
    SIGNED_TRANSFER,
    SIGNED_RECEIPT,
    SIGNED_EXTEND,
    SIGNED_EVENTS,
    SIGNED_ACCOUNT,
    SIGNED_RECOVER,
    SIGNED_FACTOR,
    SIGNED_NEXT_PIN,
    SIGNED_DELETE
};

/* Sign ${body} with the 32-byte Ed25519 seed ${key}. */
MUST_CHECK int signed_make(enum signed_purpose purpose, const struct secret *key, struct part body,
                           uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);

/* The same with a key that is ready (common/crypto/ed25519.h). */
struct ed25519_key;
MUST_CHECK int signed_make_ready(enum signed_purpose purpose, const struct ed25519_key *key,
                                 struct part body, uint8_t ret_sig[SIGNED_SIG_LEN],
                                 struct err *err);

/* ERR_INTEGRITY unless ${sig} is 64 bytes and a signature of ${body} for this purpose by
 * ${public_key}. */
MUST_CHECK int signed_check(enum signed_purpose purpose, const uint8_t public_key[32],
                            struct part body, struct part sig, struct err *err);

/* Append a serialised Signed to ${out}. */
MUST_CHECK int signed_pack(struct part body, struct part sig, struct buf *out, struct err *err);

/*
 * Read a serialised Signed of at most ${max} body bytes; ${ret_body} is
 * appended to.  The signature is not checked.  ERR_INVALID.
 */
MUST_CHECK int signed_unpack(struct part raw, size_t max, struct buf *ret_body,
                             uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);

#endif /* COMMON_TRANSFER_SIGNED_H */
