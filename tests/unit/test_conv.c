/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutional networks: gradients against differences, learning, and shapes that are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/conv.h"

/* Every kind of layer, a tensor with two users, strides, even and odd kernels. */
static const struct conv_spec small = {
    .batch = 2,
    .channels = 3,
    .height = 8,
    .width = 8,
    .layers = 10,
    .layer = {{.kind = CONV_CONV, .in = 0, .channels = 6, .kernel = 3, .stride = 1},
              {.kind = CONV_RELU, .in = 1},
              {.kind = CONV_CONV, .in = 2, .channels = 8, .kernel = 3, .stride = 2},
              {.kind = CONV_RELU, .in = 3},
              {.kind = CONV_CONV, .in = 4, .channels = 8, .kernel = 1, .stride = 1},
              {.kind = CONV_DECONV, .in = 5, .channels = 6, .kernel = 4, .stride = 2},
              {.kind = CONV_ADD, .in = 6, .other = 2},
              {.kind = CONV_RELU, .in = 7},
              {.kind = CONV_CONV, .in = 8, .channels = 3, .kernel = 5, .stride = 1},
              {.kind = CONV_SIGMOID, .in = 9}},
    .training = true,
};

static struct prg *draw(void)
{
    struct prg *p = NULL;

    assert_int_equal(prg_new(&p, "test conv", part_str("seed"), 0, NULL), 0);
    return p;
}

static struct conv *made(struct prg *prg)
{
    struct conv *net = NULL;

    assert_int_equal(conv_new(&net, &small, NULL), 0);
    conv_randomise(net, prg);
    for (unsigned i = 0; i < small.layers; i++) {
        struct conv_params p = conv_params(net, i);

        for (size_t j = 0; j < p.biases_len; j++)
            p.biases[j] = prg_between(prg, -0.2F, 0.2F);
    }
    conv_changed(net);
    for (size_t i = 0; i < 2 * 3 * 8 * 8; i++)
        conv_input(net)[i] = prg_between(prg, -1, 1);
    return net;
}

/* The loss: a weighted sum of squares of the output, so that each number counts differently. */
static double loss(struct conv *net, bool gradient)
{
    double sum = 0;

    assert_int_equal(conv_forward(net, NULL), 0);
    for (size_t i = 0; i < conv_output_len(net); i++) {
        float weight = (float)(i % 7) - 3, y = conv_output(net)[i];

        if (gradient)
            conv_output_grad(net)[i] = 2 * weight * y;
        sum += (double)(weight * y * y);
    }
    return sum;
}

/* By central differences of a step small enough that few ReLUs turn. */
static double slope(struct conv *net, float *number)
{
    float kept = *number, step = 0.004F;
    double high, low;

    *number = kept + step;
    conv_changed(net);
    high = loss(net, false);
    *number = kept - step;
    conv_changed(net);
    low = loss(net, false);
    *number = kept;
    conv_changed(net);
    return (high - low) / (2 * (double)step);
}

static void test_gradients(void **state)
{
    struct prg *prg = draw();
    struct conv *net = made(prg);
    double wrong = 0, all = 0;
    size_t checked = 0;

    (void)state;
    (void)loss(net, true);
    assert_int_equal(conv_backward(net, NULL), 0);
    for (unsigned i = 0; i < small.layers; i++) {
        struct conv_params p = conv_params(net, i);
        size_t len = p.weights_len + p.biases_len;

        for (size_t j = 0; j < len; j += 1 + len / 40, checked++) {
            double expect = slope(net, &p.weights[j]), got = (double)p.weight_grads[j];

            wrong += (expect - got) * (expect - got);
            all += expect * expect;
        }
    }
    assert_true(checked > 150);
    assert_true(all > 0.01);
    assert_true(sqrt(wrong / all) < 0.01);
    conv_free(net);
    prg_free(prg);
}

