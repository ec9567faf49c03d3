/* SPDX-License-Identifier: Apache-2.0 */
#include "models/keynet_dnnl.h"

#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "models/keynet.h"
#include "models/keynet_plain.h"
#include "models/nn.h"

enum { BATCHES = 3 };

/* Smallest first.  ${from}: with so many inputs left or more, the batch pays, padded or not. */
static const struct {
    size_t rows, from;
} batches[BATCHES] = {{1, 1}, {8, 3}, {KEYNET_BATCH, 57}};

struct keynet_dnnl {
    const struct keynet_params *params;
    struct nn *nn;
    struct nn_op *ops[BATCHES][KEYNET_LAYERS];
    struct nn_packed *packed[BATCHES][KEYNET_LAYERS]; /* NULL where that of a smaller batch fits */
    size_t scratch;
};

struct keynet_lane {
    const struct keynet_params *params;
    const struct keynet_plain *code;
    struct nn_ctx *ctx;
    struct nn_task *tasks[BATCHES][KEYNET_LAYERS];
    uint8_t *x;    /* KEYNET_BATCH rows of a layer's input */
    int32_t *sums; /* KEYNET_BATCH rows of its sums */
};

enum {
    X_LEN = KEYNET_BATCH * KEYNET_WIDEST,
    SUMS_LEN = KEYNET_BATCH * KEYNET_OUT * 4,
};

/* The laid-out weights that batch ${b} uses for a layer. */
static struct nn_packed *packed_for(const struct keynet_dnnl *d, int b, int layer)
{
    for (int i = b; i >= 0; i--)
        if (d->packed[i][layer] != NULL && nn_packed_fits(d->packed[i][layer], d->ops[b][layer]))
            return d->packed[i][layer];
    return NULL;
}

static int compile_one(struct keynet_dnnl *d, int b, int layer, struct err *err)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    const struct nn_matmul spec = {
        .m = batches[b].rows,
        .k = s->k,
        .n = s->n,
        .src = NN_U8,
        .weights = NN_S8,
        .dst = NN_S32,
        .weights_transposed = true,
        .weights_packed = true,
    };
    struct nn_op **op = &d->ops[b][layer];
    int rc = nn_matmul_new(op, d->nn, &spec, err);

    if (rc != ERR_OK)
        return rc;
    if (nn_op_scratch(*op) > d->scratch)
        d->scratch = nn_op_scratch(*op);
    if (packed_for(d, b, layer) != NULL)
        return ERR_OK;
    return nn_pack(&d->packed[b][layer], *op, d->params->weights + s->weights, err);
}

int keynet_dnnl_new(struct keynet_dnnl **ret_d, const struct keynet_params *p, struct err *err)
{
    struct keynet_dnnl *d = calloc(1, sizeof(*d));
    int rc;

    if (d == NULL)
        return err_set(err, ERR_NOMEM, "key network");
    d->params = p;
    rc = nn_open(&d->nn, err);
    for (int b = 0; b < BATCHES; b++)
        for (int l = 0; l < KEYNET_LAYERS && rc == ERR_OK; l++)
            rc = compile_one(d, b, l, err);
    if (rc != ERR_OK) {
        keynet_dnnl_free(d);
        return rc;
    }
    *ret_d = d;
    return ERR_OK;
}

void keynet_dnnl_free(struct keynet_dnnl *d)
{
    if (d == NULL)
        return;
    for (int b = 0; b < BATCHES; b++) {
        for (int l = 0; l < KEYNET_LAYERS; l++) {
            nn_packed_free(d->packed[b][l]);
            nn_op_free(d->ops[b][l]);
        }
    }
    nn_close(d->nn);
    free(d);
}

int keynet_lane_new(struct keynet_lane **ret_lane, struct keynet_dnnl *d, struct err *err)
{
    struct keynet_lane *lane = calloc(1, sizeof(*lane));
    int rc = ERR_OK;

    if (lane == NULL)
        return err_set(err, ERR_NOMEM, "key network worker");
    lane->params = d->params;
    lane->code = keynet_plain_pick(false);
    lane->x = nn_alloc(X_LEN);
    lane->sums = nn_alloc(SUMS_LEN);
    if (lane->x == NULL || lane->sums == NULL)
        rc = err_set(err, ERR_NOMEM, "key network worker");
    if (rc == ERR_OK)
        rc = nn_ctx_new(&lane->ctx, d->nn, d->scratch, err);
    for (int b = 0; b < BATCHES; b++) {
        for (int l = 0; l < KEYNET_LAYERS && rc == ERR_OK; l++) {
            void *const args[NN_ARGS] = {lane->x, nn_packed_data(packed_for(d, b, l)), lane->sums};

            rc = nn_task_new(&lane->tasks[b][l], d->ops[b][l], lane->ctx, args, err);
        }
    }
    if (rc != ERR_OK) {
        keynet_lane_free(lane);
        return rc;
    }
    *ret_lane = lane;
    return ERR_OK;
}

void keynet_lane_free(struct keynet_lane *lane)
{
    if (lane == NULL)
        return;
    for (int b = 0; b < BATCHES; b++)
        for (int l = 0; l < KEYNET_LAYERS; l++)
            nn_task_free(lane->tasks[b][l]);
    nn_ctx_free(lane->ctx);
    if (lane->x != NULL)
        secret_wipe(lane->x, X_LEN);
    if (lane->sums != NULL)
        secret_wipe(lane->sums, SUMS_LEN);
    free(lane->x);
    free(lane->sums);
    free(lane);
}

int keynet_lane_step(struct keynet_lane *lane, const uint8_t *in, size_t n, uint8_t *out)
{
    int b = BATCHES - 1;
    size_t rows;

    while (b > 0 && n < batches[b].from)
        b--;
    rows = n < batches[b].rows ? n : batches[b].rows;
    memcpy(lane->x, in, rows * KEYNET_IN);
    memset(lane->x + rows * KEYNET_IN, 0, (batches[b].rows - rows) * KEYNET_IN);
    for (unsigned l = 0; l < KEYNET_LAYERS; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];
        bool last = l + 1 == KEYNET_LAYERS;

        if (nn_task_run(lane->tasks[b][l], NULL) != ERR_OK)
            return ERR_INTERNAL;
        for (size_t i = 0; i < (last ? rows : batches[b].rows); i++)
            lane->code->finish(lane->params, l, lane->sums + i * s->n,
                               (last ? out : lane->x) + i * s->n);
    }
    return (int)rows;
}
