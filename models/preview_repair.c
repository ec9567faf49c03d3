/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "models/preview_net.h"

const float preview_repair_floats = -2;

/* Down to a quarter and back, with a sum across. */
struct conv_spec preview_repair_spec(const uint16_t widths[PREVIEW_WIDTHS], unsigned batch,
                                     bool training)
{
    const unsigned half = widths[0], quarter = widths[1];

    return (struct conv_spec){
        .batch = batch,
        .channels = 4,
        .height = PREVIEW_SIDE,
        .width = PREVIEW_SIDE,
        .training = training,
        .layers = 15,
        .layer =
            {
                {.kind = CONV_CONV, .in = 0, .channels = half, .kernel = 4, .stride = 2},
                {.kind = CONV_RELU, .in = 1},
                {.kind = CONV_CONV, .in = 2, .channels = quarter, .kernel = 4, .stride = 2},
                {.kind = CONV_RELU, .in = 3},
                {.kind = CONV_CONV, .in = 4, .channels = quarter, .kernel = 3, .stride = 1},
                {.kind = CONV_RELU, .in = 5},
                {.kind = CONV_CONV, .in = 6, .channels = quarter, .kernel = 3, .stride = 1},
                {.kind = CONV_ADD, .in = 7, .other = 4},
                {.kind = CONV_RELU, .in = 8},
                {.kind = CONV_DECONV, .in = 9, .channels = half, .kernel = 4, .stride = 2},
                {.kind = CONV_ADD, .in = 10, .other = 2},
                {.kind = CONV_RELU, .in = 11},
                {.kind = CONV_CONV, .in = 12, .channels = half, .kernel = 3, .stride = 1},
                {.kind = CONV_RELU, .in = 13},
                {.kind = CONV_DECONV, .in = 14, .channels = 3, .kernel = 4, .stride = 2},
            },
    };
}

size_t preview_repair_len(const uint16_t widths[PREVIEW_WIDTHS])
{
    const struct conv_spec spec = preview_repair_spec(widths, 1, false);
    size_t channels[CONV_LAYERS_MAX + 1] = {spec.channels}, len = 0;

    for (unsigned i = 0; i < spec.layers; i++) {
        const struct conv_layer *l = &spec.layer[i];

        channels[i + 1] = l->channels != 0 ? l->channels : channels[l->in];
        len += (channels[l->in] * l->kernel * l->kernel + 1) * l->channels;
    }
    return len;
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
