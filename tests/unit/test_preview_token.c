/* SPDX-License-Identifier: Apache-2.0 */
/* A preview in sealed metadata: there and back, and tokens that a hostile sender makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/fernet.h"
#include "common/transfer/preview.h"
#include "tests/sample/sample.h"

enum { LATENT = 256 };

struct fixture {
    struct secret mek;
    struct tid tid;
    struct metadata m;
    uint8_t latent[LATENT], got[PREVIEW_LATENT_MAX];
    size_t len;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sample_secret("mek", &f->mek);
    f->tid = (struct tid){{9}};
    f->m.length = 12;
    memcpy(f->m.name, "a.png", 6);
    for (size_t i = 0; i < LATENT; i++)
        f->latent[i] = (uint8_t)(i * 7);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    metadata_free(&f->m);
    secret_free(&f->mek);
    free(f);
    return 0;
}

static int open_it(struct fixture *f)
{
    return preview_open(&f->m, &f->mek, &f->tid, f->got, &f->len, NULL);
}

/* A token that the key of this transfer made, whatever it says. */
static void put_token(struct fixture *f, struct part message)
{
    struct secret key = {0};
    struct buf token = {0};

    assert_int_equal(metadata_preview_key(&f->mek, &f->tid, &key, NULL), ERR_OK);
    assert_int_equal(fernet_seal(part_secret(&key), 1, NULL, message, &token), ERR_OK);
    secret_free(&key);
    free(f->m.preview);
    f->m.preview = token.data;
    f->m.preview_len = token.len;
}

static void put_bytes(struct fixture *f, size_t len, int byte)
{
    free(f->m.preview);
    f->m.preview = malloc(len);
    f->m.preview_len = len;
    memset(f->m.preview, byte, len);
}

static void test_through_sealed_metadata(void **state)
{
    struct fixture *f = *state;
    struct metadata back = {0};
    struct buf sealed = {0};

    assert_int_equal(open_it(f), ERR_NOTFOUND);
    assert_int_equal(preview_seal(&f->m, &f->mek, &f->tid, 1, part(f->latent, LATENT), NULL),
                     ERR_OK);
    assert_true(f->m.preview_len <= METADATA_PREVIEW_MAX);
    assert_int_equal(metadata_seal(&f->mek, &f->tid, &f->m, &sealed, NULL), ERR_OK);
    assert_int_equal(metadata_open(&f->mek, &f->tid, part(sealed.data, sealed.len), &back, NULL),
                     ERR_OK);
    assert_int_equal(preview_open(&back, &f->mek, &f->tid, f->got, &f->len, NULL), ERR_OK);
    assert_int_equal(f->len, LATENT);
    assert_memory_equal(f->got, f->latent, LATENT);
    metadata_free(&back);
    buf_free(&sealed);
}

static void test_longest_latent_fits(void **state)
{
    struct fixture *f = *state;
    uint8_t latent[PREVIEW_LATENT_MAX + 1] = {5};

    assert_int_equal(
        preview_seal(&f->m, &f->mek, &f->tid, 1, part(latent, PREVIEW_LATENT_MAX), NULL), ERR_OK);
    assert_true(f->m.preview_len <= METADATA_PREVIEW_MAX);
    assert_int_equal(open_it(f), ERR_OK);
    assert_int_equal(f->len, PREVIEW_LATENT_MAX);
    assert_int_equal(
        preview_seal(&f->m, &f->mek, &f->tid, 1, part(latent, PREVIEW_LATENT_MAX + 1), NULL),
        ERR_INVALID);
}

static void test_hostile_tokens(void **state)
{
    struct fixture *f = *state;
    uint8_t latent[PREVIEW_LATENT_MAX + 1] = {0};

    put_bytes(f, 1, 'g');
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    put_bytes(f, METADATA_PREVIEW_MAX, 'g');
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    put_bytes(f, METADATA_PREVIEW_MAX, 0);
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    put_bytes(f, METADATA_PREVIEW_MAX + 4, 'g');
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    put_token(f, part(latent, 0)); /* genuine, and says nothing */
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    put_token(f, part(latent, sizeof(latent))); /* genuine, and too much */
    assert_int_equal(open_it(f), ERR_INTEGRITY);
}

static void test_of_another_transfer(void **state)
{
    struct fixture *f = *state;
    struct secret other = {0};
    struct tid tid = {{8}};

    sample_secret("other", &other);
    put_token(f, part(f->latent, LATENT));
    assert_int_equal(open_it(f), ERR_OK);
    assert_int_equal(preview_open(&f->m, &f->mek, &tid, f->got, &f->len, NULL), ERR_INTEGRITY);
    assert_int_equal(preview_open(&f->m, &other, &f->tid, f->got, &f->len, NULL), ERR_INTEGRITY);
    f->m.preview[40] ^= 1;
    assert_int_equal(open_it(f), ERR_INTEGRITY);
    secret_free(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_through_sealed_metadata),
        TEST(test_longest_latent_fits),
        TEST(test_hostile_tokens),
        TEST(test_of_another_transfer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
