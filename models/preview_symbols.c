/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hidden values are taken modulo 2^32, so that no weights can make them
 * overflow; everything else is limited where it is computed.
 */
#include "models/preview_symbols.h"

#include <string.h>

#include "models/hot.h"
#include "models/preview_detail.h"

enum {
    VALUE_MAX = 1023,  /* of a told latent, 1/128 of its spread */
    FIRST_SCALE = -32, /* the first table's spread below the step, eighths of an octave */
    BEYOND_MAX = 4096,
};

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* v / 2^n, downward. */
static int64_t shifted(int64_t v, unsigned n)
{
    return v >= 0 ? v >> n : -((-v + ((int64_t)1 << n) - 1) >> n);
}

static int32_t as_signed(uint32_t v)
{
    return v <= INT32_MAX ? (int32_t)v : (int32_t)((int64_t)v - ((int64_t)1 << 32));
}

void preview_walk_start(struct preview_walk *w, const struct preview_net *net, unsigned step)
{
    const struct preview_tables *t = &net->tables;

    w->net = net;
    w->step = step;
    for (int k = 0; k < PREVIEW_HIDDEN; k++)
        w->hidden[k] = (uint32_t)t->hidden[k] + (uint32_t)t->hidden_step[k] * step;
}

/* Both outputs of the estimator, 2^20 times what they mean: far below 2^40, so exact. */
HOT_WIDE static void outputs(const struct preview_walk *w, unsigned latent, int64_t ret[2])
{
    const int16_t *scale = w->net->tables.out_scale[latent];
    const int16_t *mean = w->net->tables.out_mean[latent];

    ret[0] = w->net->tables.scale[latent];
    ret[1] = w->net->tables.mean[latent];
    for (int k = 0; k < PREVIEW_HIDDEN; k++) {
        int32_t h = as_signed(w->hidden[k]) / 128;

        h = h < 0 ? 0 : h > 32767 ? 32767 : h;
        ret[0] += h * scale[k];
        ret[1] += h * mean[k];
    }
}

struct preview_guess preview_walk_guess(const struct preview_walk *w, unsigned latent)
{
    const struct preview_tables *t = &w->net->tables;
    struct preview_guess g = {0};
    int64_t out[2];
    int64_t eighths, mean;

    outputs(w, latent, out);
    eighths = shifted(out[0], 20) - (int64_t)w->step - FIRST_SCALE;
    eighths = clamp(eighths, 0, 2 * PREVIEW_SCALES - 1 + 8 * 10);
    while (eighths > 2 * PREVIEW_SCALES - 1) {
        eighths -= 8;
        g.raw++;
    }
    g.scale = (unsigned)eighths / 2;
    /* in eighths of a symbol: 2^-20 * 2^-10 * 2^-16 * 2^3 */
    mean = shifted(out[1], 10) * (int64_t)t->spread[latent];
    mean = clamp(mean, -((int64_t)1 << 36), (int64_t)1 << 36);
    mean = shifted(mean * (int64_t)t->per_step[w->step], 33);
    mean = clamp(mean, -8 * 100000, 8 * 100000);
    g.centre = (int32_t)shifted(mean + PREVIEW_SHIFTS / 2, 3);
    g.shift = (unsigned)(mean + PREVIEW_SHIFTS / 2 - (int64_t)g.centre * 8);
    if (g.raw > 0)
        g.shift = PREVIEW_SHIFTS / 2;
    return g;
}

HOT_WIDE void preview_walk_tell(struct preview_walk *w, unsigned latent, int32_t q)
{
    const struct preview_tables *t = &w->net->tables;
    const int16_t *value = t->in_value[latent], *size = t->in_size[latent];
    int64_t scaled;
    int32_t a, b;

    if (q == 0)
        return;
    scaled = (int64_t)(q < 0 ? -q : q) * (int64_t)t->step[w->step];
    scaled = clamp(scaled, 0, (int64_t)1 << 36) * (int64_t)t->per_spread[latent];
    b = (int32_t)clamp(scaled >> 17, 0, VALUE_MAX);
    a = q < 0 ? -b : b;
    for (int k = 0; k < PREVIEW_HIDDEN; k++)
        w->hidden[k] += (uint32_t)(a * value[k] + b * size[k]);
}

struct preview_split preview_split(const struct preview_guess *g, int32_t q)
{
    int64_t off = (int64_t)q - g->centre + ((1 << g->raw) >> 1);
    int64_t high = shifted(off, g->raw);
    struct preview_split s = {.raw = (uint32_t)(off - high * ((int64_t)1 << g->raw))};

