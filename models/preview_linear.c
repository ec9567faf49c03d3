/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_linear.h"

#include <string.h>

#include "models/hot.h"

enum { D = PREVIEW_HALF };

HOT_WIDE static float dot(const float *restrict a, const int16_t *restrict b)
{
    float sum[16] = {0}, all = 0;

    for (int i = 0; i < D; i += 16)
        for (int j = 0; j < 16; j++)
            sum[j] += a[i + j] * (float)b[i + j];
    for (int j = 0; j < 16; j++)
        all += sum[j];
    return all;
}

HOT_WIDE static void add(float *restrict a, const int16_t *restrict b, float times)
{
    for (int i = 0; i < D; i++)
        a[i] += times * (float)b[i];
}

static void first_latents(const struct preview_net *net, const float features[PREVIEW_FEATURES],
                          float *latents, unsigned n)
{
    float centred[PREVIEW_FEATURES];

    for (int f = 0; f < PREVIEW_FEATURES; f++)
        centred[f] = features[f] - net->offset[f];
    for (unsigned l = 0; l < n; l++)
        latents[l] = dot(centred + (net->odd[l] != 0 ? D : 0), net->row[l]) * net->unit[l];
}

void preview_latents(const struct preview_net *net, const float features[PREVIEW_FEATURES],
                     float latents[PREVIEW_LATENTS])
{
    first_latents(net, features, latents, PREVIEW_LATENTS);
}

void preview_unlatents(const struct preview_net *net, const float latents[PREVIEW_LATENTS],
                       float features[PREVIEW_FEATURES])
{
    memcpy(features, net->offset, sizeof(net->offset));
    for (int l = 0; l < PREVIEW_LATENTS; l++)
        if (latents[l] < 0 || latents[l] > 0)
            add(features + (net->odd[l] != 0 ? D : 0), net->row[l], latents[l] * net->unit[l]);
}

void preview_aim(const struct preview_net *net, const float *wanted, const float *latents,
                 const float *picture, float *ret_aim, unsigned n)
{
    float features[PREVIEW_FEATURES], shown[PREVIEW_LATENTS];

    preview_features_of(picture, features);
    first_latents(net, features, shown, n);
    for (unsigned l = 0; l < n; l++)
        ret_aim[l] = wanted[l] + latents[l] - shown[l];
}
