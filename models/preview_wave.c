/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_wave.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "models/hot.h"

enum { N = PREVIEW_SIDE, PLANES = 3, COARSEST = N >> PREVIEW_LEVELS };

/* Brightness, red against blue, green against both, as in preview_features.c. */
static const float turn[PLANES][PLANES] = {
    {0.57735027F, 0.57735027F, 0.57735027F},
    {0.70710678F, 0.0F, -0.70710678F},
    {-0.40824829F, 0.81649658F, -0.40824829F},
};

/* The lifting steps of Cohen, Daubechies and Feauveau's 9/7 filters, and the scale of both ends. */
static const float lift[4] = {-1.586134342F, -0.05298011854F, 0.8829110762F, 0.4435068522F};
static const float low_scale = 1.149604398F;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct preview_band bands[PREVIEW_BANDS];

/* The places of a level's bands, in sides: across, down, both; and the mean, at the first. */
static const uint8_t places[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};

/* Number of the band of a level and plane at place ${p}. */
static int number(int level, int plane, int p)
{
    return level == 0 ? plane * 4 + p : 12 + (level - 1) * 9 + plane * 3 + p - 1;
}

static void set_up(void)
{
    uint16_t first = 0;

    for (int level = 0; level < PREVIEW_LEVELS; level++)
        for (int plane = 0; plane < PLANES; plane++)
            for (int p = level == 0 ? 0 : 1; p < 4; p++) {
                struct preview_band *b = &bands[number(level, plane, p)];

                b->level = (uint8_t)level;
                b->plane = (uint8_t)plane;
                b->right = places[p][0];
                b->down = places[p][1];
                b->side = (uint8_t)(COARSEST << level);
                b->first = first;
                b->parent = (int8_t)(level > 0 ? number(level - 1, plane, p) : -1);
                b->others[0] = (int8_t)(p > 1 ? number(level, plane, 1) : -1);
                b->others[1] = (int8_t)(p > 2 ? number(level, plane, 2) : -1);
                b->planes[0] = (int8_t)(plane > 0 ? number(level, 0, p) : -1);
                b->planes[1] = (int8_t)(plane > 1 ? number(level, 1, p) : -1);
                first = (uint16_t)(first + b->side * b->side);
            }
}

const struct preview_band *preview_bands(void)
{
    (void)pthread_once(&once, set_up);
    return bands;
}

/* Add ${times} both neighbours to every second row, mirrored at the ends; of ${n} rows. */
HOT_WIDE static void lift_rows(float (*restrict rows)[N], int n, int odd, float times)
{
    for (int y = odd; y < n; y += 2) {
        const float *before = rows[y > 0 ? y - 1 : 1];
        const float *after = rows[y + 1 < n ? y + 1 : n - 2];

        for (int x = 0; x < N; x++)
            rows[y][x] += times * (before[x] + after[x]);
    }
}

static void scale_rows(float (*rows)[N], int n, float low)
{
    for (int y = 0; y < n; y++)
        for (int x = 0; x < N; x++)
            rows[y][x] *= y % 2 == 0 ? low : 1 / low;
}

/* Even rows above odd ones, or back. */
static void sort_rows(float (*rows)[N], int n, int back)
{
    float sorted[N][N];

    for (int y = 0; y < n; y++) {
        int to = y % 2 * (n / 2) + y / 2;

        memcpy(sorted[back ? y : to], rows[back ? to : y], sizeof(sorted[0]));
    }
    memcpy(rows, sorted, (size_t)n * sizeof(sorted[0]));
}

static void forward_rows(float (*rows)[N], int n)
{
    for (int i = 0; i < 4; i++)
        lift_rows(rows, n, i % 2 == 0, lift[i]);
    scale_rows(rows, n, low_scale);
    sort_rows(rows, n, 0);
}

static void backward_rows(float (*rows)[N], int n)
{
    sort_rows(rows, n, 1);
    scale_rows(rows, n, 1 / low_scale);
    for (int i = 3; i >= 0; i--)
        lift_rows(rows, n, i % 2 == 0, -lift[i]);
}

static void transpose(float (*a)[N])
{
    for (int y = 0; y < N; y++)
        for (int x = 0; x < y; x++) {
            float v = a[y][x];

            a[y][x] = a[x][y];
            a[x][y] = v;
        }
}

/* Lift the ${n} first rows and columns alone: the others keep what they have. */
static void level_forward(float (*plane)[N], int n)
{
    float part[N][N] = {{0}};

    for (int y = 0; y < n; y++)
        memcpy(part[y], plane[y], (size_t)n * sizeof(float));
    forward_rows(part, n);
    transpose(part);
    forward_rows(part, n);
    transpose(part);
    for (int y = 0; y < n; y++)
        memcpy(plane[y], part[y], (size_t)n * sizeof(float));
}

static void level_backward(float (*plane)[N], int n)
{
    float part[N][N] = {{0}};

    for (int y = 0; y < n; y++)
        memcpy(part[y], plane[y], (size_t)n * sizeof(float));
    transpose(part);
    backward_rows(part, n);
    transpose(part);
    backward_rows(part, n);
    for (int y = 0; y < n; y++)
        memcpy(plane[y], part[y], (size_t)n * sizeof(float));
}

/* One row of a band in its plane. */
static float *band_row(float (*plane)[N], const struct preview_band *b, int y)
{
    return plane[b->down * b->side + y] + b->right * b->side;
}

void preview_wave(const float *rgb, float details[PREVIEW_DETAILS])
{
    float plane[N][N];

    (void)pthread_once(&once, set_up);
    for (int p = 0; p < PLANES; p++) {
        for (ptrdiff_t i = 0; i < PREVIEW_PIXELS; i++)
            plane[i / N][i % N] =
                turn[p][0] * rgb[i * 3] + turn[p][1] * rgb[i * 3 + 1] + turn[p][2] * rgb[i * 3 + 2];
        for (int n = N; n > COARSEST; n /= 2)
            level_forward(plane, n);
        for (int i = 0; i < PREVIEW_BANDS; i++)
            for (int y = 0; bands[i].plane == p && y < bands[i].side; y++)
                memcpy(details + bands[i].first + (ptrdiff_t)y * bands[i].side,
                       band_row(plane, &bands[i], y), bands[i].side * sizeof(float));
    }
}

void preview_unwave(const float details[PREVIEW_DETAILS], float *rgb)
{
    float plane[N][N];

    (void)pthread_once(&once, set_up);
    memset(rgb, 0, PREVIEW_BYTES * sizeof(float));
    for (int p = 0; p < PLANES; p++) {
        for (int i = 0; i < PREVIEW_BANDS; i++)
            for (int y = 0; bands[i].plane == p && y < bands[i].side; y++)
                memcpy(band_row(plane, &bands[i], y),
                       details + bands[i].first + (ptrdiff_t)y * bands[i].side,
                       bands[i].side * sizeof(float));
        for (int n = 2 * COARSEST; n <= N; n *= 2)
            level_backward(plane, n);
        for (ptrdiff_t i = 0; i < PREVIEW_PIXELS; i++)
            for (int c = 0; c < 3; c++)
                rgb[i * 3 + c] += turn[p][c] * plane[i / N][i % N];
    }
}
