/* SPDX-License-Identifier: Apache-2.0 */
/* nn, dense: products against plain loops, gradients against finite differences, training. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/dense.h"
#include "models/nn.h"
#include "models/prg.h"

static const uint8_t seed[16] = "unit test of nn";

static struct prg *new_prg(void)
{
    struct prg *prg = NULL;

    assert_int_equal(prg_new(&prg, "test", PART_OF(seed), 0, NULL), ERR_OK);
    return prg;
}

static void test_prg(void **state)
{
    struct prg *a = new_prg(), *b = new_prg(), *c = NULL;
    uint8_t x[10000], y[10000];

    (void)state;
    assert_int_equal(prg_new(&c, "test", PART_OF(seed), 1, NULL), ERR_OK);
    prg_bytes(a, x, sizeof(x));
    for (size_t at = 0, len = 1; at < sizeof(y); at += len, len = len * 3 % 997) {
        len = len < sizeof(y) - at ? len : sizeof(y) - at;
        prg_bytes(b, y + at, len);
    }
    assert_memory_equal(x, y, sizeof(x));
    prg_bytes(c, y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));
    for (int i = 0; i < 1000; i++) {
        float v = prg_between(a, -2, 3);

        assert_true(prg_below(a, 7) < 7);
        assert_true(v >= -2 && v <= 3);
    }
    assert_int_equal(prg_failed(a), ERR_OK);
    prg_free(a);
    prg_free(b);
    prg_free(c);
    prg_free(NULL);
}

/* Element (row, col) of a rows x cols matrix, transposed in memory or not. */
static size_t at(size_t row, size_t col, size_t rows, size_t cols, bool transposed)
{
    return transposed ? col * rows + row : row * cols + col;
}

static void run_once(struct nn *nn, const struct nn_op *op, void *src, void *weights, void *dst)
{
    void *const args[NN_ARGS] = {src, weights, dst};
    struct nn_ctx *ctx = NULL;
    struct nn_task *task = NULL;

    assert_int_equal(nn_ctx_new(&ctx, nn, nn_op_scratch(op), NULL), ERR_OK);
    assert_int_equal(nn_task_new(&task, op, ctx, args, NULL), ERR_OK);
    assert_int_equal(nn_task_run(task, NULL), ERR_OK);
    nn_task_free(task);
    nn_ctx_free(ctx);
}

static void check_floats(struct nn *nn, const struct nn_matmul *s, struct prg *prg)
{
    float *a = nn_alloc(s->m * s->k * sizeof(float));
    float *b = nn_alloc(s->k * s->n * sizeof(float));
    float *c = nn_alloc(s->m * s->n * sizeof(float));
    struct nn_op *op = NULL;

    for (size_t i = 0; i < s->m * s->k; i++)
        a[i] = prg_between(prg, -1, 1);
    for (size_t i = 0; i < s->k * s->n; i++)
        b[i] = prg_between(prg, -1, 1);
    assert_int_equal(nn_matmul_new(&op, nn, s, NULL), ERR_OK);
    run_once(nn, op, a, b, c);
    for (size_t i = 0; i < s->m; i++) {
        for (size_t j = 0; j < s->n; j++) {
            double want = 0;

            for (size_t k = 0; k < s->k; k++)
                want += (double)a[at(i, k, s->m, s->k, s->src_transposed)] *
                        (double)b[at(k, j, s->k, s->n, s->weights_transposed)];
            assert_true(fabs(want - (double)c[i * s->n + j]) < 1e-4);
        }
    }
    nn_op_free(op);
    free(a);
    free(b);
    free(c);
}

static void test_float_products(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {64, 33, 17}, {8, 128, 64}};
    struct prg *prg = new_prg();
    struct nn *nn = NULL;

    (void)state;
    assert_int_equal(nn_open(&nn, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int t = 0; t < 4; t++) {
            const struct nn_matmul spec = {
                .m = sizes[i][0],
                .k = sizes[i][1],
                .n = sizes[i][2],
                .src = NN_F32,
                .weights = NN_F32,
                .dst = NN_F32,
                .src_transposed = t % 2 == 1,
                .weights_transposed = t / 2 == 1,
            };

            check_floats(nn, &spec, prg);
        }
    }
    nn_close(nn);
    prg_free(prg);
}

