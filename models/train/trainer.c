/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each round draws from a generator of its own, so that a training which goes
 * on from a checkpoint draws what one without interruption would have drawn.
 */
#include "models/train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/fs.h"
#include "models/nn.h"
#include "models/preview_file.h"
#include "models/preview_linear.h"
#include "models/train/basis.h"
#include "models/train/batch.h"
#include "models/train/checkpoint.h"
#include "models/train/curve.h"
#include "models/train/detail.h"
#include "models/train/table.h"
#include "models/train/widen.h"

/* Pictures for each step of Adam, in batches. */
enum { BATCH = BATCH_LEN, STEP_LEN = 16, STEP_BATCHES = STEP_LEN / BATCH };

/* One picture in so many is not quantised: without uses, and with. */
enum { FLOATS_ONE_IN = 8, FLOATS_ONE_IN_USES = 4 };

struct trainer {
    const struct trainer_spec *spec;
    uint16_t widths[PREVIEW_WIDTHS]; /* of the layers that repair */
    struct data data;
    float (*latents)[PREVIEW_LATENTS];
    struct preview_net *net;
    struct preview_costs costs;
    struct estimate *estimate;
    struct conv *repair;
    struct detail *detail;
    struct progress progress;
    struct uses uses;
    struct batch batch;
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int generator(const struct trainer *t, const char *label, unsigned n, struct prg **ret_prg,
                     struct err *err)
{
    return prg_new(ret_prg, label, part_str(t->spec->seed), n, err);
}

/* The linear layer, unless there is one, and the latents of all pictures. */
static int linear(struct trainer *t, struct err *err)
{
    size_t n = t->data.n;
    float(*features)[PREVIEW_FEATURES] = malloc(n * sizeof(*features));
    double start = now();
    int rc = ERR_OK;

    t->latents = malloc(n * sizeof(*t->latents));
    if (features == NULL || t->latents == NULL) {
        free(features);
        return err_set(err, ERR_NOMEM, "features of %zu pictures", n);
    }
    for (size_t i = 0; i < n; i++)
        preview_features(t->data.rgb + i * PREVIEW_BYTES, features[i]);
    if (t->spec->from == NULL)
        rc = basis_make(t->net, (const float(*)[PREVIEW_FEATURES])features, n, err);
    for (size_t i = 0; i < n && rc == ERR_OK; i++)
        preview_latents(t->net, features[i], t->latents[i]);
    free(features);
    if (rc == ERR_OK)
        printf("linear layer: %zu pictures, %.0f s\n", n, now() - start);
    return rc;
}

/* Full for the first two thirds, then down to a fortieth. */
static float rate_at(float full, unsigned round, unsigned rounds)
{
    float done = (float)round / (float)rounds;

    return done < 0.6F ? full : full * powf(0.025F, (done - 0.6F) / 0.4F);
}

static int estimate_round(struct trainer *t, unsigned round, struct prg *prg,
                          struct curve_point *ret_point)
{
    float rate = rate_at(0.002F, round, t->spec->estimate_rounds), latents[PREVIEW_LATENTS];
    double bits = 0;
    size_t picture;

    for (size_t i = 0; i < t->data.n; i++) {
        (void)batch_draw(&t->batch, prg, latents, &picture);
        bits +=
            estimate_learn(t->estimate, latents, prg_below(prg, t->spec->steps), t->spec->lambda);
        if (i % 32 == 31)
            estimate_adam(t->estimate, rate);
    }
    *ret_point = (struct curve_point){.part = 0, .loss = (float)(bits / (double)t->data.n)};
    return ERR_OK;
}

/* The gradient of the squared error, and its mean before and after the layers. */
static void squared_error(struct trainer *t, double *add_before, double *add_after)
{
    size_t len = (size_t)BATCH * PREVIEW_BYTES;
    const float *out = conv_output(t->repair);
    float *grad = conv_output_grad(t->repair), before = 0, after = 0;

    for (size_t i = 0; i < len; i++) {
        float was = t->batch.base[i] - t->batch.target[i], is = was + out[i];

        before += was * was / (float)len;
        after += is * is / (float)len;
        grad[i] =
            is * 2000 * t->batch.place[i / PREVIEW_BYTES].weight / (float)(len * STEP_BATCHES);
    }
    *add_before += (double)before;
    *add_after += (double)after;
}

/* A batch and what the layers make of it; one in ${floats_one_in} is not quantised, 0: none. */
static int fill(struct trainer *t, struct prg *prg, unsigned floats_one_in, struct err *err)
{
    float *input = conv_input(t->repair);
    int rc;

    for (size_t b = 0; b < BATCH; b++)
        batch_fill(&t->batch, prg, b, floats_one_in == 0 || prg_below(prg, floats_one_in) != 0,
                   input);
    rc = conv_forward(t->repair, err);
    if (rc != ERR_OK)
        return rc;
    batch_aim(&t->batch, conv_output(t->repair), input);
    return conv_forward(t->repair, err);
}

static int repair_round(struct trainer *t, unsigned round, struct prg *prg,
                        struct curve_point *ret_point, struct err *err)
{
    float rate = rate_at(t->spec->rate, round, t->spec->repair_rounds);
    unsigned batches = t->spec->round_pictures / STEP_LEN * STEP_BATCHES;
    double before = 0, after = 0;
    int rc = ERR_OK;

