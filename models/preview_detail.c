/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_detail.h"

#include <pthread.h>
#include <string.h>

#include "models/hot.h"

enum {
    PAD = PREVIEW_MAP_PAD,
    MIDDLE_SHIFT = PREVIEW_SHIFTS / 2,
    FIRST_SCALE = 32,
    SIZES = 16,
    SPREAD_MAX = 2 * PREVIEW_SCALES + 63,
    ONE = 8, /* inputs are eighths */
    /* The inputs behind the sizes. */
    SEEN_Y = 16,
    SEEN_X,
    SEEN_STEP = PREVIEW_SEEN_STEP,
    SEEN_DEPTH,
};

/* Eighths of the logarithm to 2 of 1 + the size. */
static const uint8_t size_of[SIZES] = {0,  8,  13, 16, 19, 21, 22, 24,
                                       25, 27, 28, 29, 30, 30, 31, 32};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint16_t origin[PREVIEW_CODED]; /* of each band's first place in the map */

static unsigned stride(const struct preview_band *b)
{
    return b->side + 2U * PAD;
}

static void set_up(void)
{
    const struct preview_band *bands = preview_bands();
    unsigned at = 0;

    for (int i = 0; i < PREVIEW_CODED; i++) {
        origin[i] = (uint16_t)(at + PAD * stride(&bands[i]) + PAD);
        at += stride(&bands[i]) * stride(&bands[i]);
    }
}

void preview_survey_start(struct preview_survey *s, const struct preview_net *net, unsigned step,
                          unsigned depth)
{
    (void)pthread_once(&once, set_up);
    s->net = net;
    s->bands = preview_bands();
    s->step = step;
    s->depth = depth;
    s->start_band = PREVIEW_BANDS;
    memset(s->map, 0, sizeof(s->map));
}

/* The size at a place of another band, and of its four neighbours together; 0 without a band. */
static void around(const struct preview_survey *s, int band, unsigned x, unsigned y, int16_t ret[2])
{
    const struct preview_band *b;
    const uint8_t *at;

    if (band < 0)
        return;
    b = &s->bands[band];
    at = &s->map[origin[band] + y * stride(b) + x];
    ret[0] = at[0];
    ret[1] = (int16_t)(at[-1] + at[1] + *(at - stride(b)) + at[stride(b)]);
}

void preview_survey_inputs(const struct preview_survey *s, struct preview_place p,
                           int16_t ret[PREVIEW_SEEN])
{
    const struct preview_band *b = &s->bands[p.band];
    const uint8_t *at = &s->map[origin[p.band] + p.y * stride(b) + p.x];
    const uint8_t *above = at - stride(b);
    int off = 2 * (int)p.x + 1 - b->side;

    memset(ret, 0, PREVIEW_SEEN * sizeof(ret[0]));
    ret[0] = at[-1];
    ret[1] = above[0];
    ret[2] = above[-1];
    ret[3] = above[1];
    ret[4] = at[-2];
    ret[5] = *(above - stride(b));
    around(s, b->parent, p.x / 2, p.y / 2, &ret[6]);
    around(s, b->others[0], p.x, p.y, &ret[8]);
    around(s, b->others[1], p.x, p.y, &ret[10]);
    around(s, b->planes[0], p.x, p.y, &ret[12]);
    around(s, b->planes[1], p.x, p.y, &ret[14]);
    ret[SEEN_Y] = (int16_t)(2 * ONE * p.y / b->side);
    ret[SEEN_X] = (int16_t)(2 * ONE * (unsigned)(off < 0 ? -off : off) / b->side);
    ret[SEEN_STEP] = (int16_t)s->step;
    ret[SEEN_DEPTH] = (int16_t)(s->depth * ONE);
}

/* Numbers that all places of a row share. */
static void start_row(struct preview_survey *s, struct preview_place p, const int16_t *in)
{
    static const int shared[] = {SEEN_Y, SEEN_STEP, SEEN_DEPTH};
    const struct preview_tables *t = &s->net->tables;

    memcpy(s->start, t->detail_bias[p.band], sizeof(s->start));
    for (int i = 0; i < 3; i++)
        for (int h = 0; h < PREVIEW_DETAIL_HIDDEN; h++)
            s->start[h] += in[shared[i]] * t->detail_in[p.band][shared[i]][h];
    s->start_band = p.band;
    s->start_y = p.y;
    memset(s->quiet, 0xff, sizeof(s->quiet)); /* -1 */
}

static bool nothing_around(const int16_t *in)
{
    int any = 0;

    for (int i = 0; i < SIZES; i++)
        any |= in[i];
    return any == 0;
}

/* 2^20 times the eighths of an octave, exact: weights are checked when they are loaded. */
HOT_WIDE static int64_t output(const struct preview_survey *s, unsigned band, const int16_t *in)
{
    const struct preview_tables *t = &s->net->tables;
    int64_t sum = t->detail_out_bias[band];
    int32_t hidden[PREVIEW_DETAIL_HIDDEN];

    memcpy(hidden, s->start, sizeof(hidden));
    for (int i = 0; i < SEEN_Y; i++) {
        const int16_t *weights = t->detail_in[band][i];

        for (int h = 0; h < PREVIEW_DETAIL_HIDDEN && in[i] != 0; h++)
            hidden[h] += in[i] * weights[h];
    }
    for (int h = 0; h < PREVIEW_DETAIL_HIDDEN; h++) {
        int32_t v = hidden[h] + in[SEEN_X] * t->detail_in[band][SEEN_X][h];

        v = v < 0 ? 0 : v > 32767 ? 32767 : v;
        sum += v * t->detail_out[band][h];
    }
    return sum;
}

/* Eighths of an octave from the first table's spread, limited. */
static int16_t spread(const struct preview_survey *s, unsigned band, const int16_t *in)
{
    int64_t sum = output(s, band, in);
    int64_t eighths = (sum >= 0 ? sum >> 20 : -((-sum + (1 << 20) - 1) >> 20)) + FIRST_SCALE;

    return (int16_t)(eighths < 0 ? 0 : eighths > SPREAD_MAX ? SPREAD_MAX : eighths);
}

struct preview_guess preview_survey_guess(struct preview_survey *s, struct preview_place p)
{
    struct preview_guess g = {.shift = MIDDLE_SHIFT};
    int16_t in[PREVIEW_SEEN], eighths;

    preview_survey_inputs(s, p, in);
    if (s->start_band != p.band || s->start_y != p.y)
        start_row(s, p, in);
    if (nothing_around(in)) {
        /* In a row, places alike far from the middle are alike. */
        unsigned side = s->bands[p.band].side;
        int16_t *known = &s->quiet[p.x < side / 2 ? p.x : side - 1 - p.x];

        if (*known < 0)
            *known = spread(s, p.band, in);
        eighths = *known;
    } else {
        eighths = spread(s, p.band, in);
    }
    while (eighths > 2 * PREVIEW_SCALES - 1) {
        eighths = (int16_t)(eighths - 8);
        g.raw++;
    }
    g.scale = (unsigned)eighths / 2;
    return g;
}

void preview_survey_tell(struct preview_survey *s, struct preview_place p, int32_t q)
{
    const struct preview_band *b = &s->bands[p.band];
    uint32_t size = (uint32_t)(q < 0 ? -q : q);

    s->map[origin[p.band] + p.y * stride(b) + p.x] = size_of[size < SIZES ? size : SIZES - 1];
}

bool preview_band_kept(const struct preview_band *b, const uint8_t levels[2])
{
    return b->level < levels[b->plane > 0];
}
