/* SPDX-License-Identifier: Apache-2.0 */
/* keynet: inference, self test, health.  (test_keynet_file.c: reading, _train.c: making.) */
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_known.h"
#include "models/keynet_net.h"
#include "models/keynet_plain.h"
#include "tests/exact/sample_net.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum { INPUTS = 65, OUT_LEN = INPUTS * KEYNET_OUT, EXIT_NO_MDWE = 77 };

static struct buf sample_file; /* read-only after setup */

static int setup(void **state)
{
    (void)state;
    return sample_net_file(SAMPLE_NET_SEED, &sample_file, NULL);
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&sample_file);
    return 0;
}

static struct keynet *parse_sample(void)
{
    struct keynet *net = NULL;

    assert_int_equal(keynet_parse(&net, sample_file.data, sample_file.len, NULL), ERR_OK);
    return net;
}

/* The rule of FORMATS.md section 12, written down a second time. */
static void reference(const struct keynet_params *p, const uint8_t *in, uint8_t *out)
{
    uint8_t x[512], y[1024];

    memcpy(x, in, KEYNET_IN);
    for (int l = 0; l < 3; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];

        for (size_t j = 0; j < s->n; j++) {
            int64_t v = p->bias[s->bias + j];

            for (size_t i = 0; i < s->k; i++)
                v += (int64_t)p->weights[s->weights + j * s->k + i] * x[i];
            v = v < 0 ? 0 : v;
            v = (v + (1LL << (p->shift[l] - 1))) / (1LL << p->shift[l]);
            y[j] = (uint8_t)(v > s->max ? s->max : v);
        }
        memcpy(l == 2 ? out : x, y, s->n);
    }
}

static void test_plain(void **state)
{
    struct keynet_params *p = malloc(sizeof(*p));
    uint8_t in[8 * KEYNET_IN], want[KEYNET_OUT], got[KEYNET_OUT];

    (void)state;
    assert_non_null(p);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sample_net(p, seed);
        p->shift[0] = (uint8_t)(7 + seed); /* more and less that reaches the clamps */
        p->shift[2] = (uint8_t)(10 - seed);
        p->bias[1030] = KEYNET_BIAS_MAX;
        p->bias[1031] = -KEYNET_BIAS_MAX;
        sample_net_inputs(in, 8, seed + 100);
        for (int i = 0; i < 8; i++) {
            reference(p, in + i * KEYNET_IN, want);
            for (int portable = 0; portable < 2; portable++) {
                keynet_plain_forward(keynet_plain_pick(portable), p, 3, in + i * KEYNET_IN, got);
                assert_memory_equal(got, want, KEYNET_OUT);
            }
            assert_int_equal(got[6], 255);
            assert_int_equal(got[7], 0);
        }
    }
    free(p);
}

/* An engine, with ways to cut 65 inputs into calls, against the oracle. */
static void check_engine(struct keynet *net, enum keynet_engine engine, const uint8_t *in,
                         const uint8_t *want)
{
    static const size_t batches[] = {65, 7, 1, 2, 3, 8, 9, 56, 57, 64};
    bool cuts = engine == KEYNET_AUTO || engine == KEYNET_DNNL; /* plain C goes one by one */
    struct keynet_worker *w = NULL;
    uint8_t *got = malloc(OUT_LEN);

    assert_non_null(got);
    assert_int_equal(keynet_worker_new(&w, net, engine, NULL), ERR_OK);
    for (size_t b = 0; b < (cuts ? sizeof(batches) / sizeof(batches[0]) : 2); b++) {
        memset(got, 0xa5, OUT_LEN);
        for (size_t i = 0; i < INPUTS; i += batches[b]) {
            size_t n = INPUTS - i < batches[b] ? INPUTS - i : batches[b];

            assert_int_equal(keynet_run(w, in + i * KEYNET_IN, n, got + i * KEYNET_OUT), ERR_OK);
        }
        assert_memory_equal(got, want, OUT_LEN);
    }
    keynet_worker_free(w);
    free(got);
}

static void test_engines(void **state)
{
    static const enum keynet_engine engines[] = {KEYNET_AUTO, KEYNET_DNNL, KEYNET_PLAIN,
                                                 KEYNET_PORTABLE};
    uint8_t *in = malloc((size_t)INPUTS * KEYNET_IN), *want = malloc(OUT_LEN);

    (void)state;
    assert_non_null(in);
    assert_non_null(want);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct buf file = {0};
        struct keynet *net = NULL;

        assert_int_equal(sample_net_file(seed, &file, NULL), ERR_OK);
        assert_int_equal(keynet_parse(&net, file.data, file.len, NULL), ERR_OK);
        sample_net_inputs(in, INPUTS, seed * 1000);
        assert_int_equal(keynet_run_plain(net, in, INPUTS, want), ERR_OK);
        for (size_t e = 0; e < sizeof(engines) / sizeof(engines[0]); e++)
            check_engine(net, engines[e], in, want);
        keynet_free(net);
        buf_free(&file);
    }
    free(in);
    free(want);
}

