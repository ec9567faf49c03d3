/* SPDX-License-Identifier: Apache-2.0 */
/*
 * padme - how long a plaintext is made so that its length tells little
 * (Padmé, "Reducing Metadata Leakage from Encrypted Files and Communication
 * with PURBs", 2019): at most 12% more, less for long ones.
 */
#ifndef COMMON_CRYPTO_PADME_H
#define COMMON_CRYPTO_PADME_H

#include <stdint.h>

enum { PADME_MIN = 4096 };

/* The padded length of ${len} bytes (below 2^63), at least PADME_MIN.  Padding it again changes
 * nothing. */
uint64_t padme_len(uint64_t len);

#endif /* COMMON_CRYPTO_PADME_H */
