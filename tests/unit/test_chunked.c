/* SPDX-License-Identifier: Apache-2.0 */
/* chunked: pieces and messages, every boundary, every way to damage them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hkdf.h"
#include "tests/chunked_msg.h"

static const uint8_t key[CHUNKED_KEY_LEN] = {1, 2, 3}, salt[CHUNKED_SALT_LEN] = {4, 5, 6};
static const size_t sizes[] = {0,      1,      16383,  16384,  16385, 262143,
                               262144, 262145, 524287, 524288, 524289};

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Blocks of exactly the size that is needed, so that ASan sees one byte too many. */
static uint8_t *block(size_t len)
{
    uint8_t *p = malloc(len > 0 ? len : 1);

    assert_non_null(p);
    return p;
}

static uint8_t *plaintext(size_t len)
{
    uint8_t *p = block(len);
    uint32_t x = 12345;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
    return p;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum |= p[i];
    return sum == 0;
}

static struct chunked *new_chunked(void)
{
    struct chunked *c = NULL;

    assert_int_equal(chunked_new(&c, key, salt, part_str("context")), ERR_OK);
    return c;
}

/* All chunks of a message of ${len} bytes, without the prefix. */
static uint8_t *seal_all(struct chunked *c, const uint8_t *plain, size_t len)
{
    const struct chunked_run run = {0, true, part(plain, len)};
    uint8_t *out = block(chunked_sealed_len(len));

    assert_int_equal(chunked_seal_run(c, &run, out), ERR_OK);
    return out;
}

static void test_lengths(void **state)
{
    static const struct {
        uint64_t plain, pieces, sealed, last_plain, last_sealed;
    } table[] = {
        {0, 1, 16, 0, 16},
        {1, 1, 17, 1, 17},
        {16383, 1, 16399, 16383, 16399},
        {16384, 1, 16416, 16384, 16416},
        {262143, 1, 262399, 262143, 262399},
        {262144, 2, 262416, 0, 16},
        {262145, 2, 262417, 1, 17},
        {CHUNKED_PLAIN_MAX, (uint64_t)1 << 34, CHUNKED_CHUNKS_MAX * CHUNK_SEALED - 1, 262143,
         262399},
    };

    (void)state;
    assert_int_equal(PIECE_PLAIN, 262144);
    assert_int_equal(PIECE_SEALED, 262400);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const uint64_t plain = table[i].plain, last = table[i].pieces - 1;
        uint64_t back = 1;

        assert_true(chunked_pieces(plain) == table[i].pieces);
        assert_true(chunked_sealed_len(plain) == table[i].sealed);
        assert_int_equal(chunked_piece_plain(plain, last), table[i].last_plain);
        assert_int_equal(chunked_piece_sealed(plain, last), table[i].last_sealed);
        assert_int_equal(chunked_piece_plain(plain, last + 1), 0);
        assert_int_equal(chunked_piece_sealed(plain, last + 1), 0);
        if (last > 0) {
            assert_int_equal(chunked_piece_plain(plain, last - 1), PIECE_PLAIN);
            assert_int_equal(chunked_piece_sealed(plain, last - 1), PIECE_SEALED);
        }
        assert_int_equal(chunked_plain_len(&back, table[i].sealed), ERR_OK);
        assert_true(back == plain);
    }
}

static void test_lengths_that_cannot_be(void **state)
{
    static const uint64_t bad[] = {0,
                                   1,
                                   15,
                                   16400,
                                   16415,
                                   262400,
                                   CHUNKED_CHUNKS_MAX * CHUNK_SEALED,
                                   CHUNKED_CHUNKS_MAX * CHUNK_SEALED + 16,
                                   UINT64_MAX};
    uint64_t plain = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(chunked_plain_len(&plain, bad[i]), ERR_INTEGRITY);
    assert_true(plain == 77);
}

