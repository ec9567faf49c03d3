/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/batch.h"

#include <stdlib.h>
#include <string.h>

#include "models/preview_linear.h"

int batch_make(struct batch *b, struct err *err)
{
    b->base = calloc((size_t)BATCH_LEN * PREVIEW_BYTES, sizeof(float));
    b->target = calloc((size_t)BATCH_LEN * PREVIEW_BYTES, sizeof(float));
    return b->base != NULL && b->target != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "training");
}

void batch_free(struct batch *b)
{
    free(b->base);
    free(b->target);
    b->base = b->target = NULL;
}

bool batch_draw(const struct batch *b, struct prg *prg, float latents[PREVIEW_LATENTS],
                size_t *ret_picture)
{
    size_t i = prg_below(prg, (uint32_t)b->data->n);
    bool mirrored = prg_below(prg, 2) == 1;

    for (int l = 0; l < PREVIEW_LATENTS; l++)
        latents[l] = mirrored && b->net->odd[l] != 0 ? -b->latents[i][l] : b->latents[i][l];
    *ret_picture = i;
    return mirrored;
}

/* A step, a depth, and what an error there weighs. */
static void draw_use(const struct batch *b, struct prg *prg, struct batch_place *p)
{
    struct use use = {.weight = 1};

    if (b->uses != NULL) {
        use = uses_draw(b->uses, prg);
    } else {
        use.step = (uint8_t)prg_below(prg, b->steps);
        use.depth = (uint8_t)prg_below(prg, PREVIEW_DEPTHS);
    }
    p->at = (struct detail_at){.step = use.step,
                               .depth = use.depth,
                               .size = (float)b->net->tables.step[use.step] / 4096,
                               .lambda = b->lambda};
    p->weight = use.weight;
}

/* What is shown of ${aim}. */
static void quantise(const struct batch *b, struct batch_place *p, const float *aim)
{
    const struct preview_choice choice = {.net = b->net, .costs = b->costs, .latents = aim};
    struct preview_symbols s = {
        .aspect = PREVIEW_SQUARE, .step = (uint8_t)p->at.step, .depth = (uint8_t)p->at.depth};

    if (p->quantised) {
        (void)preview_choose(&choice, &s, b->lambda, p->latents);
        return;
    }
    memcpy(p->latents, aim, PREVIEW_FLOATS * sizeof(float));
    memset(p->latents + PREVIEW_FLOATS, 0, sizeof(p->latents) - PREVIEW_FLOATS * sizeof(float));
}

static void show(struct batch *b, size_t i, float *input)
{
    const struct batch_place *p = &b->place[i];
    float features[PREVIEW_FEATURES], *base = b->base + i * PREVIEW_BYTES;
    float hint = p->quantised ? preview_repair_hint(p->at.step) : preview_repair_floats;

    preview_unlatents(b->net, p->latents, features);
    preview_pixels(features, base);
    preview_repair_put(input + i * 4 * PREVIEW_PIXELS, base, hint);
}

void batch_fill(struct batch *b, struct prg *prg, size_t i, bool quantised, float *input)
{
    struct batch_place *p = &b->place[i];
    float *target = b->target + i * PREVIEW_BYTES;
    size_t picture;
    bool mirrored = batch_draw(b, prg, p->wanted, &picture);
    const uint8_t *rgb = b->data->rgb + picture * PREVIEW_BYTES;

    p->quantised = quantised;
    p->aimed = prg_below(prg, 2) == 1;
    p->weight = b->uses != NULL ? b->uses->floats_weight : 1;
    if (quantised)
        draw_use(b, prg, p);
    quantise(b, p, p->wanted);
    show(b, i, input);
    for (size_t k = 0; k < PREVIEW_PIXELS; k++) {
        size_t from = mirrored ? k - k % PREVIEW_SIDE + (PREVIEW_SIDE - 1 - k % PREVIEW_SIDE) : k;

        for (size_t c = 0; c < 3; c++)
            target[k * 3 + c] = (float)rgb[from * 3 + c] / 255;
    }
}

void batch_aim(struct batch *b, const float *output, float *input)
{
    for (size_t i = 0; i < BATCH_LEN; i++) {
        struct batch_place *p = &b->place[i];
        float *base = b->base + i * PREVIEW_BYTES, aim[PREVIEW_LATENTS];

        if (!p->aimed)
            continue;
        for (size_t k = 0; k < PREVIEW_BYTES; k++)
            base[k] += output[i * PREVIEW_BYTES + k];
        preview_aim(b->net, p->wanted, p->latents, base, aim,
                    p->quantised ? preview_depths[p->at.depth] : PREVIEW_FLOATS);
        quantise(b, p, aim);
        show(b, i, input);
    }
}
