/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution of a latent is logistic.  The estimator's hidden neurons
 * are shared by all latents: each told symbol adds its row.
 */
#include "models/train/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/hot.h"
#include "models/nn.h"
#include "models/train/logistic.h"

enum { N = PREVIEW_LATENTS, H = PREVIEW_HIDDEN };

static const float smallest_step = 0.125F;

/* All numbers in one block, so that Adam is one loop. */
struct numbers {
    float in_value[N][H], in_size[N][H];
    float out_scale[N][H], out_mean[N][H];
    float hidden[H], hidden_step[H];
    float scale[N], mean[N];
};

struct estimate {
    struct numbers *value, *grad, *first, *second;
    unsigned steps, pictures;
    float spread[N];
    float after[N][H];             /* hidden neurons as each latent sees them, after ReLU */
    float told[N];                 /* latents as told, in spreads */
    float to_scale[N], to_mean[N]; /* the loss by each output */
};

int estimate_new(struct estimate **ret_e, const struct preview_net *net, struct prg *prg,
                 struct err *err)
{
    struct estimate *e = calloc(1, sizeof(*e));
    float *v;

    if (e == NULL)
        return err_set(err, ERR_NOMEM, "estimator");
    e->value = nn_alloc(sizeof(struct numbers));
    e->grad = nn_alloc(sizeof(struct numbers));
    e->first = nn_alloc(sizeof(struct numbers));
    e->second = nn_alloc(sizeof(struct numbers));
    if (e->value == NULL || e->grad == NULL || e->first == NULL || e->second == NULL) {
        estimate_free(e);
        return err_set(err, ERR_NOMEM, "estimator");
    }
    v = &e->value->in_value[0][0];
    for (size_t i = 0; i < 2 * (size_t)N * H; i++)
        v[i] = prg_between(prg, -0.05F, 0.05F);
    for (int k = 0; k < H; k++) {
        e->value->hidden[k] = prg_between(prg, -0.2F, 0.6F);
        e->value->hidden_step[k] = prg_between(prg, -0.3F, 0.3F);
    }
    for (int j = 0; j < N; j++) {
        e->spread[j] = (float)net->tables.spread[j] / 1024;
        e->value->scale[j] = logf(e->spread[j] * 0.5F);
    }
    *ret_e = e;
    return ERR_OK;
}

void estimate_free(struct estimate *e)
{
    if (e == NULL)
        return;
    free(e->value);
    free(e->grad);
    free(e->first);
    free(e->second);
    free(e);
}

struct estimate_state estimate_state(struct estimate *e)
{
    return (struct estimate_state){.value = &e->value->in_value[0][0],
                                   .grad = &e->grad->in_value[0][0],
                                   .mean = &e->first->in_value[0][0],
                                   .square = &e->second->in_value[0][0],
                                   .len = sizeof(struct numbers) / sizeof(float),
                                   .steps = &e->steps};
}

HOT_WIDE static void outputs(const struct estimate *e, int j, const float *restrict hidden,
                             float ret[2])
{
    const float *restrict s = e->value->out_scale[j], *restrict m = e->value->out_mean[j];
    float sum[2][16] = {{0}};

    for (int k = 0; k < H; k += 16)
        for (int i = 0; i < 16; i++) {
            sum[0][i] += hidden[k + i] * s[k + i];
            sum[1][i] += hidden[k + i] * m[k + i];
        }
    ret[0] = e->value->scale[j];
    ret[1] = e->value->mean[j];
    for (int i = 0; i < 16; i++) {
        ret[0] += sum[0][i];
        ret[1] += sum[1][i];
    }
}

HOT_WIDE static void tell(const struct estimate *e, int j, float *restrict hidden)
{
    const float *restrict v = e->value->in_value[j], *restrict s = e->value->in_size[j];
    float a = e->told[j], b = fabsf(a);

    for (int k = 0; k < H; k++)
        hidden[k] += a * v[k] + b * s[k];
}

