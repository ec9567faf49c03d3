/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_features.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "models/hot.h"

enum { N = PREVIEW_SIDE, PLANES = 3 };

/* Brightness, red against blue, green against both. */
static const float turn[PLANES][PLANES] = {
    {0.57735027F, 0.57735027F, 0.57735027F},
    {0.70710678F, 0.0F, -0.70710678F},
    {-0.40824829F, 0.81649658F, -0.40824829F},
};

/* Frequencies within these radii are kept. */
static const int radius[PLANES] = {39, 20, 20};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static float cosines[N][N], cosines_turned[N][N];
static uint16_t place[PREVIEW_FEATURES]; /* in planes, rows, columns; features without one: 0 */
static bool used[PREVIEW_FEATURES];

static void set_up(void)
{
    unsigned len[2] = {0, 0};

    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++) {
            double scale = k == 0 ? 1.0 / 8 : sqrt(2.0) / 8;

            cosines[k][i] = (float)(scale * cos(M_PI * (2 * i + 1) * k / (2.0 * N)));
            cosines_turned[i][k] = cosines[k][i];
        }
    for (int p = 0; p < PLANES; p++)
        for (int y = 0; y < N; y++)
            for (int x = 0; x < N; x++) {
                int half = x % 2;
                unsigned at = (unsigned)half * PREVIEW_HALF + len[half];

                if (x * x + y * y >= radius[p] * radius[p] * 5 / 4 || len[half] >= PREVIEW_HALF)
                    continue;
                place[at] = (uint16_t)((p * N + y) * N + x);
                used[at] = true;
                len[half]++;
            }
}

/* out = a x b, all N x N. */
HOT_WIDE static void multiply(float (*restrict out)[N], const float (*a)[N], const float (*b)[N])
{
    for (int i = 0; i < N; i++) {
        memset(out[i], 0, sizeof(out[i]));
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                out[i][j] += a[i][k] * b[k][j];
    }
}

void preview_features(const uint8_t *rgb, float features[PREVIEW_FEATURES])
{
    float values[PREVIEW_BYTES];

    for (int i = 0; i < PREVIEW_BYTES; i++)
        values[i] = (float)rgb[i] / 255;
    preview_features_of(values, features);
}

void preview_features_of(const float rgb[PREVIEW_BYTES], float features[PREVIEW_FEATURES])
{
    static _Thread_local float plane[PLANES][N][N], half[N][N];

    (void)pthread_once(&once, set_up);
    for (int p = 0; p < PLANES; p++) {
        for (int i = 0; i < PREVIEW_PIXELS; i++) {
            const float *c = rgb + (ptrdiff_t)i * 3;

            plane[p][i / N][i % N] = turn[p][0] * c[0] + turn[p][1] * c[1] + turn[p][2] * c[2];
        }
        multiply(half, cosines, plane[p]);
        multiply(plane[p], half, cosines_turned);
    }
    for (int f = 0; f < PREVIEW_FEATURES; f++)
        features[f] = used[f] ? (&plane[0][0][0])[place[f]] : 0;
}

void preview_pixels(const float features[PREVIEW_FEATURES], float rgb[PREVIEW_BYTES])
{
    static _Thread_local float plane[PLANES][N][N], half[N][N];

    (void)pthread_once(&once, set_up);
    memset(plane, 0, sizeof(plane));
    for (int f = 0; f < PREVIEW_FEATURES; f++)
        if (used[f])
            (&plane[0][0][0])[place[f]] = features[f];
    memset(rgb, 0, PREVIEW_BYTES * sizeof(float));
    for (int p = 0; p < PLANES; p++) {
        multiply(half, cosines_turned, plane[p]);
        multiply(plane[p], half, cosines);
        for (int i = 0; i < PREVIEW_PIXELS; i++)
            for (int c = 0; c < 3; c++)
                rgb[i * 3 + c] += turn[p][c] * plane[p][i / N][i % N];
    }
}
