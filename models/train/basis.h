/* SPDX-License-Identifier: Apache-2.0 */
/*
 * basis - the linear layer of previews: the principal components of features,
 * which is where the best linear auto-encoder of a width ends.
 */
#ifndef MODELS_TRAIN_BASIS_H
#define MODELS_TRAIN_BASIS_H

#include <stddef.h>

#include "common/err.h"
#include "models/preview_net.h"

/*
 * Fill offset, odd, unit, row and tables.spread of ${net} from ${n} pictures'
 * features; each counts also mirrored.  ERR_NOMEM, ERR_UNSUPPORTED.
 */
MUST_CHECK int basis_make(struct preview_net *net, const float (*features)[PREVIEW_FEATURES],
                          size_t n, struct err *err);

#endif /* MODELS_TRAIN_BASIS_H */
