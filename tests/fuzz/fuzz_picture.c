/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: a decoded one has as many pixels as it says, and all of them can be scaled. */
#include <stdlib.h>

#include "models/picture.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[8 * 8 * 3];
    struct picture p;

    if (picture_decode(&p, data, size, 64, NULL) != ERR_OK) {
        if (p.rgb != NULL)
            abort();
        return 0;
    }
    if (p.width < 1 || p.height < 1 || p.rgb == NULL)
        abort();
    if ((uint64_t)p.width * p.height < 1 << 20) {
        const struct picture_part whole = {0, 0, p.width, p.height};

        picture_scale(&p, &whole, 8, 8, out);
    }
    picture_free(&p);
    return 0;
}
