/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses - which steps and depths an encoder uses, and how much is lost there:
 * what training should be about.
 *
 * Threads: one at a time.
 */
#ifndef MODELS_TRAIN_USES_H
#define MODELS_TRAIN_USES_H

#include "models/preview_net.h"
#include "models/train/data.h"

enum { USES_MAX = 4096 };

/* One of them; its weight makes errors of all classes count alike. */
struct use {
    uint8_t step, depth;
    float weight;
};

struct uses {
    struct use use[USES_MAX];
    unsigned n;
    float floats_weight; /* of pictures that are not quantised */
};

/*
 * Encode drawn pictures in every class with ${net}.  ERR_NOMEM,
 * ERR_NOTFOUND if none fits, and what preview.h says.
 */
MUST_CHECK int uses_measure(struct uses *ret_uses, struct preview_net *net,
                            const struct data_draw *draw, struct err *err);

/* One of them, its step perhaps one further. */
struct use uses_draw(const struct uses *uses, struct prg *prg);

#endif /* MODELS_TRAIN_USES_H */
