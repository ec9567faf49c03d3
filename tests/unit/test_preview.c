/* SPDX-License-Identifier: Apache-2.0 */
/* Previews: the range coder, the codec in all classes, hostile bytes, and the weight file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "common/err.h"
#include "models/preview.h"
#include "models/preview_detail.h"
#include "models/preview_file.h"
#include "models/preview_symbols.h"
#include "models/prg.h"
#include "tests/exact/sample_preview.h"

static struct prg *draw(void)
{
    struct prg *p = NULL;

    assert_int_equal(prg_new(&p, "test preview", part_str("seed"), 0, NULL), 0);
    return p;
}

static void test_range_coder(void **state)
{
    static const uint32_t sums[] = {0, 1, 60000, 60001, 65535, 65536};
    struct prg *prg = draw();

    (void)state;
    for (unsigned n = 0; n < 400; n++) {
        uint8_t bytes[2048] = {0}, drawn[400];
        struct range_enc e;
        struct range_dec d;
        size_t len;

        range_enc_start(&e, bytes, sizeof(bytes));
        for (unsigned i = 0; i < n; i++) {
            drawn[i] = (uint8_t)prg_below(prg, 5);
            range_enc_put(&e, sums[drawn[i]], sums[drawn[i] + 1] - sums[drawn[i]]);
            range_enc_bits(&e, drawn[i], 3);
        }
        len = range_enc_end(&e);
        assert_true(len <= sizeof(bytes));
        range_dec_start(&d, bytes, len);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(range_dec_get(&d, sums, 5), drawn[i]);
            assert_int_equal(range_dec_bits(&d, 3), drawn[i]);
        }
    }
    prg_free(prg);
}

/* Bytes that do not fit are counted, not written. */
static void test_range_coder_full(void **state)
{
    uint8_t bytes[8] = {0};
    struct range_enc e;

    (void)state;
    range_enc_start(&e, bytes, 4);
    for (unsigned i = 0; i < 40; i++)
        range_enc_bits(&e, 7 * i, 8);
    assert_true(range_enc_end(&e) > 4);
    assert_int_equal(bytes[4], 0);
}

static void test_split(void **state)
{
    struct prg *prg = draw();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct preview_guess g = {.raw = prg_below(prg, 9),
                                  .centre = (int32_t)prg_below(prg, 2001) - 1000};
        int32_t q = (int32_t)prg_below(prg, 4001) - 2000;
        struct preview_split s = preview_split(&g, q);

        assert_true(s.symbol < PREVIEW_SYMBOLS);
        assert_true(s.raw < 1U << g.raw);
        assert_int_equal(preview_join(&g, &s), q);
    }
    prg_free(prg);
}

static struct buf sample_file(void)
{
    struct preview_net *net = sample_preview();
    struct buf b = {0};

    assert_non_null(net);
    assert_int_equal(preview_file_encode(net, &b, NULL), 0);
    preview_net_free(net);
    return b;
}

static struct preview *opened(void)
{
    struct buf b = sample_file();
    struct preview *p = NULL;

    assert_int_equal(preview_make(&p, b.data, b.len, NULL), 0);
    buf_free(&b);
    return p;
}

static double error_between(const struct preview_image *a, const struct preview_image *b)
{
    double sum = 0;

    for (int i = 0; i < PREVIEW_RGB_LEN; i++) {
        double d = (double)a->rgb[i] - b->rgb[i];

        sum += d * d;
    }
    return sum / PREVIEW_RGB_LEN;
}

static void test_classes(void **state)
{
    static struct preview_image image, back;
    struct preview *p = opened();

    (void)state;
    for (unsigned n = 0; n < 6; n++) {
        double last = 1e9;

        sample_picture(n, image.rgb);
        image.width = 600;
        image.height = 200;
        for (int c = 0; c < PREVIEW_CLASSES; c++) {
            uint8_t bytes[PREVIEW_CLASS_MAX];
            double lost;

            assert_int_equal(preview_encode(p, &image, preview_classes[c], bytes, NULL), 0);
            assert_int_equal(preview_decode(p, bytes, preview_classes[c], &back, NULL), 0);
            assert_int_equal(back.width, 64);
            assert_in_range(back.height, 20, 23);
            lost = error_between(&image, &back);
            assert_true(lost <= last);
            assert_true(lost < 800);
            last = lost;
        }
    }
    preview_close(p);
}

