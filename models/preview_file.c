/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One list of sections serves both directions, so that they cannot differ:
 * each number of the file is named once.
 */
#include "models/preview_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "models/preview_symbols.h"

/* Version 1 has no details, and version 2 no widths. */
enum { KIND_PREVIEW = 2, VERSION_PLAIN = 1, VERSION_USUAL = 2, VERSION = 3, HASH_LEN = 32 };

static const char magic[8] = {'s', 'a', 't', 'c', 'h', 'e', 'l', 'w'};

/* Bits of an integer. */
enum width { W8, W16, W32 };

/* A run of integers in memory, and how many bits it has in the file. */
struct section {
    void *data;
    size_t count;
    enum width memory, file;
};

enum { SECTIONS = 21, SECTIONS_PLAIN = 17 };

static void list(struct preview_net *n, struct section s[SECTIONS])
{
    struct preview_tables *t = &n->tables;
    const size_t per_latent = (size_t)PREVIEW_LATENTS * PREVIEW_HIDDEN;
    const size_t per_table = (size_t)PREVIEW_SCALES * PREVIEW_SHIFTS * PREVIEW_SYMBOLS;
    const struct section all[SECTIONS] = {
        {t->step, PREVIEW_STEPS, W32, W32},
        {t->per_step, PREVIEW_STEPS, W32, W32},
        {t->spread, PREVIEW_LATENTS, W32, W32},
        {t->per_spread, PREVIEW_LATENTS, W32, W32},
        {t->hidden, PREVIEW_HIDDEN, W32, W32},
        {t->hidden_step, PREVIEW_HIDDEN, W32, W32},
        {t->in_value, per_latent, W16, W16},
        {t->in_size, per_latent, W16, W16},
        {t->scale, PREVIEW_LATENTS, W32, W32},
        {t->mean, PREVIEW_LATENTS, W32, W32},
        {t->out_scale, per_latent, W16, W16},
        {t->out_mean, per_latent, W16, W16},
        {t->count, per_table, W16, W16},
        {t->centre, per_table, W16, W16},
        {n->odd, PREVIEW_LATENTS, W8, W8},
        {n->row, (size_t)PREVIEW_FINE * PREVIEW_HALF, W16, W16},
        {n->row[PREVIEW_FINE], (size_t)(PREVIEW_LATENTS - PREVIEW_FINE) * PREVIEW_HALF, W16, W8},
        {t->detail_in, (size_t)PREVIEW_CODED * PREVIEW_SEEN * PREVIEW_DETAIL_HIDDEN, W16, W16},
        {t->detail_bias, (size_t)PREVIEW_CODED * PREVIEW_DETAIL_HIDDEN, W32, W32},
        {t->detail_out, (size_t)PREVIEW_CODED * PREVIEW_DETAIL_HIDDEN, W16, W16},
        {t->detail_out_bias, PREVIEW_CODED, W32, W32},
    };

    memcpy(s, all, sizeof(all));
}

static uint32_t load(const struct section *s, size_t i)
{
    switch (s->memory) {
    case W8:
        return ((const uint8_t *)s->data)[i];
    case W16:
        return ((const uint16_t *)s->data)[i];
    default:
        return ((const uint32_t *)s->data)[i];
    }
}

static void keep(const struct section *s, size_t i, uint32_t v)
{
    if (s->memory == W8)
        ((uint8_t *)s->data)[i] = (uint8_t)v;
    else if (s->memory == W16 && s->file == W8)
        ((int16_t *)s->data)[i] = (int8_t)v;
    else if (s->memory == W16)
        ((uint16_t *)s->data)[i] = (uint16_t)v;
    else
        ((uint32_t *)s->data)[i] = v;
}

static void put_section(const struct section *s, struct buf *b)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t v = load(s, i);

        if (s->file == W8)
            buf_u8(b, (uint8_t)v);
        else if (s->file == W16)
            buf_u16(b, (uint16_t)v);
        else
            buf_u32(b, v);
    }
}

static void get_section(const struct section *s, struct rd *r)
{
    for (size_t i = 0; i < s->count; i++)
        keep(s, i, s->file == W8 ? rd_u8(r) : s->file == W16 ? rd_u16(r) : rd_u32(r));
}

static void put_floats(struct buf *b, const float *v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;

        memcpy(&bits, &v[i], sizeof(bits));
        buf_u32(b, bits);
    }
}

