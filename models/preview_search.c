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

/* A search on its way. */
struct search {
    struct preview_choice c;    /* with the aim for latents */
    const float *wanted;        /* the picture's own latents */
    float aim[PREVIEW_LATENTS]; /* what they are quantised from */
    float budget;               /* bits */
    float near;                 /* share of it that bits may miss it by while depths are compared */
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

    s->latents = preview_choose(&s->c, &s->trial, lambda, latents);
    rc = s->c.picture(s->c.arg, latents, s->trial.step, rgb, err);
    if (rc != ERR_OK)
        return rc;
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
    float latents[PREVIEW_LATENTS];

    while (low < high) {
        s->trial.step = (uint8_t)((low + high) / 2);
        if (preview_choose(&s->c, &s->trial, usual_lambda, latents).bits <= s->budget)
            high = s->trial.step;
        else
            low = s->trial.step + 1U;
    }
    return (uint8_t)low;
}

/* The trial at another weight: of details if it has some, else of latents. */
static struct preview_cost reweighed(struct search *s, bool details, float lambda, float lost)
{
    float latents[PREVIEW_LATENTS];
    struct preview_cost cost;

    if (details) {
        cost = preview_choose_details(&s->c, s->details, &s->trial, lambda);
        cost.bits += s->latents.bits;
    } else {
        cost = preview_choose(&s->c, &s->trial, lambda, latents);
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
        struct preview_cost cost = reweighed(s, details, middle, lost);

        if (keep(s, cost))
            high = middle;
        else
            low = middle;
        if (fabsf(s->budget - 2 - cost.bits) < 2)
            break; /* the budget, to half a byte */
    }
}

/* So many steps further the bits of a trial would be the budget: they halve in about seven. */
static int steps_from(const struct search *s, float bits)
{
    int steps = (int)lrintf(7 * log2f(fmaxf(bits, 1) / s->budget));

    return steps != 0 ? steps : bits > s->budget ? 1 : -1;
}

/* What a depth can do: the last trial there, and what its next one would be aimed at. */
struct depth {
    uint8_t depth, step;
    struct preview_cost cost;
    float score; /* what is lost, as it would be if the bits were the budget */
    float aim[PREVIEW_LATENTS];
};

/* Find the step of a depth where bits are nearly the budget, from ${step}. */
static int explore(struct search *s, uint8_t depth, int step, struct depth *ret, struct err *err)
{
    int low = -1, high = PREVIEW_STEPS, rc;

    s->trial.depth = ret->depth = depth;
    memcpy(s->aim, s->wanted, sizeof(s->aim));
    do {
        step = step <= low ? low + 1 : step >= high ? high - 1 : step;
        s->trial.step = ret->step = (uint8_t)step;
        rc = try_step(s, usual_lambda, &ret->cost, err);
        if (rc != ERR_OK)
            return rc;
        if (ret->cost.bits <= s->budget)
            high = step;
        else
            low = step;
        step += steps_from(s, ret->cost.bits);
    } while (low + 1 < high && fabsf(ret->cost.bits / s->budget - 1) > s->near);
    memcpy(ret->aim, s->aim, sizeof(ret->aim));
    ret->score = ret->cost.lost * ret->cost.bits / s->budget; /* halves where bits double */
    return ERR_OK;
}

/* The two best depths so far, the better first. */
enum { BEST = 2 };

/* Explore a depth from the best one's step, and put it where it belongs. */
static int compare(struct search *s, uint8_t depth, struct depth best[BEST], struct err *err)
{
    struct depth other;
    int rc = explore(s, depth, best[0].step, &other, err);

    if (rc != ERR_OK || other.score >= best[1].score)
        return rc;
    best[1] = other;
    if (other.score < best[0].score) {
        best[1] = best[0];
        best[0] = other;
    }
    return ERR_OK;
}

/*
 * The best depths.  With few bytes it only gets better until it turns, from the second one; with
 * many, any may be best.
 */
static int search_depth(struct search *s, int step, struct depth best[BEST], struct err *err)
{
    enum { SECOND = 1, MANY_BITS = 3000 };
    bool choice = s->c.net->detailed, all = s->budget > MANY_BITS;
    int rc;

    s->near = all ? 0.08F : 0.04F;
    best[1].score = INFINITY;
    rc = explore(s, choice && !all ? SECOND : 0, step, &best[0], err);
    if (rc != ERR_OK || !choice)
        return rc;
    if (all) {
        for (uint8_t d = 1; d < PREVIEW_DEPTHS && rc == ERR_OK; d++)
            rc = compare(s, d, best, err);
        return rc;
    }
    rc = compare(s, SECOND + 1, best, err);
    return rc == ERR_OK ? compare(s, best[0].depth == SECOND ? 0 : SECOND + 2, best, err) : rc;
}

/* At the depth and step that were found, the weight that makes the bits fit. */
static int settle(struct search *s, const struct depth *found, struct err *err)
{
    float off = found->cost.bits / s->budget;
    float lambda = usual_lambda * fminf(fmaxf(powf(off, 5), 0.5F), 2.5F);
    struct preview_cost cost;
    int rc;

    s->trial.depth = found->depth;
    s->trial.step = found->step;
    memcpy(s->aim, found->aim, sizeof(s->aim));
    rc = try_step(s, lambda, &cost, err);
    if (rc == ERR_OK)
        fill(s, lambda, cost.lost);
    return rc;
}

/* No weight made it fit: the next step, which takes about a tenth less. */
static void coarser(struct depth *found)
{
    if (found->step + 1 < PREVIEW_STEPS)
        found->step++;
    found->cost.bits *= 0.9F;
}

/* Settle both, where it is open which is better. */
static int settle_best(struct search *s, const struct depth best[BEST], struct err *err)
{
    int rc = settle(s, &best[0], err);

    if (rc == ERR_OK && best[1].score < 1.1F * best[0].score)
        rc = settle(s, &best[1], err);
    return rc;
}

int preview_search(const struct preview_choice *c, size_t size, struct preview_symbols *ret_s,
                   struct err *err)
{
    /* The ends of an encoding are whole bytes; the estimate of bits errs by a fraction of one. */
    float budget = 8 * (float)size - (ret_s->aspect == PREVIEW_SQUARE ? 14.0F : 20.0F) - 0.5F;
    uint8_t scrap[PREVIEW_LEN_MAX];
    struct search s = {
        .c = *c, .wanted = c->latents, .trial = *ret_s, .budget = budget, .lost = INFINITY};
    struct depth best[BEST];
    int rc;

    s.c.latents = s.aim;
    memcpy(s.aim, c->latents, sizeof(s.aim));
    rc = search_depth(&s, first_step(&s) + 1, best, err);
    for (int tries = 0; tries < 12 && rc == ERR_OK; tries++) {
        s.lost = INFINITY;
        rc = settle_best(&s, best, err);
        if (rc == ERR_OK && s.lost < INFINITY &&
            preview_symbols_encode(c->net, &s.best, scrap, sizeof(scrap)) <= size) {
            *ret_s = s.best;
            return ERR_OK;
        }
        if (s.lost < INFINITY)
            s.budget -= 4; /* bits were estimated a little too few */
        else
            coarser(&best[0]);
    }
    return rc != ERR_OK
               ? rc
               : err_set(err, ERR_TOOLARGE, "picture does not fit a preview of %zu bytes", size);
}
