/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_detail - foretells the symbols of details from those before: for
 * each band a small network in integers reads the sizes around a place and
 * gives the table of its symbol.
 *
 * Everything here is exact on every machine.  Threads: any.
 */
#ifndef MODELS_PREVIEW_DETAIL_H
#define MODELS_PREVIEW_DETAIL_H

#include "models/preview_symbols.h"

enum {
    /* Bands lie in the map with two zeros before each row and column, and two behind. */
    PREVIEW_MAP_PAD = 2,
    PREVIEW_MAP_LEN = 3 * (4 * 12 * 12 + 3 * 20 * 20) + 3 * 36 * 36,
};

/* What is known while details are gone through. */
struct preview_survey {
    const struct preview_net *net;
    const struct preview_band *bands;
    unsigned step, depth;
    uint8_t map[PREVIEW_MAP_LEN]; /* sizes of the symbols so far, by band */
    /* Hidden values of a row's places before what is around them: most of it is the same. */
    int32_t start[PREVIEW_DETAIL_HIDDEN];
    unsigned start_band, start_y;
    /* What the network says of places with nothing around; -1: not asked yet. */
    int16_t quiet[PREVIEW_SIDE / 2];
};

/* A place in a band. */
struct preview_place {
    unsigned band, x, y;
};

/* Begin, for a preview of this step and this index of preview_depths. */
void preview_survey_start(struct preview_survey *s, const struct preview_net *net, unsigned step,
                          unsigned depth);

/* The numbers that the network of a place's band reads, in eighths. */
void preview_survey_inputs(const struct preview_survey *s, struct preview_place at,
                           int16_t ret[PREVIEW_SEEN]);

/* The table of the symbol at a place. */
struct preview_guess preview_survey_guess(struct preview_survey *s, struct preview_place at);

/* Tell the symbol at a place. */
void preview_survey_tell(struct preview_survey *s, struct preview_place at, int32_t q);

/* True if a preview with these levels (of brightness, of colour) has the band. */
bool preview_band_kept(const struct preview_band *b, const uint8_t levels[2]);

#endif /* MODELS_PREVIEW_DETAIL_H */
