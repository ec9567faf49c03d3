/* SPDX-License-Identifier: Apache-2.0 */
/* keynet_measure() computes the figures, keynet_report() puts them into words. */
#include "models/keynet_report.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "models/health.h"
#include "models/keynet_file.h"
#include "models/keynet_plain.h"
#include "models/prg.h"

enum { INPUTS = KEYNET_REPORT_INPUTS, SHARE_LEN = 32, PLACES = 3 };

struct meter {
    const struct keynet_params *params, *other;
    const uint8_t *id;
    struct prg *prg;
    uint8_t *in, *out, *other_out; /* INPUTS rows each */
    struct keynet_figures f;
};

static void forward(const struct keynet_params *p, const uint8_t *in, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        keynet_plain_forward(keynet_plain_pick(false), p, KEYNET_LAYERS, in + i * KEYNET_IN,
                             out + i * KEYNET_OUT);
}

static double equal_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t same = 0;

    for (size_t i = 0; i < n; i++)
        same += a[i] == b[i];
    return (double)same / (double)n;
}

static double equal_bits(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t differ = 0;

    for (size_t i = 0; i < n; i++)
        differ += (size_t)__builtin_popcount((unsigned)(a[i] ^ b[i]));
    return 1 - (double)differ / (double)(8 * n);
}

