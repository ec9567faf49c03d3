/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/base32.h"

#include "common/crypto/digits.h"

size_t base32_len(size_t len)
{
    return len / 5 * 8 + (len % 5 * 8 + 4) / 5;
}

void base32_encode(char *ret_text, const void *data, size_t len)
{
    digits_encode(ret_text, data, len, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
}
