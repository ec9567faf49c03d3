/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detail - trains the networks that foretell the details of previews, and
 * writes them as integers.
 *
 * As in estimate.h the loss is the rate, at symbols chosen as an encoder does.
 */
#ifndef MODELS_TRAIN_DETAIL_H
#define MODELS_TRAIN_DETAIL_H

#include <stddef.h>

#include "common/err.h"
#include "models/preview_net.h"
#include "models/prg.h"
#include "models/train/estimate.h"

struct detail;

/* Draw weights.  ERR_NOMEM. */
MUST_CHECK int detail_new(struct detail **ret_d, struct prg *prg, struct err *err);
void detail_free(struct detail *d); /* NULL is fine */

/* Where a picture's details are learned: index of the step size, and of preview_depths. */
struct detail_at {
    unsigned step, depth;
    float size;   /* of the step */
    float lambda; /* bits against squared steps */
};

/* Add the gradient of the rate of a picture's details.  Returns the bits. */
double detail_learn(struct detail *d, const float *details, const struct detail_at *at);

/* One step of Adam with what was added since the last one. */
void detail_adam(struct detail *d, float rate);

/* As estimate_state(). */
struct estimate_state detail_state(struct detail *d);

/* Write the integers into ${net}. */
void detail_store(const struct detail *d, struct preview_net *net);

#endif /* MODELS_TRAIN_DETAIL_H */
