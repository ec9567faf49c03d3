/* SPDX-License-Identifier: Apache-2.0 */
#include "models/keynet.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/health.h"
#include "models/keynet_dnnl.h"
#include "models/keynet_file.h"
#include "models/keynet_known.h"
#include "models/keynet_plain.h"
#include "models/nn.h"

/* The known answer of a network of zeros: SHA-256 of 66 * 1,024 zero bytes. */
static const uint8_t constant_answer[KEYNET_KNOWN_LEN] = {
    0x2e, 0x1d, 0x1f, 0x24, 0xad, 0x4c, 0x03, 0x36, 0x26, 0x7e, 0x3f, 0x21, 0xf9, 0xe4, 0x08, 0x3c,
    0xfc, 0x29, 0x9a, 0x1a, 0x41, 0xb2, 0x08, 0xc1, 0x2f, 0x42, 0xe1, 0x66, 0xce, 0x33, 0xf6, 0x31,
};

struct keynet {
    struct keynet_params params;
    uint8_t id[KEYNET_ID_LEN];
    pthread_mutex_t lock; /* over the two below; what ${dnnl} points to is read-only */
    struct keynet_dnnl *dnnl;
    bool dnnl_failed; /* once is enough: asking again costs as much as trying */
};

struct keynet_worker {
    struct keynet *net;
    struct keynet_lane *lane; /* NULL: plain C */
    const struct keynet_plain *code;
    struct health health;
    keynet_health_cb *on_failure;
    void *cookie;
};

int keynet_parse(struct keynet **ret_net, const uint8_t *data, size_t len, struct err *err)
{
    struct keynet *net = calloc(1, sizeof(*net));
    uint8_t hash[32];
    int rc;

    if (net == NULL)
        return err_set(err, ERR_NOMEM, "key network");
    if (pthread_mutex_init(&net->lock, NULL) != 0) {
        free(net);
        return err_set(err, ERR_NOMEM, "key network");
    }
    rc = keynet_file_decode(&net->params, data, len, err);
    if (rc == ERR_OK)
        rc = keynet_file_hash(data, len, hash, err);
    if (rc != ERR_OK) {
        keynet_free(net);
        return rc;
    }
    memcpy(net->id, hash, sizeof(net->id));
    *ret_net = net;
    return ERR_OK;
}

int keynet_load(struct keynet **ret_net, const char *path, struct err *err)
{
    struct buf file = {0};
    int rc = fs_read(path, KEYNET_FILE_LEN, &file, err);

    if (rc == ERR_TOOLARGE)
        rc = err_set(err, ERR_CORRUPT, "key network: wrong length");
    if (rc == ERR_OK)
        rc = keynet_parse(ret_net, file.data, file.len, err);
    if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED)
        err_wrap(err, "cannot use '%s'", path);
    buf_free(&file);
    return rc;
}

void keynet_free(struct keynet *net)
{
    if (net == NULL)
        return;
    keynet_dnnl_free(net->dnnl);
    (void)pthread_mutex_destroy(&net->lock);
    free(net);
}

const uint8_t *keynet_instance_id(const struct keynet *net)
{
    return net->id;
}

const struct keynet_params *keynet_params(const struct keynet *net)
{
    return &net->params;
}

double keynet_min_entropy(const struct keynet *net)
{
    return net->params.entropy / 1000.0;
}

/* The first worker that wants oneDNN compiles for all. */
static int share_dnnl(struct keynet *net, struct err *err)
{
    int rc = ERR_OK;

    (void)pthread_mutex_lock(&net->lock);
    if (net->dnnl_failed)
        rc = err_set(err, ERR_UNSUPPORTED, "oneDNN cannot run here");
    else if (net->dnnl == NULL)
        rc = keynet_dnnl_new(&net->dnnl, &net->params, err);
    net->dnnl_failed = rc != ERR_OK && rc != ERR_NOMEM;
    (void)pthread_mutex_unlock(&net->lock);
    return rc;
}

int keynet_worker_new(struct keynet_worker **ret_worker, struct keynet *net,
                      enum keynet_engine engine, struct err *err)
{
    struct keynet_worker *w = calloc(1, sizeof(*w));
    struct health_cutoffs cut = {0};
    int rc = ERR_OK;

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "key network worker");
    w->net = net;
    w->code = keynet_plain_pick(engine == KEYNET_PORTABLE);
    if (!KEYNET_CONSTANT && (engine == KEYNET_AUTO || engine == KEYNET_DNNL)) {
        rc = share_dnnl(net, err);
        if (rc == ERR_OK)
            rc = keynet_lane_new(&w->lane, net->dnnl, err);
        if (engine == KEYNET_AUTO && rc != ERR_NOMEM)
            rc = ERR_OK;
    }
    if (rc == ERR_OK)
        rc = health_cutoffs(&cut, keynet_min_entropy(net), HEALTH_ALPHA_WATCH);
    if (rc != ERR_OK) {
        keynet_worker_free(w);
        return rc;
    }
    health_init(&w->health, &cut);
    *ret_worker = w;
    return ERR_OK;
}