HOT_WIDE static void rectify(float *restrict after, const float *restrict hidden)
{
    for (int k = 0; k < H; k++) {
        float h = hidden[k] < 32 ? hidden[k] : 32;

        after[k] = h > 0 ? h : 0;
    }
}

static double forward(struct estimate *e, const float *latents, unsigned step, float lambda)
{
    float size = smallest_step * exp2f((float)step / 8), hidden[H];
    double bits = 0;

    for (int k = 0; k < H; k++)
        hidden[k] = e->value->hidden[k] + e->value->hidden_step[k] * (float)step / 64;
    for (int j = 0; j < N; j++) {
        float out[2], mean, spread, q, by_mean, by_spread;

        rectify(e->after[j], hidden);
        outputs(e, j, e->after[j], out);
        mean = out[1] * e->spread[j] / size;
        spread = expf(out[0]) / size;
        spread = spread > 0.05F ? spread : 0.05F;
        q = logistic_choose(latents[j] / size, mean, spread, lambda);
        bits -= (double)logistic_derive(q, mean, spread, &by_mean, &by_spread);
        e->to_scale[j] = -by_spread;
        e->to_mean[j] = -by_mean * e->spread[j] / size;
        e->told[j] = fminf(fmaxf(q * size / e->spread[j], -8), 8);
        if (q != 0)
            tell(e, j, hidden);
    }
    return bits / (double)logf(2);
}

/* Back through latent ${j}: its outputs, then the row that its symbol added. */
HOT_WIDE static void back(struct estimate *e, int j, float *restrict delta)
{
    const struct numbers *v = e->value;
    struct numbers *g = e->grad;
    float a = e->told[j], b = fabsf(a), ds = e->to_scale[j], dm = e->to_mean[j];

    if (a != 0)
        for (int k = 0; k < H; k++) {
            g->in_value[j][k] += a * delta[k];
            g->in_size[j][k] += b * delta[k];
        }
    g->scale[j] += ds;
    g->mean[j] += dm;
    for (int k = 0; k < H; k++) {
        float h = e->after[j][k];

        g->out_scale[j][k] += ds * h;
        g->out_mean[j][k] += dm * h;
        delta[k] += h > 0 ? ds * v->out_scale[j][k] + dm * v->out_mean[j][k] : 0;
    }
}

double estimate_learn(struct estimate *e, const float *latents, unsigned step, float lambda)
{
    double bits = forward(e, latents, step, lambda);
    float delta[H] = {0};

    for (int j = N - 1; j >= 0; j--) {
        e->to_scale[j] = fminf(fmaxf(e->to_scale[j], -4), 4);
        e->to_mean[j] = fminf(fmaxf(e->to_mean[j], -4), 4);
        back(e, j, delta);
    }
    for (int k = 0; k < H; k++) {
        e->grad->hidden[k] += delta[k];
        e->grad->hidden_step[k] += delta[k] * (float)step / 64;
    }
    e->pictures++;
    return bits;
}

HOT_WIDE static void adam(const struct estimate_state *s, float rate, float square_scale,
                          float share_of)
{
    float *restrict value = s->value, *restrict mean = s->mean, *restrict square = s->square;
    float *restrict grad = s->grad;

    for (size_t i = 0; i < s->len; i++) {
        float g = grad[i] * share_of;

        grad[i] = 0;
        mean[i] += 0.1F * (g - mean[i]);
        square[i] += 0.001F * (g * g - square[i]);
        value[i] -= rate * mean[i] / (sqrtf(square[i] * square_scale) + 1e-8F);
    }
}

void estimate_adam_step(const struct estimate_state *s, float rate, unsigned pictures)
{
    double t = ++*s->steps;

    adam(s, rate * (float)(1 / (1 - pow(0.9, t))), (float)(1 / (1 - pow(0.999, t))),
         1 / (float)(pictures > 0 ? pictures : 1));
}

