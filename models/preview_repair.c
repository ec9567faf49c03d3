/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "models/preview_net.h"

const float preview_repair_floats = -2;

/* Down to a quarter and back, with a sum across. */
struct conv_spec preview_repair_spec(unsigned batch, bool training)
{
    return (struct conv_spec){
        .batch = batch,
        .channels = 4,
        .height = PREVIEW_SIDE,
        .width = PREVIEW_SIDE,
        .training = training,
        .layers = 15,
        .layer =
            {
                {.kind = CONV_CONV, .in = 0, .channels = 32, .kernel = 4, .stride = 2},
                {.kind = CONV_RELU, .in = 1},
                {.kind = CONV_CONV, .in = 2, .channels = 48, .kernel = 4, .stride = 2},
                {.kind = CONV_RELU, .in = 3},
                {.kind = CONV_CONV, .in = 4, .channels = 48, .kernel = 3, .stride = 1},
                {.kind = CONV_RELU, .in = 5},
                {.kind = CONV_CONV, .in = 6, .channels = 48, .kernel = 3, .stride = 1},
                {.kind = CONV_ADD, .in = 7, .other = 4},
                {.kind = CONV_RELU, .in = 8},
                {.kind = CONV_DECONV, .in = 9, .channels = 32, .kernel = 4, .stride = 2},
                {.kind = CONV_ADD, .in = 10, .other = 2},
                {.kind = CONV_RELU, .in = 11},
                {.kind = CONV_CONV, .in = 12, .channels = 32, .kernel = 3, .stride = 1},
                {.kind = CONV_RELU, .in = 13},
                {.kind = CONV_DECONV, .in = 14, .channels = 3, .kernel = 4, .stride = 2},
            },
    };
}

float preview_repair_hint(unsigned step)
{
    return ((float)step - 16) / 16;
}

void preview_repair_put(float *input, const float *rgb, float hint)
{
    for (size_t i = 0; i < PREVIEW_PIXELS; i++) {
        for (size_t c = 0; c < 3; c++)
            input[i * 4 + c] = rgb[i * 3 + c] - 0.5F;
        input[i * 4 + 3] = hint;
    }
}