static void check_pieces(struct chunked *c, const uint8_t *plain, const uint8_t *sealed, size_t len)
{
    for (uint64_t i = 0; i < chunked_pieces(len); i++) {
        const size_t n = chunked_piece_plain(len, i), m = chunked_piece_sealed(len, i);
        const uint8_t *p = plain + i * PIECE_PLAIN, *s = sealed + i * PIECE_SEALED;
        uint8_t *out = block(m);
        struct chunked_run run;
        size_t got = SIZE_MAX;

        assert_int_equal(chunked_piece_run(&run, len, i, part(p, n), false), ERR_OK);
        assert_int_equal(chunked_seal_run(c, &run, out), ERR_OK);
        assert_memory_equal(out, s, m);
        free(out);
        out = block(m);
        assert_int_equal(chunked_piece_run(&run, len, i, part(s, m), true), ERR_OK);
        assert_int_equal(chunked_open_run(c, &run, out, &got), ERR_OK);
        assert_int_equal(got, n);
        assert_memory_equal(out, p, n);
        free(out);
        assert_int_equal(chunked_piece_run(&run, len, i, part(p, n + 1), false), ERR_INVALID);
        assert_int_equal(chunked_piece_run(&run, len, i, part(s, m + 1), true), ERR_INTEGRITY);
        assert_int_equal(chunked_piece_run(&run, len, i, part(s, m - 1), true), ERR_INTEGRITY);
    }
}

static void test_pieces_are_the_message(void **state)
{
    struct chunked *c = new_chunked();

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        uint8_t *plain = plaintext(sizes[i]), *sealed = seal_all(c, plain, sizes[i]);
        uint8_t *whole = block(CHUNKED_PREFIX_LEN + chunked_sealed_len(sizes[i]));
        uint8_t *back = block(CHUNKED_PREFIX_LEN + chunked_sealed_len(sizes[i]));
        struct part msg = part(whole, CHUNKED_PREFIX_LEN + chunked_sealed_len(sizes[i]));
        size_t len = SIZE_MAX;

        check_pieces(c, plain, sealed, sizes[i]);
        assert_int_equal(
            chunked_msg_seal(key, salt, part_str("context"), part(plain, sizes[i]), whole), ERR_OK);
        assert_memory_equal(whole, salt, sizeof(salt));
        assert_memory_equal(whole + sizeof(salt), chunked_commitment(c), CHUNKED_COMMITMENT_LEN);
        assert_memory_equal(whole + CHUNKED_PREFIX_LEN, sealed, chunked_sealed_len(sizes[i]));
        assert_int_equal(chunked_msg_open(key, part_str("context"), msg, back, &len), ERR_OK);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(back, plain, len);
        free(back);
        free(whole);
        free(sealed);
        free(plain);
    }
    chunked_free(c);
    chunked_free(NULL);
}

static void test_in_place(void **state)
{
    struct chunked *c = new_chunked();

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        const size_t total = chunked_sealed_len(sizes[i]);
        uint8_t *plain = plaintext(sizes[i]), *sealed = seal_all(c, plain, sizes[i]);
        uint8_t *b = block(total);
        size_t len = 0;

        memcpy(b, plain, sizes[i]);
        assert_int_equal(chunked_seal_run(c, &(struct chunked_run){0, true, {b, sizes[i]}}, b),
                         ERR_OK);
        assert_memory_equal(b, sealed, total);
        assert_int_equal(chunked_open_run(c, &(struct chunked_run){0, true, {b, total}}, b, &len),
                         ERR_OK);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(b, plain, len);
        /* In place a failure leaves nothing either. */
        memcpy(b, sealed, total);
        b[total - 1] ^= 1;
        assert_int_equal(chunked_open_run(c, &(struct chunked_run){0, true, {b, total}}, b, &len),
                         ERR_INTEGRITY);
        assert_true(all_zero(b, total));
        free(b);
        free(sealed);
        free(plain);
    }
    chunked_free(c);
}

/* A run that must not open, and must leave nothing. */
static void refuse(struct chunked *c, struct chunked_run run)
{
    uint8_t *out = block(run.in.len);
    size_t len = 77;

    memset(out, 0, run.in.len > 0 ? run.in.len : 1);
    assert_int_equal(chunked_open_run(c, &run, out, &len), ERR_INTEGRITY);
    assert_int_equal(len, 77);
    assert_true(all_zero(out, run.in.len));
    free(out);
}

