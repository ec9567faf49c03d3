/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trainer - trains the weights of previews: the linear layer, the estimator,
 * the layers that repair, the networks of details, the tables, one after the other.
 *
 * After each round a checkpoint, the loss curve and the weight file as it is
 * so far are written; an interrupted training goes on from there with the same
 * result.  The same seed, pictures, instruction set and oneDNN give the same
 * weights.
 *
 * Threads: one; it takes hours.  Errors: as in data.h and conv.h.
 */
#ifndef MODELS_TRAIN_TRAINER_H
#define MODELS_TRAIN_TRAINER_H

#include <stdbool.h>

#include "models/train/data.h"

struct trainer_spec {
    struct data_spec data;
    const char *out;  /* weight file; beside it .checkpoint, .csv and .png */
    const char *seed; /* any text */
    const char *from; /* a weight file to take all but details from, and train further; or NULL */
    unsigned estimate_rounds; /* 0 with ${from} */
    unsigned repair_rounds, detail_rounds;
    unsigned round_pictures; /* pictures in each round of repair and of details */
    unsigned table_pictures; /* pictures that the tables are counted on at the end; 0: they stay */
    unsigned uses;      /* with ${from}: pictures encoded to learn what encoders use; 0: none */
    unsigned finer;     /* with ${from}: eighths of an octave that step sizes begin lower */
    uint16_t widths[2]; /* with ${from}: of the layers that repair (preview_net.h); 0: as there */
    unsigned steps;     /* the step sizes that are learned: 0 to this, without it */
    float rate;         /* at which repair begins to learn */
    float lambda;       /* bits against squared steps, as in preview_choose.h */
    bool resume;        /* go on from the checkpoint, if there is one */
};

/* Train, telling on standard output how it goes. */
MUST_CHECK int trainer_run(const struct trainer_spec *spec, struct err *err);

#endif /* MODELS_TRAIN_TRAINER_H */
