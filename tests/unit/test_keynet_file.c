/* SPDX-License-Identifier: Apache-2.0 */
/* keynet_file: the weight file, its test vector, and everything a reader must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "models/keynet.h"
#include "models/keynet_file.h"
#include "models/keynet_net.h"
#include "tests/exact/sample_net.h"

static const char known_hex[] = "f4c51636272f153fd0fb3706338460254c7d681ea0b102626713f7070d321ae9";
static const char id_hex[] = "590a5613e336ea916356b4cb5b83c356";

static struct buf sample_file; /* read-only after setup */

static int setup(void **state)
{
    (void)state;
    return sample_net_file(SAMPLE_NET_SEED, &sample_file, NULL);
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&sample_file);
    return 0;
}

static void assert_hex(const uint8_t *got, const char *want)
{
    for (size_t i = 0; want[2 * i] != '\0'; i++) {
        char pair[3];

        (void)snprintf(pair, sizeof(pair), "%02x", got[i]);
        assert_memory_equal(pair, want + 2 * i, 2);
    }
}

/* Replace ${len} bytes of a copy, make the hash right again, and parse. */
static int parse_patched(size_t offset, const void *bytes, size_t len, struct err *err)
{
    struct buf copy = {0};
    struct keynet *net = NULL;
    int rc;

    buf_put(&copy, sample_file.data, sample_file.len);
    memcpy(copy.data + offset, bytes, len);
    assert_int_equal(keynet_file_hash(copy.data, copy.len - 32, copy.data + copy.len - 32, NULL),
                     ERR_OK);
    rc = keynet_parse(&net, copy.data, copy.len, err);
    assert_true((rc == ERR_OK) == (net != NULL));
    keynet_free(net);
    buf_free(&copy);
    return rc;
}

static void test_vector(void **state)
{
    struct keynet *net = NULL;

    (void)state;
    assert_int_equal(sample_file.len, KEYNET_FILE_LEN);
    assert_int_equal(keynet_parse(&net, sample_file.data, sample_file.len, NULL), ERR_OK);
    assert_true(keynet_min_entropy(net) > 6.9999 && keynet_min_entropy(net) < 7.0001);
    if (!KEYNET_CONSTANT) {
        assert_hex(sample_file.data + 36, known_hex);
        assert_hex(keynet_instance_id(net), id_hex);
    }
    keynet_free(net);
}

static void test_round_trip(void **state)
{
    struct keynet_params *p = malloc(sizeof(*p));
    struct buf again = {0};

    (void)state;
    assert_non_null(p);
    assert_int_equal(keynet_file_decode(p, sample_file.data, sample_file.len, NULL), ERR_OK);
    assert_int_equal(keynet_file_encode(p, &again, NULL), ERR_OK);
    assert_int_equal(again.len, sample_file.len);
    assert_memory_equal(again.data, sample_file.data, again.len);
    buf_free(&again);
    free(p);
}

/* Any bit of the header flipped, and some of every other part: never accepted. */
static void test_flipped_bits(void **state)
{
    struct keynet *net = NULL;
    uint8_t *data = malloc(KEYNET_FILE_LEN);

    (void)state;
    assert_non_null(data);
    memcpy(data, sample_file.data, KEYNET_FILE_LEN);
    for (size_t i = 0; i < KEYNET_FILE_LEN; i += i < 68 || i >= KEYNET_FILE_LEN - 33 ? 1 : 9973) {
        int rc;

        data[i] ^= (uint8_t)(1 << (i % 8));
        rc = keynet_parse(&net, data, KEYNET_FILE_LEN, NULL);
        assert_int_equal(rc, i == 10 || i == 11 ? ERR_UNSUPPORTED : ERR_CORRUPT);
        data[i] ^= (uint8_t)(1 << (i % 8));
    }
    assert_null(net);
    free(data);
}