/* What several passes find adds up, until a step is made with it. */
static void test_gradients_add_up(void **state)
{
    struct prg *prg = draw();
    struct conv *net = made(prg);
    struct conv_params p = conv_params(net, 0);
    float once;

    (void)state;
    (void)loss(net, true);
    assert_int_equal(conv_backward(net, NULL), 0);
    once = p.weight_grads[0];
    assert_true(fabsf(once) > 1e-6F);
    (void)loss(net, true);
    assert_int_equal(conv_backward(net, NULL), 0);
    assert_true(fabsf(p.weight_grads[0] - 2 * once) < 1e-3F * fabsf(once));
    conv_adam(net, 1e-9F);
    (void)loss(net, true);
    assert_int_equal(conv_backward(net, NULL), 0);
    assert_true(fabsf(p.weight_grads[0] - once) < 1e-3F * fabsf(once));
    conv_free(net);
    prg_free(prg);
}

static void test_learns(void **state)
{
    struct prg *prg = draw();
    struct conv *net = made(prg);
    size_t len = conv_output_len(net);
    double first = 0, last = 0;

    (void)state;
    for (int step = 0; step < 300; step++) {
        double sum = 0;

        assert_int_equal(conv_forward(net, NULL), 0);
        for (size_t i = 0; i < len; i++) {
            float diff = conv_output(net)[i] - (conv_input(net)[i] > 0 ? 0.8F : 0.2F);

            conv_output_grad(net)[i] = 2 * diff / (float)len;
            sum += (double)(diff * diff);
        }
        assert_int_equal(conv_backward(net, NULL), 0);
        conv_adam(net, 0.01F);
        first = step == 0 ? sum : first;
        last = sum;
    }
    assert_true(last < first / 4);
    conv_free(net);
    prg_free(prg);
}

/* A network without training gives the same output, with the same numbers. */
static void test_inference(void **state)
{
    struct prg *prg = draw();
    struct conv *net = made(prg), *other = NULL;
    struct conv_spec spec = small;

    (void)state;
    spec.training = false;
    assert_int_equal(conv_new(&other, &spec, NULL), 0);
    for (unsigned i = 0; i < small.layers; i++) {
        struct conv_params from = conv_params(net, i), to = conv_params(other, i);

        assert_int_equal(from.weights_len, to.weights_len);
        if (from.weights_len > 0)
            memcpy(to.weights, from.weights, (from.weights_len + from.biases_len) * sizeof(float));
    }
    conv_changed(other);
    memcpy(conv_input(other), conv_input(net), 2 * 3 * 8 * 8 * sizeof(float));
    assert_int_equal(conv_forward(net, NULL), 0);
    assert_int_equal(conv_forward(other, NULL), 0);
    for (size_t i = 0; i < conv_output_len(net); i++)
        assert_true(fabsf(conv_output(net)[i] - conv_output(other)[i]) < 1e-5F);
    conv_free(other);
    conv_free(net);
    prg_free(prg);
}

static void test_shapes(void **state)
{
    static const struct conv_layer bad[] = {
        {.kind = CONV_CONV, .in = 1, .channels = 3, .kernel = 3, .stride = 1},
        {.kind = CONV_CONV, .in = 0, .channels = 0, .kernel = 3, .stride = 1},
        {.kind = CONV_CONV, .in = 0, .channels = 3, .kernel = 3, .stride = 0},
        {.kind = CONV_CONV, .in = 0, .channels = 3, .kernel = 3, .stride = 3},
        {.kind = CONV_DECONV, .in = 0, .channels = 3, .kernel = 3, .stride = 2},
        {.kind = CONV_CONV, .in = 0, .channels = 1U << 20, .kernel = 3, .stride = 1},
        {.kind = CONV_RELU, .in = 0}, /* would change the caller's input */
        {.kind = CONV_ADD, .in = 0, .other = 1},
    };
    struct conv *net = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct conv_spec spec = {
            .batch = 1, .channels = 3, .height = 8, .width = 8, .layers = 1, .layer = {bad[i]}};

        assert_int_equal(conv_new(&net, &spec, NULL), ERR_INVALID);
        assert_null(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_gradients_add_up),
        cmocka_unit_test(test_learns),    cmocka_unit_test(test_inference),
        cmocka_unit_test(test_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
