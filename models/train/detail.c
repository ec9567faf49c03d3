/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution of a detail is logistic around 0; its spread is what the
 * network of its band says of the sizes around it.
 */
#include "models/train/detail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/hot.h"
#include "models/nn.h"
#include "models/preview_detail.h"
#include "models/train/logistic.h"

enum { B = PREVIEW_CODED, H = PREVIEW_DETAIL_HIDDEN, IN = PREVIEW_SEEN };

struct numbers {
    float in[B][IN][H], bias[B][H], out[B][H], out_bias[B];
};

struct detail {
    struct numbers *value, *grad, *first, *second;
    unsigned steps, pictures;
    struct preview_survey survey;
};

int detail_new(struct detail **ret_d, struct prg *prg, struct err *err)
{
    struct detail *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return err_set(err, ERR_NOMEM, "networks of details");
    d->value = nn_alloc(sizeof(struct numbers));
    d->grad = nn_alloc(sizeof(struct numbers));
    d->first = nn_alloc(sizeof(struct numbers));
    d->second = nn_alloc(sizeof(struct numbers));
    if (d->value == NULL || d->grad == NULL || d->first == NULL || d->second == NULL) {
        detail_free(d);
        return err_set(err, ERR_NOMEM, "networks of details");
    }
    for (int b = 0; b < B; b++) {
        for (int h = 0; h < H; h++) {
            for (int i = 0; i < IN; i++)
                d->value->in[b][i][h] = prg_between(prg, -0.2F, 0.2F);
            d->value->bias[b][h] = prg_between(prg, 0, 0.5F);
            d->value->out[b][h] = prg_between(prg, -0.2F, 0.2F);
        }
        d->value->out_bias[b] = -1;
    }
    *ret_d = d;
    return ERR_OK;
}

void detail_free(struct detail *d)
{
    if (d == NULL)
        return;
    free(d->value);
    free(d->grad);
    free(d->first);
    free(d->second);
    free(d);
}

struct estimate_state detail_state(struct detail *d)
{
    return (struct estimate_state){.value = &d->value->in[0][0][0],
                                   .grad = &d->grad->in[0][0][0],
                                   .mean = &d->first->in[0][0][0],
                                   .square = &d->second->in[0][0][0],
                                   .len = sizeof(struct numbers) / sizeof(float),
                                   .steps = &d->steps};
}

/* The logarithm of the spread, in steps; ${after}: the hidden neurons, from 0 to 8. */
HOT_WIDE static float output(const struct numbers *v, unsigned b, const float *restrict in,
                             float *restrict after)
{
    float sum = v->out_bias[b];

    memcpy(after, v->bias[b], sizeof(v->bias[b]));
    for (int i = 0; i < IN; i++)
        for (int h = 0; h < H; h++)
            after[h] += in[i] * v->in[b][i][h];
    for (int h = 0; h < H; h++) {
        after[h] = after[h] < 0 ? 0 : after[h] > 8 ? 8 : after[h];
        sum += after[h] * v->out[b][h];
    }
    return sum;
}

HOT_WIDE static void back(const struct numbers *restrict v, struct numbers *restrict g, unsigned b,
                          const float *restrict in, const float *restrict after, float delta)
{
    float d[H];

    g->out_bias[b] += delta;
    for (int h = 0; h < H; h++) {
        d[h] = after[h] > 0 && after[h] < 8 ? delta * v->out[b][h] : 0;
        g->out[b][h] += delta * after[h];
        g->bias[b][h] += d[h];
    }
    for (int i = 0; i < IN; i++)
        for (int h = 0; h < H; h++)
            g->in[b][i][h] += d[h] * in[i];
}

/* One place: choose its symbol, add the gradient; returns the natural logarithm of its share. */
static float learn_place(struct detail *d, struct preview_place p, float x, float lambda)
{
    int16_t seen[IN];
    float in[IN], after[H], spread, q, by_mean, by_spread, logarithm;

    preview_survey_inputs(&d->survey, p, seen);
    for (int i = 0; i < IN; i++)
        in[i] = (float)seen[i] / 8;
    spread = expf(output(d->value, p.band, in, after));
    spread = fminf(fmaxf(spread, 0.05F), 1000);
    q = logistic_choose(x, 0, spread, lambda);
    logarithm = logistic_derive(q, 0, spread, &by_mean, &by_spread);
    back(d->value, d->grad, p.band, in, after, fminf(fmaxf(-by_spread, -4), 4));
    preview_survey_tell(&d->survey, p, (int32_t)fminf(fmaxf(q, -1000), 1000));
    return logarithm;
}

double detail_learn(struct detail *d, const float *details, const struct detail_at *at)
{
    double sum = 0;

    preview_survey_start(&d->survey, NULL, at->step, at->depth);
    for (unsigned band = 0; band < B; band++) {
        const struct preview_band *b = &preview_bands()[band];

        for (struct preview_place p = {.band = band}; p.y < b->side; p.y++)
            for (p.x = 0; p.x < b->side; p.x++)
                sum -= (double)learn_place(d, p, details[b->first + p.y * b->side + p.x] / at->size,
                                           at->lambda);
    }
    d->pictures++;
    return sum / (double)logf(2);
}

void detail_adam(struct detail *d, float rate)
{
    struct estimate_state s = detail_state(d);

    estimate_adam_step(&s, rate, d->pictures);
    d->pictures = 0;
}

static int16_t weight(float v, float scale)
{
    float r = rintf(v * scale);

    return (int16_t)(r > 32767 ? 32767 : r < -32767 ? -32767 : r);
}

static int32_t limited(float v, float most)
{
    return (int32_t)lrintf(fminf(fmaxf(v, -most), most));
}

void detail_store(const struct detail *d, struct preview_net *net)
{
    static const float eighths = 11.541560F; /* of an octave, in a natural logarithm */
    struct preview_tables *t = &net->tables;
    const struct numbers *v = d->value;

    for (int b = 0; b < B; b++) {
        for (int h = 0; h < H; h++) {
            for (int i = 0; i < IN; i++)
                t->detail_in[b][i][h] = weight(v->in[b][i][h], 512);
            t->detail_bias[b][h] = limited(v->bias[b][h] * 4096, 1 << 24);
            t->detail_out[b][h] = weight(v->out[b][h] * eighths, 256);
        }
        t->detail_out_bias[b] =
            limited(v->out_bias[b] * eighths * 1048576 + 524288, (float)(1 << 30));
    }
    net->detailed = true;
}
