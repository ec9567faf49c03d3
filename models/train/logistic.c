/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/logistic.h"

#include <math.h>

float logistic(float x)
{
    return 1 / (1 + expf(-x));
}

/* The share of symbol ${q}, for a mean and a spread in steps. */
float logistic_share(float q, float mean, float spread)
{
    float low = (q - 0.5F - mean) / spread, high = (q + 0.5F - mean) / spread;
    float p = low > 0 ? logistic(-low) - logistic(-high) : logistic(high) - logistic(low);

    return p > 1e-7F ? p : 1e-7F;
}

/* The symbol for ${x} steps that costs least. */
float logistic_choose(float x, float mean, float spread, float lambda)
{
    float best = roundf(x), toward = best > 0 ? best - 1 : best + 1, cost, other;

    if (best == 0)
        return 0;
    cost = (x - best) * (x - best) - lambda * log2f(logistic_share(best, mean, spread));
    other = (x - toward) * (x - toward) - lambda * log2f(logistic_share(toward, mean, spread));
    if (other < cost) {
        best = toward;
        cost = other;
    }
    other = x * x - lambda * log2f(logistic_share(0, mean, spread));
    return other < cost ? 0 : best;
}

/* Natural logarithm of the share, and its derivatives by mean and logarithm of the spread. */
float logistic_derive(float q, float mean, float spread, float *ret_mean, float *ret_spread)
{
    float low = (q - 0.5F - mean) / spread, high = (q + 0.5F - mean) / spread;
    float p = logistic_share(q, mean, spread), a = logistic(low), b = logistic(high);
    float density_low = a * (1 - a), density_high = b * (1 - b);

    *ret_mean = -(density_high - density_low) / (spread * p);
    *ret_spread = -(density_high * high - density_low * low) / p;
    return logf(p);
}