    if (high < -PREVIEW_REACH) {
        s.beyond = (uint32_t)(-PREVIEW_REACH - 1 - high);
    } else if (high > PREVIEW_REACH) {
        s.beyond = (uint32_t)(high - PREVIEW_REACH - 1);
        s.symbol = PREVIEW_SYMBOLS - 1;
    } else {
        s.symbol = (unsigned)(high + PREVIEW_REACH + 1);
    }
    return s;
}

int32_t preview_join(const struct preview_guess *g, const struct preview_split *s)
{
    int64_t high = (int64_t)s->symbol - PREVIEW_REACH - 1;

    if (s->symbol == 0)
        high -= s->beyond;
    else if (s->symbol == PREVIEW_SYMBOLS - 1)
        high += s->beyond;
    return (int32_t)(high * ((int64_t)1 << g->raw) + s->raw - ((1 << g->raw) >> 1) + g->centre);
}

float preview_centre(const struct preview_net *net, const struct preview_guess *g, int32_t q)
{
    struct preview_split s = preview_split(g, q);

    if (g->raw > 0)
        return (float)q;
    return (float)q + (float)net->tables.centre[g->scale][g->shift][s.symbol] / 1024;
}

/* How far an escape is beyond: its length in bits, then the bits (Elias gamma). */
static void put_beyond(struct range_enc *e, uint32_t beyond)
{
    uint32_t v = beyond < BEYOND_MAX ? beyond + 1 : BEYOND_MAX;
    unsigned bits = 0;

    while (v >> bits > 1)
        bits++;
    range_enc_bits(e, bits, 4);
    range_enc_bits(e, v, bits);
}

static uint32_t get_beyond(struct range_dec *d)
{
    unsigned bits = range_dec_bits(d, 4);

    return bits > 12 ? BEYOND_MAX : ((1U << bits) | range_dec_bits(d, bits)) - 1;
}

static void put_symbol(struct range_enc *e, const struct preview_net *net,
                       const struct preview_guess *g, int32_t q)
{
    const uint32_t *sums = net->sums.at[g->scale][g->shift];
    struct preview_split s = preview_split(g, q);

    range_enc_put(e, sums[s.symbol], sums[s.symbol + 1] - sums[s.symbol]);
    if (s.symbol == 0 || s.symbol == PREVIEW_SYMBOLS - 1)
        put_beyond(e, s.beyond);
    if (g->raw > 0)
        range_enc_bits(e, s.raw, g->raw);
}

static int32_t get_symbol(struct range_dec *d, const struct preview_net *net,
                          const struct preview_guess *g)
{
    struct preview_split s = {
        .symbol = range_dec_get(d, net->sums.at[g->scale][g->shift], PREVIEW_SYMBOLS)};

    if (s.symbol == 0 || s.symbol == PREVIEW_SYMBOLS - 1)
        s.beyond = get_beyond(d);
    if (g->raw > 0)
        s.raw = range_dec_bits(d, g->raw);
    return preview_join(g, &s);
}

/* A square costs one bit; other pictures say so, and then their ratio in six. */
static void put_head(struct range_enc *e, const struct preview_symbols *s)
{
    bool more = s->depth != 0 || preview_has_details(s);

    range_enc_bits(e, s->aspect != PREVIEW_SQUARE, 1);
    if (s->aspect != PREVIEW_SQUARE)
        range_enc_bits(e, s->aspect, 6);
    range_enc_bits(e, s->step, 6);
    range_enc_bits(e, more, 1);
    if (more)
        range_enc_bits(e, (uint32_t)(s->depth << 4 | s->levels[0] << 2 | s->levels[1]), 6);
}

static void get_head(struct range_dec *d, struct preview_symbols *s)
{
    uint32_t more = 0;

    s->aspect = range_dec_bits(d, 1) != 0 ? (uint8_t)range_dec_bits(d, 6) : PREVIEW_SQUARE;
    s->step = (uint8_t)range_dec_bits(d, 6);
    if (range_dec_bits(d, 1) != 0)
        more = range_dec_bits(d, 6);
    s->depth = (uint8_t)(more >> 4);
    s->levels[0] = more >> 2 & 3;
    s->levels[1] = more & 3;
}

bool preview_has_details(const struct preview_symbols *s)
{
    return s->levels[0] > 0 || s->levels[1] > 0;
}

static void put_details(struct range_enc *e, const struct preview_net *net,
                        const struct preview_symbols *s)
{
    const struct preview_band *bands = preview_bands();
    struct preview_survey survey;
    struct preview_place p;

    preview_survey_start(&survey, net, s->step, s->depth);
    for (p.band = 0; p.band < PREVIEW_CODED; p.band++) {
        const struct preview_band *b = &bands[p.band];

        for (p.y = 0; preview_band_kept(b, s->levels) && p.y < b->side; p.y++)
            for (p.x = 0; p.x < b->side; p.x++) {
                struct preview_guess g = preview_survey_guess(&survey, p);
                int32_t q = s->d[b->first + p.y * b->side + p.x];

                put_symbol(e, net, &g, q);
                preview_survey_tell(&survey, p, q);
            }
    }
}

