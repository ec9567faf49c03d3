/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview_module - previews as a module that is loaded when somebody needs
 * them, so that programs start without oneDNN: satchel-preview.so.  Its one
 * symbol is a table of the functions of preview.h, picture.h and eval.h.
 *
 * Threads: as the functions themselves.
 */
#ifndef MODELS_PREVIEW_MODULE_H
#define MODELS_PREVIEW_MODULE_H

#include "models/eval/eval.h"
#include "models/preview.h"

#define PREVIEW_MODULE_FILE   "satchel-preview.so"
#define PREVIEW_MODULE_SYMBOL "satchel_preview_module"

enum { PREVIEW_MODULE_VERSION = 2 };

struct preview_module {
    unsigned version;
    int (*open_file)(struct preview **ret_p, const char *path, struct err *err);
    void (*close)(struct preview *p);
    const uint8_t *(*id)(const struct preview *p);
    int (*encode)(struct preview *p, const struct preview_image *image, size_t class, uint8_t *out,
                  struct err *err);
    int (*decode)(struct preview *p, const uint8_t *data, size_t len,
                  struct preview_image *ret_image, struct err *err);
    /* A PNG, JPEG or WebP file, scaled to 64 x 64, with the sides it had; errors of picture_read().
     */
    int (*read)(const char *path, struct preview_image *ret_image, struct err *err);
    /* The same of a file's ${len} bytes; errors of picture_decode(). */
    int (*scale)(const uint8_t *data, size_t len, struct preview_image *ret_image, struct err *err);
    /* A PNG file whose sides are those of ${image}, which must not exceed 64. */
    int (*write)(const char *path, const struct preview_image *image, struct err *err);
    int (*evaluate)(const struct eval_spec *spec, struct eval_result *ret, struct err *err);
};

#endif /* MODELS_PREVIEW_MODULE_H */
