/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpng's simple interface, TurboJPEG and libwebp: all return errors instead
 * of jumping, and all give the dimensions before they decode.
 */
#include "models/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include "common/buf.h"
#include "common/fs.h"

static int check_size(uint64_t width, uint64_t height, struct err *err)
{
    if (width < 1 || height < 1)
        return err_set(err, ERR_CORRUPT, "picture without any pixels");
    if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX ||
        width * height > PICTURE_PIXELS_MAX)
        return err_set(err, ERR_TOOLARGE, "picture of %llu x %llu pixels",
                       (unsigned long long)width, (unsigned long long)height);
    return ERR_OK;
}

static int allot(struct picture *p, unsigned width, unsigned height, struct err *err)
{
    *p = (struct picture){.width = width, .height = height};
    p->rgb = malloc((size_t)width * height * 3);
    return p->rgb != NULL ? ERR_OK
                          : err_set(err, ERR_NOMEM, "picture of %u x %u pixels", width, height);
}

static int decode_png(struct picture *p, const uint8_t *data, size_t len, struct err *err)
{
    static const png_color white = {255, 255, 255};
    png_image image = {.version = PNG_IMAGE_VERSION};
    int rc;

    if (png_image_begin_read_from_memory(&image, data, len) == 0)
        return err_set(err, ERR_CORRUPT, "PNG: %s", image.message);
    rc = check_size(image.width, image.height, err);
    if (rc == ERR_OK)
        rc = allot(p, image.width, image.height, err);
    if (rc != ERR_OK) {
        png_image_free(&image);
        return rc;
    }
    image.format = PNG_FORMAT_RGB;
    if (png_image_finish_read(&image, &white, p->rgb, 0, NULL) == 0 || image.warning_or_error > 1) {
        picture_free(p);
        return err_set(err, ERR_CORRUPT, "PNG: %s", image.message);
    }
    p->full_width = image.width;
    p->full_height = image.height;
    return ERR_OK;
}

/* The smallest size that TurboJPEG scales to with both sides at least ${side}. */
static void choose_size(int *width, int *height, unsigned side)
{
    int n = 0, full_width = *width, full_height = *height;
    const tjscalingfactor *f = tjGetScalingFactors(&n);

    for (int i = 0; i < n && f != NULL && side > 0; i++) {
        int w = TJSCALED(full_width, f[i]), h = TJSCALED(full_height, f[i]);

        if (w >= (int)side && h >= (int)side && w < *width) {
            *width = w;
            *height = h;
        }
    }
}

static int decode_jpeg(struct picture *p, const uint8_t *data, size_t len, unsigned side,
                       struct err *err)
{
    int width = 0, height = 0, sampling = 0, colours = 0, rc;
    tjhandle tj = tjInitDecompress();

    if (tj == NULL)
        return err_set(err, ERR_NOMEM, "JPEG decoder");
    if (tjDecompressHeader3(tj, data, len, &width, &height, &sampling, &colours) != 0) {
        rc = err_set(err, ERR_CORRUPT, "JPEG: %s", tjGetErrorStr2(tj));
        goto done;
    }
    rc = width > 0 && height > 0 ? check_size((unsigned)width, (unsigned)height, err)
                                 : err_set(err, ERR_CORRUPT, "JPEG: no size");
    if (rc != ERR_OK)
        goto done;
    unsigned full_width = (unsigned)width, full_height = (unsigned)height;

    choose_size(&width, &height, side);
    rc = allot(p, (unsigned)width, (unsigned)height, err);
    if (rc != ERR_OK)
        goto done;
    p->full_width = full_width;
    p->full_height = full_height;
    if (tjDecompress2(tj, data, len, p->rgb, width, 0, height, TJPF_RGB,
                      TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS) != 0) {
        picture_free(p);
        rc = err_set(err, ERR_CORRUPT, "JPEG: %s", tjGetErrorStr2(tj));
    }
done:
    (void)tjDestroy(tj);
    return rc;
}

/* Half as fine as ${side} asks for, at most: averaging does the rest. */
static void scale_webp(WebPDecoderConfig *c, unsigned side)
{
    int shorter = c->input.width < c->input.height ? c->input.width : c->input.height;
    int wanted = 2 * (int)side;

    if (side == 0 || shorter <= wanted)
        return;
    c->options.use_scaling = 1;
    c->options.scaled_width = (int)((int64_t)c->input.width * wanted / shorter);
    c->options.scaled_height = (int)((int64_t)c->input.height * wanted / shorter);
}

/* Onto white, from four bytes a pixel. */
static void flatten(struct picture *p, const uint8_t *rgba)
{
    for (size_t i = 0; i < (size_t)p->width * p->height; i++) {
        unsigned alpha = rgba[i * 4 + 3];

        for (size_t c = 0; c < 3; c++)
            p->rgb[i * 3 + c] = (uint8_t)((rgba[i * 4 + c] * alpha + 255 * (255 - alpha)) / 255);
    }
}

