/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer by layer: round the weights to the whole range, so that each row's
 * largest is 63; see on the sample how large the sums get; shrink the rows so
 * that a shift brings the sums where they belong; round once more from the
 * floats.  The sums come from the integer code itself, so what is calibrated
 * is what will run.
 */
#include "models/keynet_quant.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/keynet.h"
#include "models/keynet_plain.h"

struct quant {
    struct keynet_params *p;
    const struct keynet_floats *f;
    const struct keynet_plain *code;
    size_t n;           /* inputs of the sample */
    double zero, scale; /* a byte q of the present layer's input means (q - zero) / scale */
    double *rows;       /* factor from float to integer weights, one a row */
    uint8_t *values;    /* n rows: inputs of the present layer */
    int32_t *sums;      /* n rows: its sums */
};

static bool finite_all(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

/* Nearest integer within +-${max}; NaN, which the callers exclude, would give 0. */
static int32_t nearest(double v, int32_t max)
{
    if (v >= max)
        return max;
    if (v <= -max)
        return -max;
    return isnan(v) ? 0 : (int32_t)lrint(v);
}

/* The largest factor with which no weight of the row leaves its range. */
static double widest(const float *row, unsigned k)
{
    float most = 0;

    for (unsigned i = 0; i < k; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    return most > 1e-20F ? (double)KEYNET_WEIGHT_MAX / (double)most : 0;
}

/* Weights from the present factors, then the sums of the whole sample. */
static void round_and_run(struct quant *q, unsigned layer)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    int8_t *to = q->p->weights + s->weights;

    for (unsigned j = 0; j < s->n; j++) {
        const float *row = q->f->weights[layer] + (size_t)j * s->k;

        for (unsigned i = 0; i < s->k; i++)
            to[(size_t)j * s->k + i] = (int8_t)nearest(row[i] * q->rows[j], KEYNET_WEIGHT_MAX);
    }
    for (size_t r = 0; r < q->n; r++)
        q->code->sums(to, s->k, s->n, q->values + r * KEYNET_WIDEST, q->sums + r * s->n);
}

/* The float bias, and the zero of the input bytes, which the sums don't know. */
static void hidden_biases(struct quant *q, unsigned layer)
{
    const struct keynet_shape *s = &keynet_shapes[layer];

    for (unsigned j = 0; j < s->n; j++) {
        const int8_t *row = q->p->weights + s->weights + (size_t)j * s->k;
        double all = 0;

        for (unsigned i = 0; i < s->k; i++)
            all += row[i];
        q->p->bias[s->bias + j] = nearest(
            q->f->biases[layer][j] * q->rows[j] * q->scale - q->zero * all, KEYNET_BIAS_MAX);
    }
}

static int compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* The sum with its bias that 1 in 1,000 exceeds; at least 1.  Leaves q->sums sorted. */
static double greatest_usual(struct quant *q, unsigned layer)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    size_t len = q->n * s->n;
    int32_t v;

    for (size_t r = 0; r < q->n; r++)
        for (unsigned j = 0; j < s->n; j++)
            q->sums[r * s->n + j] += q->p->bias[s->bias + j];
    qsort(q->sums, len, sizeof(q->sums[0]), compare);
    v = q->sums[len - 1 - len / 1000];
    return v > 1 ? v : 1;
}

/* The largest allowed shift that ${ratio} (>= 2^shift) allows. */
static uint8_t shift_for(double ratio)
{
    int shift = ratio >= 2 ? ilogb(ratio) : 1;

    return (uint8_t)(shift < KEYNET_SHIFT_MAX ? shift : KEYNET_SHIFT_MAX);
}

