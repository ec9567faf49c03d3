/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_symbols - the symbols of a preview to bytes and back, bit-exact on
 * every machine: integers alone, as FORMATS.md describes.
 *
 * Threads: any; the network is only read.
 */
#ifndef MODELS_PREVIEW_SYMBOLS_H
#define MODELS_PREVIEW_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/crypto/part.h"
#include "common/err.h"
#include "models/preview_net.h"
#include "models/range_coder.h"

enum {
    PREVIEW_ASPECTS = 64, /* width to height, eight to an octave; 32 is a square */
    PREVIEW_SQUARE = 32,
    PREVIEW_SYMBOL_MAX = 1 << 19,
    PREVIEW_DETAIL_MAX = 1 << 14,
    PREVIEW_LEN_MAX = 512, /* bytes of the largest class */
};

/* What a preview holds. */
struct preview_symbols {
    uint8_t aspect, step; /* below PREVIEW_ASPECTS and PREVIEW_STEPS */
    uint8_t depth;        /* index of preview_depths */
    uint8_t levels[2];    /* of details: of brightness (0 to 3), of colours (0 to 2) */
    int32_t q[PREVIEW_LATENTS];
    int16_t d[PREVIEW_DETAILS]; /* 0 in bands beyond the levels */
};

/* What symbols stand for: floats, for pixels only. */
struct preview_values {
    float latents[PREVIEW_LATENTS], details[PREVIEW_DETAILS];
};

/* The estimator on its way through the latents. */
struct preview_walk {
    const struct preview_net *net;
    unsigned step;
    uint32_t hidden[PREVIEW_HIDDEN];
};

/* What it foretells of a latent. */
struct preview_guess {
    unsigned scale, shift; /* the table */
    unsigned raw;          /* low bits that are written plain */
    int32_t centre;        /* the symbol that the table's middle stands for */
};

/* Begin with step size ${step}; then guess latent 0, tell its symbol, guess latent 1 ... */
void preview_walk_start(struct preview_walk *w, const struct preview_net *net, unsigned step);
struct preview_guess preview_walk_guess(const struct preview_walk *w, unsigned latent);
void preview_walk_tell(struct preview_walk *w, unsigned latent, int32_t q);

/* A symbol as the tables see it. */
struct preview_split {
    unsigned symbol; /* of the table; the first and the last are escapes */
    uint32_t raw;    /* low bits */
    uint32_t beyond; /* escapes: how far beyond the reach */
};

/* Split ${q} for ${g}; and the other way round. */
struct preview_split preview_split(const struct preview_guess *g, int32_t q);
int32_t preview_join(const struct preview_guess *g, const struct preview_split *s);

/* The value, in steps, that stands for ${q} under ${g}: floats, for pixels only. */
float preview_centre(const struct preview_net *net, const struct preview_guess *g, int32_t q);

/* True if there are details. */
bool preview_has_details(const struct preview_symbols *s);

/* Encode into ${size} zero bytes; returns the bytes needed, more than ${size} if they did not fit.
 */
size_t preview_symbols_encode(const struct preview_net *net, const struct preview_symbols *s,
                              uint8_t *out, size_t size);

/*
 * Decode ${data}, whose length is the class, and what it stands for (both undefined on
 * failure).  ERR_CORRUPT unless preview_symbols_encode() gives the same bytes,
 * zeros behind them.
 */
MUST_CHECK int preview_symbols_decode(const struct preview_net *net, struct part data,
                                      struct preview_symbols *ret_s, struct preview_values *ret_v,
                                      struct err *err);

/* Add up the counts of the tables. */
void preview_sum(struct preview_net *net);

#endif /* MODELS_PREVIEW_SYMBOLS_H */
