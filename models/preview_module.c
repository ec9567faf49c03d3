/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_module.h"

#include "models/picture.h"

enum { SIDE = 64, READ_SIDE = 128 };

/* Frees ${p}. */
static void scale(struct picture *p, struct preview_image *ret_image)
{
    picture_scale(p, &(struct picture_part){0, 0, p->width, p->height}, SIDE, SIDE, ret_image->rgb);
    ret_image->width = p->full_width;
    ret_image->height = p->full_height;
    picture_free(p);
}

static int read_picture(const char *path, struct preview_image *ret_image, struct err *err)
{
    struct picture p;
    int rc = picture_read(&p, path, READ_SIDE, err);

    if (rc == ERR_OK)
        scale(&p, ret_image);
    return rc;
}

static int scale_picture(const uint8_t *data, size_t len, struct preview_image *ret_image,
                         struct err *err)
{
    struct picture p;
    int rc = picture_decode(&p, data, len, READ_SIDE, err);

    if (rc == ERR_OK)
        scale(&p, ret_image);
    return rc;
}

static int write_picture(const char *path, const struct preview_image *image, struct err *err)
{
    uint8_t rgb[PREVIEW_RGB_LEN], from[PREVIEW_RGB_LEN];
    const struct picture_part whole = {0, 0, SIDE, SIDE};
    struct picture p = {.width = SIDE, .height = SIDE, .rgb = from};

    if (image->width < 1 || image->width > SIDE || image->height < 1 || image->height > SIDE)
        return err_set(err, ERR_INVALID, "preview of %u x %u pixels", image->width, image->height);
    for (int i = 0; i < PREVIEW_RGB_LEN; i++)
        from[i] = image->rgb[i];
    picture_scale(&p, &whole, image->width, image->height, rgb);
    return picture_write(path, rgb, image->width, image->height, err);
}

extern const struct preview_module satchel_preview_module;

__attribute__((visibility("default"))) const struct preview_module satchel_preview_module = {
    .version = PREVIEW_MODULE_VERSION,
    .open_file = preview_make_file,
    .close = preview_close,
    .id = preview_id,
    .encode = preview_encode,
    .decode = preview_decode,
    .read = read_picture,
    .scale = scale_picture,
    .write = write_picture,
    .evaluate = eval_run,
};