static void test_refused(void **state)
{
    static struct preview_image image, back;
    struct preview *p = opened();
    uint8_t bytes[PREVIEW_CLASS_MAX];
    unsigned refused = 0;

    (void)state;
    sample_picture(1, image.rgb);
    image.width = image.height = 64;
    assert_int_equal(preview_encode(p, &image, 129, bytes, NULL), ERR_INVALID);
    assert_int_equal(preview_encode(p, &image, 256, bytes, NULL), 0);
    assert_int_equal(preview_decode(p, bytes, 256, &back, NULL), 0);
    assert_int_equal(preview_decode(p, bytes, 255, &back, NULL), ERR_CORRUPT);
    assert_int_equal(preview_decode(p, bytes, 0, &back, NULL), ERR_CORRUPT);
    for (size_t i = 0; i < 256; i++) {
        bytes[i] ^= 0x10;
        refused += preview_decode(p, bytes, 256, &back, NULL) == ERR_CORRUPT;
        bytes[i] ^= 0x10;
    }
    assert_true(refused > 10); /* the others are other pictures, with more bits than fit */
    image.height = 0;
    assert_int_equal(preview_encode(p, &image, 256, bytes, NULL), ERR_INVALID);
    preview_close(p);
}

static int decode_file(const struct buf *b, size_t len)
{
    struct preview_net *net = NULL;
    int rc = preview_file_decode(&net, b->data, len, NULL);

    preview_net_free(net);
    return rc;
}

static void hash_again(struct buf *b)
{
    size_t n = 0;

    assert_int_equal(
        EVP_Q_digest(NULL, "SHA256", NULL, b->data, b->len - 32, b->data + b->len - 32, &n), 1);
}

static void test_file(void **state)
{
    struct buf b = sample_file(), again = {0};
    struct preview_net *net = NULL;

    (void)state;
    assert_int_equal(preview_file_decode(&net, b.data, b.len, NULL), 0);
    assert_int_equal(preview_file_encode(net, &again, NULL), 0);
    assert_int_equal(b.len, again.len);
    assert_memory_equal(b.data, again.data, b.len);
    for (size_t len = 0; len < b.len; len = len * 2 + 1)
        assert_int_equal(decode_file(&b, len), ERR_CORRUPT);
    b.data[b.len / 2] ^= 1;
    assert_int_equal(decode_file(&b, b.len), ERR_CORRUPT);
    b.data[b.len / 2] ^= 1;
    b.data[11] = 4; /* the version */
    hash_again(&b);
    assert_int_equal(decode_file(&b, b.len), ERR_UNSUPPORTED);
    b.data[11] = 0;
    hash_again(&b);
    assert_int_equal(decode_file(&b, b.len), ERR_UNSUPPORTED);
    b.data[11] = 3; /* which has widths */
    hash_again(&b);
    assert_int_equal(decode_file(&b, b.len), ERR_CORRUPT);
    b.data[11] = 1; /* which has no details: too long */
    hash_again(&b);
    assert_int_equal(decode_file(&b, b.len), ERR_CORRUPT);
    b.data[11] = 2;
    b.data[13] ^= 1; /* a shape */
    hash_again(&b);
    assert_int_equal(decode_file(&b, b.len), ERR_CORRUPT);
    preview_net_free(net);
    buf_free(&b);
    buf_free(&again);
}

/* Numbers that would break the arithmetic are refused, whatever the hash says. */
static void test_file_ranges(void **state)
{
    struct preview_net *net = sample_preview();
    struct buf b = {0};

    (void)state;
    net->tables.count[3][2][5]++;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->tables.count[3][2][5]--;
    net->tables.step[9] = 0;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->tables.step[9] = UINT32_MAX;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->tables.step[9] = 512;
    net->odd[4] = 2;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->odd[4] = 0;
    net->tables.spread[0] = UINT32_MAX;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->tables.spread[0] = 512;
    net->tables.detail_bias[7][3] = INT32_MIN;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    net->tables.detail_bias[7][3] = 0;
    net->tables.detail_out_bias[23] = INT32_MAX;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    preview_net_free(net);
    buf_free(&b);
}

