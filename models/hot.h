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

#endif /* MODELS_HOT_H */
