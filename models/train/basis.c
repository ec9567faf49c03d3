/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mirrored picture has the same even features and the negated odd ones, so
 * even and odd features are not correlated and each half has its own
 * components, found by orthogonal iteration on the covariance.
 */
#include "models/train/basis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/hot.h"
#include "models/nn.h"

enum {
    D = PREVIEW_HALF,
    PER_HALF = 592, /* components looked for in each half */
    ROUNDS = 50,
    CHUNK = 1024, /* pictures whose products are added in one go */
};

/* Towards the diagonal: components of few pictures fit others better (Ledoit and Wolf). */
static const float kept_covariance = 0.9F;

struct work {
    struct nn *nn;
    const float (*features)[PREVIEW_FEATURES]; /* n of them */
    size_t n;
    float *x, *part, *cov; /* CHUNK x D, D x D, D x D */
    float *q, *next;       /* PER_HALF x D, a component a row */
    float variance[2][PER_HALF];
    float *components[2];
};

static int product(struct nn *nn, const struct nn_matmul *spec, void *const args[NN_ARGS],
                   struct err *err)
{
    struct nn_op *op = NULL;
    struct nn_ctx *ctx = NULL;
    struct nn_task *task = NULL;
    int rc = nn_matmul_new(&op, nn, spec, err);

    if (rc == ERR_OK)
        rc = nn_ctx_new(&ctx, nn, nn_op_scratch(op), err);
    if (rc == ERR_OK)
        rc = nn_task_new(&task, op, ctx, args, err);
    if (rc == ERR_OK)
        rc = nn_task_run(task, err);
    nn_task_free(task);
    nn_ctx_free(ctx);
    nn_op_free(op);
    return rc;
}

static void means(struct preview_net *net, const float (*features)[PREVIEW_FEATURES], size_t n)
{
    for (size_t f = 0; f < PREVIEW_FEATURES; f++) {
        double sum = 0;

        for (size_t i = 0; i < n && f < D; i++)
            sum += (double)features[i][f];
        net->offset[f] = (float)(sum / (double)n);
    }
}

/* The covariance of one half, in ${w}->cov. */
static int covariance(struct work *w, const struct preview_net *net, size_t half, struct err *err)
{
    static const struct nn_matmul spec = {.m = D,
                                          .k = CHUNK,
                                          .n = D,
                                          .src = NN_F32,
                                          .weights = NN_F32,
                                          .dst = NN_F32,
                                          .src_transposed = true};
    const float(*features)[PREVIEW_FEATURES] = w->features;
    void *const args[NN_ARGS] = {w->x, w->x, w->part};
    size_t n = w->n;
    int rc = ERR_OK;

    memset(w->cov, 0, (size_t)D * D * sizeof(float));
    for (size_t first = 0; first < n && rc == ERR_OK; first += CHUNK) {
        for (size_t i = 0; i < CHUNK; i++)
            for (size_t f = 0; f < D; f++)
                w->x[i * D + f] =
                    first + i < n ? features[first + i][half * D + f] - net->offset[half * D + f]
                                  : 0;
        rc = product(w->nn, &spec, args, err);
        for (size_t i = 0; i < (size_t)D * D; i++)
            w->cov[i] += w->part[i] / (float)n;
    }
    for (size_t i = 0; i < (size_t)D * D; i++)
        w->cov[i] *= i % (D + 1) == 0 ? 1 : kept_covariance;
    return rc;
}

HOT_WIDE static float dot(const float *restrict a, const float *restrict b)
{
    float sum[16] = {0}, all = 0;

    for (size_t i = 0; i < D; i += 16)
        for (size_t j = 0; j < 16; j++)
            sum[j] += a[i + j] * b[i + j];
    for (size_t j = 0; j < 16; j++)
        all += sum[j];
    return all;
}

HOT_WIDE static void subtract(float *restrict a, const float *restrict b, float times)
{
    for (size_t i = 0; i < D; i++)
        a[i] -= times * b[i];
}

/* Make the rows of ${q} orthonormal; their lengths before that go to ${lengths}. */
static void orthonormalise(float *q, float *lengths)
{
    for (size_t i = 0; i < PER_HALF; i++) {
        float *row = q + i * D, len;

        for (size_t j = 0; j < i; j++)
            subtract(row, q + j * D, dot(row, q + j * D));
        len = sqrtf(dot(row, row));
        lengths[i] = len;
        for (size_t f = 0; f < D; f++)
            row[f] = len > 1e-12F ? row[f] / len : 0;
    }
}

