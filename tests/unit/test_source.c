/* SPDX-License-Identifier: Apache-2.0 */
/* source: what a send reads, and what it refuses to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

#include <cmocka.h>

#include "client/local/source.h"
#include "common/fs.h"
#include "tests/unit/tmpdir.h"

struct state {
    char dir[TMPDIR_SIZE];
    char *path; /* of a file in it */
};

static const atomic_bool go_on;

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    assert_non_null(tmpdir_make(s->dir));
    s->path = fs_join(s->dir, "file");
    assert_non_null(s->path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    assert_int_equal(tmpdir_remove(s->dir), 0);
    free(s->path);
    free(s);
    return 0;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int open_path(const char *path, struct source **ret, struct err *err)
{
    const struct source_named named = {path, "name"};

    return source_open(&named, ret, err);
}

static void refused(const char *path, int code)
{
    struct source *s = NULL;
    struct err err = {0};

    assert_int_equal(open_path(path, &s, &err), code);
    assert_non_null(strstr(err.msg, path));
    assert_null(s);
}

/* ---- regular files ---- */

static void test_file(void **state)
{
    struct state *s = *state;
    const struct timespec times[2] = {{1000, 0}, {1700000000, 123456789}};
    char to[16];
    size_t got = 99;
    struct source *src = NULL;
    const struct source_facts *f;

    put(s->path, "0123456789");
    assert_int_equal(utimensat(AT_FDCWD, s->path, times, 0), 0);
    assert_int_equal(open_path(s->path, &src, NULL), ERR_OK);
    f = source_facts(src);
    assert_int_equal(f->length, 10);
    assert_int_equal(f->modified, 1700000000123);
    assert_int_equal(f->kind, METADATA_FILE);
    assert_true(f->again);
    assert_int_equal(f->mark.size, 10);
    assert_int_equal(f->mark.modified, 1700000000123456789);
    assert_int_not_equal(f->mark.inode, 0);

    /* Anywhere, again, and fewer at the end. */
    for (int i = 0; i < 2; i++) {
        struct source_range range = {7, (uint8_t *)to, sizeof(to)};

        assert_int_equal(source_read(src, &range, &go_on, &got, NULL), ERR_OK);
        assert_int_equal(got, 3);
        assert_memory_equal(to, "789", 3);
        range = (struct source_range){2, (uint8_t *)to, 4};
        assert_int_equal(source_read(src, &range, &go_on, &got, NULL), ERR_OK);
        assert_int_equal(got, 4);
        assert_memory_equal(to, "2345", 4);
        range.offset = 4096;
        assert_int_equal(source_read(src, &range, &go_on, &got, NULL), ERR_OK);
        assert_int_equal(got, 0);
    }
    assert_int_equal(source_unchanged(src, NULL), ERR_OK);
    source_free(src);
}

/* Behind 4 GiB and 100 GiB of a file that is nearly all hole; a disk may not take such a length. */
static void test_sparse(void **state)
{
    static const uint64_t at[] = {(4ULL << 30) - 2, 4ULL << 30, (100ULL << 30) - 1};
    const uint64_t length = (100ULL << 30) + 3;
    struct state *s = *state;
    int fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct source *src = NULL;
    uint8_t to[8];
    size_t got;

    assert_true(fd >= 0);
    if (ftruncate(fd, (off_t)length) != 0) {
        close(fd);
        skip();
    }
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
        assert_int_equal(pwrite(fd, "ab", 2, (off_t)at[i]), 2);
    close(fd);
    assert_int_equal(open_path(s->path, &src, NULL), ERR_OK);
    assert_true(source_facts(src)->length == length && source_facts(src)->mark.size == length);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        struct source_range range = {at[i] - 1, to, 4};

        assert_int_equal(source_read(src, &range, &go_on, &got, NULL), ERR_OK);
        assert_int_equal(got, 4);
        assert_memory_equal(to + 1, "ab", 2);
        assert_int_equal(to[0] | to[3], i == 0 ? 'a' : i == 1 ? 'b' : 0);
    }
    assert_int_equal(
        source_read(src, &(struct source_range){length - 2, to, 8}, &go_on, &got, NULL), ERR_OK);
    assert_int_equal(got, 2);
    assert_int_equal(source_unchanged(src, NULL), ERR_OK);
    assert_int_equal(truncate(s->path, (off_t)(length & UINT32_MAX)),
                     0); /* 32 bits see no change */
    assert_int_equal(source_unchanged(src, NULL), ERR_IO);
    source_free(src);
}

static void test_changed(void **state)
{
    struct state *s = *state;
    char to[16];
    size_t got;
    struct source_range range = {0, (uint8_t *)to, sizeof(to)};
    const struct timespec later[2] = {{1000, 0}, {1700000000, 1}};
    struct source *src = NULL;
    struct err err = {0};

    put(s->path, "0123456789");
    assert_int_equal(open_path(s->path, &src, NULL), ERR_OK);
    assert_int_equal(chmod(s->path, 0640), 0);
    assert_int_equal(source_unchanged(src, NULL), ERR_OK);
    assert_int_equal(utimensat(AT_FDCWD, s->path, later, 0), 0);
    assert_int_equal(source_unchanged(src, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "changed while it was sent"));
    assert_int_equal(truncate(s->path, 4), 0);
    assert_int_equal(source_read(src, &range, &go_on, &got, &err), ERR_IO);
    assert_non_null(strstr(err.msg, s->path));
    source_free(src);
}

static void test_refused(void **state)
{
    struct state *s = *state;

    refused(s->path, ERR_NOTFOUND);
    refused("/dev/null", ERR_IO);
    source_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sparse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
