/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Previews: what is decoded has symbols in range and is what the encoder writes for them; and of
 * symbols that stand in bytes which no encoder writes, the encoder's bytes are decoded to the same.
 *
 * A preview with all latents and details has 6,000 symbols, which a build with sanitizers reads a
 * few times a second.  So the head is written over in most inputs: there they have 64
 * latents, and at most one level of details.
 */
#include <stdlib.h>
#include <string.h>

#include "models/preview_symbols.h"
#include "tests/exact/sample_preview.h"
#include "tests/fuzz/fuzz.h"

enum {
    STEP_BITS = 0x7e, /* of the first byte; before them the aspect, behind them what more says */
    MORE = 1,
    FEW_LATENTS = 0xc0, /* of the second: depth 3 */
    ONE_LEVEL = 0x14,   /* of brightness, of colours */
    PAYLOAD = 0x03,
    ESCAPE_END = 4096,
    WHOLE = 0xf0, /* the inputs from this first byte on are taken as they are */
};

static void shorten(uint8_t *bytes)
{
    bytes[0] = (uint8_t)((bytes[0] & STEP_BITS) | MORE);
    bytes[1] = (uint8_t)(FEW_LATENTS | (bytes[1] & (ONE_LEVEL | PAYLOAD)));
}

static void check_range(const struct preview_symbols *s)
{
    MUST(s->step < PREVIEW_STEPS && s->aspect < PREVIEW_ASPECTS && s->depth < PREVIEW_DEPTHS);
    MUST(s->levels[0] <= PREVIEW_LEVELS && s->levels[1] <= PREVIEW_COLOUR_LEVELS);
}

/* True if an escape is further out than an encoder can write, which bytes alone can say. */
static bool too_far(const struct preview_net *net, const struct preview_symbols *s)
{
    struct preview_walk w;

    preview_walk_start(&w, net, s->step);
    for (unsigned i = 0; i < preview_depths[s->depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);

        if (preview_split(&g, s->q[i]).beyond >= ESCAPE_END)
            return true;
        preview_walk_tell(&w, i, s->q[i]);
    }
    for (int i = 0; i < PREVIEW_DETAILS; i++)
        if (abs(s->d[i]) >= ESCAPE_END)
            return true;
    return false;
}

/* Write ${s} as an encoder does, and read it again. */
static void check_again(const struct preview_net *net, const struct preview_symbols *s,
                        size_t class)
{
    static struct preview_symbols read;
    static struct preview_values values;
    uint8_t again[PREVIEW_LEN_MAX] = {0};

    if (too_far(net, s) || preview_symbols_encode(net, s, again, class) > class)
        return;
    MUST(preview_symbols_decode(net, part(again, class), &read, &values, NULL) == ERR_OK);
    MUST(memcmp(&read, s, sizeof(read)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct preview_net *net;
    static const size_t classes[] = {128, 256, 512};
    static struct preview_values values;
    static struct preview_symbols s;
    uint8_t bytes[PREVIEW_LEN_MAX] = {0};
    size_t class;

    if (net == NULL)
        net = sample_preview();
    if (net == NULL || size < 1 || size > 513)
        return 0;
    class = classes[data[0] % 3];
    memcpy(bytes, data + 1, size - 1 < class ? size - 1 : class);
    if (data[0] < WHOLE)
        shorten(bytes);
    if (preview_symbols_decode(net, part(bytes, class), &s, &values, NULL) == ERR_OK) {
        uint8_t again[PREVIEW_LEN_MAX] = {0};

        check_range(&s);
        MUST(preview_symbols_encode(net, &s, again, class) <= class);
        MUST(memcmp(bytes, again, class) == 0);
    } else if (s.levels[1] <= PREVIEW_COLOUR_LEVELS) {
        check_range(&s);
        check_again(net, &s, class);
    }
    return 0;
}
