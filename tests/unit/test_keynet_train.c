/* SPDX-License-Identifier: Apache-2.0 */
/* keynet_train, keynet_quant, keynet_report: making an instance, with few steps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_known.h"
#include "models/keynet_plain.h"
#include "models/keynet_quant.h"
#include "models/keynet_report.h"
#include "models/keynet_train.h"
#include "tests/exact/sample_net.h"

enum { FEW_PAIRS = 64, FEW_STEPS = 60, SAMPLE = 200 };

static const uint8_t seed[32] = "a seed that everybody may know";

struct watcher {
    unsigned calls, attempts;
    size_t stop_at; /* 0: never */
    double first, last;
};

static int watch(void *cookie, const struct keynet_progress *p)
{
    struct watcher *w = cookie;

    w->calls++;
    w->attempts = p->attempt;
    if (p->step == 1)
        w->first = p->loss;
    w->last = p->loss;
    assert_true(p->step >= 1 && p->step <= p->steps);
    return p->step == w->stop_at ? ERR_CANCELED : ERR_OK;
}

static struct keynet_train_opts few(struct watcher *w)
{
    return (struct keynet_train_opts){
        .seed = seed,
        .seed_len = sizeof(seed),
        .pairs = FEW_PAIRS,
        .steps = FEW_STEPS,
        .progress = watch,
        .cookie = w,
    };
}

/* One instance for all tests: read-only after setup. */
static struct buf made;
static struct keynet_training training;
static struct watcher watched;

static int setup(void **state)
{
    struct keynet_train_opts opts = few(&watched);

    (void)state;
    return keynet_train(&opts, &made, &training, NULL);
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&made);
    return 0;
}

static void test_training(void **state)
{
    struct keynet *net = NULL;

    (void)state;
    assert_int_equal(made.len, KEYNET_FILE_LEN);
    assert_true(training.attempts >= 1 && training.attempts <= KEYNET_TRAIN_ATTEMPTS);
    assert_int_equal(watched.calls, training.attempts * FEW_STEPS);
    assert_true(training.last_loss < 0.8 * training.first_loss);
    assert_true(watched.last < watched.first);
    assert_true(training.min_entropy >= (double)KEYNET_TRAIN_MIN_ENTROPY / 1000);
    assert_true(training.min_entropy < 7.5);
    assert_int_equal(keynet_parse(&net, made.data, made.len, NULL), ERR_OK);
    assert_int_equal(keynet_self_test(net, NULL), ERR_OK);
    keynet_free(net);
}

/* The same seed gives the same bytes here; appending leaves what was there. */
static void test_same_seed(void **state)
{
    struct watcher w = {0};
    struct keynet_train_opts opts = few(&w);
    struct buf again = {0};

    (void)state;
    buf_u8(&again, 0x55);
    assert_int_equal(keynet_train(&opts, &again, NULL, NULL), ERR_OK);
    assert_int_equal(again.data[0], 0x55);
    assert_int_equal(again.len, KEYNET_FILE_LEN + 1);
    assert_memory_equal(again.data + 1, made.data, made.len);
    buf_free(&again);
}

static void test_refused(void **state)
{
    struct watcher w = {0};
    struct keynet_train_opts opts = few(&w);
    struct keynet_training t = {0};
    struct buf file = {0};
    struct err err = {0};

    (void)state;
    opts.steps = 2;
    opts.min_entropy = 8001; /* nothing can have that */
    assert_int_equal(keynet_train(&opts, &file, &t, &err), ERR_LIMIT);
    assert_int_equal(w.attempts, KEYNET_TRAIN_ATTEMPTS);
    assert_int_equal(w.calls, 2 * KEYNET_TRAIN_ATTEMPTS);
    assert_int_equal(t.attempts, 0);
    w.stop_at = 1;
    assert_int_equal(keynet_train(&opts, &file, NULL, &err), ERR_CANCELED);
    opts.seed_len = 15;
    assert_int_equal(keynet_train(&opts, &file, NULL, &err), ERR_INVALID);
    assert_int_equal(file.len, 0);
}

