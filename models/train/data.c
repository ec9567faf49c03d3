/* SPDX-License-Identifier: Apache-2.0 */
#include "models/train/data.h"

#include <fts.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/picture.h"
#include "models/preview_features.h"

enum { S = PREVIEW_SIDE, HELD_OUT_MAX = 16 << 20, READ_SIDE = 512 };

static uint8_t *add(struct data *d)
{
    if (d->n == d->room) {
        size_t room = d->room == 0 ? 1024 : d->room * 2;
        uint8_t *rgb = realloc(d->rgb, room * PREVIEW_BYTES);

        if (rgb == NULL)
            return NULL;
        d->rgb = rgb;
        d->room = room;
    }
    return d->rgb + d->n++ * PREVIEW_BYTES;
}

/* A square of drawn place; sizes from 64 pixels to all, the small and the large ones alike. */
static struct picture_part cut(const struct picture *p, struct prg *prg)
{
    unsigned least = p->width < p->height ? p->width : p->height;
    float octaves = log2f((float)least / S), size = S * exp2f(prg_between(prg, 0, octaves));
    unsigned side = least < S ? least : (unsigned)size < least ? (unsigned)size : least;

    return (struct picture_part){.x = prg_below(prg, p->width - side + 1),
                                 .y = prg_below(prg, p->height - side + 1),
                                 .width = side,
                                 .height = side};
}

/* Shares of the four pixels around a place ${f} behind the second: Catmull and Rom's cubic. */
static void shares(float f, float ret[4])
{
    ret[0] = ((2 - f) * f - 1) * f / 2;
    ret[1] = (f * f * (3 * f - 5) + 2) / 2;
    ret[2] = ((4 - 3 * f) * f + 1) * f / 2;
    ret[3] = (f - 1) * f * f / 2;
}

/* A pixel, mirrored at the edges. */
static int inside(int at)
{
    at = abs(at);
    return at >= S ? 2 * S - 2 - at : at;
}

/* The value of a colour between pixels; a plainer mean of neighbours would blur. */
static float between(const uint8_t *rgb, float x, float y, int c)
{
    int x0 = (int)floorf(x), y0 = (int)floorf(y);
    float across[4], down[4], sum = 0;

    shares(x - (float)x0, across);
    shares(y - (float)y0, down);
    for (int dy = 0; dy < 4; dy++)
        for (int dx = 0; dx < 4; dx++)
            sum += across[dx] * down[dy] *
                   (float)rgb[(inside(y0 + dy - 1) * S + inside(x0 + dx - 1)) * 3 + c];
    return sum < 0 ? 0 : sum > 255 ? 255 : sum;
}

/* Turned by some degrees, scaled by some percent, moved by a pixel or two. */
static void move(const uint8_t *from, uint8_t *to, struct prg *prg)
{
    float turn = prg_between(prg, -0.06F, 0.06F), scale = exp2f(prg_between(prg, -0.07F, 0.07F));
    float x0 = prg_between(prg, -1.5F, 1.5F), y0 = prg_between(prg, -1.5F, 1.5F);
    float c = cosf(turn) * scale, s = sinf(turn) * scale, middle = (S - 1) / 2.0F;

    for (int y = 0; y < S; y++)
        for (int x = 0; x < S; x++) {
            float dx = (float)x - middle, dy = (float)y - middle;

            for (int k = 0; k < 3; k++)
                to[(y * S + x) * 3 + k] = (uint8_t)(between(from, middle + x0 + c * dx - s * dy,
                                                            middle + y0 + s * dx + c * dy, k) +
                                                    0.5F);
        }
}

static int add_picture(struct data *d, const struct picture *p, const struct data_spec *spec,
                       struct prg *prg, struct err *err)
{
    const struct picture_part whole = {0, 0, p->width, p->height};
    bool small = p->width == S && p->height == S;
    uint8_t *to = add(d), original[PREVIEW_BYTES];

    if (to == NULL)
        return err_set(err, ERR_NOMEM, "%zu pictures", d->n);
    picture_scale(p, &whole, S, S, to);
    memcpy(original, to, sizeof(original));
    for (unsigned i = 0; i < (small ? spec->copies : spec->cuts); i++) {
        to = add(d);
        if (to == NULL)
            return err_set(err, ERR_NOMEM, "%zu pictures", d->n);
        if (small) {
            move(original, to, prg);
        } else {
            struct picture_part part = cut(p, prg);

            picture_scale(p, &part, S, S, to);
        }
    }
    return ERR_OK;
}

/* True if a line of ${list} is ${path}. */
static bool listed(const struct buf *list, const char *path)
{
    const char *text = (const char *)list->data, *end = text + list->len;
    size_t len = strlen(path);

    while (text != NULL && text < end) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((line != NULL ? line : end) - text);

        if (n == len && memcmp(text, path, len) == 0)
            return true;
        text = line != NULL ? line + 1 : NULL;
    }
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 ||
                           strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".webp") == 0);
}

static int add_file(struct data *d, const char *path, const struct data_spec *spec, struct prg *prg,
                    struct err *err)
{
    struct picture p;
    int rc = picture_read(&p, path, READ_SIDE, err);

    if (rc == ERR_CORRUPT || rc == ERR_TOOLARGE || rc == ERR_UNSUPPORTED) {
        fprintf(stderr, "satchel-train: %s: left out: %s\n", path, err->msg);
        d->refused++;
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = add_picture(d, &p, spec, prg, err);
        d->files++;
        picture_free(&p);
    }
    return rc;
}

static int read_folder(struct data *d, const char *folder, const struct data_spec *spec,
                       const struct buf *held_out, struct prg *prg, struct err *err)
{
    char *roots[2] = {strdup(folder), NULL};
    FTS *fts = roots[0] != NULL ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    size_t skip = strlen(folder);
    int rc = fts != NULL ? ERR_OK : err_set(err, ERR_IO, "cannot read %s", folder);
    FTSENT *at;

    while (rc == ERR_OK && (at = fts_read(fts)) != NULL) {
        const char *name = at->fts_path + skip;

        while (*name == '/')
            name++;
        if (at->fts_info == FTS_NS || at->fts_info == FTS_DNR || at->fts_info == FTS_ERR)
            rc = err_sys(err, at->fts_errno, "%s", at->fts_path);
        else if (at->fts_info != FTS_F || !is_picture(at->fts_name))
            continue;
        else if (listed(held_out, name))
            d->held_out++;
        else
            rc = add_file(d, at->fts_path, spec, prg, err);
    }
    if (fts != NULL)
        (void)fts_close(fts);
    free(roots[0]);
    return rc;
}

int data_read(struct data *ret_d, const struct data_spec *spec, struct prg *prg, struct err *err)
{
    struct buf held_out = {0};
    int rc = ERR_OK;

    *ret_d = (struct data){0};
    if (spec->held_out != NULL)
        rc = fs_read(spec->held_out, HELD_OUT_MAX, &held_out, err);
    for (size_t i = 0; i < spec->n_folders && rc == ERR_OK; i++)
        rc = read_folder(ret_d, spec->folders[i], spec, &held_out, prg, err);
    if (rc == ERR_OK && ret_d->n < 16)
        rc = err_set(err, ERR_NOTFOUND, "only %zu pictures to train on", ret_d->n);
    buf_free(&held_out);
    if (rc != ERR_OK)
        data_free(ret_d);
    return rc;
}

void data_free(struct data *d)
{
    free(d->rgb);
    *d = (struct data){0};
}