static void test_input_range(void **state)
{
    struct keynet *net = parse_sample();
    struct keynet_worker *w = NULL;
    uint8_t in[3 * KEYNET_IN] = {0}, out[3 * KEYNET_OUT], untouched[3 * KEYNET_OUT];

    (void)state;
    memset(out, 0xa5, sizeof(out));
    memset(untouched, 0xa5, sizeof(untouched));
    assert_int_equal(keynet_worker_new(&w, net, KEYNET_AUTO, NULL), ERR_OK);
    in[sizeof(in) - 1] = 128;
    assert_int_equal(keynet_run(w, in, 3, out), ERR_INVALID);
    assert_int_equal(keynet_run_plain(net, in, 3, out), ERR_INVALID);
    assert_memory_equal(out, untouched, sizeof(out));
    assert_int_equal(keynet_run(w, in, 2, out), ERR_OK);
    assert_memory_equal(out + 2 * KEYNET_OUT, untouched, KEYNET_OUT);
    assert_int_equal(keynet_run(w, in, 0, out), ERR_OK);
    keynet_worker_free(w);
    keynet_worker_free(NULL);
    keynet_free(net);
    keynet_free(NULL);
}

static void test_kernel_names(void **state)
{
    static const struct {
        enum keynet_engine engine;
        const char *name;
    } cases[] = {{KEYNET_AUTO, "oneDNN "},
                 {KEYNET_DNNL, "oneDNN "},
                 {KEYNET_PLAIN, "plain C"},
                 {KEYNET_PORTABLE, "plain C"}};
    struct keynet *net = parse_sample();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *want = KEYNET_CONSTANT ? "constant" : cases[i].name;
        struct keynet_worker *w = NULL;

        assert_int_equal(keynet_worker_new(&w, net, cases[i].engine, NULL), ERR_OK);
        assert_memory_equal(keynet_kernel_name(w), want, strlen(want));
        keynet_worker_free(w);
    }
    keynet_free(net);
}

static void test_self_test(void **state)
{
    struct keynet *net = parse_sample();
    struct buf copy = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(keynet_self_test(net, NULL), ERR_OK);
    keynet_free(net);
    net = NULL;

    /* A right file with another network's known answer: loads, but must not start. */
    buf_put(&copy, sample_file.data, sample_file.len);
    copy.data[36] ^= 1;
    assert_int_equal(keynet_file_hash(copy.data, copy.len - 32, copy.data + copy.len - 32, NULL),
                     ERR_OK);
    assert_int_equal(keynet_parse(&net, copy.data, copy.len, NULL), ERR_OK);
    assert_int_equal(keynet_self_test(net, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "known answer"));
    keynet_free(net);
    buf_free(&copy);
}

/* One weight changed by one: another instance, and no longer its known answer. */
static void test_changed_weight(void **state)
{
    struct keynet_params *p = malloc(sizeof(*p));
    struct keynet *net = NULL, *same = parse_sample();
    struct buf file = {0};

    (void)state;
    assert_non_null(p);
    assert_int_equal(keynet_file_decode(p, sample_file.data, sample_file.len, NULL), ERR_OK);
    p->weights[5] = (int8_t)(p->weights[5] == 63 ? 62 : p->weights[5] + 1);
    assert_int_equal(keynet_file_encode(p, &file, NULL), ERR_OK);
    assert_int_equal(keynet_parse(&net, file.data, file.len, NULL), ERR_OK);
    assert_memory_not_equal(keynet_instance_id(net), keynet_instance_id(same), KEYNET_ID_LEN);
    assert_int_equal(keynet_self_test(net, NULL), KEYNET_CONSTANT ? ERR_OK : ERR_CORRUPT);
    keynet_free(net);
    keynet_free(same);
    buf_free(&file);
    free(p);
}

struct alarm {
    unsigned calls;
    uint64_t failures;
};

static void on_failure(void *cookie, uint64_t failures)
{
    struct alarm *a = cookie;

    a->calls++;
    a->failures = failures;
}

