/* SPDX-License-Identifier: Apache-2.0 */
/* share: derivation around the key network, commitments, sealed seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/transfer/share.h"
#include "tests/sample/sample.h"

struct fixture {
    struct secret seed, day, slot;
    struct share_place place;
    struct instance_id instance;
    uint8_t o[SHARE_OUTPUT_LEN];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sample_secret("seed", &f->seed);
    sample_secret("day", &f->day);
    sample_secret("slot", &f->slot);
    sample_fill(1, f->place.tid.b, sizeof(f->place.tid));
    sample_fill(2, f->place.uid.b, sizeof(f->place.uid));
    sample_fill(3, f->place.ek_id.b, sizeof(f->place.ek_id));
    sample_fill(4, f->instance.b, sizeof(f->instance));
    sample_fill(5, f->o, sizeof(f->o));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    secret_free(&f->seed);
    secret_free(&f->day);
    secret_free(&f->slot);
    free(f);
    return 0;
}

static void test_input(void **state)
{
    struct fixture *f = *state;
    uint8_t a[SHARE_INPUT_LEN], other[SHARE_INPUT_LEN];
    struct secret short_seed = {0};

    assert_int_equal(share_input(&f->seed, &f->place, a), ERR_OK);
    for (size_t i = 0; i < sizeof(a); i++)
        assert_true(a[i] < 128);
    f->place.tid.b[0] ^= 1;
    assert_int_equal(share_input(&f->seed, &f->place, other), ERR_OK);
    assert_memory_not_equal(a, other, sizeof(a));
    assert_int_equal(secret_new(&short_seed, 31, NULL), ERR_OK);
    assert_int_equal(share_input(&short_seed, &f->place, other), ERR_INVALID);
    secret_free(&short_seed);
}

/* Whatever goes in changes both shares, and they differ from each other. */
static void test_output(void **state)
{
    struct fixture *f = *state;
    uint8_t *inputs[] = {f->seed.data,     f->place.tid.b, f->place.uid.b,
                         f->place.ek_id.b, f->instance.b,  f->o};
    struct share_pair base = {0}, other = {0};
    const uint8_t *memory;

    assert_int_equal(share_output(&f->seed, &f->place, &f->instance, f->o, &base), ERR_OK);
    assert_memory_not_equal(base.meta.data, base.body.data, SHARE_LEN);
    assert_int_equal(share_output(&f->seed, &f->place, &f->instance, f->o, &other), ERR_OK);
    assert_memory_equal(base.meta.data, other.meta.data, SHARE_LEN);
    memory = other.body.data;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        inputs[i][0] ^= 0x80;
        assert_int_equal(share_output(&f->seed, &f->place, &f->instance, f->o, &other), ERR_OK);
        assert_memory_not_equal(base.meta.data, other.meta.data, SHARE_LEN);
        assert_memory_not_equal(base.body.data, other.body.data, SHARE_LEN);
        inputs[i][0] ^= 0x80;
    }
    f->o[SHARE_OUTPUT_LEN - 1] ^= 1;
    assert_int_equal(share_output(&f->seed, &f->place, &f->instance, f->o, &other), ERR_OK);
    assert_memory_not_equal(base.meta.data, other.meta.data, SHARE_LEN);
    assert_ptr_equal(memory, other.body.data); /* in place: no allocation for each */
    share_pair_free(&base);
    share_pair_free(&other);
    share_pair_free(NULL);
}

/* One share alone is the one that comes beside the other; the other is not touched. */
static void test_output_some(void **state)
{
    struct fixture *f = *state;
    struct share_from from = {&f->seed, &f->place, &f->instance, f->o};
    struct share_pair both = {0}, meta = {0}, body = {0};

    assert_int_equal(share_output_some(&from, SHARE_WANT_BOTH, &both), ERR_OK);
    assert_int_equal(share_output_some(&from, SHARE_WANT(SHARE_META), &meta), ERR_OK);
    assert_int_equal(share_output_some(&from, SHARE_WANT(SHARE_BODY), &body), ERR_OK);
    assert_memory_equal(meta.meta.data, both.meta.data, SHARE_LEN);
    assert_memory_equal(body.body.data, both.body.data, SHARE_LEN);
    assert_null(meta.body.data);
    assert_null(body.meta.data);
    share_pair_free(&both);
    share_pair_free(&meta);
    share_pair_free(&body);
}

static void test_commit(void **state)
{
    struct fixture *f = *state;
    struct hash32 meta, body, other;

    assert_int_equal(share_commit(SHARE_META, &f->place, &f->seed, &meta), ERR_OK);
    assert_int_equal(share_commit(SHARE_BODY, &f->place, &f->seed, &body), ERR_OK);
    assert_memory_not_equal(&meta, &body, sizeof(meta));
    f->place.uid.b[0] ^= 1;
    assert_int_equal(share_commit(SHARE_META, &f->place, &f->seed, &other), ERR_OK);
    assert_memory_not_equal(&meta, &other, sizeof(meta));
}

static void test_sealed_seed(void **state)
{
    struct fixture *f = *state;
    struct share_cells cells = {&f->day, &f->slot};
    uint8_t sealed[SHARE_SEALED_LEN], nonce[SHARE_NONCE_LEN] = {7};
    uint8_t *inputs[] = {f->place.tid.b, f->place.uid.b, f->place.ek_id.b, f->day.data,
                         f->slot.data};
    struct secret back = {0};
    struct err err;

    assert_int_equal(share_seal_seed(&cells, &f->place, &f->seed, nonce, sealed), ERR_OK);
    assert_memory_equal(sealed, nonce, sizeof(nonce));
    assert_int_equal(share_open_seed(&cells, &f->place, PART_OF(sealed), &back, &err), ERR_OK);
    assert_true(secret_equal(back.data, f->seed.data, SHARE_SEED_LEN));
    secret_free(&back);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_int_equal(share_open_seed(&cells, &f->place, PART_OF(sealed), &back, &err),
                         ERR_CORRUPT);
        sealed[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        inputs[i][0] ^= 1; /* an overwritten cell among them */
        assert_int_equal(share_open_seed(&cells, &f->place, PART_OF(sealed), &back, &err),
                         ERR_CORRUPT);
        inputs[i][0] ^= 1;
    }
    assert_int_equal(share_open_seed(&cells, &f->place, part(sealed, 59), &back, &err),
                     ERR_CORRUPT);
    assert_null(back.data);
    secret_truncate(&f->day, 31);
    assert_int_equal(share_open_seed(&cells, &f->place, PART_OF(sealed), &back, &err), ERR_INVALID);
    assert_int_equal(share_seal_seed(&cells, &f->place, &f->seed, nonce, sealed), ERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_input),  TEST(test_output),      TEST(test_output_some),
        TEST(test_commit), TEST(test_sealed_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
