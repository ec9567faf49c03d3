/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_file - weight files of previews: FORMATS.md, "Weights of previews".
 *
 * Threads: any.
 */
#ifndef MODELS_PREVIEW_FILE_H
#define MODELS_PREVIEW_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "models/preview_net.h"

enum { PREVIEW_FILE_MAX = 4 << 20 };

/*
 * Read a weight file; every number that decides a symbol is checked.  Free
 * with preview_net_free().  ERR_CORRUPT, ERR_UNSUPPORTED for another version,
 * ERR_NOMEM.
 */
MUST_CHECK int preview_file_decode(struct preview_net **ret_net, const uint8_t *data, size_t len,
                                   struct err *err);
void preview_net_free(struct preview_net *net); /* NULL is fine */

/* Append the file of ${net} to ${out} and set net->id.  ERR_INVALID, ERR_NOMEM. */
MUST_CHECK int preview_file_encode(struct preview_net *net, struct buf *out, struct err *err);

#endif /* MODELS_PREVIEW_FILE_H */