/* One factor for the whole layer, for the next one's weights rely on a common scale. */
static void hidden_layer(struct quant *q, unsigned layer)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    double factor = widest(q->f->weights[layer], s->n * s->k);
    double ratio, scale;

    for (unsigned j = 0; j < s->n; j++)
        q->rows[j] = factor;
    round_and_run(q, layer);
    hidden_biases(q, layer);
    ratio = greatest_usual(q, layer) / s->max;
    q->p->shift[layer] = shift_for(ratio);
    scale = ldexp(1, q->p->shift[layer]);
    for (unsigned j = 0; j < s->n; j++)
        q->rows[j] = factor * (ratio > scale ? scale / ratio : 1);
    round_and_run(q, layer);
    hidden_biases(q, layer);
    for (size_t r = 0; r < q->n; r++)
        q->code->finish(q->p, layer, q->sums + r * s->n, q->values + r * KEYNET_WIDEST);
    q->scale = q->rows[0] * q->scale / scale;
    q->zero = 0;
}

/* Mean of one output's sums, and their standard deviation. */
static double mean_of(const struct quant *q, unsigned n, unsigned j, double *ret_deviation)
{
    double sum = 0, squares = 0, mean;

    for (size_t r = 0; r < q->n; r++)
        sum += q->sums[r * n + j];
    mean = sum / (double)q->n;
    for (size_t r = 0; r < q->n; r++)
        squares += (q->sums[r * n + j] - mean) * (q->sums[r * n + j] - mean);
    *ret_deviation = sqrt(squares / (double)q->n);
    return mean;
}

/* Each byte gets a factor and a bias of its own: centred, and spread over the range. */
static void output_layer(struct quant *q, unsigned layer)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    const double spread = KEYNET_SPREAD;
    double least = ldexp(spread, KEYNET_SHIFT_MAX);
    double deviation, scale;

    for (unsigned j = 0; j < s->n; j++)
        q->rows[j] = widest(q->f->weights[layer] + (size_t)j * s->k, s->k);
    round_and_run(q, layer);
    for (unsigned j = 0; j < s->n; j++) {
        (void)mean_of(q, s->n, j, &deviation);
        least = deviation > 0 && deviation < least ? deviation : least;
    }
    q->p->shift[layer] = shift_for(least / spread);
    scale = ldexp(1, q->p->shift[layer]);
    for (unsigned j = 0; j < s->n; j++) {
        (void)mean_of(q, s->n, j, &deviation);
        q->rows[j] *= deviation > 0 ? spread * scale / deviation : 0;
    }
    round_and_run(q, layer);
    for (unsigned j = 0; j < s->n; j++)
        q->p->bias[s->bias + j] =
            nearest(127.5 * scale - mean_of(q, s->n, j, &deviation), KEYNET_BIAS_MAX);
}

int keynet_quantise(struct keynet_params *ret_p, const struct keynet_floats *f,
                    const uint8_t *sample, size_t n, struct err *err)
{
    struct quant q = {.p = ret_p, .f = f, .n = n, .zero = f->zero, .scale = f->scale};
    int rc = ERR_OK;

    for (int l = 0; l < KEYNET_LAYERS; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];

        if (!finite_all(f->weights[l], (size_t)s->k * s->n) || !finite_all(f->biases[l], s->n))
            return err_set(err, ERR_INVALID, "the trained network is not finite");
    }
    if (n == 0)
        return err_set(err, ERR_INVALID, "nothing to calibrate with");
    q.code = keynet_plain_pick(false);
    q.rows = calloc(KEYNET_OUT, sizeof(*q.rows));
    q.values = calloc(n, KEYNET_WIDEST);
    q.sums = calloc(n, KEYNET_OUT * sizeof(*q.sums));
    if (q.rows == NULL || q.values == NULL || q.sums == NULL) {
        rc = err_set(err, ERR_NOMEM, "calibration");
        goto done;
    }
    for (size_t r = 0; r < n; r++)
        memcpy(q.values + r * KEYNET_WIDEST, sample + r * KEYNET_IN, KEYNET_IN);
    hidden_layer(&q, 0);
    hidden_layer(&q, 1);
    output_layer(&q, 2);
done:
    free(q.rows);
    free(q.values);
    free(q.sums);
    return rc;
}
