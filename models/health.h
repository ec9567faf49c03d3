/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - the health tests of NIST SP 800-90B on the bytes of a network.
 *
 * They are diagnostics: no key depends on them (FORMATS.md, the lemma of the
 * shares).  A failure means that the network is not what was measured when it
 * was made.
 *
 * Threads: one object from one thread at a time.  Never blocks, never logs.
 */
#ifndef MODELS_HEALTH_H
#define MODELS_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
    HEALTH_WINDOW = 512,     /* samples of an adaptive proportion test, SP 800-90B 4.4.2 */
    HEALTH_ALPHA_ONCE = 20,  /* judging a new network: false alarms 2^-20 a test */
    HEALTH_ALPHA_WATCH = 40, /* at run time, on billions of bytes: 2^-40 */
};

struct health_cutoffs {
    unsigned repetition; /* this many equal bytes in a row fail */
    unsigned proportion; /* this often the same byte in one window fails */
};

struct health {
    struct health_cutoffs cut;
    uint64_t repetition_failures, proportion_failures;
    /* Private from here. */
    unsigned run;   /* length of the present run of equal bytes, 0 before the first */
    unsigned seen;  /* bytes of the present window */
    unsigned count; /* of them equal to the first */
    uint8_t last, first;
};

/*
 * Most common value estimate of the min-entropy of one byte, in bits
 * (SP 800-90B 6.3.1): p = the share of the most common byte, with
 * p_u = min(1, p + 2.576 sqrt(p (1 - p) / (n - 1))), the result is -log2(p_u).
 * 0 for fewer than two bytes.
 */
double health_min_entropy(const uint8_t *sample, size_t n);

/*
 * Cut-offs for ${bits} of min-entropy a byte and false alarms of 2^-${alpha}:
 * repetition = 1 + ceil(alpha / bits) (4.4.1); proportion = the smallest c with
 * P(X >= c) <= 2^-alpha for X binomial(512, 2^-bits) (4.4.2, the same as
 * 1 + critbinom).  ERR_INVALID unless 0.1 <= bits <= 8 and 1 <= alpha <= 60.
 */
MUST_CHECK int health_cutoffs(struct health_cutoffs *ret_cut, double bits, unsigned alpha);

/* Nothing watched yet; ${cut} is copied. */
void health_init(struct health *h, const struct health_cutoffs *cut);

/* Watch ${n} more bytes; returns how many times a test failed in them. */
unsigned health_feed(struct health *h, const uint8_t *bytes, size_t n);

#endif /* MODELS_HEALTH_H */
