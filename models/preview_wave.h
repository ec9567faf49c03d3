/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_wave - what a preview's latents leave out, as coefficients that know
 * their place: three levels of the 9/7 wavelet of each colour turned apart.
 *
 * Coefficients come band by band, coarse ones first; in a band row by row.  The
 * transform is nearly orthonormal: squared errors are those of the pixels.
 *
 * Threads: any.
 */
#ifndef MODELS_PREVIEW_WAVE_H
#define MODELS_PREVIEW_WAVE_H

#include "models/preview_features.h"

enum {
    PREVIEW_DETAILS = PREVIEW_BYTES,
    PREVIEW_LEVELS = 3,        /* of 8 x 8, 16 x 16 and 32 x 32 coefficients */
    PREVIEW_COLOUR_LEVELS = 2, /* of them that are coded of colours */
    PREVIEW_BANDS = 30,        /* 3 colours x 10 */
    PREVIEW_CODED = 24,        /* the first ones: the finest of the two colours never pay */
};

/* A band: side x side coefficients that begin at ${first} of all. */
struct preview_band {
    uint8_t level, plane;
    uint8_t right, down; /* its place in the plane, in sides */
    uint8_t side;
    uint16_t first;
    int8_t parent;    /* the band of the same direction one level up; -1: none */
    int8_t others[2]; /* bands of other directions at the same places, before this one */
    int8_t planes[2]; /* bands of other colours at the same places, before this one */
};

/* All bands, in order; owned by nobody. */
const struct preview_band *preview_bands(void);

/* PREVIEW_BYTES values, red, green and blue of each pixel, to coefficients and back. */
void preview_wave(const float *rgb, float details[PREVIEW_DETAILS]);
void preview_unwave(const float details[PREVIEW_DETAILS], float *rgb);

#endif /* MODELS_PREVIEW_WAVE_H */
