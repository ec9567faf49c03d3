/* SPDX-License-Identifier: Apache-2.0 */
/* Previews as half blocks: sizes, colours, and what cannot be drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/draw.h"

#define BLOCK "\xe2\x96\x80"

static struct satchel_preview p;

/* Left half red, right half blue, and black below the middle. */
static void paint(uint32_t width, uint32_t height)
{
    memset(&p, 0, sizeof(p));
    p.width = width;
    p.height = height;
    for (size_t i = 0; i < 32; i++)
        for (size_t j = 0; j < 64; j++)
            p.rgb[(i * 64 + j) * 3 + (j < 32 ? 0 : 2)] = 200;
}

static void check_size(uint32_t width, uint32_t height, unsigned columns, struct draw_size want)
{
    struct draw_size s;

    paint(width, height);
    s = draw_size(&p, columns);
    assert_int_equal(s.width, want.width);
    assert_int_equal(s.height, want.height);
}

static void test_sizes_keep_the_ratio(void **state)
{
    (void)state;
    check_size(64, 64, 200, (struct draw_size){48, 48});
    check_size(64, 32, 200, (struct draw_size){48, 24});
    check_size(32, 64, 200, (struct draw_size){24, 48});
    check_size(64, 48, 20, (struct draw_size){20, 15});
    check_size(32, 64, 24, (struct draw_size){24, 48}); /* as wide as it is anyhow */
    check_size(32, 64, 12, (struct draw_size){12, 24});
    check_size(64, 1, 200, (struct draw_size){48, 1});
    check_size(1, 64, 200, (struct draw_size){1, 48});
    check_size(64, 64, 1, (struct draw_size){1, 1});
    check_size(64, 64, 0, (struct draw_size){48, 48});
    check_size(0, 0, 80, (struct draw_size){1, 1});
}

static void test_colours(void **state)
{
    char line[DRAW_LINE];

    (void)state;
    paint(64, 64);
    assert_string_equal(draw_line(&p, (struct draw_size){2, 2}, 0, line),
                        "\x1b[38;2;200;0;0;48;2;0;0;0m" BLOCK "\x1b[38;2;0;0;200;48;2;0;0;0m" BLOCK
                        "\x1b[0m");
    /* The mean of all, and nothing below a single row. */
    assert_string_equal(draw_line(&p, (struct draw_size){1, 1}, 0, line),
                        "\x1b[38;2;50;0;50m" BLOCK "\x1b[0m");
    assert_string_equal(draw_line(&p, (struct draw_size){1, 3}, 1, line),
                        "\x1b[38;2;0;0;0m" BLOCK "\x1b[0m");
}

static void test_longest_line_fits(void **state)
{
    char line[DRAW_LINE];
    size_t blocks = 0;

    (void)state;
    paint(64, 64);
    memset(p.rgb, 255, sizeof(p.rgb));
    (void)draw_line(&p, draw_size(&p, 1000), 23, line);
    for (const char *at = line; (at = strstr(at, "48;2;255;255;255m" BLOCK)) != NULL; at++)
        blocks++;
    assert_int_equal(blocks, DRAW_SIDE);
    assert_string_equal(line + strlen(line) - 4, "\x1b[0m");
}

/* Bytes that no encoder writes; nothing but an error comes of them. */
static void test_hostile_bytes(void **state)
{
    static const size_t lengths[] = {1, 127, 128, 255, 256, 257, 512, 1024};
    uint8_t bytes[1024];
    struct satchel_error err;

    (void)state;
    memset(bytes, 0xFF, sizeof(bytes));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        assert_int_equal(satchel_preview_decode(bytes, lengths[i], NULL, &p, &err),
                         SATCHEL_E_CORRUPT);
    assert_int_equal(satchel_preview_decode(bytes, 0, NULL, &p, &err), SATCHEL_E_INVALID);
    assert_int_equal(satchel_preview_decode(NULL, 0, NULL, &p, &err), SATCHEL_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_keep_the_ratio),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_longest_line_fits),
        cmocka_unit_test(test_hostile_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