    for (unsigned i = 0; i < batches && rc == ERR_OK; i++) {
        rc = fill(t, prg, t->spec->uses > 0 ? FLOATS_ONE_IN_USES : FLOATS_ONE_IN, err);
        if (rc != ERR_OK)
            break;
        squared_error(t, &before, &after);
        rc = conv_backward(t->repair, err);
        if (rc == ERR_OK && i % STEP_BATCHES == STEP_BATCHES - 1)
            conv_adam(t->repair, rate);
    }
    *ret_point = (struct curve_point){
        .part = 1, .loss = (float)(after / batches), .before = (float)(before / batches)};
    return rc;
}

/* What repair leaves is learned as details. */
static int detail_round(struct trainer *t, unsigned round, struct prg *prg,
                        struct curve_point *ret_point, struct err *err)
{
    float rate = rate_at(0.003F, round, t->spec->detail_rounds);
    float rest[PREVIEW_BYTES], details[PREVIEW_DETAILS];
    unsigned batches = t->spec->round_pictures / BATCH;
    double bits = 0;
    int rc = ERR_OK;

    for (unsigned i = 0; i < batches && rc == ERR_OK; i++) {
        rc = fill(t, prg, 0, err);
        for (size_t b = 0; b < BATCH && rc == ERR_OK; b++) {
            size_t first = b * PREVIEW_BYTES;

            for (size_t k = 0; k < PREVIEW_BYTES; k++)
                rest[k] = t->batch.target[first + k] - t->batch.base[first + k] -
                          conv_output(t->repair)[first + k];
            preview_wave(rest, details);
            bits += detail_learn(t->detail, details, &t->batch.place[b].at);
            if (b % 4 == 3)
                detail_adam(t->detail, rate);
        }
    }
    *ret_point = (struct curve_point){.part = 2, .loss = (float)(bits / batches / BATCH)};
    return rc;
}

/* The trained numbers as the weight file has them. */
static void store(struct trainer *t)
{
    float *to = t->net->repair;

    for (unsigned i = 0; i < CONV_LAYERS_MAX; i++) {
        struct conv_params p = conv_params(t->repair, i);
        size_t len = p.weights_len + p.biases_len;

        if (len > 0)
            memcpy(to, p.weights, len * sizeof(float));
        to += len;
    }
    if (t->spec->from == NULL)
        estimate_store(t->estimate, t->net);
    if (t->spec->detail_rounds > 0)
        detail_store(t->detail, t->net);
    preview_sum(t->net);
    preview_costs(&t->costs, t->net);
}

static int write_weights(struct trainer *t, struct err *err)
{
    struct buf file = {0};
    int rc = preview_file_encode(t->net, &file, err);

    if (rc == ERR_OK)
        rc = fs_replace(t->spec->out, file.data, file.len, 0644, err);
    buf_free(&file);
    return rc;
}

static int write_files(struct trainer *t, struct err *err)
{
    const struct learned learned = {t->estimate, t->repair, t->detail};
    char path[4096];
    int rc;

    store(t);
    rc = write_weights(t, err);
    if (rc == ERR_OK)
        rc = curve_write(t->spec->out, &t->progress, err);
    (void)snprintf(path, sizeof(path), "%s.checkpoint", t->spec->out);
    return rc == ERR_OK ? checkpoint_write(path, &t->progress, &learned, err) : rc;
}

static void report(const struct trainer *t, unsigned rounds)
{
    const struct curve_point *c = &t->progress.curve[t->progress.rounds - 1];

    printf("[%3u/%u] %s ", t->progress.rounds, rounds, curve_parts[c->part]);
    if (c->part != 1)
        printf("%.1f bits", (double)c->loss);
    else
        printf("squared error %.6f, without %.6f", (double)c->loss, (double)c->before);
    printf(", %.0f s\n", (double)c->seconds);
    (void)fflush(stdout);
}

static int rounds(struct trainer *t, struct err *err)
{
    unsigned first = t->spec->estimate_rounds, second = first + t->spec->repair_rounds;
    unsigned all = second + t->spec->detail_rounds;
    int rc = ERR_OK;

    store(t);
    while (t->progress.rounds < all && rc == ERR_OK) {
        unsigned r = t->progress.rounds;
        struct curve_point *point = &t->progress.curve[r];
        struct prg *prg = NULL;
        double start = now();

        rc = generator(t, "preview round", r, &prg, err);
        if (rc == ERR_OK && r < first)
            rc = estimate_round(t, r, prg, point);
        else if (rc == ERR_OK && r < second)
            rc = repair_round(t, r - first, prg, point, err);
        else if (rc == ERR_OK)
            rc = detail_round(t, r - second, prg, point, err);
        prg_free(prg);
        if (rc != ERR_OK)
            break;
        point->seconds = (float)(now() - start);
        t->progress.rounds++;
        report(t, all);
        rc = write_files(t, err);
    }
    return rc;
}

/* Count the tables, twice: the second time the encoder has those of the first. */
static int tables(struct trainer *t, struct err *err)
{
    int rc = ERR_OK;

    for (unsigned n = 0; n < 2 && t->spec->table_pictures > 0 && rc == ERR_OK; n++) {
        struct data_draw draw = {.data = &t->data, .pictures = t->spec->table_pictures};
        float lost = 0;

        rc = generator(t, "preview tables", n, &draw.prg, err);
        if (rc == ERR_OK)
            rc = table_count(t->net, &draw, &lost, err);
        prg_free(draw.prg);
        if (rc == ERR_OK)
            printf("tables counted; squared error before %.6f\n", (double)lost);
        (void)fflush(stdout);
    }
    return rc == ERR_OK ? write_weights(t, err) : rc;
}

/* A drawn network that repairs, with the numbers of ${from} if there is one. */
static int make_repair(struct trainer *t, struct prg *prg, struct err *err)
{
    const struct conv_spec spec = preview_repair_spec(t->widths, BATCH, true);
    size_t len = preview_repair_len(t->widths);
    float *numbers = calloc(len, sizeof(float));
    int rc =
        numbers != NULL ? conv_new(&t->repair, &spec, err) : err_set(err, ERR_NOMEM, "training");

    if (rc != ERR_OK) {
        free(numbers);
        return rc;
    }
    conv_randomise(t->repair, prg);
    if (t->spec->from != NULL)
        widen(t->repair, t->widths, t->net);
    free(t->net->repair);
    t->net->repair = numbers;
    t->net->repair_len = len;
    memcpy(t->net->widths, t->widths, sizeof(t->net->widths));
    return ERR_OK;
}

static int set_up(struct trainer *t, struct err *err)
{
    struct prg *prg = NULL;
    int rc = generator(t, "preview start", 0, &prg, err);

    if (rc == ERR_OK)
        rc = estimate_new(&t->estimate, t->net, prg, err);
    if (rc == ERR_OK)
        rc = make_repair(t, prg, err);
    if (rc == ERR_OK)
        rc = detail_new(&t->detail, prg, err);
    prg_free(prg);
    return rc == ERR_OK ? batch_make(&t->batch, err) : rc;
}

/* What batches are drawn from. */
static int set_up_batch(struct trainer *t, struct err *err)
{
    struct data_draw draw = {.data = &t->data, .pictures = t->spec->uses};
    int rc;

    t->batch.data = &t->data;
    t->batch.latents = t->latents;
    t->batch.net = t->net;
    t->batch.costs = &t->costs;
    t->batch.steps = t->spec->steps;
    t->batch.lambda = t->spec->lambda;
    if (t->spec->uses == 0)
        return ERR_OK;
    t->batch.uses = &t->uses;
    rc = generator(t, "preview uses", 0, &draw.prg, err);
    if (rc == ERR_OK)
        rc = uses_measure(&t->uses, t->net, &draw, err);
    prg_free(draw.prg);
    return rc;
}

static int resume(struct trainer *t, struct err *err)
{
    const struct learned learned = {t->estimate, t->repair, t->detail};
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s.checkpoint", t->spec->out);
    if (!t->spec->resume || !fs_exists(path))
        return ERR_OK;
    return checkpoint_read(path, &t->progress, &learned, err);
}

/*
 * Let step sizes begin ${n} eighths of an octave lower, and all else as it was at each size.  The
 * layers that repair see another hint.
 */
static void finer_steps(struct preview_tables *t, unsigned n)
{
    float times = exp2f(-(float)n / 8);

    for (int i = 0; i < PREVIEW_STEPS; i++) {
        t->step[i] = (uint32_t)lrintf((float)t->step[i] * times);
        t->per_step[i] = (uint32_t)lrintf((float)t->per_step[i] / times);
    }
    for (int k = 0; k < PREVIEW_HIDDEN; k++)
        t->hidden[k] -= (int32_t)n * t->hidden_step[k];
    for (int l = 0; l < PREVIEW_LATENTS; l++)
        t->scale[l] += (int32_t)n << 20;
    for (int b = 0; b < PREVIEW_CODED; b++)
        for (int h = 0; h < PREVIEW_DETAIL_HIDDEN; h++)
            t->detail_bias[b][h] -= (int32_t)n * t->detail_in[b][PREVIEW_SEEN_STEP][h];
}

/* Those asked for, if the network to go on from is not wider. */
static int choose_widths(struct trainer *t, struct err *err)
{
    const uint16_t *asked = t->spec->widths, *have = t->net->widths;

    memcpy(t->widths, asked[0] != 0 ? asked : have, sizeof(t->widths));
    if (t->widths[0] >= have[0] && t->widths[1] >= have[1])
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "%s: its layers that repair are %u and %u wide; --widths cannot be less",
                   t->spec->from, have[0], have[1]);
}

