/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview - a picture in 128, 256 or 512 bytes.
 *
 * A preview is 64 x 64 pixels and the ratio of the picture's sides.  Its bytes
 * have exactly the length of their class, so that the length says nothing of
 * the picture.  Bytes and weights belong together: a reader needs the weights
 * of the writer, which preview_id() names.  The same bytes give the same
 * symbols on every machine, and pixels that differ by one level at most.
 *
 * Decoding is for bytes from anybody: fixed sizes, no allocation.
 *
 * Threads: a struct preview one at a time; several may exist.  Opening takes
 * some 20 ms, encoding and decoding a few; not for a loop thread.
 */
#ifndef MODELS_PREVIEW_H
#define MODELS_PREVIEW_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
    PREVIEW_CLASSES = 3,
    PREVIEW_CLASS_MAX = 512,
    PREVIEW_ID_LEN = 4,
    PREVIEW_RGB_LEN = 64 * 64 * 3,
};

/* The classes, in bytes. */
static const size_t preview_classes[PREVIEW_CLASSES] = {128, 256, 512};

struct preview;

/* Make it from the bytes of a weight file.  ERR_CORRUPT, ERR_UNSUPPORTED, ERR_NOMEM. */
MUST_CHECK int preview_make(struct preview **ret_p, const uint8_t *weights, size_t len,
                            struct err *err);

/* As preview_make(), from a file.  Also ERR_NOTFOUND, ERR_IO. */
MUST_CHECK int preview_make_file(struct preview **ret_p, const char *path, struct err *err);
void preview_close(struct preview *p); /* NULL is fine */

/* PREVIEW_ID_LEN bytes that name the weights; owned by ${p}. */
const uint8_t *preview_id(const struct preview *p);

/* A picture scaled to 64 x 64, row by row, and the sides it had. */
struct preview_image {
    unsigned width, height;
    uint8_t rgb[PREVIEW_RGB_LEN];
};

/*
 * Encode into ${class} bytes (one of preview_classes) at ${out}.  ERR_INVALID
 * for another class or sides of 0, ERR_TOOLARGE if the picture does not fit.
 */
MUST_CHECK int preview_encode(struct preview *p, const struct preview_image *image, size_t class,
                              uint8_t *out, struct err *err);

/*
 * Decode ${len} bytes.  The sides of the result have the ratio of the
 * picture's (to 9 %), the longer one is 64.  ERR_CORRUPT for bytes that no
 * encoder with these weights writes, ERR_INTERNAL if oneDNN fails.
 */
MUST_CHECK int preview_decode(struct preview *p, const uint8_t *data, size_t len,
                              struct preview_image *ret_image, struct err *err);

/* What ${image} is without quantisation: 512 numbers, and the picture they give. */
MUST_CHECK int preview_float(struct preview *p, const struct preview_image *image,
                             float ret_numbers[512], struct preview_image *ret_image,
                             struct err *err);

#endif /* MODELS_PREVIEW_H */