static int components(struct work *w, size_t half, struct prg *prg, struct err *err)
{
    static const struct nn_matmul spec = {
        .m = PER_HALF, .k = D, .n = D, .src = NN_F32, .weights = NN_F32, .dst = NN_F32};
    int rc = ERR_OK;

    for (size_t i = 0; i < (size_t)PER_HALF * D; i++)
        w->q[i] = prg_between(prg, -1, 1);
    orthonormalise(w->q, w->variance[half]);
    for (int r = 0; r < ROUNDS && rc == ERR_OK; r++) {
        void *const args[NN_ARGS] = {w->q, w->cov, w->next};
        float *old = w->q;

        rc = product(w->nn, &spec, args, err);
        w->q = w->next;
        w->next = old;
        orthonormalise(w->q, w->variance[half]);
    }
    memcpy(w->components[half], w->q, (size_t)PER_HALF * D * sizeof(float));
    return rc;
}

/* Store a component as integers of a unit of its own. */
static void store(struct preview_net *net, size_t latent, const float *row)
{
    float most = 1e-9F;

    for (size_t f = 0; f < D; f++)
        most = fabsf(row[f]) > most ? fabsf(row[f]) : most;
    net->unit[latent] = most / (latent < PREVIEW_FINE ? 32767.0F : 127.0F);
    for (size_t f = 0; f < D; f++)
        net->row[latent][f] = (int16_t)lrintf(row[f] / net->unit[latent]);
}

/* The components of both halves, by falling variance. */
static void merge(struct preview_net *net, const struct work *w)
{
    size_t at[2] = {0, 0};

    for (size_t l = 0; l < PREVIEW_LATENTS; l++) {
        size_t half = at[0] < PER_HALF &&
                              (at[1] == PER_HALF || w->variance[0][at[0]] >= w->variance[1][at[1]])
                          ? 0
                          : 1;
        float spread = sqrtf(w->variance[half][at[half]]);

        net->odd[l] = (uint8_t)half;
        net->tables.spread[l] = (uint32_t)fmaxf(spread * 1024, 8);
        store(net, l, w->components[half] + at[half]++ * D);
    }
}

int basis_make(struct preview_net *net, const float (*features)[PREVIEW_FEATURES], size_t n,
               struct err *err)
{
    struct work *w = calloc(1, sizeof(*w));
    struct prg *prg = NULL;
    int rc = w != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "components");

    if (rc != ERR_OK)
        return rc;
    w->features = features;
    w->n = n;
    w->x = nn_alloc((size_t)CHUNK * D * sizeof(float));
    w->part = nn_alloc((size_t)D * D * sizeof(float));
    w->cov = nn_alloc((size_t)D * D * sizeof(float));
    w->q = nn_alloc((size_t)PER_HALF * D * sizeof(float));
    w->next = nn_alloc((size_t)PER_HALF * D * sizeof(float));
    for (int half = 0; half < 2; half++)
        w->components[half] = nn_alloc((size_t)PER_HALF * D * sizeof(float));
    if (w->x == NULL || w->part == NULL || w->cov == NULL || w->q == NULL || w->next == NULL ||
        w->components[0] == NULL || w->components[1] == NULL)
        rc = err_set(err, ERR_NOMEM, "components");
    if (rc == ERR_OK)
        rc = nn_open(&w->nn, err);
    if (rc == ERR_OK)
        rc = prg_new(&prg, "preview basis", part(NULL, 0), 0, err);
    if (rc == ERR_OK)
        means(net, features, n);
    for (size_t half = 0; half < 2 && rc == ERR_OK; half++) {
        rc = covariance(w, net, half, err);
        if (rc == ERR_OK)
            rc = components(w, half, prg, err);
    }
    if (rc == ERR_OK)
        merge(net, w);
    prg_free(prg);
    nn_close(w->nn);
    free(w->x);
    free(w->part);
    free(w->cov);
    free(w->q);
    free(w->next);
    free(w->components[0]);
    free(w->components[1]);
    free(w);
    return rc;
}
