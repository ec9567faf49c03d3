/* SPDX-License-Identifier: Apache-2.0 */
/* A vault whose folder cannot be listed: refused with a reason, and nothing is lost. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/upload.h"
#include "client/local/vault_cache.h"
#include "tests/unit/clock_fix.h"
#include "tests/unit/vault_fix.h"

/* Which of the calls to come fails with EIO; 0: none does. */
static unsigned fail_at, calls;

static bool fails(void)
{
    calls++;
    if (calls != fail_at)
        return false;
    errno = EIO;
    return true;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    return fails() ? NULL : __real_opendir(path);
}

struct dirent *__real_readdir(DIR *d);
struct dirent *__wrap_readdir(DIR *d);
struct dirent *__wrap_readdir(DIR *d)
{
    return fails() ? NULL : __real_readdir(d);
}

static const char *const table = "contact";

/* Read the record ${key}, which says its own key. */
static void assert_there(struct vault *v, uint8_t key)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf plain = {0};

    assert_int_equal(vault_id(v, table, part(&key, 1), id, NULL), ERR_OK);
    assert_int_equal(vault_get(v, table, id, &plain, NULL, NULL), ERR_OK);
    assert_int_equal(plain.len, 1);
    assert_int_equal(plain.data[0], key);
    buf_free(&plain);
}

enum { RECORDS = 5 };

static void fill(struct vault *v)
{
    for (uint8_t key = 0; key < RECORDS; key++) {
        uint8_t id[VAULT_RECORD_ID_LEN];

        assert_int_equal(vault_id(v, table, part(&key, 1), id, NULL), ERR_OK);
        assert_int_equal(vault_put(v, table, id, part(&key, 1), NULL), ERR_OK);
    }
}

/* Whatever came of it, the next opening has all of them. */
static void reopen(struct vault_fix *f)
{
    vault_unlock(f->vault);
    vault_close(f->vault);
    f->vault = NULL;
    assert_int_equal(vault_open(f->dir, NULL, &f->vault, NULL), ERR_OK);
    for (uint8_t key = 0; key < RECORDS; key++)
        assert_there(f->vault, key);
    assert_int_equal(vault_lock(f->vault, NULL), ERR_OK);
}

static void test_a_listing_that_fails(void **state)
{
    struct vault_fix *f = *state;
    unsigned failed = 0;
    int rc = ERR_IO;

    assert_int_equal(vault_lock(f->vault, NULL), ERR_OK);
    fill(f->vault);
    for (unsigned at = 1; rc != ERR_OK || fail_at != 0; at++) {
        struct err err = {0};

        assert_true(at < 200);
        assert_int_equal(vault_renew(f->vault, NULL, NULL), ERR_OK); /* nothing is left over */
        calls = 0;
        fail_at = at;
        rc = vault_renew(f->vault, NULL, &err);
        fail_at = calls >= at ? at : 0; /* 0: it was through without it */
        failed += rc != ERR_OK;
        if (rc != ERR_OK) {
            assert_int_equal(err.code, rc);
            assert_string_not_equal(err.msg, "");
        }
        calls = UINT_MAX / 2; /* nothing fails in between */
        reopen(f);
    }
    assert_true(failed > RECORDS);
    vault_unlock(f->vault);
}

static int count(void *cookie, const struct vault_row *row, struct err *err)
{
    (void)row;
    (void)err;
    ++*(unsigned *)cookie;
    return ERR_OK;
}

/* One that breaks off is an error, and is not remembered as the whole of it. */
static void test_half_of_a_listing(void **state)
{
    struct vault_fix *f = *state;

    assert_int_equal(vault_lock(f->vault, NULL), ERR_OK);
    fill(f->vault);
    vault_unlock(f->vault);
    clock_fix_ahead(VAULT_CACHE_COARSE_TICK_MS + 50); /* listings are kept */
    for (unsigned at = 1; at <= RECORDS + 1; at++) {
        struct err err = {0};
        unsigned n = 0;

        calls = 0;
        fail_at = at;
        assert_int_equal(vault_each(f->vault, table, count, &n, &err), ERR_IO);
        assert_string_not_equal(err.msg, "");
        calls = 0;
        assert_int_equal(upload_each(f->vault, VAULT_FIX_NOW, NULL, NULL, NULL), ERR_IO);
    }
    fail_at = 0;
    for (int again = 0; again < 2; again++) {
        unsigned n = 0;

        calls = 0;
        assert_int_equal(vault_each(f->vault, table, count, &n, NULL), ERR_OK);
        assert_int_equal(n, RECORDS);
        assert_int_equal(calls == 0, again); /* the whole one is */
    }
    clock_fix_ahead(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_listing_that_fails, vault_fix_setup,
                                        vault_fix_teardown),
        cmocka_unit_test_setup_teardown(test_half_of_a_listing, vault_fix_setup,
                                        vault_fix_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
