/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_net - key networks made of whole numbers from a generator, the same on
 * every machine: the test vector of FORMATS.md section 12 is the one of seed 7.
 */
#ifndef TESTS_EXACT_SAMPLE_NET_H
#define TESTS_EXACT_SAMPLE_NET_H

#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "models/keynet_net.h"

enum { SAMPLE_NET_SEED = 7 };

/* A whole network but for its known answer: shifts 9, min-entropy 7 bits. */
void sample_net(struct keynet_params *ret_p, uint64_t seed);

/* The same as a weight file with the right known answer, appended to ${out}. */
MUST_CHECK int sample_net_file(uint64_t seed, struct buf *out, struct err *err);

/* ${n} inputs of 256 bytes of 0 to 127 from the generator; the first two are all 0 and all 127. */
void sample_net_inputs(uint8_t *ret_in, size_t n, uint64_t seed);

#endif /* TESTS_EXACT_SAMPLE_NET_H */
