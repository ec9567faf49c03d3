/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exact/sample_preview.h"

#include <stdlib.h>
#include <string.h>

#include "models/preview_symbols.h"

/* A linear congruential generator: its upper bits. */
static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 16;
}

/* -most to most */
static int16_t weight(uint32_t *state, int most)
{
    return (int16_t)((int)(next(state) % (2 * (unsigned)most + 1)) - most);
}

/* Sizes from 1/8 by eighths of octaves, rounded as integers: 2^(1/8) is about 1116/1024. */
static void fill_steps(struct preview_tables *t)
{
    uint32_t step = 512;

    for (int i = 0; i < PREVIEW_STEPS; i++, step = step * 1117 / 1024) {
        t->step[i] = step;
        t->per_step[i] = (65536U * 4096) / step;
    }
}

static void fill_latents(struct preview_tables *t, uint32_t *state)
{
    for (int j = 0; j < PREVIEW_LATENTS; j++) {
        uint32_t spread = 12000 / (2 + (uint32_t)j) + 60;

        t->spread[j] = spread;
        t->per_spread[j] = 4096 * 1024 / spread;
        t->scale[j] = (20 - j / 40) * (1 << 20);
        for (int k = 0; k < PREVIEW_HIDDEN; k++) {
            t->in_value[j][k] = weight(state, 60);
            t->in_size[j][k] = weight(state, 60);
            t->out_scale[j][k] = weight(state, 400);
            t->out_mean[j][k] = weight(state, 40);
        }
    }
    for (int k = 0; k < PREVIEW_HIDDEN; k++) {
        t->hidden[k] = weight(state, 30000);
        t->hidden_step[k] = weight(state, 600);
    }
}

/* Falling by a constant factor on both sides of the middle; slower in later tables. */
static void fill_table(struct preview_tables *t, int scale, int shift)
{
    uint16_t *count = t->count[scale][shift];
    uint32_t left = 65536 - PREVIEW_SYMBOLS, share = left - left * (uint32_t)scale / 24;

    for (int i = 0; i < PREVIEW_SYMBOLS; i++)
        count[i] = 1;
    for (int far = 0; far <= PREVIEW_REACH; far++) {
        uint32_t part = far == 0 ? share : (left * (24 - (uint32_t)scale) / 24) / 2;

        for (int side = far == 0 ? 1 : -1; side <= 1; side += 2) {
            uint32_t take = part < left ? part : left;

            count[PREVIEW_REACH + 1 + side * far] =
                (uint16_t)(count[PREVIEW_REACH + 1 + side * far] + take);
            left -= take;
        }
    }
    count[PREVIEW_REACH + 1] = (uint16_t)(count[PREVIEW_REACH + 1] + left);
    for (int i = 0; i < PREVIEW_SYMBOLS; i++)
        t->centre[scale][shift][i] = (int16_t)((PREVIEW_REACH + 1 - i) * 8);
}

/* A latent is one feature: cosines of the same half, low frequencies first. */
static void fill_rows(struct preview_net *net)
{
    for (int l = 0; l < PREVIEW_LATENTS; l++) {
        net->odd[l] = (uint8_t)(l % 2);
        net->row[l][l / 2] = 127;
        net->unit[l] = 1.0F / 127;
    }
}

/* Spreads of a third of a step or so; sizes around a place make them larger or smaller. */
static void fill_details(struct preview_net *net, uint32_t *state)
{
    struct preview_tables *t = &net->tables;

    for (int b = 0; b < PREVIEW_CODED; b++) {
        t->detail_out_bias[b] = -12 * (1 << 20);
        for (int h = 0; h < PREVIEW_DETAIL_HIDDEN; h++) {
            t->detail_bias[b][h] = weight(state, 2000);
            t->detail_out[b][h] = weight(state, 800);
            for (int i = 0; i < PREVIEW_SEEN; i++)
                t->detail_in[b][i][h] = weight(state, 40);
        }
    }
    net->detailed = true;
}

struct preview_net *sample_preview(void)
{
    struct preview_net *net = calloc(1, sizeof(*net));
    uint32_t state = 7;

    if (net == NULL)
        return NULL;
    memcpy(net->widths, preview_usual_widths, sizeof(net->widths));
    net->repair_len = preview_repair_len(net->widths);
    net->repair = calloc(net->repair_len, sizeof(float));
    if (net->repair == NULL) {
        free(net);
        return NULL;
    }
    fill_steps(&net->tables);
    fill_latents(&net->tables, &state);
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++)
            fill_table(&net->tables, s, m);
    fill_rows(net);
    fill_details(net, &state);
    preview_sum(net);
    return net;
}

void sample_picture(unsigned n, uint8_t rgb[PREVIEW_BYTES])
{
    uint32_t state = n + 1;
    int edge = (int)(next(&state) % 64), noise = (int)(n % 4) * 20;

    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            for (int c = 0; c < 3; c++) {
                int v = 60 + x * (1 + c) + y * (3 - c) / 2 + (x + y / 2 > edge ? 40 : 0);

                v += noise > 0 ? (int)(next(&state) % (unsigned)noise) : 0;
                rgb[(y * 64 + x) * 3 + c] = (uint8_t)(v > 255 ? 255 : v);
            }
}
