/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_report - the model card of an instance: what it is, how it was made,
 * and figures measured on it.  Nothing in it is secret.
 *
 * Threads: any.  Computes for some tens of milliseconds.
 */
#ifndef MODELS_KEYNET_REPORT_H
#define MODELS_KEYNET_REPORT_H

#include "common/buf.h"
#include "common/err.h"
#include "models/keynet.h"
#include "models/keynet_train.h"

enum {
    KEYNET_REPORT_INPUTS = 1024, /* measured on so many inputs */
    KEYNET_REPORT_FLIPS = 512,   /* single bits flipped */
};

/* A share of bits or bytes, over many trials. */
struct keynet_share {
    double mean, least, most;
};

struct keynet_figures {
    double min_entropy;                       /* of all output bytes, bits */
    double mean[3], deviation[3], entropy[3]; /* by place in the output: least, median, greatest */
    double at_zero, at_top;                   /* shares of bytes 0 and 255 */
    unsigned failures;                        /* of the health tests at 2^-20 */
    struct keynet_share avalanche, extracted; /* output bits changed by one input bit */
    struct keynet_share inputs, inputs_bits;  /* equal bytes, equal bits of two inputs' outputs */
    struct keynet_share others, others_bits;  /* of two instances for one input */
};

/* Measure ${net}, and against ${other} (NULL: others stays 0).  ERR_NOMEM, ERR_INTERNAL. */
MUST_CHECK int keynet_measure(const struct keynet *net, const struct keynet *other,
                              struct keynet_figures *ret_f, struct err *err);

/*
 * Append the card, Markdown of some 50 lines, to ${out}.  ${training} may be
 * NULL (not known), as may ${other}.
 */
MUST_CHECK int keynet_report(const struct keynet *net, const struct keynet *other,
                             const struct keynet_training *training, struct buf *out,
                             struct err *err);

#endif /* MODELS_KEYNET_REPORT_H */