/* u8 x s8 at the edges of what is exact, weights packed and as they are. */
static void check_bytes(struct nn *nn, const struct nn_matmul *s, struct prg *prg)
{
    uint8_t *a = nn_alloc(s->m * s->k);
    int8_t *b = nn_alloc(s->k * s->n);
    int32_t *c = nn_alloc(s->m * s->n * sizeof(int32_t));
    struct nn_op *op = NULL;
    struct nn_packed *packed = NULL;

    for (size_t i = 0; i < s->m * s->k; i++)
        a[i] = prg_below(prg, 4) == 0 ? 127 : (uint8_t)prg_below(prg, 128);
    for (size_t i = 0; i < s->k * s->n; i++)
        b[i] = prg_below(prg, 4) == 0 ? 63 : (int8_t)((int)prg_below(prg, 127) - 63);
    assert_int_equal(nn_matmul_new(&op, nn, s, NULL), ERR_OK);
    if (s->weights_packed) {
        assert_int_equal(nn_pack(&packed, op, b, NULL), ERR_OK);
        assert_true(nn_packed_fits(packed, op));
    }
    run_once(nn, op, a, packed != NULL ? nn_packed_data(packed) : b, c);
    for (size_t i = 0; i < s->m; i++) {
        for (size_t j = 0; j < s->n; j++) {
            int32_t want = 0;

            for (size_t k = 0; k < s->k; k++)
                want += a[i * s->k + k] * b[at(k, j, s->k, s->n, s->weights_transposed)];
            assert_int_equal(c[i * s->n + j], want);
        }
    }
    nn_packed_free(packed);
    nn_op_free(op);
    free(a);
    free(b);
    free(c);
}

static void test_byte_products(void **state)
{
    static const size_t sizes[][3] = {{1, 256, 512}, {8, 512, 64}, {64, 64, 128}, {5, 33, 70}};
    struct prg *prg = new_prg();
    struct nn *nn = NULL;

    (void)state;
    assert_int_equal(nn_open(&nn, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int t = 0; t < 4; t++) {
            const struct nn_matmul spec = {
                .m = sizes[i][0],
                .k = sizes[i][1],
                .n = sizes[i][2],
                .src = NN_U8,
                .weights = NN_S8,
                .dst = NN_S32,
                .weights_transposed = t % 2 == 1,
                .weights_packed = t / 2 == 1,
            };

            check_bytes(nn, &spec, prg);
        }
    }
    nn_close(nn);
    prg_free(prg);
}

static void test_refused(void **state)
{
    const struct nn_matmul empty = {.m = 1, .k = 0, .n = 1};
    const struct nn_matmul spec = {.m = 8, .k = 512, .n = 512, .src_transposed = true};
    struct nn *nn = NULL;
    struct nn_op *op = NULL;
    struct nn_ctx *ctx = NULL;
    struct nn_task *task = NULL;
    struct err err = {0};
    void *const args[NN_ARGS] = {NULL, NULL, NULL};

    (void)state;
    assert_int_equal(nn_open(&nn, NULL), ERR_OK);
    assert_int_equal(nn_matmul_new(&op, nn, &empty, &err), ERR_INVALID);
    assert_null(op);
    assert_int_equal(nn_matmul_new(&op, nn, &spec, &err), ERR_OK);
    if (nn_op_scratch(op) > 0) {
        assert_int_equal(nn_ctx_new(&ctx, nn, nn_op_scratch(op) - 1, &err), ERR_OK);
        assert_int_equal(nn_task_new(&task, op, ctx, args, &err), ERR_INVALID);
        assert_null(task);
    }
    nn_task_free(NULL);
    nn_ctx_free(ctx);
    nn_packed_free(NULL);
    nn_op_free(op);
    nn_op_free(NULL);
    nn_close(nn);
    nn_close(NULL);
    assert_non_null(strstr(nn_version(), "oneDNN "));
    assert_null(nn_alloc(SIZE_MAX));
}

struct shared {
    struct nn *nn;
    const struct nn_op *op;
    const uint8_t *src;
    void *weights;
    const int32_t *want;
    int rc;
};

enum { SH_M = 8, SH_K = 256, SH_N = 512, SH_ROUNDS = 50 };

/* One operation made in the main thread and run in several, each with a context of its own. */
static void *run_shared(void *arg)
{
    struct shared *s = arg;
    struct nn_ctx *ctx = NULL;
    struct nn_task *task = NULL;
    uint8_t *src = nn_alloc(SH_M * SH_K);
    int32_t *dst = nn_alloc(SH_M * SH_N * sizeof(int32_t));
    void *const args[NN_ARGS] = {src, s->weights, dst};

    memcpy(src, s->src, SH_M * SH_K);
    s->rc = nn_ctx_new(&ctx, s->nn, nn_op_scratch(s->op), NULL);
    if (s->rc == ERR_OK)
        s->rc = nn_task_new(&task, s->op, ctx, args, NULL);
    for (int i = 0; i < SH_ROUNDS && s->rc == ERR_OK; i++) {
        memset(dst, 0, SH_M * SH_N * sizeof(int32_t));
        s->rc = nn_task_run(task, NULL);
        if (s->rc == ERR_OK && memcmp(dst, s->want, SH_M * SH_N * sizeof(int32_t)) != 0)
            s->rc = ERR_INTEGRITY;
    }
    nn_task_free(task);
    nn_ctx_free(ctx);
    free(src);
    free(dst);
    return NULL;
}

