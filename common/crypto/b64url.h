/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b64url - base64url without padding (RFC 4648 section 5), read strictly: one
 * text for each string of bytes.  Pure.  Threads: any.
 */
#ifndef COMMON_CRYPTO_B64URL_H
#define COMMON_CRYPTO_B64URL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Characters that ${len} bytes take, without the NUL. */
size_t b64url_len(size_t len);

/* b64url_len(len) characters and a NUL. */
void b64url_encode(char *ret_text, const void *data, size_t len);

/*
 * ${len} characters to ${ret_len} bytes; ${out} takes len / 4 * 3 + 2.  ERR_INVALID for any other
 * character (padding and white space too), a length that cannot be, and unused bits that are set.
 */
MUST_CHECK int b64url_decode(uint8_t *out, size_t *ret_len, const char *text, size_t len);

#endif /* COMMON_CRYPTO_B64URL_H */
