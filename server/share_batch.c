/* SPDX-License-Identifier: Apache-2.0 */
#include "server/share_batch.h"

#include <stdlib.h>
#include <string.h>

struct share_batch {
    struct keynet_worker *worker;
    struct instance_id instance;
    struct share_place places[SHARE_BATCH_MAX];
    struct secret seeds; /* SHARE_SEED_LEN bytes each */
    struct secret pairs; /* SHARE_BATCH_PAIR bytes each */
    struct secret seed;  /* the one at work */
    struct share_pair pair;
    unsigned want;
    size_t n;
    uint8_t in[SHARE_BATCH_MAX * KEYNET_IN];
    uint8_t out[SHARE_BATCH_MAX * KEYNET_OUT];
};

int share_batch_new(struct share_batch **ret_b, struct keynet *net, struct err *err)
{
    struct share_batch *b = calloc(1, sizeof(*b));
    int rc;

    if (b == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    b->want = SHARE_WANT_BOTH;
    memcpy(b->instance.b, keynet_instance_id(net), sizeof(b->instance.b));
    rc = keynet_worker_new(&b->worker, net, KEYNET_AUTO, err);
    if (rc == ERR_OK)
        rc = secret_new(&b->seeds, SHARE_BATCH_MAX * SHARE_SEED_LEN, err);
    if (rc == ERR_OK)
        rc = secret_new(&b->pairs, SHARE_BATCH_MAX * SHARE_BATCH_PAIR, err);
    if (rc == ERR_OK)
        rc = secret_new(&b->seed, SHARE_SEED_LEN, err);
    if (rc != ERR_OK) {
        share_batch_free(b);
        return rc;
    }
    *ret_b = b;
    return ERR_OK;
}

void share_batch_free(struct share_batch *b)
{
    if (b == NULL)
        return;
    keynet_worker_free(b->worker);
    secret_free(&b->seeds);
    secret_free(&b->pairs);
    secret_free(&b->seed);
    share_pair_free(&b->pair);
    secret_wipe(b, sizeof(*b));
    free(b);
}

void share_batch_want(struct share_batch *b, unsigned want)
{
    b->want = want;
}

int share_batch_add(struct share_batch *b, const struct share_place *place,
                    const uint8_t seed[SHARE_SEED_LEN])
{
    if (b->n == SHARE_BATCH_MAX)
        return ERR_LIMIT;
    b->places[b->n] = *place;
    memcpy(b->seeds.data + b->n * SHARE_SEED_LEN, seed, SHARE_SEED_LEN);
    b->n++;
    return ERR_OK;
}

size_t share_batch_len(const struct share_batch *b)
{
    return b->n;
}

static void take_seed(struct share_batch *b, size_t i)
{
    memcpy(b->seed.data, b->seeds.data + i * SHARE_SEED_LEN, SHARE_SEED_LEN);
}

int share_batch_run(struct share_batch *b)
{
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < b->n; i++) {
        take_seed(b, i);
        rc = share_input(&b->seed, &b->places[i], b->in + i * KEYNET_IN);
    }
    if (rc == ERR_OK && b->n > 0)
        rc = keynet_run(b->worker, b->in, b->n, b->out);
    for (size_t i = 0; rc == ERR_OK && i < b->n; i++) {
        uint8_t *to = b->pairs.data + i * SHARE_BATCH_PAIR;

        take_seed(b, i);
        rc = share_output_some(
            &(struct share_from){&b->seed, &b->places[i], &b->instance, b->out + i * KEYNET_OUT},
            b->want, &b->pair);
        if (rc == ERR_OK && (b->want & SHARE_WANT(SHARE_META)) != 0)
            memcpy(to, b->pair.meta.data, SHARE_LEN);
        if (rc == ERR_OK && (b->want & SHARE_WANT(SHARE_BODY)) != 0)
            memcpy(to + SHARE_LEN, b->pair.body.data, SHARE_LEN);
    }
    return rc == ERR_OK ? ERR_OK : ERR_INTERNAL;
}

const uint8_t *share_batch_pair(const struct share_batch *b, size_t i)
{
    return b->pairs.data + i * SHARE_BATCH_PAIR;
}

void share_batch_clear(struct share_batch *b)
{
    secret_wipe(b->in, b->n * KEYNET_IN);
    secret_wipe(b->out, b->n * KEYNET_OUT);
    secret_wipe(b->seeds.data, b->n * SHARE_SEED_LEN);
    secret_wipe(b->pairs.data, b->n * SHARE_BATCH_PAIR);
    b->n = 0;
}

struct keynet_worker *share_batch_worker(struct share_batch *b)
{
    return b->worker;
}
