/* SPDX-License-Identifier: Apache-2.0 */
/* body: lengths, keys, pieces, padding, tree. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/body.h"
#include "tests/sample/sample.h"

static void test_lengths(void **state)
{
    (void)state;
    assert_int_equal(body_pieces(0), 1);
    assert_int_equal(body_plain_len(0, 0), 0);
    assert_int_equal(body_sealed_len(0, 0), 16);
    assert_int_equal(body_pieces(262143), 1);
    assert_int_equal(body_sealed_len(262143, 0), 262399);
    assert_int_equal(body_pieces(262144), 2);
    assert_int_equal(body_sealed_len(262144, 0), BODY_PIECE_SEALED);
    assert_int_equal(body_plain_len(262144, 1), 0);
    assert_int_equal(body_sealed_len(262144, 1), 16);
    assert_int_equal(body_sealed_len(262145, 1), 17);
    assert_int_equal(body_sealed_len(16384, 0), 16384 + 32);
    assert_int_equal(body_pieces(HEADER_BODY_MAX - 1), 1U << 31);
    assert_int_equal(body_plain_len(HEADER_BODY_MAX - 1, (1U << 31) - 1), BODY_PIECE_PLAIN - 1);
}

/* Padme of section 7, worked by hand. */
static void test_padding_length(void **state)
{
    static const struct {
        uint64_t length, padded;
    } rows[] = {
        {0, 4096},        {1, 4096},          {4096, 4096},       {4097, 4352},
        {262145, 270336}, {1000000, 1015808}, {1 << 30, 1 << 30}, {(1 << 30) + 1, 1107296256},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(body_padded(rows[i].length) == rows[i].padded);
}

static const uint64_t lengths[] = {0, 1, 16383, 16384, 262143, 262144, 262145, 300000};

static void seal_and_open(uint64_t length)
{
    struct header h = {.body_length = length};
    uint8_t *plain = malloc(length + 1), *sealed = malloc(BODY_PIECE_SEALED);
    struct secret cek = {0};
    struct body *b = NULL;
    struct err err;

    sample_secret("cek", &cek);
    sample_fill(7, plain, length);
    assert_int_equal(body_new(&cek, &h, &b, &err), ERR_OK);
    for (uint32_t i = 0; i < body_pieces(length); i++) {
        size_t n = body_plain_len(length, i), n_sealed = body_sealed_len(length, i), of_file;
        struct part piece = part(plain + (size_t)i * BODY_PIECE_PLAIN, n);
        struct hash32 leaf, found;

        assert_int_equal(body_seal_piece(b, i, piece, sealed, &leaf), ERR_OK);
        assert_int_equal(body_leaf(part(sealed, n_sealed), &found), ERR_OK);
        assert_memory_equal(&leaf, &found, sizeof(leaf));
        assert_int_equal(body_open_piece(b, i, &leaf, part(sealed, n_sealed), sealed), ERR_OK);
        assert_memory_equal(sealed, piece.data, n);
        assert_int_equal(body_file_part(b, length, i, part(sealed, n), &of_file), ERR_OK);
        assert_int_equal(of_file, n);
    }
    body_free(b);
    secret_free(&cek);
    free(plain);
    free(sealed);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        seal_and_open(lengths[i]);
}

/* ---- far pieces ---- */

static void round_trip_of(const struct body *b, uint32_t index, size_t len, struct hash32 *ret_leaf)
{
    uint8_t *plain = calloc(1, BODY_PIECE_PLAIN), *sealed = malloc(BODY_PIECE_SEALED);
    size_t of_file = 0;

    assert_int_equal(body_seal_piece(b, index, part(plain, len), sealed, ret_leaf), ERR_OK);
    assert_int_equal(body_open_piece(b, index, ret_leaf,
                                     part(sealed, body_sealed_len(HEADER_BODY_MAX - 1, index)),
                                     sealed),
                     ERR_OK);
    assert_memory_equal(sealed, plain, len);
    /* Padding of a file that ends within the piece, one byte into it. */
    if (len > 1) {
        uint64_t length = (uint64_t)index * BODY_PIECE_PLAIN + 1;

        assert_int_equal(body_file_part(b, length, index, part(sealed, len), &of_file), ERR_OK);
        assert_int_equal(of_file, 1);
        sealed[1] = 1;
        assert_int_equal(body_file_part(b, length, index, part(sealed, len), &of_file),
                         ERR_INTEGRITY);
    }
    free(plain);
    free(sealed);
}

/*
 * Behind 4 GiB, 100 GiB and 2^32 chunks, and at the very end: the same bytes seal differently
 * everywhere, so no number that goes into them is cut to 32 bits.
 */
static void test_far_pieces(void **state)
{
    static const uint32_t at[] = {0, 1U << 14, 100U << 12, 1U << 28, (1U << 31) - 2};
    enum { N = sizeof(at) / sizeof(at[0]) };
    struct header h = {.body_length = HEADER_BODY_MAX - 1};
    struct hash32 leaves[N], last;
    struct secret cek = {0};
    struct body *b = NULL;
    uint8_t byte = 0;

    (void)state;
    sample_secret("cek", &cek);
    assert_int_equal(body_new(&cek, &h, &b, NULL), ERR_OK);
    for (size_t i = 0; i < N; i++) {
        round_trip_of(b, at[i], BODY_PIECE_PLAIN, &leaves[i]);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(&leaves[i], &leaves[k], sizeof(leaves[i]));
    }
    round_trip_of(b, (1U << 31) - 1, BODY_PIECE_PLAIN - 1, &last);
    assert_int_equal(body_seal_piece(b, 1U << 31, part(&byte, 1), &byte, &last), ERR_INVALID);
    assert_int_equal(body_plain_len(HEADER_BODY_MAX - 1, 1U << 31), 0);
    body_free(b);
    secret_free(&cek);
}

static void test_lengths_of_100_gib(void **state)
{
    const uint64_t length = 100ULL << 30;

    (void)state;
    assert_int_equal(body_pieces(length), (100U << 12) + 1);
    assert_int_equal(body_pieces(length - 1), 100U << 12);
    assert_int_equal(body_plain_len(length, (100U << 12) - 1), BODY_PIECE_PLAIN);
    assert_int_equal(body_sealed_len(length, 100U << 12), 16);
    assert_int_equal(body_sealed_len(length + 1, 100U << 12), 17);
    assert_true(body_padded(length + 1) == length + (1ULL << 30));
}

/* Only what the daemon could do: right keys, wrong bytes. */
static void test_pieces_swapped_cut_extended(void **state)
{
    struct sample s;
    struct body *b = NULL;
    uint8_t *out = malloc(BODY_PIECE_SEALED + 16), *longer = calloc(1, BODY_PIECE_SEALED + 16);
    struct part p0, p1, p2;
    struct err err;

    (void)state;
    sample_make(&s, 600000);
    assert_int_equal(s.n_leaves, 3);
    p0 = sample_piece(&s, 0);
    p1 = sample_piece(&s, 1);
    p2 = sample_piece(&s, 2);
    memcpy(longer, p0.data, p0.len);
    assert_int_equal(body_match(&s.cek, &s.header, &b, &err), ERR_OK);
#define OPEN(i, leaf, piece) body_open_piece(b, i, &s.leaves[leaf], piece, out)
    assert_int_equal(OPEN(0, 0, p0), ERR_OK);
    assert_int_equal(OPEN(2, 2, p2), ERR_OK);
    assert_int_equal(OPEN(1, 1, p0), ERR_INTEGRITY); /* against the leaf */
    assert_int_equal(OPEN(1, 0, p0), ERR_INTEGRITY); /* leaves swapped too: the chunks' nonces */
    assert_int_equal(OPEN(0, 1, p1), ERR_INTEGRITY);
    assert_int_equal(OPEN(0, 0, part(p0.data, p0.len - 1)), ERR_INTEGRITY);
    assert_int_equal(OPEN(0, 0, part(p0.data, 0)), ERR_INTEGRITY);
    assert_int_equal(OPEN(0, 0, part(longer, p0.len + 16)), ERR_INTEGRITY);
    assert_int_equal(OPEN(2, 2, p0), ERR_INTEGRITY);
    assert_int_equal(OPEN(3, 0, p0), ERR_INVALID);
    /* A piece with a leaf of its own, made by who can sign the header but has not the key. */
    for (size_t i = 0; i < p0.len; i += 1639) {
        struct hash32 leaf;

        longer[i] ^= 0x10;
        assert_int_equal(OPEN(0, 0, part(longer, p0.len)), ERR_INTEGRITY);
        assert_int_equal(body_leaf(part(longer, p0.len), &leaf), ERR_OK);
        assert_int_equal(body_open_piece(b, 0, &leaf, part(longer, p0.len), out), ERR_INTEGRITY);
        longer[i] ^= 0x10;
    }
#undef OPEN
    body_free(b);
    sample_free(&s);
    free(out);
    free(longer);
}

/* The same bytes as a body of another length: the end of the last piece moves. */
static void test_truncated_at_every_chunk(void **state)
{
    struct header h = {.body_length = 5 * 16384 + 100}, cut;
    uint8_t plain[5 * 16384 + 100], sealed[6 * 16400], out[6 * 16400];
    struct secret cek = {0};
    struct body *b = NULL;
    struct hash32 leaf;
    struct err err;

    (void)state;
    sample_secret("cek", &cek);
    sample_fill(9, plain, sizeof(plain));
    assert_int_equal(body_new(&cek, &h, &b, &err), ERR_OK);
    assert_int_equal(body_seal_piece(b, 0, PART_OF(plain), sealed, &leaf), ERR_OK);
    body_free(b);
    for (uint64_t chunks = 0; chunks <= 5; chunks++) {
        for (uint64_t more = 0; more < 2; more++) {
            size_t len;

            cut = h;
            cut.body_length = chunks * 16384 + more * 99;
            len = body_sealed_len(cut.body_length, 0);
            assert_int_equal(body_new(&cek, &cut, &b, &err), ERR_OK);
            assert_int_equal(body_leaf(part(sealed, len), &leaf), ERR_OK);
            assert_int_equal(body_open_piece(b, 0, &leaf, part(sealed, len), out), ERR_INTEGRITY);
            body_free(b);
        }
    }
    secret_free(&cek);
}

static void test_leaves(void **state)
{
    struct sample s;
    struct err err;

    (void)state;
    sample_make(&s, 600000);
    assert_int_equal(body_check_leaves(&s.header, s.leaves, 3, &err), ERR_OK);
    assert_int_equal(body_check_leaves(&s.header, s.leaves, 2, &err), ERR_INTEGRITY);
    for (size_t i = 0; i < 3; i++) {
        s.leaves[i].b[i] ^= 1;
        assert_int_equal(body_check_leaves(&s.header, s.leaves, 3, &err), ERR_INTEGRITY);
        s.leaves[i].b[i] ^= 1;
    }
    s.leaves[2] = s.leaves[1];
    assert_int_equal(body_check_leaves(&s.header, s.leaves, 3, &err), ERR_INTEGRITY);
    sample_free(&s);
}

static void test_file_part(void **state)
{
    struct header h = {.body_length = 300000};
    uint8_t *zeros = calloc(1, BODY_PIECE_PLAIN);
    struct part first = part(zeros, BODY_PIECE_PLAIN), last = part(zeros, 300000 - 262144);
    struct secret cek = {0};
    struct body *b = NULL;
    size_t n = 99;
    struct err err;

    (void)state;
    sample_secret("cek", &cek);
    assert_int_equal(body_new(&cek, &h, &b, &err), ERR_OK);
    assert_int_equal(body_file_part(b, 0, 0, first, &n), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(body_file_part(b, 100, 0, first, &n), ERR_OK);
    assert_int_equal(n, 100);
    assert_int_equal(body_file_part(b, 100, 1, last, &n), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(body_file_part(b, 262144, 1, last, &n), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(body_file_part(b, 300000, 1, last, &n), ERR_OK);
    assert_int_equal(n, last.len);
    n = 99;
    assert_int_equal(body_file_part(b, 300001, 1, last, &n), ERR_INTEGRITY);
    assert_int_equal(body_file_part(b, 300000, 2, last, &n), ERR_INVALID);
    assert_int_equal(body_file_part(b, 300000, 0, last, &n), ERR_INVALID);
    for (size_t i = 100; i < BODY_PIECE_PLAIN; i += 4001) {
        zeros[i] = 1;
        assert_int_equal(body_file_part(b, 100, 0, first, &n), ERR_INTEGRITY);
        zeros[i] = 0;
    }
    zeros[BODY_PIECE_PLAIN - 1] = 1;
    assert_int_equal(body_file_part(b, BODY_PIECE_PLAIN - 1, 0, first, &n), ERR_INTEGRITY);
    assert_int_equal(n, 99);
    body_free(b);
    body_free(NULL);
    secret_free(&cek);
    free(zeros);
}

static void test_match(void **state)
{
    struct sample s;
    struct body *b = NULL;
    struct secret other = {0};
    struct err err;

    (void)state;
    sample_make(&s, 10);
    sample_secret("another", &other);
    assert_int_equal(body_match(&other, &s.header, &b, &err), ERR_INTEGRITY);
#define REFUSED(field, names)                                                                      \
    do {                                                                                           \
        s.header.field ^= 1;                                                                       \
        assert_int_equal(body_match(&s.cek, &s.header, &b, &err), ERR_INTEGRITY);                  \
        assert_non_null(strstr(err.msg, names));                                                   \
        s.header.field ^= 1;                                                                       \
    } while (0)
    REFUSED(kid.b[0], "kid");
    REFUSED(tweak, "kid");
    REFUSED(cid.b[31], "cid");
    REFUSED(commitment.b[0], "commitment");
    REFUSED(salt[0], "commitment");
    REFUSED(tid.b[0], "commitment");
    REFUSED(sender.b[0], "commitment");
#undef REFUSED
    assert_null(b);
    s.header.body_length = HEADER_BODY_MAX;
    assert_int_equal(body_new(&s.cek, &s.header, &b, &err), ERR_INVALID);
    s.header.body_length = 0;
    secret_truncate(&s.cek, 31);
    assert_int_equal(body_new(&s.cek, &s.header, &b, &err), ERR_INVALID);
    assert_null(b);
    secret_free(&other);
    sample_free(&s);
}

static void test_seal_refuses(void **state)
{
    struct header h = {.body_length = 300000};
    uint8_t *bytes = calloc(1, BODY_PIECE_SEALED);
    struct secret cek = {0};
    struct body *b = NULL;
    struct hash32 leaf;

    (void)state;
    sample_secret("cek", &cek);
    assert_int_equal(body_new(&cek, &h, &b, NULL), ERR_OK);
    assert_int_equal(body_seal_piece(b, 0, part(bytes, 262143), bytes, &leaf), ERR_INVALID);
    assert_int_equal(body_seal_piece(b, 1, part(bytes, 262144), bytes, &leaf), ERR_INVALID);
    assert_int_equal(body_seal_piece(b, 2, part(bytes, 0), bytes, &leaf), ERR_INVALID);
    body_free(b);
    secret_free(&cek);
    free(bytes);
}

static struct body *shared;

/* Workers share a body: each seals all pieces and opens them again. */
static void *work(void *arg)
{
    const struct sample *s = arg;
    uint8_t *out = malloc(BODY_PIECE_SEALED);
    intptr_t failures = out == NULL;

    for (uint32_t i = 0; failures == 0 && i < s->n_leaves; i++) {
        struct part plain =
            part(s->plain + (size_t)i * BODY_PIECE_PLAIN, body_plain_len(s->header.body_length, i));
        struct hash32 leaf;

        failures += body_seal_piece(shared, i, plain, out, &leaf) != ERR_OK;
        failures += memcmp(&leaf, &s->leaves[i], sizeof(leaf)) != 0;
        failures += body_open_piece(shared, i, &leaf, sample_piece(s, i), out) != ERR_OK;
        failures += memcmp(out, plain.data, plain.len) != 0;
    }
    free(out);
    return (void *)failures;
}

static void test_many_threads(void **state)
{
    pthread_t threads[4];
    struct sample s;

    (void)state;
    sample_make(&s, 600000);
    assert_int_equal(body_match(&s.cek, &s.header, &shared, NULL), ERR_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &s), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failures = NULL;

        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    body_free(shared);
    sample_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_padding_length),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_far_pieces),
        cmocka_unit_test(test_lengths_of_100_gib),
        cmocka_unit_test(test_pieces_swapped_cut_extended),
        cmocka_unit_test(test_truncated_at_every_chunk),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_file_part),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_seal_refuses),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
