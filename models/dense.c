/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dense layer needs three products: forward y = x W', backward to the data
 * dx = dy W, backward to the weights dW = dy' x.  The first layer has no
 * second one.  Everything else is loops over arrays, compiled with -O3.
 */
#include "models/dense.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/hot.h"
#include "models/nn.h"

enum { FORWARD, TO_DATA, TO_WEIGHTS, PRODUCTS };

/* Values with their gradients and the state of Adam. */
struct param {
    size_t len;
    float *value, *grad, *mean, *square;
};

struct layer {
    size_t k, n;
    struct param weights, biases;
    struct nn_op *op[PRODUCTS];
    struct nn_task *task[PRODUCTS];
};

struct dense {
    struct dense_spec spec;
    unsigned steps; /* of Adam */
    float kept;     /* what kept values were multiplied with in the last forward pass */
    struct nn *nn;
    struct nn_ctx *ctx;
    struct layer layers[DENSE_LAYERS_MAX];
    float *values[DENSE_LAYERS_MAX + 1]; /* inputs of each layer, then the outputs */
    float *deltas[DENSE_LAYERS_MAX + 1]; /* the loss by each of them */
};

static void free_param(struct param *p)
{
    free(p->value);
    free(p->grad);
    free(p->mean);
    free(p->square);
}

static bool new_param(struct param *p, size_t len)
{
    size_t bytes = len * sizeof(float);

    p->len = len;
    p->value = nn_alloc(bytes);
    p->grad = nn_alloc(bytes);
    p->mean = nn_alloc(bytes);
    p->square = nn_alloc(bytes);
    return p->value != NULL && p->grad != NULL && p->mean != NULL && p->square != NULL;
}

/* The three products of a layer, as matrices that lie row by row in memory. */
static struct nn_matmul product(const struct dense *net, const struct layer *l, int which)
{
    size_t b = net->spec.batch;
    struct nn_matmul spec = {.src = NN_F32, .weights = NN_F32, .dst = NN_F32};

    spec.m = which == TO_WEIGHTS ? l->n : b;
    spec.k = which == FORWARD ? l->k : which == TO_DATA ? l->n : b;
    spec.n = which == FORWARD ? l->n : l->k;
    spec.src_transposed = which == TO_WEIGHTS;
    spec.weights_transposed = which == FORWARD;
    return spec;
}

static int new_layer(struct dense *net, size_t i, size_t *scratch, struct err *err)
{
    struct layer *l = &net->layers[i];
    int rc = ERR_OK;

    l->k = net->spec.widths[i];
    l->n = net->spec.widths[i + 1];
    if (!new_param(&l->weights, l->k * l->n) || !new_param(&l->biases, l->n))
        return err_set(err, ERR_NOMEM, "network of %zu layers", net->spec.layers);
    for (int p = 0; p < PRODUCTS && rc == ERR_OK; p++) {
        struct nn_matmul spec = product(net, l, p);

        if (p == TO_DATA && i == 0)
            continue;
        rc = nn_matmul_new(&l->op[p], net->nn, &spec, err);
        if (rc == ERR_OK && nn_op_scratch(l->op[p]) > *scratch)
            *scratch = nn_op_scratch(l->op[p]);
    }
    return rc;
}

static int bind_layer(struct dense *net, size_t i, struct err *err)
{
    struct layer *l = &net->layers[i];
    float *x = net->values[i], *y = net->values[i + 1];
    float *dx = net->deltas[i], *dy = net->deltas[i + 1];
    void *const args[PRODUCTS][NN_ARGS] = {
        [FORWARD] = {x, l->weights.value, y},
        [TO_DATA] = {dy, l->weights.value, dx},
        [TO_WEIGHTS] = {dy, x, l->weights.grad},
    };
    int rc = ERR_OK;

    for (int p = 0; p < PRODUCTS && rc == ERR_OK; p++)
        if (l->op[p] != NULL)
            rc = nn_task_new(&l->task[p], l->op[p], net->ctx, args[p], err);
    return rc;
}

