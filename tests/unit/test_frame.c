/* SPDX-License-Identifier: Apache-2.0 */
/* frame: prefixes, limits, fragments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/frame.h"

/* Append a frame whose bytes tell where they stand. */
static void put_frame(struct buf *b, size_t head_len, size_t tail_len)
{
    uint8_t prefix[FRAME_PREFIX];

    assert_int_equal(frame_prefix(prefix, head_len, tail_len, NULL), ERR_OK);
    buf_put(b, prefix, sizeof(prefix));
    for (size_t i = 0; i < head_len; i++)
        buf_u8(b, (uint8_t)(i * 3));
    for (size_t i = 0; i < tail_len; i++)
        buf_u8(b, (uint8_t)(i * 7 + 1));
    assert_int_equal(buf_check(b, NULL), ERR_OK);
}

static void check_frame(const struct frame *f, size_t head_len, size_t tail_len)
{
    assert_int_equal(f->head.len, head_len);
    assert_int_equal(f->tail.len, tail_len);
    assert_int_equal(f->head.cap, head_len);
    assert_int_equal(f->tail.cap, tail_len);
    for (size_t i = 0; i < head_len; i++)
        assert_int_equal(f->head.data[i], (uint8_t)(i * 3));
    for (size_t i = 0; i < tail_len; i++)
        assert_int_equal(f->tail.data[i], (uint8_t)(i * 7 + 1));
}

/* Copy up to ${step} bytes at a time to where the reader wants them.  The last code. */
static int feed(struct frame_reader *r, struct rd *in, size_t step, struct frame *ret,
                struct err *err)
{
    int rc = ERR_AGAIN;

    while (rc == ERR_AGAIN && in->left > 0) {
        uint8_t *at = NULL;
        size_t n = 0;

        rc = frame_reader_want(r, &at, &n, err);
        if (rc != ERR_OK)
            return rc;
        assert_true(n >= 1);
        n = n < step ? n : step;
        n = n < in->left ? n : in->left;
        rd_get(in, at, n);
        rc = frame_reader_got(r, n, ret, err);
    }
    return rc;
}

static const size_t sizes[][2] = {
    {1, 0},
    {1, 1},
    {5, 9},
    {1, FRAME_TAIL_MAX},
    {FRAME_HEAD_MAX, 0},
    {FRAME_HEAD_MAX, FRAME_TAIL_MAX},
};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void round_trip(size_t step)
{
    struct buf wire = {0};
    struct frame_reader r;
    struct frame f = {{0}, {0}};
    struct rd in;

    for (size_t i = 0; i < SIZES; i++)
        put_frame(&wire, sizes[i][0], sizes[i][1]);
    in = rd_make(wire.data, wire.len);
    frame_reader_init(&r);
    for (size_t i = 0; i < SIZES; i++) {
        assert_int_equal(frame_reader_stage(&r), FRAME_NONE);
        assert_int_equal(feed(&r, &in, step, &f, NULL), ERR_OK);
        check_frame(&f, sizes[i][0], sizes[i][1]);
        frame_free(&f);
        assert_null(f.tail.data);
    }
    assert_int_equal(in.left, 0);
    frame_reader_free(&r);
    buf_free(&wire);
}

