/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keynet-hash - one line: SHA-256 of the sample network's outputs for 448
 * inputs, the code that computed them, the instruction set oneDNN uses, and
 * the instance.  tests/exact/run calls it in many settings and wants one hash.
 *
 * With --threads T, T threads compute everything at the same time, each with
 * its own worker and with T OpenMP threads, and must agree.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/fs.h"
#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_net.h"
#include "models/nn.h"
#include "tests/exact/sample_net.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum { INPUTS = 448, INPUT_SEED = 11, THREADS_MAX = 8, EXIT_SKIPPED = 77 };

struct job {
    struct keynet *net;
    enum keynet_engine engine;
    size_t batch;
    int threads;
    const uint8_t *in;
    uint8_t *out; /* INPUTS * 1,024 */
    char kernel[40];
    int rc;
};

static const struct {
    const char *name;
    enum keynet_engine engine;
} engines[] = {
    {"auto", KEYNET_AUTO},
    {"dnnl", KEYNET_DNNL},
    {"plain", KEYNET_PLAIN},
    {"portable", KEYNET_PORTABLE},
};

static void *compute(void *arg)
{
    struct job *j = arg;
    struct keynet_worker *w = NULL;

    nn_threads(j->threads);
    j->rc = keynet_worker_new(&w, j->net, j->engine, NULL);
    for (size_t i = 0; i < INPUTS && j->rc == ERR_OK; i += j->batch)
        j->rc = keynet_run(w, j->in + i * KEYNET_IN, INPUTS - i < j->batch ? INPUTS - i : j->batch,
                           j->out + i * KEYNET_OUT);
    if (j->rc == ERR_OK)
        (void)snprintf(j->kernel, sizeof(j->kernel), "%s", keynet_kernel_name(w));
    keynet_worker_free(w);
    return NULL;
}

/* All threads at once, then compare with the first. */
static int compute_all(struct job *jobs, int n)
{
    pthread_t threads[THREADS_MAX];
    int rc = ERR_OK;

    for (int t = 0; t < n; t++)
        if (pthread_create(&threads[t], NULL, compute, &jobs[t]) != 0)
            abort();
    for (int t = 0; t < n; t++)
        (void)pthread_join(threads[t], NULL);
    for (int t = 0; t < n && rc == ERR_OK; t++) {
        rc = jobs[t].rc;
        if (rc == ERR_OK && memcmp(jobs[t].out, jobs[0].out, (size_t)INPUTS * KEYNET_OUT) != 0) {
            (void)fprintf(stderr, "keynet-hash: threads disagree\n");
            rc = ERR_INTEGRITY;
        }
    }
    return rc;
}

static void print_hex(const uint8_t *p, size_t n, const char *end)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", p[i]);
    printf("%s", end);
}

static int hash_outputs(struct job *proto, struct err *err)
{
    struct job jobs[THREADS_MAX];
    uint8_t hash[32];
    uint8_t *in = malloc((size_t)INPUTS * KEYNET_IN);
    uint8_t *out = malloc((size_t)proto->threads * INPUTS * KEYNET_OUT);
    int rc = ERR_NOMEM;

    if (in == NULL || out == NULL)
        goto done;
    sample_net_inputs(in, INPUTS, INPUT_SEED);
    proto->in = in;
    for (int t = 0; t < proto->threads; t++) {
        jobs[t] = *proto;
        jobs[t].out = out + (size_t)t * INPUTS * KEYNET_OUT;
    }
    rc = compute_all(jobs, proto->threads);
    if (rc == ERR_OK)
        rc = keynet_file_hash(out, (size_t)INPUTS * KEYNET_OUT, hash, err);
    if (rc == ERR_OK) {
        print_hex(hash, sizeof(hash), "");
        printf(" '%s' %s ", jobs[0].kernel, nn_isa());
        print_hex(keynet_instance_id(proto->net), KEYNET_ID_LEN, "\n");
    }
done:
    free(in);
    free(out);
    return rc;
}

static int get_net(struct keynet **ret_net, const char *load, const char *save, struct err *err)
{
    struct buf file = {0};
    int rc;

    if (load != NULL)
        return keynet_load(ret_net, load, err);
    rc = sample_net_file(SAMPLE_NET_SEED, &file, err);
    if (rc == ERR_OK && save != NULL)
        rc = fs_replace(save, file.data, file.len, 0600, err);
    if (rc == ERR_OK)
        rc = keynet_parse(ret_net, file.data, file.len, err);
    buf_free(&file);
    return rc;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: keynet-hash [--engine auto|dnnl|plain|portable] [--batch N] "
                          "[--threads T]\n"
                          "                   [--load FILE | --save FILE] [--deny-exec]\n"
                          "       keynet-hash --kind\n");
    return 2;
}

static int find_engine(const char *name)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (strcmp(engines[i].name, name) == 0)
            return (int)engines[i].engine;
    return -1;
}

/* 0 unless all of ${text} is a number from 1 to ${max}. */
static int number(const char *text, int max)
{
    char *end = NULL;
    long v = strtol(text, &end, 10);

    return *text == '\0' || *end != '\0' || v < 1 || v > max ? 0 : (int)v;
}

struct args {
    int engine, batch, threads;
    const char *load, *save;
};

/* -1 to go on, or the exit code to end with at once. */
static int parse(int argc, char **argv, struct args *a)
{
    static const struct option options[] = {
        {"engine", required_argument, NULL, 'e'},  {"batch", required_argument, NULL, 'b'},
        {"threads", required_argument, NULL, 't'}, {"load", required_argument, NULL, 'l'},
        {"save", required_argument, NULL, 's'},    {"deny-exec", no_argument, NULL, 'd'},
        {"kind", no_argument, NULL, 'k'},          {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'e')
            a->engine = find_engine(optarg);
        else if (c == 'b')
            a->batch = number(optarg, INPUTS);
        else if (c == 't')
            a->threads = number(optarg, THREADS_MAX);
        else if (c == 'l')
            a->load = optarg;
        else if (c == 's')
            a->save = optarg;
        else if (c == 'k')
            return printf(KEYNET_CONSTANT ? "constant\n" : "network\n") > 0 ? 0 : 1;
        else if (c != 'd')
            return usage();
        else if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
            return EXIT_SKIPPED;
    }
    return a->engine < 0 || a->batch == 0 || a->threads == 0 || optind != argc ? usage() : -1;
}

int main(int argc, char **argv)
{
    struct args a = {.engine = KEYNET_AUTO, .batch = 1, .threads = 1};
    struct job job = {0};
    struct keynet *net = NULL;
    struct err err = {0};
    int end = parse(argc, argv, &a);
    int rc;

    if (end >= 0)
        return end;
    rc = get_net(&net, a.load, a.save, &err);
    if (rc == ERR_OK)
        rc = keynet_self_test(net, &err);
    job.net = net;
    job.engine = (enum keynet_engine)a.engine;
    job.batch = (size_t)a.batch;
    job.threads = a.threads;
    if (rc == ERR_OK)
        rc = hash_outputs(&job, &err);
    keynet_free(net);
    if (rc == ERR_OK)
        return 0;
    (void)fprintf(stderr, "keynet-hash: %s: %s\n", err_name(rc), err.msg);
    return 1;
}