static bool valid(const struct dense_spec *spec)
{
    if (spec->layers < 1 || spec->layers > DENSE_LAYERS_MAX || spec->batch < 1)
        return false;
    for (size_t i = 0; i <= spec->layers; i++)
        if (spec->widths[i] < 1 || spec->widths[i] > 65536)
            return false;
    return spec->batch <= 65536 && spec->dropout >= 0 && spec->dropout < 1;
}

int dense_new(struct dense **ret_net, const struct dense_spec *spec, struct err *err)
{
    struct dense *net = NULL;
    size_t scratch = 0;
    int rc;

    if (!valid(spec))
        return err_set(err, ERR_INVALID, "network of impossible shape");
    net = calloc(1, sizeof(*net));
    if (net == NULL)
        return err_set(err, ERR_NOMEM, "network");
    net->spec = *spec;
    rc = nn_open(&net->nn, err);
    for (size_t i = 0; i <= spec->layers && rc == ERR_OK; i++) {
        net->values[i] = nn_alloc(spec->batch * spec->widths[i] * sizeof(float));
        net->deltas[i] = nn_alloc(spec->batch * spec->widths[i] * sizeof(float));
        if (net->values[i] == NULL || net->deltas[i] == NULL)
            rc = err_set(err, ERR_NOMEM, "network of %zu layers", spec->layers);
    }
    for (size_t i = 0; i < spec->layers && rc == ERR_OK; i++)
        rc = new_layer(net, i, &scratch, err);
    if (rc == ERR_OK)
        rc = nn_ctx_new(&net->ctx, net->nn, scratch, err);
    for (size_t i = 0; i < spec->layers && rc == ERR_OK; i++)
        rc = bind_layer(net, i, err);
    if (rc != ERR_OK) {
        dense_free(net);
        return rc;
    }
    *ret_net = net;
    return ERR_OK;
}

void dense_free(struct dense *net)
{
    if (net == NULL)
        return;
    for (size_t i = 0; i < net->spec.layers; i++) {
        for (int p = 0; p < PRODUCTS; p++) {
            nn_task_free(net->layers[i].task[p]);
            nn_op_free(net->layers[i].op[p]);
        }
        free_param(&net->layers[i].weights);
        free_param(&net->layers[i].biases);
    }
    for (size_t i = 0; i <= net->spec.layers; i++) {
        free(net->values[i]);
        free(net->deltas[i]);
    }
    nn_ctx_free(net->ctx);
    nn_close(net->nn);
    free(net);
}

void dense_randomise(struct dense *net, struct prg *prg)
{
    for (size_t i = 0; i < net->spec.layers; i++) {
        struct layer *l = &net->layers[i];
        bool last = i + 1 == net->spec.layers;
        float limit = sqrtf((last ? 0.5F : 6.0F) / (float)l->k); /* variance limit^2 / 3 */

        for (size_t j = 0; j < l->weights.len; j++)
            l->weights.value[j] = prg_between(prg, -limit, limit);
        memset(l->biases.value, 0, l->biases.len * sizeof(float));
    }
}

struct dense_layer dense_layer(struct dense *net, size_t layer)
{
    struct layer *l = &net->layers[layer];

    return (struct dense_layer){
        .k = l->k,
        .n = l->n,
        .weights = l->weights.value,
        .biases = l->biases.value,
        .weight_grads = l->weights.grad,
        .bias_grads = l->biases.grad,
    };
}

float *dense_input(struct dense *net)
{
    return net->values[0];
}

static void add_biases(const struct dense *net, const struct layer *l, float *y, bool relu)
{
    for (size_t r = 0; r < net->spec.batch; r++) {
        float *row = y + r * l->n;

        for (size_t j = 0; j < l->n; j++) {
            float v = row[j] + l->biases.value[j];

            row[j] = relu && v < 0 ? 0 : v;
        }
    }
}

