/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that repair, widened for more training: at first they compute what they did. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/preview_file.h"
#include "models/train/widen.h"
#include "tests/exact/sample_preview.h"

static struct conv *drawn(const uint16_t widths[PREVIEW_WIDTHS], bool training, struct prg *prg)
{
    const struct conv_spec spec = preview_repair_spec(widths, 1, training);
    struct conv *net = NULL;

    assert_int_equal(conv_new(&net, &spec, NULL), 0);
    conv_randomise(net, prg);
    return net;
}

/* A weight file's network with numbers that all matter. */
static struct preview_net *sample(const uint16_t widths[PREVIEW_WIDTHS], struct prg *prg)
{
    struct preview_net *net = sample_preview();

    assert_non_null(net);
    memcpy(net->widths, widths, sizeof(net->widths));
    net->repair_len = preview_repair_len(widths);
    free(net->repair);
    net->repair = calloc(net->repair_len, sizeof(float));
    assert_non_null(net->repair);
    for (size_t i = 0; i < net->repair_len; i++)
        net->repair[i] = prg_between(prg, -0.05F, 0.05F);
    return net;
}

static void compute(struct conv *net, float ret_rgb[PREVIEW_BYTES])
{
    for (int i = 0; i < 4 * PREVIEW_PIXELS; i++)
        conv_input(net)[i] = (float)(i % 31) / 31 - 0.5F;
    assert_int_equal(conv_forward(net, NULL), 0);
    memcpy(ret_rgb, conv_output(net), PREVIEW_BYTES * sizeof(float));
}

static float largest_difference(const float *a, const float *b)
{
    float most = 0;

    for (int i = 0; i < PREVIEW_BYTES; i++)
        most = fmaxf(most, fabsf(a[i] - b[i]));
    return most;
}

static void test_same(void **state)
{
    static const uint16_t narrow[] = {4, 6}, wider[][PREVIEW_WIDTHS] = {{4, 6}, {7, 6}, {9, 11}};
    static float before[PREVIEW_BYTES], after[PREVIEW_BYTES];
    struct preview_net *from;
    struct prg *prg = NULL;
    struct conv *net;

    (void)state;
    assert_int_equal(prg_new(&prg, "test widen", part(NULL, 0), 0, NULL), 0);
    from = sample(narrow, prg);
    net = drawn(narrow, false, prg);
    widen(net, narrow, from);
    compute(net, before);
    conv_free(net);
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]); i++) {
        net = drawn(wider[i], false, prg);
        compute(net, after);
        assert_true(largest_difference(before, after) > 0.001F); /* drawn, it is another */
        widen(net, wider[i], from);
        compute(net, after);
        assert_true(largest_difference(before, after) < 1e-4F);
        conv_free(net);
    }
    preview_net_free(from);
    prg_free(prg);
}

/* Training reaches the new channels: what reads them does not stay 0. */
static void test_learns(void **state)
{
    static const uint16_t narrow[] = {4, 6}, wide[] = {8, 9};
    struct preview_net *from;
    struct conv_params p;
    struct prg *prg = NULL;
    struct conv *net;

    (void)state;
    assert_int_equal(prg_new(&prg, "test widen", part(NULL, 0), 1, NULL), 0);
    from = sample(narrow, prg);
    net = drawn(wide, true, prg);
    widen(net, wide, from);
    p = conv_params(net, 2); /* the second convolution: output 0 reads the new channel 4 */
    for (int k = 0; k < 16; k++)
        assert_true(fabsf(p.weights[4 * 16 + k]) == 0);
    for (int i = 0; i < 4 * PREVIEW_PIXELS; i++)
        conv_input(net)[i] = (float)(i % 31) / 31 - 0.5F;
    assert_int_equal(conv_forward(net, NULL), 0);
    for (size_t i = 0; i < conv_output_len(net); i++)
        conv_output_grad(net)[i] = conv_output(net)[i] - 1;
    assert_int_equal(conv_backward(net, NULL), 0);
    conv_adam(net, 0.01F);
    assert_true(fabsf(p.weights[4 * 16]) > 0.001F);
    conv_free(net);
    preview_net_free(from);
    prg_free(prg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_learns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