static void test_threads(void **state)
{
    const struct nn_matmul spec = {.m = SH_M,
                                   .k = SH_K,
                                   .n = SH_N,
                                   .src = NN_U8,
                                   .weights = NN_S8,
                                   .dst = NN_S32,
                                   .weights_packed = true};
    struct shared s[4] = {{0}};
    pthread_t threads[4];
    struct prg *prg = new_prg();
    uint8_t *src = nn_alloc(SH_M * SH_K);
    int8_t *weights = nn_alloc((size_t)SH_K * SH_N);
    int32_t *want = nn_alloc(SH_M * SH_N * sizeof(int32_t));
    struct nn_op *op = NULL;
    struct nn_packed *packed = NULL;
    struct nn *nn = NULL;

    (void)state;
    for (size_t i = 0; i < SH_M * SH_K; i++)
        src[i] = (uint8_t)prg_below(prg, 128);
    for (size_t i = 0; i < (size_t)SH_K * SH_N; i++)
        weights[i] = (int8_t)((int)prg_below(prg, 127) - 63);
    for (size_t i = 0; i < SH_M; i++)
        for (size_t k = 0; k < SH_K; k++)
            for (size_t j = 0; j < SH_N; j++)
                want[i * SH_N + j] += src[i * SH_K + k] * weights[k * SH_N + j];
    assert_int_equal(nn_open(&nn, NULL), ERR_OK);
    assert_int_equal(nn_matmul_new(&op, nn, &spec, NULL), ERR_OK);
    assert_int_equal(nn_pack(&packed, op, weights, NULL), ERR_OK);
    for (int t = 0; t < 4; t++) {
        s[t] = (struct shared){nn, op, src, nn_packed_data(packed), want, ERR_AGAIN};
        assert_int_equal(pthread_create(&threads[t], NULL, run_shared, &s[t]), 0);
    }
    for (int t = 0; t < 4; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(s[t].rc, ERR_OK);
    }
    nn_packed_free(packed);
    nn_op_free(op);
    nn_close(nn);
    prg_free(prg);
    free(src);
    free(weights);
    free(want);
}

/* The small network of the gradient check. */
static const struct dense_spec tiny = {
    .layers = 3, .widths = {5, 8, 6, 4}, .batch = 7, .dropout = 0};

/* The loss of the same network in doubles, without oneDNN. */
static double loss_of(struct dense *net, const float *input, const float *target)
{
    double sum = 0;

    for (size_t r = 0; r < tiny.batch; r++) {
        double x[8] = {0}, y[8] = {0};

        for (size_t i = 0; i < tiny.widths[0]; i++)
            x[i] = (double)input[r * tiny.widths[0] + i];
        for (size_t l = 0; l < tiny.layers; l++) {
            struct dense_layer d = dense_layer(net, l);

            for (size_t j = 0; j < d.n; j++) {
                y[j] = (double)d.biases[j];
                for (size_t i = 0; i < d.k; i++)
                    y[j] += (double)d.weights[j * d.k + i] * x[i];
                if (l + 1 < tiny.layers && y[j] < 0)
                    y[j] = 0;
            }
            memcpy(x, y, sizeof(x));
        }
        for (size_t j = 0; j < 4; j++)
            sum += (y[j] - (double)target[r * 4 + j]) * (y[j] - (double)target[r * 4 + j]);
    }
    return sum / (double)(tiny.batch * 4);
}

/* Central differences in the one float that ${v} points to. */
static void check_gradient(struct dense *net, const float *target, float *v, float got)
{
    float kept = *v;
    double up, down, step;

    *v = kept + 1e-3F;
    step = (double)*v;
    up = loss_of(net, dense_input(net), target);
    *v = kept - 1e-3F;
    step -= (double)*v;
    down = loss_of(net, dense_input(net), target);
    *v = kept;
    assert_true(fabs((up - down) / step - (double)got) < 1e-4);
}