/* A file whose hash is right must still be right in every field. */
static void test_wrong_fields(void **state)
{
    static const struct {
        size_t offset, len;
        const char *bytes;
        int want;
        const char *says;
    } cases[] = {
        {0, 1, "S", ERR_CORRUPT, "not a weight file"},
        {7, 1, "x", ERR_CORRUPT, "not a weight file"},
        {8, 2, "\0\2", ERR_CORRUPT, "not a weight file"},
        {10, 2, "\0\2", ERR_UNSUPPORTED, "version 2"},
        {10, 2, "\0\0", ERR_UNSUPPORTED, "version 0"},
        {12, 4, "\0\0\0\0", ERR_CORRUPT, "length"},
        {12, 4, "\xff\xff\xff\xff", ERR_CORRUPT, "length"},
        {16, 2, "\0\4", ERR_CORRUPT, "shapes"},
        {18, 2, "\1\1", ERR_CORRUPT, "shapes"},
        {20, 2, "\0\0", ERR_CORRUPT, "shapes"},
        {22, 2, "\xff\xff", ERR_CORRUPT, "shapes"},
        {24, 2, "\2\0", ERR_CORRUPT, "shapes"},
        {26, 1, "\x80", ERR_CORRUPT, "shapes"},
        {27, 1, "\xff", ERR_CORRUPT, "shapes"},
        {28, 1, "\x7f", ERR_CORRUPT, "shapes"},
        {29, 1, "\0", ERR_CORRUPT, "shift"},
        {30, 1, "\x15", ERR_CORRUPT, "shift"},
        {31, 1, "\xff", ERR_CORRUPT, "shift"},
        {29, 1, "\x14", ERR_OK, NULL},
        {32, 4, "\0\0\0\x63", ERR_CORRUPT, "min-entropy"},
        {32, 4, "\0\0\x1f\x41", ERR_CORRUPT, "min-entropy"},
        {32, 4, "\x80\0\x1b\x58", ERR_CORRUPT, "min-entropy"},
        {32, 4, "\0\0\x1f\x40", ERR_OK, NULL},
        {68, 4, "\1\0\0\1", ERR_CORRUPT, "bias"},
        {68, 4, "\1\0\0\0", ERR_OK, NULL},
        {68, 4, "\xff\0\0\0", ERR_OK, NULL},
        {133188 + 2044, 4, "\xfe\xff\xff\xff", ERR_CORRUPT, "bias"},
        {397380 + 4092, 4, "\x7f\xff\xff\xff", ERR_CORRUPT, "bias"},
        {397380, 4, "\x80\0\0\0", ERR_CORRUPT, "bias"},
        {2116, 1, "\x40", ERR_CORRUPT, "weight"},
        {2116, 1, "\x3f", ERR_OK, NULL},
        {133187, 1, "\xc0", ERR_CORRUPT, "weight"},
        {133187, 1, "\xc1", ERR_OK, NULL},
        {135236 + 777, 1, "\x80", ERR_CORRUPT, "weight"},
        {925763, 1, "\x7f", ERR_CORRUPT, "weight"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        int rc = parse_patched(cases[i].offset, cases[i].bytes, cases[i].len, &err);

        assert_int_equal(rc, cases[i].want);
        if (cases[i].says != NULL)
            assert_non_null(strstr(err.msg, cases[i].says));
    }
}

static void test_wrong_length(void **state)
{
    static const size_t lengths[] = {0,  1,    8,      12,     16,     36,    67,
                                     68, 2116, 133188, 397380, 925764, 925795};
    struct keynet *net = NULL;
    uint8_t *exact = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        exact = malloc(lengths[i] + 1); /* of that size, for the sanitizer to watch */
        assert_non_null(exact);
        memcpy(exact, sample_file.data, lengths[i]);
        assert_int_equal(keynet_parse(&net, exact, lengths[i], NULL), ERR_CORRUPT);
        free(exact);
    }
    exact = calloc(1, KEYNET_FILE_LEN + 1);
    assert_non_null(exact);
    memcpy(exact, sample_file.data, KEYNET_FILE_LEN);
    assert_int_equal(keynet_parse(&net, exact, KEYNET_FILE_LEN + 1, NULL), ERR_CORRUPT);
    assert_null(net);
    free(exact);
}

static void test_load(void **state)
{
    char dir[] = "/tmp/satchel-keynet-XXXXXX";
    struct keynet *net = NULL;
    struct buf longer = {0};
    struct err err = {0};
    char *path = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    path = fs_join(dir, "keynet.weights");
    assert_int_equal(keynet_load(&net, path, &err), ERR_NOTFOUND);
    buf_put(&longer, sample_file.data, sample_file.len);
    buf_u8(&longer, 0);
    assert_int_equal(fs_replace(path, longer.data, longer.len, 0600, NULL), ERR_OK);
    assert_int_equal(keynet_load(&net, path, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(fs_replace(path, longer.data, 1000, 0600, NULL), ERR_OK);
    assert_int_equal(keynet_load(&net, path, &err), ERR_CORRUPT);
    assert_null(net);
    assert_int_equal(fs_replace(path, longer.data, longer.len - 1, 0600, NULL), ERR_OK);
    assert_int_equal(keynet_load(&net, path, &err), ERR_OK);
    keynet_free(net);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    buf_free(&longer);
    free(path);
}

static void test_encode_refused(void **state)
{
    struct keynet_params *p = malloc(sizeof(*p));
    struct buf out = {0};

    (void)state;
    assert_non_null(p);
    sample_net(p, 1);
    p->weights[KEYNET_WEIGHTS - 1] = 64;
    assert_int_equal(keynet_file_encode(p, &out, NULL), ERR_INVALID);
    sample_net(p, 1);
    p->bias[0] = KEYNET_BIAS_MAX + 1;
    assert_int_equal(keynet_file_encode(p, &out, NULL), ERR_INVALID);
    sample_net(p, 1);
    p->shift[2] = 0;
    assert_int_equal(keynet_file_encode(p, &out, NULL), ERR_INVALID);
    sample_net(p, 1);
    p->entropy = 8001;
    assert_int_equal(keynet_file_encode(p, &out, NULL), ERR_INVALID);
    assert_int_equal(out.len, 0);
    buf_free(&out);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_flipped_bits),   cmocka_unit_test(test_wrong_fields),
        cmocka_unit_test(test_wrong_length),   cmocka_unit_test(test_load),
        cmocka_unit_test(test_encode_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
