/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fernet - tokens as the public specification has them (FORMATS.md section 20):
 * version 0x80, time, IV, AES-128-CBC, HMAC-SHA256, all in base64url.
 *
 * Keys come in a row, FERNET_KEY_LEN bytes each: the first seals, every one
 * opens, and rotating moves a token to the first without changing its time.
 *
 * Reading is strict: padding must be there and unused bits zero, so that a
 * token has one text.  The tag is compared in constant time before anything is
 * decrypted, and everything that is wrong with a token is ERR_INTEGRITY but
 * its age.
 *
 * Errors: ERR_INVALID (no key, a message over FERNET_MAX), ERR_INTEGRITY,
 * ERR_EXPIRED, ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_CRYPTO_FERNET_H
#define COMMON_CRYPTO_FERNET_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/crypto/part.h"

enum {
    FERNET_KEY_LEN = 32,       /* 16 that sign, 16 that encrypt */
    FERNET_KEY_TEXT = 44,      /* characters of a key, without a NUL */
    FERNET_IV_LEN = 16,        /* bytes */
    FERNET_SKEW = 60,          /* seconds that a token may be ahead of the clock */
    FERNET_MAX = 64 << 20,     /* bytes of a message */
    FERNET_OVERHEAD = 57 + 16, /* bytes around a message: fields, and padding at most */
    FERNET_TOKEN_MAX = (FERNET_MAX + FERNET_OVERHEAD + 2) / 3 * 4 /* characters */
};

/* Until when a token counts.  Zeroed: for ever, whatever its time. */
struct fernet_age {
    bool limited;
    uint64_t ttl; /* seconds: at time + ttl it still counts */
    uint64_t now; /* seconds since 1970 */
};

/* Characters of the token for ${len} bytes, at most FERNET_MAX. */
size_t fernet_token_len(size_t len);

/* A key from its text, all of it; ERR_INVALID for anything but 44 strict characters. */
MUST_CHECK int fernet_key_read(uint8_t ret_key[FERNET_KEY_LEN], struct part text);

/* The text of a key: FERNET_KEY_TEXT characters and a NUL. */
void fernet_key_write(char ret_text[FERNET_KEY_TEXT + 1], const uint8_t key[FERNET_KEY_LEN]);

/*
 * Append the token of ${message}, made at ${now} (seconds since 1970).  ${iv} is
 * FERNET_IV_LEN bytes that never come twice, NULL: drawn.
 */
MUST_CHECK int fernet_seal(struct part keys, uint64_t now, const uint8_t *iv, struct part message,
                           struct buf *out);

/* Of a token that was opened. */
struct fernet_opened {
    size_t len;  /* of the message */
    size_t key;  /* which key it was sealed with, from 0 */
    uint64_t at; /* when it was made: seconds since 1970 */
};

/*
 * Open ${token}; ${out} takes token.len bytes, of which only ret->len are left
 * non-zero.  ERR_EXPIRED: too old; ERR_INTEGRITY also for one from the future.
 */
MUST_CHECK int fernet_open(struct part keys, const struct fernet_age *age, struct part token,
                           uint8_t *out, struct fernet_opened *ret);

/* Append ${token} sealed anew under the first key, with its own time; ${iv} as above. */
MUST_CHECK int fernet_rotate(struct part keys, struct part token, const uint8_t *iv,
                             struct buf *out);

#endif /* COMMON_CRYPTO_FERNET_H */
