/* SPDX-License-Identifier: Apache-2.0 */
/* archive_load: on a machine without libarchive, folders are refused and all else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/archive_load.h"
#include "client/local/source.h"
#include "client/local/unpack.h"
#include "tests/unit/tmpdir.h"

static int tried;

void *__wrap_dlopen(const char *name, int flags);

void *__wrap_dlopen(const char *name, int flags)
{
    (void)flags;
    assert_non_null(strstr(name, "libarchive"));
    tried++;
    return NULL;
}

static void test_send(void **state)
{
    char dir[TMPDIR_SIZE];
    struct source_named named = {dir, "name"};
    struct source *source = NULL;
    struct err err = {0};

    (void)state;
    assert_non_null(tmpdir_make(dir));
    assert_int_equal(source_open(&named, &source, &err), ERR_UNSUPPORTED);
    assert_null(source);
    assert_non_null(strstr(err.msg, "folders are not available"));
    assert_non_null(strstr(err.hint, "libarchive"));
    assert_int_equal(tmpdir_remove(dir), 0);
}

static void test_file(void **state)
{
    struct source_named named = {"/dev/null", "name"};
    char dir[TMPDIR_SIZE], path[TMPDIR_SIZE + 8];
    struct source *source = NULL;
    int fd, before = tried;

    (void)state;
    assert_non_null(tmpdir_make(dir));
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    named.path = path;
    assert_int_equal(source_open(&named, &source, NULL), ERR_OK);
    source_free(source);
    assert_int_equal(tried, before);
    assert_int_equal(tmpdir_remove(dir), 0);
}

static void test_unpack(void **state)
{
    struct unpack *u = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(unpack_new(AT_FDCWD, "name", &u, &err), ERR_UNSUPPORTED);
    assert_null(u);
    assert_non_null(strstr(err.hint, "--no-unpack"));
}

static void test_once(void **state)
{
    (void)state;
    assert_int_equal(archive_load(NULL), ERR_UNSUPPORTED);
    assert_int_equal(tried, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
