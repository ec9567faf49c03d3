/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_dnnl - the key network on oneDNN.  Private to models/.
 *
 * The products run on oneDNN, with no bias, scale or post-operation; all that
 * follows them is integer C (keynet_plain.h).  Compiled products and laid-out
 * weights are shared; a lane is what one thread computes with.
 *
 * Threads: a struct keynet_dnnl any; a lane one at a time.
 */
#ifndef MODELS_KEYNET_DNNL_H
#define MODELS_KEYNET_DNNL_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "models/keynet_net.h"

struct keynet_dnnl;
struct keynet_lane;

/* Compile for ${p}, which must outlive the result.  ERR_UNSUPPORTED, ERR_NOMEM. */
MUST_CHECK int keynet_dnnl_new(struct keynet_dnnl **ret_d, const struct keynet_params *p,
                               struct err *err);
void keynet_dnnl_free(struct keynet_dnnl *d); /* after its lanes; NULL is fine */

MUST_CHECK int keynet_lane_new(struct keynet_lane **ret_lane, struct keynet_dnnl *d,
                               struct err *err);
void keynet_lane_free(struct keynet_lane *lane); /* wipes; NULL is fine */

/*
 * Compute as many of the ${n} inputs as one batch takes and return how many
 * that were, or a negative error.  Each input byte is at most 127.
 */
int keynet_lane_step(struct keynet_lane *lane, const uint8_t *in, size_t n, uint8_t *out);

#endif /* MODELS_KEYNET_DNNL_H */
