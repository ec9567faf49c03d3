/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - counts the probability tables of previews from what the encoder
 * really writes, and where in their unit the values of each symbol lie.
 *
 * The tables that the estimator stores say what a logistic distribution would
 * give if values were rounded.  The encoder weighs bits against errors, so it
 * writes 0 more often, and values lie further out than their symbol.
 */
#ifndef MODELS_TRAIN_TABLE_H
#define MODELS_TRAIN_TABLE_H

#include "common/err.h"
#include "models/preview_net.h"
#include "models/train/data.h"

/*
 * Encode drawn pictures in every class with ${net}, and replace
 * its tables by what was counted; what was seen seldom stays near what it was.
 * Returns in ${ret_lost} the mean squared error of the previews, before that.
 * ERR_NOMEM, ERR_INTERNAL, and what preview.h says.
 */
MUST_CHECK int table_count(struct preview_net *net, const struct data_draw *draw, float *ret_lost,
                           struct err *err);

#endif /* MODELS_TRAIN_TABLE_H */