/* A network whose bytes are all alike must be noticed, and must not stop anything. */
static void test_health(void **state)
{
    struct keynet_params *p = calloc(1, sizeof(*p));
    struct keynet *net = NULL;
    struct keynet_worker *w = NULL;
    struct buf file = {0};
    struct alarm alarm = {0};
    uint8_t in[2 * KEYNET_IN] = {1, 2, 3}, out[2 * KEYNET_OUT];

    (void)state;
    assert_non_null(p);
    p->entropy = 7000;
    p->shift[0] = p->shift[1] = p->shift[2] = 1;
    assert_int_equal(keynet_known_answer(p, p->known, NULL), ERR_OK);
    assert_int_equal(keynet_file_encode(p, &file, NULL), ERR_OK);
    assert_int_equal(keynet_parse(&net, file.data, file.len, NULL), ERR_OK);
    assert_int_equal(keynet_worker_new(&w, net, KEYNET_AUTO, NULL), ERR_OK);
    assert_int_equal(keynet_run(w, in, 2, out), ERR_OK); /* nobody listens */
    keynet_worker_watch(w, on_failure, &alarm);
    assert_int_equal(keynet_run(w, in, 2, out), ERR_OK);
    assert_int_equal(alarm.calls, KEYNET_CONSTANT ? 0 : 1);
    assert_int_equal(alarm.failures, keynet_worker_failures(w));
    assert_int_equal(keynet_worker_failures(w) > 0, !KEYNET_CONSTANT);
    keynet_worker_free(w);
    keynet_free(net);
    buf_free(&file);
    free(p);
}

struct runner {
    struct keynet *net;
    const uint8_t *in, *want;
    int rc;
};

static void *run_many(void *arg)
{
    struct runner *r = arg;
    struct keynet_worker *w = NULL;
    uint8_t *out = malloc(OUT_LEN);

    r->rc = keynet_worker_new(&w, r->net, KEYNET_AUTO, NULL);
    for (size_t n = 1; n <= INPUTS && r->rc == ERR_OK; n += 8) {
        r->rc = keynet_run(w, r->in, n, out);
        if (r->rc == ERR_OK && memcmp(out, r->want, n * KEYNET_OUT) != 0)
            r->rc = ERR_INTEGRITY;
    }
    keynet_worker_free(w);
    free(out);
    return NULL;
}

/* Workers of several threads, made at the same time, on one network. */
static void test_threads(void **state)
{
    struct keynet *net = parse_sample();
    struct runner r[4];
    pthread_t threads[4];
    uint8_t *in = malloc((size_t)INPUTS * KEYNET_IN), *want = malloc(OUT_LEN);

    (void)state;
    assert_non_null(in);
    assert_non_null(want);
    sample_net_inputs(in, INPUTS, 77);
    assert_int_equal(keynet_run_plain(net, in, INPUTS, want), ERR_OK);
    for (int t = 0; t < 4; t++) {
        r[t] = (struct runner){net, in, want, ERR_AGAIN};
        assert_int_equal(pthread_create(&threads[t], NULL, run_many, &r[t]), 0);
    }
    for (int t = 0; t < 4; t++) {
        assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(r[t].rc, ERR_OK);
    }
    keynet_free(net);
    free(in);
    free(want);
}

/* In a process of its own, for the ban cannot be lifted: plain C takes over. */
static int without_executable_memory(void)
{
    struct keynet *net = NULL;
    struct keynet_worker *w = NULL, *refused = NULL;
    int rc;

    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
        return EXIT_NO_MDWE;
    if (setup(NULL) != 0 || keynet_parse(&net, sample_file.data, sample_file.len, NULL) != 0)
        return 1;
    rc = keynet_self_test(net, NULL) == ERR_OK ? 0 : 2;
    if (rc == 0 && keynet_worker_new(&w, net, KEYNET_AUTO, NULL) != ERR_OK)
        rc = 3;
    if (rc == 0 && strncmp(keynet_kernel_name(w), KEYNET_CONSTANT ? "constant" : "plain C", 7) != 0)
        rc = 4;
    if (rc == 0 && !KEYNET_CONSTANT &&
        keynet_worker_new(&refused, net, KEYNET_DNNL, NULL) != ERR_UNSUPPORTED)
        rc = 5;
    keynet_worker_free(w);
    keynet_free(net);
    buf_free(&sample_file);
    return rc;
}

static void test_no_executable_memory(void **state)
{
    char name[] = "test_keynet", option[] = "--without-executable-memory";
    char sanitizer[] = "ASAN_OPTIONS=detect_leaks=0"; /* oneDNN leaks as it gives up */
    char *const argv[] = {name, option, NULL}, *const env[] = {sanitizer, NULL};
    pid_t pid = 0;
    int status = 0;

    (void)state;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, env), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_NO_MDWE)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_engines),
        cmocka_unit_test(test_input_range),
        cmocka_unit_test(test_kernel_names),
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_changed_weight),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_executable_memory),
    };

    if (argc == 2 && strcmp(argv[1], "--without-executable-memory") == 0)
        return without_executable_memory();
    return cmocka_run_group_tests(tests, setup, teardown);
}
