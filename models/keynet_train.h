/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_train - make an instance of the key network.
 *
 * Dense 256-512-512-1024, ReLU, dropout 0.2, Adam, mean squared error: the
 * network learns to answer random patterns of 256 bytes with random patterns
 * of 1,024 bytes, in floats on oneDNN; then it is quantised, its output judged
 * by the health tests, and its known answer written into the weight file.
 * All patterns come from the seed.  The same seed gives the same instance on
 * the same machine with the same libraries, not elsewhere: the file is what
 * counts, and the seed need not be kept.
 *
 * Threads: any one; computes for some seconds on it.  Not under a ban on
 * executable memory (ERR_UNSUPPORTED): oneDNN compiles its code as it runs.
 */
#ifndef MODELS_KEYNET_TRAIN_H
#define MODELS_KEYNET_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    KEYNET_TRAIN_PAIRS = 256,
    KEYNET_TRAIN_STEPS = 640,
    KEYNET_TRAIN_BATCH = 64,
    KEYNET_TRAIN_ATTEMPTS = 5,
    KEYNET_TRAIN_MIN_ENTROPY = 6000, /* thousandths of a bit an output byte */
};

/* Where training is. */
struct keynet_progress {
    unsigned attempt;   /* from 1 */
    size_t step, steps; /* step from 1 */
    double loss;        /* of this batch; patterns have variance 1 */
};

/* Called after each step; anything but ERR_OK ends training with that code. */
typedef int keynet_progress_cb(void *cookie, const struct keynet_progress *p);

struct keynet_train_opts {
    const uint8_t *seed; /* random bytes, at least 16 */
    size_t seed_len;
    size_t pairs, steps;          /* 0: as above */
    unsigned min_entropy;         /* 0: as above */
    keynet_progress_cb *progress; /* may be NULL */
    void *cookie;
};

/* What the model card tells of it. */
struct keynet_training {
    unsigned attempts;
    size_t pairs, steps;
    double first_loss, last_loss; /* means over the first and last tenth of the steps */
    double min_entropy;           /* bits an output byte */
    double seconds;
};

/*
 * Append a weight file of KEYNET_FILE_LEN bytes to ${out}.  An instance that
 * the health tests refuse is dropped and another trained, at most five times;
 * then ERR_LIMIT.  ERR_INVALID for a short seed.  ${ret_training} may be NULL.
 */
MUST_CHECK int keynet_train(const struct keynet_train_opts *opts, struct buf *out,
                            struct keynet_training *ret_training, struct err *err);

#endif /* MODELS_KEYNET_TRAIN_H */
