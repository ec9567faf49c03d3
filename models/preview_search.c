/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_search.h"

#include <math.h>
#include <string.h>

#include "models/preview_detail.h"
#include "models/preview_linear.h"

/* What weighs bits against squared steps: measured; less than 2 ln 2 / 12 = .1155, which is right
 * for one symbol alone, because others are foretold from it. */
static const float usual_lambda = 0.07F;

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
