/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_choose.h"

#include <math.h>
#include <string.h>

#include "models/preview_detail.h"

void preview_costs(struct preview_costs *ret_costs, const struct preview_net *net)
{
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++)
            for (int i = 0; i < PREVIEW_SYMBOLS; i++)
                ret_costs->bits[s][m][i] =
                    (float)RANGE_BITS - log2f((float)net->tables.count[s][m][i]);
}

static float bits_of(const struct preview_choice *c, const struct preview_guess *g, int32_t q)
{
    struct preview_split s = preview_split(g, q);
    float bits = c->costs->bits[g->scale][g->shift][s.symbol] + (float)g->raw;

    if (s.symbol == 0 || s.symbol == PREVIEW_SYMBOLS - 1)
        bits += 4 + floorf(log2f((float)s.beyond + 1));
    return bits;
}

struct candidate {
    int32_t q;
    float value; /* what stands for it, in steps */
    float bits, lost, cost;
};

static struct candidate candidate(const struct preview_choice *c, const struct preview_guess *g,
                                  float x, int32_t q, float lambda)
{
    float value = preview_centre(c->net, g, q), diff = x - value, bits = bits_of(c, g, q);

    return (struct candidate){q, value, bits, diff * diff, diff * diff + lambda * bits};
}

/*
 * Nothing, of a value so near to 0 that nothing else is thought of: candidate() for q 0 where
 * tables are centred there, without its general case.
 */
static struct candidate nothing(const struct preview_choice *c, const struct preview_guess *g,
                                float x, float lambda)
{
    enum { MIDDLE = PREVIEW_REACH + 1 };
    float bits = c->costs->bits[g->scale][g->shift][MIDDLE];
    float value = (float)c->net->tables.centre[g->scale][g->shift][MIDDLE] / 1024;
    float diff = x - value;

    return (struct candidate){0, value, bits, diff * diff, diff * diff + lambda * bits};
}

static struct candidate best_of(const struct preview_choice *c, const struct preview_guess *g,
                                float x, float lambda)
{
    int32_t nearest, others[3];
    struct candidate best;

    if (fabsf(x) < 0.4F && g->centre == 0 && g->raw == 0)
        return nothing(c, g, x, lambda);
    nearest = (int32_t)lrintf(x);
    others[0] = nearest - 1;
    others[1] = nearest + 1;
    others[2] = 0;
    best = candidate(c, g, x, nearest, lambda);
    if (nearest == 0 && g->centre == 0 && fabsf(x) < 0.4F)
        return best;
    for (int i = 0; i < 3; i++) {
        struct candidate other;

        if (fabsf(x - (float)others[i]) > 1.2F && others[i] != 0)
            continue;
        other = candidate(c, g, x, others[i], lambda);
        if (other.cost < best.cost)
            best = other;
    }
    return best;
}

struct preview_cost preview_choose(const struct preview_choice *c, struct preview_symbols *s,
                                   float lambda, float ret_latents[PREVIEW_LATENTS])
{
    float size = (float)c->net->tables.step[s->step] / 4096;
    struct preview_cost sum = {0, 0};
    struct preview_walk w;

    memset(ret_latents, 0, PREVIEW_LATENTS * sizeof(float));
    memset(s->q, 0, sizeof(s->q));
    preview_walk_start(&w, c->net, s->step);
    for (unsigned i = 0; i < preview_depths[s->depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);
        struct candidate best = best_of(c, &g, c->latents[i] / size, lambda);

        s->q[i] = best.q;
        ret_latents[i] = size * best.value;
        sum.bits += best.bits;
        sum.lost += best.lost;
        preview_walk_tell(&w, i, best.q);
    }
    sum.lost *= size * size;
    return sum;
}

/* What a level of details of one kind costs, and what is lost without it; in squared steps. */
struct level {
    float bits, lost, without;
};

/* How details are chosen. */
struct choosing {
    const struct preview_choice *c;
    const float *details;
    float lambda;
    struct preview_survey survey; /* what is chosen so far */
};

static void choose_band(struct choosing *x, unsigned band, struct preview_symbols *s,
                        struct level *level)
{
    const struct preview_band *b = &preview_bands()[band];
    float per_step = 4096 / (float)x->c->net->tables.step[s->step];
    bool kept = preview_band_kept(b, s->levels);

