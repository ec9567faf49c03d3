/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/widen.h"

/* A layer's channels and what one of its kernels holds. */
struct shape {
    size_t out, in, kernel;
};

static void shapes(const uint16_t widths[PREVIEW_WIDTHS], struct shape ret[CONV_LAYERS_MAX])
{
    const struct conv_spec spec = preview_repair_spec(widths, 1, false);
    size_t channels[CONV_LAYERS_MAX + 1] = {spec.channels};

    for (unsigned i = 0; i < spec.layers; i++) {
        const struct conv_layer *l = &spec.layer[i];

        channels[i + 1] = l->channels != 0 ? l->channels : channels[l->in];
        ret[i] = (struct shape){l->channels, channels[l->in], (size_t)l->kernel * l->kernel};
    }
}

/* Old outputs take the old numbers, and 0 of new inputs; new outputs stay as they were drawn. */
static const float *widen_layer(struct conv_params to, struct shape new, struct shape old,
                                const float *at)
{
    for (size_t o = 0; o < old.out; o++)
        for (size_t i = 0; i < new.in *new.kernel; i++)
            to.weights[o * new.in *new.kernel + i] = i < old.in * old.kernel ? *at++ : 0;
    for (size_t o = 0; o < old.out; o++)
        to.biases[o] = *at++;
    return at;
}

void widen(struct conv *repair, const uint16_t widths[PREVIEW_WIDTHS],
           const struct preview_net *from)
{
    struct shape new[CONV_LAYERS_MAX] = {{0}}, old[CONV_LAYERS_MAX] = {{0}};
    const float *at = from->repair;

    shapes(widths, new);
    shapes(from->widths, old);
    for (unsigned i = 0; i < CONV_LAYERS_MAX; i++)
        if (new[i].out > 0)
            at = widen_layer(conv_params(repair, i), new[i], old[i], at);
    conv_changed(repair);
}
