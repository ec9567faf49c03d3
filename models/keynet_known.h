/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_known - the known answer of a key network (FORMATS.md section 12): SHA-256
 * over its outputs for fixed inputs, kept in the weight file.  Private to models/.
 *
 * Threads: any.
 */
#ifndef MODELS_KEYNET_KNOWN_H
#define MODELS_KEYNET_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "models/keynet_net.h"

enum { KEYNET_KNOWN_INPUTS = 66 }; /* a batch of 64 and two more */

/*
 * The numbers behind the fixed inputs, and behind networks made for tests:
 * x = x * 6364136223846793005 + 1442695040888963407 mod 2^64, result x >> 33.
 * Start with *x = seed.
 */
uint32_t keynet_known_next(uint64_t *x);

/* Fill KEYNET_KNOWN_INPUTS inputs of 256 bytes: all 0, all 127, then keynet_known_next() & 127 from
 * seed 1. */
void keynet_known_inputs(uint8_t *ret_in);

/* Outputs (KEYNET_KNOWN_INPUTS * 1,024 bytes) in portable plain C, zeros in a constant build. */
void keynet_known_outputs(const struct keynet_params *p, const uint8_t *in, uint8_t *ret_out);

/* The known answer of ${p}; p->known is not looked at.  ERR_NOMEM, ERR_INTERNAL. */
MUST_CHECK int keynet_known_answer(const struct keynet_params *p,
                                   uint8_t ret_hash[KEYNET_KNOWN_LEN], struct err *err);

#endif /* MODELS_KEYNET_KNOWN_H */
