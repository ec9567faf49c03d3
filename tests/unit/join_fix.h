/* SPDX-License-Identifier: Apache-2.0 */
/* join_fix - codes for new devices, made for a test, which fails if one cannot be made. */
#ifndef TESTS_UNIT_JOIN_FIX_H
#define TESTS_UNIT_JOIN_FIX_H

#include "client/local/join_code.h"

/* Whose codes they are; and another user. */
extern const struct uid join_fix_owner, join_fix_somebody;

/* A nonce of JOIN_NONCE_LEN bytes ${fill}; the caller frees it. */
void join_fix_nonce(struct secret *ret, uint8_t fill);

/* The owner's code with that nonce; the caller frees it with join_code_free(). */
void join_fix_code(struct join_code *ret, uint8_t fill);

/* The same code as the other side has it, which has read it; freed likewise. */
void join_fix_read(const struct join_code *c, struct join_code *ret);

#endif /* TESTS_UNIT_JOIN_FIX_H */
