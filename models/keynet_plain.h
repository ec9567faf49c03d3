/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_plain - the key network in plain C: oracle, fall-back, and the integer
 * steps between the products of oneDNN.  Private to models/.
 *
 * Threads: any.  Never blocks, never fails.
 */
#ifndef MODELS_KEYNET_PLAIN_H
#define MODELS_KEYNET_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "models/keynet_net.h"

/* The same code compiled for several processors; every one gives the same bits. */
struct keynet_plain {
    const char *name;
    /* sums[j] = sum over i of in[i] * weights[j * k + i] */
    void (*sums)(const int8_t *weights, unsigned k, unsigned n, const uint8_t *in, int32_t *sums);
    /* Bias, ReLU, shift and clamp: the bytes of one layer from its sums. */
    void (*finish)(const struct keynet_params *p, unsigned layer, const int32_t *sums,
                   uint8_t *out);
};

/* The best for this processor, or the one that runs on any. */
const struct keynet_plain *keynet_plain_pick(bool portable);

/* One input of 256 bytes through the first ${layers} layers (1 to 3) into ${out}. */
void keynet_plain_forward(const struct keynet_plain *c, const struct keynet_params *p,
                          unsigned layers, const uint8_t *in, uint8_t *out);

#endif /* MODELS_KEYNET_PLAIN_H */
