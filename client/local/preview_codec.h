/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_codec - previews of pictures in memory, with the weights that are
 * installed.  Module and weights are loaded when they are first needed and kept
 * until the process ends.
 *
 * Threads: any, one at a time: the others wait, so that no more than one
 * picture is unpacked at once.  Not for a loop thread.
 */
#ifndef CLIENT_LOCAL_PREVIEW_CODEC_H
#define CLIENT_LOCAL_PREVIEW_CODEC_H

#include <stdbool.h>

#include "client/local/preview_load.h"

enum {
    PREVIEW_CLASS = 256,           /* bytes of a preview that is sent */
    PREVIEW_SOURCE_MAX = 64 << 20, /* bytes of a picture's file that one is made of */
    PREVIEW_MAGIC_LEN = 12,
};

/* Do ${len} bytes, at least PREVIEW_MAGIC_LEN of them, begin like a picture that previews are
 * made of?  Loads nothing. */
bool preview_wanted(const uint8_t *data, size_t len);

/*
 * The preview of a PNG, JPEG or WebP of ${len} bytes, and what names the weights.  ERR_UNSUPPORTED
 * (no picture, or previews are not installed), ERR_NOTFOUND (no weights), ERR_TOOLARGE,
 * ERR_CORRUPT, ERR_NOMEM, ERR_INTERNAL.
 */
MUST_CHECK int preview_of_picture(const uint8_t *data, size_t len, uint8_t out[PREVIEW_CLASS],
                                  uint8_t ret_weights[PREVIEW_ID_LEN], struct err *err);

/*
 * What ${len} bytes from anybody show.  ${weights}: PREVIEW_ID_LEN bytes that name the weights they
 * need, NULL: not told, ours are taken.  Errors as above; ERR_CORRUPT: nothing; ERR_REFUSED: they
 * need other weights than ours.
 */
MUST_CHECK int preview_show(const uint8_t *data, size_t len, const uint8_t *weights,
                            struct preview_image *ret_image, struct err *err);

#endif /* CLIENT_LOCAL_PREVIEW_CODEC_H */