static void test_gradients(void **state)
{
    struct prg *prg = new_prg();
    struct dense *net = NULL;
    const float *out = NULL;
    float target[7 * 4];
    double loss = 0, most = 0;

    (void)state;
    assert_int_equal(dense_new(&net, &tiny, NULL), ERR_OK);
    dense_randomise(net, prg);
    for (size_t i = 0; i < 7 * 5; i++)
        dense_input(net)[i] = prg_between(prg, -1, 1);
    for (size_t i = 0; i < 7 * 4; i++)
        target[i] = prg_between(prg, -1, 1);
    for (size_t l = 0; l < tiny.layers; l++)
        for (size_t j = 0; j < dense_layer(net, l).n; j++)
            dense_layer(net, l).biases[j] = prg_between(prg, 0.05F, 0.3F);
    assert_int_equal(dense_forward(net, NULL, &out, NULL), ERR_OK);
    assert_int_equal(dense_backward(net, target, &loss, NULL), ERR_OK);
    assert_true(fabs(loss - loss_of(net, dense_input(net), target)) < 1e-6);
    for (size_t l = 0; l < tiny.layers; l++) {
        struct dense_layer d = dense_layer(net, l);

        for (size_t i = 0; i < d.n * d.k; i++)
            check_gradient(net, target, &d.weights[i], d.weight_grads[i]);
        for (size_t i = 0; i < d.n; i++)
            check_gradient(net, target, &d.biases[i], d.bias_grads[i]);
        for (size_t i = 0; i < d.n * d.k; i++)
            most = fmax(most, fabs((double)d.weight_grads[i]));
    }
    assert_true(most > 1e-2); /* not all of them zero */
    dense_free(net);
    prg_free(prg);
}

static void test_adam(void **state)
{
    struct prg *prg = new_prg();
    struct dense *net = NULL;
    const float *out = NULL;
    float target[7 * 4] = {0}, before[4 * 6];
    struct dense_layer d;
    double loss = 0, first = 0;

    (void)state;
    assert_int_equal(dense_new(&net, &tiny, NULL), ERR_OK);
    dense_randomise(net, prg);
    for (size_t i = 0; i < 7 * 5; i++)
        dense_input(net)[i] = prg_between(prg, -1, 1);
    for (size_t i = 0; i < 7 * 4; i++)
        target[i] = (float)(i % 3);
    d = dense_layer(net, 2);
    memcpy(before, d.weights, sizeof(before));
    for (int step = 0; step < 300; step++) {
        assert_int_equal(dense_forward(net, NULL, &out, NULL), ERR_OK);
        assert_int_equal(dense_backward(net, target, &loss, NULL), ERR_OK);
        dense_adam(net, 0.01F);
        if (step > 0)
            continue;
        first = loss;
        /* Adam's first step moves each weight by the rate, against its gradient. */
        for (size_t i = 0; i < 4 * 6; i++)
            if (fabsf(d.weight_grads[i]) > 1e-4F)
                assert_true(fabsf(before[i] - d.weights[i] - copysignf(0.01F, d.weight_grads[i])) <
                            1e-4F);
    }
    assert_true(loss < first / 10);
    dense_free(net);
    prg_free(prg);
}

static void test_dropout(void **state)
{
    const struct dense_spec spec = {
        .layers = 2, .widths = {4, 1000, 1}, .batch = 16, .dropout = 0.2F};
    struct prg *prg = new_prg();
    struct dense *net = NULL;
    const float *out = NULL;
    double mean = 0, squares = 0;

    (void)state;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_OK);
    for (size_t i = 0; i < 1000; i++) {
        dense_layer(net, 0).biases[i] = 1; /* each hidden value is 1 */
        dense_layer(net, 1).weights[i] = 1;
    }
    assert_int_equal(dense_forward(net, NULL, &out, NULL), ERR_OK);
    assert_true(fabsf(out[0] - 1000) < 0.01F);
    assert_int_equal(dense_forward(net, prg, &out, NULL), ERR_OK);
    for (size_t i = 0; i < 16; i++) {
        mean += (double)out[i] / 16;
        squares += (double)(out[i] * out[i]) / 16;
    }
    assert_true(fabs(mean - 1000) < 20); /* deviation of the mean: 4 */
    assert_true(squares - mean * mean > 25 && squares - mean * mean < 1000); /* around 250 */
    dense_free(net);
    prg_free(prg);
}

static void test_dense_refused(void **state)
{
    struct dense_spec spec = tiny;
    struct dense *net = NULL;

    (void)state;
    spec.layers = 0;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_INVALID);
    spec.layers = DENSE_LAYERS_MAX + 1;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_INVALID);
    spec = tiny;
    spec.widths[1] = 0;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_INVALID);
    spec = tiny;
    spec.batch = 0;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_INVALID);
    spec = tiny;
    spec.dropout = 1;
    assert_int_equal(dense_new(&net, &spec, NULL), ERR_INVALID);
    assert_null(net);
    dense_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prg),           cmocka_unit_test(test_float_products),
        cmocka_unit_test(test_byte_products), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_adam),          cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_dense_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
