/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of previews counted from what the encoder writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/preview.h"
#include "models/preview_file.h"
#include "models/train/table.h"
#include "tests/exact/sample_preview.h"

enum { PICTURES = 3, DRAWN = 4 };

static uint8_t pixels[PICTURES * PREVIEW_BYTES];
static const struct data data = {.rgb = pixels, .n = PICTURES};

static int fill(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PICTURES; i++)
        sample_picture(i, pixels + (size_t)i * PREVIEW_BYTES);
    return 0;
}

static int count(struct preview_net *net, unsigned pictures, float *ret_lost)
{
    struct data_draw draw = {.data = &data, .pictures = pictures};
    int rc;

    assert_int_equal(prg_new(&draw.prg, "test", part(NULL, 0), 0, NULL), 0);
    rc = table_count(net, &draw, ret_lost, NULL);
    prg_free(draw.prg);
    return rc;
}

/* The encoder finds better previews with counted tables, and a file can hold them. */
static void test_counted(void **state)
{
    struct preview_net *net = sample_preview();
    struct buf file = {0};
    float before = 0, after = 0;

    (void)state;
    assert_non_null(net);
    assert_int_equal(count(net, DRAWN, &before), 0);
    assert_int_equal(preview_file_encode(net, &file, NULL), 0); /* they add up, none is 0 */
    assert_int_equal(count(net, DRAWN, &after), 0);
    assert_true(before > 0 && after < before);
    buf_free(&file);
    preview_net_free(net);
}

/* The same pictures give the same tables. */
static void test_same(void **state)
{
    struct preview_net *a = sample_preview(), *b = sample_preview();
    float lost[2];

    (void)state;
    assert_true(a != NULL && b != NULL);
    assert_int_equal(count(a, 1, &lost[0]), 0);
    assert_int_equal(count(b, 1, &lost[1]), 0);
    assert_memory_equal(&lost[0], &lost[1], sizeof(lost[0]));
    assert_memory_equal(a->tables.count, b->tables.count, sizeof(a->tables.count));
    assert_memory_equal(a->tables.centre, b->tables.centre, sizeof(a->tables.centre));
    assert_memory_equal(&a->sums, &b->sums, sizeof(a->sums));
    preview_net_free(a);
    preview_net_free(b);
}

/* What was not seen stays as it was, up to how counts are rounded. */
static void test_unseen(void **state)
{
    struct preview_net *net = sample_preview(), *old = sample_preview();
    float lost = 1;

    (void)state;
    assert_true(net != NULL && old != NULL);
    assert_int_equal(count(net, 0, &lost), 0);
    assert_true(lost <= 0);
    assert_memory_equal(net->tables.centre, old->tables.centre, sizeof(old->tables.centre));
    for (int s = 0; s < PREVIEW_SCALES; s++)
        for (int i = 0; i < PREVIEW_SYMBOLS; i++)
            assert_in_range(net->tables.count[s][0][i] + 700 - old->tables.count[s][0][i], 0, 1400);
    preview_net_free(net);
    preview_net_free(old);
}

/* A network that no file can hold is refused, and keeps its tables. */
static void test_refused(void **state)
{
    struct preview_net *net = sample_preview(), *old = sample_preview();
    float lost = 0;

    (void)state;
    assert_true(net != NULL && old != NULL);
    net->tables.step[0] = 0;
    assert_int_equal(count(net, 1, &lost), ERR_INVALID);
    assert_memory_equal(net->tables.count, old->tables.count, sizeof(old->tables.count));
    preview_net_free(net);
    preview_net_free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
