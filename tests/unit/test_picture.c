/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: PNG, JPEG and WebP, damaged ones, and ones that claim to be huge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/picture.h"

enum { W = 150, H = 97 };

static uint8_t sample[W * H * 3];

static void fill(void)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                sample[(y * W + x) * 3 + c] = (uint8_t)(x + y * c);
}

static struct buf png(void)
{
    char path[] = "/tmp/test_picture.XXXXXX";
    struct buf b = {0};
    int fd = mkstemp(path);

    fill();
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(picture_write(path, sample, W, H, NULL), 0);
    assert_int_equal(fs_read(path, 1 << 20, &b, NULL), 0);
    (void)unlink(path);
    return b;
}

static struct buf jpeg(void)
{
    tjhandle tj = tjInitCompress();
    unsigned char *data = NULL;
    unsigned long len = 0;
    struct buf b = {0};

    fill();
    assert_int_equal(tjCompress2(tj, sample, W, 0, H, TJPF_RGB, &data, &len, TJSAMP_444, 95, 0), 0);
    buf_put(&b, data, len);
    tjFree(data);
    (void)tjDestroy(tj);
    return b;
}

static struct buf webp(void)
{
    uint8_t *data = NULL;
    struct buf b = {0};
    size_t len;

    fill();
    len = WebPEncodeLosslessRGB(sample, W, H, W * 3, &data);
    assert_true(len > 0);
    buf_put(&b, data, len);
    WebPFree(data);
    return b;
}

static void test_webp(void **state)
{
    struct buf b = webp();
    struct picture p;

    (void)state;
    assert_int_equal(picture_decode(&p, b.data, b.len, 0, NULL), 0);
    assert_int_equal(p.width, W);
    assert_int_equal(p.height, H);
    assert_memory_equal(p.rgb, sample, sizeof(sample));
    picture_free(&p);
    assert_int_equal(picture_decode(&p, b.data, b.len, 20, NULL), 0);
    assert_int_equal(p.full_width, W);
    assert_int_equal(p.height, 40);
    picture_free(&p);
    for (size_t len = 12; len < b.len; len += 7)
        assert_int_equal(picture_decode(&p, b.data, len, 0, NULL), ERR_CORRUPT);
    buf_free(&b);
}

/* What can be seen through is white. */
static void test_webp_transparent(void **state)
{
    static const uint8_t pixels[2][4] = {{200, 10, 20, 0}, {200, 10, 20, 255}};
    static const uint8_t want[6] = {255, 255, 255, 200, 10, 20};
    uint8_t *data = NULL;
    size_t len = WebPEncodeLosslessRGBA(&pixels[0][0], 2, 1, 8, &data);
    struct picture p;

    (void)state;
    assert_int_equal(picture_decode(&p, data, len, 0, NULL), 0);
    assert_memory_equal(p.rgb, want, sizeof(want));
    picture_free(&p);
    WebPFree(data);
}

static void test_png(void **state)
{
    struct buf b = png();
    struct picture p;

    (void)state;
    assert_int_equal(picture_decode(&p, b.data, b.len, 0, NULL), 0);
    assert_int_equal(p.width, W);
    assert_int_equal(p.height, H);
    assert_memory_equal(p.rgb, sample, sizeof(sample));
    picture_free(&p);
    buf_free(&b);
}

static void test_jpeg(void **state)
{
    struct buf b = jpeg();
    struct picture p;
    int worst = 0;

    (void)state;
    assert_int_equal(picture_decode(&p, b.data, b.len, 0, NULL), 0);
    assert_int_equal(p.width, W);
    for (size_t i = 0; i < 60; i++) /* where no colour wraps round */
        worst = abs(p.rgb[i] - sample[i]) > worst ? abs(p.rgb[i] - sample[i]) : worst;
    assert_true(worst < 12);
    picture_free(&p);
    assert_int_equal(picture_decode(&p, b.data, b.len, 40, NULL), 0);
    assert_true(p.width < W && p.height >= 40 && p.height < H);
    assert_int_equal(p.full_width, W);
    assert_int_equal(p.full_height, H);
    picture_free(&p);
    buf_free(&b);
}

static void test_damaged(void **state)
{
    struct buf all[2] = {png(), jpeg()};
    struct picture p;

    (void)state;
    for (int k = 0; k < 2; k++) {
        for (size_t len = 0; len + 12 < all[k].len; len += 1 + len / 4) {
            int rc = picture_decode(&p, all[k].data, len, 0, NULL);

            assert_true(rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
            assert_null(p.rgb);
        }
        buf_free(&all[k]);
    }
    assert_int_equal(picture_decode(&p, (const uint8_t *)"GIF89a", 6, 0, NULL), ERR_UNSUPPORTED);
}

static void put_be16(uint8_t *at, unsigned v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static uint32_t crc(const uint8_t *data, size_t len)
{
    uint32_t c = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        c ^= data[i];
        for (int k = 0; k < 8; k++)
            c = (c & 1) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
    }
    return ~c;
}

/* Refused by the header alone: no memory, no time (processor time, so that a busy machine is no
 * matter). */
static void test_bomb(void **state)
{
    struct buf b = png(), j = jpeg();
    struct picture p;
    clock_t start = clock();

    (void)state;
    put_be32(b.data + 16, 30000);
    put_be32(b.data + 20, 30000);
    put_be32(b.data + 29, crc(b.data + 12, 17));
    assert_int_equal(picture_decode(&p, b.data, b.len, 0, NULL), ERR_TOOLARGE);
    assert_null(p.rgb);
    for (size_t i = 0; i + 9 < j.len; i++)
        if (j.data[i] == 0xFF && j.data[i + 1] == 0xC0) {
            put_be16(j.data + i + 5, 65000);
            put_be16(j.data + i + 7, 65000);
            break;
        }
    assert_int_equal(picture_decode(&p, j.data, j.len, 64, NULL), ERR_TOOLARGE);
    assert_null(p.rgb);
    assert_true(clock() - start < CLOCKS_PER_SEC / 10);
    buf_free(&b);
    buf_free(&j);
}

static void test_scale(void **state)
{
    uint8_t rgb[4 * 4 * 3], out[2 * 2 * 3];
    struct picture p = {.width = 4, .height = 4, .rgb = rgb};
    const struct picture_part whole = {0, 0, 4, 4}, part = {2, 2, 1, 1};

    (void)state;
    for (int i = 0; i < 16; i++)
        for (int c = 0; c < 3; c++)
            rgb[i * 3 + c] = (uint8_t)(i * 10 + c);
    picture_scale(&p, &whole, 2, 2, out);
    assert_int_equal(out[0], (0 + 10 + 40 + 50) / 4);
    assert_int_equal(out[11], (100 + 110 + 140 + 150) / 4 + 2);
    picture_scale(&p, &part, 2, 2, out);
    assert_int_equal(out[0], 100);
    assert_int_equal(out[9], 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_webp),
        cmocka_unit_test(test_webp_transparent),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_scale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
