/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_linear - the linear layer of previews, both ways: between features
 * and latents.  Floats.  Threads: any; the network is only read.
 */
#ifndef MODELS_PREVIEW_LINEAR_H
#define MODELS_PREVIEW_LINEAR_H

#include "models/preview_net.h"

/* Latents of features. */
void preview_latents(const struct preview_net *net, const float features[PREVIEW_FEATURES],
                     float latents[PREVIEW_LATENTS]);
/* Features that latents stand for. */
void preview_unlatents(const struct preview_net *net, const float latents[PREVIEW_LATENTS],
                       float features[PREVIEW_FEATURES]);

/*
 * Latents to aim at, so that ${picture}, which a decoder made of ${latents},
 * comes nearest to the one whose latents are ${wanted}: the layers that repair
 * also add what latents can say, and would say it twice.  The ${n} first latents alone.
 */
void preview_aim(const struct preview_net *net, const float *wanted, const float *latents,
                 const float *picture, float *ret_aim, unsigned n);

#endif /* MODELS_PREVIEW_LINEAR_H */
