/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "models/health.h"

double health_min_entropy(const uint8_t *sample, size_t n)
{
    size_t counts[256] = {0};
    size_t most = 0;
    double p = 0;

    if (n < 2)
        return 0;
    for (size_t i = 0; i < n; i++)
        counts[sample[i]]++;
    for (size_t i = 0; i < 256; i++)
        most = counts[i] > most ? counts[i] : most;
    p = (double)most / (double)n;
    p += 2.576 * sqrt(p * (1 - p) / (double)(n - 1));
    return p >= 1 ? 0 : -log2(p);
}

/* log P(X = k) for X binomial(HEALTH_WINDOW, p). */
static double log_binomial(unsigned k, double p)
{
    int sign = 0;
    double n = HEALTH_WINDOW;
    double log_choose = lgamma_r(n + 1, &sign) - lgamma_r(k + 1.0, &sign);

    log_choose -= lgamma_r(n - k + 1, &sign);
    return log_choose + k * log(p) + (n - k) * log1p(-p);
}

int health_cutoffs(struct health_cutoffs *ret_cut, double bits, unsigned alpha)
{
    double limit = ldexp(1, -(int)alpha);
    double tail = 0; /* P(X >= c), summed from the small end to lose nothing */
    unsigned c = HEALTH_WINDOW + 1;

    if (!(bits >= 0.1 && bits <= 8) || alpha < 1 || alpha > 60)
        return ERR_INVALID;
    while (c > 0) {
        tail += exp(log_binomial(c - 1, exp2(-bits)));
        if (tail > limit)
            break;
        c--;
    }
    ret_cut->repetition = 1 + (unsigned)ceil(alpha / bits);
    ret_cut->proportion = c;
    return ERR_OK;
}

void health_init(struct health *h, const struct health_cutoffs *cut)
{
    memset(h, 0, sizeof(*h));
    h->cut = *cut;
}

/* Repetition count test. */
static unsigned feed_runs(struct health *h, const uint8_t *bytes, size_t n)
{
    unsigned failures = 0;
    unsigned run = h->run; /* locals, for bytes may alias anything */
    uint8_t last = h->last;

    for (size_t i = 0; i < n; i++) {
        run = (bytes[i] == last ? run : 0) + 1;
        last = bytes[i];
        if (run < h->cut.repetition)
            continue;
        run = 0; /* a stuck network counts once every cut-off */
        failures++;
    }
    h->run = run;
    h->last = last;
    h->repetition_failures += failures;
    return failures;
}

/* Adaptive proportion test; ${n} bytes that do not cross the end of a window. */
static unsigned feed_window(struct health *h, const uint8_t *bytes, unsigned n)
{
    uint8_t first = h->seen == 0 ? bytes[0] : h->first;
    unsigned before = h->seen == 0 ? 0 : h->count;
    unsigned more = 0;
    bool failed;

    for (unsigned i = 0; i < n; i++)
        more += bytes[i] == first;
    h->first = first;
    h->count = before + more;
    h->seen = (h->seen + n) % HEALTH_WINDOW;
    failed = before < h->cut.proportion && h->count >= h->cut.proportion;
    h->proportion_failures += failed;
    return failed;
}

unsigned health_feed(struct health *h, const uint8_t *bytes, size_t n)
{
    unsigned failures = feed_runs(h, bytes, n);

    while (n > 0) {
        unsigned room = HEALTH_WINDOW - h->seen;
        unsigned len = n < room ? (unsigned)n : room;

        failures += feed_window(h, bytes, len);
        bytes += len;
        n -= len;
    }
    return failures;
}