/* Other widths make a file of version 3, which says them; nothing else does. */
static void test_file_widths(void **state)
{
    enum { WIDTHS_AT = 12 + 9 * 2 };
    static const uint16_t wrong[][PREVIEW_WIDTHS] = {{0, 8}, {8, PREVIEW_WIDTH_MAX + 1}, {32, 48}};
    struct preview_net *net = sample_preview(), *back = NULL;
    struct buf b = {0};

    (void)state;
    net->widths[1] = 8;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID); /* not so many numbers */
    net->repair_len = preview_repair_len(net->widths);
    assert_int_equal(preview_file_encode(net, &b, NULL), 0);
    assert_int_equal(b.data[11], 3);
    assert_int_equal(preview_file_decode(&back, b.data, b.len, NULL), 0);
    assert_int_equal(back->widths[0], 32);
    assert_int_equal(back->widths[1], 8);
    assert_int_equal(back->repair_len, net->repair_len);
    assert_memory_equal(back->repair, net->repair, net->repair_len * sizeof(float));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (int w = 0; w < PREVIEW_WIDTHS; w++)
            b.data[WIDTHS_AT + 2 * w + 1] = (uint8_t)wrong[i][w];
        hash_again(&b);
        assert_int_equal(decode_file(&b, b.len), ERR_CORRUPT);
    }
    net->detailed = false;
    assert_int_equal(preview_file_encode(net, &b, NULL), ERR_INVALID);
    preview_net_free(net);
    preview_net_free(back);
    buf_free(&b);
}

/* There and back without loss, and squares add up to nearly the same. */
static void test_wave(void **state)
{
    static float rgb[PREVIEW_BYTES], details[PREVIEW_DETAILS], back[PREVIEW_BYTES];
    static uint8_t picture[PREVIEW_BYTES];
    double before = 0, after = 0;

    (void)state;
    sample_picture(3, picture);
    for (int i = 0; i < PREVIEW_BYTES; i++)
        rgb[i] = (float)picture[i] / 255;
    preview_wave(rgb, details);
    preview_unwave(details, back);
    for (int i = 0; i < PREVIEW_BYTES; i++) {
        assert_true(fabsf(rgb[i] - back[i]) < 1e-4F);
        before += (double)(rgb[i] * rgb[i]);
        after += (double)(details[i] * details[i]);
    }
    assert_true(after > before * 0.9 && after < before * 1.1);
}

/* Every coefficient is in one band, and bands that others look at come before them. */
static void test_bands(void **state)
{
    const struct preview_band *bands = preview_bands();
    unsigned next = 0;

    (void)state;
    for (int i = 0; i < PREVIEW_BANDS; i++) {
        const struct preview_band *b = &bands[i];

        assert_int_equal(b->first, next);
        next += (unsigned)b->side * b->side;
        assert_true(b->parent < i && b->others[0] < i && b->others[1] < i && b->planes[0] < i &&
                    b->planes[1] < i);
        assert_true(b->parent < 0 || bands[b->parent].side * 2 == b->side);
        assert_true(b->others[1] < 0 || bands[b->others[1]].side == b->side);
        assert_true(b->planes[1] < 0 || bands[b->planes[1]].side == b->side);
        assert_true(i < PREVIEW_CODED || (b->plane > 0 && b->level == PREVIEW_LEVELS - 1));
    }
    assert_int_equal(next, PREVIEW_DETAILS);
}

