/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint - where an interrupted training goes on: numbers and Adam's state
 * of both trained parts, and the curve so far.  A file of this machine for
 * this machine, kept by a hash.  Threads: one at a time.
 */
#ifndef MODELS_TRAIN_CHECKPOINT_H
#define MODELS_TRAIN_CHECKPOINT_H

#include "common/err.h"
#include "models/conv.h"
#include "models/train/detail.h"
#include "models/train/estimate.h"

enum { CURVE_MAX = 4096 };

/* One point of the loss curve. */
struct curve_point {
    unsigned part; /* 0: estimator, bits; 1: layers that repair, squared error; 2: details, bits */
    float loss;    /* mean of the round */
    float before;  /* repair: squared error of what comes in; else 0 */
    float seconds;
};

struct progress {
    unsigned rounds; /* that are done, of all parts together */
    struct curve_point curve[CURVE_MAX];
};

/* What is trained. */
struct learned {
    struct estimate *estimate;
    struct conv *repair;
    struct detail *detail;
};

/* Write it all to ${path}, or read it back.  ERR_NOTFOUND, ERR_CORRUPT for other shapes or bytes.
 */
MUST_CHECK int checkpoint_write(const char *path, const struct progress *p, const struct learned *l,
                                struct err *err);
MUST_CHECK int checkpoint_read(const char *path, struct progress *ret_p, const struct learned *l,
                               struct err *err);

#endif /* MODELS_TRAIN_CHECKPOINT_H */
