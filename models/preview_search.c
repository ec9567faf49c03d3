/* SPDX-License-Identifier: Apache-2.0 */
#include "models/preview_search.h"

#include <math.h>

/* What weighs bits against squared steps at high rates is 2 ln 2 / 12 = .1155; more at low ones. */
static const float usual_lambda = 0.15F;

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

static struct candidate best_of(const struct preview_choice *c, const struct preview_guess *g,
                                float x, float lambda)
{
    int32_t nearest = (int32_t)lrintf(x), others[3] = {nearest - 1, nearest + 1, 0};
    struct candidate best = candidate(c, g, x, nearest, lambda);

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

float preview_choose(const struct preview_choice *c, struct preview_symbols *s, float lambda,
                     float *ret_lost)
{
    float size = (float)c->net->tables.step[s->step] / 4096, bits = 0, lost = 0;
    struct preview_walk w;

    preview_walk_start(&w, c->net, s->step);
    for (unsigned i = 0; i < PREVIEW_LATENTS; i++) {
        struct preview_guess g = preview_walk_guess(&w, i);
        struct candidate best = best_of(c, &g, c->latents[i] / size, lambda);

        s->q[i] = best.q;
        bits += best.bits;
        lost += best.lost;
        preview_walk_tell(&w, i, best.q);
    }
    *ret_lost = lost * size * size;
    return bits;
}

/* The smallest step whose symbols fit at the usual weight. */
static uint8_t first_step(const struct preview_choice *c, struct preview_symbols *s, float budget)
{
    unsigned low = 0, high = PREVIEW_STEPS - 1;
    float lost;

    while (low < high) {
        s->step = (uint8_t)((low + high) / 2);
        if (preview_choose(c, s, usual_lambda, &lost) <= budget)
            high = s->step;
        else
            low = s->step + 1U;
    }
    return (uint8_t)low;
}

/* The symbols at s->step with the smallest weight that fits; returns what is lost, or infinity. */
static float fill(const struct preview_choice *c, struct preview_symbols *s, float budget)
{
    float low = 0.02F, high = 0.8F, lost, best = INFINITY;
    struct preview_symbols tried = *s;

    for (int round = 0; round < 5; round++) {
        float lambda = sqrtf(low * high);

        if (preview_choose(c, &tried, lambda, &lost) <= budget) {
            high = lambda;
            if (lost < best) {
                best = lost;
                *s = tried;
            }
        } else {
            low = lambda;
        }
    }
    return best;
}

int preview_search(const struct preview_choice *c, size_t size, struct preview_symbols *s,
                   struct err *err)
{
    /* The ends of an encoding are whole bytes; the estimate of bits errs by a fraction of one. */
    float budget = 8 * (float)size - (s->aspect == PREVIEW_SQUARE ? 7 : 13) - 0.5F;
    uint8_t scrap[PREVIEW_ENCODED_MAX];

    for (int tries = 0; tries < 8; tries++, budget -= 4) {
        float best = INFINITY;
        unsigned start = first_step(c, s, budget);
        struct preview_symbols found = *s;

        for (int near = -2; near <= 1; near++) {
            struct preview_symbols tried = *s;
            float lost;

            if ((int)start + near < 0 || (int)start + near >= PREVIEW_STEPS)
                continue;
            tried.step = (uint8_t)((int)start + near);
            lost = fill(c, &tried, budget);
            if (lost < best) {
                best = lost;
                found = tried;
            }
        }
        if (best < INFINITY &&
            preview_symbols_encode(c->net, &found, scrap, sizeof(scrap)) <= size) {
            *s = found;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_TOOLARGE, "picture does not fit a preview of %zu bytes", size);
}