/* Drawn details come back as they were, whatever levels they have; the other bands stay 0. */
static void test_details(void **state)
{
    static struct preview_symbols s, back;
    static struct preview_values values;
    struct preview_net *net = sample_preview();
    struct prg *prg = draw();

    (void)state;
    for (int round = 0; round < 60; round++) {
        uint8_t bytes[PREVIEW_CLASS_MAX] = {0};

        memset(&s, 0, sizeof(s));
        s.aspect = (uint8_t)prg_below(prg, PREVIEW_ASPECTS);
        s.step = (uint8_t)(20 + prg_below(prg, 20));
        s.depth = (uint8_t)prg_below(prg, PREVIEW_DEPTHS);
        s.levels[0] = (uint8_t)prg_below(prg, PREVIEW_LEVELS + 1);
        s.levels[1] = (uint8_t)prg_below(prg, PREVIEW_COLOUR_LEVELS + 1);
        for (int i = 0; i < PREVIEW_CODED; i++) {
            const struct preview_band *b = &preview_bands()[i];

            if (preview_band_kept(b, s.levels))
                s.d[b->first + prg_below(prg, (uint32_t)b->side * b->side)] =
                    (int16_t)((int)prg_below(prg, 61) - 30);
        }
        if (preview_symbols_encode(net, &s, bytes, sizeof(bytes)) > sizeof(bytes))
            continue;
        assert_int_equal(preview_symbols_decode(net, PART_OF(bytes), &back, &values, NULL), 0);
        assert_memory_equal(&back, &s, sizeof(s));
        for (int i = 0; i < PREVIEW_DETAILS; i++)
            assert_true(s.d[i] != 0 || fabsf(values.details[i]) < 1);
    }
    prg_free(prg);
    preview_net_free(net);
}

/* A preview of each depth has only its latents. */
static void test_depths(void **state)
{
    static struct preview_symbols s, back;
    static struct preview_values values;
    struct preview_net *net = sample_preview();

    (void)state;
    for (uint8_t depth = 0; depth < PREVIEW_DEPTHS; depth++) {
        uint8_t bytes[PREVIEW_CLASS_MAX] = {0};
        unsigned last = preview_depths[depth] - 1;

        memset(&s, 0, sizeof(s));
        s.aspect = PREVIEW_SQUARE;
        s.step = 40;
        s.depth = depth;
        s.q[last] = 1;
        assert_true(preview_symbols_encode(net, &s, bytes, sizeof(bytes)) <= sizeof(bytes));
        assert_int_equal(preview_symbols_decode(net, PART_OF(bytes), &back, &values, NULL), 0);
        assert_int_equal(back.depth, depth);
        assert_int_equal(back.q[last], 1);
    }
    preview_net_free(net);
}

/* Weights of version 1 make previews without details, and read no others. */
static void test_plain_weights(void **state)
{
    static struct preview_image image, back;
    struct preview_net *net = sample_preview();
    struct preview *plain = NULL, *detailed = opened();
    uint8_t bytes[PREVIEW_CLASS_MAX] = {0};
    struct preview_symbols s = {.aspect = PREVIEW_SQUARE, .step = 40, .levels = {1, 0}};
    struct buf b = {0};

    (void)state;
    net->detailed = false;
    assert_int_equal(preview_file_encode(net, &b, NULL), 0);
    assert_int_equal(preview_make(&plain, b.data, b.len, NULL), 0);
    sample_picture(2, image.rgb);
    image.width = image.height = 64;
    assert_int_equal(preview_encode(plain, &image, 256, bytes, NULL), 0);
    assert_int_equal(preview_decode(plain, bytes, 256, &back, NULL), 0);
    memset(bytes, 0, sizeof(bytes));
    s.d[0] = 3;
    assert_true(preview_symbols_encode(net, &s, bytes, sizeof(bytes)) <= sizeof(bytes));
    assert_int_equal(preview_decode(detailed, bytes, 512, &back, NULL), 0);
    assert_int_equal(preview_decode(plain, bytes, 512, &back, NULL), ERR_CORRUPT);
    preview_close(plain);
    preview_close(detailed);
    preview_net_free(net);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_coder),   cmocka_unit_test(test_range_coder_full),
        cmocka_unit_test(test_split),         cmocka_unit_test(test_classes),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_file),
        cmocka_unit_test(test_file_ranges),   cmocka_unit_test(test_file_widths),
        cmocka_unit_test(test_wave),          cmocka_unit_test(test_bands),
        cmocka_unit_test(test_details),       cmocka_unit_test(test_depths),
        cmocka_unit_test(test_plain_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