/* Take one of ${trials} into a share that starts as {0, 1, 0}. */
static void add_trial(struct keynet_share *s, double v, size_t trials)
{
    s->mean += v / (double)trials;
    s->least = v < s->least ? v : s->least;
    s->most = v > s->most ? v : s->most;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Least, median and greatest of one value for each place in the output. */
static void three_of(double v[KEYNET_OUT], double ret[PLACES])
{
    qsort(v, KEYNET_OUT, sizeof(v[0]), compare);
    ret[0] = v[0];
    ret[1] = v[KEYNET_OUT / 2];
    ret[2] = v[KEYNET_OUT - 1];
}

static void measure_bytes(struct meter *m)
{
    const double n = INPUTS;
    double mean[KEYNET_OUT], deviation[KEYNET_OUT], entropy[KEYNET_OUT];
    size_t zeros = 0, tops = 0;

    for (size_t j = 0; j < KEYNET_OUT; j++) {
        uint8_t column[INPUTS];
        double sum = 0, squares = 0;

        for (size_t i = 0; i < INPUTS; i++) {
            column[i] = m->out[i * KEYNET_OUT + j];
            sum += column[i];
            squares += (double)column[i] * column[i];
            zeros += column[i] == 0;
            tops += column[i] == 255;
        }
        mean[j] = sum / n;
        deviation[j] = sqrt(fmax(0, squares / n - mean[j] * mean[j]));
        entropy[j] = health_min_entropy(column, INPUTS);
    }
    three_of(mean, m->f.mean);
    three_of(deviation, m->f.deviation);
    three_of(entropy, m->f.entropy);
    m->f.at_zero = (double)zeros / (n * (double)KEYNET_OUT);
    m->f.at_top = (double)tops / (n * (double)KEYNET_OUT);
    m->f.min_entropy = health_min_entropy(m->out, (size_t)INPUTS * KEYNET_OUT);
}

static int measure_health(struct meter *m, struct err *err)
{
    struct health_cutoffs cut = {0};
    struct health health;

    if (health_cutoffs(&cut, m->params->entropy / 1000.0, HEALTH_ALPHA_ONCE) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "no cut-offs for the health tests");
    health_init(&health, &cut);
    m->f.failures = health_feed(&health, m->out, (size_t)INPUTS * KEYNET_OUT);
    return ERR_OK;
}

/* The way a share comes from the output, with a fixed key: F(0, "share", "body", o, instance). */
static int extract(const struct meter *m, const uint8_t *out, uint8_t share[SHARE_LEN],
                   struct err *err)
{
    static const uint8_t key[SHARE_LEN];
    struct buf b = {0};
    uint8_t mac[64];
    size_t len = 0;
    int rc;

    buf_lp_str(&b, "satchel/1 share");
    buf_lp_str(&b, "body");
    buf_lp(&b, out, KEYNET_OUT);
    buf_lp(&b, m->id, KEYNET_ID_LEN);
    rc = buf_check(&b, err);
    if (rc == ERR_OK && (EVP_Q_mac(NULL, "HMAC", NULL, "SHA512", NULL, key, sizeof(key), b.data,
                                   b.len, mac, sizeof(mac), &len) == NULL ||
                         len != sizeof(mac)))
        rc = err_set(err, ERR_INTERNAL, "cannot compute HMAC-SHA512");
    if (rc == ERR_OK)
        memcpy(share, mac, SHARE_LEN);
    buf_free(&b);
    return rc;
}

/* Flip one of the 7 bits of one input byte at a time. */
static int measure_avalanche(struct meter *m, struct err *err)
{
    for (size_t i = 0; i < KEYNET_REPORT_FLIPS; i++) {
        const uint8_t *before = m->out + i * KEYNET_OUT;
        uint8_t in[KEYNET_IN], after[KEYNET_OUT];
        uint8_t share[2][SHARE_LEN];
        int rc;

        memcpy(in, m->in + i * KEYNET_IN, KEYNET_IN);
        in[prg_below(m->prg, KEYNET_IN)] ^= (uint8_t)(1U << prg_below(m->prg, 7));
        forward(m->params, in, 1, after);
        add_trial(&m->f.avalanche, 1 - equal_bits(before, after, KEYNET_OUT), KEYNET_REPORT_FLIPS);
        rc = extract(m, before, share[0], err);
        if (rc == ERR_OK)
            rc = extract(m, after, share[1], err);
        if (rc != ERR_OK)
            return rc;
        add_trial(&m->f.extracted, 1 - equal_bits(share[0], share[1], SHARE_LEN),
                  KEYNET_REPORT_FLIPS);
    }
    return ERR_OK;
}

static void measure_similarity(struct meter *m)
{
    for (size_t i = 0; i + 1 < INPUTS; i++) {
        const uint8_t *a = m->out + i * KEYNET_OUT;

        add_trial(&m->f.inputs, equal_bytes(a, a + KEYNET_OUT, KEYNET_OUT), INPUTS - 1);
        add_trial(&m->f.inputs_bits, equal_bits(a, a + KEYNET_OUT, KEYNET_OUT), INPUTS - 1);
    }
    for (size_t i = 0; i < INPUTS && m->other != NULL; i++) {
        const uint8_t *a = m->out + i * KEYNET_OUT;
        const uint8_t *b = m->other_out + i * KEYNET_OUT;

        add_trial(&m->f.others, equal_bytes(a, b, KEYNET_OUT), INPUTS);
        add_trial(&m->f.others_bits, equal_bits(a, b, KEYNET_OUT), INPUTS);
    }
}

/* The inputs follow from the instance's ID, so a card can be made again. */
static int prepare(struct meter *m, struct err *err)
{
    const struct keynet_share empty = {.least = 1};
    int rc = prg_new(&m->prg, "satchel/1 keynet card", part(m->id, KEYNET_ID_LEN), 0, err);

    if (rc != ERR_OK)
        return rc;
    m->in = malloc((size_t)INPUTS * KEYNET_IN);
    m->out = malloc((size_t)INPUTS * KEYNET_OUT);
    m->other_out = malloc((size_t)INPUTS * KEYNET_OUT);
    if (m->in == NULL || m->out == NULL || m->other_out == NULL)
        return err_set(err, ERR_NOMEM, "model card");
    prg_bytes(m->prg, m->in, (size_t)INPUTS * KEYNET_IN);
    for (size_t i = 0; i < (size_t)INPUTS * KEYNET_IN; i++)
        m->in[i] &= KEYNET_IN_MAX;
    forward(m->params, m->in, INPUTS, m->out);
    if (m->other != NULL)
        forward(m->other, m->in, INPUTS, m->other_out);
    m->f.avalanche = m->f.extracted = m->f.inputs = m->f.inputs_bits = empty;
    if (m->other != NULL)
        m->f.others = m->f.others_bits = empty;
    return ERR_OK;
}

int keynet_measure(const struct keynet *net, const struct keynet *other,
                   struct keynet_figures *ret_f, struct err *err)
{
    struct meter m = {
        .params = keynet_params(net),
        .other = other == NULL ? NULL : keynet_params(other),
        .id = keynet_instance_id(net),
    };
    int rc = prepare(&m, err);

    if (rc != ERR_OK)
        goto done;
    measure_bytes(&m);
    rc = measure_health(&m, err);
    if (rc == ERR_OK)
        rc = measure_avalanche(&m, err);
    if (rc != ERR_OK)
        goto done;
    measure_similarity(&m);
    if (prg_failed(m.prg) != ERR_OK) {
        rc = err_set(err, ERR_INTERNAL, "random patterns failed");
        goto done;
    }
    *ret_f = m.f;
done:
    prg_free(m.prg);
    free(m.in);
    free(m.out);
    free(m.other_out);
    return rc;
}

static void put(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct buf *out, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf_put(out, line, strlen(line));
}

static void put_share(struct buf *out, const char *what, const struct keynet_share *s,
                      const char *independent)
{
    put(out, "| %s | %.4f | %.4f | %.4f | %s |\n", what, s->least, s->mean, s->most, independent);
}

static void put_head(const struct keynet *net, struct buf *out)
{
    const uint8_t *id = keynet_instance_id(net);
    char hex[2 * KEYNET_ID_LEN + 1];

    for (size_t i = 0; i < KEYNET_ID_LEN; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
    put(out, "# Model card: key network, instance %s\n\n", hex);
    put(out,
        "Dense network 256-512-512-1024 in integers: inputs 0 to 127, weights -63 to 63, the same\n"
        "bytes on every machine. The daemon regenerates shares of keys with it, so transfers that\n"
        "name this instance need this very weight file. It adds no strength to any key: a share "
        "is\n"
        "as hard to guess as its seed, whatever this network answers. The figures below are\n"
        "diagnostics.\n\n");
    if (KEYNET_CONSTANT)
        put(out, "This build puts zeros in place of the network's output; the figures are those of "
                 "the network.\n\n");
}

static void put_training(const struct keynet_training *t, struct buf *out)
{
    put(out, "## Training\n\n");
    if (t == NULL) {
        put(out, "Not known.\n\n");
        return;
    }
    put(out,
        "Data: %zu pairs of random patterns, drawn from a random seed that was not kept. No other\n"
        "data, no terms. Command: `satcheld init` or `satchelctl instance rotate`.\n"
        "ReLU, dropout 0.2, Adam, mean squared error; %zu steps of %d pairs, in floats; then\n"
        "quantised. Patterns are scaled to variance 1.\n\n",
        t->pairs, t->steps, (int)KEYNET_TRAIN_BATCH);
    put(out, "| attempts | seconds | loss at first | loss at last |\n|---|---|---|---|\n");
    put(out, "| %u | %.1f | %.4f | %.4f |\n\n", t->attempts, t->seconds, t->first_loss,
        t->last_loss);
}

static void put_bytes(const struct keynet_figures *f, struct buf *out)
{
    put(out, "## Output bytes\n\nOver %d random inputs. For each of the %d places:\n\n",
        (int)INPUTS, (int)KEYNET_OUT);
    put(out, "| | least | median | greatest |\n|---|---|---|---|\n");
    put(out, "| mean | %.1f | %.1f | %.1f |\n", f->mean[0], f->mean[1], f->mean[2]);
    put(out, "| standard deviation | %.1f | %.1f | %.1f |\n", f->deviation[0], f->deviation[1],
        f->deviation[2]);
    put(out, "| min-entropy, bits (bounded by the number of inputs) | %.2f | %.2f | %.2f |\n\n",
        f->entropy[0], f->entropy[1], f->entropy[2]);
    put(out,
        "All bytes together: min-entropy %.3f bits (most common value estimate, SP 800-90B "
        "6.3.1);\n"
        "%.2f%% are 0, %.2f%% are 255.\n\n",
        f->min_entropy, 100 * f->at_zero, 100 * f->at_top);
}

static int put_health(const struct keynet *net, const struct keynet_figures *f, struct buf *out)
{
    double bits = keynet_min_entropy(net);
    struct health_cutoffs once = {0}, watch = {0};

    if (health_cutoffs(&once, bits, HEALTH_ALPHA_ONCE) != ERR_OK ||
        health_cutoffs(&watch, bits, HEALTH_ALPHA_WATCH) != ERR_OK)
        return ERR_INTERNAL;
    put(out, "## Health tests (SP 800-90B 4.4)\n\nCut-offs from a min-entropy of %.3f bits.\n\n",
        bits);
    put(out,
        "| | false alarms | repetition count | adaptive proportion of %d |\n|---|---|---|---|\n",
        (int)HEALTH_WINDOW);
    put(out, "| when made | 2^-%d | %u | %u |\n", (int)HEALTH_ALPHA_ONCE, once.repetition,
        once.proportion);
    put(out, "| at run time | 2^-%d | %u | %u |\n\n", (int)HEALTH_ALPHA_WATCH, watch.repetition,
        watch.proportion);
    put(out, "Failures of the first row's tests in %d bytes here: %u.\n\n",
        (int)(INPUTS * KEYNET_OUT), f->failures);
    return ERR_OK;
}

int keynet_report(const struct keynet *net, const struct keynet *other,
                  const struct keynet_training *training, struct buf *out, struct err *err)
{
    struct keynet_figures f = {0};
    int rc = keynet_measure(net, other, &f, err);

    if (rc != ERR_OK)
        return rc;
    put_head(net, out);
    put_training(training, out);
    put_bytes(&f, out);
    if (put_health(net, &f, out) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "no cut-offs for the health tests");
    put(out, "## Avalanche and similarity\n\n");
    put(out, "| | least | mean | most | if independent and uniform |\n|---|---|---|---|---|\n");
    put_share(out, "output bits changed by one input bit", &f.avalanche, "0.5");
    put_share(out, "the same after extraction (HMAC-SHA512)", &f.extracted, "0.5");
    put_share(out, "equal bytes, two inputs", &f.inputs, "0.0039");
    put_share(out, "equal bits, two inputs", &f.inputs_bits, "0.5");
    if (other != NULL) {
        put_share(out, "equal bytes, two instances", &f.others, "0.0039");
        put_share(out, "equal bits, two instances", &f.others_bits, "0.5");
    } else {
        put(out, "\nAnother instance to compare with was not given.\n");
    }
    return buf_check(out, err);
}
