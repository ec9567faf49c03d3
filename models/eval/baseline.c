/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers are left out of the count: tables and frames that a format for
 * previews would not send.  JPEG: what lies between start of scan and end of
 * image; WebP: everything behind the container's and the frame's 30 bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <turbojpeg.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "models/eval/eval.h"
#include "models/preview_features.h"

enum { S = PREVIEW_SIDE, WEBP_HEADER = 30, JPEG_END = 2 };

struct coded {
    uint8_t *data;     /* free() */
    size_t len, bytes; /* bytes: without headers */
};

/* What the scan of a JPEG needs. */
static size_t scan_bytes(const uint8_t *d, size_t len)
{
    for (size_t i = 2; i + 4 <= len && d[i] == 0xFF;) {
        size_t part = (size_t)(d[i + 2] << 8 | d[i + 3]);

        if (d[i + 1] == 0xDA)
            return len - i - 2 - part - JPEG_END;
        i += 2 + part;
    }
    return len;
}

static int jpeg(const uint8_t *rgb, int quality, struct coded *ret, struct err *err)
{
    tjhandle tj = tjInitCompress();
    unsigned char *data = NULL;
    unsigned long len = 0;
    int rc = ERR_OK;

    if (tj == NULL || tjCompress2(tj, rgb, S, 0, S, TJPF_RGB, &data, &len, TJSAMP_420, quality,
                                  TJFLAG_ACCURATEDCT) != 0)
        rc = err_set(err, ERR_INTERNAL, "JPEG: %s", tjGetErrorStr2(tj));
    else if ((ret->data = malloc(len)) == NULL)
        rc = err_set(err, ERR_NOMEM, "JPEG");
    else
        memcpy(ret->data, data, len);
    ret->len = len;
    ret->bytes = rc == ERR_OK ? scan_bytes(data, len) : 0;
    tjFree(data);
    if (tj != NULL)
        (void)tjDestroy(tj);
    return rc;
}

static int webp(const uint8_t *rgb, int quality, struct coded *ret, struct err *err)
{
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter out;
    int ok = WebPConfigInit(&config) != 0 && WebPPictureInit(&picture) != 0;

    if (ok == 0)
        return err_set(err, ERR_INTERNAL, "WebP");
    config.quality = (float)quality;
    config.method = 6;
    config.segments = 1;
    config.sns_strength = 0;
    picture.width = picture.height = S;
    WebPMemoryWriterInit(&out);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &out;
    ok = WebPPictureImportRGB(&picture, rgb, S * 3) != 0 && WebPEncode(&config, &picture) != 0;
    WebPPictureFree(&picture);
    if (ok != 0) {
        ret->data = malloc(out.size);
        if (ret->data != NULL)
            memcpy(ret->data, out.mem, out.size);
        ret->len = out.size;
        ret->bytes = out.size - WEBP_HEADER;
    }
    WebPMemoryWriterClear(&out);
    return ok != 0 && ret->data != NULL ? ERR_OK : err_set(err, ERR_INTERNAL, "WebP");
}

static int decoded(int which, const struct coded *c, uint8_t *rgb, struct err *err)
{
    tjhandle tj;
    int ok;

    if (which == EVAL_WEBP)
        return WebPDecodeRGBInto(c->data, c->len, rgb, (size_t)S * S * 3, S * 3) != NULL
                   ? ERR_OK
                   : err_set(err, ERR_INTERNAL, "WebP");
    tj = tjInitDecompress();
    ok = tj != NULL && tjDecompress2(tj, c->data, c->len, rgb, S, 0, S, TJPF_RGB, 0) == 0;
    if (tj != NULL)
        (void)tjDestroy(tj);
    return ok ? ERR_OK : err_set(err, ERR_INTERNAL, "JPEG");
}

/* Qualities by halving: bytes grow with quality, near enough. */
int eval_baseline(int which, const uint8_t *rgb, size_t size, uint8_t *ret_rgb, size_t *ret_bytes,
                  struct err *err)
{
    int low = which == EVAL_JPEG ? 1 : 0, high = 100, rc = ERR_OK;
    struct coded best = {0};

    while (low <= high && rc == ERR_OK) {
        int quality = best.data == NULL ? low : (low + high) / 2;
        struct coded c = {0};

        rc = which == EVAL_JPEG ? jpeg(rgb, quality, &c, err) : webp(rgb, quality, &c, err);
        if (rc != ERR_OK)
            break;
        if (best.data == NULL || c.bytes <= size) {
            free(best.data);
            best = c;
            low = quality + 1;
        } else {
            free(c.data);
            high = quality - 1;
        }
        if (best.bytes > size)
            break;
    }
    if (rc == ERR_OK) {
        rc = decoded(which, &best, ret_rgb, err);
        *ret_bytes = best.bytes;
    }
    free(best.data);
    return rc;
}

/* The ${frequency}th cosine at pixel ${at} of a line. */
static float wave(int frequency, int at)
{
    return cosf((float)M_PI * (float)frequency * ((float)at + 0.5F) / S);
}

/* Of each plane the lowest frequencies, four bits each: 49 of brightness, 9 of each colour. */
void eval_hash(const uint8_t *rgb, uint8_t *ret_rgb, size_t *ret_bytes)
{
    static const int kept[3] = {7, 3, 3};
    static const float turn[3][3] = {
        {0.299F, 0.587F, 0.114F}, {-0.169F, -0.331F, 0.5F}, {0.5F, -0.419F, -0.081F}};
    static const float back[3][3] = {{1, 0, 1.402F}, {1, -0.344F, -0.714F}, {1, 1.772F, 0}};
    static float out[3][S][S];

    memset(out, 0, sizeof(out));
    for (int p = 0; p < 3; p++)
        for (int v = 0; v < kept[p]; v++)
            for (int u = 0; u < kept[p]; u++) {
                float sum = 0, range = v + u == 0 ? 1.0F : 0.3F, level;

                for (int i = 0; i < S * S; i++) {
                    const uint8_t *c = rgb + (size_t)i * 3;
                    float t = turn[p][0] * (float)c[0] + turn[p][1] * (float)c[1] +
                              turn[p][2] * (float)c[2];

                    sum += t / 255 * wave(v, i / S) * wave(u, i % S);
                }
                sum *= (v > 0 ? 2.0F : 1.0F) * (u > 0 ? 2.0F : 1.0F) / (S * S);
                level = fminf(fmaxf(roundf((sum / range + 1) * 7.5F), 0), 15);
                sum = (level / 7.5F - 1) * range;
                for (int i = 0; i < S * S; i++)
                    out[p][i / S][i % S] += sum * wave(v, i / S) * wave(u, i % S);
            }
    for (int i = 0; i < S * S; i++)
        for (int c = 0; c < 3; c++) {
            float v = 0;

            for (int p = 0; p < 3; p++)
                v += back[c][p] * out[p][i / S][i % S];
            ret_rgb[i * 3 + c] = (uint8_t)fminf(fmaxf(v * 255 + 0.5F, 0), 255);
        }
    *ret_bytes = (49 + 9 + 9) / 2 + 1;
}
