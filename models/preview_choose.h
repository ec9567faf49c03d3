/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_choose - symbols for given numbers, weighing what they cost against what they lose.
 *
 * Threads: any; the network and the costs are only read.
 */
#ifndef MODELS_PREVIEW_CHOOSE_H
#define MODELS_PREVIEW_CHOOSE_H

#include "models/preview_symbols.h"

/* Bits of each symbol of each table. */
struct preview_costs {
    float bits[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS];
};

/* Fill ${ret_costs} from the tables of ${net}. */
void preview_costs(struct preview_costs *ret_costs, const struct preview_net *net);

struct preview_choice {
    const struct preview_net *net;
    const struct preview_costs *costs;
    const float *latents; /* PREVIEW_LATENTS */
    const float *rgb;     /* PREVIEW_BYTES, the picture, from 0 to 1; only for a search */
    /* The picture that quantised latents give, without details; only for a search. */
    int (*picture)(void *arg, const float *latents, unsigned step, float *ret_rgb, struct err *err);
    void *arg;
};

/* What a choice costs: bits, approximately, and the sum of squared errors. */
struct preview_cost {
    float bits, lost;
};

/*
 * Choose the latents' symbols at s->step and s->depth, weighing bits by
 * ${lambda} against squared steps.  The error is that of the latents;
 * ${ret_latents} is what the symbols stand for.
 */
struct preview_cost preview_choose(const struct preview_choice *c, struct preview_symbols *s,
                                   float lambda, float ret_latents[PREVIEW_LATENTS]);

/* Choose the symbols of ${details}, and the levels; s->step and s->depth are inputs. */
struct preview_cost preview_choose_details(const struct preview_choice *c,
                                           const float details[PREVIEW_DETAILS],
                                           struct preview_symbols *s, float lambda);

#endif /* MODELS_PREVIEW_CHOOSE_H */
