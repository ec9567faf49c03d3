/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_quant - from a network trained in floats to the integers of keynet.
 * Private to models/.
 *
 * Threads: any.  Takes tens of milliseconds.
 */
#ifndef MODELS_KEYNET_QUANT_H
#define MODELS_KEYNET_QUANT_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "models/keynet_net.h"

enum {
    KEYNET_SPREAD = 52, /* standard deviation of an output byte; the clamps then get about 1.4% */
};

/* Weights n x k and biases of each layer; an input byte q means (q - zero) / scale. */
struct keynet_floats {
    const float *weights[KEYNET_LAYERS], *biases[KEYNET_LAYERS];
    float zero, scale;
};

/*
 * Set shifts, biases and weights of ${ret_p}, all within their ranges whatever
 * the floats are.  ${sample} (n x 256 bytes of 0 to 127) says how large values
 * get: 1 in 1,000 hidden values reaches the clamp; each output byte has mean
 * 127.5 and standard deviation KEYNET_SPREAD.  ERR_INVALID for a float that is
 * not finite or an empty sample; ERR_NOMEM.
 */
MUST_CHECK int keynet_quantise(struct keynet_params *ret_p, const struct keynet_floats *f,
                               const uint8_t *sample, size_t n, struct err *err);

#endif /* MODELS_KEYNET_QUANT_H */