/* What was judged when it was made stays quiet at run time. */
static void test_watched(void **state)
{
    struct keynet *net = NULL;
    struct keynet_worker *worker = NULL;
    uint8_t *in = malloc((size_t)SAMPLE * KEYNET_IN), *out = malloc((size_t)SAMPLE * KEYNET_OUT);

    (void)state;
    assert_non_null(in);
    assert_non_null(out);
    sample_net_inputs(in, SAMPLE, 5);
    assert_int_equal(keynet_parse(&net, made.data, made.len, NULL), ERR_OK);
    assert_int_equal(keynet_worker_new(&worker, net, KEYNET_AUTO, NULL), ERR_OK);
    assert_int_equal(keynet_run(worker, in + 2 * KEYNET_IN, SAMPLE - 2, out), ERR_OK);
    assert_int_equal(keynet_worker_failures(worker), 0);
    keynet_worker_free(worker);
    keynet_free(net);
    free(in);
    free(out);
}

/* A share's input through an instance, which is then read anew from its file. */
static void test_reload(void **state)
{
    char dir[] = "/tmp/satchel-keynet-XXXXXX";
    uint8_t in[KEYNET_IN], first[KEYNET_OUT], second[KEYNET_OUT], id[KEYNET_ID_LEN];
    char *path = NULL;

    (void)state;
    sample_net_inputs(in, 1, 3);
    in[7] = 99;
    assert_non_null(mkdtemp(dir));
    path = fs_join(dir, "keynet.weights");
    assert_int_equal(fs_create(path, made.data, made.len, 0600, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        enum keynet_engine engine = i == 0 ? KEYNET_AUTO : KEYNET_PORTABLE;
        struct keynet *net = NULL;
        struct keynet_worker *worker = NULL;

        assert_int_equal(keynet_load(&net, path, NULL), ERR_OK);
        assert_int_equal(keynet_worker_new(&worker, net, engine, NULL), ERR_OK);
        assert_int_equal(keynet_run(worker, in, 1, i == 0 ? first : second), ERR_OK);
        if (i == 0)
            memcpy(id, keynet_instance_id(net), KEYNET_ID_LEN);
        else
            assert_memory_equal(id, keynet_instance_id(net), KEYNET_ID_LEN);
        keynet_worker_free(worker);
        keynet_free(net);
    }
    assert_memory_equal(first, second, KEYNET_OUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(path);
}

/* Float networks for the quantiser, and everything it needs. */
struct bench {
    float *weights[KEYNET_LAYERS], *biases[KEYNET_LAYERS];
    struct keynet_floats f;
    struct keynet_params *p;
    uint8_t *sample;
};

static float uniform(uint64_t *x, float limit)
{
    return limit * ((float)keynet_known_next(x) / (float)(1U << 30) - 1);
}

static void bench_new(struct bench *b, float gain)
{
    uint64_t x = 3;

    b->p = calloc(1, sizeof(*b->p));
    b->sample = malloc((size_t)SAMPLE * KEYNET_IN);
    assert_non_null(b->p);
    assert_non_null(b->sample);
    sample_net_inputs(b->sample, SAMPLE, 9);
    b->f = (struct keynet_floats){.zero = 63.5F, .scale = 36.95F};
    for (int l = 0; l < KEYNET_LAYERS; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];
        size_t len = (size_t)s->k * s->n;

        b->weights[l] = malloc(len * sizeof(float));
        b->biases[l] = malloc(s->n * sizeof(float));
        assert_non_null(b->weights[l]);
        assert_non_null(b->biases[l]);
        for (size_t i = 0; i < len; i++)
            b->weights[l][i] = gain * uniform(&x, sqrtf(6.0F / (float)s->k));
        for (size_t i = 0; i < s->n; i++)
            b->biases[l][i] = uniform(&x, 0.1F);
        b->f.weights[l] = b->weights[l];
        b->f.biases[l] = b->biases[l];
    }
}

static void bench_free(struct bench *b)
{
    for (int l = 0; l < KEYNET_LAYERS; l++) {
        free(b->weights[l]);
        free(b->biases[l]);
    }
    free(b->p);
    free(b->sample);
}

/* Encoding checks every range. */
static void assert_encodes(struct keynet_params *p)
{
    struct buf out = {0};

    p->entropy = 7000;
    assert_int_equal(keynet_file_encode(p, &out, NULL), ERR_OK);
    buf_free(&out);
}

static double deviation_of(const uint8_t *out, size_t place, double *ret_mean)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < SAMPLE; i++) {
        sum += out[i * KEYNET_OUT + place];
        squares += (double)out[i * KEYNET_OUT + place] * out[i * KEYNET_OUT + place];
    }
    *ret_mean = sum / (double)SAMPLE;
    return sqrt(squares / (double)SAMPLE - *ret_mean * *ret_mean);
}

