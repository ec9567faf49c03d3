/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample_preview - a network of previews that was never trained, made of
 * integers alone and so the same everywhere.  Bad at pictures, but whole.
 */
#ifndef TESTS_EXACT_SAMPLE_PREVIEW_H
#define TESTS_EXACT_SAMPLE_PREVIEW_H

#include "models/preview_net.h"

/* Make it; free it with preview_net_free().  NULL when out of memory. */
struct preview_net *sample_preview(void);

/* Picture ${n} of 64 x 64 pixels: soft shapes, edges, and noise. */
void sample_picture(unsigned n, uint8_t rgb[PREVIEW_BYTES]);

#endif /* TESTS_EXACT_SAMPLE_PREVIEW_H */
