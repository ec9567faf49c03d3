/* SPDX-License-Identifier: Apache-2.0 */
#include "server/train.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/rng.h"
#include "common/fs.h"
#include "models/keynet.h"
#include "models/keynet_report.h"
#include "models/keynet_train.h"

enum { SECRET_MODE = 0600, SEED_LEN = 32 };

static int on_progress(void *cookie, const struct keynet_progress *p)
{
    (void)cookie;
    if (isatty(STDERR_FILENO) && (p->step % 16 == 0 || p->step == p->steps))
        fprintf(stderr, "\rtraining the key network: %3zu%%%s", 100 * p->step / p->steps,
                p->step == p->steps ? "\n" : "");
    return ERR_OK;
}

/* Only what computes as it must is written. */
static int write_card(const char *path, const struct buf *weights, const struct keynet_training *t,
                      struct instance_id *ret_id, struct err *err)
{
    struct keynet *net = NULL;
    struct buf card = {0};
    int rc = keynet_parse(&net, weights->data, weights->len, err);

    if (rc == ERR_OK)
        rc = keynet_self_test(net, err);
    if (rc == ERR_OK)
        rc = keynet_report(net, NULL, t, &card, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, card.data, card.len, SECRET_MODE, err);
    if (rc == ERR_OK && ret_id != NULL)
        memcpy(ret_id->b, keynet_instance_id(net), sizeof(ret_id->b));
    keynet_free(net);
    buf_free(&card);
    return rc;
}

int train_instance(const char *weights, const char *card, struct instance_id *ret_id,
                   struct err *err)
{
    uint8_t seed[SEED_LEN];
    struct keynet_train_opts opts = {
        .seed = seed, .seed_len = sizeof(seed), .progress = on_progress};
    struct keynet_training t = {0};
    struct instance_id id = {0};
    struct buf file = {0};
    int rc = rng_bytes(seed, sizeof(seed));

    if (rc != ERR_OK)
        return err_set(err, rc, "the random number generator failed");
    rc = keynet_train(&opts, &file, &t, err);
    if (rc == ERR_OK)
        rc = write_card(card, &file, &t, &id, err);
    if (rc == ERR_OK)
        rc = fs_replace(weights, file.data, file.len, SECRET_MODE, err);
    if (rc == ERR_OK && ret_id != NULL)
        *ret_id = id;
    secret_wipe(seed, sizeof(seed));
    secret_wipe(file.data, file.len);
    buf_free(&file);
    return rc;
}
