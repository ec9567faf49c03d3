/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv_net - what a convolutional network is made of: for conv.c, which runs
 * it, and conv_make.c, which makes it.
 */
#ifndef MODELS_CONV_NET_H
#define MODELS_CONV_NET_H

#include "models/conv.h"
#include "models/nn_dnnl.h"

enum { SRC, WEIGHTS, BIAS, DST, PLACES };

struct tensor {
    unsigned c, h, w;
    size_t len; /* of the batch */
    float *value, *grad;
    bool shared; /* value and grad belong to the tensor that it was computed in */
    bool given;  /* in the backward pass: the gradient has its first part */
};

/* One direction of a convolution. */
struct step {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    dnnl_memory_t mem[PLACES], scratch;
    dnnl_memory_t plain; /* the canonical weights, or their gradient */
    dnnl_primitive_t reorder;
    float *packed; /* weights in the primitive's layout */
};

struct conv_part {
    size_t weights_len, len; /* weights, then biases */
    float *value, *grad, *mean, *square;
    float *fresh; /* the gradient of the last backward pass */
    struct step step[NN_CONV_DIRS];
};

struct conv {
    struct conv_spec spec;
    unsigned steps;
    bool changed;
    bool gathered; /* grad has the gradients since the last step of Adam */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct tensor tensors[CONV_LAYERS_MAX + 1];
    struct conv_part parts[CONV_LAYERS_MAX];
    float *beside; /* for gradients that are added */
    void *scratch;
    size_t scratch_len;
};

static inline bool conv_computes(enum conv_kind k)
{
    return k == CONV_CONV || k == CONV_DECONV;
}

/* Fill ${err} for what oneDNN said and return its code. */
int conv_fail(struct err *err, dnnl_status_t rc, const char *what);

#endif /* MODELS_CONV_NET_H */
