/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_search - finds the symbols of a picture that fit a number of bytes
 * and lose least.  An encoder may search as it likes, with floats; only the
 * decoder must be exact.
 *
 * Threads: any; the network and the costs are only read.
 */
#ifndef MODELS_PREVIEW_SEARCH_H
#define MODELS_PREVIEW_SEARCH_H

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
};

/*
 * Choose the symbols at one step size, weighing bits by ${lambda} against
 * squared steps.  Fills s->q; returns the bits of the symbols, approximately,
 * and in ${ret_lost} the sum of squared errors of the latents.
 */
float preview_choose(const struct preview_choice *c, struct preview_symbols *s, float lambda,
                     float *ret_lost);

/* Find the symbols for ${size} bytes; s->aspect is an input.  ERR_TOOLARGE if nothing fits. */
MUST_CHECK int preview_search(const struct preview_choice *c, size_t size,
                              struct preview_symbols *s, struct err *err);

#endif /* MODELS_PREVIEW_SEARCH_H */
