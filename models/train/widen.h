/* SPDX-License-Identifier: Apache-2.0 */
/*
 * widen - the layers that repair, out of a weight file into the trainer, at
 * the same width or at a larger one.  A wider network begins by computing what
 * the narrower one did ("Net2Net: Accelerating Learning via Knowledge
 * Transfer", Chen, Goodfellow, Shlens, 2016, but with new channels drawn
 * instead of copied): nothing old reads a new channel at first, so that only
 * training gives it a say.
 *
 * Threads: one at a time for each network.  Errors: none.
 */
#ifndef MODELS_TRAIN_WIDEN_H
#define MODELS_TRAIN_WIDEN_H

#include "models/preview_net.h"

/*
 * Put the numbers of ${from}'s layers into ${repair}, a drawn network whose layers are those of
 * preview_repair_spec() with ${widths}, each at least as large as ${from}'s.
 */
void widen(struct conv *repair, const uint16_t widths[PREVIEW_WIDTHS],
           const struct preview_net *from);

#endif /* MODELS_TRAIN_WIDEN_H */