static int decode_webp(struct picture *p, const uint8_t *data, size_t len, unsigned side,
                       struct err *err)
{
    WebPDecoderConfig c;
    int rc;

    if (WebPInitDecoderConfig(&c) == 0 || WebPGetFeatures(data, len, &c.input) != VP8_STATUS_OK ||
        c.input.width < 1 || c.input.height < 1)
        return err_set(err, ERR_CORRUPT, "WebP: not readable");
    if (c.input.has_animation != 0)
        return err_set(err, ERR_UNSUPPORTED, "WebP: an animation");
    rc = check_size((uint64_t)c.input.width, (uint64_t)c.input.height, err);
    if (rc != ERR_OK)
        return rc;
    scale_webp(&c, side);
    c.output.colorspace = MODE_RGBA;
    if (WebPDecode(data, len, &c) != VP8_STATUS_OK) {
        WebPFreeDecBuffer(&c.output);
        return err_set(err, ERR_CORRUPT, "WebP: damaged");
    }
    rc = allot(p, (unsigned)c.output.width, (unsigned)c.output.height, err);
    if (rc == ERR_OK) {
        p->full_width = (unsigned)c.input.width;
        p->full_height = (unsigned)c.input.height;
        flatten(p, c.output.u.RGBA.rgba);
    }
    WebPFreeDecBuffer(&c.output);
    return rc;
}

int picture_decode(struct picture *ret_p, const uint8_t *data, size_t len, unsigned side,
                   struct err *err)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF};

    *ret_p = (struct picture){0};
    if (len > PICTURE_FILE_MAX)
        return err_set(err, ERR_TOOLARGE, "picture file of %zu bytes", len);
    if (len >= sizeof(png) && memcmp(data, png, sizeof(png)) == 0)
        return decode_png(ret_p, data, len, err);
    if (len >= sizeof(jpeg) && memcmp(data, jpeg, sizeof(jpeg)) == 0)
        return decode_jpeg(ret_p, data, len, side, err);
    if (len >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return decode_webp(ret_p, data, len, side, err);
    return err_set(err, ERR_UNSUPPORTED, "neither PNG nor JPEG nor WebP");
}

int picture_read(struct picture *ret_p, const char *path, unsigned side, struct err *err)
{
    struct buf file = {0};
    int rc = fs_read(path, PICTURE_FILE_MAX, &file, err);

    *ret_p = (struct picture){0};
    if (rc == ERR_OK) {
        rc = picture_decode(ret_p, file.data, file.len, side, err);
        if (rc != ERR_OK)
            err_wrap(err, "%s", path);
    }
    buf_free(&file);
    return rc;
}

void picture_free(struct picture *p)
{
    free(p->rgb);
    *p = (struct picture){0};
}

/* The share of the source pixels first.. that output ${i} of ${n} covers: from and to, in pixels.
 */
struct span {
    double from, to;
};

static struct span span(unsigned i, unsigned n, unsigned first, unsigned len)
{
    double step = (double)len / n;

    return (struct span){first + i * step, first + (i + 1) * step};
}

/* How much of pixel ${at} the span covers. */
static double covers(struct span s, unsigned at)
{
    double low = s.from > at ? s.from : at, high = s.to < at + 1.0 ? s.to : at + 1.0;

    return high > low ? high - low : 0;
}

static void average(const struct picture *p, struct span across, struct span down, uint8_t *out)
{
    double sum[3] = {0}, all = 0;

    for (unsigned y = (unsigned)down.from; y < p->height && y < down.to; y++) {
        const uint8_t *row = p->rgb + (size_t)y * p->width * 3;
        double part = covers(down, y);

        for (unsigned x = (unsigned)across.from; x < p->width && x < across.to; x++) {
            double share = part * covers(across, x);

            all += share;
            for (int c = 0; c < 3; c++)
                sum[c] += share * row[(size_t)x * 3 + (size_t)c];
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = all > 0 ? (uint8_t)lround(sum[c] / all) : 0;
}

void picture_scale(const struct picture *p, const struct picture_part *part, unsigned w, unsigned h,
                   uint8_t *out)
{
    for (unsigned y = 0; y < h; y++)
        for (unsigned x = 0; x < w; x++)
            average(p, span(x, w, part->x, part->width), span(y, h, part->y, part->height),
                    out + ((size_t)y * w + x) * 3);
}

int picture_write(const char *path, const uint8_t *rgb, unsigned width, unsigned height,
                  struct err *err)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};

    if (png_image_write_to_file(&image, path, 0, rgb, 0, NULL) == 0)
        return err_set(err, ERR_IO, "%s: %s", path, image.message);
    return ERR_OK;
}