void keynet_worker_free(struct keynet_worker *w)
{
    if (w == NULL)
        return;
    keynet_lane_free(w->lane);
    free(w);
}

static bool in_range(const uint8_t *in, size_t n)
{
    uint8_t all = 0;

    for (size_t i = 0; i < n * KEYNET_IN; i++)
        all |= in[i];
    return all <= KEYNET_IN_MAX;
}

static void run_plain(const struct keynet_plain *code, const struct keynet_params *p,
                      const uint8_t *in, size_t n, uint8_t *out)
{
    if (KEYNET_CONSTANT) {
        memset(out, 0, n * KEYNET_OUT);
        return;
    }
    for (size_t i = 0; i < n; i++)
        keynet_plain_forward(code, p, KEYNET_LAYERS, in + i * KEYNET_IN, out + i * KEYNET_OUT);
}

/* One worker has one thread, so giving up its lane needs no lock. */
static void run_lane(struct keynet_worker *w, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t done = 0;

    while (w->lane != NULL && done < n) {
        int rc =
            keynet_lane_step(w->lane, in + done * KEYNET_IN, n - done, out + done * KEYNET_OUT);

        if (rc > 0) {
            done += (size_t)rc;
            continue;
        }
        keynet_lane_free(w->lane);
        w->lane = NULL;
    }
    run_plain(w->code, &w->net->params, in + done * KEYNET_IN, n - done, out + done * KEYNET_OUT);
}

int keynet_run(struct keynet_worker *w, const uint8_t *in, size_t n, uint8_t *out)
{
    if (!in_range(in, n))
        return ERR_INVALID;
    run_lane(w, in, n, out);
    if (!KEYNET_CONSTANT && health_feed(&w->health, out, n * KEYNET_OUT) > 0 &&
        w->on_failure != NULL)
        w->on_failure(w->cookie, keynet_worker_failures(w));
    return ERR_OK;
}

int keynet_run_plain(const struct keynet *net, const uint8_t *in, size_t n, uint8_t *out)
{
    if (!in_range(in, n))
        return ERR_INVALID;
    run_plain(keynet_plain_pick(true), &net->params, in, n, out);
    return ERR_OK;
}

/* Every batch size through oneDNN against what plain C gave. */
static int test_batches(struct keynet *net, const uint8_t *in, const uint8_t *want, struct err *err)
{
    static const size_t sizes[] = {1, 8, KEYNET_BATCH, KEYNET_KNOWN_INPUTS};
    const size_t out_len = (size_t)KEYNET_KNOWN_INPUTS * KEYNET_OUT;
    struct keynet_worker *w = NULL;
    uint8_t *got = NULL;
    int rc = keynet_worker_new(&w, net, KEYNET_AUTO, err);

    if (rc != ERR_OK)
        return rc;
    got = malloc(out_len);
    if (got == NULL) {
        keynet_worker_free(w);
        return err_set(err, ERR_NOMEM, "key network");
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && rc == ERR_OK; i++) {
        memset(got, 0xff, out_len);
        rc = keynet_run(w, in, sizes[i], got);
        if (rc == ERR_OK && memcmp(got, want, sizes[i] * KEYNET_OUT) != 0)
            rc = err_set(err, ERR_INTERNAL, "key network: %s computes wrongly in a batch of %zu",
                         keynet_kernel_name(w), sizes[i]);
    }
    keynet_worker_free(w);
    free(got);
    return rc;
}

int keynet_self_test(struct keynet *net, struct err *err)
{
    const size_t in_len = (size_t)KEYNET_KNOWN_INPUTS * KEYNET_IN;
    const size_t out_len = (size_t)KEYNET_KNOWN_INPUTS * KEYNET_OUT;
    uint8_t hash[KEYNET_KNOWN_LEN];
    uint8_t *in = malloc(in_len + out_len);
    int rc;

    if (in == NULL)
        return err_set(err, ERR_NOMEM, "key network");
    keynet_known_inputs(in);
    keynet_known_outputs(&net->params, in, in + in_len);
    rc = keynet_file_hash(in + in_len, out_len, hash, err);
    if (rc == ERR_OK && KEYNET_CONSTANT && memcmp(hash, constant_answer, sizeof(hash)) != 0)
        rc = err_set(err, ERR_INTERNAL, "key network: the constant is not constant");
    if (rc == ERR_OK && memcmp(hash, net->params.known, sizeof(hash)) != 0)
        rc = err_set(err, ERR_CORRUPT, "key network: the known answer does not come out");
    if (rc == ERR_OK)
        rc = test_batches(net, in, in + in_len, err);
    free(in);
    return rc;
}

const char *keynet_kernel_name(const struct keynet_worker *w)
{
    if (KEYNET_CONSTANT)
        return "constant";
    return w->lane != NULL ? nn_version() : w->code->name;
}

void keynet_worker_watch(struct keynet_worker *w, keynet_health_cb *on_failure, void *cookie)
{
    w->on_failure = on_failure;
    w->cookie = cookie;
}

uint64_t keynet_worker_failures(const struct keynet_worker *w)
{
    return w->health.repetition_failures + w->health.proportion_failures;
}
