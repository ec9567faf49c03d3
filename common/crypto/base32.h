/* SPDX-License-Identifier: Apache-2.0 */
/* base32 - RFC 4648 section 6, without padding.  Pure.  Threads: any. */
#ifndef COMMON_CRYPTO_BASE32_H
#define COMMON_CRYPTO_BASE32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that ${len} bytes take, without the NUL. */
size_t base32_len(size_t len);

/* base32_len(len) characters of A-Z and 2-7, and a NUL. */
void base32_encode(char *ret_text, const void *data, size_t len);

/*
 * Read exactly base32_len(len) characters of ${text}, capitals only, as ${len} bytes.  False:
 * another character, or a bit that is left over is set.
 */
bool base32_decode(void *ret_data, size_t len, const char *text);

#endif /* COMMON_CRYPTO_BASE32_H */