static void test_truncated_at_every_chunk(void **state)
{
    const size_t len = 262145, total = chunked_sealed_len(len);
    struct chunked *c = new_chunked();
    uint8_t *plain = plaintext(len), *sealed = seal_all(c, plain, len);

    (void)state;
    for (size_t at = 0; at < total; at += CHUNK_SEALED) {
        static const size_t more[] = {0, 1, 15, 16, 17, 16399};

        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
            if (at + more[i] < total)
                refuse(c, (struct chunked_run){0, true, {sealed, at + more[i]}});
    }
    refuse(c, (struct chunked_run){0, true, {sealed, total - 1}});
    refuse(c, (struct chunked_run){0, false, {sealed, total}}); /* not whole chunks */
    free(sealed);
    free(plain);
    chunked_free(c);
}

static void test_a_flipped_bit_in_every_chunk(void **state)
{
    const size_t len = 262145, total = chunked_sealed_len(len);
    struct chunked *c = new_chunked();
    uint8_t *plain = plaintext(len), *sealed = seal_all(c, plain, len);

    (void)state;
    for (size_t at = 0; at < total; at += CHUNK_SEALED) {
        const size_t end = at + CHUNK_SEALED < total ? at + CHUNK_SEALED : total;
        const size_t places[] = {at, (at + end) / 2, end - CHUNK_TAG_LEN, end - 1};

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            sealed[places[i]] ^= 0x10;
            refuse(c, (struct chunked_run){0, true, {sealed, total}});
            sealed[places[i]] ^= 0x10;
        }
    }
    free(sealed);
    free(plain);
    chunked_free(c);
}

static void swap_chunks(uint8_t *sealed, size_t i, size_t j)
{
    uint8_t *a = sealed + i * CHUNK_SEALED, *b = sealed + j * CHUNK_SEALED;

    for (size_t k = 0; k < CHUNK_SEALED; k++) {
        const uint8_t t = a[k];

        a[k] = b[k];
        b[k] = t;
    }
}

static void test_chunks_and_pieces_have_their_places(void **state)
{
    const size_t len = 524289, total = chunked_sealed_len(len);
    struct chunked *c = new_chunked();
    uint8_t *plain = plaintext(len), *sealed = seal_all(c, plain, len);
    struct chunked_run run;

    (void)state;
    for (size_t n = 1; n < 32; n++) {
        swap_chunks(sealed, 0, n);
        refuse(c, (struct chunked_run){0, true, {sealed, total}});
        swap_chunks(sealed, 0, n);
    }
    /* Piece 1 given as piece 0. */
    assert_int_equal(
        chunked_piece_run(&run, len, 0, part(sealed + PIECE_SEALED, PIECE_SEALED), true), ERR_OK);
    refuse(c, run);
    /* A full chunk is no final chunk: the same bytes as a shorter message of whole chunks. */
    refuse(c, (struct chunked_run){0, true, {sealed, PIECE_SEALED}});
    free(sealed);
    free(plain);
    chunked_free(c);
}

static void test_any_flipped_bit_of_a_short_message(void **state)
{
    uint8_t whole[CHUNKED_PREFIX_LEN + 3 + CHUNK_TAG_LEN], out[sizeof(whole)] = {0};
    const uint8_t other[CHUNKED_KEY_LEN] = {9};
    size_t len = 77;

    (void)state;
    assert_int_equal(chunked_msg_seal(key, salt, part_str("c"), part_str("abc"), whole), ERR_OK);
    for (size_t bit = 0; bit < 8 * sizeof(whole); bit++) {
        whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(chunked_msg_open(key, part_str("c"), PART_OF(whole), out, &len),
                         ERR_INTEGRITY);
        whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < sizeof(whole); n++)
        assert_int_equal(chunked_msg_open(key, part_str("c"), part(whole, n), out, &len),
                         ERR_INTEGRITY);
    assert_int_equal(chunked_msg_open(key, part_str("d"), PART_OF(whole), out, &len),
                     ERR_INTEGRITY);
    assert_int_equal(chunked_msg_open(other, part_str("c"), PART_OF(whole), out, &len),
                     ERR_INTEGRITY);
    assert_int_equal(len, 77);
    assert_true(all_zero(out, sizeof(out)));
    assert_int_equal(chunked_msg_open(key, part_str("c"), PART_OF(whole), out, &len), ERR_OK);
}

