/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dense - training of dense networks in floats on oneDNN: ReLU between layers,
 * a linear last one, dropout, mean squared error, Adam.
 *
 * One object holds everything: parameters, gradients, Adam's state, and the
 * activations of one batch.  One step is: fill dense_input(), then
 * dense_forward(), dense_backward(), dense_adam().
 *
 * Threads: one at a time for each object.  Never blocks.
 * Errors, wherever a function says nothing else: as in models/nn.h.
 */
#ifndef MODELS_DENSE_H
#define MODELS_DENSE_H

#include <stddef.h>

#include "common/err.h"
#include "models/prg.h"

enum { DENSE_LAYERS_MAX = 8 };

struct dense;

struct dense_spec {
    size_t layers;                       /* of weights, 1 to DENSE_LAYERS_MAX */
    size_t widths[DENSE_LAYERS_MAX + 1]; /* inputs, then outputs of each layer */
    size_t batch;                        /* inputs of one step */
    float dropout;                       /* share of hidden values dropped in training, [0, 1) */
};

/* Parameters of one layer and their gradients: weights n x k, row j those of output j. */
struct dense_layer {
    size_t k, n;
    float *weights, *biases;
    const float *weight_grads, *bias_grads;
};

/* All parameters are 0.  ERR_INVALID for an impossible shape; also those above. */
MUST_CHECK int dense_new(struct dense **ret_net, const struct dense_spec *spec, struct err *err);
void dense_free(struct dense *net); /* NULL is fine */

/*
 * Uniform weights of variance 2 / k (He), biases 0.  The last layer gets a
 * twelfth of that variance: a network that starts with large outputs first
 * learns to answer the mean, and hidden units die of it.
 */
void dense_randomise(struct dense *net, struct prg *prg);

/* Views of one layer's weights and biases; they live as long as ${net}. */
struct dense_layer dense_layer(struct dense *net, size_t layer);

/* batch x widths[0] values to fill before dense_forward(). */
float *dense_input(struct dense *net);

/* ${*ret_out}: batch x widths[layers] values, valid until the next call.  ${prg} drops; NULL:
 * nothing is dropped. */
MUST_CHECK int dense_forward(struct dense *net, struct prg *prg, const float **ret_out,
                             struct err *err);

/* Gradients of the mean of (out - target)^2 after dense_forward(); ${*ret_loss} is that mean. */
MUST_CHECK int dense_backward(struct dense *net, const float *target, double *ret_loss,
                              struct err *err);

/* One step of Adam (0.9, 0.999, 1e-8) down the gradients. */
void dense_adam(struct dense *net, float rate);

#endif /* MODELS_DENSE_H */
