/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_search.h"

#include <math.h>
#include <string.h>

#include "models/preview_detail.h"
#include "models/preview_linear.h"

/* What weighs bits against squared steps: measured; less than 2 ln 2 / 12 = .1155, which is right
 * for one symbol alone, because others are foretold from it. */
static const float usual_lambda = 0.07F;

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
    float bits, lost, cost;
};

static struct candidate candidate(const struct preview_choice *c, const struct preview_guess *g,
                                  float x, int32_t q, float lambda)
{
    float diff = x - preview_centre(c->net, g, q), bits = bits_of(c, g, q);

    return (struct candidate){q, bits, diff * diff, diff * diff + lambda * bits};
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
    float diff = x - (float)c->net->tables.centre[g->scale][g->shift][MIDDLE] / 1024;

    return (struct candidate){0, bits, diff * diff, diff * diff + lambda * bits};
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
                                   float lambda)
{
    float size = (float)c->net->tables.step[s->step] / 4096;
    struct preview_cost sum = {0, 0};
    struct preview_walk w;

    memset(s->q, 0, sizeof(s->q));
    preview_walk_start(&w, c->net, s->step);
    for (unsigned i = 0; i < preview_depths[s->depth]; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);
        struct candidate best = best_of(c, &g, c->latents[i] / size, lambda);

        s->q[i] = best.q;
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

static void choose_band(const struct preview_choice *c, const float *details, unsigned band,
                        struct preview_survey *survey, struct preview_symbols *s, float lambda,
                        struct level *level)
{
    const struct preview_band *b = &preview_bands()[band];
    float per_step = 4096 / (float)c->net->tables.step[s->step];
    bool kept = preview_band_kept(b, s->levels);

    for (struct preview_place p = {.band = band}; p.y < b->side; p.y++)
        for (p.x = 0; p.x < b->side; p.x++) {
            unsigned at = b->first + p.y * b->side + p.x;
            float x = details[at] * per_step;
            struct candidate best = {.lost = x * x};

            if (kept) {
                struct preview_guess g = preview_survey_guess(survey, p);

                best = best_of(c, &g, x, lambda);
                preview_survey_tell(survey, p, best.q);
            }
            s->d[at] = (int16_t)best.q;
            level->bits += best.bits;
            level->lost += best.lost;
            level->without += x * x;
        }
}

/* Choose at s->levels. */
static void choose_levels(const struct preview_choice *c, const float *details,
                          struct preview_symbols *s, float lambda,
                          struct level levels[2][PREVIEW_LEVELS])
{
    struct preview_survey survey;

    memset(levels, 0, 2 * sizeof(levels[0]));
    preview_survey_start(&survey, c->net, s->step, s->depth);
    for (unsigned band = 0; band < PREVIEW_BANDS; band++) {
        const struct preview_band *b = &preview_bands()[band];

        choose_band(c, details, band, &survey, s, lambda, &levels[b->plane > 0][b->level]);
    }
}

/* Leave out the finest levels that are not worth their bits; true if any was. */
static bool drop_levels(struct preview_symbols *s, float lambda,
                        struct level levels[2][PREVIEW_LEVELS])
{
    bool dropped = false;

    for (int kind = 0; kind < 2; kind++)
        while (s->levels[kind] > 0) {
            const struct level *l = &levels[kind][s->levels[kind] - 1];

            if (l->without - l->lost > lambda * l->bits)
                break;
            s->levels[kind]--;
            dropped = true;
        }
    return dropped;
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
    struct level levels[2][PREVIEW_LEVELS];
    struct preview_cost sum = {0, 0};

    s->levels[0] = c->net->detailed ? PREVIEW_LEVELS : 0;
    s->levels[1] = c->net->detailed ? PREVIEW_COLOUR_LEVELS : 0;
    for (unsigned kind = 0; kind < 2; kind++)
        while (s->levels[kind] > 0 &&
               !may_pay(details, kind, s->levels[kind] - 1U, 1 / size, lambda))
            s->levels[kind]--;
    choose_levels(c, details, s, lambda, levels);
    if (drop_levels(s, lambda, levels))
        choose_levels(c, details, s, lambda, levels);
    for (int kind = 0; kind < 2; kind++)
        for (int l = 0; l < PREVIEW_LEVELS; l++) {
            sum.bits += levels[kind][l].bits;
            sum.lost += levels[kind][l].lost;
        }
    sum.lost *= size * size;
    return sum;
}

/* A search on its way. */
struct search {
    struct preview_choice c;     /* with the aim for latents */
    const float *wanted;         /* the picture's own latents */
    float aim[PREVIEW_LATENTS];  /* what they are quantised from */
    bool aims;                   /* and it is to be aimed anew after a trial */
    float budget;                /* bits */
    struct preview_cost latents; /* of the last trial */
    float details[PREVIEW_DETAILS];
    struct preview_symbols trial, best;
    float lost; /* by the best */
};

/* Keep the trial if it fits and loses less. */
static bool keep(struct search *s, struct preview_cost cost)
{
    bool fits = cost.bits <= s->budget;

    if (fits && cost.lost < s->lost) {
        s->lost = cost.lost;
        s->best = s->trial;
    }
    return fits;
}

/* Aim anew, now that it is known what picture the trial's latents give, and what they lose. */
static void aim(struct search *s, const float *latents, const float *rgb)
{
    unsigned n = preview_depths[s->trial.depth];

    preview_aim(s->c.net, s->wanted, latents, rgb, s->aim, n);
    s->latents.lost = 0;
    for (unsigned i = 0; i < n; i++)
        s->latents.lost += (s->aim[i] - latents[i]) * (s->aim[i] - latents[i]);
}

/* Choose everything at the trial's step and depth; keep it if it fits and loses less. */
static int try_step(struct search *s, float lambda, struct preview_cost *ret, struct err *err)
{
    float latents[PREVIEW_LATENTS], rgb[PREVIEW_BYTES];
    int rc;

    s->latents = preview_choose(&s->c, &s->trial, lambda);
    preview_centres(s->c.net, &s->trial, latents);
    rc = s->c.picture(s->c.arg, latents, s->trial.step, rgb, err);
    if (rc != ERR_OK)
        return rc;
    if (s->aims)
        aim(s, latents, rgb);
    for (int i = 0; i < PREVIEW_BYTES; i++)
        rgb[i] = s->c.rgb[i] - rgb[i];
    preview_wave(rgb, s->details);
    *ret = preview_choose_details(&s->c, s->details, &s->trial, lambda);
    ret->bits += s->latents.bits;
    (void)keep(s, *ret);
    return ERR_OK;
}

/* The smallest step at which the latents alone fit. */
static uint8_t first_step(struct search *s)
{
    unsigned low = 0, high = PREVIEW_STEPS - 1;

    while (low < high) {
        s->trial.step = (uint8_t)((low + high) / 2);
        if (preview_choose(&s->c, &s->trial, usual_lambda).bits <= s->budget)
            high = s->trial.step;
        else
            low = s->trial.step + 1U;
    }
    return (uint8_t)low;
}

/* The trial at another weight: of details if it has some, else of latents. */
static struct preview_cost reweighed(struct search *s, bool details, float lambda, float lost)
{
    struct preview_cost cost;

    if (details) {
        cost = preview_choose_details(&s->c, s->details, &s->trial, lambda);
        cost.bits += s->latents.bits;
    } else {
        cost = preview_choose(&s->c, &s->trial, lambda);
        cost.lost += lost - s->latents.lost;
    }
    return cost;
}

/* Use the bits that the last trial, at weight ${lambda}, leaves, or spare those it lacks. */
static void fill(struct search *s, float lambda, float lost)
{
    float low = lambda / 1.5F, high = lambda * 1.5F;
    bool details = preview_has_details(&s->trial);

    for (int round = 0; round < 4; round++) {
        float middle = sqrtf(low * high);

        if (keep(s, reweighed(s, details, middle, lost)))
            high = middle;
        else
            low = middle;
    }
}

/* Error and bits together at a depth, and the bits; at the trial's step. */
static int weigh_depth(struct search *s, uint8_t depth, struct preview_cost *ret, struct err *err)
{
    float size = (float)s->c.net->tables.step[s->trial.step] / 4096;
    int rc;

    s->trial.depth = depth;
    rc = try_step(s, usual_lambda, ret, err);
    ret->lost += usual_lambda * size * size * ret->bits;
    return rc;
}

/* The depth that is best at one step.  From one of the middle it only gets better until it turns.
 */
static int search_depth(struct search *s, uint8_t *ret_depth, float *ret_bits, struct err *err)
{
    struct preview_cost first = {0, 0}, second = {0, 0}, third = {0, 0};
    uint8_t last;
    int rc;

    *ret_depth = s->c.net->detailed ? 1 : 0;
    rc = weigh_depth(s, *ret_depth, &first, err);
    *ret_bits = first.bits;
    if (rc != ERR_OK || !s->c.net->detailed)
        return rc;
    rc = weigh_depth(s, 2, &second, err);
    last = second.lost < first.lost ? 3 : 0;
    if (last == 3) {
        *ret_depth = 2;
        *ret_bits = second.bits;
        first = second;
    }
    if (rc == ERR_OK)
        rc = weigh_depth(s, last, &third, err);
    if (rc == ERR_OK && third.lost < first.lost) {
        *ret_depth = last;
        *ret_bits = third.bits;
    }
    return rc;
}

/* So many steps further the bits of a trial would be the budget: they halve in about seven. */
static int steps_from(const struct search *s, float bits)
{
    int steps = (int)lrintf(7 * log2f(fmaxf(bits, 1) / s->budget));

    return steps != 0 ? steps : bits > s->budget ? 1 : -1;
}

/* The step where bits cross the budget, nearly; there the weight that makes them fit. */
static int search_step(struct search *s, float bits, struct err *err)
{
    int low = -1, high = PREVIEW_STEPS, step = s->trial.step, rc;
    float lambda = usual_lambda;
    struct preview_cost cost = {.bits = bits};

    s->aims = true;
    do {
        step += steps_from(s, cost.bits);
        step = step <= low ? low + 1 : step >= high ? high - 1 : step;
        s->trial.step = (uint8_t)step;
        rc = try_step(s, lambda, &cost, err);
        if (rc != ERR_OK)
            return rc;
        if (cost.bits <= s->budget)
            high = step;
        else
            low = step;
    } while (low + 1 < high && fabsf(cost.bits / s->budget - 1) > 0.06F);
    lambda *= fminf(fmaxf(powf(cost.bits / s->budget, 5), 0.5F), 2.5F);
    rc = try_step(s, lambda, &cost, err);
    if (rc == ERR_OK)
        fill(s, lambda, cost.lost);
    return rc;
}

int preview_search(const struct preview_choice *c, size_t size, struct preview_symbols *ret_s,
                   struct err *err)
{
    /* The ends of an encoding are whole bytes; the estimate of bits errs by a fraction of one. */
    float budget = 8 * (float)size - (ret_s->aspect == PREVIEW_SQUARE ? 14.0F : 20.0F) - 0.5F;
    uint8_t scrap[PREVIEW_LEN_MAX];
    struct search s = {.c = *c, .wanted = c->latents, .trial = *ret_s};
    uint8_t depth = 0;
    float bits = 0;
    int rc = ERR_OK;

    memcpy(s.aim, c->latents, sizeof(s.aim));
    s.c.latents = s.aim;
    for (int tries = 0; tries < 8 && rc == ERR_OK; tries++) {
        s.budget = budget - 4 * (float)tries;
        s.lost = INFINITY;
        s.aims = false; /* a depth is found without */
        s.trial.depth = 0;
        s.trial.step = (uint8_t)(first_step(&s) + 1U);
        s.trial.step = s.trial.step < PREVIEW_STEPS ? s.trial.step : PREVIEW_STEPS - 1;
        rc = search_depth(&s, &depth, &bits, err);
        s.trial.depth = depth;
        if (rc == ERR_OK)
            rc = search_step(&s, bits, err);
        if (rc == ERR_OK && s.lost < INFINITY &&
            preview_symbols_encode(c->net, &s.best, scrap, sizeof(scrap)) <= size) {
            *ret_s = s.best;
            return ERR_OK;
        }
    }
    return rc != ERR_OK
               ? rc
               : err_set(err, ERR_TOOLARGE, "picture does not fit a preview of %zu bytes", size);
}