static void test_commitment(void **state)
{
    struct chunked *c = new_chunked();
    uint8_t commitment[CHUNKED_COMMITMENT_LEN];

    (void)state;
    memcpy(commitment, chunked_commitment(c), sizeof(commitment));
    assert_int_equal(chunked_check(c, commitment), ERR_OK);
    for (size_t bit = 0; bit < 8 * sizeof(commitment); bit++) {
        commitment[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(chunked_check(c, commitment), ERR_INTEGRITY);
        commitment[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    chunked_free(c);
}

static void test_limits(void **state)
{
    static uint8_t context[CHUNKED_CONTEXT_MAX + 1], plain[2 * CHUNK_LEN], out[2 * CHUNK_SEALED];
    const struct part two = PART_OF(plain), two_sealed = PART_OF(out);
    const uint64_t end = CHUNKED_CHUNKS_MAX;
    struct chunked *c = NULL;
    struct chunked_run run;
    size_t len = 0;

    (void)state;
    assert_int_equal(chunked_new(&c, key, salt, PART_OF(context)), ERR_INVALID);
    assert_null(c);
    assert_int_equal(chunked_new(&c, key, salt, part(context, CHUNKED_CONTEXT_MAX)), ERR_OK);
    chunked_free(c);
    c = new_chunked();
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){end - 2, false, two}, out), ERR_OK);
    assert_int_equal(
        chunked_open_run(c, &(struct chunked_run){end - 2, false, two_sealed}, plain, &len),
        ERR_OK);
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){end - 1, false, two}, out),
                     ERR_INVALID);
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){end - 2, true, two}, out),
                     ERR_INVALID);
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){UINT64_MAX, false, two}, out),
                     ERR_INVALID);
    assert_int_equal(
        chunked_open_run(c, &(struct chunked_run){end - 1, false, two_sealed}, plain, &len),
        ERR_INVALID);
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){0, false, {plain, 100}}, out),
                     ERR_INVALID);
    assert_int_equal(chunked_piece_run(&run, 0, 1, part(NULL, 0), false), ERR_INVALID);
    assert_int_equal(chunked_piece_run(&run, CHUNKED_PLAIN_MAX + 1, 0, two, false), ERR_INVALID);
    chunked_free(c);
}

/* Numbers over 32 bits, held against the definition: key, base nonce and chunk number by hand. */
static void test_high_chunk_numbers(void **state)
{
    static const char prefix[] = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM";
    const uint64_t number = 0x3123456789;
    uint8_t info[sizeof(prefix) + CHUNKED_SALT_LEN + 7], keys[76], want[3 + CHUNK_TAG_LEN];
    uint8_t got[sizeof(want)];
    struct chunked *c = new_chunked();

    (void)state;
    memcpy(info, prefix, sizeof(prefix));
    memcpy(info + sizeof(prefix), salt, sizeof(salt));
    memcpy(info + sizeof(prefix) + sizeof(salt), "context", 7);
    assert_int_equal(hkdf_expand(HASH_SHA512, PART_OF(key), PART_OF(info), keys, sizeof(keys)),
                     ERR_OK);
    assert_memory_equal(keys + 44, chunked_commitment(c), CHUNKED_COMMITMENT_LEN);
    keys[43] ^= 0x89;
    keys[42] ^= 0x67;
    keys[41] ^= 0x45;
    keys[40] ^= 0x23;
    keys[39] ^= 0x31;
    assert_int_equal(gcm_seal_once(keys, keys + 32, part(NULL, 0), part_str("abc"), want), ERR_OK);
    assert_int_equal(chunked_seal_run(c, &(struct chunked_run){number, true, part_str("abc")}, got),
                     ERR_OK);
    assert_memory_equal(got, want, sizeof(want));
    chunked_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_lengths_that_cannot_be),
        cmocka_unit_test(test_pieces_are_the_message),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_truncated_at_every_chunk),
        cmocka_unit_test(test_a_flipped_bit_in_every_chunk),
        cmocka_unit_test(test_chunks_and_pieces_have_their_places),
        cmocka_unit_test(test_any_flipped_bit_of_a_short_message),
        cmocka_unit_test(test_commitment),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_high_chunk_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
