/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picture - PNG, JPEG and WebP in memory become rows of RGB, and back to PNG.
 *
 * For pictures from anywhere: the size that a header claims is judged before
 * anything is decoded or allocated, and what is damaged is an error, never a
 * part of a picture.  Transparent parts become white.
 *
 * Threads: any, each with its own pictures.  Decoding takes long: not for the
 * loop thread.
 */
#ifndef MODELS_PICTURE_H
#define MODELS_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum {
    PICTURE_SIDE_MAX = 32768,
    PICTURE_PIXELS_MAX = 64 << 20,
    PICTURE_FILE_MAX = 256 << 20,
};

struct picture {
    unsigned width, height;           /* of rgb */
    unsigned full_width, full_height; /* of the picture in the file */
    uint8_t *rgb;                     /* width * height * 3 bytes; owned */
};

/*
 * Decode ${len} bytes.  If ${side} is not 0, a JPEG or WebP may come smaller
 * than it is, its shorter side still at least ${side}: much faster.  ERR_UNSUPPORTED
 * if the bytes are none of the three or move, ERR_TOOLARGE above the limits,
 * ERR_CORRUPT, ERR_NOMEM.
 */
MUST_CHECK int picture_decode(struct picture *ret_p, const uint8_t *data, size_t len, unsigned side,
                              struct err *err);

/* As picture_decode(), from a file.  Also ERR_NOTFOUND, ERR_IO. */
MUST_CHECK int picture_read(struct picture *ret_p, const char *path, unsigned side,
                            struct err *err);
void picture_free(struct picture *p); /* zeroed ones are fine */

/* A part of a picture; inside it, and not empty. */
struct picture_part {
    unsigned x, y, width, height;
};

/* Scale ${part} to ${w} x ${h} by averaging areas, into ${out}, w * h * 3 bytes. */
void picture_scale(const struct picture *p, const struct picture_part *part, unsigned w, unsigned h,
                   uint8_t *out);

/* Write ${rgb} as a PNG file.  ERR_IO, ERR_NOMEM. */
MUST_CHECK int picture_write(const char *path, const uint8_t *rgb, unsigned width, unsigned height,
                             struct err *err);

#endif /* MODELS_PICTURE_H */