static bool get_floats(struct rd *r, float *v, size_t len)
{
    bool sane = true;

    for (size_t i = 0; i < len; i++) {
        uint32_t bits = rd_u32(r);

        memcpy(&v[i], &bits, sizeof(bits));
        sane &= isfinite(v[i]) && fabsf(v[i]) < 1e6F;
    }
    return sane;
}

/* The upper halves of floats (bfloat16), rounded: enough for layers that repair. */
static void put_halves(struct buf *b, const float *v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;

        memcpy(&bits, &v[i], sizeof(bits));
        buf_u16(b, (uint16_t)((bits + 0x8000) >> 16));
    }
}

static bool get_halves(struct rd *r, float *v, size_t len)
{
    bool sane = true;

    for (size_t i = 0; i < len; i++) {
        uint32_t bits = (uint32_t)rd_u16(r) << 16;

        memcpy(&v[i], &bits, sizeof(bits));
        sane &= isfinite(v[i]) && fabsf(v[i]) < 1e6F;
    }
    return sane;
}

static bool widths_fit(const uint16_t widths[PREVIEW_WIDTHS])
{
    bool fit = true;

    for (int i = 0; i < PREVIEW_WIDTHS; i++)
        fit &= widths[i] >= 1 && widths[i] <= PREVIEW_WIDTH_MAX;
    return fit;
}

static bool within(int32_t v, int32_t most)
{
    return v >= -most && v <= most;
}

/* What keeps the arithmetic of preview_symbols.c and preview_detail.c within its types, and tables
 * whole. */
static const char *check(const struct preview_net *n)
{
    const struct preview_tables *t = &n->tables;

    for (int i = 0; i < PREVIEW_STEPS; i++)
        if (t->step[i] < 1 || t->step[i] > 1 << 24 || t->per_step[i] < 1 ||
            t->per_step[i] > 1 << 24)
            return "a step size is out of range";
    for (int j = 0; j < PREVIEW_LATENTS; j++) {
        if (t->spread[j] < 1 || t->spread[j] > 1 << 24 || t->per_spread[j] > 1 << 24)
            return "a spread is out of range";
        if (n->odd[j] > 1)
            return "a latent is in no half";
    }
    for (int b = 0; b < PREVIEW_CODED; b++) {
        bool sane = within(t->detail_out_bias[b], 1 << 30);

        for (int h = 0; h < PREVIEW_DETAIL_HIDDEN; h++)
            sane &= within(t->detail_bias[b][h], 1 << 24);
        if (!sane)
            return "a network of details is out of range";
    }
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int m = 0; m < PREVIEW_SHIFTS; m++) {
            uint32_t sum = 0;

            for (int i = 0; i < PREVIEW_SYMBOLS; i++) {
                if (t->count[s][m][i] == 0)
                    return "a symbol has no probability";
                sum += t->count[s][m][i];
            }
            if (sum != 1U << RANGE_BITS)
                return "a table does not add up";
        }
    return NULL;
}

static int hash_of(const uint8_t *data, size_t len, uint8_t ret_hash[HASH_LEN], struct err *err)
{
    int rc = hash_sha256(ret_hash, data, len);

    return rc == ERR_OK ? rc : err_set(err, rc, "cannot compute SHA-256");
}

static const uint16_t shapes[] = {PREVIEW_SIDE,   PREVIEW_HALF,   PREVIEW_LATENTS,
                                  PREVIEW_FINE,   PREVIEW_HIDDEN, PREVIEW_STEPS,
                                  PREVIEW_SCALES, PREVIEW_SHIFTS, PREVIEW_SYMBOLS};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static bool usual(const uint16_t widths[PREVIEW_WIDTHS])
{
    return memcmp(widths, preview_usual_widths, sizeof(preview_usual_widths)) == 0;
}

/* The version that says what ${net} has, and no more; 0: none does. */
static uint16_t version_of(const struct preview_net *net)
{
    if (usual(net->widths))
        return net->detailed ? VERSION_USUAL : VERSION_PLAIN;
    return net->detailed && widths_fit(net->widths) ? VERSION : 0;
}