/* An empty network, or the one to go on from. */
static int begin(struct trainer *t, struct err *err)
{
    struct buf file = {0};
    int rc = ERR_OK;

    memcpy(t->widths, preview_usual_widths, sizeof(t->widths));
    if (t->spec->from == NULL) {
        t->net = calloc(1, sizeof(*t->net));
        return t->net != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "training");
    }
    rc = fs_read(t->spec->from, PREVIEW_FILE_MAX, &file, err);
    if (rc == ERR_OK)
        rc = preview_file_decode(&t->net, file.data, file.len, err);
    if (rc == ERR_OK)
        rc = choose_widths(t, err);
    if (rc == ERR_OK)
        finer_steps(&t->net->tables, t->spec->finer);
    buf_free(&file);
    return rc;
}

int trainer_run(const struct trainer_spec *spec, struct err *err)
{
    struct trainer *t = calloc(1, sizeof(*t));
    struct prg *prg = NULL;
    int rc;

    if (t == NULL)
        return err_set(err, ERR_NOMEM, "training");
    t->spec = spec;
    rc = begin(t, err);
    if (rc == ERR_OK &&
        spec->estimate_rounds + spec->repair_rounds + spec->detail_rounds > CURVE_MAX)
        rc = err_set(err, ERR_INVALID, "more than %d rounds", CURVE_MAX);
    if (rc == ERR_OK)
        rc = generator(t, "preview data", 0, &prg, err);
    if (rc == ERR_OK)
        rc = data_read(&t->data, &spec->data, prg, err);
    if (rc == ERR_OK) {
        printf("%zu files, %zu held out, %zu left out; %zu squares; %s, %s\n", t->data.files,
               t->data.held_out, t->data.refused, t->data.n, nn_version(), nn_isa());
        rc = linear(t, err);
    }
    if (rc == ERR_OK)
        rc = set_up(t, err);
    if (rc == ERR_OK)
        rc = set_up_batch(t, err);
    if (rc == ERR_OK)
        rc = resume(t, err);
    if (rc == ERR_OK)
        rc = rounds(t, err);
    if (rc == ERR_OK)
        rc = tables(t, err);
    prg_free(prg);
    conv_free(t->repair);
    estimate_free(t->estimate);
    detail_free(t->detail);
    preview_net_free(t->net);
    data_free(&t->data);
    free(t->latents);
    batch_free(&t->batch);
    free(t);
    return rc;
}