static int get_details(struct range_dec *d, const struct preview_net *net,
                       struct preview_symbols *s, float details[PREVIEW_DETAILS], struct err *err)
{
    const struct preview_band *bands = preview_bands();
    float step = (float)net->tables.step[s->step] / 4096;
    struct preview_survey survey;
    struct preview_place p;

    preview_survey_start(&survey, net, s->step, s->depth);
    for (p.band = 0; p.band < PREVIEW_CODED; p.band++) {
        const struct preview_band *b = &bands[p.band];

        for (p.y = 0; preview_band_kept(b, s->levels) && p.y < b->side; p.y++)
            for (p.x = 0; p.x < b->side; p.x++) {
                struct preview_guess g = preview_survey_guess(&survey, p);
                int32_t q = get_symbol(d, net, &g);
                unsigned at = b->first + p.y * b->side + p.x;

                if (q < -PREVIEW_DETAIL_MAX || q > PREVIEW_DETAIL_MAX)
                    return err_set(err, ERR_CORRUPT, "preview with a detail out of range");
                s->d[at] = (int16_t)q;
                details[at] = step * preview_centre(net, &g, q);
                preview_survey_tell(&survey, p, q);
            }
    }
    return ERR_OK;
}

size_t preview_symbols_encode(const struct preview_net *net, const struct preview_symbols *s,
                              uint8_t *out, size_t size)
{
    struct range_enc e;
    struct preview_walk w;

    range_enc_start(&e, out, size);
    put_head(&e, s);
    preview_walk_start(&w, net, s->step);
    for (unsigned i = 0; i < preview_depths[s->depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);

        put_symbol(&e, net, &g, s->q[i]);
        preview_walk_tell(&w, i, s->q[i]);
    }
    if (preview_has_details(s))
        put_details(&e, net, s);
    return range_enc_end(&e);
}

static int get_latents(struct range_dec *d, const struct preview_net *net,
                       struct preview_symbols *s, float latents[PREVIEW_LATENTS], struct err *err)
{
    float step = (float)net->tables.step[s->step] / 4096;
    struct preview_walk w;

    preview_walk_start(&w, net, s->step);
    for (unsigned i = 0; i < preview_depths[s->depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);
        int32_t q = get_symbol(d, net, &g);

        if (q < -PREVIEW_SYMBOL_MAX || q > PREVIEW_SYMBOL_MAX)
            return err_set(err, ERR_CORRUPT, "preview with a symbol out of range");
        s->q[i] = q;
        latents[i] = step * preview_centre(net, &g, q);
        preview_walk_tell(&w, i, q);
    }
    return ERR_OK;
}

int preview_symbols_decode(const struct preview_net *net, struct part data,
                           struct preview_symbols *ret_s, struct preview_values *ret_v,
                           struct err *err)
{
    uint8_t again[PREVIEW_LEN_MAX] = {0};
    struct range_dec d;
    int rc;

    if (data.len > sizeof(again))
        return err_set(err, ERR_CORRUPT, "preview of %zu bytes", data.len);
    memset(ret_s, 0, sizeof(*ret_s));
    memset(ret_v, 0, sizeof(*ret_v));
    range_dec_start(&d, data.data, data.len);
    get_head(&d, ret_s);
    if ((!net->detailed && preview_has_details(ret_s)) || ret_s->levels[1] > PREVIEW_COLOUR_LEVELS)
        return err_set(err, ERR_CORRUPT, "preview with details that these weights do not have");
    rc = get_latents(&d, net, ret_s, ret_v->latents, err);
    if (rc == ERR_OK && preview_has_details(ret_s))
        rc = get_details(&d, net, ret_s, ret_v->details, err);
    if (rc != ERR_OK)
        return rc;
    if (preview_symbols_encode(net, ret_s, again, sizeof(again)) > data.len ||
        memcmp(again, data.data, data.len) != 0)
        return err_set(err, ERR_CORRUPT, "preview that no encoder writes");
    return ERR_OK;
}

void preview_sum(struct preview_net *net)
{
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++) {
            uint32_t *sums = net->sums.at[s][m];

            for (int i = 0; i < PREVIEW_SYMBOLS; i++)
                sums[i + 1] = sums[i] + net->tables.count[s][m][i];
        }
}
