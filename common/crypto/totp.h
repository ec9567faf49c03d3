/* SPDX-License-Identifier: Apache-2.0 */
/* totp - one-time codes from a shared key and the time (RFC 6238, RFC 4226).  Threads: any. */
#ifndef COMMON_CRYPTO_TOTP_H
#define COMMON_CRYPTO_TOTP_H

#include "common/crypto/hash.h"
#include "common/crypto/part.h"

enum { TOTP_DIGITS_MAX = 8, TOTP_CODE_SIZE = TOTP_DIGITS_MAX + 1 };

struct totp {
    enum hash_id hash; /* SHA-1, SHA-256 or SHA-512 */
    int digits;        /* 6 to 8 */
    uint32_t step;     /* seconds, at least 1; counted from the start of 1970 */
};

/* The code at ${time} (seconds since 1970), NUL-terminated.  ERR_INVALID for other parameters or an
 * empty key. */
MUST_CHECK int totp_code(char ret_code[TOTP_CODE_SIZE], const struct totp *t, struct part key,
                         uint64_t time);

#endif /* COMMON_CRYPTO_TOTP_H */