static void test_round_trip(void **state)
{
    static const size_t steps[] = {1, 7, 4096, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        round_trip(steps[i]);
}

static void test_prefix_bytes(void **state)
{
    static const uint8_t want[FRAME_PREFIX] = {0, 0, 1, 2, 0, 4, 1, 0};
    uint8_t prefix[FRAME_PREFIX] = {9};

    (void)state;
    assert_int_equal(frame_prefix(prefix, 0x102, FRAME_TAIL_MAX, NULL), ERR_OK);
    assert_memory_equal(prefix, want, sizeof(want));
    assert_int_equal(frame_prefix(prefix, FRAME_HEAD_MAX + 1, 0, NULL), ERR_TOOLARGE);
    assert_int_equal(frame_prefix(prefix, 1, FRAME_TAIL_MAX + 1, NULL), ERR_TOOLARGE);
    assert_int_equal(frame_prefix(prefix, 0, 1, NULL), ERR_INVALID);
    assert_memory_equal(prefix, want, sizeof(want));
}

static void refuse(uint32_t head_len, uint32_t tail_len, size_t head_max, size_t tail_max)
{
    uint8_t prefix[FRAME_PREFIX], *at = NULL;
    struct frame f = {{0}, {0}};
    struct err err = {0};
    struct frame_reader r;
    struct rd in;
    size_t n = 0;

    put_be32(prefix, head_len);
    put_be32(prefix + 4, tail_len);
    in = rd_make(prefix, sizeof(prefix));
    frame_reader_init(&r);
    frame_reader_limit(&r, head_max, tail_max);
    assert_int_equal(feed(&r, &in, 3, &f, &err), ERR_PROTO);
    assert_true(err.msg[0] != '\0');
    /* Nothing was allocated, and there is no way on. */
    assert_null(r.frame.head.data);
    assert_null(r.frame.tail.data);
    assert_int_equal(frame_reader_want(&r, &at, &n, &err), ERR_PROTO);
    assert_null(at);
    frame_reader_free(&r);
}

static void test_over_the_limits(void **state)
{
    (void)state;
    refuse(FRAME_HEAD_MAX + 1, 0, SIZE_MAX, SIZE_MAX);
    refuse(0, 0, SIZE_MAX, SIZE_MAX); /* a head is never empty */
    refuse(0, 1, SIZE_MAX, SIZE_MAX);
    refuse(1, FRAME_TAIL_MAX + 1, SIZE_MAX, SIZE_MAX);
    refuse(UINT32_MAX, UINT32_MAX, SIZE_MAX, SIZE_MAX);
    refuse(0x16030100, 0x01000000, SIZE_MAX, SIZE_MAX); /* somebody speaks TLS inside TLS */
    refuse(101, 0, 100, 0);
    refuse(100, 1, 100, 0);
}

static void test_limits_move_between_frames(void **state)
{
    struct frame f = {{0}, {0}};
    struct frame_reader r;
    struct buf wire = {0};
    struct rd in;

    (void)state;
    put_frame(&wire, 100, 0);
    put_frame(&wire, 101, 50);
    put_frame(&wire, 101, 51);
    in = rd_make(wire.data, wire.len);
    frame_reader_init(&r);
    frame_reader_limit(&r, 100, 0);
    assert_int_equal(feed(&r, &in, 11, &f, NULL), ERR_OK);
    frame_free(&f);
    frame_reader_limit(&r, 101, 50);
    assert_int_equal(feed(&r, &in, 11, &f, NULL), ERR_OK);
    check_frame(&f, 101, 50);
    frame_free(&f);
    assert_int_equal(feed(&r, &in, 11, &f, NULL), ERR_PROTO);
    frame_reader_free(&r);
    buf_free(&wire);
}

/* A frame that never ends: memory is taken in steps, the stages tell where it hangs. */
static void test_cut_frame(void **state)
{
    struct frame f = {{0}, {0}};
    struct frame_reader r;
    struct buf wire = {0};
    struct rd in;

    (void)state;
    put_frame(&wire, 1000, 2000);
    frame_reader_init(&r);
    in = rd_make(wire.data, 3);
    assert_int_equal(feed(&r, &in, 1, &f, NULL), ERR_AGAIN);
    assert_int_equal(frame_reader_stage(&r), FRAME_IN_HEAD);
    assert_null(r.frame.head.data);
    in = rd_make(wire.data + 3, 5 + 999);
    assert_int_equal(feed(&r, &in, 4000, &f, NULL), ERR_AGAIN);
    assert_int_equal(frame_reader_stage(&r), FRAME_IN_HEAD);
    assert_null(r.frame.tail.data);
    in = rd_make(wire.data + 8 + 999, 1);
    assert_int_equal(feed(&r, &in, 1, &f, NULL), ERR_AGAIN);
    assert_int_equal(frame_reader_stage(&r), FRAME_IN_TAIL);
    in = rd_make(wire.data + 8 + 1000, 1999);
    assert_int_equal(feed(&r, &in, 1999, &f, NULL), ERR_AGAIN);
    assert_null(f.head.data);
    frame_reader_free(&r);
    buf_free(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_prefix_bytes),
        cmocka_unit_test(test_over_the_limits), cmocka_unit_test(test_limits_move_between_frames),
        cmocka_unit_test(test_cut_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