void estimate_adam(struct estimate *e, float rate)
{
    struct estimate_state s = estimate_state(e);

    estimate_adam_step(&s, rate, e->pictures);
    e->pictures = 0;
}

static int16_t weight(float v, float scale)
{
    float r = rintf(v * scale);

    return (int16_t)(r > 32767 ? 32767 : r < -32767 ? -32767 : r);
}

/* Probabilities of a table as counts, none of them 0, and the means of the symbols' parts. */
static void store_table(struct preview_tables *t, int scale, int shift)
{
    float spread = exp2f(((float)(2 * scale) + 0.5F - 32) / 8);
    int eighths = shift - PREVIEW_SHIFTS / 2;
    float mean = (float)eighths / 8;
    uint16_t *count = t->count[scale][shift];
    int most = 0, sum = 0;

    for (int i = 0; i < PREVIEW_SYMBOLS; i++) {
        float q = (float)(i - PREVIEW_REACH - 1), p;

        if (i == 0)
            p = logistic((q + 0.5F - mean) / spread);
        else if (i == PREVIEW_SYMBOLS - 1)
            p = logistic(-(q - 0.5F - mean) / spread);
        else
            p = logistic_share(q, mean, spread);
        count[i] = (uint16_t)fmaxf(floorf(p * 65000), 1);
        sum += count[i];
        most = count[i] > count[most] ? i : most;
    }
    count[most] = (uint16_t)(count[most] + 65536 - sum);
}

/* Where in its symbol's unit the mean of what rounds to it lies: by summing small parts. */
static void store_centres(struct preview_tables *t, int scale, int shift)
{
    float spread = exp2f(((float)(2 * scale) + 0.5F - 32) / 8);
    int eighths = shift - PREVIEW_SHIFTS / 2;
    float mean = (float)eighths / 8;

    for (int i = 0; i < PREVIEW_SYMBOLS; i++) {
        float q = (float)(i - PREVIEW_REACH - 1), sum = 0, all = 1e-20F;

        for (int part = -32; part < 32; part++) {
            float x = q + ((float)part + 0.5F) / 64, e = expf(-fabsf(x - mean) / spread);
            float density = e / ((1 + e) * (1 + e));

            sum += density * (x - q);
            all += density;
        }
        t->centre[scale][shift][i] = (int16_t)lrintf(1024 * sum / all);
    }
}

void estimate_store(const struct estimate *e, struct preview_net *net)
{
    static const float eighths = 11.541560F; /* of an octave, in a natural logarithm */
    struct preview_tables *t = &net->tables;
    const struct numbers *v = e->value;

    for (int i = 0; i < PREVIEW_STEPS; i++) {
        t->step[i] = (uint32_t)lrintf(4096 * smallest_step * exp2f((float)i / 8));
        t->per_step[i] = (uint32_t)lrintf(65536 / smallest_step / exp2f((float)i / 8));
    }
    for (int k = 0; k < H; k++) {
        t->hidden[k] = (int32_t)lrintf(v->hidden[k] * 131072);
        t->hidden_step[k] = (int32_t)lrintf(v->hidden_step[k] * 131072 / 64);
    }
    for (int j = 0; j < N; j++) {
        t->per_spread[j] = (uint32_t)lrintf(4096 / e->spread[j]);
        t->scale[j] =
            (int32_t)lrintf((v->scale[j] - logf(smallest_step)) * eighths * 1048576 + 524288);
        t->mean[j] = (int32_t)lrintf(v->mean[j] * 1048576);
        for (int k = 0; k < H; k++) {
            t->in_value[j][k] = weight(v->in_value[j][k], 1024);
            t->in_size[j][k] = weight(v->in_size[j][k], 1024);
            t->out_scale[j][k] = weight(v->out_scale[j][k] * eighths, 1024);
            t->out_mean[j][k] = weight(v->out_mean[j][k], 1024);
        }
    }
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++) {
            store_table(t, s, m);
            store_centres(t, s, m);
        }
}
