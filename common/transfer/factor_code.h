/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factor_code - what somebody types for a second factor: a one-time password or a
 * recovery code (proto/PROTOCOL.md, FactorEnrol), told apart before anything is sent.
 *
 * Threads: any.
 */
#ifndef COMMON_TRANSFER_FACTOR_CODE_H
#define COMMON_TRANSFER_FACTOR_CODE_H

#include <stddef.h>

#include "common/err.h"

enum {
    FACTOR_CODE_DIGITS = 6, /* of a one-time password */
    FACTOR_SETTLED_DAYS = 7 /* then a factor counts for the account: PROTOCOL.md, Recover */
};

enum factor_code {
    FACTOR_CODE_OTHER,    /* neither of them */
    FACTOR_CODE_ONE_TIME, /* 6 digits: stale after a minute at most */
    FACTOR_CODE_RECOVERY  /* 16 letters and digits of base32: good until it is used */
};

/* What the ${len} bytes at ${code} look like; blanks, '-' and small letters do not matter. */
enum factor_code factor_code_kind(const char *code, size_t len);

/* ERR_FACTOR, with what is expected, if the string ${code} is neither; it is not repeated. */
MUST_CHECK int factor_code_check(const char *code, struct err *err);

#endif /* COMMON_TRANSFER_FACTOR_CODE_H */