/* Zero a share of the values and scale the others up, so that their mean stays. */
static void drop(struct dense *net, struct prg *prg, float *y, size_t len)
{
    uint32_t below = (uint32_t)(net->spec.dropout * 65536.0F);
    uint16_t draw[512];

    for (size_t i = 0; i < len; i++) {
        if (i % 512 == 0)
            prg_bytes(prg, draw, sizeof(draw));
        y[i] = draw[i % 512] < below ? 0 : y[i] * net->kept;
    }
}

int dense_forward(struct dense *net, struct prg *prg, const float **ret_out, struct err *err)
{
    size_t last = net->spec.layers - 1;

    net->kept = prg != NULL ? 1 / (1 - net->spec.dropout) : 1;
    for (size_t i = 0; i <= last; i++) {
        struct layer *l = &net->layers[i];
        int rc = nn_task_run(l->task[FORWARD], err);

        if (rc != ERR_OK)
            return rc;
        add_biases(net, l, net->values[i + 1], i != last);
        if (i != last && prg != NULL && net->spec.dropout > 0)
            drop(net, prg, net->values[i + 1], net->spec.batch * l->n);
    }
    *ret_out = net->values[net->spec.layers];
    return ERR_OK;
}

static double output_deltas(struct dense *net, const float *target)
{
    const float *y = net->values[net->spec.layers];
    float *dy = net->deltas[net->spec.layers];
    size_t len = net->spec.batch * net->spec.widths[net->spec.layers];
    float scale = 2 / (float)len;
    double sum = 0;

    for (size_t i = 0; i < len; i++) {
        float diff = y[i] - target[i];

        dy[i] = diff * scale;
        sum += (double)(diff * diff);
    }
    return sum / (double)len;
}

/* Through ReLU and dropout: what is positive was passed on, multiplied by net->kept. */
static void mask_deltas(const struct dense *net, size_t i)
{
    const float *x = net->values[i];
    float *dx = net->deltas[i];
    size_t len = net->spec.batch * net->spec.widths[i];

    for (size_t j = 0; j < len; j++)
        dx[j] = x[j] > 0 ? dx[j] * net->kept : 0;
}

static void bias_grads(const struct dense *net, struct layer *l, const float *dy)
{
    memset(l->biases.grad, 0, l->n * sizeof(float));
    for (size_t r = 0; r < net->spec.batch; r++)
        for (size_t j = 0; j < l->n; j++)
            l->biases.grad[j] += dy[r * l->n + j];
}

int dense_backward(struct dense *net, const float *target, double *ret_loss, struct err *err)
{
    double loss = output_deltas(net, target);

    for (size_t i = net->spec.layers; i-- > 0;) {
        struct layer *l = &net->layers[i];
        int rc = nn_task_run(l->task[TO_WEIGHTS], err);

        if (rc == ERR_OK && i > 0)
            rc = nn_task_run(l->task[TO_DATA], err);
        if (rc != ERR_OK)
            return rc;
        bias_grads(net, l, net->deltas[i + 1]);
        if (i > 0)
            mask_deltas(net, i);
    }
    *ret_loss = loss;
    return ERR_OK;
}

HOT_UNCHECKED static void adam(struct param *p, float rate, float square_scale)
{
    float *restrict value = p->value, *restrict mean = p->mean, *restrict square = p->square;
    const float *restrict grad = p->grad;

    for (size_t i = 0; i < p->len; i++) {
        float g = grad[i];

        mean[i] += 0.1F * (g - mean[i]);
        square[i] += 0.001F * (g * g - square[i]);
        value[i] -= rate * mean[i] / (sqrtf(square[i] * square_scale) + 1e-8F);
    }
}

void dense_adam(struct dense *net, float rate)
{
    double t = ++net->steps;
    float mean_scale = (float)(1 / (1 - pow(0.9, t)));
    float square_scale = (float)(1 / (1 - pow(0.999, t)));

    for (size_t i = 0; i < net->spec.layers; i++) {
        adam(&net->layers[i].weights, rate * mean_scale, square_scale);
        adam(&net->layers[i].biases, rate * mean_scale, square_scale);
    }
}
