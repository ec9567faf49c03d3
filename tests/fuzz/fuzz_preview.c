/* SPDX-License-Identifier: Apache-2.0 */
/* Previews: what is decoded has symbols in range and is what the encoder writes for them. */
#include <stdlib.h>
#include <string.h>

#include "models/preview_symbols.h"
#include "tests/exact/sample_preview.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct preview_net *net;
    static const size_t classes[] = {128, 256, 512};
    uint8_t bytes[512] = {0}, again[512] = {0};
    static struct preview_values values;
    static struct preview_symbols s;
    size_t class;

    if (net == NULL)
        net = sample_preview();
    if (net == NULL || size < 1 || size > 513)
        return 0;
    class = classes[data[0] % 3];
    memcpy(bytes, data + 1, size - 1 < class ? size - 1 : class);
    if (preview_symbols_decode(net, bytes, class, &s, &values, NULL) != ERR_OK)
        return 0;
    if (s.step >= PREVIEW_STEPS || s.aspect >= PREVIEW_ASPECTS || s.depth >= PREVIEW_DEPTHS ||
        s.levels[0] > PREVIEW_LEVELS || s.levels[1] > PREVIEW_COLOUR_LEVELS ||
        preview_symbols_encode(net, &s, again, class) > class || memcmp(bytes, again, class) != 0)
        abort();
    return 0;
}