/* The integers must follow the floats: bytes centred, spread, and in step with the float outputs.
 */
static void test_quantised_outputs(void **state)
{
    struct bench b;
    uint8_t *out = malloc((size_t)SAMPLE * KEYNET_OUT);
    uint8_t hidden[KEYNET_HIDDEN];
    size_t clamped = 0;
    int most = 0;

    (void)state;
    assert_non_null(out);
    bench_new(&b, 1);
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, SAMPLE, NULL), ERR_OK);
    assert_encodes(b.p);
    for (size_t i = 0; i < SAMPLE; i++) {
        keynet_plain_forward(keynet_plain_pick(true), b.p, 2, b.sample + i * KEYNET_IN, hidden);
        for (size_t j = 0; j < KEYNET_HIDDEN; j++)
            clamped += hidden[j] == KEYNET_IN_MAX;
        keynet_plain_forward(keynet_plain_pick(true), b.p, 3, b.sample + i * KEYNET_IN,
                             out + i * KEYNET_OUT);
    }
    assert_true(clamped > 0 && clamped < (size_t)SAMPLE * KEYNET_HIDDEN / 200);
    for (size_t j = 0; j < KEYNET_OUT; j++) {
        double mean = 0, deviation = deviation_of(out, j, &mean);

        assert_true(fabs(mean - 127.5) < 4);
        assert_true(fabs(deviation - (double)KEYNET_SPREAD) < 6);
    }
    for (size_t i = 0; i < KEYNET_WEIGHTS; i++)
        most = abs(b.p->weights[i]) > most ? abs(b.p->weights[i]) : most;
    assert_true(most > 31); /* at most one bit of the range is given away */
    bench_free(&b);
    free(out);
}

/* First layer only: (byte - zero) / scale through the floats, times one factor, is what comes out.
 */
static void test_quantised_layer(void **state)
{
    struct bench b;
    uint8_t hidden[KEYNET_HIDDEN];
    double ratio = 0, worst = 0;

    (void)state;
    bench_new(&b, 1);
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, SAMPLE, NULL), ERR_OK);
    for (int pass = 0; pass < 2; pass++) {
        double sum_float = 0, sum_byte = 0;

        for (size_t i = 2; i < 22; i++) {
            keynet_plain_forward(keynet_plain_pick(true), b.p, 1, b.sample + i * KEYNET_IN, hidden);
            for (size_t j = 0; j < KEYNET_HIDDEN; j++) {
                double v = (double)b.biases[0][j];

                for (size_t k = 0; k < KEYNET_IN; k++)
                    v += (double)b.weights[0][j * KEYNET_IN + k] *
                         ((double)b.sample[i * KEYNET_IN + k] - 63.5) / 36.95;
                if (v <= 0 || hidden[j] == KEYNET_IN_MAX)
                    continue;
                sum_float += v;
                sum_byte += hidden[j];
                if (pass == 1)
                    worst = fmax(worst, fabs(v * ratio - hidden[j]));
            }
        }
        ratio = sum_byte / sum_float;
    }
    assert_true(worst < 3.5); /* of 127, from rounding 256 weights */
    bench_free(&b);
}

static void test_quantiser_bounds(void **state)
{
    static const float gains[] = {0, 1e-30F, 1e-6F, 1e6F, 1e30F};
    struct bench b;

    (void)state;
    for (size_t i = 0; i < sizeof(gains) / sizeof(gains[0]); i++) {
        bench_new(&b, gains[i]);
        assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, 8, NULL), ERR_OK);
        assert_encodes(b.p);
        bench_free(&b);
    }
    bench_new(&b, 1);
    for (size_t i = 0; i < 512; i++)
        b.weights[2][i] = 0; /* an output that never changes */
    b.biases[0][3] = 3e38F;
    b.biases[1][3] = -3e38F;
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, 8, NULL), ERR_OK);
    assert_encodes(b.p);
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, 0, NULL), ERR_INVALID);
    b.weights[1][77] = NAN;
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, 8, NULL), ERR_INVALID);
    b.weights[1][77] = 0;
    b.biases[2][1023] = INFINITY;
    assert_int_equal(keynet_quantise(b.p, &b.f, b.sample, 8, NULL), ERR_INVALID);
    bench_free(&b);
}

