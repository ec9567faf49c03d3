/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot - marks the few inner loops that sanitizers leave alone.
 *
 * A sanitizer checks each load and so keeps a loop from being vectorised: tens
 * of times slower, which every program that makes or uses an instance would
 * feel.  Only for loops whose bounds are obvious from a few lines.
 */
#ifndef MODELS_HOT_H
#define MODELS_HOT_H

#define HOT_UNCHECKED                                                                              \
    __attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))

/*
 * As HOT_UNCHECKED, and compiled for wider vectors too where the machine has
 * them.  Sums of floats then differ in their last bits from machine to machine.
 */
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) &&              \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define HOT_WIDE HOT_UNCHECKED __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define HOT_WIDE HOT_UNCHECKED
#endif

#endif /* MODELS_HOT_H */
