/* SPDX-License-Identifier: Apache-2.0 */
#include "models/eval/eval.h"

#include <fts.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/fs.h"
#include "models/picture.h"
#include "models/plot.h"

enum { SHEET_ROWS = 24, SIDE = 64, LIST_MAX = 16 << 20, READ_SIDE = 128 };
enum { SHEET_W = SIDE * (1 + 2 * PREVIEW_CLASSES), SHEET_H = SIDE * SHEET_ROWS };

struct eval {
    const struct eval_spec *spec;
    struct eval_result *r;
    struct buf only;
    uint8_t *sheet;
    size_t rows;
    bool measured; /* the file could be read */
};

/* Square ${n} of a picture: all of the shorter side, half of it, a quarter; places spread evenly.
 */
static struct picture_part square(const struct picture *p, unsigned n)
{
    static const double golden = 0.6180339887498949, silver = 0.4142135623730950;
    unsigned shorter = p->width < p->height ? p->width : p->height, side = shorter >> n % 3;
    double across = fmod((n + 1) * golden, 1), down = fmod((n + 1) * silver, 1);

    side = side < SIDE ? (shorter < SIDE ? shorter : SIDE) : side;
    return (struct picture_part){.x = (unsigned)(across * (p->width - side)),
                                 .y = (unsigned)(down * (p->height - side)),
                                 .width = side,
                                 .height = side};
}

static void put_tile(struct eval *e, size_t column, const uint8_t *rgb)
{
    for (size_t y = 0; y < SIDE && e->sheet != NULL && e->rows < SHEET_ROWS; y++)
        memcpy(e->sheet + ((e->rows * SIDE + y) * SHEET_W + column * SIDE) * 3, rgb + y * SIDE * 3,
               SIDE * 3);
}