static void test_figures(void **state)
{
    struct buf file = {0}, other_file = {0};
    struct keynet *net = NULL, *other = NULL;
    struct keynet_figures f = {0}, alone = {0};

    (void)state;
    assert_int_equal(sample_net_file(1, &file, NULL), ERR_OK);
    assert_int_equal(sample_net_file(2, &other_file, NULL), ERR_OK);
    assert_int_equal(keynet_parse(&net, file.data, file.len, NULL), ERR_OK);
    assert_int_equal(keynet_parse(&other, other_file.data, other_file.len, NULL), ERR_OK);
    assert_int_equal(keynet_measure(net, other, &f, NULL), ERR_OK);
    assert_true(f.extracted.mean > 0.49 && f.extracted.mean < 0.51);
    assert_true(f.avalanche.mean > 0.01 && f.avalanche.mean < 0.5);
    assert_true(f.avalanche.least <= f.avalanche.mean && f.avalanche.mean <= f.avalanche.most);
    assert_true(f.others_bits.mean > 0.3 && f.others_bits.mean < 0.7);
    assert_true(f.inputs.mean < 0.9 && f.inputs_bits.mean < 0.95);
    assert_int_equal(keynet_measure(net, net, &f, NULL), ERR_OK);
    assert_true(f.others.least >= 1 && f.others_bits.mean > 0.999999);
    assert_int_equal(keynet_measure(net, NULL, &alone, NULL), ERR_OK);
    assert_true(alone.others.most <= 0);
    keynet_free(net);
    keynet_free(other);
    buf_free(&file);
    buf_free(&other_file);
}

static void test_card(void **state)
{
    const struct keynet_training t = {
        .attempts = 2, .pairs = 256, .steps = 640, .first_loss = 1, .last_loss = 0.25};
    struct buf file = {0}, card = {0}, again = {0};
    struct keynet *net = NULL;
    char id[2 * KEYNET_ID_LEN + 1] = "";

    (void)state;
    assert_int_equal(sample_net_file(1, &file, NULL), ERR_OK);
    assert_int_equal(keynet_parse(&net, file.data, file.len, NULL), ERR_OK);
    assert_int_equal(keynet_report(net, NULL, &t, &card, NULL), ERR_OK);
    assert_int_equal(keynet_report(net, NULL, &t, &again, NULL), ERR_OK);
    assert_int_equal(card.len, again.len); /* measured on the same inputs each time */
    assert_memory_equal(card.data, again.data, card.len);
    buf_u8(&card, 0);
    for (size_t i = 0; i < KEYNET_ID_LEN; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", keynet_instance_id(net)[i]);
    assert_non_null(strstr((char *)card.data, id));
    assert_non_null(strstr((char *)card.data, "0.2500"));
    assert_non_null(strstr((char *)card.data, "after extraction"));
    assert_non_null(strstr((char *)card.data, "was not given"));
    assert_null(strstr((char *)card.data, "nan"));
    buf_reset(&card);
    assert_int_equal(keynet_report(net, net, NULL, &card, NULL), ERR_OK);
    buf_u8(&card, 0);
    assert_non_null(strstr((char *)card.data, "Not known"));
    assert_non_null(strstr((char *)card.data, "two instances"));
    keynet_free(net);
    buf_free(&file);
    buf_free(&card);
    buf_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),        cmocka_unit_test(test_same_seed),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_watched),
        cmocka_unit_test(test_reload),          cmocka_unit_test(test_quantised_outputs),
        cmocka_unit_test(test_quantised_layer), cmocka_unit_test(test_quantiser_bounds),
        cmocka_unit_test(test_figures),         cmocka_unit_test(test_card),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
