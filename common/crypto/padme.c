/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/padme.h"

/* Position of the highest bit that is set; v > 0. */
static unsigned log2_floor(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v);
}

uint64_t padme_len(uint64_t len)
{
    unsigned exponent, significant;
    uint64_t mask;

    if (len <= PADME_MIN)
        return PADME_MIN;
    exponent = log2_floor(len);
    significant = log2_floor(exponent) + 1;
    mask = ((uint64_t)1 << (exponent - significant)) - 1;
    return (len + mask) & ~mask;
}