    for (struct preview_place p = {.band = band}; p.y < b->side; p.y++)
        for (p.x = 0; p.x < b->side; p.x++) {
            unsigned at = b->first + p.y * b->side + p.x;
            float value = x->details[at] * per_step;
            struct candidate best = {.lost = value * value};

            if (kept) {
                struct preview_guess g = preview_survey_guess(&x->survey, p);

                best = best_of(x->c, &g, value, x->lambda);
                preview_survey_tell(&x->survey, p, best.q);
            }
            s->d[at] = (int16_t)best.q;
            level->bits += best.bits;
            level->lost += best.lost;
            level->without += value * value;
        }
}

/* Choose at s->levels. */
static void choose_levels(struct choosing *x, struct preview_symbols *s,
                          struct level levels[2][PREVIEW_LEVELS])
{
    memset(levels, 0, 2 * sizeof(levels[0]));
    preview_survey_start(&x->survey, x->c->net, s->step, s->depth);
    for (unsigned band = 0; band < PREVIEW_BANDS; band++) {
        const struct preview_band *b = &preview_bands()[band];

        choose_band(x, band, s, &levels[b->plane > 0][b->level]);
    }
}

/* Leave a level out. */
static void drop_level(struct preview_symbols *s, unsigned kind, struct level *l)
{
    unsigned level = --s->levels[kind];

    *l = (struct level){.lost = l->without, .without = l->without};
    for (unsigned band = 0; band < PREVIEW_CODED; band++) {
        const struct preview_band *b = &preview_bands()[band];

        if (b->level == level && (b->plane > 0) == kind)
            memset(s->d + b->first, 0, (size_t)b->side * b->side * sizeof(s->d[0]));
    }
}

/*
 * Leave out the finest levels that are not worth their bits.  True if a level is kept whose
 * symbols were foretold from one that is left out: colours look at the brightness of their level.
 */
static bool drop_levels(struct preview_symbols *s, float lambda,
                        struct level levels[2][PREVIEW_LEVELS])
{
    uint8_t brightness = s->levels[0];

    for (unsigned kind = 0; kind < 2; kind++)
        while (s->levels[kind] > 0) {
            struct level *l = &levels[kind][s->levels[kind] - 1];

            if (l->without - l->lost > lambda * l->bits)
                break;
            drop_level(s, kind, l);
        }
    return s->levels[0] < brightness && s->levels[0] < s->levels[1];
}

/* Could a level be worth its bits?  Asked of its values alone, before any symbol is foretold. */
static bool may_pay(const float *details, unsigned kind, unsigned level, float per_step,
                    float lambda)
{
    /* Less than what is measured, so that no level that pays is left out. */
    const float bits_of_nothing = 0.03F, bits_of_something = 4;
    float gain = 0, bits = 0;

    for (unsigned band = 0; band < PREVIEW_CODED; band++) {
        const struct preview_band *b = &preview_bands()[band];

        if (b->level != level || (b->plane > 0) != kind)
            continue;
        for (unsigned i = 0; i < (unsigned)b->side * b->side; i++) {
            float x = fabsf(details[b->first + i] * per_step);

            gain += x < 0.5F ? 0 : x * x;
            bits += x < 0.5F ? bits_of_nothing : bits_of_something;
        }
    }
    return gain > lambda * bits;
}

struct preview_cost preview_choose_details(const struct preview_choice *c,
                                           const float details[PREVIEW_DETAILS],
                                           struct preview_symbols *s, float lambda)
{
    float size = (float)c->net->tables.step[s->step] / 4096;
    struct choosing x = {.c = c, .details = details, .lambda = lambda};
    struct level levels[2][PREVIEW_LEVELS];
    struct preview_cost sum = {0, 0};

    s->levels[0] = c->net->detailed ? PREVIEW_LEVELS : 0;
    s->levels[1] = c->net->detailed ? PREVIEW_COLOUR_LEVELS : 0;
    for (unsigned kind = 0; kind < 2; kind++)
        while (s->levels[kind] > 0 &&
               !may_pay(details, kind, s->levels[kind] - 1U, 1 / size, lambda))
            s->levels[kind]--;
    choose_levels(&x, s, levels);
    if (drop_levels(s, lambda, levels))
        choose_levels(&x, s, levels);
    for (int kind = 0; kind < 2; kind++)
        for (int l = 0; l < PREVIEW_LEVELS; l++) {
            sum.bits += levels[kind][l].bits;
            sum.lost += levels[kind][l].lost;
        }
    sum.lost *= size * size;
    return sum;
}
