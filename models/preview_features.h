/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_features - pictures of 64 x 64 pixels as the numbers that previews
 * are made of, and back: a turn of the colours and a cosine transform, both
 * orthonormal, of which the low frequencies are kept.
 *
 * The features whose horizontal frequency is even come first, then the odd
 * ones; a mirrored picture has the same even and the negated odd features.
 *
 * Threads: any.
 */
#ifndef MODELS_PREVIEW_FEATURES_H
#define MODELS_PREVIEW_FEATURES_H

#include <stdint.h>

enum {
    PREVIEW_SIDE = 64,
    PREVIEW_PIXELS = PREVIEW_SIDE * PREVIEW_SIDE,
    PREVIEW_BYTES = PREVIEW_PIXELS * 3,
    PREVIEW_HALF = 1152, /* features of one half; 0 where a half has fewer */
    PREVIEW_FEATURES = 2 * PREVIEW_HALF,
};

/* Features of ${rgb}, PREVIEW_BYTES bytes; pixels count from 0 to 1. */
void preview_features(const uint8_t *rgb, float features[PREVIEW_FEATURES]);

/* The same of a picture as preview_pixels() gives it. */
void preview_features_of(const float rgb[PREVIEW_BYTES], float features[PREVIEW_FEATURES]);

/* The picture of ${features}: rows, columns, colours, not limited to 0 to 1. */
void preview_pixels(const float features[PREVIEW_FEATURES], float rgb[PREVIEW_BYTES]);

#endif /* MODELS_PREVIEW_FEATURES_H */
