/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_train() -> attempt() until one is good:
 *   patterns and first weights from the seed and the attempt's number
 *   fit()       Adam, step by step, over shuffled pairs
 *   quantise()  integers, calibrated on fresh inputs
 *   judge()     min-entropy and health tests on the outputs of fresh inputs
 *   encode the file with the known answer
 * Ways to fail: judge() says no (next attempt), progress says stop, no memory,
 * no oneDNN.
 */
#include "models/keynet_train.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/dense.h"
#include "models/health.h"
#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_known.h"
#include "models/keynet_plain.h"
#include "models/keynet_quant.h"

enum {
    SAMPLE = 1024,      /* fresh inputs to calibrate with, and to measure entropy with */
    HEALTH_INPUTS = 64, /* 65,536 bytes for the tests, so that chance fails 1 try in some tens */
    SEED_MIN = 16,
};

/* Bytes that are uniform have these means and standard deviations. */
#define IN_MEAN     63.5F
#define IN_SPREAD   36.950F
#define OUT_MEAN    127.5F
#define OUT_SPREAD  73.900F
#define DROPOUT     0.2F
#define LEARN_RATE  0.0002F
#define SECOND_NSEC 1e-9

struct trainer {
    const struct keynet_train_opts *opts;
    struct keynet_training info;
    struct prg *prg;
    struct dense *net;
    struct keynet_params *params;
    uint8_t *inputs, *targets; /* the pairs */
    uint32_t *order;           /* of the pairs in this round */
    float *target;             /* of one batch */
    uint8_t *sample;           /* SAMPLE inputs */
    uint8_t *outputs;          /* of them */
};

static double now(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * SECOND_NSEC;
}

static void draw_inputs(struct prg *prg, uint8_t *to, size_t n)
{
    prg_bytes(prg, to, n * KEYNET_IN);
    for (size_t i = 0; i < n * KEYNET_IN; i++)
        to[i] &= KEYNET_IN_MAX;
}

static void shuffle(struct trainer *t)
{
    for (size_t i = t->info.pairs; i > 1; i--) {
        size_t j = prg_below(t->prg, (uint32_t)i);
        uint32_t swap = t->order[i - 1];

        t->order[i - 1] = t->order[j];
        t->order[j] = swap;
    }
}

/* Row ${row} of the batch = pair ${pair}, scaled to mean 0 and variance 1. */
static void put_pair(struct trainer *t, size_t row, size_t pair)
{
    float *x = dense_input(t->net) + row * KEYNET_IN;
    float *y = t->target + row * KEYNET_OUT;
    const uint8_t *in = t->inputs + pair * KEYNET_IN;
    const uint8_t *out = t->targets + pair * KEYNET_OUT;

    for (size_t i = 0; i < KEYNET_IN; i++)
        x[i] = ((float)in[i] - IN_MEAN) / IN_SPREAD;
    for (size_t i = 0; i < KEYNET_OUT; i++)
        y[i] = ((float)out[i] - OUT_MEAN) / OUT_SPREAD;
}

static int report_step(struct trainer *t, size_t step, double loss)
{
    const struct keynet_progress p = {
        .attempt = t->info.attempts, .step = step + 1, .steps = t->info.steps, .loss = loss};
    size_t tenth = (t->info.steps + 9) / 10;

    if (step < tenth)
        t->info.first_loss += loss / (double)tenth;
    if (step >= t->info.steps - tenth)
        t->info.last_loss += loss / (double)tenth;
    return t->opts->progress == NULL ? ERR_OK : t->opts->progress(t->opts->cookie, &p);
}

static int fit(struct trainer *t, struct err *err)
{
    size_t next = t->info.pairs;

    t->info.first_loss = t->info.last_loss = 0;
    for (size_t step = 0; step < t->info.steps; step++) {
        const float *out = NULL;
        double loss = 0;
        int rc;

        for (size_t row = 0; row < KEYNET_TRAIN_BATCH; row++, next++) {
            if (next == t->info.pairs) {
                shuffle(t);
                next = 0;
            }
            put_pair(t, row, t->order[next]);
        }
        rc = dense_forward(t->net, t->prg, &out, err);
        if (rc == ERR_OK)
            rc = dense_backward(t->net, t->target, &loss, err);
        if (rc != ERR_OK)
            return rc;
        dense_adam(t->net, LEARN_RATE);
        rc = report_step(t, step, loss);
        if (rc != ERR_OK)
            return err_set(err, rc, "training stopped");
    }
    return ERR_OK;
}

static int quantise(struct trainer *t, struct err *err)
{
    struct keynet_floats f = {.zero = IN_MEAN, .scale = IN_SPREAD};

    for (size_t l = 0; l < KEYNET_LAYERS; l++) {
        f.weights[l] = dense_layer(t->net, l).weights;
        f.biases[l] = dense_layer(t->net, l).biases;
    }
    draw_inputs(t->prg, t->sample, SAMPLE);
    return keynet_quantise(t->params, &f, t->sample, SAMPLE, err);
}

static void run_sample(struct trainer *t, size_t n)
{
    draw_inputs(t->prg, t->sample, n);
    for (size_t i = 0; i < n; i++)
        keynet_plain_forward(keynet_plain_pick(false), t->params, KEYNET_LAYERS,
                             t->sample + i * KEYNET_IN, t->outputs + i * KEYNET_OUT);
}

