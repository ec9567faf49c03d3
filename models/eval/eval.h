/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval - how good previews are on a folder of pictures, beside what else there
 * is: JPEG and WebP without their headers, and a hash of a few frequencies.
 *
 * Threads: one at a time; it takes seconds for each hundred pictures.
 */
#ifndef MODELS_EVAL_EVAL_H
#define MODELS_EVAL_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "models/preview.h"

/* Errors of a way to make pictures small, as means over all of them; values from 0 to 1. */
struct eval_figures {
    double bytes, mse, rmse, mae, psnr, ssim;
};

enum { EVAL_BASELINES = 2, EVAL_JPEG = 0, EVAL_WEBP = 1 };

struct eval_result {
    size_t images, refused;
    struct eval_figures classes[PREVIEW_CLASSES];
    struct eval_figures baseline[EVAL_BASELINES]
                                [PREVIEW_CLASSES]; /* not more bytes than the class */
    struct eval_figures hash;                      /* like ThumbHash */
    struct eval_figures latent;                    /* 512 numbers, not quantised */
    uint8_t sample[256];                           /* the preview of the first picture */
    double encode_ms, decode_ms;                   /* of processor time, the class of 256 bytes */
};

struct eval_spec {
    struct preview *preview;
    const char *folder;        /* PNG and JPEG files, in all folders below */
    const char *only;          /* a list of paths below it, one a line; NULL: all */
    const char *sheet;         /* write original, preview, difference here; NULL: do not */
    const char *plot;          /* write rate and distortion here; NULL: do not */
    size_t limit;              /* pictures at most; 0: all */
    unsigned crops;            /* squares out of each picture instead of all of it; 0: all of it */
    void (*tick)(size_t done); /* NULL: nobody watches */
};

/* Evaluate.  ERR_NOTFOUND without a picture, ERR_IO, and those of preview.h. */
MUST_CHECK int eval_run(const struct eval_spec *spec, struct eval_result *ret, struct err *err);

/* ---- its parts ---- */

/* Add the errors of ${b} against ${a}, both 64 x 64, made of ${bytes}. */
void eval_add(struct eval_figures *sum, const uint8_t *a, const uint8_t *b, double bytes);
void eval_mean(struct eval_figures *sum, size_t n);

/* The best of a baseline within ${size} bytes without headers; if none is, its smallest. */
MUST_CHECK int eval_baseline(int which, const uint8_t *rgb, size_t size, uint8_t *ret_rgb,
                             size_t *ret_bytes, struct err *err);
void eval_hash(const uint8_t *rgb, uint8_t *ret_rgb, size_t *ret_bytes);

#endif /* MODELS_EVAL_EVAL_H */
