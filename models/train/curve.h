/* SPDX-License-Identifier: Apache-2.0 */
/* curve - the loss curve of a training, as numbers and as a picture.  Threads: any. */
#ifndef MODELS_TRAIN_CURVE_H
#define MODELS_TRAIN_CURVE_H

#include "common/err.h"
#include "models/train/checkpoint.h"

enum { CURVE_PARTS = 3 };

/* Names of the parts, as struct curve_point numbers them. */
extern const char *const curve_parts[CURVE_PARTS];

/* Write ${out}.csv and ${out}.png.  ERR_IO, ERR_NOMEM. */
MUST_CHECK int curve_write(const char *out, const struct progress *p, struct err *err);

#endif /* MODELS_TRAIN_CURVE_H */
