/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/checkpoint.h"

#include <string.h>

#include "common/buf.h"
#include "common/crypto/hash.h"
#include "common/fs.h"

enum { HASH_LEN = 32, FILE_MAX = 64 << 20, BLOCKS_MAX = 10 + 3 * CONV_LAYERS_MAX };

/* Everything that a checkpoint holds, as memory to copy. */
struct block {
    void *data;
    size_t len;
};

static size_t list_state(struct block *b, const struct estimate_state *s)
{
    b[0] = (struct block){s->steps, sizeof(*s->steps)};
    b[1] = (struct block){s->value, s->len * sizeof(float)};
    b[2] = (struct block){s->mean, s->len * sizeof(float)};
    b[3] = (struct block){s->square, s->len * sizeof(float)};
    return 4;
}

static size_t list(struct block *b, struct progress *p, const struct learned *l)
{
    const struct estimate_state estimate = estimate_state(l->estimate);
    const struct estimate_state detail = detail_state(l->detail);
    size_t n = 0;

    b[n++] = (struct block){p, sizeof(*p)};
    n += list_state(b + n, &estimate);
    b[n++] = (struct block){conv_steps(l->repair), sizeof(unsigned)};
    for (unsigned i = 0; i < CONV_LAYERS_MAX; i++) {
        float *mean = NULL, *square = NULL;
        size_t len = conv_state(l->repair, i, &mean, &square) * sizeof(float);

        if (len == 0)
            continue;
        b[n++] = (struct block){conv_params(l->repair, i).weights, len};
        b[n++] = (struct block){mean, len};
        b[n++] = (struct block){square, len};
    }
    return n + list_state(b + n, &detail);
}

static int hash_of(const struct buf *b, size_t len, uint8_t ret_hash[HASH_LEN], struct err *err)
{
    int rc = hash_sha256(ret_hash, b->data, len);

    return rc == ERR_OK ? rc : err_set(err, rc, "cannot compute SHA-256");
}

int checkpoint_write(const char *path, const struct progress *p, const struct learned *l,
                     struct err *err)
{
    struct progress copy = *p;
    struct block blocks[BLOCKS_MAX];
    size_t n = list(blocks, &copy, l);
    struct buf b = {0};
    uint8_t hash[HASH_LEN];
    int rc;

    for (size_t i = 0; i < n; i++)
        buf_put(&b, blocks[i].data, blocks[i].len);
    rc = buf_check(&b, err);
    if (rc == ERR_OK)
        rc = hash_of(&b, b.len, hash, err);
    if (rc == ERR_OK) {
        buf_put(&b, hash, sizeof(hash));
        rc = buf_check(&b, err);
    }
    if (rc == ERR_OK)
        rc = fs_replace(path, b.data, b.len, 0644, err);
    buf_free(&b);
    return rc;
}

int checkpoint_read(const char *path, struct progress *ret_p, const struct learned *l,
                    struct err *err)
{
    struct block blocks[BLOCKS_MAX];
    size_t n = list(blocks, ret_p, l), len = HASH_LEN;
    struct buf b = {0};
    uint8_t hash[HASH_LEN];
    int rc = fs_read(path, FILE_MAX, &b, err);

    for (size_t i = 0; i < n; i++)
        len += blocks[i].len;
    if (rc == ERR_OK && b.len != len)
        rc = err_set(err, ERR_CORRUPT, "%s: a checkpoint of another program", path);
    if (rc == ERR_OK)
        rc = hash_of(&b, b.len - HASH_LEN, hash, err);
    if (rc == ERR_OK && memcmp(hash, b.data + b.len - HASH_LEN, HASH_LEN) != 0)
        rc = err_set(err, ERR_CORRUPT, "%s: the hash does not match", path);
    if (rc == ERR_OK) {
        struct rd r = rd_make(b.data, b.len);

        for (size_t i = 0; i < n; i++)
            rd_get(&r, blocks[i].data, blocks[i].len);
        conv_changed(l->repair);
        if (ret_p->rounds > CURVE_MAX)
            rc = err_set(err, ERR_CORRUPT, "%s: too many rounds", path);
    }
    buf_free(&b);
    return rc;
}
