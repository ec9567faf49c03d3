/* SPDX-License-Identifier: Apache-2.0 */
#include "models/keynet_file.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "models/keynet.h"

enum {
    KIND_KEYNET = 1,
    VERSION = 1,
    HASH_LEN = 32,
    HEADER_LEN = 68,
};
static_assert(HEADER_LEN + 4 * KEYNET_BIASES + KEYNET_WEIGHTS + HASH_LEN == KEYNET_FILE_LEN,
              "the length of the file follows from the shapes");

static const char magic[8] = {'s', 'a', 't', 'c', 'h', 'e', 'l', 'w'};

int keynet_file_hash(const void *data, size_t len, uint8_t ret_hash[32], struct err *err)
{
    int rc = hash_sha256(ret_hash, data, len);

    return rc == ERR_OK ? rc : err_set(err, rc, "cannot compute SHA-256");
}

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "key network: %s", what);
}

/* The part that says what the file is, and the hash over all of it. */
static int check_frame(struct rd *r, const uint8_t *data, size_t len, struct err *err)
{
    const uint8_t *m = rd_take(r, sizeof(magic));
    uint16_t kind = rd_u16(r);
    uint16_t version = rd_u16(r);
    uint8_t hash[HASH_LEN];

    if (m == NULL || memcmp(m, magic, sizeof(magic)) != 0 || kind != KIND_KEYNET)
        return corrupt(err, "not a weight file of a key network");
    if (version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "key network: version %u of the file is not known",
                       version);
    if (rd_u32(r) != KEYNET_FILE_LEN || len != KEYNET_FILE_LEN)
        return corrupt(err, "wrong length");
    if (keynet_file_hash(data, len - HASH_LEN, hash, err) != ERR_OK)
        return ERR_INTERNAL;
    if (memcmp(hash, data + len - HASH_LEN, HASH_LEN) != 0)
        return corrupt(err, "the hash does not match");
    return ERR_OK;
}

/* Also what encoding refuses, so the two agree. */
static const char *check_ranges(const struct keynet_params *p)
{
    for (int l = 0; l < KEYNET_LAYERS; l++)
        if (p->shift[l] < 1 || p->shift[l] > KEYNET_SHIFT_MAX)
            return "a shift is out of range";
    if (p->entropy < KEYNET_ENTROPY_MIN || p->entropy > KEYNET_ENTROPY_MAX)
        return "the min-entropy is out of range";
    for (size_t i = 0; i < KEYNET_BIASES; i++)
        if (p->bias[i] < -KEYNET_BIAS_MAX || p->bias[i] > KEYNET_BIAS_MAX)
            return "a bias is out of range";
    for (size_t i = 0; i < KEYNET_WEIGHTS; i++)
        if (p->weights[i] < -KEYNET_WEIGHT_MAX || p->weights[i] > KEYNET_WEIGHT_MAX)
            return "a weight is out of range";
    return NULL;
}

/* Shapes are fixed by the version; the file repeats them for readers of other kinds. */
static bool shapes_match(struct rd *r)
{
    bool same = rd_u16(r) == KEYNET_LAYERS;

    same &= rd_u16(r) == KEYNET_IN;
    for (int l = 0; l < KEYNET_LAYERS; l++)
        same &= rd_u16(r) == keynet_shapes[l].n;
    for (int l = 0; l < KEYNET_LAYERS; l++)
        same &= rd_u8(r) == keynet_shapes[l].max;
    return same;
}

static void get_layer(struct rd *r, struct keynet_params *p, const struct keynet_shape *s)
{
    for (unsigned j = 0; j < s->n; j++)
        p->bias[s->bias + j] = (int32_t)rd_u32(r);
    rd_get(r, p->weights + s->weights, (size_t)s->k * s->n);
}

int keynet_file_decode(struct keynet_params *ret_p, const uint8_t *data, size_t len,
                       struct err *err)
{
    struct rd r = rd_make(data, len);
    const char *wrong = NULL;
    int rc = check_frame(&r, data, len, err);

    if (rc != ERR_OK)
        return rc;
    if (!shapes_match(&r))
        return corrupt(err, "wrong shapes");
    rd_get(&r, ret_p->shift, KEYNET_LAYERS);
    ret_p->entropy = rd_u32(&r);
    rd_get(&r, ret_p->known, KEYNET_KNOWN_LEN);
    for (int l = 0; l < KEYNET_LAYERS; l++)
        get_layer(&r, ret_p, &keynet_shapes[l]);
    (void)rd_take(&r, HASH_LEN);
    if (!rd_done(&r))
        return corrupt(err, "wrong length");
    wrong = check_ranges(ret_p);
    return wrong == NULL ? ERR_OK : corrupt(err, wrong);
}

static void put_header(const struct keynet_params *p, struct buf *b)
{
    buf_put(b, magic, sizeof(magic));
    buf_u16(b, KIND_KEYNET);
    buf_u16(b, VERSION);
    buf_u32(b, KEYNET_FILE_LEN);
    buf_u16(b, KEYNET_LAYERS);
    buf_u16(b, KEYNET_IN);
    for (int l = 0; l < KEYNET_LAYERS; l++)
        buf_u16(b, (uint16_t)keynet_shapes[l].n);
    for (int l = 0; l < KEYNET_LAYERS; l++)
        buf_u8(b, (uint8_t)keynet_shapes[l].max);
    buf_put(b, p->shift, KEYNET_LAYERS);
    buf_u32(b, p->entropy);
    buf_put(b, p->known, KEYNET_KNOWN_LEN);
}

int keynet_file_encode(const struct keynet_params *p, struct buf *out, struct err *err)
{
    const char *wrong = check_ranges(p);
    size_t start = out->len;
    uint8_t hash[HASH_LEN];
    int rc;

    if (wrong != NULL)
        return err_set(err, ERR_INVALID, "key network: %s", wrong);
    put_header(p, out);
    for (int l = 0; l < KEYNET_LAYERS; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];

        for (unsigned j = 0; j < s->n; j++)
            buf_u32(out, (uint32_t)p->bias[s->bias + j]);
        buf_put(out, p->weights + s->weights, (size_t)s->k * s->n);
    }
    rc = buf_check(out, err);
    if (rc == ERR_OK)
        rc = keynet_file_hash(out->data + start, out->len - start, hash, err);
    if (rc != ERR_OK)
        return rc;
    buf_put(out, hash, sizeof(hash));
    return buf_check(out, err);
}
