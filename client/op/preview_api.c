/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/core/handle.h"
#include "client/local/preview_codec.h"

_Static_assert(sizeof(((struct satchel_preview *)0)->rgb) == PREVIEW_RGB_LEN, "the same pixels");
_Static_assert((int)SATCHEL_WEIGHTS_SIZE == (int)PREVIEW_ID_LEN, "the same names");

int satchel_preview_decode(const uint8_t *data, size_t len, const uint8_t *weights,
                           struct satchel_preview *ret, struct satchel_error *error)
{
    struct preview_image image;
    struct err err = {0};

    if (data == NULL || len == 0)
        (void)err_set(&err, ERR_INVALID, "no preview");
    else if (preview_show(data, len, weights, &image, &err) == ERR_OK) {
        ret->width = image.width;
        ret->height = image.height;
        memcpy(ret->rgb, image.rgb, sizeof(ret->rgb));
        return SATCHEL_OK;
    }
    return handle_error(error, &err);
}