/* Four times the difference, around grey. */
static void put_difference(struct eval *e, size_t column, const uint8_t *a, const uint8_t *b)
{
    uint8_t d[PREVIEW_RGB_LEN];

    for (int i = 0; i < PREVIEW_RGB_LEN; i++) {
        int v = 128 + 4 * (b[i] - a[i]);

        d[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    put_tile(e, column, d);
}

static int measure_class(struct eval *e, const struct preview_image *image, size_t c,
                         struct err *err)
{
    static struct preview_image back;
    uint8_t bytes[PREVIEW_CLASS_MAX];
    clock_t start = clock(), middle;
    int rc = preview_encode(e->spec->preview, image, preview_classes[c], bytes, err);

    middle = clock();
    if (rc == ERR_OK)
        rc = preview_decode(e->spec->preview, bytes, preview_classes[c], &back, err);
    if (rc != ERR_OK)
        return rc;
    if (preview_classes[c] == 256) {
        if (e->r->images == 0)
            memcpy(e->r->sample, bytes, sizeof(e->r->sample));
        e->r->encode_ms += 1e3 * (double)(middle - start) / CLOCKS_PER_SEC;
        e->r->decode_ms += 1e3 * (double)(clock() - middle) / CLOCKS_PER_SEC;
    }
    eval_add(&e->r->classes[c], image->rgb, back.rgb, (double)preview_classes[c]);
    put_tile(e, 1 + 2 * c, back.rgb);
    put_difference(e, 2 + 2 * c, image->rgb, back.rgb);
    return ERR_OK;
}

static int measure(struct eval *e, const struct preview_image *image, struct err *err)
{
    static struct preview_image back;
    static float numbers[512];
    uint8_t rgb[PREVIEW_RGB_LEN];
    size_t bytes = 0;
    int rc = preview_float(e->spec->preview, image, numbers, &back, err);

    if (rc != ERR_OK)
        return rc;
    eval_add(&e->r->latent, image->rgb, back.rgb, sizeof(numbers));
    put_tile(e, 0, image->rgb);
    for (size_t c = 0; c < PREVIEW_CLASSES && rc == ERR_OK; c++)
        rc = measure_class(e, image, c, err);
    for (int b = 0; b < EVAL_BASELINES; b++)
        for (size_t c = 0; c < PREVIEW_CLASSES && rc == ERR_OK; c++) {
            rc = eval_baseline(b, image->rgb, preview_classes[c], rgb, &bytes, err);
            if (rc == ERR_OK)
                eval_add(&e->r->baseline[b][c], image->rgb, rgb, (double)bytes);
        }
    eval_hash(image->rgb, rgb, &bytes);
    eval_add(&e->r->hash, image->rgb, rgb, (double)bytes);
    e->r->images++;
    e->rows++;
    if (e->spec->tick != NULL)
        e->spec->tick(e->r->images);
    return rc;
}

/* All of a picture, or squares of it. */
static int measure_file(struct eval *e, const char *path, struct err *err)
{
    static struct preview_image image;
    struct picture_part part;
    struct picture p;
    int rc = picture_read(&p, path, e->spec->crops > 0 ? 0 : READ_SIDE, err);

    if (rc != ERR_OK)
        return rc;
    part = (struct picture_part){0, 0, p.width, p.height};
    image.width = p.full_width;
    image.height = p.full_height;
    for (unsigned n = 0; n < (e->spec->crops > 0 ? e->spec->crops : 1) && rc == ERR_OK; n++) {
        if (e->spec->crops > 0) {
            part = square(&p, n);
            image.width = image.height = part.width;
        }
        picture_scale(&p, &part, SIDE, SIDE, image.rgb);
        rc = measure(e, &image, err);
        e->measured |= rc == ERR_OK;
    }
    picture_free(&p);
    return rc;
}

static bool wanted(const struct eval *e, const FTSENT *at, const char *name)
{
    const char *dot = strrchr(at->fts_name, '.');
    size_t len = strlen(name);
    const char *line = (const char *)e->only.data, *end = line + e->only.len, *next;

    if (at->fts_info != FTS_F || dot == NULL ||
        (strcasecmp(dot, ".png") != 0 && strcasecmp(dot, ".jpg") != 0 &&
         strcasecmp(dot, ".jpeg") != 0 && strcasecmp(dot, ".webp") != 0))
        return false;
    if (e->spec->only == NULL)
        return true;
    for (; line != NULL && line < end; line = next != NULL ? next + 1 : NULL) {
        next = memchr(line, '\n', (size_t)(end - line));
        if ((size_t)((next != NULL ? next : end) - line) == len && memcmp(line, name, len) == 0)
            return true;
    }
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int all_files(struct eval *e, struct err *err)
{
    char *roots[2] = {strdup(e->spec->folder), NULL};
    FTS *fts = roots[0] != NULL ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    int rc = fts != NULL ? ERR_OK : err_set(err, ERR_IO, "cannot read %s", e->spec->folder);
    FTSENT *at;

    while (rc == ERR_OK && (at = fts_read(fts)) != NULL) {
        const char *name = at->fts_path + strlen(e->spec->folder);

        if (e->spec->limit > 0 && e->r->images == e->spec->limit)
            break;
        if (at->fts_info == FTS_NS || at->fts_info == FTS_DNR || at->fts_info == FTS_ERR)
            rc = err_sys(err, at->fts_errno, "%s", at->fts_path);
        if (rc != ERR_OK || !wanted(e, at, name + strspn(name, "/")))
            continue;
        e->measured = false;
        rc = measure_file(e, at->fts_path, err);
        if (e->measured)
            continue;
        if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_TOOLARGE) {
            e->r->refused++;
            rc = ERR_OK;
        }
    }
    if (fts != NULL)
        (void)fts_close(fts);
    free(roots[0]);
    return rc;
}

static void means(struct eval_result *r)
{
    double n = r->images > 0 ? (double)r->images : 1;

    for (int c = 0; c < PREVIEW_CLASSES; c++) {
        eval_mean(&r->classes[c], r->images);
        for (int b = 0; b < EVAL_BASELINES; b++)
            eval_mean(&r->baseline[b][c], r->images);
    }
    eval_mean(&r->hash, r->images);
    eval_mean(&r->latent, r->images);
    r->encode_ms /= n;
    r->decode_ms /= n;
}

static int draw(const struct eval *e, struct err *err)
{
    static const char *const names[] = {"JPEG without headers", "WebP without headers"};
    double x[1 + EVAL_BASELINES][PREVIEW_CLASSES], y[1 + EVAL_BASELINES][PREVIEW_CLASSES];
    struct plot p = {.title = "Rate and distortion",
                     .x = "bytes",
                     .y = "mean squared error",
                     .log_x = true,
                     .log_y = true};

    for (int s = 0; s <= EVAL_BASELINES; s++) {
        for (int c = 0; c < PREVIEW_CLASSES; c++) {
            const struct eval_figures *f = s == 0 ? &e->r->classes[c] : &e->r->baseline[s - 1][c];

            x[s][c] = f->bytes;
            y[s][c] = f->mse;
        }
        p.series[p.n++] =
            (struct plot_series){s == 0 ? "previews" : names[s - 1], x[s], y[s], PREVIEW_CLASSES};
    }
    p.series[p.n++] =
        (struct plot_series){"hash of frequencies", &e->r->hash.bytes, &e->r->hash.mse, 1};
    return plot_write(e->spec->plot, &p, err);
}

int eval_run(const struct eval_spec *spec, struct eval_result *ret, struct err *err)
{
    struct eval e = {.spec = spec, .r = ret};
    int rc = ERR_OK;

    *ret = (struct eval_result){0};
    if (spec->only != NULL)
        rc = fs_read(spec->only, LIST_MAX, &e.only, err);
    if (rc == ERR_OK && spec->sheet != NULL) {
        e.sheet = calloc((size_t)SHEET_W * SHEET_H, 3);
        rc = e.sheet != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "contact sheet");
    }
    if (rc == ERR_OK)
        rc = all_files(&e, err);
    if (rc == ERR_OK && ret->images == 0)
        rc = err_set(err, ERR_NOTFOUND, "%s: no picture", spec->folder);
    means(ret);
    if (rc == ERR_OK && spec->sheet != NULL)
        rc = picture_write(spec->sheet, e.sheet, SHEET_W,
                           (unsigned)(e.rows < SHEET_ROWS ? e.rows : SHEET_ROWS) * SIDE, err);
    if (rc == ERR_OK && spec->plot != NULL)
        rc = draw(&e, err);
    free(e.sheet);
    buf_free(&e.only);
    return rc;
}
