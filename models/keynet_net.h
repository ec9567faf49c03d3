/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_net - the numbers of a key network in memory.  Private to models/.
 *
 * A product of oneDNN's u8 x s8 kernels is exact on every processor only while
 * inputs stay within [0, 127] and weights within [-63, 63]: sums of two
 * products, at most 16,002, fit in the 16 bits that older processors sum them
 * in, and whole sums, at most 512 * 127 * 63 < 2^22, are exact even in floats.
 */
#ifndef MODELS_KEYNET_NET_H
#define MODELS_KEYNET_NET_H

#include <stddef.h>
#include <stdint.h>

enum {
    KEYNET_LAYERS = 3,
    KEYNET_HIDDEN = 512,
    KEYNET_WIDEST = 512, /* inputs of a layer, at most */
    KEYNET_WEIGHT_MAX = 63,
    KEYNET_BIAS_MAX = 1 << 24,
    KEYNET_SHIFT_MAX = 20,
    KEYNET_WEIGHTS = 256 * 512 + 512 * 512 + 512 * 1024,
    KEYNET_BIASES = 512 + 512 + 1024,
    KEYNET_ENTROPY_MIN = 100, /* thousandths of a bit */
    KEYNET_ENTROPY_MAX = 8000,
    KEYNET_KNOWN_LEN = 32,
#ifdef SATCHEL_KEYNET_CONSTANT
    KEYNET_CONSTANT = 1, /* every output is 0: shows that no key depends on the network */
#else
    KEYNET_CONSTANT = 0,
#endif
};

/* One layer: where its numbers are, and what it takes and gives. */
struct keynet_shape {
    unsigned k, n;  /* inputs, outputs */
    unsigned max;   /* greatest output */
    size_t bias;    /* index of its first bias */
    size_t weights; /* index of its first weight; row j holds the k weights of output j */
};

static const struct keynet_shape keynet_shapes[KEYNET_LAYERS] = {
    {256, 512, 127, 0, 0},
    {512, 512, 127, 512, 256 * 512},
    {512, 1024, 255, 1024, 256 * 512 + 512 * 512},
};

struct keynet_params {
    uint32_t entropy; /* min-entropy of an output byte, thousandths of a bit */
    uint8_t known[KEYNET_KNOWN_LEN];
    uint8_t shift[KEYNET_LAYERS];
    int32_t bias[KEYNET_BIASES];
    int8_t weights[KEYNET_WEIGHTS];
};

struct keynet;

/* The numbers of an instance; valid as long as it. */
const struct keynet_params *keynet_params(const struct keynet *net);

#endif /* MODELS_KEYNET_NET_H */
