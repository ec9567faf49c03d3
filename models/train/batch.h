/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - the pictures of one step of training the layers that repair: drawn,
 * quantised as an encoder would, and shown as a decoder would.
 *
 * Threads: one at a time.
 */
#ifndef MODELS_TRAIN_BATCH_H
#define MODELS_TRAIN_BATCH_H

#include "models/preview_choose.h"
#include "models/train/data.h"
#include "models/train/detail.h"
#include "models/train/uses.h"

/* Pictures at a time: their activations stay in a core's second cache. */
enum { BATCH_LEN = 4 };

/* One picture of a batch. */
struct batch_place {
    bool aimed;          /* batch_aim() is to do something about it */
    bool quantised;      /* else: its first numbers as they are */
    struct detail_at at; /* how it is quantised */
    float weight;        /* of its squared error */
    float wanted[PREVIEW_LATENTS], latents[PREVIEW_LATENTS]; /* its own, and what is shown */
};

struct batch {
    /* To be set. */
    const struct data *data;
    float (*latents)[PREVIEW_LATENTS]; /* of all pictures of the data */
    const struct preview_net *net;
    const struct preview_costs *costs;
    const struct uses *uses; /* steps and depths are drawn from these; NULL: all alike */
    unsigned steps;          /* without uses: 0 to this, without it */
    float lambda;

    float *base, *target; /* BATCH_LEN times PREVIEW_BYTES; owned */
    struct batch_place place[BATCH_LEN];
};

/* Allot base and target.  ERR_NOMEM. */
MUST_CHECK int batch_make(struct batch *b, struct err *err);
void batch_free(struct batch *b);

/* The latents of a drawn picture, in half the cases of its mirror image; true: of that. */
bool batch_draw(const struct batch *b, struct prg *prg, float latents[PREVIEW_LATENTS],
                size_t *ret_picture);

/* Fill place ${i} with a drawn picture, also in the layers' ${input}; half of them are aimed. */
void batch_fill(struct batch *b, struct prg *prg, size_t i, bool quantised, float *input);

/*
 * Quantise those aimed anew, as an encoder does once it knows what the layers' ${output} adds.
 * Not all: layers that could rely on it would add ever more of what latents can say.
 */
void batch_aim(struct batch *b, const float *output, float *input);

#endif /* MODELS_TRAIN_BATCH_H */
