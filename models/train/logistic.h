/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logistic - symbols of which the values are distributed logistically: its sums
 * are as cheap as its derivatives, and its tails are those of pictures.
 *
 * Threads: any.
 */
#ifndef MODELS_TRAIN_LOGISTIC_H
#define MODELS_TRAIN_LOGISTIC_H

/* 1 / (1 + e^-x) */
float logistic(float x);

/* The share of symbol ${q}, for a mean and a spread in steps; 1e-7 at least. */
float logistic_share(float q, float mean, float spread);

/* The symbol for ${x} steps that costs least; ${lambda} weighs bits against squared steps. */
float logistic_choose(float x, float mean, float spread, float lambda);

/* Natural logarithm of the share, and its derivatives by mean and logarithm of the spread. */
float logistic_derive(float q, float mean, float spread, float *ret_mean, float *ret_spread);

#endif /* MODELS_TRAIN_LOGISTIC_H */
