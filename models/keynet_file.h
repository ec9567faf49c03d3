/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet_file - the weight file of a key network (FORMATS.md section 12).  Private
 * to models/ and tests; others use keynet_load().
 *
 * Threads: any.
 */
#ifndef MODELS_KEYNET_FILE_H
#define MODELS_KEYNET_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "models/keynet_net.h"

/*
 * Read a whole file into ${ret_p} (undefined on failure).  ERR_CORRUPT unless
 * every rule of the format holds; ERR_UNSUPPORTED for another version.
 */
MUST_CHECK int keynet_file_decode(struct keynet_params *ret_p, const uint8_t *data, size_t len,
                                  struct err *err);

/* Append the file to ${out}.  ERR_INVALID if a number is out of its range. */
MUST_CHECK int keynet_file_encode(const struct keynet_params *p, struct buf *out, struct err *err);

/* SHA-256. */
MUST_CHECK int keynet_file_hash(const void *data, size_t len, uint8_t ret_hash[32],
                                struct err *err);

#endif /* MODELS_KEYNET_FILE_H */