int preview_file_encode(struct preview_net *net, struct buf *out, struct err *err)
{
    const char *wrong = check(net);
    const uint16_t version = version_of(net);
    size_t start = out->len;
    struct section s[SECTIONS];
    uint8_t hash[HASH_LEN];
    int rc;

    if (wrong != NULL || version == 0 || net->repair_len != preview_repair_len(net->widths))
        return err_set(err, ERR_INVALID, "weights of previews: %s",
                       wrong != NULL ? wrong : "wrong layers");
    buf_put(out, magic, sizeof(magic));
    buf_u16(out, KIND_PREVIEW);
    buf_u16(out, version);
    for (int i = 0; i < SHAPES; i++)
        buf_u16(out, shapes[i]);
    for (int i = 0; i < PREVIEW_WIDTHS && version == VERSION; i++)
        buf_u16(out, net->widths[i]);
    buf_u32(out, (uint32_t)net->repair_len);
    list(net, s);
    for (int i = 0; i < (net->detailed ? SECTIONS : SECTIONS_PLAIN); i++)
        put_section(&s[i], out);
    put_floats(out, net->offset, PREVIEW_FEATURES);
    put_floats(out, net->unit, PREVIEW_LATENTS);
    put_halves(out, net->repair, net->repair_len);
    rc = buf_check(out, err);
    if (rc == ERR_OK)
        rc = hash_of(out->data + start, out->len - start, hash, err);
    if (rc != ERR_OK)
        return rc;
    memcpy(net->id, hash, sizeof(net->id));
    buf_put(out, hash, sizeof(hash));
    return buf_check(out, err);
}

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "weights of previews: %s", what);
}

/* Check all but the numbers, and fill in what ${net} has. */
static int check_frame(struct rd *r, const uint8_t *data, size_t len, struct preview_net *net,
                       struct err *err)
{
    const uint8_t *m = rd_take(r, sizeof(magic));
    uint16_t kind = rd_u16(r), version = rd_u16(r);
    uint8_t hash[HASH_LEN];
    bool same = true;

    if (m == NULL || memcmp(m, magic, sizeof(magic)) != 0 || kind != KIND_PREVIEW)
        return corrupt(err, "not a weight file of previews");
    net->detailed = version != VERSION_PLAIN;
    if (version < VERSION_PLAIN || version > VERSION)
        return err_set(err, ERR_UNSUPPORTED, "weights of previews: version %u is not known",
                       version);
    for (int i = 0; i < SHAPES; i++)
        same &= rd_u16(r) == shapes[i];
    for (int i = 0; i < PREVIEW_WIDTHS; i++)
        net->widths[i] = version == VERSION ? rd_u16(r) : preview_usual_widths[i];
    same &= widths_fit(net->widths) && (version < VERSION || !usual(net->widths));
    net->repair_len = same ? preview_repair_len(net->widths) : 0;
    if (!same || rd_u32(r) != net->repair_len)
        return corrupt(err, "wrong shapes");
    if (len < HASH_LEN || hash_of(data, len - HASH_LEN, hash, err) != ERR_OK ||
        memcmp(hash, data + len - HASH_LEN, HASH_LEN) != 0)
        return corrupt(err, "the hash does not match");
    return ERR_OK;
}

static const char *get_numbers(struct rd *r, struct preview_net *net)
{
    struct section s[SECTIONS];
    bool sane;

    list(net, s);
    for (int i = 0; i < (net->detailed ? SECTIONS : SECTIONS_PLAIN); i++)
        get_section(&s[i], r);
    sane = get_floats(r, net->offset, PREVIEW_FEATURES);
    sane &= get_floats(r, net->unit, PREVIEW_LATENTS);
    sane &= get_halves(r, net->repair, net->repair_len);
    (void)rd_take(r, HASH_LEN);
    if (!rd_done(r))
        return "wrong length";
    return sane ? check(net) : "a number is not one";
}

int preview_file_decode(struct preview_net **ret_net, const uint8_t *data, size_t len,
                        struct err *err)
{
    struct rd r = rd_make(data, len);
    struct preview_net *net = calloc(1, sizeof(*net));
    const char *wrong;
    int rc = net != NULL ? check_frame(&r, data, len, net, err)
                         : err_set(err, ERR_NOMEM, "weights of previews");

    if (rc == ERR_OK) {
        net->repair = calloc(net->repair_len, sizeof(float));
        if (net->repair == NULL)
            rc = err_set(err, ERR_NOMEM, "weights of previews");
    }
    if (rc != ERR_OK) {
        preview_net_free(net);
        return rc;
    }
    wrong = get_numbers(&r, net);
    if (wrong != NULL) {
        preview_net_free(net);
        return corrupt(err, wrong);
    }
    memcpy(net->id, data + len - HASH_LEN, sizeof(net->id));
    preview_sum(net);
    *ret_net = net;
    return ERR_OK;
}

void preview_net_free(struct preview_net *net)
{
    if (net == NULL)
        return;
    free(net->repair);
    free(net);
}
