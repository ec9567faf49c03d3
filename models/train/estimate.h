/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estimate - trains the estimator of previews, which foretells each symbol
 * from those before it, and writes it as integers and tables.
 *
 * The loss is the rate: bits of a picture's symbols at a step size drawn for
 * each picture.  Symbols are chosen as an encoder chooses them, by distortion
 * and bits together.
 */
#ifndef MODELS_TRAIN_ESTIMATE_H
#define MODELS_TRAIN_ESTIMATE_H

#include <stddef.h>

#include "common/err.h"
#include "models/preview_net.h"
#include "models/prg.h"

struct estimate;

/* Start with spreads and step sizes from ${net}'s tables; draw weights.  ERR_NOMEM. */
MUST_CHECK int estimate_new(struct estimate **ret_e, const struct preview_net *net, struct prg *prg,
                            struct err *err);
void estimate_free(struct estimate *e); /* NULL is fine */

/*
 * Add the gradient of the rate of a picture's latents at step size ${step};
 * ${lambda} weighs bits against squared steps when symbols are chosen.
 * Returns the bits.
 */
double estimate_learn(struct estimate *e, const float *latents, unsigned step, float lambda);

/* One step of Adam with what was added since the last one. */
void estimate_adam(struct estimate *e, float rate);

/* All numbers, and Adam's state: ${ret_len} of each. */
struct estimate_state {
    float *value, *grad, *mean, *square;
    size_t len;
    unsigned *steps;
};
struct estimate_state estimate_state(struct estimate *e);

/* Adam (0.9, 0.999) on such numbers, with the gradients of so many pictures, which become 0. */
void estimate_adam_step(const struct estimate_state *s, float rate, unsigned pictures);

/* Write the integers and the tables into ${net}. */
void estimate_store(const struct estimate *e, struct preview_net *net);

#endif /* MODELS_TRAIN_ESTIMATE_H */
