/* SPDX-License-Identifier: Apache-2.0 */
/*
 * satcheld shares --data DIR --raw --count N: body shares on standard output,
 * each from a fresh seed, for tests of their randomness.  Reads only the
 * instance, so it may run beside a daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crypto/rng.h"
#include "common/fs.h"
#include "models/keynet.h"
#include "server/settings.h"
#include "server/share_batch.h"
#include "server/verb.h"

enum { BATCH = KEYNET_BATCH };

static int write_batch(struct share_batch *b, struct secret *out, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct share_place place;
        uint8_t seed[SHARE_SEED_LEN];
        int rc = rng_bytes(&place, sizeof(place));

        if (rc == ERR_OK)
            rc = rng_bytes(seed, sizeof(seed));
        if (rc == ERR_OK)
            rc = share_batch_add(b, &place, seed);
        secret_wipe(seed, sizeof(seed));
        if (rc != ERR_OK)
            return err_set(err, rc, "cannot draw a seed");
    }
    if (share_batch_run(b) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot derive shares");
    for (size_t i = 0; i < n; i++) {
        const uint8_t *pair = share_batch_pair(b, i);

        memcpy(out->data + i * SHARE_LEN, pair + SHARE_LEN, SHARE_LEN);
    }
    share_batch_clear(b);
    return fs_write_all(STDOUT_FILENO, out->data, n * SHARE_LEN, err);
}

static int write_all(struct keynet *net, uint64_t count, struct err *err)
{
    struct share_batch *b = NULL;
    struct secret out = {0};
    int rc = share_batch_new(&b, net, err);

    if (rc == ERR_OK) {
        share_batch_want(b, SHARE_WANT(SHARE_BODY));
        rc = secret_new(&out, BATCH * SHARE_LEN, err);
    }
    while (rc == ERR_OK && count > 0) {
        size_t n = count < BATCH ? (size_t)count : BATCH;

        rc = write_batch(b, &out, n, err);
        count -= n;
    }
    secret_free(&out);
    share_batch_free(b);
    return rc;
}

int verb_shares(const struct verb_opts *o, struct err *err)
{
    char *path = settings_file(o->data, SETTINGS_WEIGHTS);
    struct keynet *net = NULL;
    int rc = path != NULL ? keynet_load(&net, path, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = keynet_self_test(net, err);
    if (rc == ERR_OK)
        rc = write_all(net, o->count, err);
    keynet_free(net);
    free(path);
    return rc;
}
