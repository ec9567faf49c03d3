/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train - make a key network from a fresh seed: its weight file and its model card.
 *
 * Threads: any one; computes for some seconds.  Not under a ban on executable memory
 * (keynet_train.h).  Shows progress on standard error when that is a terminal.
 */
#ifndef SERVER_TRAIN_H
#define SERVER_TRAIN_H

#include "common/err.h"
#include "common/transfer/share.h"

/*
 * Replaces ${weights} and ${card}, mode 0600, the card first: the weights are what counts.
 * ${ret_id} may be NULL.
 */
MUST_CHECK int train_instance(const char *weights, const char *card, struct instance_id *ret_id,
                              struct err *err);

#endif /* SERVER_TRAIN_H */
