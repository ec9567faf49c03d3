/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv - convolutional networks on oneDNN, with their training.
 *
 * A network is a list of layers over tensors: tensor 0 is the input, tensor
 * i + 1 what layer i gives.  Tensors lie in memory as batch, row, column,
 * channel.  Convolutions and deconvolutions (transposed convolutions) run on
 * oneDNN's forward and backward primitives; ReLU, sigmoid and sums are loops.
 * Training is Adam on whatever gradient the caller puts behind the output.
 *
 * Threads: one at a time for each network; with one OpenMP thread.
 * Nothing blocks.
 * Errors, wherever a function says nothing else: as in models/nn.h.
 */
#ifndef MODELS_CONV_H
#define MODELS_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "models/prg.h"

enum { CONV_LAYERS_MAX = 32 };

enum conv_kind {
    CONV_CONV,    /* kernel k, stride s, as much padding as keeps size / s */
    CONV_DECONV,  /* kernel k, stride s, size * s; k - s is even */
    CONV_RELU,    /* in place: no other layer may use its input */
    CONV_SIGMOID, /* in place, likewise */
    CONV_ADD,     /* in + other, of the same shape */
};

struct conv_layer {
    enum conv_kind kind;
    unsigned in;       /* the tensor it takes */
    unsigned other;    /* CONV_ADD: the second tensor */
    unsigned channels; /* of the output; CONV_CONV and CONV_DECONV alone */
    unsigned kernel, stride;
};

struct conv_spec {
    unsigned batch, channels, height, width; /* of the input */
    unsigned layers;
    struct conv_layer layer[CONV_LAYERS_MAX];
    bool training; /* false: conv_backward() and conv_adam() may not be called */
};

/* Numbers of one layer; weights by output channel, input channel, row, column. */
struct conv_params {
    size_t weights_len, biases_len; /* 0 for layers without any */
    float *weights, *biases;
    float *weight_grads, *bias_grads; /* NULL when not training */
};

struct conv;

/* Make a network; all its numbers are 0.  ERR_INVALID for impossible shapes. */
MUST_CHECK int conv_new(struct conv **ret_net, const struct conv_spec *spec, struct err *err);
void conv_free(struct conv *net); /* NULL is fine */

/* Draw the weights (He's ranges; those of the last convolution ten times smaller), biases 0. */
void conv_randomise(struct conv *net, struct prg *prg);

/* Layer ${i}'s numbers; call conv_changed() after writing to them. */
struct conv_params conv_params(struct conv *net, unsigned i);
void conv_changed(struct conv *net);

/* The input to fill, and the output of the last conv_forward(); owned by the network. */
float *conv_input(struct conv *net);
const float *conv_output(const struct conv *net);
size_t conv_output_len(const struct conv *net); /* numbers, the whole batch */

/* Compute the output.  ERR_INTERNAL if oneDNN fails. */
MUST_CHECK int conv_forward(struct conv *net, struct err *err);

/* Where the caller puts the gradient of its loss by the output before conv_backward(). */
float *conv_output_grad(struct conv *net);

/*
 * Compute the gradients of all numbers, after conv_forward(), and add them to those of the passes
 * since the last conv_adam(): a batch may come in parts, small enough for a cache.  ERR_INTERNAL,
 * and all of them are lost.
 */
MUST_CHECK int conv_backward(struct conv *net, struct err *err);

/* One step of Adam (0.9, 0.999) at ${rate}, with the gradients since the last. */
void conv_adam(struct conv *net, float rate);

/* For checkpoints: steps made, and layer ${i}'s mean and square of gradients, weights then biases.
 */
unsigned *conv_steps(struct conv *net);
size_t conv_state(struct conv *net, unsigned i, float **ret_mean, float **ret_square);

#endif /* MODELS_CONV_H */
