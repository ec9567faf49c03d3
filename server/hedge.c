/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hedge.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"

enum { KEY_LEN = 32, FILE_LEN = KEY_LEN + 8, FILE_MODE = 0600 };

struct hedge {
    struct rng_hedge rng;
    uint64_t claimed; /* numbers below this one may be used */
    char *path;
};

static int write_file(const struct hedge *h, uint64_t counter, struct err *err)
{
    struct secret file = {0};
    int rc = secret_new(&file, FILE_LEN, err);

    if (rc == ERR_OK) {
        memcpy(file.data, h->rng.key.data, KEY_LEN);
        put_be64(file.data + KEY_LEN, counter);
        rc = fs_replace(h->path, file.data, file.len, FILE_MODE, err);
    }
    secret_free(&file);
    return rc;
}

int hedge_create(const char *path, struct err *err)
{
    struct secret file = {0};
    int rc = secret_new(&file, FILE_LEN, err);

    if (rc == ERR_OK && rng_bytes(file.data, KEY_LEN) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "the random number generator failed");
    if (rc == ERR_OK)
        rc = fs_create(path, file.data, file.len, FILE_MODE, err);
    secret_free(&file);
    return rc;
}

static int read_file(struct hedge *h, struct err *err)
{
    struct secret file = {0};
    int rc = fs_read_secret(h->path, FILE_LEN, &file, err);

    if (rc == ERR_OK && file.len != FILE_LEN)
        rc = err_set(err, ERR_CORRUPT, "'%s' is not a hedge key", h->path);
    if (rc == ERR_OK) {
        h->rng.counter = h->claimed = get_be64(file.data + KEY_LEN);
        secret_truncate(&file, KEY_LEN);
        secret_move(&h->rng.key, &file);
    }
    secret_free(&file);
    return rc;
}

int hedge_open(struct hedge **ret_h, const char *path, struct err *err)
{
    struct hedge *h = calloc(1, sizeof(*h));
    int rc;

    if (h == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    h->path = strdup(path);
    rc = h->path != NULL ? read_file(h, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (rc != ERR_OK) {
        hedge_close(h);
        return rc;
    }
    *ret_h = h;
    return ERR_OK;
}

void hedge_close(struct hedge *h)
{
    if (h == NULL)
        return;
    secret_free(&h->rng.key);
    free(h->path);
    free(h);
}

int hedge_draw(struct hedge *h, const char *label, struct part transcript,
               uint8_t ret_out[RNG_HEDGED_LEN], struct err *err)
{
    if (h->rng.counter >= h->claimed) {
        int rc = write_file(h, h->rng.counter + HEDGE_BLOCK, err);

        if (rc != ERR_OK)
            return rc;
        h->claimed = h->rng.counter + HEDGE_BLOCK;
    }
    return rng_hedged(&h->rng, label, transcript, ret_out);
}
