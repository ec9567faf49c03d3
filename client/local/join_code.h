/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_code - the one-time code by which a new device joins an account (proto/FORMATS.md section
 * 22): made, shown, and read again as somebody has typed it.
 *
 * Its secret is made of a nonce and of the user whose account it is: who has read the code off the
 * device that made it can tell later whether these two are the ones.
 *
 * Errors: ERR_INVALID (not a code), ERR_INTEGRITY (another nonce or user), ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef CLIENT_LOCAL_JOIN_CODE_H
#define CLIENT_LOCAL_JOIN_CODE_H

#include "common/secret.h"
#include "common/transfer/ids.h"

enum {
    JOIN_NONCE_LEN = 32,
    JOIN_SECRET_LEN = 16,
    JOIN_ID_LEN = 16,
    JOIN_CODE_TEXT = 40 /* eight groups of four with '-' between, and a NUL */
};

/* A code as bytes, with what follows from it alone.  Free with join_code_free(). */
struct join_code {
    struct secret secret;
    uint8_t id[JOIN_ID_LEN]; /* under which both sides meet; tells nothing of the secret */
    struct secret nonce;     /* what the secret is made of; empty: not known here (yet) */
    struct uid uid;          /* whose account it is; as `nonce` */
};
void join_code_free(struct join_code *c);

/* Of ${nonce} (JOIN_NONCE_LEN hedged bytes, moved) and the user whose account it is. */
MUST_CHECK int join_code_make(struct join_code *ret, struct secret *nonce, const struct uid *uid,
                              struct err *err);

/* What somebody has typed, without nonce and user: blanks, '-' and the case of letters do not
 * count.  ERR_INVALID: mistyped. */
MUST_CHECK int join_code_read(struct join_code *ret, const char *text, struct err *err);

/* As text: JOIN_CODE_TEXT bytes with the NUL. */
MUST_CHECK int join_code_show(const struct join_code *c, struct secret *ret_text, struct err *err);

/* Set nonce (moved) and user of a code that was read.  ERR_INTEGRITY: it was not made of them, and
 * nothing is changed. */
MUST_CHECK int join_code_open(struct join_code *c, struct secret *nonce, const struct uid *uid,
                              struct err *err);

#endif /* CLIENT_LOCAL_JOIN_CODE_H */
