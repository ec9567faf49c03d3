/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "models/eval/eval.h"
#include "models/preview_features.h"

enum { S = PREVIEW_SIDE, WINDOW = 8, STRIDE = 4 };

static double brightness(const uint8_t *c)
{
    return (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2]) / 255;
}

/* Structural similarity of one window of brightness (Wang and others, 2004). */
static double window(const uint8_t *a, const uint8_t *b, int x0, int y0)
{
    double n = WINDOW * WINDOW, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    const double c1 = 0.0001, c2 = 0.0009;

    for (int y = y0; y < y0 + WINDOW; y++)
        for (int x = x0; x < x0 + WINDOW; x++) {
            double va = brightness(a + (ptrdiff_t)(y * S + x) * 3);
            double vb = brightness(b + (ptrdiff_t)(y * S + x) * 3);

            ma += va / n;
            mb += vb / n;
            aa += va * va / n;
            bb += vb * vb / n;
            ab += va * vb / n;
        }
    aa -= ma * ma;
    bb -= mb * mb;
    ab -= ma * mb;
    return (2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (aa + bb + c2));
}

static double ssim(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    int n = 0;

    for (int y = 0; y + WINDOW <= S; y += STRIDE)
        for (int x = 0; x + WINDOW <= S; x += STRIDE, n++)
            sum += window(a, b, x, y);
    return sum / n;
}

void eval_add(struct eval_figures *sum, const uint8_t *a, const uint8_t *b, double bytes)
{
    double square = 0, size = 0;

    for (int i = 0; i < PREVIEW_BYTES; i++) {
        double d = (a[i] - b[i]) / 255.0;

        square += d * d / PREVIEW_BYTES;
        size += fabs(d) / PREVIEW_BYTES;
    }
    sum->bytes += bytes;
    sum->mse += square;
    sum->mae += size;
    sum->psnr += -10 * log10(fmax(square, 1e-10));
    sum->ssim += ssim(a, b);
}

void eval_mean(struct eval_figures *sum, size_t n)
{
    double d = n > 0 ? (double)n : 1;

    sum->bytes /= d;
    sum->mse /= d;
    sum->mae /= d;
    sum->psnr /= d;
    sum->ssim /= d;
    sum->rmse = sqrt(sum->mse);
}
