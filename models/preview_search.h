/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_search - finds the symbols of a picture that fit a number of bytes
 * and lose least.  An encoder may search as it likes, with floats; only the
 * decoder must be exact.
 *
 * Threads: any; the network and the costs are only read.
 */
#ifndef MODELS_PREVIEW_SEARCH_H
#define MODELS_PREVIEW_SEARCH_H

#include "models/preview_choose.h"

/* Find the symbols for ${size} bytes; s->aspect is an input.  ERR_TOOLARGE if nothing fits. */
MUST_CHECK int preview_search(const struct preview_choice *c, size_t size,
                              struct preview_symbols *s, struct err *err);

#endif /* MODELS_PREVIEW_SEARCH_H */
