/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_net - what a weight file of previews holds, and the shapes of it.
 *
 * A picture of 64 x 64 pixels becomes features (colours turned apart, cosine
 * transform, low frequencies), these become latents by a linear layer, sorted
 * by variance.  Latents are divided by a step and rounded to symbols, which a
 * range coder writes with probabilities that a small network in integers (a
 * neural autoregressive estimator) foretells from the symbols before.  Back
 * again, a convolutional network repairs what quantisation did.  What is still
 * missing, and is worth its bits, are details: coefficients that know their
 * place (preview_wave.h), with small networks in integers for their tables.
 *
 * Everything that decides a symbol is an integer; floats only make pixels.
 */
#ifndef MODELS_PREVIEW_NET_H
#define MODELS_PREVIEW_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "models/conv.h"
#include "models/preview_features.h"
#include "models/preview_wave.h"

enum {
    PREVIEW_LATENTS = 1024,
    PREVIEW_FINE = 128,   /* latents whose rows have 16 bits; the others have 8 */
    PREVIEW_FLOATS = 512, /* latents of the comparison without quantisation */
    PREVIEW_HIDDEN = 48,  /* neurons of the estimator */
    PREVIEW_STEPS = 64,   /* step sizes, eight to an octave */
    PREVIEW_SCALES = 22,  /* probability tables by spread, four to an octave */
    PREVIEW_SHIFTS = 8,   /* and by the mean's part of a symbol */
    PREVIEW_REACH = 15,   /* symbols beyond it are escapes */
    PREVIEW_SYMBOLS = 2 * PREVIEW_REACH + 3,
    PREVIEW_DEPTHS = 4,     /* how many latents a preview may have */
    PREVIEW_SEEN = 20,      /* numbers that the networks of details read */
    PREVIEW_SEEN_STEP = 18, /* one of them: the step */
    PREVIEW_DETAIL_HIDDEN = 16,
    PREVIEW_WIDTHS = 2, /* channels of the layers that repair, at half and a quarter size */
    PREVIEW_WIDTH_MAX = 128,
};

/* What files have that do not say. */
static const uint16_t preview_usual_widths[PREVIEW_WIDTHS] = {32, 48};

/* The first so many latents are in a preview; the others are 0. */
static const unsigned preview_depths[PREVIEW_DEPTHS] = {PREVIEW_LATENTS, 256, 128, 64};

/* The estimator and the tables: all integers.  FORMATS.md says how they are used. */
struct preview_tables {
    uint32_t step[PREVIEW_STEPS];                      /* step sizes, 1/4096 */
    uint32_t per_step[PREVIEW_STEPS];                  /* 65536 / step size */
    uint32_t spread[PREVIEW_LATENTS];                  /* standard deviations, 1/1024 */
    uint32_t per_spread[PREVIEW_LATENTS];              /* 4096 / standard deviation */
    int32_t hidden[PREVIEW_HIDDEN];                    /* biases, 2^-17 */
    int32_t hidden_step[PREVIEW_HIDDEN];               /* what each step size adds, 2^-17 */
    int16_t in_value[PREVIEW_LATENTS][PREVIEW_HIDDEN]; /* weights, 2^-10 */
    int16_t in_size[PREVIEW_LATENTS][PREVIEW_HIDDEN];  /* weights of absolute values, 2^-10 */
    int32_t scale[PREVIEW_LATENTS]; /* biases of the spread, 2^-20 of an eighth of an octave */
    int32_t mean[PREVIEW_LATENTS];  /* biases of the mean, 2^-20 of a standard deviation */
    int16_t out_scale[PREVIEW_LATENTS][PREVIEW_HIDDEN];              /* weights, 2^-10 */
    int16_t out_mean[PREVIEW_LATENTS][PREVIEW_HIDDEN];               /* weights, 2^-10 */
    uint16_t count[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS]; /* add up to 2^16 */
    int16_t centre[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS]; /* of a symbol, 1/1024 */
    /* A network for each band of details. */
    int16_t detail_in[PREVIEW_CODED][PREVIEW_SEEN][PREVIEW_DETAIL_HIDDEN]; /* weights, 2^-9 */
    int32_t detail_bias[PREVIEW_CODED][PREVIEW_DETAIL_HIDDEN];             /* 2^-12 */
    int16_t detail_out[PREVIEW_CODED][PREVIEW_DETAIL_HIDDEN];              /* weights, 2^-8 */
    int32_t detail_out_bias[PREVIEW_CODED]; /* 2^-20 of an eighth of an octave */
};

/* The same counts added up, as the range coder takes them. */
struct preview_sums {
    uint32_t at[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS + 1];
};

struct preview_net {
    struct preview_tables tables;
    struct preview_sums sums;                   /* follow from the tables */
    float offset[PREVIEW_FEATURES];             /* mean of the features */
    uint8_t odd[PREVIEW_LATENTS];               /* which half of the features a latent has */
    float unit[PREVIEW_LATENTS];                /* of the row below */
    int16_t row[PREVIEW_LATENTS][PREVIEW_HALF]; /* the linear layer, in its unit */
    uint16_t widths[PREVIEW_WIDTHS];            /* of the layers that repair */
    float *repair;     /* weights and biases of these layers, in order; owned */
    size_t repair_len; /* preview_repair_len() */
    bool detailed;     /* the networks of details are there */
    uint8_t id[4];     /* first bytes of the file's hash */
};

/*
 * The layers that repair, of ${widths}, for ${batch} pictures.  Input: red, green, blue from
 * -0.5 to 0.5, and what preview_repair_hint() says; output: what to add.
 */
struct conv_spec preview_repair_spec(const uint16_t widths[PREVIEW_WIDTHS], unsigned batch,
                                     bool training);
/* How many weights and biases they have. */
size_t preview_repair_len(const uint16_t widths[PREVIEW_WIDTHS]);
float preview_repair_hint(unsigned step);
extern const float preview_repair_floats; /* the hint of latents that were not quantised */

/* Put a picture as it comes from preview_pixels(), and its hint, into the layers' input. */
void preview_repair_put(float *input, const float *rgb, float hint);

#endif /* MODELS_PREVIEW_NET_H */