/* The network itself is judged, in a constant build as well. */
static bool judge(struct trainer *t)
{
    unsigned least = t->opts->min_entropy != 0 ? t->opts->min_entropy : KEYNET_TRAIN_MIN_ENTROPY;
    struct health_cutoffs cut = {0};
    struct health health;

    run_sample(t, SAMPLE);
    t->info.min_entropy = health_min_entropy(t->outputs, (size_t)SAMPLE * KEYNET_OUT);
    t->params->entropy = (uint32_t)(t->info.min_entropy * 1000);
    if (t->params->entropy < least)
        return false;
    if (health_cutoffs(&cut, t->info.min_entropy, HEALTH_ALPHA_ONCE) != ERR_OK)
        return false;
    run_sample(t, HEALTH_INPUTS);
    health_init(&health, &cut);
    return health_feed(&health, t->outputs, (size_t)HEALTH_INPUTS * KEYNET_OUT) == 0;
}

static int begin(struct trainer *t, struct err *err)
{
    const struct dense_spec spec = {
        .layers = KEYNET_LAYERS,
        .widths = {KEYNET_IN, KEYNET_HIDDEN, KEYNET_HIDDEN, KEYNET_OUT},
        .batch = KEYNET_TRAIN_BATCH,
        .dropout = DROPOUT,
    };
    int rc = prg_new(&t->prg, "satchel/1 keynet train", part(t->opts->seed, t->opts->seed_len),
                     t->info.attempts, err);

    if (rc == ERR_OK)
        rc = dense_new(&t->net, &spec, err);
    if (rc == ERR_UNSUPPORTED)
        err_hint(err, "training needs executable memory: not under MemoryDenyWriteExecute");
    if (rc != ERR_OK)
        return rc;
    dense_randomise(t->net, t->prg);
    draw_inputs(t->prg, t->inputs, t->info.pairs);
    prg_bytes(t->prg, t->targets, t->info.pairs * KEYNET_OUT);
    for (size_t i = 0; i < t->info.pairs; i++)
        t->order[i] = (uint32_t)i;
    return ERR_OK;
}

/* ERR_AGAIN: the instance was judged and refused. */
static int attempt(struct trainer *t, struct err *err)
{
    int rc = begin(t, err);

    if (rc == ERR_OK)
        rc = fit(t, err);
    if (rc == ERR_OK)
        rc = quantise(t, err);
    if (rc == ERR_OK && !judge(t))
        rc = ERR_AGAIN;
    if (rc == ERR_OK || rc == ERR_AGAIN)
        if (prg_failed(t->prg) != ERR_OK)
            rc = err_set(err, ERR_INTERNAL, "random patterns failed");
    dense_free(t->net);
    prg_free(t->prg);
    t->net = NULL;
    t->prg = NULL;
    return rc;
}

static bool allocate(struct trainer *t)
{
    t->params = calloc(1, sizeof(*t->params));
    t->inputs = calloc(t->info.pairs, KEYNET_IN);
    t->targets = calloc(t->info.pairs, KEYNET_OUT);
    t->order = calloc(t->info.pairs, sizeof(*t->order));
    t->target = calloc(KEYNET_TRAIN_BATCH, KEYNET_OUT * sizeof(*t->target));
    t->sample = calloc(SAMPLE, KEYNET_IN);
    t->outputs = calloc(SAMPLE, KEYNET_OUT);
    return t->params != NULL && t->inputs != NULL && t->targets != NULL && t->order != NULL &&
           t->target != NULL && t->sample != NULL && t->outputs != NULL;
}

static void release(struct trainer *t)
{
    free(t->params);
    free(t->inputs);
    free(t->targets);
    free(t->order);
    free(t->target);
    free(t->sample);
    free(t->outputs);
}

int keynet_train(const struct keynet_train_opts *opts, struct buf *out,
                 struct keynet_training *ret_training, struct err *err)
{
    struct trainer t = {.opts = opts};
    double start = now();
    int rc = ERR_AGAIN;

    t.info.pairs = opts->pairs != 0 ? opts->pairs : KEYNET_TRAIN_PAIRS;
    t.info.steps = opts->steps != 0 ? opts->steps : KEYNET_TRAIN_STEPS;
    if (opts->seed_len < SEED_MIN || t.info.pairs > UINT32_MAX)
        return err_set(err, ERR_INVALID, "cannot train from a seed of %zu bytes", opts->seed_len);
    if (!allocate(&t)) {
        rc = err_set(err, ERR_NOMEM, "training patterns");
        goto done;
    }
    while (rc == ERR_AGAIN && t.info.attempts < KEYNET_TRAIN_ATTEMPTS) {
        t.info.attempts++;
        rc = attempt(&t, err);
    }
    if (rc == ERR_AGAIN)
        rc = err_set(err, ERR_LIMIT, "no trained instance passed the health tests in %u attempts",
                     t.info.attempts);
    if (rc == ERR_OK)
        rc = keynet_known_answer(t.params, t.params->known, err);
    if (rc == ERR_OK)
        rc = keynet_file_encode(t.params, out, err);
    t.info.seconds = now() - start;
    if (rc == ERR_OK && ret_training != NULL)
        *ret_training = t.info;
done:
    release(&t);
    return rc;
}
