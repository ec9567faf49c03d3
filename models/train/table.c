/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/preview.h"
#include "models/preview_detail.h"
#include "models/preview_file.h"
#include "models/preview_linear.h"

/* What was there before counts as so many symbols of a table, and so many of a symbol. */
static const double kept_symbols = 256, kept_values = 32;

struct tally {
    double symbols[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS];
    double values[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS];
    double within[PREVIEW_SCALES][PREVIEW_SHIFTS][PREVIEW_SYMBOLS]; /* sums of value - symbol */
    double lost;
    struct preview_image image, back;
    struct preview_symbols s;
    struct preview_values v;
};

/* One symbol, written for ${x} steps. */
static void tally_symbol(struct tally *t, const struct preview_guess *g, int32_t q, float x)
{
    struct preview_split split = preview_split(g, q);
    unsigned at = split.symbol;

    t->symbols[g->scale][g->shift][at]++;
    if (g->raw > 0 || at == 0 || at == PREVIEW_SYMBOLS - 1)
        return;
    t->values[g->scale][g->shift][at]++;
    t->within[g->scale][g->shift][at] += (double)(x - (float)q);
}

static void tally_latents(struct tally *t, const struct preview_net *net)
{
    float per_step = 4096 / (float)net->tables.step[t->s.step];
    float features[PREVIEW_FEATURES], latents[PREVIEW_LATENTS];
    struct preview_walk w;

    preview_features(t->image.rgb, features);
    preview_latents(net, features, latents);
    preview_walk_start(&w, net, t->s.step);
    for (unsigned i = 0; i < preview_depths[t->s.depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);

        tally_symbol(t, &g, t->s.q[i], latents[i] * per_step);
        preview_walk_tell(&w, i, t->s.q[i]);
    }
}

/* What the details stand for: the picture without what it is before they are added. */
static void rest_of(const struct tally *t, float details[PREVIEW_DETAILS])
{
    float rest[PREVIEW_BYTES];

    preview_unwave(t->v.details, rest);
    for (int i = 0; i < PREVIEW_BYTES; i++)
        rest[i] += (float)(t->image.rgb[i] - t->back.rgb[i]) / 255;
    preview_wave(rest, details);
}

static void tally_details(struct tally *t, const struct preview_net *net)
{
    const struct preview_band *bands = preview_bands();
    float per_step = 4096 / (float)net->tables.step[t->s.step];
    float details[PREVIEW_DETAILS];
    struct preview_survey survey;
    struct preview_place p;

    rest_of(t, details);
    preview_survey_start(&survey, net, t->s.step, t->s.depth);
    for (p.band = 0; p.band < PREVIEW_CODED; p.band++) {
        const struct preview_band *b = &bands[p.band];

        for (p.y = 0; preview_band_kept(b, t->s.levels) && p.y < b->side; p.y++)
            for (p.x = 0; p.x < b->side; p.x++) {
                unsigned at = b->first + p.y * b->side + p.x;
                struct preview_guess g = preview_survey_guess(&survey, p);

                tally_symbol(t, &g, t->s.d[at], details[at] * per_step);
                preview_survey_tell(&survey, p, t->s.d[at]);
            }
    }
}

/* A picture of the data, in half the cases mirrored. */
static void draw_image(struct preview_image *image, const struct data_draw *draw)
{
    const struct data *data = draw->data;
    const uint8_t *rgb =
        data->rgb + prg_below(draw->prg, (uint32_t)data->n) * (size_t)PREVIEW_BYTES;
    bool mirrored = prg_below(draw->prg, 2) == 1;

    image->width = image->height = PREVIEW_SIDE;
    for (size_t i = 0; i < PREVIEW_PIXELS; i++) {
        size_t x = i % PREVIEW_SIDE, from = mirrored ? i - x + (PREVIEW_SIDE - 1 - x) : i;

        memcpy(image->rgb + i * 3, rgb + from * 3, 3);
    }
}

static double squared_error(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;

    for (int i = 0; i < PREVIEW_BYTES; i++)
        sum += (double)((a[i] - b[i]) * (a[i] - b[i]));
    return sum / (255.0 * 255 * PREVIEW_BYTES);
}

/* Encode, decode and count the image in one class. */
static int tally_class(struct tally *t, struct preview *p, const struct preview_net *net,
                       size_t class, struct err *err)
{
    uint8_t bytes[PREVIEW_CLASS_MAX];
    int rc = preview_encode(p, &t->image, class, bytes, err);

    if (rc == ERR_TOOLARGE)
        return ERR_OK;
    if (rc == ERR_OK)
        rc = preview_decode(p, bytes, class, &t->back, err);
    if (rc == ERR_OK)
        rc = preview_symbols_decode(net, part(bytes, class), &t->s, &t->v, err);
    if (rc != ERR_OK)
        return rc;
    t->lost += squared_error(t->image.rgb, t->back.rgb);
    tally_latents(t, net);
    if (preview_has_details(&t->s))
        tally_details(t, net);
    return ERR_OK;
}

/* Counts that add up to 2^16, none of them 0. */
static void store_counts(uint16_t *count, const double *seen)
{
    double all = kept_symbols;
    int sum = 0, most = 0;

    for (int i = 0; i < PREVIEW_SYMBOLS; i++)
        all += seen[i];
    for (int i = 0; i < PREVIEW_SYMBOLS; i++) {
        double share = (seen[i] + kept_symbols * count[i] / 65536) / all;

        count[i] = (uint16_t)fmax(floor(share * 65000), 1);
        sum += count[i];
        most = count[i] > count[most] ? i : most;
    }
    count[most] = (uint16_t)(count[most] + 65536 - sum);
}

static void store(struct preview_tables *to, const struct tally *t)
{
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++) {
            store_counts(to->count[s][m], t->symbols[s][m]);
            for (int i = 1; i < PREVIEW_SYMBOLS - 1; i++) {
                double sum = kept_values * to->centre[s][m][i] + 1024 * t->within[s][m][i];

                to->centre[s][m][i] = (int16_t)lrint(sum / (kept_values + t->values[s][m][i]));
            }
        }
}

int table_count(struct preview_net *net, const struct data_draw *draw, float *ret_lost,
                struct err *err)
{
    struct tally *t = calloc(1, sizeof(*t));
    struct preview *p = NULL;
    struct buf file = {0};
    int rc = t != NULL ? preview_file_encode(net, &file, err) : err_set(err, ERR_NOMEM, "tables");

    if (rc == ERR_OK)
        rc = preview_make(&p, file.data, file.len, err);
    for (unsigned n = 0; n < draw->pictures && rc == ERR_OK; n++) {
        draw_image(&t->image, draw);
        for (int c = 0; c < PREVIEW_CLASSES && rc == ERR_OK; c++)
            rc = tally_class(t, p, net, preview_classes[c], err);
    }
    if (rc == ERR_OK) {
        store(&net->tables, t);
        preview_sum(net);
        *ret_lost = (float)(t->lost / PREVIEW_CLASSES / (draw->pictures > 0 ? draw->pictures : 1));
    }
    preview_close(p);
    buf_free(&file);
    free(t);
    return rc;
}
